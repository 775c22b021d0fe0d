"""SparkPost. Sources: SparkPost's documentation, "Webhooks" (event reference) and "Bounce Classification Codes"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from analyzer.model import Kind, Original, Outcome
from analyzer.parse.webhooks.event import Fields, Reader, fields, mailbox, named, objects, outcome, text

NAME = "sparkpost"
KINDS = {
    "injection": Kind.SENT, "delivery": Kind.DELIVERED, "delay": Kind.DELAYED, "bounce": Kind.BOUNCED, "out_of_band": Kind.BOUNCED,
    "policy_rejection": Kind.BOUNCED, "generation_failure": Kind.BOUNCED, "generation_rejection": Kind.BOUNCED,
    "spam_complaint": Kind.COMPLAINED, "list_unsubscribe": Kind.UNSUBSCRIBED, "link_unsubscribe": Kind.UNSUBSCRIBED,
    "open": Kind.OPENED, "initial_open": Kind.OPENED, "amp_open": Kind.OPENED, "amp_initial_open": Kind.OPENED,
    "click": Kind.CLICKED, "amp_click": Kind.CLICKED,
    "sms_status": Kind.OTHER_REPORT, "relay_injection": Kind.OTHER_REPORT, "relay_delivery": Kind.OTHER_REPORT, "relay_rejection": Kind.OTHER_REPORT,
    "relay_tempfail": Kind.OTHER_REPORT, "relay_permfail": Kind.OTHER_REPORT, "ab_test_completed": Kind.OTHER_REPORT,
    "ab_test_cancelled": Kind.OTHER_REPORT, "ingest_success": Kind.OTHER_REPORT, "ingest_error": Kind.OTHER_REPORT,
}  # fmt: skip
# an answer that came back as if it were a bounce: 60 is an automatic reply, 80 and 90 are wishes, 100 is a challenge
CLASSES = {"60": Kind.AUTOREPLIED, "80": Kind.OTHER_REPORT, "90": Kind.UNSUBSCRIBED, "100": Kind.AUTOREPLIED}
REPLIES = {"60": "vacation", "100": "challenge"}


def _events(body: bytes) -> list[Any]:
    """The events out of their envelopes, {"msys": {"message_event": {...}}}; an empty envelope is a ping."""
    return [inner for o in objects(body) for inner in (fields(o["msys"]).values() if isinstance(o, dict) and "msys" in o else [o])]


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    bounce_class = text(event.get("bounce_class")) or ""
    if kind is Kind.BOUNCED:
        kind = CLASSES.get(bounce_class, kind)
    sender = named(fields(event.get("rcpt_meta")))
    about = Original(
        sender=mailbox(event.get("friendly_from")), subject=text(event.get("subject")), campaign=sender.campaign or text(event.get("campaign_id")),
        mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id, sending_ip=text(event.get("sending_ip")), provider_id=text(event.get("transmission_id")),
    )  # fmt: skip
    yield outcome(
        # raw: as the address was written, and as the receiver said it
        kind, NAME, event.get("raw_rcpt_to") or event.get("rcpt_to"), event.get("timestamp"), about,
        reply=text(event.get("raw_reason")) or text(event.get("reason")), remote_mta=event.get("ip_address"),
        feedback=text(event.get("fbtype")), reply_type=REPLIES.get(bounce_class) if kind is Kind.AUTOREPLIED else None,
        user_agent=event.get("user_agent"), machine="sparkpost-prefetched" if event.get("is_prefetched") is True else None,
    )  # fmt: skip


READER = Reader(NAME, KINDS, lambda e: e.get("type"), _read, _events)
