"""Rows of tables: sends, deliveries, opens, clicks, unsubscriptions, orders. A bad row is counted; its neighbours stay."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from analyzer.model import Agent, Capture, Kind, Original, Outcome, Report
from analyzer.parse import address
from analyzer.parse.agents import agent
from analyzer.parse.own import bare

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
MOST_VALUE = 2_000  # characters of a value that is no text


class BadRow(ValueError):
    """A row that cannot be read; the message names the column, what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A block of rows, column by column; the lists are equally long. Of a row in `bad` the other columns say nothing."""

    bad: dict[int, str]  # place of the row -> what is wrong with it
    kind: list[Kind]
    recipient: list[str]
    at: list[datetime]  # aware UTC
    message_id: list[str | None]
    envelope_id: list[str | None]
    provider_message_id: list[str | None]
    header_id: list[str | None]
    feedback_id: list[str | None]
    sender: list[str | None]
    campaign: list[str | None]
    mail_type: list[str | None]
    sending_ip: list[str | None]
    smtp_provider: list[str | None]
    reply: list[str | None]
    remote_mta: list[str | None]
    agent: list[tuple[Agent | None, str | None]]  # who, and the rule that says so
    value: list[float | None]
    currency: list[str | None]
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.kind)

    def outcome(self, n: int) -> Outcome:
        """Row `n` as an outcome."""
        if n in self.bad:
            return Outcome(Kind.UNREADABLE, diagnostic=f"row {n + 1} of its block: {self.bad[n]}"[:500])
        reply, (who, rule) = self.reply[n], self.agent[n]
        code, status = address.reply(reply) if reply else (None, None)
        return Outcome(
            self.kind[n], self.recipient[n], status=status, reply_code=code, diagnostic=reply[:2000] if reply else None,
            remote_mta=self.remote_mta[n], at=self.at[n],
            original=Original(self.message_id[n], self.sender[n], campaign=self.campaign[n], mail_type=self.mail_type[n], sending_ip=self.sending_ip[n],
                              envelope_id=self.envelope_id[n], provider_id=self.provider_message_id[n], header_id=self.header_id[n],
                              feedback_id=self.feedback_id[n]),
            smtp_provider=self.smtp_provider[n], agent=who, agent_rule=rule, value=self.value[n], currency=self.currency[n],
            feedback_type="abuse" if self.kind[n] is Kind.COMPLAINED else None,
        )  # fmt: skip


def parse_rows(capture: Capture) -> Report:
    """What a block of rows says, row by row."""
    rows = read_rows(capture)
    if isinstance(rows, str):
        return Report(Kind.UNREADABLE, "rows", why=rows)
    outcomes = tuple(rows.outcome(n) for n in range(len(rows)))
    return Report(outcomes[0].kind, "rows", outcomes, truncated=("rows",) if rows.truncated else ())


def read_rows(capture: Capture) -> Rows | str:
    """The rows of a block; or a sentence on why there are none."""
    first, _, rest = capture.data.partition(b"\n")
    try:
        head = json.loads(first)
        names: dict[str, str] = dict(head["columns"])
        zone = UTC if head.get("timezone", "UTC") == "UTC" else ZoneInfo(head["timezone"])
        form, header = head["format"], [str(n).strip() for n in head.get("header") or ()]
    except Exception as e:  # the head is ours, but bytes on a disk may change
        return f"the block's first line is damaged ({type(e).__name__})"
    text = rest.decode("utf-8", "replace").removeprefix("\ufeff")
    bad: dict[int, str] = {}
    if form == "csv":
        lines = list(islice(_csv(text, header, str(head.get("delimiter") or ","), bad), MOST_ROWS))
        place = {name: n for n, name in enumerate(header)}
        size = len(lines)

        def column(field: str) -> list[str | None]:
            at = place.get(names.get(field, field))
            return [None] * size if at is None else [line[at] or None for line in lines]
    else:
        objects = list(islice((_json if form == "json" else _jsonl)(text, bad), MOST_ROWS))
        size = len(objects)

        def column(field: str) -> list[str | None]:
            name = names.get(field, field)
            return [_said(row.get(name)) for row in objects]

    if not size:
        return "no rows"
    return _convert(column, names, head, zone, size, bad)


def _convert(
    column: Callable[[str], list[str | None]], names: dict[str, str], head: dict[str, Any], zone: Any, size: int, bad: dict[int, str]
) -> Rows:
    """Texts to values, column by column; the first thing wrong with a row is the one that is told."""
    kind = _each(_kind, [str(head["kind"])] * size if head.get("kind") else column("kind"), bad)
    recipient = _each(partial(_recipient, names.get("recipient", "recipient")), column("recipient"), bad)
    at = _each(partial(_time, zone, names.get("at", "at")), column("at"), bad)
    none: list[Any] = [None] * size
    agents: list[tuple[Agent | None, str | None]] = [(None, None)] * size
    by_hand = {Kind.OPENED, Kind.CLICKED} & set(kind)
    if by_hand:
        said = zip(kind, column("agent"), column("agent_rule"), column("user_agent"), strict=True)
        agents = [_agent(*row) if row[0] in by_hand else (None, None) for row in said]
    values = none
    if Kind.CONVERTED in kind:
        values = _each(partial(_number, names.get("value", "value")), [v if k is Kind.CONVERTED else None for v, k in zip(column("value"), kind, strict=True)], bad)  # fmt: skip
    sent_by = column("smtp_provider")
    return Rows(
        bad, kind, recipient, at, [_bare(m) for m in column("message_id")], column("envelope_id"), column("provider_message_id"),
        [bare(i) for i in column("header_id")], column("feedback_id"), column("sender"), column("campaign"), column("mail_type"), column("sending_ip"),
        [s or head.get("smtp_provider") for s in sent_by], column("reply"), column("remote_mta"), agents, values, column("currency"), size >= MOST_ROWS,
    )  # fmt: skip


def _each(convert: Callable[[str | None], Any], texts: list[str | None], bad: dict[int, str]) -> list[Any]:
    """Each text converted; None where that fails, and what is wrong goes to `bad`."""
    try:
        return [convert(text) for text in texts]
    except BadRow:  # seldom: look at them one by one
        return [_or_bad(convert, text, n, bad) for n, text in enumerate(texts)]


def _or_bad(convert: Callable[[str | None], Any], text: str | None, n: int, bad: dict[int, str]) -> Any:
    try:
        return convert(text)
    except BadRow as e:
        bad.setdefault(n, str(e))
        return None


def _csv(text: str, header: list[str], delimiter: str, bad: dict[int, str]) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    n, nothing, wide = -1, [""] * len(header), len(header)
    while True:
        try:
            for values in reader:
                if not values:
                    continue
                n += 1
                if len(values) != wide:
                    bad[n] = f"{len(values)} values, expected {wide} as in the header"
                    values = nothing
                yield values
            return
        except csv.Error as e:
            n += 1
            bad[n] = f"not CSV: {e}"
            yield nothing


def _json(text: str, bad: dict[int, str]) -> Iterator[dict[str, Any]]:
    """The rows of an array, or of an object that may go over several lines; else an object a line."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        yield from _jsonl(text, bad)
        return
    for n, row in enumerate(said if isinstance(said, list) else [said]):
        yield _row(row, n, bad)


