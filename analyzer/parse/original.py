"""What a report lets us know of the message it speaks of: from the returned message, its headers, or what is left of them in the text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from itertools import islice
from typing import Any

from analyzer.model import Original
from analyzer.parse import address
from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message, Part, date, decode, words
from analyzer.parse.own import own_id
from analyzer.parse.words import Words, small

RETURNED = {"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "text/rfc822"}
_TITLE = Words(
    r"[ \t>|]{0,8}-{2,}.{0,80}(?:original (?:message|headers?)|message header|returned message|copy of (?:the|your) (?:message|e-?mail)|undelivered message|"
    r"message header follows|unsent message|メッセージ).{0,80}$"
)
_FIELD = re.compile(r"[ \t>|]{0,8}(?:Received|Return-Path|X-Mailer|Message-ID|From|Date|MIME-Version)[ \t]*:.{0,900}$", re.I)
# how such a line begins in small letters, to be found from line to line
_BEGINS = re.compile(r"\n[ \t>|]{0,8}(?:--|received|return-path|x-mailer|message-id|from|date|mime-version)")
_NAMES = re.compile(r"^[ \t>|]{0,8}([A-Z][A-Za-z-]{1,30})[ \t]*:", re.M)
_OWN_FIELDS = {"received", "return-path", "message-id", "from", "to", "date", "subject", "mime-version"}
_TRACES = {"received", "return-path", "message-id", "mime-version", "content-type"}
_LETTER = ("received", "from", "to", "subject", "message-id")
_NAMED = re.compile(rb"name=\"?[^\"\n]{0,100}\.(?:822|eml)\b", re.I)  # GroupWise returns messages so
NONE = Headers(b"")
"""The headers of a message that was not returned."""
_FOR = re.compile(rb"\bfor\s+<([^<>\s@]{1,64}@[^<>\s]{1,255})>")
_OF_LISTS = ("list-id", "list-post", "list-unsubscribe", "mailing-list", "x-mailing-list", "x-beenthere", "x-ml-name")
_KEEPER = re.compile(r"owner-([^@]+)@|([^@]+?)[-+.](?:owner|admin|bounces?|request|return|errors?)\b")
"""Who gets the reports of a mailing list, and the list's name."""
_TRACE = re.compile(r"received:[ \t]+(?:from|by)[ \t]", re.I)
_ID = re.compile(r"<([^<>\s]{1,990})>")
_OF_SES = re.compile(rb"<?([0-9a-z-]{20,100})@(?:email|[a-z0-9-]{5,25})\.amazonses\.com>?", re.I)
_CAMPAIGN = ("x-mailhealth-campaign", "x-campaign", "x-campaign-id", "x-campaignid", "x-mailer-campaign")
_TYPE = ("x-mailhealth-type", "x-mail-type")


def returned_headers(message: Message) -> Headers:
    """The headers of the returned message; empty when it was not returned."""
    if message.returned is None:
        message.returned = _returned(message)
    return message.returned


def _returned(message: Message) -> Headers:
    is_report = message.top.type == "multipart/report"
    for part in message.parts[1:]:
        # a report within other mail was forwarded; what it returns comes further below
        if part.inside and part.headers.any(_LETTER) and (is_report or part.type != "multipart/report"):
            return part.headers
        named = part.type == "application/octet-stream" and _NAMED.search(part.raw("content-type"))
        if named or (part.type in RETURNED and not part.type.startswith("message/rfc822")):
            found = Headers(part.content().lstrip(b"\n"))
            if found:
                return found
    return NONE


def split_text(text: str) -> tuple[str, str]:
    """The reporter's own words, and the returned message that follows them in the same text.

    A few indented lines that repeat whom the message went to and what it was called are the reporter's own.
    """
    low = small(text)
    if not any(map(low.__contains__, _TRACES)) and "--" not in low:
        return text, ""
    for line in _BEGINS.finditer("\n" + low):
        start, end = line.start(), text.find("\n", line.start())
        said = text[start : end if end >= 0 else len(text)]
        field = _FIELD.match(said)
        if not field and not _TITLE.match(said):
            continue
        if _TRACE.match(said):
            return text[:start], text[start:]
        rest = text[start : start + 20_000]
        if field and (blank := rest.find("\n\n", 1)) >= 0:
            rest = rest[:blank]  # a few fields that the reporter repeats are no head, whatever returns further below
        names = {name[1].lower() for name in islice(_NAMES.finditer(rest), 60)}
        repeated = field and said[:1] in " \t" and not names & {"received", "return-path"}
        if len(names & _OWN_FIELDS) >= 3 and not repeated and (names & _TRACES or not field):
            return text[:start], text[start:]
    return text, ""


def text_headers(rest: str) -> Headers:
    """The headers of a returned message that stands in a text."""
    bare = re.sub(r"^[ \t>|]{1,8}(?=[A-Z][A-Za-z-]{1,30}[ \t]*:)", "", rest[:20_000], flags=re.M)
    return Headers(bare.encode("utf-8", "replace"))


