"""Logs that are written in segments, each a file of its own: PowerMTA's accounting files, KumoMTA's folder."""

from __future__ import annotations

import json
from pathlib import Path

import zstandard

from tests.collectors.followed import Followed, age, line, lines


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
