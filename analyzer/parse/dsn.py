"""Delivery status notifications: RFC 3464, and RFC 6533 for addresses beyond ASCII."""

from __future__ import annotations

import re

from analyzer.model import Kind, Outcome, Stage
from analyzer.parse import address
from analyzer.parse.mime import MAX_VALUE, Message, Part, decode

TYPES = {"message/delivery-status", "message/global-delivery-status"}
KIND = {
    "failed": Kind.BOUNCED, "failure": Kind.BOUNCED, "fail": Kind.BOUNCED, "hard bounce": Kind.BOUNCED, "bounced": Kind.BOUNCED,
    "delayed": Kind.DELAYED, "delay": Kind.DELAYED, "deferred": Kind.DELAYED, "transient-failure": Kind.DELAYED,
    "delivered": Kind.DELIVERED, "relayed": Kind.DELIVERED, "expanded": Kind.DELIVERED,
    "deliverable": Kind.OTHER_REPORT,  # the answer to an address probe: nothing was delivered
}  # fmt: skip
CLASS = {"5": Kind.BOUNCED, "4": Kind.DELAYED, "2": Kind.DELIVERED}
MAX_RECIPIENTS = 10_000
MAX_STATUS_BYTES = 8 * 1024 * 1024

_FIELD = re.compile(r"^[ \t]{0,4}([A-Za-z][A-Za-z0-9-]{1,60})[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)|^[ \t]*$", re.M)
_COMMENT = re.compile(r"\(((?!permanent|temporary|delivery|failed|unknown|other)[^()]{6,300})\)", re.I)
_FATE = {"action", "status", "diagnostic-code"}
_LIKE_STATUS = re.compile(rb"\s*(?:Reporting-MTA|Original-Envelope-Id|Arrival-Date|Final-Recipient|Original-Recipient)[ \t]*:", re.I)
_STARTS = {"final-recipient", "original-recipient"}
_AFTER = r"(?:in reply to|after|response to|to command|sending|>>>)\W{0,3}(?:pipelined )?(?:the )?(?:end of )?"
# words that must stand in the text in lower case, for searching every pattern in every text would take longer than all the rest
_STAGES = (
    (("data", "body", "message"), re.compile(_AFTER + r"(?:DATA\b|message body|\.(?=\s|$))|end of (?:data|message)|after (?:body|header|(?:sending|transmitting) the (?:message|data))|\bBDAT\b|failed after I sent the message", re.I), Stage.DATA),
    (("rcpt", "recipient"), re.compile(_AFTER + r"RCPT|does(?: not|n't) like (?:the )?recipient|did not like our RCPT", re.I), Stage.RCPT),
    (("mail", "sender"), re.compile(_AFTER + r"MAIL|(?:but|the) sender was rejected|does(?: not|n't) like (?:the )?sender|(?:rejected|refused) the sender", re.I), Stage.MAIL),
    (("helo", "ehlo", "lhlo", "name"), re.compile(_AFTER + r"(?:HELO|EHLO|LHLO)|my (?:host ?)?name was rejected|does(?: not|n't) like my name|HELO was rejected", re.I), Stage.EHLO),
    (("auth",), re.compile(_AFTER + r"AUTH", re.I), Stage.AUTH),
    (("connect", "initial", "refused to talk", "greeting"), re.compile(r"initial connection|connect(?:ing|ion)? (?:to|with)|while performing the (?:EHLO|initial)|refused to talk to me|greeting", re.I), Stage.CONNECT),
)  # fmt: skip


