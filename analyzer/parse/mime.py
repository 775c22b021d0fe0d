"""Windows over the bytes of a message: headers, parts, texts. Nothing here raises, whatever the bytes; caps that cut are named.

Python's `email` package costs five to sixty times what the whole answer may cost, and gives up on some hostile input.
"""

from __future__ import annotations

import binascii
import html
import quopri
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from analyzer.parse.headers import Headers

MAX_BYTES = 64 * 1024 * 1024  # of a message that are looked at
MAX_PARTS = 500
MAX_DEPTH = 60
MAX_HEADER_BYTES = 512 * 1024  # of one header block
MAX_TEXT = 256 * 1024  # of one text part that are decoded

_NEWLINES = re.compile(rb"\n*")
_BOUNDARY = re.compile(rb"""boundary\s*=\s*(?:"([^"\n]{1,200})"|([^\s;"]{1,200}))""", re.I)
_SEPARATOR = re.compile(rb"(--[^\s]{1,200})[ \t]*\n(?:[!-9;-~]{1,100}:.*\n(?:[ \t].*\n)*){0,6}?content-type[ \t]*:", re.I)
_CHARSET = re.compile(rb"""charset\s*=\s*["']?([A-Za-z0-9_.:-]{1,40})""", re.I)
_WORD = re.compile(r"=\?([A-Za-z0-9_.:*-]{1,40})\?([bBqQ])\?([^?\s]{0,4096})\?=")
# the form in which nearly all dates are written, read at a twentieth of what email.utils takes
_DATE = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), +)?(\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ((?:19|20)\d\d) (\d\d):(\d\d):(\d\d) ([+-])([01]\d)([0-5]\d)(?: \([A-Z]{1,5}\))?$",
    re.ASCII,
)
_MONTH = {name: n for n, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)}
_TAG = re.compile(r"<[^<>]{0,10000}>")
_CELL = re.compile(r"</t[dh]\b[^<>]{0,200}>", re.I)
_BREAK = re.compile(r"<(?:br|/p|/div|/tr|/h\d|/li)\b[^<>]{0,200}>", re.I)
_HIDDEN = re.compile(r"<(style|script|head)\b[^<>]{0,500}>[^<]{0,100000}(?:<(?!/\1)[^<]{0,10000}){0,200}</\1\s{0,20}>?", re.I)
_LIKE_ASCII = {b"", b"us-ascii", b"ascii", b"utf-8", b"iso-8859-1", b"windows-1252"}
_ALIASES = {
    "cp-850": "cp850", "x-unknown": "utf-8", "unknown-8bit": "utf-8", "unicode-1-1-utf-7": "utf-7", "iso-2022-jp": "iso2022_jp_3",
    # what systems write who name the first (https://encoding.spec.whatwg.org/#names-and-labels)
    "iso-8859-1": "cp1252", "latin1": "cp1252", "iso-8859-9": "cp1254", "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs",
    "iso-8859-8-i": "iso-8859-8", "iso-8859-8-e": "iso-8859-8", "iso-8859-6-i": "iso-8859-6", "iso-8859-6-e": "iso-8859-6", "logical": "iso-8859-8",
    "shift_jis": "cp932", "x-sjis": "cp932", "euc-kr": "cp949", "ks_c_5601-1987": "cp949",
}  # fmt: skip


class Part:
    """One part of a message: windows over its bytes; headers and text are read when they are asked for."""

    __slots__ = ("_text", "body", "cut", "data", "depth", "head", "headers", "inside", "type")

    def __init__(self, data: bytes, head: tuple[int, int], body: tuple[int, int], depth: int = 0, inside: bool = False) -> None:
        self.data = data  # of the whole message, lines ended by LF
        self.head, self.body = head, body
        self.depth = depth
        self.inside = inside  # within a returned or attached message
        self.headers = Headers(data, *head)
        self.type = self.headers.media_type()  # in small letters; text/plain when there is none
        self._text: str | None = None
        self.cut = False  # of a text longer than MAX_TEXT the rest was not read

    def raw(self, name: str) -> bytes:
        """The first value of a header, unfolded; empty when there is none."""
        return self.headers.raw(name)

    def header(self, name: str) -> str:
        """The first value of a header as text, encoded words decoded."""
        return words(decode(self.headers.raw(name), b"utf-8"))

    def text(self) -> str:
        """The decoded text of the body, of HTML without its tags, at most MAX_TEXT bytes of it."""
        if self._text is None:
            found = _CHARSET.search(self.raw("content-type"))
            content, size = self.content(MAX_TEXT), self.body[1] - self.body[0]
            self.cut = size > 2 * MAX_TEXT or size > MAX_TEXT == len(content)
            text = decode(content, found.group(1) if found else b"")
            self._text = plain(text) if self.type == "text/html" else text
        return self._text

    def content(self, most: int = MAX_TEXT, verbatim: bool = False) -> bytes:
        """The body's bytes, its transfer encoding undone. Lines end with LF, unless they are wanted `verbatim`."""
        start, end = self.body
        raw = self.data[start : min(end, start + most * 2)]
        encoding = self.raw("content-transfer-encoding").strip().lower()
        if encoding == b"base64":
            raw = _base64(raw)
        elif encoding == b"quoted-printable":
            raw = quopri.decodestring(raw)
        return raw[:most] if verbatim else _with_lf(raw[:most])


