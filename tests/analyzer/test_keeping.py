"""The inbox, the lake and the way between them: nothing lost, nothing doubled, whatever crashes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer.inbox import Inbox
from analyzer.model import MESSAGE, Capture, KeepFailed, StoreError
from analyzer.pipeline import flush
from analyzer.store import Store

NOW = datetime(2026, 11, 9, 10, tzinfo=UTC)
BOUNCE = b"""From: MAILER-DAEMON@x.example
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x.example

Final-Recipient: rfc822; u%d@customer.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 %s
--b--
"""


def bounce(n: int, words: bytes = b"no such user") -> Capture:
    return Capture(BOUNCE % (n, words), MESSAGE, "test", NOW)


def rows(store: Store, table: str = "events") -> list[dict[str, object]]:
    return list(store.lake.rows(table))


def test_the_second_arrival_changes_nothing_even_after_it_was_filed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.inbox.keep([bounce(1), bounce(2), bounce(1)]) == 2
    flush(store)
    assert store.inbox.keep([bounce(2), bounce(3)]) == 1
    flush(store)
    assert len(rows(store)) == len(rows(store, "captures")) == 3
    assert store.inbox.waiting() == 0


def test_a_batch_and_its_cursor_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    inbox.keep([bounce(1)], {"INBOX": "1:1"})
    broken = Capture(b"x", MESSAGE, None, NOW)  # type: ignore[arg-type]  # the table refuses it
    with pytest.raises(KeepFailed):
        inbox.keep([bounce(2), broken], {"INBOX": "1:3"})
    assert inbox.cursor("test") == {"INBOX": "1:1"}
    assert inbox.waiting() == 1


def test_many_threads_keep_at_once(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "i")
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda n: inbox.keep([bounce(n)]), range(400))) == 400
    assert inbox.waiting() == 400


def test_garbage_is_counted_and_its_neighbours_stay(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.inbox.keep([bounce(1), Capture(b"", MESSAGE, "test", NOW), Capture(b"\x00\xff", "odd/type", "test", NOW), bounce(2)])
    assert flush(store).unreadable == 2
    assert sorted(str(r["kind"]) for r in rows(store)) == ["bounced", "bounced", "unreadable", "unreadable"]


def test_an_inbox_that_was_lost_takes_nothing_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.inbox.keep([bounce(1), bounce(2)])
    flush(store)
    store.inbox.close()
    for file in tmp_path.glob("inbox.sqlite*"):
        file.unlink()
    store = Store(tmp_path)
    store.reconcile()
    assert store.inbox.keep([bounce(1), bounce(2), bounce(3)]) == 1
    flush(store)
    assert len(rows(store)) == len(rows(store, "captures")) == 3


def test_an_inbox_restored_from_a_backup_loses_nothing_that_comes_after_and_takes_nothing_twice(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.inbox.keep([bounce(1), bounce(2)])
    with sqlite3.connect(tmp_path / "backup") as backup, sqlite3.connect(tmp_path / "inbox.sqlite") as now:
        now.backup(backup)
    store.inbox.keep([bounce(n) for n in range(3, 9)])
    flush(store)
    store.inbox.close()
    for file in tmp_path.glob("inbox.sqlite*"):
        file.unlink()
    (tmp_path / "backup").rename(tmp_path / "inbox.sqlite")
    store = Store(tmp_path)
    assert store.inbox.keep([bounce(9)]) == 1  # before anybody noticed
    store.reconcile()
    assert store.inbox.keep([bounce(n) for n in range(1, 12)]) == 2
    flush(store)
    assert len(rows(store)) == len(rows(store, "captures")) == 11
    before = store.inbox.last()
    store.reconcile()
    assert store.inbox.last() == before


def test_a_flush_ends_though_mail_keeps_coming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, more = Store(tmp_path), iter(range(1, 6))
    drop = store.inbox.drop

    def meanwhile(upto: int) -> None:
        drop(upto)
        store.inbox.keep([bounce(next(more))])

    monkeypatch.setattr(store.inbox, "drop", meanwhile)
    store.inbox.keep([bounce(0)])
    assert flush(store).captures == 1
    assert store.inbox.waiting() == 1


def test_no_address_stands_in_an_event(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.inbox.keep([bounce(77)])
    flush(store)
    (row,) = rows(store)
    assert "u77@" not in str({k: v for k, v in row.items() if k != "diagnostic"})
    assert store.inbox.addresses([str(row["recipient_key"])]) == {row["recipient_key"]: "u77@customer.example"}


@pytest.mark.parametrize("content", [b"this is no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_damaged_inbox_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "inbox.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match=r"inbox\.sqlite: is (not a Mailhealth inbox|damaged)"):
        _ = Store(tmp_path).inbox


def test_a_store_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be made"):
        Store(tmp_path / "file" / "store")


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from analyzer.model import KeepFailed
from analyzer.store import Store
from tests.analyzer.test_keeping import bounce
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = Store(Path(sys.argv[1]))
store.inbox.keep([bounce(1)])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    store.inbox.keep([bounce(2, b"x" * 1_000_000)])
except KeepFailed as e:
    print("refused", e)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(store.inbox.keep([bounce(3)]), store.inbox.waiting())
"""


def test_a_full_disk_keeps_nothing_and_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FULL.format(root=str(Path(__file__).parents[2])), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("refused")
    assert ran.stdout.endswith("1 2\n")
