"""Logs of mail servers: what is read of a file that grows, is rotated, cut and packed, and of folders of segments."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from analyzer.inbox import Inbox
from analyzer.model import LOG, Capture, KeepFailed
from analyzer.sources import LogSource
from collectors.base import SourceFailed
from collectors.logs import CELL, MOST_LINE, LogCollector
from collectors.rotation import MOST_MARKS, Book
from collectors.testing import full, once

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


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    (tmp_path / "log").mkdir()
    return Followed(tmp_path / "log")


def age(folder: Path) -> None:
    """Makes all files an hour old, in their order."""
    for n, path in enumerate(sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime_ns)):
        os.utime(path, (OLD + n, OLD + n))


# --- what the contract of collectors asks, in the shape of a log -----------------------------------------------------------


def test_what_is_in_the_log_is_kept_verbatim_and_a_second_run_adds_nothing(followed: Followed) -> None:
    content = lines(300) + b"\xff\xfe\x00 hostile \r\n" + b"\n" + lines(300, 400)
    followed.write(content)
    before = followed.log.stat()
    assert followed.collect() == 1
    assert (followed.taken(), followed.collect()) == (content, 0)
    after = followed.log.stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    [capture] = followed.captures()
    assert capture.media_type == LOG
    assert json.loads(capture.data.partition(b"\n")[0]) == {"mta": "postfix", "timezone": "UTC", "offset": 0}


def test_the_cursor_stays_when_keeping_fails_and_the_next_run_gets_all(followed: Followed) -> None:
    followed.write(lines(100))
    with pytest.raises(KeepFailed):
        followed.collect(full)
    assert followed.cursor() == {}
    followed.collect()
    assert followed.taken() == lines(100)


def test_stopped_in_the_middle_it_goes_on_where_it_was(followed: Followed) -> None:
    followed.write(lines(100_000))
    with pytest.raises(KeepFailed):
        followed.collect(once(followed.inbox.keep))
    assert 0 < len(followed.taken()) < len(lines(100_000))
    followed.collect()
    assert followed.taken() == lines(100_000)


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


def test_a_pattern_takes_what_it_names_and_what_is_packed_of_it(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    followed = Followed(tmp_path / "log", "acct-*.csv", mta="powermta", job_id="campaign")
    header, rows = b"type,timeLogged,rcpt\n", [b"d,1793527200,u%d@b.example\n" % n for n in range(9)]
    (followed.folder / "acct-1.csv").write_bytes(header + b"".join(rows[:3]))
    (followed.folder / "acct-2.csv").write_bytes(header)
    followed.collect()
    followed.write(rows[3], followed.folder / "acct-1.csv")
    followed.write(b"".join(rows[4:6]), followed.folder / "acct-2.csv")
    (followed.folder / "acct-3.csv").write_bytes(header + b"".join(rows[6:]))
    age(followed.folder)
    followed.pack("acct-1.csv")
    followed.collect()
    assert sorted(r for r in followed.taken().splitlines(True) if r != header) == rows
    head = json.loads(followed.captures()[-1].data.partition(b"\n")[0])
    assert (head["header"], head["job_id"]) == ("type,timeLogged,rcpt", "campaign")


# --- folders of segments ---------------------------------------------------------------------------------------------------


def test_a_folder_of_kumomtas_segments_is_read_as_they_are_finished(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    followed = Followed(tmp_path / "log", ".", mta="kumomta")
    content = [b'{"type":"Delivery","id":"%08d"}\n' % n for n in range(1000)]
    finished, written = followed.folder / "20261101-100000.1", followed.folder / "20261101-100010.2"
    finished.write_bytes(zstandard.compress(b"".join(content[:400])))
    finished.chmod(0o440)
    packer = zstandard.ZstdCompressor().compressobj()
    half = packer.compress(b"".join(content[400:900])) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    written.write_bytes(half)
    followed.collect()
    assert followed.taken() == b"".join(content[:400])
    written.write_bytes(half + packer.compress(b"".join(content[900:])) + packer.flush())
    written.chmod(0o440)
    followed.collect()
    assert followed.taken() == b"".join(content)
    assert followed.collect() == 0


def test_a_segment_that_is_never_finished_is_read_when_it_has_settled(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    followed = Followed(tmp_path / "log", ".", mta="kumomta")
    packer = zstandard.ZstdCompressor().compressobj()
    path = followed.folder / "20261101-100010.2"
    path.write_bytes(packer.compress(lines(10) + line(10)[:20]) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    age(followed.folder)
    followed.collect()
    assert followed.taken() == lines(10)


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
