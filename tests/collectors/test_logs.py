"""Logs of mail servers: what is read of a file that grows, is rotated, cut and packed."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from analyzer.model import LOG, Capture
from analyzer.sources import LogSource
from collectors.base import SourceFailed
from collectors.logs import CELL, MOST_LINE, LogCollector
from collectors.rotation import MOST_MARKS, Book
from collectors.testing import LARGE, OCTETS, CollectorContract
from tests.collectors.followed import OLD, Followed, age, line, lines


class TestLog(CollectorContract):
    """An entry is a line with its end; it is kept in a block of lines, under one that says how to read them."""

    type = "log"
    many = 100_000  # lines, of which a batch takes 6 MB
    special = (b"2026-11-01T10:00:00+00:00 mx postfix/qmgr[1]: 4F: from=<>, size=1, nrcpt=1 (queue active)\n", OCTETS + b"\r\n", b"\n")
    large = b"x" * LARGE + b"\n"

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> LogSource:
        self.place = tmp_path / "mail.log"
        self.place.write_bytes(b"".join(entries))
        return LogSource(type="log", path=self.place, mta="postfix")

    def state(self) -> Any:
        return self.place.stat().st_mtime_ns, self.place.read_bytes()

    def entry(self, n: int) -> bytes:
        return line(n)

    def found(self, captures: Iterable[Capture]) -> list[bytes]:
        return b"".join(c.data.partition(b"\n")[2] for c in captures).splitlines(keepends=True)

    def normal(self, entry: bytes) -> bytes:
        return entry


class TestArchive(TestLog):
    """As rotation leaves it."""

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> LogSource:
        self.place = tmp_path / "mail.log.1.gz"
        self.place.write_bytes(gzip.compress(b"".join(entries), 1))
        os.utime(self.place, (OLD, OLD))
        return LogSource(type="log", path=tmp_path / "mail.log", mta="postfix")


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    (tmp_path / "log").mkdir()
    return Followed(tmp_path / "log")


def test_a_block_says_how_it_is_read(followed: Followed) -> None:
    followed.write(lines(3))
    followed.collect()
    [capture] = followed.captures()
    assert capture.media_type == LOG
    assert json.loads(capture.data.partition(b"\n")[0]) == {"mta": "postfix", "timezone": "UTC", "offset": 0}


# --- blocks ----------------------------------------------------------------------------------------------------------------


def test_reading_again_gives_the_same_captures_also_when_packed(followed: Followed) -> None:
    followed.write(lines(20_000))
    followed.collect()
    ids = [c.id for c in followed.captures()]
    assert len(ids) > 5
    for pack in ("", ".gz", ".zst"):
        if pack:
            shutil.copy(followed.log, followed.folder / "copy")
            followed.pack("copy", pack)
        source = followed.source.model_copy(update={"path": followed.folder / f"copy{pack}"}) if pack else followed.source
        age(followed.folder)
        again: list[Capture] = []
        LogCollector("log", source).collect(lambda captures, cursor=None, again=again: again.extend(captures) or len(captures), dict)
        assert [c.id for c in again] == ids


def test_no_block_is_larger_than_256_kb_and_a_line_without_end_comes_in_pieces(followed: Followed) -> None:
    content = lines(10) + b"x" * 1_000_000 + b"\n" + lines(10, 20)
    followed.write(content)
    followed.collect()
    assert followed.taken() == content
    assert max(len(c.data) for c in followed.captures()) <= 256 * 1024
    assert CELL + MOST_LINE < 256 * 1024


def test_a_last_line_without_its_end_waits_for_it(followed: Followed) -> None:
    followed.write(lines(3) + line(3)[:40])
    assert (followed.collect(), followed.taken()) == (1, lines(3))
    assert followed.collect() == 0
    followed.write(line(3)[40:])
    assert (followed.collect(), followed.taken()) == (1, lines(4))


def test_of_a_file_that_was_put_away_the_last_line_needs_no_end(followed: Followed) -> None:
    followed.write(lines(3) + line(3)[:-1])
    followed.collect()
    followed.rotate()
    followed.write(lines(4, 5))
    followed.collect()
    assert followed.taken() == lines(3) + line(4)
    age(followed.folder)
    followed.collect()
    assert followed.taken() == lines(3) + line(4) + line(3)[:-1]


def test_lines_without_a_year_get_that_of_the_files_last_writing(followed: Followed) -> None:
    followed.write(b"Dec 30 10:00:00 mx postfix/smtp[1]: x\nJan  1 10:00:00 mx postfix/smtp[1]: y\n")
    os.utime(followed.log, (0, datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()))
    followed.collect()
    assert json.loads(followed.captures()[0].data.partition(b"\n")[0])["first"] == "2025-12-30"


# --- rotation --------------------------------------------------------------------------------------------------------------


def test_renamed_and_made_anew(followed: Followed) -> None:
    followed.write(lines(10))
    followed.collect()
    followed.write(lines(10, 20))
    followed.rotate()
    followed.write(lines(20, 30))
    followed.collect()
    followed.write(lines(30, 40))
    followed.collect()
    assert followed.taken() == lines(40)


def test_a_writer_that_still_has_the_old_file_open_is_heard(followed: Followed) -> None:
    followed.write(lines(10))
    followed.collect()
    with followed.log.open("ab") as old:
        followed.rotate()
        followed.write(lines(20, 30))
        followed.collect()
        old.write(lines(10, 20))
        old.flush()
        followed.collect()
    assert sorted(followed.taken().splitlines()) == sorted(lines(30).splitlines())


def test_copied_and_cut(followed: Followed) -> None:
    followed.write(lines(10))
    followed.collect()
    followed.write(lines(10, 20))
    shutil.copy(followed.log, followed.folder / "mail.log.1")
    followed.collect()  # while both have the same content
    os.truncate(followed.log, 0)
    followed.collect()
    followed.write(lines(20, 23))
    followed.collect()
    assert followed.taken() == lines(23)


def test_copied_and_cut_and_grown_beyond_where_it_was_while_we_were_away(followed: Followed) -> None:
    followed.write(lines(10))
    followed.collect()
    followed.write(lines(10, 20))
    shutil.copy(followed.log, followed.folder / "mail.log.1")
    os.truncate(followed.log, 0)
    followed.write(lines(20, 200))
    followed.collect()
    assert followed.taken() == lines(200)


def test_a_copy_in_the_making_is_no_other_file(followed: Followed) -> None:
    followed.write(lines(1000))
    followed.collect()
    (followed.folder / "mail.log.1").write_bytes(lines(400)[:-7])
    followed.collect()
    assert followed.taken() == lines(1000)


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_rotated_twice_and_packed_while_we_were_away(followed: Followed, suffix: str) -> None:
    followed.write(lines(10))
    followed.collect()
    followed.write(lines(10, 20))
    followed.rotate()
    followed.write(lines(20, 30))
    followed.rotate()
    followed.write(lines(30, 40))
    age(followed.folder)
    if suffix:
        followed.pack("mail.log.2", suffix)
        followed.pack("mail.log.1", suffix)
    followed.collect()
    assert followed.taken() == lines(40)
    assert followed.collect() == 0
    followed.rotate()
    followed.write(lines(40, 50))
    followed.collect()
    assert followed.taken() == lines(50)


def test_packed_after_it_was_read_it_is_known_and_not_unpacked_again(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    followed.write(lines(5000))
    followed.collect()
    followed.rotate()
    followed.write(lines(5000, 5010))
    followed.collect()
    age(followed.folder)
    followed.pack("mail.log.1", ".gz")
    monkeypatch.setattr("collectors.rotation.LogFile.seek", lambda *_: pytest.fail("it was unpacked"))
    assert followed.collect() == 0


def test_an_archive_that_is_just_being_written_waits(followed: Followed) -> None:
    (followed.folder / "mail.log.1.gz").write_bytes(gzip.compress(lines(10))[:-12])
    followed.write(lines(10, 20))
    followed.collect()
    assert (followed.taken(), followed.notes) == (lines(10, 20), [])


def test_an_archive_from_before_the_clock_was_set_back_is_read(followed: Followed) -> None:
    """It bears a time of hours to come; until then it may have been deleted."""
    followed.write(lines(10))
    os.utime(followed.log, (time.time() + 7200,) * 2)
    followed.rotate()
    followed.pack("mail.log.1")
    followed.write(lines(10, 20))
    followed.collect()
    assert sorted(followed.taken().splitlines()) == sorted(lines(20).splitlines())


def test_a_damaged_archive_is_told_once_and_what_came_before_is_kept(followed: Followed) -> None:
    packed = gzip.compress(os.urandom(1).join(lines(n, n + 3000) for n in range(0, 30_000, 3000)))
    (followed.folder / "mail.log.1.gz").write_bytes(packed[: len(packed) // 2])
    followed.write(line(100_000))
    age(followed.folder)
    collector = LogCollector("log", followed.source)
    for _ in range(2):
        collector.collect(followed.inbox.keep, followed.cursor, followed._said)
    assert followed.taken().startswith(lines(1000)) and followed.taken().endswith(line(100_000))
    assert len(followed.notes) == 1 and "mail.log.1.gz: the archive is damaged or cut off" in followed.notes[0]


@pytest.mark.parametrize("name", ["mail.log.3", "mail.log-20261101", "mail.log-20261101.gz", "mail-20261101.log", "mail-20261101.log.zst", "mail.log.old"])  # fmt: skip
def test_names_that_rotation_gives_are_known(followed: Followed, name: str) -> None:
    data = lines(10)
    (followed.folder / name).write_bytes(
        gzip.compress(data) if name.endswith("gz") else zstandard.compress(data) if name.endswith("zst") else data
    )
    followed.write(lines(10, 20))
    for other in ("mail.err", "mail-list.log", "mail.logs", ".mail.log.1"):
        (followed.folder / other).write_bytes(lines(90, 99))
    age(followed.folder)
    os.utime(followed.log)
    followed.collect()
    assert followed.taken() == lines(20)


# --- cursors, watching, what can be wrong ----------------------------------------------------------------------------------


def test_the_cursor_does_not_grow_with_the_files_that_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.rotation.MOST_MARKS", 5)
    assert MOST_MARKS > 5
    (tmp_path / "log").mkdir()
    followed = Followed(tmp_path / "log", "seg-*")
    for n in range(30):
        followed.write(lines(n * 10, n * 10 + 10), followed.folder / f"seg-{n}")
        if n >= 3:
            (followed.folder / f"seg-{n - 3}").unlink()
        followed.collect()
    assert followed.taken() == lines(300)
    assert len(followed.cursor()) <= 6


def test_a_cursor_of_another_kind_is_no_harm() -> None:
    book = Book({"offset": "7", "head": "abc", "0": "[1]", "1": "{"})
    assert book.find(b"x" * 100, 1) == (None, None)


def test_watching_sees_what_is_written_and_rotated(followed: Followed) -> None:
    followed.write(lines(5))
    stop = threading.Event()
    watcher = threading.Thread(target=LogCollector("log", followed.source).watch, args=(followed.inbox.keep, followed.cursor, stop))
    watcher.start()
    try:
        for n in range(5, 30, 5):
            followed.write(lines(n, n + 3))
            if n % 10 == 0:
                followed.rotate()
            followed.write(lines(n + 3, n + 5))
            time.sleep(0.4)
        deadline = time.monotonic() + 10
        while len(followed.taken()) < len(lines(30)) and time.monotonic() < deadline:
            time.sleep(0.1)
    finally:
        stop.set()
        watcher.join(10)
    assert sorted(followed.taken().splitlines()) == sorted(lines(30).splitlines())


def test_what_is_wrong_is_a_sentence(followed: Followed) -> None:
    with pytest.raises(SourceFailed, match=r"mail\.log: no such file; check sources\.log\.path"):
        followed.collect()
    followed.write(lines(1))
    LogCollector("log", followed.source).check()
    if os.geteuid():
        followed.log.chmod(0)
        with pytest.raises(SourceFailed, match="cannot be read"):
            followed.collect()


def test_check_sees_the_last_lines(followed: Followed) -> None:
    followed.write(lines(5000))
    assert LogCollector("log", followed.source).sample().data.partition(b"\n")[2] == lines(4800, 5000)
