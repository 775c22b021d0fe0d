"""Rows of tables: sends, deliveries, opens, clicks, unsubscriptions, orders. A bad row is counted; its neighbours stay."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from analyzer.model import Agent, Capture, Kind, Original, Outcome, Report
from analyzer.parse import address
from analyzer.parse.agents import agent

KINDS = {
    k.value: k
    for k in (
        Kind.SENT,
        Kind.DELIVERED,
        Kind.DELAYED,
        Kind.BOUNCED,
        Kind.OPENED,
        Kind.CLICKED,
        Kind.UNSUBSCRIBED,
        Kind.COMPLAINED,
        Kind.CONVERTED,
    )
}
ALIASES = {
    "send": "sent", "processed": "sent", "delivery": "delivered",
    "deferred": "delayed", "deferral": "delayed", "bounce": "bounced", "open": "opened", "click": "clicked",
    "unsubscribe": "unsubscribed", "complaint": "complained", "spam": "complained", "order": "converted", "conversion": "converted", "purchase": "converted",
}  # fmt: skip
MOST_ROWS = 50_000


class BadRow(ValueError):
    """A row that cannot be read; the message names the column, what was found and what was expected."""


def parse_rows(capture: Capture) -> Report:
    """What a block of rows says, row by row."""
    first, _, rest = capture.data.partition(b"\n")
    try:
        head = json.loads(first)
        columns: dict[str, str] = dict(head["columns"])
        zone = UTC if head.get("timezone", "UTC") == "UTC" else ZoneInfo(head["timezone"])
        form, header = head["format"], [str(n).strip() for n in head.get("header") or ()]
    except Exception as e:  # the head is ours, but bytes on a disk may change
        return Report(Kind.UNREADABLE, "rows", why=f"the block's first line is damaged ({type(e).__name__})")
    text = rest.decode("utf-8", "replace").removeprefix("\ufeff")
    rows = _csv(text, header, str(head.get("delimiter") or ",")) if form == "csv" else _jsonl(text)
    outcomes: list[Outcome] = []
    for n, row in enumerate(rows, 1):
        if n > MOST_ROWS:
            break
        try:
            if isinstance(row, str):
                raise BadRow(row)
            outcomes.append(_outcome(row, columns, head, zone))
        except BadRow as e:
            outcomes.append(Outcome(Kind.UNREADABLE, diagnostic=f"row {n} of its block: {e}"[:500]))
    return Report(outcomes[0].kind if outcomes else Kind.UNREADABLE, "rows", tuple(outcomes), why=None if outcomes else "no rows",
                  truncated=("rows",) if len(outcomes) >= MOST_ROWS else ())  # fmt: skip


def _csv(text: str, header: list[str], delimiter: str) -> Iterator[dict[str, Any] | str]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            yield f"not CSV: {e}"
            continue
        if not values:
            continue
        if len(values) != len(header):
            yield f"{len(values)} values, expected {len(header)} as in the header"
            continue
        yield dict(zip(header, values, strict=True))


def _jsonl(text: str) -> Iterator[dict[str, Any] | str]:
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as e:
            yield f"not JSON: {str(e)[:100]}"
            continue
        yield row if isinstance(row, dict) else f"found a {type(row).__name__}, expected an object"


def _outcome(row: dict[str, Any], columns: dict[str, str], head: dict[str, Any], zone: Any) -> Outcome:
    def get(name: str) -> str | None:
        value = row.get(columns.get(name, name))
        return None if value is None or value == "" else value if isinstance(value, str) else str(value)

    kind = _kind(head.get("kind") or get("kind"))
    recipient = get("recipient")
    if recipient is None:
        raise BadRow(f"{columns.get('recipient', 'recipient')}: is empty, expected an address")
    reply = get("reply")
    code, status = address.reply(reply) if reply else (None, None)
    who, rule = _agent(kind, get)
    return Outcome(
        kind, address.clean(recipient) if not _plain(recipient) else recipient,
        status=status, reply_code=code, diagnostic=reply[:2000] if reply else None, remote_mta=get("remote_mta"),
        at=_time(get("at"), zone, columns.get("at", "at")),
        original=_original(_bare(get("message_id")), get("sender"), get("campaign"), get("mail_type"), get("sending_ip")),
        smtp_provider=get("smtp_provider") or head.get("smtp_provider"), agent=who, agent_rule=rule,
        value=_number(get("value"), columns.get("value", "value")) if kind is Kind.CONVERTED else None, currency=get("currency"),
        feedback_type="abuse" if kind is Kind.COMPLAINED else None,
    )  # fmt: skip


def _plain(recipient: str) -> bool:
    return recipient.isascii() and recipient.count("@") == 1 and not any(c in recipient for c in "<> ;\t\n")


def _original(message_id: str | None, sender: str | None, campaign: str | None, mail_type: str | None, sending_ip: str | None) -> Original:
    return Original(message_id=message_id, sender=sender, campaign=campaign, mail_type=mail_type, sending_ip=sending_ip)


def _kind(word: str | None) -> Kind:
    low = (word or "").strip().lower()
    low = ALIASES.get(low, low)
    if low not in KINDS:
        raise BadRow(f"kind: {word!r:.40} is none of {', '.join(KINDS)}")
    return KINDS[low]


def _agent(kind: Kind, get: Any) -> tuple[Agent | None, str | None]:
    if kind not in {Kind.OPENED, Kind.CLICKED}:
        return None, None
    said = (get("agent") or "").strip().lower()
    if said in {"human", "machine", "unknown"}:
        return Agent(said), get("agent_rule") or "said-by-the-source"
    return agent((get("user_agent") or "")[:1000])


def _bare(message_id: str | None) -> str | None:
    return message_id.strip().strip("<>")[:990] or None if message_id else None


@lru_cache(maxsize=100_000)
def _parsed(text: str, zone: Any) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        number = float(text)
        found = datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _time(text: str | None, zone: Any, column: str) -> datetime:
    if text is None:
        raise BadRow(f"{column}: is empty, expected a time")
    try:
        return _parsed(text, zone)
    except (ValueError, OverflowError, OSError):
        raise BadRow(f"{column}: {text!r:.60} is no time; expected ISO 8601 (2026-11-23T09:40:00Z) or seconds since 1970") from None


def _number(text: str | None, column: str) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        raise BadRow(f"{column}: {text!r:.40} is no number") from None
    if not abs(number) < 1e12:
        raise BadRow(f"{column}: {text!r:.40} is out of range")
    return number
