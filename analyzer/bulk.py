"""Blocks of rows to events, column by column: a store has a hundred rows for each report, and an object for each row costs too much.

Rows that failed or cannot be read are judged one by one, by the way that all reports go; `tests/analyzer/test_bulk.py` holds the two ways equal.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from analyzer.classify import classify
from analyzer.lake import EVENT_SCHEMA, event_table
from analyzer.model import FAILURES, Capture, Event, Kind, Report
from analyzer.parse.rows import Rows, read_rows
from analyzer.providers import mailbox_provider
from analyzer.record import EARLIEST, MOST_NAME, MOST_TEXT, cut, domain_of, event_of, recipient_key

_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICRO = timedelta(microseconds=1)


def rows_table(capture: Capture, key: bytes) -> tuple[pa.Table, dict[str, str]] | None:
    """The events of a block of rows, and recipient key -> address; None when the block has no rows."""
    rows = read_rows(capture)
    if isinstance(rows, str):
        return None
    addresses: dict[str, str] = {}
    hard = [n for n, kind in enumerate(rows.kind) if kind in FAILURES or n in rows.bad]
    skipped = set(hard)
    plain = [n for n in range(len(rows)) if n not in skipped]
    tables = [event_table(_one_by_one(capture, rows, hard, key, addresses)), _columns(capture, rows, plain, key, addresses)]
    return pa.concat_tables(tables), addresses


def _one_by_one(capture: Capture, rows: Rows, places: list[int], key: bytes, addresses: dict[str, str]) -> list[Event]:
    report = Report(Kind.UNREADABLE, "rows")
    events = []
    for n in places:
        outcome = rows.outcome(n)
        verdict = classify(outcome, report) if outcome.kind in FAILURES else None
        events.append(event_of(n, capture.id, capture, report, outcome, verdict, key, addresses))
    return events


def _columns(capture: Capture, rows: Rows, places: list[int], key: bytes, addresses: dict[str, str]) -> pa.Table:
    size, capture_id = len(places), capture.id

    def take(column: list[Any]) -> list[Any]:
        return column if size == len(rows) else [column[n] for n in places]

    def texts(column: list[str | None], most: int = MOST_NAME) -> list[str | None]:
        seen: dict[str | None, str | None] = {}
        return [seen[t] if t in seen else seen.setdefault(t, cut(t, most)) for t in take(column)]

    received = _micros(capture.received_at)
    earliest, latest = _micros(EARLIEST), _micros(capture.received_at + timedelta(days=1))
    recipients = take(rows.recipient)
    hashed = [recipient_key(key, r) if r else (None, None) for r in recipients]
    addresses.update({k: r for (k, _), r in zip(hashed, recipients, strict=True) if k})
    columns: dict[str, Any] = {
        "event_id": [f"{capture_id[:40]}-{n}" for n in places],
        "capture_id": pa.repeat(capture_id, size),
        "kind": [kind.value for kind in take(rows.kind)],
        "at": [at if earliest <= at <= latest else received for at in map(_micros, take(rows.at))],
        "received_at": pa.repeat(received, size),
        "source": pa.repeat(capture.source, size),
        "parser": pa.repeat("rows", size),
        "message_id": texts(rows.message_id, 998),
        "envelope_id": texts(rows.envelope_id),
        "provider_message_id": texts(rows.provider_message_id),
        "header_id": texts(rows.header_id),
        "feedback_id": texts(rows.feedback_id),
        "recipient_key": [k for k, _ in hashed],
        "recipient_domain": [domain for _, domain in hashed],
        "provider": [mailbox_provider(domain) if domain else None for _, domain in hashed],
        "sending_domain": [domain_of(s) for s in take(rows.sender)],
        "campaign": texts(rows.campaign),
        "mail_type": texts(rows.mail_type),
        "smtp_provider": texts(rows.smtp_provider),
        "sending_ip": texts(rows.sending_ip),
        "remote_mta": texts(rows.remote_mta),
        "feedback_type": ["abuse" if kind is Kind.COMPLAINED else None for kind in take(rows.kind)],
        "agent": [who.value if who else None for who, _ in take(rows.agent)],
        "agent_rule": [rule for _, rule in take(rows.agent)],
        "value": take(rows.value),
        "currency": texts(rows.currency),
    }
    if any(rows.reply):
        told = [rows.outcome(n) for n in places]
        columns["status"], columns["reply_code"] = [o.status for o in told], [o.reply_code for o in told]
        columns["diagnostic"] = [cut(o.diagnostic, MOST_TEXT) for o in told]
    return _table(columns, size)


def _table(columns: dict[str, Any], size: int) -> pa.Table:
    """Columns as a table of the lake's schema; times are microseconds since 1970, and what is not there is missing."""
    arrays: dict[str, Any] = {}
    for field in EVENT_SCHEMA:
        if field.name == "day":
            arrays["day"] = arrays["received_at"].cast(field.type)
        elif field.name not in columns:
            arrays[field.name] = pa.nulls(size, field.type)
        elif pa.types.is_timestamp(field.type):
            arrays[field.name] = pa.array(columns[field.name], pa.int64()).cast(field.type)
        else:
            arrays[field.name] = pa.array(columns[field.name], field.type)
    return pa.Table.from_arrays(list(arrays.values()), schema=EVENT_SCHEMA)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICRO
