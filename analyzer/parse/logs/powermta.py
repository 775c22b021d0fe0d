"""PowerMTA's accounting files: CSV, whose row of names says what is in which column. Source: PowerMTA User's Guide, "Accounting".

type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,dlvSourceIp,vmta,jobId,envId,header_Message-Id
b,2026-11-01 10:00:03+0100,...,5.1.1 (bad destination mailbox address),smtp;550 5.1.1 ... User unknown,mx.b.example (192.0.2.1),...
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from analyzer.model import FAILURES, Kind, Original, Outcome
from analyzer.parse import address, dsn
from analyzer.parse.logs.lines import MOST_TEXT, BadLine, Head, moment, numbered, unreadable
from analyzer.parse.own import own_id

Row = Mapping[str, str]
KINDS = {
    "d": Kind.DELIVERED, "delivery": Kind.DELIVERED, "delivered": Kind.DELIVERED, "b": Kind.BOUNCED, "bounce": Kind.BOUNCED,
    "t": Kind.DELAYED, "transient": Kind.DELAYED, "tq": Kind.DELAYED, "transient-queue": Kind.DELAYED, "rb": Kind.BOUNCED, "remote-bounce": Kind.BOUNCED,
    "rs": Kind.OTHER_REPORT, "remote-status": Kind.OTHER_REPORT, "r": Kind.SENT, "receipt": Kind.SENT, "receive": Kind.SENT, "received": Kind.SENT,
    "f": Kind.COMPLAINED, "feedback-loop": Kind.COMPLAINED,
}  # fmt: skip
_LAST = frozenset({"d", "delivery", "delivered", "b", "bounce"})
"""The records of which a message and recipient has one in all: they tell that it was sent, too."""
_TIME = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[ T](?P<time>\d\d:\d\d:\d\d)(?P<part>\.\d{1,9})? ?(?P<zone>Z|[+-]\d\d:?\d\d)?"
)
_HOST = re.compile(r"(?:dns;)?\s*([^\s(]{1,255})")


def read(lines: list[str], head: Head) -> Iterable[Outcome]:
    """The outcomes that the lines tell."""
    names = _names(head.names)
    found: list[Outcome] = []
    for n, line in numbered(lines):
        if not line.strip():
            continue
        try:
            values = _values(line)
            if values[0].lower() in {"type", "\ufefftype"}:
                names = _names(values)
            elif values[0] in KINDS:
                found += _record(_row(names, values), head)
        except BadLine as e:
            found.append(unreadable(n, e, line))
    return found


def _values(line: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], strict=False), [""])
    except csv.Error as e:
        raise BadLine(f"not CSV: {e}") from None


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(n.strip('\ufeff" ').lower() for n in names)


def _row(names: tuple[str, ...], values: list[str]) -> Row:
    if not names or names[0] != "type":
        raise BadLine("found no row of column names above it")
    if len(values) != len(names):
        raise BadLine(f"found {len(values)} values, expected {len(names)} as in the row of names")
    return dict(zip(names, values, strict=True))


def _record(row: Row, head: Head) -> Iterator[Outcome]:
    kind, target = KINDS[row["type"]], address.clean(row.get("rcpt", ""))
    recipient = _mailed(row.get("orcpt")) or target
    at, original = _time(row.get("timelogged"), head), _original(row, head)
    if kind is Kind.SENT and recipient:
        yield Outcome(kind, recipient, at=at, original=original)
    elif kind is Kind.COMPLAINED:
        yield _complaint(row, at, original)
    elif not recipient:
        # a queue that stands still is nobody's message
        words = row.get("dsndiag") or row.get("dsnstatus")
        yield Outcome(
            Kind.OTHER_REPORT, diagnostic=words, prose=f"PowerMTA's queue {row.get('queue') or row.get('vmta') or ''}".strip(), at=at
        )
    elif row.get("orig") not in {"", "<>"}:  # PowerMTA's own reports have no sender
        if row["type"] in _LAST and original.message_id and (queued := row.get("timequeued")):
            yield Outcome(Kind.SENT, recipient, at=_time(queued, head), original=original)
        yield _fate(kind, recipient, target or recipient, row, at, original)


def _fate(kind: Kind, recipient: str, target: str, row: Row, at: datetime, original: Original) -> Outcome:
    said = row.get("dsndiag", "")
    diagnostic = said.partition(";")[2].strip() if said.lower().startswith(("smtp;", "x-")) else said
    code, status = address.reply(diagnostic) if diagnostic else (None, None)
    host = _HOST.match(row.get("dsnmta", ""))
    return Outcome(
        kind, recipient, final=target if target.lower() != recipient.lower() else None,
        status=status or address.enhanced(row.get("dsnstatus", "")), reply_code=code,
        diagnostic=(diagnostic or row.get("dsnstatus", ""))[:MOST_TEXT] or None, remote_mta=host[1] if host else None,
        stage=dsn.stage(diagnostic) if kind in FAILURES else None, at=at, original=original,
    )  # fmt: skip


def _complaint(row: Row, at: datetime, original: Original) -> Outcome:
    # the record of a feedback loop names its fields otherwise (User's Guide, "Feedback loop records")
    recipient = address.clean(row.get("rcpt") or row.get("originalrcptto") or row.get("header_to") or "")
    feedback = (row.get("feedbacktype") or "abuse").lower()
    return Outcome(
        Kind.COMPLAINED if feedback != "not-spam" else Kind.OTHER_REPORT, recipient, feedback_type=feedback, at=at, original=original
    )


def _mailed(orcpt: str | None) -> str | None:
    found = address.clean(orcpt) if orcpt else None
    return found if found and "@" in found else None


def _original(row: Row, head: Head) -> Original:
    sender, envelope = address.clean(row.get("orig", "")), row.get("envid") or None
    own = {head.job_id: row.get("jobid")}
    message_id = (row.get("header_message-id") or "").strip("<> ")[:990] or None
    return Original(
        message_id=message_id, sender=address.clean(row.get("header_from", "")) or sender, envelope_sender=sender, envelope_id=envelope,
        campaign=row.get("header_x-mailhealth-campaign") or own.get("campaign") or None, mail_type=row.get("header_x-mailhealth-type") or own.get("mail_type") or None,
        sending_ip=row.get("dlvsourceip") or None, provider_id=envelope,
        header_id=own_id(lambda name: row.get(f"header_{name}")), feedback_id=row.get("header_feedback-id") or None,
    )  # fmt: skip


def _time(text: str | None, head: Head) -> datetime:
    """The User's Guide, "Encoding": seconds since 1970, or a date and time."""
    if match := _TIME.match(text or ""):
        return moment(head, match.groupdict())
    with suppress(ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(float(text or ""), UTC)
    raise BadLine(f"found {text!r:.60} as its time, expected seconds since 1970, or as in 2026-11-01 10:00:03+0100")
