"""Logs of mail servers: a file that grows and is rotated, or a folder of files; plain, gzip or Zstandard.

A log is kept in blocks of whole lines, verbatim, under a line of JSON that says how to read them. A block holds the lines that begin
within one cell of a fixed grid over the file, as far as they are there: a file at rest gives the same captures whenever it is read.
How far each file was read is kept with the block, in one transaction: a line is taken once, whatever is killed when.
"""

from __future__ import annotations

import glob
import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, NamedTuple

from analyzer.model import LOG, Capture
from collectors.base import Cursor, Keep, KeepFailed, Progress, SourceFailed, Tally, silent
from collectors.rotation import Book, LogFile, Mark

if TYPE_CHECKING:
    from analyzer.sources import LogSource

CELL = 192 * 1024  # bytes
MOST_LINE = 56 * 1024  # bytes beyond a cell's end that its last line may take: a longer one comes in pieces
BATCH_CAPTURES = 32
POLL_SECONDS = 1.0
LOOK_ANYWAY = 30  # polls after which all is looked at, though no file seems to have changed
SETTLED = 60.0  # seconds without a change after which a file is held to be finished
SAMPLE = 256 * 1024  # bytes at the end of a log in which the lines for `check` are looked for
# how rotation names the files that it puts away: mail.log.1, mail.log-20261101.gz, mainlog.02.gz, acct-2026-11-01-0000.csv
_ROTATED = ("{path}[.-][0-9]*", "{path}.old*", "{path}.gz", "{path}.zst", "{stem}[.-][0-9]*{suffix}", "{stem}[.-][0-9]*{suffix}.gz", "{stem}[.-][0-9]*{suffix}.zst")  # fmt: skip
_NO_YEAR = re.compile(rb"^(?:<\d{1,3}>)?([A-Z][a-z]{2}) ([ \d]\d) \d\d:\d\d:\d\d[ .]", re.M)
_MONTHS = {m: n for n, m in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


class _Found(NamedTuple):
    path: Path
    # what tells that a file was touched
    inode: int
    size: int  # on the disk, bytes
    written: int  # nanoseconds since 1970


class LogCollector:
    """Collects the lines of one mail server's log."""

    def __init__(self, name: str, source: LogSource) -> None:
        self.name, self._source = name, source
        self._nothing_new: set[tuple[int, int, int]] = set()  # files that were read to their end as they are, though no mark says so

    def check(self, offline: bool = False) -> None:
        """Opens each file, as far as the first thousand."""
        for found in self._files()[-1000:]:
            try:
                with LogFile(found.path):
                    pass
            except OSError as e:
                raise SourceFailed(f"{found.path}: cannot be read ({e.strerror}); check its owner and permissions.") from None

    def sample(self, most: int = 200) -> Capture:
        """The last lines of the log, at most so many, as they would be kept. Raises SourceFailed, OSError."""
        with LogFile(self._files()[-1].path) as file:
            size = file.unpacked_size() or 0
            file.seek(max(0, size - SAMPLE))
            lines = file.read(SAMPLE).splitlines(keepends=True)
            return self._capture(b"".join(lines[size > SAMPLE :][-most:]), 0, file)

    def collect(self, keep: Keep, cursor: Cursor, progress: Progress = silent) -> Tally:
        """One pass over the lines that are new since the last."""
        book, everything = Book(cursor()), self._files()
        self._nothing_new &= {f[1:] for f in everything}
        files = [f for f in everything if not book.is_through(*f[1:]) and f[1:] not in self._nothing_new]
        total, done, failed = sum(f.size for f in files), 0, ""
        batch, done_with = _Batch(keep, book), set[tuple[int, int, int]]()
        for found in files:
            try:
                done_with |= self._read(found, newest=found is everything[-1], batch=batch, progress=progress)
            except FileNotFoundError:
                continue  # it was rotated meanwhile, and is met under its new name in the next pass
            except OSError as e:  # its neighbours are read all the same
                failed = failed or f"{found.path}: cannot be read ({e.strerror}); check its owner and permissions."
            done += found.size
            progress(done, total)
        batch.flush()
        self._nothing_new |= done_with  # not before all of it was kept
        if failed:
            raise SourceFailed(failed)
        return batch.tally

    def watch(self, keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress = silent) -> None:
        """Looks every second for lines that are new."""
        before, polls = list[_Found](), 0
        while True:
            try:
                files = self._files()
                if files != before or polls % LOOK_ANYWAY == 0:
                    self.collect(keep, cursor, progress)
                before, polls = files, polls + 1
            except (SourceFailed, KeepFailed) as e:
                progress(0, None, str(e))
            if stop.wait(POLL_SECONDS):
                return

    def _files(self) -> list[_Found]:
        """The files of the log, those that were rotated too, the one that was last written to at the end. Raises SourceFailed when there is none."""
        path = self._source.path
        try:
            named = set(path.iterdir()) if path.is_dir() else {Path(p) for pattern in _patterns(path) for p in glob.glob(pattern)}  # noqa: PTH207  # Path.glob takes no absolute pattern
        except OSError as e:
            raise SourceFailed(f"{path}: cannot be listed ({e.strerror}); check its owner and permissions.") from None
        found = []
        for file in named:
            try:
                stat = file.stat()
            except OSError:  # gone meanwhile
                continue
            if S_ISREG(stat.st_mode) and not file.name.startswith("."):
                found.append(_Found(file, stat.st_ino, stat.st_size, stat.st_mtime_ns))
        if not found:
            raise SourceFailed(f"{path}: no such file; check sources.{self.name}.path.")
        return sorted(found, key=lambda f: (f.written, f.path == path, f.path))

    def _read(self, found: _Found, newest: bool, batch: _Batch, progress: Progress) -> set[tuple[int, int, int]]:
        """Hands on what is new in one file; gives the file, if it was read to its end as it is."""
        with LogFile(found.path) as file:
            # either way: a file from before the clock was set back is of hours to come, and at rest all the same
            settled = abs(time.time() - file.stat.st_mtime) > SETTLED
            if file.packed and not settled and file.stat.st_mode & 0o222:
                return set()  # somebody is packing it: later on it need be unpacked but once
            slot, mark = batch.book.find(file.first, file.stat.st_ino)
            end = start = mark.offset if mark else 0
            if start != file.unpacked_size():
                file.seek(start)
                for block, end in _blocks(file, start, final=file.finished or (not newest and settled)):
                    if not file.is_as_it_was():
                        return set()
                    through = file.at_end() and not file.damaged
                    slot = batch.add(self._capture(block, end - len(block), file), slot, Mark.at(end, file.first, file.stat, through))
            if file.damaged:
                progress(0, None, f"{found.path}: the archive is damaged or cut off ({file.damaged}); what came before that is kept.")
            through = file.packed or end >= file.stat.st_size
            return {(file.stat.st_ino, file.stat.st_size, file.stat.st_mtime_ns)} if through else set()

    def _capture(self, block: bytes, offset: int, file: LogFile) -> Capture:
        source = self._source
        # the offset keeps two blocks apart that are alike
        head: dict[str, object] = {"mta": source.mta, "timezone": source.timezone, "offset": offset}
        if source.host:
            head["host"] = source.host
        if source.mta == "powermta":
            head |= {"header": file.first.partition(b"\n")[0].decode("utf-8-sig", "replace").strip(), "job_id": source.job_id}
        if first := _first_day(block, datetime.fromtimestamp(file.stat.st_mtime, UTC).date()):
            head["first"] = first.isoformat()
        return Capture(json.dumps(head, ensure_ascii=False).encode() + b"\n" + block, LOG, self.name, datetime.now(UTC))


class _Batch:
    """Gathers blocks over many files, so that they share a commit; the marks of the files go with them."""

    def __init__(self, keep: Keep, book: Book) -> None:
        self._keep, self.book, self.tally = keep, book, Tally()
        self._captures, self._slots = list[Capture](), set[str]()
        self.read: set[tuple[int, int, int]] = set()  # files that were read to their end; once all is kept, there is nothing new in them

    def add(self, capture: Capture, slot: str | None, mark: Mark) -> str:
        """Adds a block, and how far its file is read with it; keeps what has gathered when it is enough."""
        slot = self.book.note(slot, mark)
        self._captures.append(capture)
        self._slots.add(slot)
        if len(self._captures) >= BATCH_CAPTURES:
            self.flush()
        return slot

    def flush(self) -> None:
        """Keeps what has gathered."""
        if self._captures:
            new = self._keep(self._captures, {slot: self.book.value(slot) for slot in self._slots})
            self.tally += Tally(len(self._captures), new, len(self._captures) - new)
        self._captures, self._slots = [], set()


def _blocks(file: LogFile, offset: int, final: bool) -> Iterator[tuple[bytes, int]]:
    """Blocks of whole lines from `offset` on, with where each ends. A last line without its end waits for it, unless the file is `final`."""
    while True:
        data = file.read(CELL - offset % CELL)
        if not data.endswith(b"\n"):
            rest = file.rest_of_line(MOST_LINE)
            if not rest.endswith(b"\n") and len(rest) < MOST_LINE and (file.damaged or not final):
                if whole := data.rfind(b"\n") + 1:
                    yield data[:whole], offset + whole
                return
            data += rest
        if not data:
            return
        offset += len(data)
        yield data, offset


def _patterns(path: Path) -> Iterator[str]:
    """The file or pattern itself, and how those are named that were rotated of it."""
    text = str(path)
    if not glob.has_magic(text):
        text = glob.escape(text)
    yield text
    stem = text.removesuffix(path.suffix) if path.suffix else text
    for pattern in _ROTATED:
        yield pattern.format(path=text, stem=stem, suffix=path.suffix)


def _first_day(block: bytes, written: date) -> date | None:
    """The day of the first line that tells no year: in the last year in which it is not later than a day after the file was written."""
    match = _NO_YEAR.search(block)
    if not match or match[1] not in _MONTHS:
        return None
    latest = written + timedelta(days=1)
    month, day = _MONTHS[match[1]], int(match[2])
    try:
        return date(latest.year - ((month, day) > (latest.month, latest.day)), month, day)
    except ValueError:  # the 30th of February, or the 29th of a year that has none
        return None
