"""Report and verdicts -> events: the row that is counted, with a keyed hash where the address was."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from analyzer.keys import RECIPIENTS, derived, hashed
from analyzer.model import Capture, Event, Kind, Outcome, Report, Verdict
from analyzer.providers import mailbox_provider

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # a report dated before this has a broken clock
MOST_TEXT = 2_000
MOST_NAME = 200


def normalise(address: str) -> str:
    """The form in which two spellings of one address compare equal: lower case, the domain as ASCII."""
    local, at, domain = address.strip().strip("<>").lower().rpartition("@")
    if at and not domain.isascii():
        with suppress(UnicodeError):
            domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}" if at else domain


@lru_cache(maxsize=200_000)
def recipient_key(key: bytes, address: str) -> tuple[str, str | None]:
    """The keyed hash (32 hex characters) of an address, by the store's key, and its domain."""
    normal = normalise(address)
    _, at, domain = normal.rpartition("@")
    return hashed(derived(key, RECIPIENTS), normal), (domain[:MOST_NAME] or None) if at else None


def record(
    capture: Capture, report: Report, verdicts: Sequence[Verdict | None], key: bytes, capture_id: str | None = None
) -> tuple[list[Event], dict[str, str]]:
    """One event per outcome, and the addresses behind their keys. A capture without outcomes gives one event of its kind,
    so that everything kept is counted."""
    capture_id = capture_id or capture.id
    addresses: dict[str, str] = {}
    if not report.outcomes:
        said = report.why or (", ".join(report.truncated) if report.truncated else None)
        event = Event(f"{capture_id[:40]}-0", capture_id, report.kind.value, _when(report.reported_at, capture) or capture.received_at, capture.received_at,
                      capture.source, report.parser, message_id=cut(report.original.message_id), why=cut(said, MOST_TEXT))  # fmt: skip
        return [event], addresses
    events = [
        event_of(n, capture_id, capture, report, outcome, verdict, key, addresses)
        for n, (outcome, verdict) in enumerate(zip(report.outcomes, verdicts, strict=True))
    ]
    return events, addresses


def _when(at: datetime | None, capture: Capture) -> datetime | None:
    """A time that a stranger wrote, where it can be true: not before there was mail, and not after we got it."""
    return at if at and EARLIEST <= at <= capture.received_at + timedelta(days=1) else None


def event_of(
    n: int, capture_id: str, capture: Capture, report: Report, o: Outcome, v: Verdict | None, key: bytes, addresses: dict[str, str]
) -> Event:
    """Outcome `n` of a report as an event; the addresses behind its keys go to `addresses`."""
    original = o.original or report.original
    hashed = domain = final = None
    if o.recipient:
        hashed, domain = recipient_key(key, o.recipient)
        addresses[hashed] = o.recipient
    elif o.recipient_key:
        hashed = o.recipient_key
    if o.final and o.final != o.recipient:
        final = recipient_key(key, o.final)[0]
    unreadable = o.kind is Kind.UNREADABLE
    return Event(
        event_id=f"{capture_id[:40]}-{n}",
        capture_id=capture_id,
        kind=o.kind.value,
        at=_when(o.at, capture) or _when(report.reported_at, capture) or capture.received_at,
        received_at=capture.received_at,
        source=capture.source,
        parser=report.parser,
        message_id=cut(original.message_id, 998),
        envelope_id=cut(original.envelope_id),
        provider_message_id=cut(original.provider_id),
        header_id=cut(original.header_id),
        feedback_id=cut(original.feedback_id),
        recipient_key=hashed,
        recipient_domain=domain,
        final_key=final,
        provider=mailbox_provider(domain) if domain else None,
        sending_domain=domain_of(original.sender),
        campaign=cut(original.campaign),
        mail_type=cut(original.mail_type),
        smtp_provider=cut(o.smtp_provider),
        sending_ip=cut(original.sending_ip),
        reason=v.reason if v else o.reply_type,
        severity=v.severity.value if v else None,
        fault=v.fault if v else None,
        rule=v.rule if v else None,
        confidence=v.confidence if v else None,
        runner_up=v.runner_up if v else None,
        status=o.status,
        reply_code=o.reply_code,
        diagnostic=None if unreadable else cut(o.diagnostic or o.prose, MOST_TEXT),
        remote_mta=cut(o.remote_mta),
        reporting_mta=cut(report.reporting_mta),
        feedback_type=cut(o.feedback_type),
        agent=o.agent.value if o.agent else None,
        agent_rule=o.agent_rule,
        folder=cut(o.folder),
        seconds=o.seconds,
        authentication=cut(o.authentication),
        value=o.value,
        currency=cut(o.currency),
        measure=o.measure.value if o.measure else None,
        messages=o.messages,
        why=cut(o.diagnostic if unreadable else report.why, MOST_TEXT),
    )


@lru_cache(maxsize=10_000)
def domain_of(sender: str | None) -> str | None:
    """The domain of a sender's address."""
    if not sender or "@" not in sender:
        return None
    return normalise(sender).rpartition("@")[2][:MOST_NAME] or None


def cut(text: str | None, most: int = MOST_NAME) -> str | None:
    """A text that can be stored, of bounded length."""
    # a lone surrogate cannot be stored; text from mail may hold one
    if text is None:
        return None
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text[:most]
