"""A log that is written, rotated and packed as programs do it, and what was read of it."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any

import zstandard

from analyzer.inbox import Inbox
from analyzer.model import Capture
from analyzer.sources import LogSource
from collectors.logs import LogCollector

OLD = time.time() - 3600


def line(n: int) -> bytes:
    return b"2026-11-01T10:00:00+00:00 mx postfix/smtp[1]: %010X: to=<u%d@b.example>, relay=none, delay=1, status=sent (250 ok)\n" % (n, n)


def lines(*numbers: int) -> bytes:
    return b"".join(line(n) for n in range(*numbers))


class Followed:
    """A log, its collector and the inbox."""

    def __init__(self, folder: Path, path: str = "mail.log", **source: Any) -> None:
        self.folder, self.log = folder, folder / "mail.log"
        self.source = LogSource.model_validate({"type": "log", "path": folder / path, "mta": "postfix"} | source)
        self.inbox = Inbox(folder.parent / "inbox.sqlite")
        self.notes: list[str] = []

    def collect(self, keep: Any = None) -> int:
        """One pass of a fresh process; the captures that were new."""
        return LogCollector("log", self.source).collect(keep or self.inbox.keep, self.cursor, self._said).kept

    def _said(self, done: int, total: int | None, note: str = "") -> None:
        assert total is None or done <= total
        if note:
            self.notes.append(note)

    def cursor(self) -> dict[str, str]:
        return self.inbox.cursor("log")

    def captures(self) -> list[Capture]:
        return [c for _, c in self.inbox.pending(limit=100_000, max_bytes=1 << 30)]

    def taken(self) -> bytes:
        """All that was kept, without the lines above the blocks."""
        return b"".join(c.data.partition(b"\n")[2] for c in self.captures())

    def write(self, data: bytes, path: Path | None = None) -> None:
        with (path or self.log).open("ab") as file:
            file.write(data)

    def rotate(self) -> None:
        """As logrotate does: each file one number on."""
        for n in range(8, 0, -1):
            for suffix in ("", ".gz", ".zst"):
                if (old := self.folder / f"mail.log.{n}{suffix}").exists():
                    old.rename(self.folder / f"mail.log.{n + 1}{suffix}")
        self.log.rename(self.folder / "mail.log.1")
        self.log.touch()

    def pack(self, name: str, suffix: str = ".gz") -> None:
        """As gzip and zstd do: the time of the file stays."""
        path, stat = self.folder / name, (self.folder / name).stat()
        packed = self.folder / (name + suffix)
        packed.write_bytes(gzip.compress(path.read_bytes()) if suffix == ".gz" else zstandard.compress(path.read_bytes()))
        os.utime(packed, (stat.st_atime, stat.st_mtime))
        path.unlink()


def age(folder: Path) -> None:
    """Makes all files an hour old, in their order."""
    for n, path in enumerate(sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns)):
        os.utime(path, (OLD + n, OLD + n))
