"""Mailgun. Sources: Mailgun's user manual, "Webhook Payloads", "Events", "Tracking Opens"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from analyzer.model import Kind, Original, Outcome
from analyzer.parse.webhooks.event import Fields, Reader, bare, fields, first, mailbox, named, objects, outcome, text

NAME = "mailgun"
KINDS = {
    "accepted": Kind.SENT, "delivered": Kind.DELIVERED, "failed": Kind.BOUNCED, "rejected": Kind.BOUNCED, "opened": Kind.OPENED,
    "clicked": Kind.CLICKED, "complained": Kind.COMPLAINED, "unsubscribed": Kind.UNSUBSCRIBED, "stored": Kind.OTHER_REPORT,
}  # fmt: skip
# of the `reason` of a failure, those that say more than the reply
REASONS = {
    "suppress-bounce": "Mailgun did not try: previously bounced", "suppress-complaint": "Mailgun did not try: previously complained",
    "suppress-unsubscribe": "Mailgun did not try: previously unsubscribed", "old": "Mailgun gave up: message expired",
}  # fmt: skip
# codes of Mailgun's own, in no SMTP reply: no MX, no connection, suppressed
_OWN_CODES = frozenset({498, 499})


def _events(body: bytes) -> list[Any]:
    return [fields(o).get("event-data", o) for o in objects(body)]


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    status, client = fields(event.get("delivery-status")), fields(event.get("client-info"))
    message, envelope = fields(event.get("message")), fields(event.get("envelope"))
    headers = fields(message.get("headers"))
    sender = named(fields(event.get("user-variables")), headers)
    about = Original(
        message_id=bare(headers.get("message-id")), sender=mailbox(headers.get("from")), subject=text(headers.get("subject")),
        campaign=sender.campaign or first(event.get("tags")), mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id, sending_ip=text(envelope.get("sending-ip")), provider_id=text(event.get("id")),
    )  # fmt: skip
    if kind is Kind.BOUNCED and event.get("severity") == "temporary":
        kind = Kind.DELAYED
    reply = _reply(status)
    refused = fields(event.get("reject"))
    words = REASONS.get(str(event.get("reason"))) or first([refused.get("description"), refused.get("reason")])
    if not reply:
        words = words or text(status.get("message")) or text(status.get("description")) or text(event.get("reason"))
    bot = text(client.get("bot"))
    yield outcome(
        kind, NAME, event.get("recipient"), event.get("timestamp"), about, reply=reply, own=words, status=status.get("enhanced-code"),
        remote_mta=status.get("mx-host"), user_agent=client.get("user-agent"), machine=f"mailgun-bot-{bot.lower()[:40]}" if bot else None,
    )  # fmt: skip


def _reply(status: Fields) -> str | None:
    """The receiver's reply, whose code and words Mailgun keeps apart. None where the words are Mailgun's."""
    code, words = status.get("code"), text(status.get("message")) or text(status.get("description"))
    if not words or not isinstance(code, int) or not 200 <= code < 560 or code in _OWN_CODES:
        return None
    return words if words.startswith(str(code)) else f"{code} {words}"


READER = Reader(NAME, KINDS, lambda e: e.get("event"), _read, _events)
