"""Complaints: the Abuse Reporting Format (RFC 5965), its further types (RFC 6591, 9477), and reports without the wrapper."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.model import Kind, Outcome, Report
from analyzer.parse import address
from analyzer.parse.mime import Message, date, decode, fields
from analyzer.parse.original import original, recipients, returned_headers

COMPLAINTS = {"abuse", "fraud", "virus", "other", "miscategorized", "spam", "unsubscribe-abuse"}
MICROSOFT = {"x-hmxmroriginalrecipient", "x-hotmail-original-recipient"}
UNSUBSCRIPTIONS = {"opt-out", "opt-out-list", "unsubscribe"}


def parse(message: Message) -> Report | None:
    """The report of a message that holds a feedback-report part; None for others."""
    part = next((p for p in message.parts if p.type == "message/feedback-report" and not p.inside), None)
    headers = returned_headers(message)
    top = message.top
    if part is not None:
        said = fields(part.content().strip() + b"\n")
        kind = _text(said, "feedback-type").strip().lower() or "abuse"
    elif MICROSOFT & top.headers.keys():
        said, kind = top.headers, "abuse"  # Microsoft's JMRP returns the message without a wrapper
    elif MICROSOFT & headers.keys():
        said, kind = headers, "abuse"  # or as an attachment, without a feedback-report part
    else:
        return None
    report = {
        "reporting_mta": _text(said, "reporting-mta") or None,
        "reported_at": date(_text(said, "arrival-date") or _text(said, "received-date")) or date(top.header("date")),
    }
    about = original(headers)
    if kind not in COMPLAINTS | UNSUBSCRIPTIONS:
        return Report(Kind.OTHER_REPORT, "feedback", original=about, why=f"feedback report of type {kind}", **report)  # type: ignore[arg-type]
    outcome = Kind.UNSUBSCRIBED if kind in UNSUBSCRIPTIONS else Kind.COMPLAINED
    outcomes = tuple(Outcome(outcome, who, feedback_type=kind) for who in _who(said, headers) or (None,))
    return Report(outcome, "feedback", outcomes, about, **report)  # type: ignore[arg-type]


def _who(said: dict[str, list[bytes]], headers: dict[str, list[bytes]]) -> Sequence[str | None]:
    for name in ("original-rcpt-to", "removal-recipient", "x-removal-recipient"):
        found = [a for v in said.get(name, [])[:1000] for a in [address.clean(decode(v, b"utf-8"))] if a and "@" in a]
        if found:
            return list(dict.fromkeys(found))
    for name in sorted(MICROSOFT):
        found = [a for v in said.get(name, []) for a in [address.clean(decode(v, b"utf-8"))] if a]
        if found:
            return found[:1]
    tos = recipients(headers)
    return tos if len(tos) == 1 else []


def _text(headers: dict[str, list[bytes]], name: str) -> str:
    values = headers.get(name)
    return decode(values[0], b"utf-8")[:500] if values else ""
