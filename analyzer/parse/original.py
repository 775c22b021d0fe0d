"""What a report lets us know of the message it speaks of: from the returned message, its headers, or what is left of them in the text."""

from __future__ import annotations

import re

from analyzer.model import Original
from analyzer.parse import address
from analyzer.parse.mime import Message, Part, date, decode, fields, words

RETURNED = {"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/rfc822"}
_IN_TEXT = re.compile(
    r"^[ \t>|]{0,8}(?:-{2,}.{0,80}(?:original message|message header|returned message|copy of (?:the|your) (?:message|e-?mail)|undelivered message|"
    r"message header follows|unsent message|メッセージ).{0,80}|(?P<field>Received|Return-Path|X-Mailer|Message-ID|From|Date|MIME-Version)[ \t]*:.{0,900})$",
    re.M | re.I,
)
_OWN_FIELDS = {"received", "return-path", "message-id", "from", "to", "date", "subject", "mime-version"}
_TRACES = {"received", "return-path", "message-id", "mime-version", "content-type"}
_FOR = re.compile(rb"\bfor\s+<([^<>\s]{3,320})>")
_OF_LISTS = frozenset({"list-id", "list-post", "list-unsubscribe", "mailing-list", "x-mailing-list", "x-beenthere", "x-ml-name"})
_CAMPAIGN = ("x-mailhealth-campaign", "x-campaign", "x-campaign-id", "x-campaignid", "x-mailer-campaign")
_TYPE = ("x-mailhealth-type", "x-mail-type")


def returned_headers(message: Message) -> dict[str, list[bytes]]:
    """The headers of the returned message; empty when it was not returned."""
    if message.returned is None:
        message.returned = _returned(message)
    return message.returned


def _returned(message: Message) -> dict[str, list[bytes]]:
    for part in message.parts[1:]:
        if part.inside and part.headers.keys() & {"from", "to", "subject", "message-id", "received"}:
            return part.headers
        if part.type in RETURNED and not part.type.startswith("message/rfc822"):
            found = fields(part.content().lstrip(b"\n"))
            if found:
                return found
    return {}


def split_text(text: str) -> tuple[str, str]:
    """The reporter's own words, and the returned message that follows them in the same text.

    A few indented lines that repeat whom the message went to and what it was called are the reporter's own.
    """
    for match in _IN_TEXT.finditer(text):
        rest = text[match.start() : match.start() + 20_000]
        names = {name.lower() for name in re.findall(r"^[ \t>|]{0,8}([A-Z][A-Za-z-]{1,30})[ \t]*:", rest, re.M)[:60]}
        repeated = match.group(0)[:1] in " \t" and not names & {"received", "return-path"}
        if len(names & _OWN_FIELDS) >= 3 and not repeated and (names & _TRACES or not match.group("field")):
            return text[: match.start()], text[match.start() :]
    return text, ""


def text_headers(rest: str) -> dict[str, list[bytes]]:
    """The headers of a returned message that stands in a text."""
    bare = re.sub(r"^[ \t>|]{1,8}(?=[A-Z][A-Za-z-]{1,30}[ \t]*:)", "", rest[:20_000], flags=re.M)
    return fields(bare.encode("utf-8", "replace"))


def original(headers: dict[str, list[bytes]], envelope_id: str | None = None) -> Original:
    """What those headers tell."""
    if not headers:
        return Original(envelope_id=envelope_id)
    tos = recipients(headers)
    return Original(
        message_id=message_id(_text(headers, "message-id")),
        sender=next(iter(address.addresses(_text(headers, "from"), 1)), None),
        envelope_sender=next(iter(address.addresses(_text(headers, "return-path"), 1)), None),
        recipient=tos[0] if len(tos) == 1 else None,
        subject=words(_text(headers, "subject"))[:500] or None,
        sent_at=date(_text(headers, "date")),
        envelope_id=envelope_id,
        feedback_id=_text(headers, "feedback-id")[:255] or None,
        campaign=next((v for v in (_text(headers, n)[:200] for n in _CAMPAIGN) if v), None),
        mail_type=next((v for v in (_text(headers, n)[:200] for n in _TYPE) if v), None),
    )


def recipients(headers: dict[str, list[bytes]]) -> list[str]:
    """Whom the returned message was mailed to: the envelope's recipient where a hop noted it, else its To."""
    hops = {m.decode("utf-8", "replace") for value in headers.get("received", [])[:30] for m in _FOR.findall(value) if b"@" in m}
    noted = [a for n in ("delivered-to", "x-original-to", "x-envelope-to", "envelope-to") for a in address.addresses(_text(headers, n), 5)]
    tos = address.addresses(" ".join(_text(headers, n) for n in ("to", "cc")), 200)
    if len(hops) == 1:
        return list(hops)
    return tos or noted[:1]


def mailed_to(headers: dict[str, list[bytes]]) -> str | None:
    """The one address that the sender mailed, where the returned message tells it: an alias may have led the message elsewhere.

    Of a list's mail the list was mailed, and the subscriber is whom the report is about: None.
    """
    if not headers or headers.keys() & _OF_LISTS or _text(headers, "precedence").strip().lower() == "list":
        return None
    noted = [decode(v, b"utf-8") for n in ("delivered-to", "x-original-to") for v in headers.get(n, [])[-1:]]
    hops = [m.decode("utf-8", "replace") for value in headers.get("received", [])[:30] for m in _FOR.findall(value) if b"@" in m]
    for told in ([a for v in noted for a in address.addresses(v, 1)], hops[-1:]):
        if told:
            return told[0]
    return None


def message_id(value: str) -> str | None:
    """A Message-ID without its angle brackets."""
    found = re.search(r"<([^<>\s]{1,990})>", value)
    return (found.group(1) if found else value.strip()[:990]) or None


def sender_of(part: Part) -> str:
    """The address in a message's From, else its Sender or Return-Path."""
    for name in ("from", "sender", "return-path"):
        found = address.addresses(part.header(name), 1)
        if found:
            return found[0]
    return ""


def _text(headers: dict[str, list[bytes]], name: str) -> str:
    values = headers.get(name)
    return decode(values[0], b"utf-8") if values else ""