def _jsonl(text: str, bad: dict[int, str]) -> Iterator[dict[str, Any]]:
    n = -1
    for line in text.split("\n"):
        if not line.strip():
            continue
        n += 1
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as e:
            bad[n] = f"not JSON: {str(e)[:100]}"
            row = {}
        yield _row(row, n, bad)


def _row(row: Any, n: int, bad: dict[int, str]) -> dict[str, Any]:
    if isinstance(row, dict):
        return row
    bad[n] = f"found a {type(row).__name__}, expected an object"
    return {}


def _said(value: Any) -> str | None:
    if not isinstance(value, str):
        return None if value is None else str(value)[:MOST_VALUE]
    # JSON can hold half a character, which no table can
    return (value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")) or None


@lru_cache(maxsize=100_000)
def _address(recipient: str) -> str | None:
    return recipient if _plain(recipient) else address.clean(recipient)


def _recipient(column: str, text: str | None) -> str | None:
    if text is None:
        raise BadRow(f"{column}: is empty, expected an address")
    return _address(text)


def _plain(recipient: str) -> bool:
    return recipient.isascii() and recipient.count("@") == 1 and not any(c in recipient for c in "<> ;\t\n")


@lru_cache(maxsize=1000)
def _kind(word: str | None) -> Kind:
    low = (word or "").strip().lower()
    low = ALIASES.get(low, low)
    if low not in KINDS:
        raise BadRow(f"kind: {word!r:.40} is none of {', '.join(KINDS)}")
    return KINDS[low]


@lru_cache(maxsize=20_000)
def _agent(kind: Kind, said: str | None, rule: str | None, user_agent: str | None) -> tuple[Agent | None, str | None]:
    word = (said or "").strip().lower()
    if word in {"human", "machine", "unknown"}:
        return Agent(word), rule or "said-by-the-source"
    return agent((user_agent or "")[:1000])


def _bare(message_id: str | None) -> str | None:
    return message_id.strip().strip("<>")[:990] or None if message_id else None


def _parsed(text: str, zone: Any) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        number = float(text)
        found = datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    if found.tzinfo is UTC:
        return found
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _time(zone: Any, column: str, text: str | None) -> datetime:
    if text is None:
        raise BadRow(f"{column}: is empty, expected a time")
    try:
        return _parsed(text, zone)
    except (ValueError, OverflowError, OSError):
        raise BadRow(f"{column}: {text!r:.60} is no time; expected ISO 8601 (2026-11-23T09:40:00Z) or seconds since 1970") from None


def _number(column: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        raise BadRow(f"{column}: {text!r:.40} is no number") from None
    if not abs(number) < 1e12:
        raise BadRow(f"{column}: {text!r:.40} is out of range")
    return number
