"""Replay: what all that was kept means by today's rules, written in the place of what it meant before, with the difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from analyzer.lake import Lake, event_table
from analyzer.model import Event, StoreError
from analyzer.pipeline import derive
from analyzer.store import Store

NAMES = tuple(f.name for f in fields(Event))
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


def replay(store: Store, dry_run: bool = False, progress: Callable[[int, int], None] | None = None) -> Iterator[Change]:
    """Yields each event that changed, day by day; unless `dry_run`, a day is written when its changes have been found.

    Captures that the flusher has not judged yet are left to it. Raises StoreError.
    """
    lake = store.lake
    days = lake.days("captures")
    for done, day in enumerate(days, 1):
        yield from _replay_day(store, lake, day, dry_run)
        if progress:
            progress(done, len(days))


def _replay_day(store: Store, lake: Lake, day: date, dry_run: bool) -> list[Change]:
    for _ in range(ATTEMPTS):
        version = lake.version("events")
        before: dict[str, dict[str, Any]] = {row["event_id"]: {n: row.get(n) for n in NAMES} for row in lake.rows("events", day)}
        judged = {row["capture_id"] for row in before.values()}
        after: dict[str, Event] = {}
        for capture_id, capture in lake.captures(day):
            if capture_id in judged:
                events, addresses = derive(capture, store.key, capture_id)
                store.inbox.remember(addresses)
                after |= {e.event_id: e for e in events}
        changes = [c for c in (_change(i, before.get(i), after.get(i)) for i in sorted(before.keys() | after.keys())) if c]
        if dry_run or not changes or lake.replace_day(day, event_table(list(after.values())), version):
            return changes
    raise StoreError(f"{lake.path}: events of {day} kept arriving while they were rewritten; stop `mailhealth serve` and replay again.")


def _change(event_id: str, before: dict[str, Any] | None, event: Event | None) -> Change | None:
    after = asdict(event) if event else None
    if before is not None and after is not None and all(before[n] == after[n] for n in NAMES):
        return None
    return Change(event_id, before, after)
