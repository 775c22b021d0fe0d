"""Replay: what all that was kept means by today's rules, written in the place of what it meant before, with the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from datetime import date
from functools import partial
from itertools import chain, islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.lake import EVENT_SCHEMA
from analyzer.model import Capture, Event, StoreError
from analyzer.parallel import fresh_pool, ordered
from analyzer.pipeline import PART, read_captures
from analyzer.store import Store

NAMES = tuple(f.name for f in fields(Event))
PART_BYTES = 8 * 1024 * 1024
ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One event that today's rules see otherwise."""

    event_id: str
    before: dict[str, Any] | None  # None: it was not there
    after: dict[str, Any] | None  # None: it is no longer there

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Field -> (before, after), of the fields that differ."""
        before, after = self.before or {}, self.after or {}
        return {n: (before.get(n), after.get(n)) for n in NAMES if before.get(n) != after.get(n)}


def replay(store: Store, dry_run: bool = False, progress: Callable[[int, int], None] | None = None, processes: int = 1) -> Iterator[Change]:
    """Yields each event that changed, day by day; unless `dry_run`, a day is written when its changes have been found.

    Captures that the flusher has not judged yet are left to it. Captures whose events are gone are judged anew: a lost events table
    comes back so. Raises StoreError, RulesError.
    """
    days = store.lake.days("captures")
    pool = fresh_pool(processes) if processes > 1 else None
    try:
        for done, day in enumerate(days, 1):
            yield from _replay_day(store, day, dry_run, pool)
            if progress:
                progress(done, len(days))
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def _replay_day(store: Store, day: date, dry_run: bool, pool: Executor | None) -> list[Change]:
    for _ in range(ATTEMPTS):
        # in this order: a capture that is there, not with the flusher, and not judged then, has lost its events
        captures = store.lake.captures(day)
        waiting = set(store.inbox.ids(store.lake.kept("captures", store.inbox.app)))
        files, before = store.lake.day(day)
        waiting -= set(pc.unique(before["capture_id"]).to_pylist()) if waiting else set()
        after = _judged_anew(store, _parts(captures, waiting), dry_run, pool)
        changes = _changes(before, after)
        if dry_run or not changes or store.lake.replace_day(day, after, files):
            return changes
    raise StoreError(
        f"{store.lake.path}: events of {day} kept arriving while they were rewritten; stop `mailhealth serve` and replay again."
    )


def _judged_anew(store: Store, parts: Iterator[list[Capture]], dry_run: bool, pool: Executor | None) -> pa.Table:
    """The events of captures by today's rules, in the order of their ids."""
    tables = [EVENT_SCHEMA.empty_table()]
    first = list(islice(parts, 2))
    pool = pool if len(first) > 1 else None  # for a single part, starting processes takes longer than reading
    parts = chain(first, parts)
    for table, addresses in ordered(pool, partial(read_captures, key=store.key), parts):
        tables.append(table)
        if not dry_run:
            store.inbox.remember(addresses)
    return pa.concat_tables(tables).sort_by("event_id")


def _parts(captures: Iterator[tuple[str, Capture]], done: set[str]) -> Iterator[list[Capture]]:
    """The captures, once each and without those that are `done`, in parts of bounded size."""
    part: list[Capture] = []
    size = 0
    for capture_id, capture in captures:
        if capture_id in done:
            continue
        done.add(capture_id)
        part.append(capture)
        size += len(capture.data)
        if len(part) >= PART or size >= PART_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _changes(before: pa.Table, after: pa.Table) -> list[Change]:
    """What differs between the events of before and after, in the order of their ids; compared column by column."""
    place = pc.index_in(after["event_id"], before["event_id"])
    stayed, both = after.filter(pc.is_valid(place)), place.drop_null()
    differs = pa.array([False] * len(stayed), pa.bool_())
    for name in NAMES:
        old, new = before[name].take(both).combine_chunks(), stayed[name].combine_chunks()
        other = pc.or_(pc.fill_null(pc.not_equal(old, new), False), pc.xor(pc.is_null(old), pc.is_null(new)))
        differs = pc.or_(differs, other)
    was = {row["event_id"]: row for row in before.take(both.filter(differs)).select(NAMES).to_pylist()}
    changes = [Change(row["event_id"], was[row["event_id"]], row) for row in stayed.filter(differs).select(NAMES).to_pylist()]
    changes += [Change(row["event_id"], None, row) for row in after.filter(pc.is_null(place)).select(NAMES).to_pylist()]
    gone = before.filter(pc.invert(pc.is_in(before["event_id"], after["event_id"])))
    changes += [Change(row["event_id"], row, None) for row in gone.select(NAMES).to_pylist()]
    return sorted(changes, key=lambda c: c.event_id)
