"""The lake: two Delta tables, `captures` (the bytes) and `events` (what they mean), each partitioned by the UTC day of arrival.

A batch from the inbox is appended exactly once: the commit carries the inbox's identity and the highest sequence number
(a Delta application transaction), and a commit that is there already is not made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from analyzer.model import Capture, Envelope, Event, StoreError

_ARROW = {
    str: pa.string(), str | None: pa.string(), float | None: pa.float64(), datetime: pa.timestamp("us", tz="UTC"),
}  # fmt: skip
EVENT_SCHEMA = pa.schema([*((f.name, _ARROW[get_type_hints(Event)[f.name]]) for f in fields(Event)), ("day", pa.date32())])
"""The events table: Event's fields, and `day`, the UTC day of `received_at`, which is the partition."""
CAPTURE_SCHEMA = pa.schema(
    [
        ("capture_id", pa.string()),
        ("data", pa.binary()),
        ("media_type", pa.string()),
        ("source", pa.string()),
        ("received_at", pa.timestamp("us", tz="UTC")),
        ("envelope", pa.string()),
        ("day", pa.date32()),
    ]
)
SCHEMAS = {"captures": CAPTURE_SCHEMA, "events": EVENT_SCHEMA}
WRITTEN = {
    # no two messages are alike: a dictionary of them, and their smallest and largest, would only cost memory and time
    "captures": WriterProperties(
        compression="ZSTD",
        max_row_group_size=2000,
        column_properties={"data": ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")},
    ),
    "events": WriterProperties(compression="ZSTD"),
}
CHECKPOINT_EVERY = 50  # commits; a reader opens the last checkpoint and the log after it
LOG_HOURS = 6  # the log before the last checkpoint is read by nobody
SMALL_FILES = 64  # more than one a day, before they are joined
FILE_BYTES = 64 * 1024 * 1024  # that joined files grow to
ATTEMPTS = 20


class Lake:
    """The lake in the folder `path`; its tables are made at the first append. Raises StoreError."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def table(self, name: str) -> DeltaTable | None:
        """The table as it is now; None before anything was appended."""
        try:
            return DeltaTable(self.path / name)
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as e:
            raise self.unreadable(name, e) from None

    def version(self, name: str = "events") -> int:
        """The number of the table's last commit; -1 before the first."""
        table = self.table(name)
        return table.version() if table else -1

    def kept(self, name: str, app: str) -> int:
        """The highest inbox sequence number that the table has of inbox `app`; 0 when none."""
        table = self.table(name)
        return (table.transaction_version(app) or 0) if table else 0

    def append(self, name: str, batch: pa.Table, app: str, since: int, upto: int) -> bool:
        """Appends what came from inbox `app` after sequence number `since` up to `upto`; False when the table is no longer at `since`.

        The commit builds on the very snapshot in which the mark was read: a racing writer of the same inbox is a conflict,
        and the mark is read again before the next attempt.
        """
        for _ in range(ATTEMPTS):
            with self._writing(name), suppress(CommitFailedError):
                table = self._made(name)
                if (table.transaction_version(app) or 0) != since:
                    return False
                self._write(name, table, batch, app, upto)
                return True
        raise StoreError(f"{self.path / name}: {ATTEMPTS} commits in a row met another writer; try again.")

    def _made(self, name: str) -> DeltaTable:
        """The table, made when it is not there."""
        return self.table(name) or DeltaTable.create(
            self.path / name,
            SCHEMAS[name],
            mode="ignore",
            partition_by=["day"],
            configuration={
                "delta.logRetentionDuration": f"interval {LOG_HOURS} hours",
                "delta.checkpointInterval": str(CHECKPOINT_EVERY),
                # capture ids and texts need no statistics; times do, for pruning
                "delta.dataSkippingStatsColumns": "received_at" if name == "captures" else "at,received_at,kind",
            },
        )

    def _write(self, name: str, table: DeltaTable, batch: pa.Table, app: str, upto: int) -> None:
        write_deltalake(
            table,
            batch,
            mode="append",
            schema_mode="merge",
            writer_properties=WRITTEN[name],
            commit_properties=CommitProperties(app_transactions=[Transaction(app, upto)], max_commit_retries=0),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=True),
        )

    def files(self, name: str) -> tuple[int, list[str]]:
        """The version and the Parquet files of the snapshot; partition values are in the paths (day=YYYY-MM-DD)."""
        table = self.table(name)
        if table is None:
            return -1, []
        return table.version(), [unquote(urlparse(uri).path) if uri.startswith("file:") else uri for uri in table.file_uris()]

    def days(self, name: str = "captures") -> list[date]:
        """The partitions there are."""
        table = self.table(name)
        return sorted(date.fromisoformat(p["day"]) for p in table.partitions() if p["day"]) if table else []

    def rows(self, name: str, day: date | None = None, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """The rows of a table, or of one day of it, as they are now, in batches of bounded size. Raises StoreError."""
        table = self.table(name)
        return self._rows(name, table, day, columns) if table else iter(())

    def _rows(self, name: str, table: DeltaTable, day: date | None, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
        with self._reading(name):
            dataset = table.to_pyarrow_dataset()
            where = ds.field("day") == pa.scalar(day, pa.date32()) if day else None
            names = list(columns or dataset.schema.names)
            size = 200 if name == "captures" else 2_000
            for batch in dataset.to_batches(columns=names, filter=where, batch_size=size, batch_readahead=1, fragment_readahead=1):
                yield from batch.to_pylist()

    def day(self, day: date) -> tuple[frozenset[str], pa.Table]:
        """The files of one day's events, and the events in them. Raises StoreError."""
        table = self.table("events")
        if table is None:
            return frozenset(), EVENT_SCHEMA.empty_table()
        with self._reading("events"):
            found = table.to_pyarrow_dataset().to_table(filter=ds.field("day") == pa.scalar(day, pa.date32()))
        # a table from before a field came to Event lacks its column
        columns = [found[f.name].cast(f.type) if f.name in found.schema.names else pa.nulls(found.num_rows, f.type) for f in EVENT_SCHEMA]
        return _files_of(table, day), pa.table(columns, schema=EVENT_SCHEMA)

    def captures(self, day: date | None = None) -> Iterator[tuple[str, Capture]]:
        """Capture id and capture, of all or of one day, as they are now. Raises StoreError."""
        return ((row["capture_id"], _capture(row)) for row in self.rows("captures", day))

    def get(self, capture_id: str) -> Capture | None:
        """One capture by its id."""
        table = self.table("captures")
        if table is None:
            return None
        wanted = ds.field("capture_id") == capture_id
        with self._reading("captures"):
            dataset = table.to_pyarrow_dataset()
            for fragment in dataset.get_fragments():
                for group in fragment.split_by_row_group():
                    # counting reads the ids alone, and so spares the bytes of all other captures
                    if group.count_rows(filter=wanted):
                        return _capture(group.to_table(schema=dataset.schema, filter=wanted).slice(0, 1).to_pylist()[0])
        return None

    def replace_day(self, day: date, events: pa.Table, known: frozenset[str]) -> bool:
        """Puts `events` in the place of one day's; False when the day is no longer what its files were. Raises StoreError."""
        for _ in range(ATTEMPTS):
            table = self._made("events")
            if _files_of(table, day) != known:
                return False
            # a commit that meets another one is tried again: that may have been of another day
            with self._writing("events"), suppress(CommitFailedError):
                self._replace(table, day, events)
                return True
        return False

    def _replace(self, table: DeltaTable, day: date, events: pa.Table) -> None:
        write_deltalake(
            table,
            events,
            mode="overwrite",
            schema_mode="merge",  # the table may be of before a field came to Event
            predicate=f"day = '{day.isoformat()}'",
            writer_properties=WRITTEN["events"],
            commit_properties=CommitProperties(max_commit_retries=0),
        )

    def tidy(self) -> bool:
        """What a flusher does now and then: joins small files when many have gathered, and deletes what was joined a day ago.

        Whether there was anything to do. Readers are not disturbed: what their snapshots name stays for a day. Raises StoreError.
        """
        if not any(len(self.files(name)[1]) - len(self.days(name)) > SMALL_FILES for name in SCHEMAS):
            return False
        self.compact()
        self.vacuum()
        return True

    def compact(self) -> dict[str, int]:
        """Joins small files; the number of files before, less those after, per table. Raises StoreError."""
        done = {}
        for name in SCHEMAS:
            table = self.table(name)
            if table is not None:
                with self._writing(name):
                    metrics = table.optimize.compact(target_size=FILE_BYTES, max_concurrent_tasks=1, writer_properties=WRITTEN[name])
                    table.create_checkpoint()
                done[name] = int(metrics["numFilesRemoved"]) - int(metrics["numFilesAdded"])
        return done

    def vacuum(self, hours: int = 24) -> dict[str, int]:
        """Deletes files that no snapshot of the last `hours` needs; how many, per table. Raises StoreError."""
        done = {}
        for name in SCHEMAS:
            table = self.table(name)
            if table is not None:
                with self._writing(name):
                    done[name] = len(table.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False))
        return done

    def unreadable(self, name: str, e: Exception) -> StoreError:
        """The sentence on a table that cannot be read."""
        mend = "restore it from a backup"
        if name == "events":
            mend = f"move {self.path / name} away and run `mailhealth replay`, which makes it anew from the captures"
        return StoreError(f"{self.path / name}: cannot be read ({_short(e)}). Check its permissions; if it is damaged, {mend}.")

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """What goes wrong with reading becomes StoreError."""
        try:
            yield
        except (DeltaError, OSError, pa.ArrowException) as e:
            raise self.unreadable(name, e) from None

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        """What goes wrong with writing becomes StoreError."""
        try:
            yield
        except CommitFailedError:
            raise StoreError(f"{self.path / name}: another process rewrote the same files; nothing is lost, try again.") from None
        except (DeltaError, OSError) as e:
            raise StoreError(f"{self.path / name}: cannot be written ({_short(e)}); check the disk's space and the permissions.") from None


def capture_table(captures: Iterable[Capture]) -> pa.Table:
    """Captures as rows of the captures table."""
    rows = [
        {
            "capture_id": c.id,
            "data": c.data,
            "media_type": c.media_type,
            "source": c.source,
            "received_at": c.received_at,
            "envelope": json.dumps([c.envelope.sender, c.envelope.recipients, c.envelope.peer]) if c.envelope else None,
            "day": c.received_at.astimezone(UTC).date(),
        }
        for c in captures
    ]
    return pa.Table.from_pylist(rows, schema=CAPTURE_SCHEMA)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


def event_table(events: Sequence[Event]) -> pa.Table:
    """Events as rows of the events table."""
    columns: list[pa.Array] = []
    for column in EVENT_SCHEMA.names[:-1]:
        kind = EVENT_SCHEMA.field(column).type
        values: list[Any] = [getattr(e, column) for e in events]
        if pa.types.is_timestamp(kind):
            # whole microseconds convert much faster than datetimes
            columns.append(pa.array([(v - _EPOCH) // _MICRO for v in values], pa.int64()).cast(kind))
        else:
            columns.append(pa.array(values, kind))
    columns.append(columns[EVENT_SCHEMA.get_field_index("received_at")].cast(pa.date32()))
    return pa.Table.from_arrays(columns, schema=EVENT_SCHEMA)


def _capture(row: dict[str, Any]) -> Capture:
    envelope = None
    if row["envelope"]:
        sender, recipients, peer = json.loads(row["envelope"])
        envelope = Envelope(sender, tuple(recipients), peer)
    return Capture(row["data"], row["media_type"], row["source"], row["received_at"], envelope)


def _files_of(table: DeltaTable, day: date) -> frozenset[str]:
    return frozenset(table.file_uris(file_pruning_predicate=f"day = '{day.isoformat()}'"))


def _short(e: Exception) -> str:
    # Rust adds where it was in its own code
    return " ".join(str(e).partition(" 0: ")[0].split())[:300]
