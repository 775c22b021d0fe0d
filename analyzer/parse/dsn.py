"""Delivery status notifications: RFC 3464, and RFC 6533 for addresses beyond ASCII."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from analyzer.model import Kind, Outcome, Stage
from analyzer.parse import address
from analyzer.parse.headers import MAX_VALUE
from analyzer.parse.mime import Message, Part, decode
from analyzer.parse.words import Words

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
_WORD = re.compile(r"\s*[A-Za-z][\w-]{0,30}\s*")
_FATE = {"action", "status", "diagnostic-code"}
_LIKE_STATUS = re.compile(rb"\s*(?:Reporting-MTA|Original-Envelope-Id|Arrival-Date|Final-Recipient|Original-Recipient)[ \t]*:", re.I)
_STARTS = {"final-recipient", "original-recipient"}
_AFTER = r"(?:in reply to|after|response to|to command|sending|>>>)\W{0,3}(?:pipelined )?(?:the )?(?:end of )?"
# words that must stand in the text besides
_STAGES = (
    (("data", "body", "message"), Words(_AFTER + r"(?:DATA\b|message body|\.(?=\s|$))|end of (?:data|message)|after (?:body|header|(?:sending|transmitting) the (?:message|data))|\bBDAT\b|failed after I sent the message"), Stage.DATA),
    (("rcpt", "recipient"), Words(_AFTER + r"RCPT|does(?: not|n't) like (?:the )?recipient|did not like our RCPT"), Stage.RCPT),
    (("mail", "sender"), Words(_AFTER + r"MAIL|(?:but|the) sender was rejected|does(?: not|n't) like (?:the )?sender|(?:rejected|refused) the sender"), Stage.MAIL),
    (("helo", "ehlo", "lhlo", "name"), Words(_AFTER + r"(?:HELO|EHLO|LHLO)|my (?:host ?)?name was rejected|does(?: not|n't) like my name|HELO was rejected"), Stage.EHLO),
    (("auth",), Words(_AFTER + r"AUTH"), Stage.AUTH),
    (("connect", "initial", "refused to talk", "greeting"), Words(r"initial connection|connect(?:ing|ion)? (?:to|with)|while performing the (?:EHLO|initial)|refused to talk to me|greeting"), Stage.CONNECT),
)  # fmt: skip


def groups(text: str) -> tuple[dict[str, str], list[dict[str, str]], bool]:
    """The per-message fields, the fields of each recipient, and whether a value was longer than what is read of it.

    A blank line ends a recipient (RFC 3464 §2.1); where it is missing, the next Final-Recipient does.
    """
    message: dict[str, str] = {}
    found: list[dict[str, str]] = []
    current: dict[str, str] | None = None
    cut = False
    for name, value in _fields(text):
        name = name.lower()
        if not name:
            if current and (_STARTS & current.keys() or "diagnostic-code" in current):
                current = None
            continue
        if len(value) > MAX_VALUE:
            value, cut = value[:MAX_VALUE], True
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
    return (
        message,
        [g for g in found if g.keys() & {"final-recipient", "original-recipient", "action", "status", "x-actual-recipient"}],
        cut,
    )


def _fields(text: str) -> Iterable[tuple[str, str]]:
    """Names and values, and two empty texts for a blank line; of a long text one after the other, for it may have millions."""
    return _FIELD.findall(text) if len(text) < 100_000 else ((m[1] or "", m[2] or "") for m in _FIELD.finditer(text))


@lru_cache(maxsize=16)  # a list of many names has one text
def stage(text: str) -> Stage | None:
    """The step of the dialogue that the words speak of, where they do."""
    text = text[:4000]
    for words, pattern, step in _STAGES:
        if pattern.search(text) and any(w in text.lower() for w in words):
            return step
    return None


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


def outcomes(part: Part) -> tuple[list[Outcome], dict[str, str], list[str]]:
    """What one delivery-status part says, recipient by recipient; its per-message fields; the caps that cut."""
    raw = part.content(MAX_STATUS_BYTES)
    return read(decode(raw, b"utf-8" if part.type.startswith("message/global") else b""))


def read(text: str) -> tuple[list[Outcome], dict[str, str], list[str]]:
    """The same of fields as text."""
    message, recipients, cut = groups(text)
    cuts = ["recipients"] * (len(recipients) >= MAX_RECIPIENTS) + ["values"] * cut
    return [_outcome(g) for g in recipients[:MAX_RECIPIENTS]], message, cuts


def _outcome(group: dict[str, str]) -> Outcome:
    named = _recipient(group.get("final-recipient"))
    actual = group.get("x-actual-recipient", "")  # Sendmail's: where an alias leads; a program may stand there
    final = _recipient(actual) if actual.lower().startswith("rfc822") or not named else named
    original = _recipient(group.get("original-recipient"))
    said = next((group[n] for n in ("diagnostic-code", "x-diagnostic-code", "smtp-remote-response") if group.get(n)), "")
    diagnostic = _untyped(said or group.get("x-supplementary-info", "").strip("<>").rpartition("smtp;")[2])
    if not diagnostic and (comment := _COMMENT.search(group.get("status", ""))):
        diagnostic = comment.group(1)  # 5.0.0 (recipient reached disk quota)
    field_status = address.enhanced(group.get("status", ""))
    code, reply_status = address.reply(diagnostic)
    recipient = original if original and "@" in original else named or final or original
    return Outcome(
        kind=_kind(group.get("action", ""), field_status, code),
        recipient=recipient,
        final=final if final and recipient and final.lower() != recipient.lower() else None,
        status=reply_status or field_status,
        reply_code=code,
        diagnostic=diagnostic[:2000] or None,
        remote_mta=_untyped(group.get("remote-mta", ""))[:255] or None,
        stage=stage(diagnostic),
    )


def _kind(action: str, status: str | None, code: str | None) -> Kind:
    word = action.split("(")[0].split(";")[0].strip().lower()
    if word in KIND:
        # a permanent reply under a permanent status is not tried again
        return Kind.BOUNCED if KIND[word] is Kind.DELAYED and (status or "4")[0] == (code or "4")[0] == "5" else KIND[word]
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
    return rest.strip() if semicolon and _WORD.fullmatch(kind) else value.strip()


def reported(message: dict[str, str]) -> tuple[str | None, str | None]:
    """Reporting MTA and original envelope id of the per-message fields."""
    return _untyped(message.get("reporting-mta", ""))[:255] or None, message.get("original-envelope-id", "")[:255] or None
