"""What one report means, for people: who read it, what it says of whom, the words that decided, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from analyzer.classify import classify
from analyzer.classify.lists import Listing, listing
from analyzer.classify.rules import load
from analyzer.counted import headline, observed, sentences, unread
from analyzer.model import FAILURES, MESSAGE, RECEIVER_REPORT, Capture, Kind, Outcome, Report, Verdict
from analyzer.parse import parse, parse_message
from analyzer.parse.receivers import packed

SAID = {
    Kind.BOUNCED: "could not be delivered",
    Kind.DELAYED: "is late; the mail system is still trying",
    Kind.DELIVERED: "was delivered",
    Kind.COMPLAINED: "was reported as spam by the recipient",
    Kind.UNSUBSCRIBED: "the recipient asks to be taken off the list",
    Kind.AUTOREPLIED: "was answered by a machine",
}


MENDS = {
    "address": "whoever keeps the list",
    "recipient": "the recipient's side",
    "sender": "whoever runs your sending domains and SMTP",
    "reputation": "whoever runs your sending IPs and domains",
    "content": "whoever writes the mail",
    "rate": "whoever schedules the sending",
    "network": "whoever runs the mail servers",
    "unknown": "not known",
}
"""Fault -> whose it is to mend."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a report says of one recipient."""

    outcome: Outcome
    verdict: Verdict | None  # None where nothing failed
    sentence: str  # for people
    meaning: str | None  # of the reason
    text: str | None  # where the matched words stand
    source: str | None  # the rule's source, an address
    listing: Listing | None = None  # whose list or judgement the words name


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a report says, and how we know."""

    report: Report
    lines: tuple[Line, ...]
    headline: str


def judged(report: Report) -> list[tuple[Outcome, Verdict | None]]:
    """Each outcome with its verdict."""
    return [(o, classify(o, report) if o.kind in FAILURES else None) for o in report.outcomes]


def explain(data: bytes) -> Explanation:
    """The explanation of one message, or of a receiver's report as a file. Never raises, whatever the bytes."""
    now = datetime.now(UTC)
    if packed(data) and observed(report := parse(Capture(data, RECEIVER_REPORT, "explain", now))):
        return _counted(report)
    report = parse(Capture(data, MESSAGE, "explain", now))
    if observed(report):
        return _counted(report)
    lines = tuple(_line(o, v) for o, v in judged(report))
    if not lines or report.kind is Kind.OTHER_REPORT:
        return Explanation(report, (), f"{report.kind.value}: {report.why or 'it says nothing of any delivery'}.")
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return Explanation(report, lines, lines[0].sentence + more)


def _counted(report: Report) -> Explanation:
    """The explanation of what a receiver counted."""
    lines = [Line(rows[0], None, f"{said}.", None, rows[0].diagnostic, None) for said, rows in sentences(report)]
    missing = [Line(Outcome(Kind.UNREADABLE), None, f"Not read: {why}.", None, None, None) for why in unread(report)]
    return Explanation(report, (*lines, *missing), headline(report))


def _line(outcome: Outcome, verdict: Verdict | None) -> Line:
    who = outcome.recipient or "a recipient who is not named"
    said = SAID.get(outcome.kind, outcome.kind.value)
    if verdict is None:
        return Line(outcome, None, f"The message to {who} {said}.", None, outcome.diagnostic, None)
    rules = load()
    meaning = rules.reasons[verdict.reason].meaning
    rule = next((r for r in rules.rules if r.id == verdict.rule), None)
    text = outcome.prose if verdict.field == "prose" else outcome.diagnostic
    source = rule.source if rule and rule.source else None
    return Line(outcome, verdict, f"The message to {who} {said}: {meaning}.", meaning, text, source, listing(text, verdict.reason))


def answer(name: str, capture: Capture) -> dict[str, Any]:
    """One line of `mailhealth classify --format jsonl`: the output contract of docs/architecture.md."""
    try:
        return line(name, parse(capture) if capture.media_type != MESSAGE else parse_message(capture.data))
    except Exception as e:  # a bug of ours must not cost the messages after it
        return {
            "id": name,
            "kind": Kind.UNREADABLE.value,
            "events": [],
            "why": f"Mailhealth failed on it ({type(e).__name__}); please report this",
        }


def line(name: str, report: Report) -> dict[str, Any]:
    """The line of a report. What a receiver counted is no event: it speaks of no message."""
    events = [] if observed(report) else [_event(report, o, v) for o, v in judged(report)]
    said: dict[str, Any] = {"id": name, "kind": report.kind.value, "events": events}
    if not events:
        said["why"] = report.why
    if report.truncated:
        said["truncated"] = list(report.truncated)
    return said


def _event(report: Report, o: Outcome, v: Verdict | None) -> dict[str, Any]:
    return {
        "recipient": o.recipient,
        "final": o.final,
        "kind": o.kind.value,
        "severity": v.severity.value if v else None,
        "fault": v.fault if v else None,
        "reason": v.reason if v else o.reply_type,
        "rule": v.rule if v else None,
        "confidence": v.confidence if v else None,
        "status": o.status,
        "reply_code": o.reply_code,
        "diagnostic": o.diagnostic or o.prose,
        "remote_mta": o.remote_mta,
        "message_id": (o.original or report.original).message_id,
        "feedback_type": o.feedback_type,
    }


def printable(text: str) -> str:
    """A text that can be shown: what strangers wrote may move the cursor, turn the direction of writing, or colour the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)
