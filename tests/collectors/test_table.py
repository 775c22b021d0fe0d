"""Tables of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from analyzer.inbox import Inbox
from analyzer.model import Capture, Kind
from analyzer.parse import parse
from analyzer.sources import TableSource
from collectors.base import SourceFailed
from collectors.table import TableCollector
from collectors.testing import LARGE, OCTETS, CollectorContract

NUMBERS = b"".join(b"%08d" % n for n in range(LARGE // 8))  # no two pieces of it are alike, as two blocks must not be


class TestRows(CollectorContract):
    """An entry is a row with the end of its line; it is kept in a block of rows, under a line that says how to read them."""

    type = "table"
    many = 25_000  # of 1,000 rows a block, and 20 blocks a batch
    # in CSV a quote that nobody closes would make one row of all that follow
    special = (b"u@b.example,2026-11-01,<>\n", OCTETS + b'"\n', b"\n")
    large = b"u@b.example,2026-11-01," + NUMBERS + b"\n"
    name, header = "t.csv", b"recipient,at,sender\n"

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> TableSource:
        self.place = tmp_path / self.name
        self.place.write_bytes(self.header + b"".join(entries))
        return TableSource(type="table", path=self.place, kind="sent")

    def state(self) -> Any:
        return self.place.stat().st_mtime_ns, self.place.read_bytes()

    def entry(self, n: int) -> bytes:
        return b"u%d@b.example,2026-11-01,shop@b.example\n" % n

    def found(self, captures: Iterable[Capture]) -> list[bytes]:
        return b"".join(c.data.partition(b"\n")[2] for c in captures).splitlines(keepends=True)

    def normal(self, entry: bytes) -> bytes:
        return entry


class TestObjects(TestRows):
    """An object a line."""

    name, header = "t.jsonl", b""
    special = (b'{"recipient": "u@b.example", "at": "2026-11-01", "sender": "<>"}\n', b'{"recipient": "' + OCTETS + b"\n", b"\n")
    large = b'{"recipient": "u@b.example", "at": "2026-11-01", "note": "' + NUMBERS + b'"}\n'

    def entry(self, n: int) -> bytes:
        return b'{"recipient": "u%d@b.example", "at": "2026-11-01"}\n' % n


def table(tmp_path: Path, text: str | bytes, name: str = "t.csv", **more: Any) -> tuple[TableCollector, Inbox, Path]:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    source = TableSource.model_validate({"type": "table", "path": path, "kind": "sent"} | more)
    return TableCollector("sends", source), Inbox(tmp_path / "inbox.sqlite"), path


def outcomes(inbox: Inbox) -> list[Any]:
    return [o for _, c in inbox.pending() for o in parse(c).outcomes]


def test_a_bad_row_is_counted_and_its_neighbours_stay(tmp_path: Path) -> None:
    collector, inbox, _ = table(
        tmp_path,
        "message_id,recipient,at\n<1@x>,a@b.example,2026-11-01T10:00:00Z\n2@x,a@b.example,yesterday\nonly-one\n3@x,c@d.example,1793527200\n",
    )
    collector.collect(inbox.keep, dict)
    assert [o.kind for o in outcomes(inbox)] == [Kind.SENT, Kind.UNREADABLE, Kind.UNREADABLE, Kind.SENT]
    assert "'yesterday' is no time" in (outcomes(inbox)[1].diagnostic or "")


@pytest.mark.parametrize(
    "text",
    ["\ufeffrecipient,at\na@b.example,2026-11-01\n", "recipient;at\na@b.example;2026-11-01\n", 'recipient,at\n"a@b.example",2026-11-01'],
)
def test_marks_delimiters_and_a_missing_last_line_end_do_no_harm(tmp_path: Path, text: str) -> None:
    collector, inbox, _ = table(tmp_path, text)
    collector.collect(inbox.keep, dict)
    assert [(o.kind, o.recipient) for o in outcomes(inbox)] == [(Kind.SENT, "a@b.example")]


def test_a_missing_column_is_named_with_what_there_is(tmp_path: Path) -> None:
    collector, inbox, _ = table(tmp_path, "mail,at\na@b.example,2026-11-01\n")
    with pytest.raises(
        SourceFailed, match=r"no column 'recipient' for 'recipient'. Found: mail, at. Name it in mailhealth.toml: \[sources.sends\]"
    ):
        collector.collect(inbox.keep, dict)


def test_a_file_that_grows_is_read_on_and_nothing_twice(tmp_path: Path) -> None:
    collector, inbox, path = table(tmp_path, "recipient,at\n" + "".join(f"u{n}@b.example,2026-11-01\n" for n in range(1500)))
    for _ in range(2):
        collector.collect(inbox.keep, lambda: inbox.cursor("sends"))
    with path.open("a") as f:
        f.write("".join(f"u{n}@b.example,2026-11-01\n" for n in range(1500, 2700)))
    for _ in range(2):
        collector.collect(inbox.keep, lambda: inbox.cursor("sends"))
    assert [o.recipient for o in outcomes(inbox)] == [f"u{n}@b.example" for n in range(2700)]


def test_no_block_grows_with_a_row_that_has_no_end(tmp_path: Path) -> None:
    collector, inbox, _ = table(tmp_path, b"recipient,at\n" + b'"' + NUMBERS + b"\nu@b.example,2026-11-01\n")
    collector.collect(inbox.keep, dict)
    captures = [c for _, c in inbox.pending()]
    assert max(len(c.data) for c in captures) < 6 * 1024 * 1024
    assert b"".join(c.data.partition(b"\n")[2] for c in captures) == b'"' + NUMBERS + b"\nu@b.example,2026-11-01\n"
    assert outcomes(inbox)[-1].recipient == "u@b.example"


def test_opens_are_people_machines_or_unknown(tmp_path: Path) -> None:
    agents = [
        "Mozilla/5.0",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "",
        "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15",
    ]
    rows = "".join(f'{{"recipient": "a@b.example", "at": "2026-11-01", "user_agent": "{a}"}}\n' for a in agents)
    collector, inbox, _ = table(tmp_path, rows, "opens.jsonl", kind="opened")
    collector.collect(inbox.keep, dict)
    assert [o.agent for o in outcomes(inbox)] == ["machine", "unknown", "unknown", "human"]
