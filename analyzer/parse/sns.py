"""Amazon SES notifications that come as mail: Simple Notification Service writes its JSON into the body for topics with an e-mail subscription.

Source: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html and .../event-publishing-retrieving-sns-contents.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from analyzer.model import Kind, Original, Outcome, Report
from analyzer.parse import address
from analyzer.parse.mime import Message

MAX_RECIPIENTS = 1000

# bounceSubType, in words that the rules know
_SUBTYPE = {
    "NoEmail": "the mailbox does not exist", "MailboxFull": "mailbox is full", "MessageTooLarge": "message too large",
    "ContentRejected": "message content rejected", "AttachmentRejected": "attachment rejected", "Suppressed": "address is on the suppression list",
    "OnAccountSuppressionList": "address is on the suppression list", "UnsubscribedRecipient": "sent to an unsubscribed address",
    "InternalFailure": "internal error", "IPFailure": "connection failed", "SpamDetected": "identified as spam",
    "RecipientServerError": "server error", "TransientCommunicationFailure": "connection lost",
}  # fmt: skip


def parse(message: Message) -> Report | None:
    """The report of a mail whose body is an SES notification; None for other mail."""
    part = next(message.own("text/plain"), message.top)
    text = part.text().lstrip()
    if not text.startswith("{") or ('"notificationType"' not in text and '"eventType"' not in text and '"Message"' not in text):
        return None
    said = _object(text)
    if said.get("Type") == "Notification" and isinstance(said.get("Message"), str):
        said = _object(said["Message"].lstrip())
    what = said.get("notificationType") or said.get("eventType")
    if not isinstance(what, str) or not isinstance(said.get("mail"), dict):
        return None
    outcomes, detail = _outcomes(what, said)
    about = _original(said["mail"])
    at = _time(detail.get("timestamp"))
    if not outcomes:
        return Report(Kind.OTHER_REPORT, "sns", original=about, reported_at=at, why=f"an SES notification of type {what[:40]}")
    return Report(outcomes[0].kind, "sns", tuple(outcomes[:MAX_RECIPIENTS]), about, _text(detail.get("reportingMTA")), at)


def _outcomes(what: str, said: Mapping[str, Any]) -> tuple[list[Outcome], Mapping[str, Any]]:
    if what == "Bounce":
        detail = _dict(said.get("bounce"))
        words = f"{_text(detail.get('bounceType')) or ''} bounce: {_SUBTYPE.get(str(detail.get('bounceSubType')), 'no more is said')}"
        return [_failed(Kind.BOUNCED, r, words) for r in _dicts(detail.get("bouncedRecipients"))], detail
    if what == "DeliveryDelay":
        detail = _dict(said.get("deliveryDelay"))
        words = _SUBTYPE.get(str(detail.get("delayType")), "")
        return [_failed(Kind.DELAYED, r, words) for r in _dicts(detail.get("delayedRecipients"))], detail
    if what == "Complaint":
        detail = _dict(said.get("complaint"))
        kind = _text(detail.get("complaintFeedbackType")) or "abuse"
        if kind == "not-spam":
            return [], detail
        return [
            Outcome(Kind.COMPLAINED, _text(r.get("emailAddress")), feedback_type=kind) for r in _dicts(detail.get("complainedRecipients"))
        ], detail
    if what == "Delivery":
        detail = _dict(said.get("delivery"))
        reply = _text(detail.get("smtpResponse")) or ""
        code, status = address.reply(reply)
        who = detail.get("recipients")
        return [
            Outcome(Kind.DELIVERED, a, status=status, reply_code=code, diagnostic=reply or None)
            for a in (who if isinstance(who, list) else [])
            if isinstance(a, str)
        ], detail
    return [], {}


def _failed(kind: Kind, said: Mapping[str, Any], words: str) -> Outcome:
    diagnostic = (_text(said.get("diagnosticCode")) or "").removeprefix("smtp;").strip()
    code, status = address.reply(diagnostic)
    return Outcome(kind, _text(said.get("emailAddress")), status=status or _text(said.get("status")), reply_code=code,
                   diagnostic=diagnostic[:2000] or None, prose=words or None)  # fmt: skip


def _original(mail: Mapping[str, Any]) -> Original:
    common = _dict(mail.get("commonHeaders"))
    to = mail.get("destination")
    return Original(
        message_id=(_text(common.get("messageId")) or "").strip("<>") or _text(mail.get("messageId")),
        sender=next(iter(address.addresses(_text(mail.get("source")) or "", 1)), None),
        recipient=to[0] if isinstance(to, list) and len(to) == 1 and isinstance(to[0], str) else None,
        subject=_text(common.get("subject")),
        sent_at=_time(mail.get("timestamp")),
        envelope_id=_text(mail.get("messageId")),
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


def _text(value: object) -> str | None:
    return value[:2000] if isinstance(value, str) and value else None


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
