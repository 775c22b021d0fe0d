"""What tokens of our own tell of a mail: the envelope id in a VERP address, the recipient in a mailed unsubscription, both ids in a returned header.

Parsing knows no keys, and what a stranger writes into an address must not be believed without one. So this stands between parsing and recording,
where the store's key is at hand, on the way that new mail and `replay` both take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice

from analyzer.model import MESSAGE, Capture, Kind, Original, Outcome, Report
from analyzer.record import recipient_key
from analyzer.tokens import Keys, Token, Use

MOST_HEAD = 64 * 1024  # bytes
MOST_TRIED = 20  # candidates of a kind in one mail
_END = re.compile(rb"\r?\n\r?\n")
_VERP = re.compile(rb"\+([a-z0-9._-]{18,60}@)", re.I)  # the envelope id, a hyphen and 16 characters
_TOKEN = re.compile(rb"(?<![\w-])E[\w-]{40,400}(?![\w-])")  # E: version 1, unsubscription


def attributed(report: Report, capture: Capture, key: bytes) -> Report:
    """The report with what our tokens tell beside it; `key` is the store's. Mail without any is given back as it is."""
    if capture.media_type != MESSAGE:
        return report
    end = _END.search(capture.data, 0, MOST_HEAD)
    head = capture.data[: end.start() if end else MOST_HEAD]
    if report.kind in (Kind.UNSUBSCRIBED, Kind.NOT_A_REPORT) and (token := _mailed(head, key)):
        report = _unsubscribed(report, token, key)
    if report.outcomes and (envelope_id := _envelope_id(head, report, capture, key)):
        # a signature of our own is surer than what a report says of the envelope
        outcomes = tuple(o._replace(original=_with(o.original, envelope_id=envelope_id)) if o.original else o for o in report.outcomes)
        report = report._replace(original=_with(report.original, envelope_id=envelope_id), outcomes=outcomes)
    if report.outcomes and (token := _identified(report.original.header_id, key)):
        report = _told(report, token)
    return report


def _envelope_id(head: bytes, report: Report, capture: Capture, key: bytes) -> str | None:
    """Of the address that the mail came to: in its envelope, in its head, or as the sender of the message that it returns."""
    keys = Keys.of(key)
    return next((found for address in _addresses(head, report, capture) if (found := keys.read_verp(address))), None)


def _addresses(head: bytes, report: Report, capture: Capture) -> Iterator[str]:
    yield from islice(capture.envelope.recipients if capture.envelope else (), MOST_TRIED)
    # the prefix and the domain are not signed, and so are of no interest
    yield from (f"+{m.group(1).decode()}x" for m in islice(_VERP.finditer(head), MOST_TRIED))
    yield report.original.envelope_sender or ""


def _mailed(head: bytes, key: bytes) -> Token | None:
    """The token of a mail to the List-Unsubscribe address: in its subject, where `Maker.unsubscribe_headers` has it put."""
    keys = Keys.of(key)
    candidates = islice(_TOKEN.finditer(head), MOST_TRIED)
    return next((t for m in candidates if (t := keys.read(m.group().decode(), Use.UNSUBSCRIBE))), None)


def _identified(header_id: str | None, key: bytes) -> Token | None:
    """The token in the header of the returned message that holds the sender's own id."""
    return Keys.of(key).read(header_id, Use.IDENTIFY) if header_id and header_id.startswith("E") else None


def _told(report: Report, token: Token) -> Report:
    """The Message-ID is the signed one, which a relay may have replaced; the recipient is, where the report names nobody."""
    outcomes = tuple(
        o._replace(
            original=_with(o.original, message_id=token.message_id) if o.original else None,
            recipient_key=o.recipient_key if o.recipient else token.recipient,
        )
        for o in report.outcomes
    )
    return report._replace(original=_with(report.original, message_id=token.message_id), outcomes=outcomes)


def _unsubscribed(report: Report, token: Token, key: bytes) -> Report:
    """Whom the token names is taken off the list, from whatever address he writes."""
    outcome = report.outcomes[0] if report.outcomes else Outcome(Kind.UNSUBSCRIBED)
    if not outcome.recipient or recipient_key(key, outcome.recipient)[0] != token.recipient:
        outcome = outcome._replace(recipient=None, final=outcome.recipient, recipient_key=token.recipient)
    original = _with(report.original, message_id=token.message_id)
    return report._replace(kind=Kind.UNSUBSCRIBED, parser="unsubscribe", outcomes=(outcome,), original=original, why=None)


def _with(original: Original, **changes: str) -> Original:
    """A plain one: what parsing gives reads its fields from the message when they are asked for."""
    return Original(**({f.name: getattr(original, f.name) for f in fields(Original)} | changes))
