"""SendGrid. Source: Twilio Docs, "Event Webhook Reference"."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.model import Kind, Original, Outcome
from analyzer.parse.webhooks.event import ON_ITS_WAY, Fields, Reader, bare, first, named, objects, outcome, text

NAME = "sendgrid"
KINDS = {
    "processed": Kind.SENT, "delivered": Kind.DELIVERED, "deferred": Kind.DELAYED, "bounce": Kind.BOUNCED, "dropped": Kind.BOUNCED,
    "open": Kind.OPENED, "click": Kind.CLICKED, "spamreport": Kind.COMPLAINED, "unsubscribe": Kind.UNSUBSCRIBED,
    "group_unsubscribe": Kind.UNSUBSCRIBED, "group_resubscribe": Kind.OTHER_REPORT, "account_status_change": Kind.OTHER_REPORT,
}  # fmt: skip
# why SendGrid did not try, in words that the rules know; its lists of bounced, unsubscribed, complaining and invalid addresses are all others
DROPPED = {
    "Spam Content (if Spam Checker app is enabled)": "message identified as spam by SendGrid", "Spam Content": "message identified as spam by SendGrid",
    "Invalid SMTPAPI header": "SendGrid could not read the header X-SMTPAPI", "Recipient List over Package Quota": "over the limit of the account",
}  # fmt: skip


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    # arguments of the sender's own stand beside the fields
    sender = named(event)
    campaign = (
        sender.campaign
        or first(event.get("marketing_campaign_name"))
        or first(event.get("singlesend_name"))
        or first(event.get("category"))
    )
    about = Original(
        message_id=bare(event.get("smtp-id")), campaign=campaign, mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id,
        # "ip" is ours as long as the message is on its way, and the reader's afterwards
        sending_ip=text(event.get("ip")) if kind in ON_ITS_WAY else None, provider_id=_sent_as(text(event.get("sg_message_id"))),
    )  # fmt: skip
    reason = text(event.get("reason"))
    dropped = event.get("event") == "dropped"  # SendGrid did not try, and these are its own words
    yield outcome(
        kind, NAME, event.get("email"), event.get("timestamp"), about, reply=None if dropped else text(event.get("response")) or reason,
        own=DROPPED.get(reason or "", f"dropped: {reason or 'no reason is given'}") if dropped else None, status=event.get("status"), user_agent=event.get("useragent"),
        machine="sendgrid-machine-open" if event.get("sg_machine_open") is True else None,
    )  # fmt: skip


def _sent_as(message_id: str | None) -> str | None:
    """The X-Message-Id with which SendGrid answered the send: what stands before the name of the host that processed it."""
    return message_id.partition(".filter")[0].partition(".recvd")[0] or None if message_id else None


READER = Reader(NAME, KINDS, lambda e: e.get("event"), _read, objects)