def groups(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The per-message fields, and the fields of each recipient.

    A blank line ends a recipient (RFC 3464 §2.1); where it is missing, the next Final-Recipient does.
    """
    message: dict[str, str] = {}
    found: list[dict[str, str]] = []
    current: dict[str, str] | None = None
    for match in _FIELD.finditer(text):
        name = (match.group(1) or "").lower()
        if not name:
            if current and (_STARTS & current.keys() or "diagnostic-code" in current):
                current = None
            continue
        value = match.group(2)[:MAX_VALUE]
        if "\n" in value:
            value = " ".join(value.split())
        begins = name in _STARTS and (current is None or name in current)
        if current is None and not begins and name in _FATE and found and name not in found[-1]:
            current = found[-1]  # some put a blank line after each field
        elif begins or (current is None and name in _FATE):
            current = {}
            found.append(current)
            if len(found) > MAX_RECIPIENTS:
                break
        (message if current is None else current).setdefault(name, value.strip())
    return message, [g for g in found if g.keys() & {"final-recipient", "original-recipient", "action", "status", "x-actual-recipient"}]


def stage(text: str) -> Stage | None:
    """The step of the dialogue that the words speak of, where they do."""
    low = text[:4000].lower()
    return next((step for words, pattern, step in _STAGES if any(w in low for w in words) and pattern.search(low)), None)


def status_parts(message: Message) -> list[Part]:
    """The delivery-status parts: those of the report itself, else those of a report that it holds."""
    parts = [p for p in message.parts if p.type in TYPES]
    return [p for p in parts if not p.inside] or _mistyped(message) or parts


def _mistyped(message: Message) -> list[Part]:
    """Delivery-status parts that call themselves something else."""
    if message.top.type != "multipart/report":
        return []
    texts = (p for p in message.parts[1:20] if not p.inside and (p.type.startswith("text/") or p.type == "application/octet-stream"))
    return [p for p in texts if _LIKE_STATUS.match(p.content(2000))]


def outcomes(part: Part) -> tuple[list[Outcome], dict[str, str], bool]:
    """What one delivery-status part says, recipient by recipient; its per-message fields; whether a cap cut."""
    raw = part.content(MAX_STATUS_BYTES)
    return read(decode(raw, b"utf-8" if part.type.startswith("message/global") else b""))


def read(text: str) -> tuple[list[Outcome], dict[str, str], bool]:
    """The same of fields as text."""
    message, recipients = groups(text)
    return [_outcome(g) for g in recipients[:MAX_RECIPIENTS]], message, len(recipients) >= MAX_RECIPIENTS


def _outcome(group: dict[str, str]) -> Outcome:
    final = _recipient(group.get("final-recipient")) or _recipient(group.get("x-actual-recipient"))
    original = _recipient(group.get("original-recipient"))
    said = next((group[n] for n in ("diagnostic-code", "x-diagnostic-code", "smtp-remote-response") if group.get(n)), "")
    diagnostic = _untyped(said or group.get("x-supplementary-info", "").strip("<>").rpartition("smtp;")[2])
    if not diagnostic and (comment := _COMMENT.search(group.get("status", ""))):
        diagnostic = comment.group(1)  # 5.0.0 (recipient reached disk quota)
    field = address.STATUS.search(group.get("status", ""))
    field_status = field.group(1) if field else None
    code, reply_status = address.reply(diagnostic)
    recipient = original if original and "@" in original else final or original
    return Outcome(
        kind=_kind(group.get("action", ""), field_status),
        recipient=recipient,
        final=final if final and recipient and final.lower() != recipient.lower() else None,
        status=reply_status or field_status,
        reply_code=code,
        diagnostic=diagnostic[:2000] or None,
        remote_mta=_untyped(group.get("remote-mta", ""))[:255] or None,
        stage=stage(diagnostic),
    )


def _kind(action: str, status: str | None) -> Kind:
    word = action.split("(")[0].split(";")[0].strip().lower()
    if word in KIND:
        return KIND[word]
    first = word.split(" ")[0].strip(".,")
    return KIND.get(first) or CLASS.get((status or "5")[:1], Kind.BOUNCED)


def _recipient(value: str | None) -> str | None:
    if not value:
        return None
    if value.lower().startswith("utf-8"):
        # RFC 6533 §3: \x{00E9} stands for é
        value = re.sub(r"\\x\{([0-9A-Fa-f]{2,6})\}", lambda m: _char(m.group(1)), value)
    elif value.lower().startswith("xtext"):
        value = re.sub(r"\+([0-9A-F]{2})", lambda m: chr(int(m.group(1), 16)), value)
    return address.clean(value)


def _char(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "�"


def _untyped(value: str) -> str:
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and re.fullmatch(r"\s*[A-Za-z][\w-]{0,30}\s*", kind) else value.strip()


def reported(message: dict[str, str]) -> tuple[str | None, str | None]:
    """Reporting MTA and original envelope id of the per-message fields."""
    return _untyped(message.get("reporting-mta", ""))[:255] or None, message.get("original-envelope-id", "")[:255] or None
