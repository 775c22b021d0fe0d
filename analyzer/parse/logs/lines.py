"""What the readers of logs share: the head of a block, times, the lines that syslog and the journal write, and outcomes of attempts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from analyzer.model import FAILURES, Kind, Original, Outcome
from analyzer.parse import address, dsn

MOST_LINES = 50_000
MOST_TEXT = 2_000
_MONTHS = {m: n for n, m in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)}
# the zones that `journalctl -o short-full` names by their letters, where the configured one is another
_LETTERS = {
    "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "KST": 9,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip
_MARGIN = timedelta(days=2)  # by which lines of one block may be out of order


class BadLine(ValueError):
    """A line that looks like one of this server's and cannot be read; the message says what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above a block of lines."""

    zone: tzinfo  # of times without an offset
    latest: date  # no line is of a later day
    first: date | None = None  # of the first line that tells no year
    host: str | None = None  # whose log it is, where its lines do not say
    names: tuple[str, ...] = ()  # of PowerMTA's columns
    job_id: str | None = None  # what PowerMTA's jobId is: campaign, mail_type

    @staticmethod
    def read(line: bytes, received_at: datetime) -> tuple[str, Head]:
        """The mail server's name, and the head. Raises ValueError, KeyError, TypeError, OSError for what is none."""
        said = json.loads(line)
        zone = UTC if said.get("timezone", "UTC") == "UTC" else ZoneInfo(said["timezone"])
        names = tuple(n.strip() for n in str(said.get("header") or "").split(","))
        latest = (received_at + timedelta(days=1)).date()
        first = date.fromisoformat(said["first"]) if said.get("first") else None
        return str(said["mta"]), Head(zone, latest, first, said.get("host"), names, said.get("job_id"))

    def day(self, month: int, day: int, year: int | None = None) -> date:
        """The date of a line that may tell no year: it follows the first line of its block. Raises ValueError when there is no such day."""
        if year is None and self.first:
            after = self.first - _MARGIN
            year = after.year + ((month, day) < (after.month, after.day))
        elif year is None:
            year = self.latest.year - ((month, day) > (self.latest.month, self.latest.day))
        return date(year, month, day)


class Line(NamedTuple):
    """One line of syslog or the journal."""

    host: str
    program: str  # without its process id: "postfix/smtp"
    text: str
    time: Mapping[str, str | None]  # the parts of its time, for `moment`


_HOST = r"(?P<host>[^\s:]\S{0,254})"
_PROGRAM = r"(?P<program>[^\s\[:]{1,100})(?:\[\d+\])?:"
_TIME = r"(?P<time>\d\d:\d\d:\d\d)(?P<part>\.\d{1,9})?"
_DAY = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
_ZONE = r"(?P<zone>Z|[+-]\d\d:?\d\d)"
_FORMS = (
    # RFC 3164; journalctl -o short, short-precise; postlogd
    re.compile(rf"(?:<\d{{1,3}}>)?(?P<month>[A-Z][a-z]{{2}}) +(?P<day>\d{{1,2}}) (?:(?P<year>\d{{4}}) )?{_TIME} {_HOST} {_PROGRAM} ?"),
    # rsyslog's RSYSLOG_FileFormat; journalctl -o short-iso, short-iso-precise
    re.compile(rf"{_DAY}T{_TIME}{_ZONE} {_HOST} {_PROGRAM} ?"),
    # RFC 5424
    re.compile(rf"<\d{{1,3}}>1 {_DAY}T{_TIME}{_ZONE} {_HOST} (?P<program>\S{{1,48}}) \S{{1,128}} \S{{1,32}} (?:-|\[.*?\])(?: \ufeff?|$)"),
    # journalctl -o short-full
    re.compile(rf"[A-Z][a-z]{{2}} {_DAY} {_TIME} (?P<zone>[A-Z]{{2,5}}|[+-]\d\d(?:\d\d)?) {_HOST} {_PROGRAM} ?"),
)
"""Sources: RFC 3164 §4.1, RFC 5424 §6, journalctl(1) "--output=", postlogd(8)."""


def syslog(line: str) -> Line | None:
    """The parts of a line of syslog or the journal; None when it is none."""
    for form in _FORMS:
        if match := form.match(line):
            return Line(match["host"], match["program"], line[match.end() :], match.groupdict())
    return None


def moment(head: Head, part: Mapping[str, str | None]) -> datetime:
    """The time that the named parts of a match make, aware UTC. Raises BadLine for a day that no calendar has."""
    month, year, zone = part.get("month") or "", part.get("year"), part.get("zone") or ""
    try:
        whole = _second(head, year, month, part.get("day") or "", part.get("time") or "", zone)
    except (ValueError, OverflowError):
        raise BadLine(
            f"found a time that there is not: {' '.join(p for p in (year, month, part.get('day'), part.get('time')) if p)}"
        ) from None
    fraction = part.get("part")
    return whole.replace(microsecond=int(fraction[1:7].ljust(6, "0"))) if fraction else whole


