"""Inbox -> parse -> classify -> record -> lake; and the loop that keeps doing it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from analyzer.bulk import rows_table
from analyzer.classify import classify
from analyzer.classify.rules import RulesError
from analyzer.lake import capture_table, event_table
from analyzer.model import FAILURES, ROWS, Capture, Event, KeepFailed, Kind, Report, StoreError, Verdict
from analyzer.parallel import fresh_pool
from analyzer.parse import parse
from analyzer.record import record
from analyzer.signed import attributed
from analyzer.store import Store

log = logging.getLogger(__name__)
BATCH_CAPTURES = 5_000
BATCH_BYTES = 32 * 1024 * 1024
TIDY_EVERY = 20  # flushes that filed something, before the lake is looked after
PART = 50  # captures that are read at once, by one process
PARALLEL_FROM = 200  # captures: for fewer, starting processes takes longer than reading


@dataclass(frozen=True, slots=True)
class Flushed:
    """What a flush moved from the inbox to the lake."""

    captures: int = 0
    events: int = 0
    unreadable: int = 0  # events that say that something could not be read

    def __add__(self, other: Flushed) -> Flushed:
        return Flushed(self.captures + other.captures, self.events + other.events, self.unreadable + other.unreadable)


def judge(report: Report) -> list[Verdict | None]:
    """A verdict per outcome; None where the outcome is no failure and needs none."""
    return [classify(outcome, report) if outcome.kind in FAILURES else None for outcome in report.outcomes]


def derive(capture: Capture, key: bytes, capture_id: str | None = None) -> tuple[list[Event], dict[str, str]]:
    """The events of a capture by today's rules, and recipient key -> address. Never raises: a bug of ours costs no mail."""
    try:
        report = attributed(parse(capture), capture, key)
        return record(capture, report, judge(report), key, capture_id)
    except RulesError:
        raise  # the operator's to mend; what waits can be judged then
    except Exception as e:
        log.exception("capture %s cannot be read", capture_id or capture.id)
        report = Report(
            Kind.UNREADABLE, "none", why=f"Mailhealth failed on this one ({type(e).__name__}); the bytes are kept. Please report it."
        )
        return record(capture, report, [], key, capture_id)


def flush(store: Store, progress: Callable[[int, int], None] | None = None, processes: int = 1) -> Flushed:
    """Moves all that waits now in the inbox to the lake, exactly once, whatever crashed before. Raises StoreError, KeepFailed.

    `progress` is told the captures done and those that waited at the start. Large batches are read by `processes` at once.
    """
    waiting = store.inbox.waiting()
    total = Flushed()
    pool = fresh_pool(processes) if processes > 1 and waiting > PARALLEL_FROM else None
    try:
        while (part := _flush_batch(store, pool)) is not None:
            total += part
            if progress:
                progress(total.captures, max(waiting, total.captures))
            if total.captures >= waiting:
                break  # what has come meanwhile is for the next time: else a steady stream would be filed in crumbs, without end
        return total
    finally:
        if pool:
            pool.shutdown()


def _flush_batch(store: Store, pool: Executor | None) -> Flushed | None:
    """One batch; None when nothing waits.

    The two tables commit one after the other, and each carries its own mark. A crash between them leaves the marks apart,
    and the next batch gives each table just what it lacks; the inbox forgets bytes only when both have them.
    """
    inbox, lake, app = store.inbox, store.lake, store.inbox.app
    marks = {name: lake.kept(name, app) for name in ("captures", "events")}
    batch = inbox.pending(min(marks.values()), BATCH_CAPTURES, BATCH_BYTES)
    if not batch:
        # bytes that both tables had before a crash
        inbox.drop(min(marks.values()))
        return None
    upto = batch[-1][0]
    mine = [c for seq, c in batch if seq > marks["events"]]
    parts = [mine[i : i + PART] for i in range(0, len(mine), PART)]
    read = partial(read_captures, key=store.key)
    derived = pool.map(read, parts) if pool else map(read, parts)
    if upto > marks["captures"]:
        lake.append("captures", capture_table(c for seq, c in batch if seq > marks["captures"]), app, marks["captures"], upto)
    tables: list[pa.Table] = []
    addresses: dict[str, str] = {}
    for table, known in derived:
        tables.append(table)
        addresses |= known
    inbox.remember(addresses)
    appended = bool(mine) and lake.append("events", pa.concat_tables(tables), app, marks["events"], upto)
    # what the tables say, not what this flusher did: another one may have been quicker
    inbox.drop(min(lake.kept("captures", app), lake.kept("events", app)))
    if not appended:
        return Flushed()
    unreadable = sum(pc.sum(pc.equal(t["kind"], Kind.UNREADABLE.value)).as_py() or 0 for t in tables)
    return Flushed(len(mine), sum(t.num_rows for t in tables), unreadable)


def read_captures(captures: list[Capture], key: bytes) -> tuple[pa.Table, dict[str, str]]:
    """The events of some captures as rows, and the addresses behind their keys."""
    tables: list[pa.Table] = []
    events: list[Event] = []
    addresses: dict[str, str] = {}
    for capture in captures:
        rows = _rows(capture, key) if capture.media_type == ROWS else None
        if rows is None:
            found, known = derive(capture, key)
            events += found
        else:
            table, known = rows
            tables.append(table)
        addresses |= known
    return pa.concat_tables([*tables, event_table(events)]), addresses


def _rows(capture: Capture, key: bytes) -> tuple[pa.Table, dict[str, str]] | None:
    """The events of a block of rows, column by column; None where the slower way has to say what is wrong."""
    try:
        return rows_table(capture, key)
    except Exception:  # a bug of ours costs speed, and no row
        log.exception("capture %s cannot be read column by column", capture.id)
        return None


def run_flusher(store: Store, every: float, stop: threading.Event, said: Callable[[str], None] | None = None) -> None:
    """Flushes every `every` seconds until `stop`, and once more then. What goes wrong is said and tried again; the inbox keeps all."""
    pause, filed = every, 0
    while True:
        last = stop.wait(pause)
        try:
            flushed = flush(store)
            pause = every
            if flushed.captures and not last:
                filed += 1
                if filed % TIDY_EVERY == 0 and store.lake.tidy() and said:
                    said("joined the lake's small files")
            if flushed.captures and said:
                said(f"{flushed.captures} captures, {flushed.events} events")
        except (StoreError, KeepFailed, RulesError, OSError) as e:
            pause = min(pause * 2, 60.0)
            if said:
                said(f"cannot flush, trying again in {pause:.0f} s; nothing is lost: {e}")
        if last:
            return
