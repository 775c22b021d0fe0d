"""Postmark. Sources: Postmark's developer documentation, "Webhooks overview" and "Bounce API" (its table of bounce types)."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.model import Kind, Original, Outcome
from analyzer.parse import address
from analyzer.parse.webhooks.event import Fields, Reader, fields, first, mailbox, named, objects, outcome, text

NAME = "postmark"
KINDS = {
    "Delivery": Kind.DELIVERED, "Bounce": Kind.BOUNCED, "SpamComplaint": Kind.COMPLAINED, "Open": Kind.OPENED, "Click": Kind.CLICKED,
    "SubscriptionChange": Kind.UNSUBSCRIBED, "Inbound": Kind.OTHER_REPORT, "SMTPApiError": Kind.BOUNCED,
}  # fmt: skip
# what Postmark calls a bounce and is none, or none for good
BOUNCE_KINDS = {
    "Transient": Kind.DELAYED, "Unsubscribe": Kind.UNSUBSCRIBED, "SpamComplaint": Kind.COMPLAINED, "AutoResponder": Kind.AUTOREPLIED,
    "AddressChange": Kind.AUTOREPLIED, "ChallengeVerification": Kind.AUTOREPLIED, "Subscribe": Kind.OTHER_REPORT, "OpenRelayTest": Kind.OTHER_REPORT,
    "Unconfirmed": Kind.OTHER_REPORT, "InboundError": Kind.OTHER_REPORT,
}  # fmt: skip
REPLIES = {"AutoResponder": "vacation", "AddressChange": "other", "ChallengeVerification": "challenge"}
# of bounces that carry no reply, in words that the rules know
TYPES = {
    "DnsError": "DNS failure, try again", "SpamNotification": "message identified as spam", "VirusNotification": "virus detected",
    "BadEmailAddress": "malformed address", "ManuallyDeactivated": "the recipient is marked as inactive", "Blocked": "blocked by the receiver",
    "DMARCPolicy": "refused for the DMARC policy of the domain", "TemplateRenderingFailed": "Postmark could not render the template",
}  # fmt: skip
_SUPPRESSED = {"HardBounce": Kind.OTHER_REPORT, "SpamComplaint": Kind.OTHER_REPORT}  # told before, as Bounce and SpamComplaint


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    what = str(event.get("Type"))
    if kind in {Kind.BOUNCED, Kind.COMPLAINED}:
        kind = BOUNCE_KINDS.get(what, kind)
    elif kind is Kind.UNSUBSCRIBED:
        # it tells of each change of the list: an end by hand, one after a bounce or complaint, and a new beginning
        kind = _SUPPRESSED.get(str(event.get("SuppressionReason")), kind) if event.get("SuppressSending") is True else Kind.OTHER_REPORT
    sender = named(fields(event.get("Metadata")))
    about = Original(
        sender=mailbox(event.get("From")), subject=text(event.get("Subject")), campaign=sender.campaign or text(event.get("Tag")), mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id,
        provider_id=text(event.get("MessageID")),
    )  # fmt: skip
    details = text(event.get("Details"))
    silent = not details or address.reply(details) == (None, None)
    at = first([event.get(name) for name in ("BouncedAt", "DeliveredAt", "ReceivedAt", "ChangedAt")])
    yield outcome(
        kind, NAME, event.get("Email") or event.get("Recipient"), at, about, reply=details,
        own=TYPES.get(what) or text(event.get("Description")) if silent else None, reply_type=REPLIES.get(what) if kind is Kind.AUTOREPLIED else None,
        user_agent=event.get("UserAgent"),
    )  # fmt: skip


READER = Reader(NAME, KINDS, lambda e: e.get("RecordType"), _read, objects)
