"""KumoMTA's log records, sent by a log hook. Sources: KumoMTA's documentation, "Log Record", "Publishing Log Events Via Webhooks"."""

from __future__ import annotations

from collections.abc import Iterable

from analyzer.model import Kind, Original, Outcome, Stage
from analyzer.parse.webhooks.event import Fields, Reader, bare, fields, mailbox, named, objects, outcome, text

NAME = "kumomta"
KINDS = {
    "Reception": Kind.SENT, "Delivery": Kind.DELIVERED, "TransientFailure": Kind.DELAYED, "Delay": Kind.DELAYED, "Bounce": Kind.BOUNCED,
    "Expiration": Kind.BOUNCED, "AdminBounce": Kind.BOUNCED, "OOB": Kind.BOUNCED, "Feedback": Kind.COMPLAINED, "Rejection": Kind.OTHER_REPORT,
    "XferOut": Kind.OTHER_REPORT, "XferIn": Kind.OTHER_REPORT, "AdminRebind": Kind.OTHER_REPORT, "DeferredInjectionRebind": Kind.OTHER_REPORT,
}  # fmt: skip
OWN = {
    "Expiration": "message expired",
    "AdminBounce": "bounced by an administrator of KumoMTA",
}  # the rest of these records is KumoMTA's too
FEEDBACK = {"opt-out": Kind.UNSUBSCRIBED, "not-spam": Kind.OTHER_REPORT, "auth-failure": Kind.OTHER_REPORT, "dmarc": Kind.OTHER_REPORT}
STAGES = {
    "EHLO": Stage.EHLO,
    "HELO": Stage.EHLO,
    "AUTH": Stage.AUTH,
    "MAIL": Stage.MAIL,
    "RCPT": Stage.RCPT,
    "DATA": Stage.DATA,
    ".": Stage.DATA,
}


def _read(event: Fields, kind: Kind) -> Iterable[Outcome]:
    report, response = fields(event.get("feedback_report")), fields(event.get("response"))
    feedback = text(report.get("feedback_type"))
    if kind is Kind.COMPLAINED:
        kind = FEEDBACK.get((feedback or "").lower(), kind)
    what, words = str(event.get("type")), _reply(response)
    command = (text(response.get("command")) or "").upper().split()
    for recipient in _recipients(event, report):
        yield outcome(
            kind, NAME, recipient, event.get("event_time") or event.get("timestamp"), _original(event), reply=None if what in OWN else words,
            own="; ".join(w for w in (OWN[what], words) if w) if what in OWN else None, feedback=feedback,
            remote_mta=fields(event.get("peer_address")).get("name"), stage=STAGES.get(command[0]) if command else None,
        )  # fmt: skip


def _recipients(event: Fields, report: Fields) -> list[object]:
    # of a complaint the record's own recipient is the address of the feedback loop; sic: "rcpto"
    told = report.get("original_rcpto_to") or fields(report.get("supplemental_trace")).get("recipient") or event.get("recipient")
    return told if isinstance(told, list) and told else [told]


def _original(event: Fields) -> Original:
    headers, meta = ({str(k).lower(): v for k, v in fields(event.get(name)).items()} for name in ("headers", "meta"))
    sender = named(headers, meta)
    queue, colon, _ = (text(event.get("queue")) or "").partition(":")  # campaign:tenant@domain
    return Original(
        message_id=bare(headers.get("message-id")), sender=mailbox(headers.get("from")) or mailbox(event.get("sender")), subject=text(headers.get("subject")),
        campaign=sender.campaign or (queue if colon else None), mail_type=sender.mail_type,
        header_id=sender.header_id, feedback_id=sender.feedback_id, sending_ip=_ip(text(fields(event.get("source_address")).get("address"))),
        envelope_sender=mailbox(event.get("sender")), provider_id=text(event.get("id")),
    )  # fmt: skip


def _reply(response: Fields) -> str | None:
    """The reply in one piece, of which the record keeps code, enhanced code and words apart."""
    code, enhanced = text(response.get("code")), fields(response.get("enhanced_code"))
    dotted = (
        ".".join(str(enhanced[part]) for part in ("class", "subject", "detail"))
        if len(enhanced.keys() & {"class", "subject", "detail"}) == 3
        else None
    )
    return " ".join(w for w in (code, dotted, text(response.get("content"))) if w) or None


def _ip(address: str | None) -> str | None:
    """10.0.0.1:53210 and [2001:db8::1]:53210 without their ports."""
    return address.rpartition(":")[0].strip("[]") or address if address else None


READER = Reader(NAME, KINDS, lambda e: e.get("type"), _read, objects)
