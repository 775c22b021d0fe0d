"""Brevo. Sources: Brevo's developer documentation, "Transactional webhooks", "Marketing webhooks", "Batched webhooks"."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from analyzer.model import Kind, Original, Outcome
from analyzer.parse.webhooks.event import Fields, Reader, bare, first, mailbox, named, objects, outcome, text, time, within

NAME = "brevo"
KINDS = {
    "request": Kind.SENT, "sent": Kind.SENT, "delivered": Kind.DELIVERED, "deferred": Kind.DELAYED, "soft_bounce": Kind.BOUNCED,
    "hard_bounce": Kind.BOUNCED, "blocked": Kind.BOUNCED, "invalid_email": Kind.BOUNCED, "error": Kind.BOUNCED,
    "spam": Kind.COMPLAINED, "complaint": Kind.COMPLAINED, "unsubscribe": Kind.UNSUBSCRIBED, "unsubscribed": Kind.UNSUBSCRIBED,
    "opened": Kind.OPENED, "unique_opened": Kind.OPENED, "proxy_open": Kind.OPENED, "unique_proxy_open": Kind.OPENED, "click": Kind.CLICKED,
    "list_addition": Kind.OTHER_REPORT, "contact_updated": Kind.OTHER_REPORT, "contact_deleted": Kind.OTHER_REPORT,
}  # fmt: skip
# of failures that give no reason, in words that the rules know
WORDS = {
    "blocked": "Brevo did not try: the address is on its suppression list", "invalid_email": "invalid email address",
    "soft_bounce": "soft bounce", "hard_bounce": "hard bounce", "error": "an error at Brevo", "deferred": "deferred",
}  # fmt: skip
_PROXY = frozenset({"proxy_open", "unique_proxy_open"})


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    sender = named(within(event.get("X-Mailin-custom")), event)
    about = Original(
        message_id=bare(event.get("message-id")), sender=mailbox(event.get("sender_email")), subject=text(event.get("subject")),
        campaign=sender.campaign or text(event.get("campaign name")) or first(event.get("tags")) or text(event.get("tag")), mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id,
        sending_ip=text(event.get("sending_ip")),
    )  # fmt: skip
    word, reason = str(event.get("event")), text(event.get("reason"))
    own = WORDS.get(word)
    yield outcome(
        kind, NAME, event.get("email"), _at(event), about, reply=reason, own=own if word == "blocked" or not reason else None,
        user_agent=event.get("user_agent"), machine="brevo-proxy-open" if word in _PROXY else None,
    )  # fmt: skip


def _at(event: Fields) -> datetime | None:
    """When it happened. `date` and `ts` are in the zone of the account, which is not told; `ts_event` was seen to follow it too, `ts_epoch` (milliseconds) not."""
    return time(event.get("ts_epoch")) or time(event.get("ts_event"))


READER = Reader(NAME, KINDS, lambda e: e.get("event"), _read, objects)
