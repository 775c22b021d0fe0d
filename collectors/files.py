"""Mail in files: .eml, folders of them, Maildir, mbox; plain, .gz or .zst; standard input. Nothing is changed on the disk."""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import threading
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import zstandard

from analyzer.model import MESSAGE, RECEIVER_REPORT, Capture
from collectors.base import Cursor, Keep, Progress, SourceFailed, Tally, look, silent

if TYPE_CHECKING:  # pydantic takes longer to import than a thousand messages to read
    from analyzer.sources import FilesSource, StatisticsSource

MAX_MESSAGE = 64 * 1024 * 1024  # bytes, expanded
BATCH_MESSAGES = 500
BATCH_BYTES = 32 * 1024 * 1024
CHUNK = 128 * 1024
BORDER = 512  # bytes in which a From_ line stands, with the blank line before it
STDIN = Path("-")
"""Stands for standard input."""
# a From_ line: sender, day, month, date, time, year; a line of prose that begins with "From " is none
_FROM = re.compile(
    rb"From (?:\S+|\"[^\"\n]{0,200}\"\S*)?\s{0,3}(?:.{0,60}?)(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:[A-Z][a-z]{2} +\d{1,2}|\d{1,2} +[A-Z][a-z]{2})\b.{0,60}\d{4}"
)
_QUOTED = re.compile(rb"^>(>*From )", re.M)
_INDEX = re.compile(r"\.|dovecot(?:\.(?:index|list|mailbox|svbin|sieve)|-(?:uid|keywords|acl|quota))|courierimap|maildir(?:size|folder)$")
_REPORT = re.compile(r"\.(?:(?:xml|json)(?:\.(?:gz|zst))?|zip)$", re.I)
LEFT_OUT = (".tmp", ".lock", ".idx", ".db", ".sqlite", ".toml", ".csv", ".jsonl", ".json", ".py", ".md", ".txt")
"""How names end that no message in a folder has."""


def read_messages(paths: Iterable[Path | str], said: Progress = silent) -> Iterator[tuple[str, bytes]]:
    """Id and bytes of each message in files, folders, Maildirs and mboxes, in order; '-' is standard input.

    The id is the path, in an mbox PATH#N with N from 1. Raises SourceFailed for a path that is not there.
    What is left out (over 64 MiB, a damaged archive) is told to `said` as a note.
    """
    for file in each_file(paths):
        yield from read_file(file, said)


def each_file(paths: Iterable[Path | str]) -> Iterator[Path]:
    """The files of all paths, in order; STDIN among them. Raises SourceFailed for a path that is not there."""
    for path in paths:
        if str(path) == "-":
            yield STDIN
        else:
            yield from files(Path(path))


def files(path: Path, left_out: tuple[str, ...] = LEFT_OUT) -> Iterator[Path]:
    """The files of a path, in sorted order: itself, or those of a folder and its folders; of a Maildir not what is still in tmp."""
    if not os.path.lexists(path):
        raise SourceFailed(f"{path}: no such file or folder; check the path (here: {Path.cwd()}).")
    if not os.access(path, os.R_OK):
        raise SourceFailed(f"{path}: may not be read; check its owner and permissions.")
    if not path.is_dir():
        yield path
        return
    try:
        entries = sorted(path.iterdir())
    except OSError as e:
        raise SourceFailed(f"{path}: cannot be listed ({e.strerror}); check its owner and permissions.") from None
    for entry in entries:
        if entry.is_dir():
            # a link to a folder may lead round in a circle
            if not entry.is_symlink() and not (entry.name == "tmp" and (path / "new").is_dir()):
                yield from files(entry, left_out)
        elif entry.is_file() and not _INDEX.match(entry.name) and (entry.suffix.lower() not in left_out or "!" in entry.name):
            yield entry  # receivers put marks of exclamation into the names of their reports (RFC 7489 §7.2.1.1, RFC 8460 §5.1)


def read_file(file: Path, said: Progress = silent) -> Iterator[tuple[str, bytes]]:
    """The messages of one file, or of STDIN."""
    if file is STDIN:
        yield from _messages("-", sys.stdin.buffer, said)
        return
    try:
        with file.open("rb") as raw:
            yield from _messages(str(file), raw, said)
    except OSError as e:
        said(0, None, f"{file}: cannot be read ({e.strerror}); left out")


def _messages(name: str, raw: IO[bytes], said: Progress) -> Iterator[tuple[str, bytes]]:
    stream = _expanded(name, raw)
    try:
        head = stream.read(CHUNK)
        # one message in a file of its own may have kept its From_ line
        if (
            not name.lower().endswith((".eml", ".eml.gz", ".eml.zst"))
            and head.startswith((b"From ", b"\nFrom "))
            and _FROM.match(head.lstrip(b"\n")[:400])
        ):
            for n, message in enumerate(split_mbox(head, stream, name, said), 1):
                yield f"{name}#{n}", message
            return
        rest = stream.read(MAX_MESSAGE - len(head) + 1) if len(head) == CHUNK else b""
        while rest and len(head) + len(rest) <= MAX_MESSAGE:
            more = stream.read(MAX_MESSAGE - len(head) - len(rest) + 1)
            if not more:
                break
            rest += more
        if len(head) + len(rest) > MAX_MESSAGE:
            said(0, None, f"{name}: larger than {MAX_MESSAGE >> 20} MiB; left out")
            return
        yield name, head + rest
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as e:
        said(0, None, f"{name}: the archive is damaged or cut off ({e}); the messages before that were read")