class Message:
    """A message as its parts, outermost first, in the order in which they stand."""

    __slots__ = ("data", "parts", "returned", "top", "truncated")

    def __init__(self, data: bytes, parts: list[Part], truncated: list[str]) -> None:
        self.data, self.parts, self.truncated = data, parts, truncated
        self.top = parts[0]  # the message itself
        self.returned: Headers | None = None  # of the message that it returns, once they were asked for

    def cuts(self) -> list[str]:
        """The caps that cut something that was asked for: its names of parts, values, texts."""
        found = list(self.truncated)
        if any(part.cut for part in self.parts):
            found.append("texts")
        if self.top.headers.cut or (self.returned is not None and self.returned.cut):
            found.append("values")
        return found

    def own(self, *types: str) -> Iterator[Part]:
        """The parts of these types that are the message's own, not those of a message that it returns."""
        return (p for p in self.parts if p.type in types and not p.inside)


def read(data: bytes) -> Message:
    """The parts of a message. LF, CRLF and CR end a line alike."""
    truncated = []
    if len(data) > MAX_BYTES:
        data, truncated = data[:MAX_BYTES], ["bytes"]
    data = _with_lf(data)
    start = _NEWLINES.match(data).end()  # type: ignore[union-attr]  # it matches anything
    if data.startswith((b"From ", b">From "), start):  # an mbox's separator came along
        start = data.find(b"\n", start) + 1
    parts: list[Part] = []
    stack = [(start, len(data), 0, False)]
    while stack:
        begin, end, depth, inside = stack.pop()
        if len(parts) >= MAX_PARTS:
            _once(truncated, "parts")
            break
        part = _part(data, begin, end, depth, inside, truncated)
        parts.append(part)
        if part.type[0] != "m":
            continue  # neither multipart/ nor message/
        children = _children(part)
        if not children and depth and part.type.startswith("multipart/"):
            part.type = "text/plain"  # without parts it is what it says
        if children and depth >= MAX_DEPTH:
            _once(truncated, "depth")
            continue
        if len(children) > MAX_PARTS:
            _once(truncated, "parts")
        stack.extend(reversed(children[:MAX_PARTS]))
    return Message(data, parts, truncated)


def _part(data: bytes, begin: int, end: int, depth: int, inside: bool, truncated: list[str]) -> Part:
    if data.startswith(b"\n", begin):
        return Part(data, (begin, begin), (begin + 1, end), depth, inside)
    gap = data.find(b"\n\n", begin, end)
    head_end, body = (gap + 1, gap + 2) if gap >= 0 else (end, end)
    if head_end - begin > MAX_HEADER_BYTES:
        head_end = begin + MAX_HEADER_BYTES
        _once(truncated, "headers")
    return Part(data, (begin, head_end), (body, end), depth, inside)


def _children(part: Part) -> list[tuple[int, int, int, bool]]:
    kind, (start, end) = part.type, part.body
    if kind in {"message/rfc822", "message/global"}:
        if start >= end:
            return []
        if part.data.startswith(b"\n", start):
            start = _NEWLINES.search(part.data, start, end).end()  # type: ignore[union-attr]  # it matches anything
        return [(start, end, part.depth + 1, True)]
    if not kind.startswith("multipart/"):
        return []
    mark, at = _mark(part)
    children: list[tuple[int, int, int, bool]] = []
    while at and len(children) <= MAX_PARTS:
        line_end = part.data.find(b"\n", at, end)
        tail = part.data[at + len(mark) : line_end if line_end >= 0 else end]
        if tail.startswith(b"--") or line_end < 0:
            break
        following = part.data.find(b"\n" + mark, line_end, end)
        # a part whose end is missing goes to the end of its parent
        children.append((line_end + 1, following if following >= 0 else end, part.depth + 1, part.inside))
        at = following + 1
    return children


