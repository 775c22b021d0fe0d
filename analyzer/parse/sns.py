"""Amazon SES notifications, as Simple Notification Service brings them: by mail, written into the body for topics with an e-mail subscription,
or by webhook.

Sources: Amazon SES Developer Guide, "Amazon SNS notification contents for Amazon SES" and "Contents of event data that Amazon SES publishes to Amazon SNS".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from analyzer.model import Agent, Kind, Original, Outcome, Report
from analyzer.parse import address
from analyzer.parse.agents import agent
from analyzer.parse.mime import Message
from analyzer.parse.own import own_id

NAME = "amazon-ses"
MAX_RECIPIENTS = 1000

# bounceSubType, complaintSubType and delayType, in words that the rules know
_SUBTYPE = {
    "NoEmail": "the mailbox does not exist", "MailboxFull": "mailbox is full", "MessageTooLarge": "message too large",
    "ContentRejected": "message content rejected", "AttachmentRejected": "attachment rejected", "Suppressed": "address is on the suppression list",
    "OnAccountSuppressionList": "address is on the suppression list", "UnsubscribedRecipient": "sent to an unsubscribed address",
    "InternalFailure": "internal error", "IPFailure": "connection failed", "SpamDetected": "identified as spam",
    "RecipientServerError": "server error", "TransientCommunicationFailure": "connection lost",
}  # fmt: skip

Said = Mapping[str, Any]


def parse(message: Message) -> Report | None:
    """The report of a mail whose body is an SES notification; None for other mail."""
    part = next(message.own("text/plain"), message.top)
    text = part.text().lstrip()
    if not text.startswith("{") or ('"notificationType"' not in text and '"eventType"' not in text and '"Message"' not in text):
        return None
    return report(unwrapped(_object(text)))


def parse_body(body: bytes) -> Report:
    """The report of a request by SNS."""
    said = _object(body.decode("utf-8", "replace").lstrip())
    if said.get("Type") in {"SubscriptionConfirmation", "UnsubscribeConfirmation"}:
        return Report(
            Kind.OTHER_REPORT, "sns", reported_at=_time(said.get("Timestamp")), why=f"a {said['Type']} of the topic by Amazon SNS"
        )
    inner = unwrapped(said)
    if found := report(inner):
        return found
    what = _text(said.get("Message")) or "nothing that could be read"
    return Report(Kind.UNREADABLE, "sns", why=f"expected a notification of Amazon SES in the message of Amazon SNS, found: {what[:100]}")


def unknown(body: bytes) -> int:
    """1 for a request by SNS that says nothing we know, else 0."""
    said = _object(body.decode("utf-8", "replace").lstrip())
    return int(said.get("Type") not in {"SubscriptionConfirmation", "UnsubscribeConfirmation"} and _what(unwrapped(said)) not in EVENTS)


def unwrapped(said: Said) -> Said:
    """The notification of SES in an envelope of SNS; what is none is given back."""
    if said.get("Type") == "Notification" and isinstance(said.get("Message"), str):
        return _object(said["Message"].lstrip())
    return said


def report(said: Said) -> Report | None:
    """What a notification of SES says; None for other objects."""
    what = _what(said)
    if not isinstance(what, str) or not isinstance(said.get("mail"), dict):
        return None
    about = _original(said["mail"])
    event = EVENTS.get(what)
    detail = _dict(said.get(event[0])) if event else {}
    outcomes = event[1](detail, said["mail"]) if event else []
    at = _time(detail.get("timestamp")) or (about.sent_at if what == "Send" else None)
    if not outcomes:
        return Report(Kind.OTHER_REPORT, "sns", original=about, reported_at=at, why=f"an SES notification of type {what[:40]}")
    return Report(outcomes[0].kind, "sns", tuple(outcomes[:MAX_RECIPIENTS]), about, _text(detail.get("reportingMTA")), at)


def _what(said: Said) -> object:
    return said.get("notificationType") or said.get("eventType")


def _bounced(detail: Said, mail: Said) -> list[Outcome]:
    words = f"{_text(detail.get('bounceType')) or ''} bounce: {_SUBTYPE.get(str(detail.get('bounceSubType')), 'no more is said')}"
    return [_failed(Kind.BOUNCED, r, words) for r in _dicts(detail.get("bouncedRecipients"))]


def _delayed(detail: Said, mail: Said) -> list[Outcome]:
    words = _SUBTYPE.get(str(detail.get("delayType")), "")
    return [_failed(Kind.DELAYED, r, words) for r in _dicts(detail.get("delayedRecipients"))]


def _complained(detail: Said, mail: Said) -> list[Outcome]:
    whose = _dicts(detail.get("complainedRecipients"))
    if unsent := _SUBTYPE.get(str(detail.get("complaintSubType"))):  # SES did not try: they complained earlier
        return [_failed(Kind.BOUNCED, r, unsent) for r in whose]
    kind = _text(detail.get("complaintFeedbackType")) or "abuse"
    if kind == "not-spam":
        return []
    return [Outcome(Kind.COMPLAINED, _text(r.get("emailAddress")), feedback_type=kind, smtp_provider=NAME) for r in whose]


def _delivered(detail: Said, mail: Said) -> list[Outcome]:
    reply = _text(detail.get("smtpResponse")) or ""
    code, status = address.reply(reply)
    return [
        Outcome(
            Kind.DELIVERED,
            a,
            status=status,
            reply_code=code,
            diagnostic=reply or None,
            remote_mta=_text(detail.get("remoteMtaIp")),
            smtp_provider=NAME,
        )
        for a in _texts(detail.get("recipients"))
    ]


def _sent(detail: Said, mail: Said) -> list[Outcome]:
    return [Outcome(Kind.SENT, a, smtp_provider=NAME) for a in _texts(mail.get("destination"))]


def _rejected(detail: Said, mail: Said) -> list[Outcome]:
    # the one reason in use is "Bad content"
    reason = _text(detail.get("reason")) or "no reason is given"
    words = f"Amazon SES did not send the message: {reason}{': virus detected' if reason.lower() == 'bad content' else ''}"
    return [Outcome(Kind.BOUNCED, a, prose=words, smtp_provider=NAME) for a in _texts(mail.get("destination"))]


def _unrendered(detail: Said, mail: Said) -> list[Outcome]:
    words = f"Amazon SES could not render the template {_text(detail.get('templateName')) or ''}: {_text(detail.get('errorMessage')) or ''}"
    return [Outcome(Kind.BOUNCED, a, prose=words[:2000], smtp_provider=NAME) for a in _texts(mail.get("destination"))]


def _by_hand(kind: Kind) -> Callable[[Said, Said], list[Outcome]]:
    def read(detail: Said, mail: Said) -> list[Outcome]:
        who: tuple[Agent, str] = agent((_text(detail.get("userAgent")) or "")[:1000])
        return [Outcome(kind, _only(mail), agent=who[0], agent_rule=who[1], smtp_provider=NAME)]

    return read


def _subscription(detail: Said, mail: Said) -> list[Outcome]:
    now = _dict(detail.get("newTopicPreferences"))
    left = now.get("unsubscribeAll") is True or any(
        t.get("subscriptionStatus") == "OptOut" for t in _dicts(now.get("topicSubscriptionStatus"))
    )
    return [Outcome(Kind.UNSUBSCRIBED, _only(mail), smtp_provider=NAME)] if left else []


EVENTS: dict[str, tuple[str, Callable[[Said, Said], list[Outcome]]]] = {
    "Bounce": ("bounce", _bounced), "Complaint": ("complaint", _complained), "Delivery": ("delivery", _delivered),
    "DeliveryDelay": ("deliveryDelay", _delayed), "Send": ("send", _sent), "Reject": ("reject", _rejected), "Open": ("open", _by_hand(Kind.OPENED)),
    "Click": ("click", _by_hand(Kind.CLICKED)), "Subscription": ("subscription", _subscription),
    "Rendering Failure": ("failure", _unrendered), "RenderingFailure": ("failure", _unrendered),
}  # fmt: skip
"""What SES calls an event -> the object that tells of it, and who reads that."""


def _failed(kind: Kind, said: Said, words: str) -> Outcome:
    diagnostic = (_text(said.get("diagnosticCode")) or "").removeprefix("smtp;").strip()
    code, status = address.reply(diagnostic)
    return Outcome(kind, _text(said.get("emailAddress")), status=status or _text(said.get("status")), reply_code=code,
                   diagnostic=diagnostic[:2000] or None, prose=words or None, smtp_provider=NAME)  # fmt: skip


def _only(mail: Said) -> str | None:
    """The recipient of a message; of several, SES does not tell which one it was."""
    to = _texts(mail.get("destination"))
    return to[0] if len(to) == 1 else None


def _original(mail: Said) -> Original:
    common, tags = _dict(mail.get("commonHeaders")), _dict(mail.get("tags"))
    headers = {str(h.get("name")).lower(): _text(h.get("value")) for h in _dicts(mail.get("headers"))}
    return Original(
        message_id=(_text(common.get("messageId")) or headers.get("message-id") or "").strip("<>") or _text(mail.get("messageId")),
        sender=next(iter(address.addresses(_text(mail.get("source")) or "", 1)), None),
        recipient=_only(mail),
        subject=_text(common.get("subject")),
        sent_at=_time(mail.get("timestamp")),
        envelope_id=_text(mail.get("messageId")),
        campaign=next((t for t in (headers.get("x-mailhealth-campaign"), *_texts(tags.get("campaign"))) if t), None),
        mail_type=next((t for t in (headers.get("x-mailhealth-type"), *_texts(tags.get("mail_type"))) if t), None),
        sending_ip=next(iter(_texts(tags.get("ses:outgoing-ip"))), None),
        provider_id=_text(mail.get("messageId")),
        header_id=own_id(headers.get) or next(iter(_texts(tags.get("header_id"))), None),
        feedback_id=headers.get("feedback-id"),
    )


def _object(text: str) -> dict[str, Any]:
    try:
        found, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return {}
    return _dict(found)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [t for t in map(_text, value) if t] if isinstance(value, list) else []


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    value = value[:2000]
    # JSON can hold half a character, which no table can
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
