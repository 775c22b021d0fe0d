"""Mail in files."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import zstandard

from analyzer.model import Capture
from analyzer.sources import FilesSource, StatisticsSource
from collectors.base import SourceFailed
from collectors.files import read_messages, split_mbox
from collectors.testing import CollectorContract

FROM = b"From sender@x.example Mon Nov  9 10:00:00 2026\n"


def mbox(*messages: bytes) -> bytes:
    return b"".join(FROM + m.replace(b"\nFrom ", b"\n>From ") + b"\n" for m in messages)


class TestMaildir(CollectorContract):
    type = "files"

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> FilesSource:
        self.place = tmp_path / "Maildir" / "new"
        self.place.mkdir(parents=True)
        for n, message in enumerate(entries):
            (self.place / f"{n:05}.x").write_bytes(message)
        return FilesSource(type="files", path=tmp_path / "Maildir")

    def state(self) -> Any:
        return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in self.place.iterdir()}


class TestMbox(CollectorContract):
    type = "files"

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> FilesSource:
        self.place = tmp_path / "bounces.mbox"
        self.place.write_bytes(mbox(*entries))
        return FilesSource(type="files", path=self.place)

    def state(self) -> Any:
        return self.place.stat().st_mtime_ns, self.place.read_bytes()


class TestStatistics(CollectorContract):
    type = "receiver-statistics"

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> StatisticsSource:
        self.place = tmp_path / "snds"
        self.place.mkdir()
        for n, file in enumerate(entries):
            (self.place / f"{n:05}.csv").write_bytes(file)
        return StatisticsSource(type="receiver-statistics", provider="microsoft", path=self.place)

    def found(self, captures: Iterable[Capture]) -> list[bytes]:
        return [c.data.partition(b"\n")[2] for c in captures]

    def state(self) -> Any:
        return {p.name: (p.stat().st_mtime_ns, p.read_bytes()) for p in self.place.iterdir()}


def test_a_line_of_prose_that_begins_with_from_does_not_split_a_message() -> None:
    body = b"Subject: a\n\nhello\n\nFrom what I hear, all is well in 2026.\nFrom here on.\n"
    assert [m.rstrip() for m in split_mbox(FROM + body + b"\n" + FROM + b"Subject: b\n\nx\n", io.BytesIO())] == [
        body.rstrip(),
        b"Subject: b\n\nx",
    ]


def test_an_mbox_is_read_from_a_pipe_and_compressed(tmp_path: Path) -> None:
    data = mbox(b"Subject: a\n\n1\n", b"Subject: b\n\n2\n")
    (tmp_path / "a.mbox.gz").write_bytes(gzip.compress(data))
    (tmp_path / "b.mbox.zst").write_bytes(zstandard.compress(data))
    assert [n.rpartition("/")[2] for n, _ in read_messages([tmp_path])] == ["a.mbox.gz#1", "a.mbox.gz#2", "b.mbox.zst#1", "b.mbox.zst#2"]
    ran = subprocess.run(
        [sys.executable, "-m", "analyzer", "classify", "-", "--format", "jsonl"], input=data, capture_output=True, check=True
    )
    assert ran.stdout.count(b'"-#') == 2


def test_a_damaged_archive_is_told_and_its_neighbours_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.eml.gz").write_bytes(gzip.compress(b"Subject: a\n\n" + bytes(range(256)) * 100)[:-200])
    (tmp_path / "b.eml").write_bytes(b"Subject: b\n\nx\n")
    notes: list[str] = []
    assert [Path(n).name for n, _ in read_messages([tmp_path], lambda done, total, note="": notes.append(note))] == ["b.eml"]
    assert "damaged" in notes[0]


def test_of_an_mbox_in_an_archive_that_is_cut_off_the_messages_before_are_read(tmp_path: Path) -> None:
    messages = [b"Subject: %d\n\n%s\n" % (n, random.Random(n).randbytes(2000).hex().encode()) for n in range(150)]
    packed = gzip.compress(mbox(*messages))
    (tmp_path / "a.mbox.gz").write_bytes(packed[: len(packed) // 2])
    notes: list[str] = []
    found = [m for _, m in read_messages([tmp_path], lambda done, total, note="": notes.append(note))]
    assert len(found) > 20 and found == messages[: len(found)]
    assert "damaged or cut off" in notes[0]


@pytest.mark.parametrize("length", [300_001, 450_000, 2_000_000])
def test_a_message_that_is_too_large_is_told_and_its_neighbours_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr("collectors.files.MAX_MESSAGE", 300_000)
    kept = [b"Subject: a\n\n" + b"a line\n" * 40_000, *(b"Subject: %d\n\nx\n" % n for n in range(3))]
    (tmp_path / "a.mbox").write_bytes(mbox(kept[0], b"Subject: b\n\n" + b"b" * length + b"\n", *kept[1:]))
    notes: list[str] = []
    assert [m for _, m in read_messages([tmp_path], lambda done, total, note="": notes.append(note))] == [
        k.removesuffix(b"\n") + b"\n" for k in kept
    ]
    assert len(notes) == 1 and "a message larger than" in notes[0]


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceFailed, match=r"nowhere\.mbox: no such file"):
        list(read_messages(["nowhere.mbox"]))


def test_only_what_is_surely_no_message_is_left_out_of_a_folder(tmp_path: Path) -> None:
    for name in (
        "dovecot-reject.eml",
        "tmp/a.eml",
        "Maildir/new/1.host",
        "Maildir/cur/2.host:2,S",
        "Maildir/tmp/3.host",
        "Maildir/dovecot-uidlist",
        "Maildir/dovecot.index.log",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"Subject: a\n\nx\n")
    assert [n[len(str(tmp_path)) + 1 :] for n, _ in read_messages([tmp_path])] == [
        "Maildir/cur/2.host:2,S",
        "Maildir/new/1.host",
        "dovecot-reject.eml",
        "tmp/a.eml",
    ]