def _mark(part: Part) -> tuple[bytes, int]:
    """The line that separates the parts, and where it stands first. Where the boundary named stands nowhere, a line that looks like one is it."""
    value, data, (start, end) = part.raw("content-type"), part.data, part.body
    at = value.lower().find(b"boundary")
    named = _BOUNDARY.match(value, at) or _BOUNDARY.search(value, at) if at >= 0 else None
    if named:
        mark = b"--" + (named.group(1) or named.group(2)).rstrip()
        first = start if data.startswith(mark, start) else data.find(b"\n" + mark, start - 1, end) + 1
        if first:
            return mark, first
    at = start if data.startswith(b"--", start) else data.find(b"\n--", start, end) + 1
    for _ in range(MAX_PARTS):
        if not at:
            break
        if seen := _SEPARATOR.match(data, at, end):
            return seen.group(1), data.find(seen.group(1), start)  # Sendmail's first part has no headers
        at = data.find(b"\n--", at, end) + 1
    return b"", 0


def _with_lf(data: bytes) -> bytes:
    """The bytes with LF for whatever ends their lines."""
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def decode(raw: bytes, charset: bytes, guess: bool = True) -> str:
    """Text from bytes: by the charset named, where that is possible, else UTF-8, else by what the bytes look like; Latin-1 without a `guess`."""
    if raw.isascii() and charset.lower() in _LIKE_ASCII and b"\x1b" not in raw:
        return raw.decode("ascii")
    name = charset.decode("ascii", "replace").lower()
    if b"\x1b$" in raw[:20000] and name in {"", "us-ascii", "utf-8"}:
        name = "iso-2022-jp"
    if name in {"", "us-ascii", "ascii"}:
        name = "utf-8"
    try:
        return raw.decode(_ALIASES.get(name, name), "strict")
    except (LookupError, ValueError, AttributeError):
        pass
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        if name != "utf-8":
            return raw.decode(_ALIASES.get(name, name), "replace")
    except (LookupError, ValueError, AttributeError):
        pass
    if not guess:
        return raw.decode("latin-1")
    from analyzer.parse.charsets import guessed

    return raw.decode(guessed(raw), "replace")


def words(text: str) -> str:
    """Text with its encoded words (RFC 2047) decoded."""
    if "=?" not in text:
        return text
    text = re.sub(r"(\?=)\s{1,100}(=\?)", r"\1\2", text)
    return _WORD.sub(_word, text)


def _word(match: re.Match[str]) -> str:
    charset, encoding, data = match.groups()
    raw = data.encode("ascii", "replace")
    raw = _base64(raw) if encoding in "bB" else quopri.decodestring(raw.replace(b"_", b" "))
    return decode(raw, charset.split("*")[0].encode(), guess=False)  # a header may have a thousand of them


def _base64(raw: bytes) -> bytes:
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", raw.split(b"\n\n--", 1)[0])
    try:
        return binascii.a2b_base64(
            clean[: len(clean) // 4 * 4] + (clean[len(clean) // 4 * 4 :] + b"==")[:4]
            if len(clean) % 4 > 1
            else clean[: len(clean) // 4 * 4]
        )
    except (binascii.Error, ValueError):
        return raw


def plain(text: str) -> str:
    """The text of HTML: no tags, entities decoded, a line per block."""
    text = _HIDDEN.sub(" ", text)
    if "<pre" not in text.lower():
        text = text.replace("\n", " ")  # only tags end lines
    return html.unescape(_TAG.sub(" ", _CELL.sub("\t", _BREAK.sub("\n", text))))


def date(text: str) -> datetime | None:
    """An RFC 5322 date as aware UTC; None when it cannot be read."""
    text = text.strip()[:100]
    usual = _DATE.match(text)
    try:
        if usual:
            day, month, year, hour, minute, second, sign, hours, minutes = usual.groups()
            east = timedelta(hours=int(hours), minutes=int(minutes))
            local = datetime(int(year), _MONTH[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            return local - east if sign == "+" else local + east
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _once(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
