"""Mailjet. Source: Mailjet's developer documentation, "Webhooks" (event types and the table of errors)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from analyzer.model import Kind, Original, Outcome
from analyzer.parse import address
from analyzer.parse.webhooks.event import Fields, Reader, named, objects, outcome, text, within

NAME = "mailjet"
KINDS = {
    "sent": Kind.DELIVERED,  # "accepted by the recipient's server"
    "bounce": Kind.BOUNCED, "blocked": Kind.BOUNCED, "spam": Kind.COMPLAINED, "unsub": Kind.UNSUBSCRIBED, "open": Kind.OPENED, "click": Kind.CLICKED,
}  # fmt: skip
# of `error`, in words that the rules know
ERRORS = {
    "user unknown": "user unknown", "mailbox inactive": "the mailbox is inactive", "quota exceeded": "mailbox full: quota exceeded",
    "blacklisted": "the address is on Mailjet's suppression list", "spam reporter": "the address is on Mailjet's suppression list: it complained",
    "preblocked": "the address is on Mailjet's suppression list", "duplicate in campaign": "Mailjet did not try: the address is in the campaign twice",
    "invalid domain": "the domain does not exist", "no mail host": "the domain has no mail host", "relay/access denied": "access denied by the receiver",
    "greylisted": "greylisted", "typofix": "the domain does not exist: it is held to be mistyped", "connection issue": "connection failed",
    "protocol issue": "protocol error", "system issue": "system error", "policy issue": "rejected by policy", "sender blocked": "sender address rejected",
    "content blocked": "message content rejected", "bad or empty template": "the template is bad or empty", "error in template language": "error in the template",
}  # fmt: skip
_TRIED_AGAIN = frozenset({"greylisted"})  # which Mailjet calls a bounce
_IN_BRACKETS = re.compile(r"sent \((.*)\)\Z", re.S)


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    error, comment = text(event.get("error")) or "", text(event.get("comment"))
    if kind is Kind.BOUNCED and error in _TRIED_AGAIN:
        kind = Kind.DELAYED
    sender = named(within(event.get("Payload")))
    about = Original(
        campaign=sender.campaign or text(event.get("customcampaign")), mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id,
        provider_id=text(event.get("MessageID")) or text(event.get("mj_message_id")),
    )  # fmt: skip
    answered = _IN_BRACKETS.match(text(event.get("smtp_reply")) or "")
    silent = not comment or address.reply(comment) == (None, None)
    yield outcome(
        kind, NAME, event.get("email"), event.get("time"), about, reply=answered[1] if answered else comment,
        own=ERRORS.get(error) or error or "bounced, and no more is said" if silent else None, user_agent=event.get("agent"),
    )  # fmt: skip


READER = Reader(NAME, KINDS, lambda e: e.get("event"), _read, objects)
