"""Which file is which: a log file is known by its first bytes, whatever its name is by now, and packed or not."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import cast

import zstandard

FIRST = 8192  # bytes at the beginning by which a file is known: PowerMTA's begin all with the same row of names
_BRIEF = 64  # of these, the bytes that are compared first
MOST_MARKS = 2_000  # beyond them the mark of the oldest file that is gone is given up
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
DAMAGED = (EOFError, zlib.error, zstandard.ZstdError)
"""What reading a damaged archive raises; gzip.BadGzipFile, an OSError, comes besides."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file was read."""

    inode: int
    offset: int  # bytes, unpacked, up to which it was read: always the end of a line
    length: int  # of its first bytes, those that `digest` covers
    brief: int  # checksum of the first 64 of them; 0 where there are less
    digest: str
    written: int  # its time of last writing, in nanoseconds
    size: int  # on the disk, when there was no more in it; -1: there was

    @staticmethod
    def at(offset: int, first: bytes, stat: os.stat_result, through: bool) -> Mark:
        """The mark of a file that begins with `first` and was read up to `offset`; `through`: to its end, as `stat` saw it."""
        length = min(offset, len(first))
        size = stat.st_size if through else -1
        return Mark(stat.st_ino, offset, length, _brief(first[:length]), _digest(first[:length]), stat.st_mtime_ns, size)


class Book:
    """The marks of the files of one source, as the cursor holds them: slot -> mark. Slots of files that are gone are used again."""

    def __init__(self, cursor: Mapping[str, str]) -> None:
        self._marks: dict[str, Mark] = {}
        self._slots: dict[int, set[str]] = {}
        self._through: dict[tuple[int, int, int], str] = {}
        self._met: set[str] = set()
        for slot, value in cursor.items():
            with suppress(ValueError, TypeError):  # a cursor of another kind of source that had this name
                self._enter(slot, Mark(*json.loads(value)))

    def _enter(self, slot: str, mark: Mark) -> None:
        self._marks[slot] = mark
        self._slots.setdefault(mark.brief, set()).add(slot)
        self._through[(mark.inode, mark.size, mark.written)] = slot

    def is_through(self, inode: int, size: int, written: int) -> bool:
        """Whether this file was read to its end and has not been touched since."""
        slot = self._through.get((inode, size, written))
        if slot is not None:
            self._met.add(slot)
        return slot is not None

    def find(self, first: bytes, inode: int) -> tuple[str | None, Mark | None]:
        """The slot and the mark of the file that begins so. A copy begins so too: the file itself comes first."""
        near = {*self._slots.get(_brief(first), ()), *self._slots.get(0, ())}
        fitting = [(s, m) for s in near if (m := self._marks[s]).length <= len(first) and _digest(first[: m.length]) == m.digest]
        slot, mark = max(fitting, key=lambda f: (f[1].inode == inode, f[1].length, f[1].offset), default=(None, None))
        if slot is not None:
            self._met.add(slot)
        return slot, mark

    def note(self, slot: str | None, mark: Mark) -> str:
        """Enters the mark, into a new slot where there is none; gives the slot."""
        if slot is None:
            slot = self._free()
        if slot in self._marks:
            self._slots[self._marks[slot].brief].discard(slot)
        self._enter(slot, mark)
        self._met.add(slot)
        return slot

    def _free(self) -> str:
        if len(self._marks) >= MOST_MARKS and (gone := self._marks.keys() - self._met):
            return min(gone, key=lambda s: self._marks[s].written)
        return str(len(self._marks))

    def value(self, slot: str) -> str:
        """The mark in a slot, as the cursor holds it."""
        return json.dumps(astuple(self._marks[slot]))


class LogFile:
    """An open log file, unpacked. Raises OSError. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._raw = path.open("rb")
        try:
            self.stat = os.fstat(self._raw.fileno())
            self._kind = self._raw.peek(4)[:4]
            self.packed = self._kind == _ZSTD or self._kind[:2] == _GZIP
            # KumoMTA takes away the right to write to a segment when it is finished ("Configuring Logging", crate kumo_jsonl)
            self.finished = self.packed and (self._kind != _ZSTD or not self.stat.st_mode & 0o222)
            self.damaged: str | None = None  # what is wrong with the archive, once that has shown
            self._buffered = self._unpacked()
            self.first = self.read(FIRST)
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def _unpacked(self) -> io.BufferedReader:
        self._raw.seek(0)
        if self._kind == _ZSTD:
            reader = zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(self._raw, read_across_frames=True, closefd=False)
            return io.BufferedReader(reader, 1 << 17)
        if self.packed:
            return cast("io.BufferedReader", gzip.GzipFile(fileobj=self._raw))  # it has the same methods
        return self._raw

    def seek(self, offset: int) -> None:
        """Goes to an offset, counted unpacked."""
        if not self.packed:
            self._raw.seek(offset)
            return
        self._buffered, self.damaged = self._unpacked(), None
        while offset > 0 and (passed := len(self.read(min(offset, 1 << 20)))):
            offset -= passed

    def read(self, size: int) -> bytes:
        """The next bytes: as many, or less where the file ends. Of a damaged archive what comes before the damage."""
        parts: list[bytes] = []
        while size > 0 and not self.damaged:
            try:
                part = self._buffered.read1(min(size, 1 << 14)) if self.packed else self._raw.read(size)
            except (*DAMAGED, OSError) as e:
                if not self.packed:
                    raise
                self.damaged = str(e)
                break
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def rest_of_line(self, most: int) -> bytes:
        """The bytes up to the next line end, at most so many."""
        if not self.packed:
            return self._raw.readline(most)
        line = b""
        while len(line) < most and not line.endswith(b"\n") and not self.at_end():
            ahead = self._buffered.peek(1)
            line += self.read(min(ahead.find(b"\n") + 1 or len(ahead), most - len(line)))
        return line

    def at_end(self) -> bool:
        """Whether there is nothing more to read, now."""
        try:
            return self.damaged is not None or not self._buffered.peek(1)
        except (*DAMAGED, OSError) as e:
            self.damaged = str(e)
            return True

    def is_as_it_was(self) -> bool:
        """Whether it still begins as it did: what was read since then is not of a file that was cut, and written anew, meanwhile."""
        return self.packed or os.pread(self._raw.fileno(), len(self.first), 0) == self.first

    def unpacked_size(self) -> int | None:
        """The size unpacked, where it can be told without unpacking."""
        if not self.packed:
            return self.stat.st_size
        if self._kind == _ZSTD:
            self._raw.seek(0)
            with suppress(zstandard.ZstdError):
                known = zstandard.get_frame_parameters(self._raw.read(18)).content_size
                return known if known < 2**63 else None
            return None
        self._raw.seek(-4, os.SEEK_END)
        return int.from_bytes(self._raw.read(4), "little")  # RFC 1952 §2.3.1, ISIZE: of a single member below 4 GB


def _brief(first: bytes) -> int:
    return zlib.crc32(first[:_BRIEF]) or 1 if len(first) >= _BRIEF else 0


def _digest(first: bytes) -> str:
    return hashlib.sha256(first).hexdigest()[:16]