@lru_cache(maxsize=5_000)  # many lines of one second
def _second(head: Head, year: str | None, month: str, day: str, clock: str, zone: str) -> datetime:
    number = int(month) if month.isdecimal() else _MONTHS.get(month, 0)
    hour, minute, second = (int(p) for p in clock.split(":"))
    on = head.day(number, int(day), int(year) if year else None)
    local = datetime(on.year, on.month, on.day, hour, minute, min(second, 59))  # a leap second is the one before
    return _located(local, zone, head.zone).astimezone(UTC)


def _located(local: datetime, zone: str, configured: tzinfo) -> datetime:
    if not zone:
        return local.replace(tzinfo=configured)
    if zone == "Z":
        return local.replace(tzinfo=UTC)
    if zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return local.replace(tzinfo=timezone(shift if zone[0] == "+" else -shift))
    for fold in (0, 1):  # an hour that comes twice in autumn has another name the second time
        there = local.replace(tzinfo=configured, fold=fold)
        if there.tzname() == zone:
            return there
    return local.replace(tzinfo=timezone(timedelta(hours=_LETTERS[zone]))) if zone in _LETTERS else local.replace(tzinfo=configured)


def numbered(lines: list[str]) -> Iterator[tuple[int, str]]:
    """The lines that are read, with their numbers in the block."""
    yield from enumerate(lines[:MOST_LINES], 1)


def unreadable(n: int, why: object, line: str) -> Outcome:
    """The outcome of a line that cannot be read."""
    return Outcome(Kind.UNREADABLE, diagnostic=f"line {n} of its block: {why}: {line[:300]}"[:500])


@dataclass(slots=True)
class Message:
    """What a block tells of one message in the queue."""

    id: str  # the server's own, with the host: "4Fq2xN1Zz9z3@mx.example"
    at: datetime | None = None  # accepted
    message_id: str | None = None  # where it is told
    sender: str | None = None  # of the envelope; "" is the null sender
    again: bool = False  # it came back from a content filter: it was sent before, under another id
    recipients: dict[str, datetime | None] = field(default_factory=dict)  # whom it was sent to, and when it was accepted for them
    put_off: dict[str, Outcome] = field(default_factory=dict)  # by recipient, how the last attempt failed

    @property
    def original(self) -> Original:
        """What its outcomes say of it."""
        return Original(message_id=self.message_id, sender=self.sender or None, envelope_sender=self.sender, provider_id=self.id)

    def tried(self, outcome: Outcome, accepted: datetime | None) -> None:
        """Takes note of an attempt for a recipient, for whom it was `accepted` then."""
        recipient = str(outcome.recipient)
        self.recipients.setdefault(recipient, accepted)
        self.put_off.pop(recipient, None)
        if outcome.kind is Kind.DELAYED:
            self.put_off[recipient] = outcome

    def joined(self) -> Iterator[Outcome]:
        """What lets the server's id and the Message-ID be joined: that it was sent, to each recipient that is known, else that it is there."""
        if self.sender == "":
            yield Outcome(Kind.OTHER_REPORT, prose="a report of the mail system's own", at=self.at, original=self.original)
        elif self.message_id and self.recipients and not self.again:
            for recipient, at in self.recipients.items():
                yield Outcome(Kind.SENT, recipient, at=at or self.at, original=self.original)
        elif self.message_id:
            yield Outcome(Kind.OTHER_REPORT, prose="accepted for delivery", at=self.at, original=self.original)

    def given_up(self, at: datetime, only: str | None = None) -> Iterator[Outcome]:
        """That it is tried no more, for each recipient (or `only` one) for whom it was put off: the receiver's words are those of the last attempt."""
        for recipient, last in list(self.put_off.items()):
            if only is None or only == recipient:
                del self.put_off[recipient]
                yield last._replace(kind=Kind.BOUNCED, at=at, prose="message expired", original=self.original)


def told(messages: Mapping[str, Message], fates: list[Outcome]) -> list[Outcome]:
    """What a block tells: its messages, and what became of them; of the mail system's own reports only that they are such."""
    own = {m.id for m in messages.values() if m.sender == ""}
    joined = [o for m in messages.values() for o in m.joined()]
    return [*joined, *(o for o in fates if not o.original or o.original.provider_id not in own)]


def attempt(kind: Kind, to: str, mailed: str | None, at: datetime, message: Message, text: str, *, reply: str | None = None,
            status: str | None = None, remote_mta: str | None = None, step: str = "") -> Outcome:  # fmt: skip
    """The outcome of one attempt. `to`: whom it went to; `mailed`: whom the sender mailed, where that differs; `text`: what the log says of it;
    `reply`: the receiver's own words in it; `step`: words that tell the step of the dialogue."""
    said = (reply or text).strip()[:MOST_TEXT]
    code, found = address.reply(said) if reply else (None, address.enhanced(said))
    recipient = mailed if mailed and "@" in mailed else to
    return Outcome(
        kind, recipient, final=to if to.lower() != recipient.lower() else None, status=found or status, reply_code=code, diagnostic=said or None,
        remote_mta=remote_mta, stage=dsn.stage(step or text) if kind in FAILURES else None, at=at, original=message.original,
    )  # fmt: skip
