"""Delivery status notifications: RFC 3464, and RFC 6533 for addresses beyond ASCII."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ahocorasick_rs import AhoCorasick, MatchKind

from analyzer.model import Kind, Outcome, Stage
from analyzer.parse import address
from analyzer.parse.headers import MAX_VALUE
from analyzer.parse.mime import Message, Part, decode, words
from analyzer.parse.who import is_daemon
from analyzer.parse.words import small

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
_USUAL = re.compile(r"(?:rfc822|RFC822) ?; ?<?((?!IMCEA|imcea)[A-Za-z0-9_.+=-]{1,64}@[A-Za-z0-9.-]{1,255})>?")  # nearly every recipient
_COMMENT = re.compile(r"\(((?!permanent|temporary|delivery|failed|unknown|other|undefined)[^()]{6,300})\)", re.I)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_WORD = re.compile(r"\s*[A-Za-z][\w-]{0,30}\s*")
_FATE = {"action", "status", "diagnostic-code"}
_LIKE_STATUS = re.compile(rb"\s*(?:Reporting-MTA|Original-Envelope-Id|Arrival-Date|Final-Recipient|Original-Recipient)[ \t]*:", re.I)
_WHOLE_STATUS = re.compile(rb"\s*Reporting-MTA[ \t]*:", re.I)
_BLANK = re.compile(r"^(final|original|diagnostic|remote|reporting)[ _](recipient|code|mta)(?=[ \t]*:)", re.I | re.M)
_BELOW = re.compile(
    r"^((?:final|original)-recipient|action|status|(?:diagnostic|smtp)-code|(?:reporting|remote)-mta)[ \t]*:[ \t]*\n(?=[^\s:]{1,60}(?:$|;| ))",
    re.I | re.M,
)
_SENT_ON = re.compile(r"\s*(?:fwd?|wg|tr|rv|enc|i|vs|re|aw)\s*:", re.I)
_STARTS = {"final-recipient", "original-recipient"}
_AFTER = r"\W{0,3}(?:pipelined )?(?:the )?(?:end of )?"
# how the words begin that tell a step, how they go on, and the step's name
_STEPS = (
    *((sign, re.compile(re.escape(sign) + _AFTER + r"(?:(?P<data>data\b|message body|\.(?=\s|$))|(?P<rcpt>rcpt)|(?P<mail>mail)|(?P<ehlo>helo|[el]hlo)|(?P<auth>auth))"))
      for sign in ("in reply to", "response to", "to command", "sending", ">>>")),
    ("after", re.compile(r"after" + _AFTER + r"(?:(?P<data>data\b|message body|\.(?=\s|$)|body|header|i sent the message|(?:sending|transmitting) (?:the )?(?:message|data))|(?P<rcpt>rcpt)|(?P<mail>mail)|(?P<ehlo>helo|[el]hlo)|(?P<auth>auth))")),
    ("end of ", re.compile(r"(?P<data>end of (?:data|message))")),
    ("bdat", re.compile(r"(?P<data>\bbdat\b)")),
    ("like ", re.compile(r"(?<=not |n't )like (?:(?P<rcpt>(?:the )?recipient|our rcpt)|(?P<mail>(?:the )?sender)|(?P<ehlo>my name))")),
    (" sender", re.compile(r"(?P<mail>(?<=but) sender was rejected|(?<=the) sender was rejected|(?<=rejected the) sender|(?<=refused the) sender)")),
    ("name was rejected", re.compile(r"(?P<ehlo>(?<=my )name was rejected|(?<=host )name was rejected|(?<=my host)name was rejected)")),
    ("helo was rejected", re.compile(r"(?P<ehlo>helo was rejected)")),
    ("connect", re.compile(r"(?P<connect>connect(?:ing|ion)? (?:to|with)|(?<=initial )connection)")),
    ("while performing the ", re.compile(r"(?P<connect>while performing the (?:ehlo|initial))")),
    ("refused to talk to me", re.compile(r"(?P<connect>refused to talk to me)")),
    ("greeting", re.compile(r"(?P<connect>greeting)")),
)  # fmt: skip
_SIGNS = AhoCorasick([sign for sign, _ in _STEPS], matchkind=MatchKind.LeftmostFirst)
_ORDER = {name: n for n, name in enumerate(("data", "rcpt", "mail", "ehlo", "auth", "connect"))}
"""Which of several steps is meant: the first of these."""


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
    low, told = small(text[:4000]), set[str]()
    for n, at, _ in _SIGNS.find_matches_as_indexes(low):
        if (match := _STEPS[n][1].match(low, at)) and match.lastgroup:
            told.add(match.lastgroup)
    return Stage(min(told, key=_ORDER.__getitem__)) if told else None


def status_parts(message: Message) -> list[Part]:
    """The delivery-status parts: those of the report itself, else those of a report that it holds."""
    parts = [p for p in message.parts if p.type in TYPES]
    return [p for p in parts if not p.inside] or _mistyped(message) or ([] if parts and _asks(message) else parts)


def _asks(message: Message) -> bool:
    """Whether a person attaches a report and asks what it means: it is about mail of his own, and no answer to ours."""
    return _SENT_ON.match(message.top.header("subject")) is not None and "?" in next((p.text() for p in message.own("text/plain")), "")


def _mistyped(message: Message) -> list[Part]:
    """Delivery-status parts that call themselves something else."""
    top = message.top
    sure = top.type == "multipart/report" or (top.type.startswith("multipart/") and is_daemon(message))
    if not sure and (not top.type.startswith("multipart/") or _SENT_ON.match(top.header("subject"))):
        return []
    texts = (p for p in message.parts[1:20] if not p.inside and (p.type.startswith("text/") or p.type == "application/octet-stream"))
    return [p for p in texts if (_LIKE_STATUS if sure else _WHOLE_STATUS).match(p.content(2000))]


def outcomes(part: Part) -> tuple[list[Outcome], dict[str, str], list[str]]:
    """What one delivery-status part says, recipient by recipient; its per-message fields; the caps that cut."""
    raw = part.content(MAX_STATUS_BYTES)
    return read(decode(raw, b"utf-8" if part.type.startswith("message/global") else b""))


def read(text: str) -> tuple[list[Outcome], dict[str, str], list[str]]:
    """The same of fields as text."""
    message, recipients, cut = groups(text)
    cuts = ["recipients"] * (len(recipients) >= MAX_RECIPIENTS) + ["values"] * cut
    found = [_outcome(g) for g in recipients[:MAX_RECIPIENTS]]
    if not any(o.recipient for o in found) and (mended := _mended(text)) != text:
        return read(mended)
    return found, message, cuts


def _mended(text: str) -> str:
    """Fields whose names are written with a blank, and whose values stand in the next line, as RFC 3464 has them."""
    return _BELOW.sub(r"\1: ", _BLANK.sub(r"\1-\2", text[:100_000]))


def _outcome(group: dict[str, str]) -> Outcome:
    named = _recipient(group.get("final-recipient"))
    actual = group.get("x-actual-recipient", "")  # Sendmail's: where an alias leads; a program may stand there
    final = _recipient(actual) if actual.lower().startswith("rfc822") or not named else named
    original = _recipient(group.get("original-recipient"))
    said = group.get("diagnostic-code") or group.get("x-diagnostic-code") or group.get("smtp-remote-response")
    diagnostic = _untyped(said or group.get("x-supplementary-info", "").strip("<>").rpartition("smtp;")[2])
    field = group.get("status", "")
    if not diagnostic and (comment := _COMMENT.search(field)):
        diagnostic = comment.group(1)  # 5.0.0 (recipient reached disk quota)
    field_status = field if _STATUS.fullmatch(field) else address.enhanced(field)
    if "=?" in diagnostic:
        diagnostic = words(diagnostic)  # Exchange writes what is not ASCII as headers do (RFC 2047)
    code, reply_status = address.reply(diagnostic)
    recipient = original if original and "@" in original else named or final or original
    return Outcome(
        kind=_kind(group, field_status, code),
        recipient=recipient,
        final=final if final and recipient and final != recipient and final.lower() != recipient.lower() else None,
        status=reply_status or field_status,
        reply_code=code,
        diagnostic=diagnostic[:2000] or None,
        remote_mta=_untyped(group.get("remote-mta", ""))[:255] or None,
        stage=stage(diagnostic),
    )


def _kind(group: dict[str, str], status: str | None, code: str | None) -> Kind:
    word = group.get("action", "").lower()
    if "will-retry-until" in group and (status or "")[:1] == "4":
        return Kind.DELAYED  # whatever Action says: only what is tried again has this field (RFC 3464 §2.3.9)
    if word not in KIND:
        word = word.split("(")[0].split(";")[0].strip()
    if word in KIND:
        # a permanent reply under a permanent status is not tried again
        return Kind.BOUNCED if KIND[word] is Kind.DELAYED and (status or "4")[0] == (code or "4")[0] == "5" else KIND[word]
    first = word.split(" ")[0].strip(".,")
    return KIND.get(first) or CLASS.get((status or "5")[:1], Kind.BOUNCED)


def _recipient(value: str | None) -> str | None:
    if not value:
        return None
    if usual := _USUAL.fullmatch(value):
        return usual[1]
    if value.lower().startswith("utf-8"):
        # RFC 6533 §3: \x{00E9} stands for é
        value = re.sub(r"\\x\{([0-9A-Fa-f]{2,6})\}", lambda m: _char(m.group(1)), value)
    elif value.lower().startswith("xtext"):
        value = re.sub(r"\+([0-9A-F]{2})", lambda m: chr(int(m.group(1), 16)), value)
    found = address.clean(value)
    return found if found and not (found.startswith("/") and "=" in found and "@" not in found) else None  # X.400, where no mail went to


def _char(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "�"


def _untyped(value: str) -> str:
    if value.startswith("smtp;"):
        return value[5:].strip()
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and _WORD.fullmatch(kind) else value.strip()


def reported(message: dict[str, str]) -> tuple[str | None, str | None]:
    """Reporting MTA and original envelope id of the per-message fields."""
    return _untyped(message.get("reporting-mta", ""))[:255] or None, message.get("original-envelope-id", "")[:255] or None