class _Told(Original):
    """What headers tell, each field read when it is asked for: most of them never are. To everybody else an Original."""

    __slots__ = ("_headers",)

    @classmethod
    def of(cls, headers: Headers, envelope_id: str | None) -> Original:
        """What these headers tell."""
        made = object.__new__(cls)
        object.__setattr__(made, "_headers", headers)
        object.__setattr__(made, "envelope_id", envelope_id)
        return made

    def __getattr__(self, name: str) -> Any:
        if name not in _READ:
            raise AttributeError(name)
        value = _READ[name](self._headers)
        object.__setattr__(self, name, value)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Original) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return Original, _values(self)


def _values(told: Original) -> tuple[Any, ...]:
    return tuple(getattr(told, f.name) for f in fields(told))


_READ: dict[str, Callable[[Headers], Any]] = {
    "message_id": lambda h: message_id(_text(h, "message-id")),
    "sender": lambda h: next(iter(address.addresses(_text(h, "from"), 1)), None),
    "recipient": lambda h: _only(recipients(h)),
    "subject": lambda h: words(_text(h, "subject"))[:500] or None,
    "sent_at": lambda h: date(_text(h, "date")),
    "feedback_id": lambda h: _text(h, "feedback-id")[:255] or None,
    "campaign": lambda h: next((v for v in (_text(h, n)[:200] for n in _CAMPAIGN) if v), None),
    "mail_type": lambda h: next((v for v in (_text(h, n)[:200] for n in _TYPE) if v), None),
    "sending_ip": lambda h: None,
    "provider_id": lambda h: _provider_id(h),
    "header_id": lambda h: own_id(lambda name: _text(h, name)),
    "envelope_sender": lambda h: next(iter(address.addresses(_text(h, "return-path"), 1)), None),
}


def original(headers: Headers, envelope_id: str | None = None) -> Original:
    """What those headers tell."""
    return _Told.of(headers, envelope_id) if headers else Original(envelope_id=envelope_id)


def _provider_id(headers: Headers) -> str | None:
    """The SMTP provider's own id, where it stands in the message itself."""
    # Postmark: the MessageID of its API and webhooks (corpus/provider/postmark-01.eml)
    if postmark := _text(headers, "x-pm-message-id").strip():
        return postmark[:200]
    # Amazon SES puts a Message-ID of its own, <id@region.amazonses.com>, in the place of the sender's ("Amazon SES header fields")
    of_ses = _OF_SES.search(headers.raw("message-id")[:400])
    return of_ses[1].decode() if of_ses else None


def _only(found: list[str]) -> str | None:
    return found[0] if len(found) == 1 else None


def recipients(headers: Headers) -> list[str]:
    """Whom the returned message was mailed to: the envelope's recipient where a hop noted it, else its To."""
    hops = {m.decode("utf-8", "replace") for value in headers.values("received", 30) for m in _FOR.findall(value)}
    noted = [a for n in ("delivered-to", "x-original-to", "x-envelope-to", "envelope-to") for a in address.addresses(_text(headers, n), 5)]
    tos = address.addresses(" ".join(_text(headers, n) for n in ("to", "cc")), 200)
    if len(hops) == 1:
        return list(hops)
    return tos or noted[:1]


def noted(headers: Headers) -> str | None:
    """The address under which the first system that noted one took the returned message."""
    for name in ("delivered-to", "x-original-to"):
        for value in headers.values(name)[-1:]:
            if found := address.addresses(decode(value, b"utf-8"), 1):
                return found[0]
    if b"for" not in headers.low():
        return None
    hops = [m for value in headers.values("received", 30) if b"for" in value for m in _FOR.findall(value)]
    return hops[-1].decode("utf-8", "replace") if hops else None


def of_our_list(address_: str, top: Part) -> bool:
    """Whether an address is that of a mailing list whose keeper got this report: its subscribers were mailed, and not the list."""
    local, _, _ = address_.lower().partition("@")
    return bool(local) and any(
        local in keeper.groups() for keeper in map(_KEEPER.match, address.addresses(top.header("to").lower(), 5)) if keeper
    )


def mailed_alone(headers: Headers, top: Part) -> list[str]:
    """Whom the returned message was mailed to; nobody where it went to a list of ours, whose subscribers are not named in it."""
    found = recipients(headers)
    return [] if any(of_our_list(a, top) for a in found) else found


def of_a_list(headers: Headers) -> bool:
    """Whether a mailing list distributed the message: the list was mailed, and the subscriber is whom a report is about."""
    return headers.any(_OF_LISTS) or headers.raw("precedence").strip().lower() == b"list"


def mailed_to(headers: Headers) -> str | None:
    """The one address that the sender mailed, where the returned message tells it: an alias may have led the message elsewhere."""
    return None if of_a_list(headers) else noted(headers)


def message_id(value: str) -> str | None:
    """A Message-ID without its angle brackets."""
    found = _ID.search(value)
    return (found.group(1) if found else value.strip()[:990]) or None


def sender_of(part: Part) -> str:
    """The address in a message's From, else its Sender or Return-Path."""
    for name in ("from", "sender", "return-path"):
        found = address.addresses(part.header(name), 1)
        if found:
            return found[0]
    return ""


def _text(headers: Headers, name: str) -> str:
    return decode(headers.raw(name), b"utf-8")