def _expanded(name: str, raw: IO[bytes]) -> IO[bytes]:
    if name.endswith(".gz"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if name.endswith(".zst"):
        return io.BufferedReader(zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(raw), CHUNK)
    return raw


def split_mbox(head: bytes, stream: IO[bytes], name: str = "mbox", said: Progress = silent) -> Iterator[bytes]:
    """The messages of an mbox that begins with `head` and goes on in `stream`: in flat memory, also from a pipe.

    A line "From ..." begins a message only after a blank line and with a date in it. mboxrd's '>From ' is unquoted.
    """
    buffer, skipping, start, begin = head.lstrip(b"\n"), False, 0, 0
    while True:
        at = _next_from(buffer, begin)
        end = at if at >= 0 else len(buffer)
        if end - start > MAX_MESSAGE and not skipping:
            said(0, None, f"{name}: a message larger than {MAX_MESSAGE >> 20} MiB was left out")
            skipping = True
        if at >= 0:
            if not skipping:
                yield _unquoted(buffer, start, at)
            skipping, start, begin = False, at, at
            continue
        if skipping:
            start = max(start, end - BORDER)
        # a long message is read in steps that grow with it: each step copies what there is of it
        chunk = stream.read(max(CHUNK, (end - start) // 4))
        if not chunk:
            if end > start and not skipping:
                yield _unquoted(buffer, start, end)
            return
        # what was yielded is cut off once a chunk, and not at each message; a separator may lie across the border of two chunks
        begin = max(0, end - start - BORDER)
        buffer = buffer[start:] + chunk
        start = 0


def _next_from(buffer: bytes, begin: int) -> int:
    """Where the next message's From_ line begins; -1 when none does, as far as the buffer goes."""
    at = begin
    while (at := buffer.find(b"\nFrom ", at)) >= 0:
        at += 1
        if at - 2 < begin or not buffer.endswith((b"\n\n", b"\r\n\r\n"), begin, at):
            continue
        line = buffer[at : at + 400]
        if b"\n" not in line and len(line) < 400:
            return -1
        if _FROM.match(line.split(b"\n", 1)[0]):
            return at
    return -1


def _unquoted(buffer: bytes, start: int, end: int) -> bytes:
    """The message between two From_ lines, without its own and the blank line before the next."""
    begin = buffer.find(b"\n", start, end) + 1 or end
    if buffer.endswith(b"\n\n", begin, end):
        end -= 1
    elif buffer.endswith(b"\r\n\r\n", begin, end):
        end -= 2
    message = buffer[begin:end]
    return _QUOTED.sub(rb"\1", message) if b"\n>" in message or message.startswith(b">") else message


class FilesCollector:
    """Collects the mail that lies in files."""

    def __init__(self, name: str, source: FilesSource | StatisticsSource) -> None:
        self.name, self._source = name, source

    def check(self, offline: bool = False) -> None:
        """Opens each file, as far as the first thousand."""
        for file in islice(self._files(), 1000):
            try:
                file.open("rb").close()
            except OSError as e:
                raise SourceFailed(f"{file}: cannot be read ({e.strerror}); check its owner and permissions.") from None

    def collect(self, keep: Keep, cursor: Cursor, progress: Progress = silent) -> Tally:
        """One pass over the files that are new or have changed since the last."""
        before = dict(cursor())
        everything = list(self._files())
        batch, refused = _Batch(keep), 0

        def said(done: int, total: int | None, note: str = "") -> None:
            nonlocal refused
            refused += 1
            progress(done, total, note)

        for n, file in enumerate(everything, 1):
            try:
                stat = file.stat()
            except OSError:
                continue  # a mail reader moved it on, as it does in a Maildir; the next pass finds it
            key, mark = _key(file, self._source.path), f"{stat.st_size}:{stat.st_mtime_ns}"
            if before.get(key) != mark:
                for _, data in read_file(file, said):
                    batch.add(self._capture(file, data))
                batch.read[key] = mark
            progress(n, len(everything))
        batch.flush()
        return batch.tally + Tally(refused=refused)

    def _files(self) -> Iterator[Path]:
        return files(self._source.path)

    def _capture(self, file: Path, data: bytes) -> Capture:
        """What a file held: a receiver's report, if its name says so, else mail."""
        return Capture(data, RECEIVER_REPORT if _REPORT.search(file.name) else MESSAGE, self.name, datetime.now(UTC))

    def watch(self, keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress = silent) -> None:
        """Looks every ten seconds for files that are new or have changed."""
        look(10.0, self.collect, keep, cursor, stop, progress)


class _Batch:
    """Gathers messages over many files, so that they share a commit.

    A file is marked as read with the batch that holds its last message: a crash before that reads the file again.
    """

    def __init__(self, keep: Keep) -> None:
        self._keep, self._captures, self._size = keep, list[Capture](), 0
        self.read: dict[str, str] = {}  # files that are through, and their marks
        self.tally = Tally()

    def add(self, capture: Capture) -> None:
        """Adds a message; keeps what has gathered when it is enough."""
        self._captures.append(capture)
        self._size += len(capture.data)
        if len(self._captures) >= BATCH_MESSAGES or self._size >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Keeps what has gathered."""
        if self._captures:
            new = self._keep(self._captures, self.read)
            self.tally += Tally(len(self._captures), new, len(self._captures) - new)
        self._captures, self._size, self.read = [], 0, {}


def _key(file: Path, base: Path) -> str:
    return str(file.relative_to(base)) if file != base else file.name
