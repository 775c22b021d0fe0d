"""What a receiver packed: plain, gzip or zip, to the bytes of one report. Whatever is in it, no more than MOST_BYTES are unpacked.

`zipfile` reads the directory at the end of an archive, which a stranger may make as long as he likes. The members themselves stand one
after the other, and reading them so needs no directory.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

MOST_BYTES = 32 * 1024 * 1024  # unpacked, of all that is in an archive
MOST_MEMBERS = 20  # of a zip that are looked at
GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
_LOCAL = struct.Struct("<4s2xHH4x4xLLHH")  # signature, flags, method, (time, CRC), sizes packed and plain, lengths of name and extra
_ENCRYPTED, _SIZES_FOLLOW = 0x0001, 0x0008
_END = re.compile(rb"PK(?:\x07\x08|\x01\x02|\x03\x04)")
_TEXT = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\x00]{0,1000}[<{]")


class Unpacked(NamedTuple):
    """What was in it."""

    data: bytes  # XML or JSON
    cut: str | None = None  # why it does not go to its end


def unpack(data: bytes) -> Unpacked | str:
    """The report in `data`; or a sentence on why there is none. Never raises."""
    if data.startswith(GZIP):
        found = _inflated(data, 0, 31, MOST_BYTES)
        return Unpacked(found.data, found.cut) if text(found.data) else "a gzip archive without a report in it"
    if data.startswith(ZIP):
        return _of_zip(data)
    if not text(data):
        return "neither XML nor JSON, nor an archive of them"
    return Unpacked(data[:MOST_BYTES], _TOO_LONG if len(data) > MOST_BYTES else None)


def packed(data: bytes) -> bool:
    """Whether this may be a report by itself, and not a mail."""
    return data.startswith((GZIP, ZIP)) or text(data)


def text(data: bytes) -> bool:
    """Whether this begins as XML or JSON does."""
    return _TEXT.match(data) is not None


class _Inflated(NamedTuple):
    data: bytes
    end: int  # where it ended in the archive
    cut: str | None


_TOO_LONG = f"it is longer than {MOST_BYTES >> 20} MiB"
_BROKEN_OFF = "its archive is damaged or cut off"


def _inflated(data: bytes, start: int, form: int, most: int) -> _Inflated:
    """What was deflated, from `start` on; at most `most` bytes."""
    inflate = zlib.decompressobj(form)
    pieces: list[bytes] = []
    size, at, cut = 0, start, _BROKEN_OFF
    # piece by piece, so that what came before a damaged place is not lost
    while at < len(data) and not inflate.eof:
        piece = inflate.unconsumed_tail or data[at : at + 65536]
        at += 0 if inflate.unconsumed_tail else len(piece)
        try:
            pieces.append(inflate.decompress(piece, most - size))
        except zlib.error:
            break
        size += len(pieces[-1])
        if size >= most:
            cut = _TOO_LONG
            break
    return _Inflated(b"".join(pieces), at - len(inflate.unused_data), None if inflate.eof else cut)


def _of_zip(data: bytes) -> Unpacked | str:
    """The first member that is XML or JSON."""
    at, left = 0, MOST_BYTES
    for _ in range(MOST_MEMBERS):
        if not data.startswith(ZIP, at) or at + 30 > len(data):
            break
        _, flags, method, size, _, name, extra = _LOCAL.unpack_from(data, at)
        if flags & _ENCRYPTED:
            return "an encrypted archive"
        if method not in (0, 8):
            return f"an archive of a kind that is not read (method {method})"
        start = at + 30 + name + extra
        found = _inflated(data, start, -15, left) if method == 8 else _stored(data, start, size, flags, left)
        if text(found.data):
            return Unpacked(found.data, found.cut)
        left -= len(found.data)
        if found.cut or left <= 0:
            break
        # after a member whose sizes were not known beforehand, they follow
        following = data.find(ZIP, found.end, found.end + 64)
        at = following if following >= 0 else len(data)
    return "a zip archive without a report in it"


def _stored(data: bytes, start: int, size: int, flags: int, most: int) -> _Inflated:
    """A member that was not deflated."""
    end = start + size
    if flags & _SIZES_FOLLOW and not size:
        found = _END.search(data, start)
        end = found.start() if found else len(data)
    cut = _TOO_LONG if end - start > most else _BROKEN_OFF if end > len(data) else None
    return _Inflated(data[start : min(end, start + most)], end, cut)
