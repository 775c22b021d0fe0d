"""Ibis on DuckDB in the reader's own process, over the Parquet files of the lake's Delta snapshot.

There is no database file, so readers in several processes never block the writer, nor it them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa

from analyzer.lake import EVENT_SCHEMA, Lake

_TYPES = {pa.float64(): "float64"}  # all others are text


class Engine:
    """Queries over a lake. Not safe to share between threads without a lock."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self.connection = ibis.duckdb.connect()
        self.connection.raw_sql("SET TimeZone = 'UTC'")
        # in a notebook without ipywidgets there is no bar, and none may be turned off
        with suppress(duckdb.InvalidInputException):
            self.connection.raw_sql("SET enable_progress_bar = false")

    def events(self) -> tuple[int, ir.Table]:
        """The version of the snapshot, and its events; an empty table of the same columns before anything was kept."""
        version, files = self._lake.files("events")
        if not files:
            return version, ibis.memtable(EVENT_SCHEMA.empty_table())
        events = self.connection.read_parquet(files, table_name="events", hive_partitioning=True, union_by_name=True)
        # files from before a field came to Event lack its column
        lacking = {f.name: ibis.null(_TYPES.get(f.type, "string")) for f in EVENT_SCHEMA if f.name not in events.columns}
        return version, events.mutate(**lacking) if lacking else events

    def kept(self, name: str, table: ir.Table) -> ir.Table:
        """The table, computed once and kept in memory."""
        return self.connection.create_table(name, table)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What goes wrong with the lake's files becomes StoreError."""
        try:
            yield
        except duckdb.Error as e:
            raise self._lake.unreadable("events", e) from None
