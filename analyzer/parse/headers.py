"""Header fields as a window over bytes: a field is looked for when it is asked for, and only its own bytes are read.

A report has thirty fields in three blocks, and an answer needs ten of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_VALUE = 16 * 1024  # bytes of one header's value

_FIELD = re.compile(rb"^[!-9;-~]{1,100}[ \t]*:", re.M)
_COLON = re.compile(rb"[ \t]*:")
_TYPE = re.compile(rb"\ncontent-type: ?([a-z0-9]{1,40}/[a-z0-9.+-]{1,80})(?=[; \n])")
_BLANKS = b" \t"


class _Keys(dict[str, bytes]):
    """A field's name -> how it stands at the beginning of a line."""

    def __missing__(self, name: str) -> bytes:
        self[name] = key = b"\n" + name.encode()
        return key


_KEY = _Keys()


class _Types(dict[bytes, str]):
    """A media type as text: a stream has a dozen."""

    def __missing__(self, raw: bytes) -> str:
        text = raw.decode("ascii", "replace")
        if len(self) < 1000:
            self[raw] = text
        return text


_TYPES = _Types()


class Headers:
    """The fields that stand in `data` from `start` to `end`; names are asked for in lower case. Lines end with LF."""

    __slots__ = ("_data", "_end", "_low", "_start", "cut")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data, self._start, self._end = data, start, len(data) if end is None else end
        self._low: bytes | None = None
        self.cut = False  # of a value longer than MAX_VALUE the rest was not read

    def __bool__(self) -> bool:
        return _FIELD.search(self._data, self._start, self._end) is not None

    def __contains__(self, name: str) -> bool:
        return self._colon(_KEY[name], 0) >= 0

    def any(self, names: Iterable[str]) -> bool:
        """Whether there is a field of one of these names."""
        for name in names:  # noqa: SIM110  # a generator would take as long as the search
            if self._colon(_KEY[name], 0) >= 0:
                return True
        return False

    def begin(self, letters: bytes) -> bool:
        """Whether the name of a field begins with these small letters."""
        return self.low().find(b"\n" + letters) >= 0

    def low(self) -> bytes:
        """All of it in small letters, after a line's end."""
        if self._low is None:
            self._low = b"\n" + self._data[self._start : self._end].lower()
        return self._low

    def media_type(self) -> str:
        """The media type in the Content-Type, in small letters; text/plain when there is none."""
        low = self.low()
        at = low.find(b"\ncontent-type")
        if at < 0:
            return "text/plain"
        usual = _TYPE.match(low, at)
        if usual:
            return _TYPES[usual[1]]
        # some leave out the ";"
        found = self.raw("content-type")[:300].split(b";", 1)[0].strip().lower().split(b" ", 1)[0]
        return found.decode("ascii", "replace") if b"/" in found else "text/plain"

    def raw(self, name: str) -> bytes:
        """The first value of a field, unfolded, at most MAX_VALUE bytes of it; empty when there is none."""
        colon = self._colon(_KEY[name], 0)
        return self._value(colon) if colon >= 0 else b""

    def values(self, name: str, most: int = 1000) -> list[bytes]:
        """The values of all fields of a name, in order."""
        key, found = _KEY[name], list[bytes]()
        colon = self._colon(key, 0)
        while colon >= 0 and len(found) < most:
            found.append(self._value(colon))
            colon = self._colon(key, colon)
        return found

    def _colon(self, key: bytes, begin: int) -> int:
        """Where, from `begin` on, the colon of a field stands in `_low`; -1 when there is no such field."""
        low = self._low
        if low is None:
            low = self.low()
        at = low.find(key, begin)
        while at >= 0:
            colon = at + len(key)
            if low[colon : colon + 1] == b":":
                return colon
            found = _COLON.match(low, colon)
            if found:
                return found.end() - 1
            at = low.find(key, colon)
        return -1

    def _value(self, colon: int) -> bytes:
        data, begin = self._data, self._start + colon
        stop = min(self._end, begin + MAX_VALUE)
        end = data.find(b"\n", begin, stop)
        if end < 0:
            self.cut |= stop < self._end
            return data[begin:stop].strip()
        if end + 1 >= stop or data[end + 1] not in _BLANKS:
            return data[begin:end].strip()
        while end >= 0 and end + 1 < stop and data[end + 1] in _BLANKS:
            end = data.find(b"\n", end + 1, stop)
        self.cut |= end < 0 and stop < self._end
        return b" ".join(data[begin : end if end >= 0 else stop].split())
