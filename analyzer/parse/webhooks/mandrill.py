"""Mandrill (Mailchimp Transactional). Sources: Mailchimp's developer documentation, "Track and Respond to Activity with Webhooks", "Webhook Format", "Sync Event Format"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from analyzer.model import Kind, Original, Outcome
from analyzer.parse.webhooks.event import Fields, Reader, Unreadable, each, fields, first, mailbox, named, objects, outcome, text

NAME = "mandrill"
KINDS = {
    "send": Kind.SENT, "delivered": Kind.DELIVERED, "deferral": Kind.DELAYED, "hard_bounce": Kind.BOUNCED, "soft_bounce": Kind.BOUNCED,
    "reject": Kind.BOUNCED, "spam": Kind.COMPLAINED, "unsub": Kind.UNSUBSCRIBED, "open": Kind.OPENED, "click": Kind.CLICKED,
    "inbound": Kind.OTHER_REPORT, "blacklist": Kind.OTHER_REPORT, "whitelist": Kind.OTHER_REPORT, "denylist": Kind.OTHER_REPORT, "allowlist": Kind.OTHER_REPORT,
}  # fmt: skip
# bounce_description and the reason of a rejection, in words that the rules know
WORDS = {
    "bad_mailbox": "no such mailbox", "invalid_domain": "the domain does not exist", "mailbox_full": "mailbox full", "dns_failure": "DNS failure, try again",
    "time_out": "connection timed out", "content_rejected": "message content rejected", "spam": "message identified as spam",
    "hard-bounce": "the address is on the suppression list: previously bounced", "soft-bounce": "the address is on the suppression list: previously bounced",
    "unsub": "the address is on the suppression list: previously unsubscribed", "custom": "the address is on the suppression list",
    "invalid-sender": "sender address rejected by Mandrill", "invalid": "malformed address", "test-mode-limit": "Mandrill did not try: test mode",
    "unsigned": "sending domain is not authenticated", "rule": "rejected by a rule of the account",
}  # fmt: skip


def _events(body: bytes) -> list[Any]:
    """The events of a form with the one field `mandrill_events`."""
    try:
        form = parse_qs(body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=100)
    except ValueError as e:
        raise Unreadable(f"not a form: {str(e)[:100]}") from None
    if "mandrill_events" not in form:
        raise Unreadable("there is no field mandrill_events in the form")
    return objects(form["mandrill_events"][0].encode("utf-8", "replace"))


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    message = fields(event.get("msg"))
    sender = named(fields(message.get("metadata")))
    tried = each(message.get("smtp_events"))[-1:]
    last = tried[0] if tried else {}
    about = Original(
        sender=mailbox(message.get("sender")), subject=text(message.get("subject")), campaign=sender.campaign or first(message.get("tags")), mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id,
        sending_ip=text(last.get("source_ip")), provider_id=text(message.get("_id")) or text(event.get("_id")),
    )  # fmt: skip
    refused = text(fields(message.get("reject")).get("reason")) or text(message.get("bounce_description"))
    reply = text(message.get("diag")) or text(last.get("diag"))
    own = WORDS.get(refused or "", refused) or str(event.get("event")).replace("_", " ")
    yield outcome(
        kind, NAME, message.get("email"), event.get("ts"), about, reply=reply, own=None if reply else own,
        remote_mta=last.get("destination_ip"), user_agent=event.get("user_agent"),
    )  # fmt: skip


READER = Reader(NAME, KINDS, lambda e: e.get("event") or e.get("type"), _read, _events)
