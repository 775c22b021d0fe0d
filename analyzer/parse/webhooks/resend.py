"""Resend. Sources: Resend's documentation, "Event Types" (a page for each `email.*`) and "Email Bounces"."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.model import Kind, Original, Outcome
from analyzer.parse.webhooks.event import Fields, Reader, bare, each, fields, first, mailbox, named, objects, outcome, text, time

NAME = "resend"
KINDS = {
    "email.sent": Kind.SENT, "email.delivered": Kind.DELIVERED, "email.delivery_delayed": Kind.DELAYED, "email.bounced": Kind.BOUNCED,
    "email.suppressed": Kind.BOUNCED, "email.failed": Kind.BOUNCED, "email.complained": Kind.COMPLAINED, "email.opened": Kind.OPENED,
    "email.clicked": Kind.CLICKED, "email.scheduled": Kind.OTHER_REPORT, "email.received": Kind.OTHER_REPORT,
    "contact.created": Kind.OTHER_REPORT, "contact.updated": Kind.OTHER_REPORT, "contact.deleted": Kind.OTHER_REPORT,
    "domain.created": Kind.OTHER_REPORT, "domain.updated": Kind.OTHER_REPORT, "domain.deleted": Kind.OTHER_REPORT,
}  # fmt: skip
# of events that carry no words, in words that the rules know
WORDS = {
    "email.delivery_delayed": "delayed, and no more is said", "email.bounced": "bounced, and no more is said",
    "email.suppressed": "Resend has suppressed sending to this address", "email.failed": "Resend could not send the message",
}  # fmt: skip


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    data = fields(event.get("data"))
    bounce, click = fields(data.get("bounce")), fields(data.get("click"))
    sender = named(_named(data.get("headers")), _named(data.get("tags")))
    about = Original(
        message_id=bare(data.get("message_id")), sender=mailbox(data.get("from")), subject=text(data.get("subject")), sent_at=time(data.get("created_at")),
        campaign=sender.campaign or text(data.get("broadcast_id")), mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id, provider_id=text(data.get("email_id")),
    )  # fmt: skip
    # each recipient of a message has events of its own, and each of them names all recipients
    to = data.get("to")
    alone = not isinstance(to, list) or len(to) == 1
    told = first([bounce.get("message"), fields(data.get("failed")).get("reason"), fields(data.get("suppressed")).get("message")])
    yield outcome(
        kind, NAME, first(to), first([click.get("timestamp"), event.get("created_at")]), about, which=alone,
        reply=first(bounce.get("diagnosticCode")), own=told or WORDS.get(str(event.get("type"))), user_agent=click.get("userAgent"),
    )  # fmt: skip


def _named(value: object) -> Fields:
    """Headers and tags, which come as an object or as a list of names and values."""
    return fields(value) or {str(pair.get("name")): pair.get("value") for pair in each(value)}


READER = Reader(NAME, KINDS, lambda e: e.get("type"), _read, objects)
