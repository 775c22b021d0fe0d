"""The inbox: captures that wait for the lake, and the small things that change. One SQLite file, written by several processes.

What `keep` returned for has survived a power cut: WAL with synchronous=FULL syncs the log at every commit.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from analyzer.model import Capture, Envelope, KeepFailed, StoreError

SCHEMA = """
CREATE TABLE IF NOT EXISTS captures (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so that the lake can mark how far it has come
    data BLOB NOT NULL, media_type TEXT NOT NULL, source TEXT NOT NULL,
    received_at INTEGER NOT NULL,           -- microseconds since 1970, UTC
    envelope TEXT                           -- JSON [sender, [recipients], peer]
);
CREATE TABLE IF NOT EXISTS seen (id BLOB PRIMARY KEY) WITHOUT ROWID;  -- capture ids, also of those long in the lake
CREATE TABLE IF NOT EXISTS cursors (source TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (source, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recipients (key TEXT PRIMARY KEY, address TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
BUSY_SECONDS = 60.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Inbox:
    """The inbox at `path`, made when it is not there. Raises StoreError. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(SCHEMA)
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('identity', ?)", (uuid.uuid4().hex,))
            self.identity = self.meta("identity") or ""
        except sqlite3.Error as e:
            raise StoreError(f"{path}: {_sentence(e)}") from None

    def close(self) -> None:
        """Closes the file; what was kept stays."""
        with self._lock:
            self._db.close()

    def keep(self, captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        """Keeps a batch of one source durably, and its cursor with it; the number that were new. Raises KeepFailed, having kept nothing."""
        try:
            with self._transaction():
                return self._insert(captures, cursor)
        except StoreError as e:
            raise KeepFailed(f"{e} Nothing was acknowledged to the source.") from None

    def _insert(self, captures: Sequence[Capture], cursor: Mapping[str, str] | None) -> int:
        new = 0
        for capture in captures:
            if not self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (bytes.fromhex(capture.id),)).rowcount:
                continue
            e = capture.envelope
            envelope = json.dumps([e.sender, e.recipients, e.peer]) if e else None
            micros = (capture.received_at - EPOCH) // timedelta(microseconds=1)
            self._db.execute(
                "INSERT INTO captures (data, media_type, source, received_at, envelope) VALUES (?, ?, ?, ?, ?)",
                (capture.data, capture.media_type, capture.source, micros, envelope),
            )
            new += 1
        if cursor and captures:
            self._save_cursor(captures[0].source, cursor)
        return new

    def save_cursor(self, source: str, cursor: Mapping[str, str]) -> None:
        """Saves a cursor by itself: of a pass that found nothing to keep."""
        with self._transaction():
            self._save_cursor(source, cursor)

    def _save_cursor(self, source: str, cursor: Mapping[str, str]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?, ?)", [(source, k, v) for k, v in cursor.items()])

    def cursor(self, source: str) -> dict[str, str]:
        """The cursor last saved for a source."""
        return dict(self._rows("SELECT key, value FROM cursors WHERE source = ?", (source,)))

    def pending(self, after: int = 0, limit: int = 10_000, max_bytes: int = 64 * 1024 * 1024) -> list[tuple[int, Capture]]:
        """Captures with a sequence number above `after`, in order: at most `limit`, and no more than about `max_bytes` (at least one)."""
        sizes = self._rows("SELECT seq, length(data) FROM captures WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        last, total = after, 0
        for seq, size in sizes:
            total += size
            if total > max_bytes and last > after:
                break
            last = seq
        rows = self._rows(
            "SELECT * FROM captures WHERE seq > ? AND seq <= ? ORDER BY seq",
            (after, last),
        )
        return [(row[0], _capture(*row[1:])) for row in rows]

    @property
    def app(self) -> str:
        """The name under which a lake notes how far it has taken from this inbox."""
        return f"inbox:{self.identity}"

    def last(self) -> int:
        """The highest sequence number given so far."""
        rows = self._rows("SELECT seq FROM sqlite_sequence WHERE name = 'captures'")
        return int(rows[0][0]) if rows else 0

    def adopt(self, filed: Iterable[str], mark: int) -> None:
        """Learns which captures a lake has already, and that it has noted `mark`: no sequence number up to there is given again."""
        with self._transaction():
            self._db.execute("CREATE TEMP TABLE filed (id BLOB PRIMARY KEY) WITHOUT ROWID")
            self._db.executemany("INSERT OR IGNORE INTO filed VALUES (?)", ((bytes.fromhex(i),) for i in filed))
            self._db.execute("INSERT OR IGNORE INTO seen SELECT id FROM filed")
            free = max(mark, self.last())
            for (seq,) in self._rows("SELECT seq FROM captures ORDER BY seq"):
                capture = _capture(*self._rows("SELECT * FROM captures WHERE seq = ?", (seq,))[0][1:])
                if self._rows("SELECT 1 FROM filed WHERE id = ?", (bytes.fromhex(capture.id),)):
                    self._db.execute("DELETE FROM captures WHERE seq = ?", (seq,))
                elif seq <= mark:
                    free += 1
                    self._db.execute("UPDATE captures SET seq = ? WHERE seq = ?", (free, seq))
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = 'captures'")
            self._db.execute("INSERT INTO sqlite_sequence VALUES ('captures', ?)", (free,))
            self._db.execute("DROP TABLE filed")

    def waiting(self) -> int:
        """How many captures have not been dropped yet."""
        return int(self._rows("SELECT count(*) FROM captures")[0][0])

    def ids(self, upto: int) -> Iterator[str]:
        """The ids of captures up to a sequence number that have not been dropped."""
        for (seq,) in self._rows("SELECT seq FROM captures WHERE seq <= ?", (upto,)):
            for row in self._rows("SELECT * FROM captures WHERE seq = ?", (seq,)):
                yield _capture(*row[1:]).id

    def drop(self, upto: int) -> None:
        """Forgets the bytes of captures up to a sequence number: they are in the lake. Their ids stay, so that nothing is taken twice."""
        with self._transaction():
            self._db.execute("DELETE FROM captures WHERE seq <= ?", (upto,))

    def remember(self, addresses: Mapping[str, str]) -> None:
        """Keeps which address a recipient key stands for."""
        if addresses:
            with self._transaction():
                self._db.executemany("INSERT OR IGNORE INTO recipients VALUES (?, ?)", addresses.items())

    def addresses(self, keys: Iterable[str]) -> dict[str, str]:
        """Recipient key -> address, of those that are known."""
        wanted = list(keys)
        found: dict[str, str] = {}
        for i in range(0, len(wanted), 500):
            part = wanted[i : i + 500]
            marks = ",".join("?" * len(part))
            found |= dict(self._rows(f"SELECT key, address FROM recipients WHERE key IN ({marks})", part))  # noqa: S608 - only marks
        return found

    def meta(self, key: str) -> str | None:
        """One remembered fact."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def set_meta(self, key: str, value: str) -> None:
        """Remembers a fact."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._db.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as e:
            raise StoreError(f"{self.path}: {_sentence(e)}") from None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException as e:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if isinstance(e, sqlite3.Error):
                    raise StoreError(f"{self.path}: {_sentence(e)}") from None
                raise


def _capture(data: bytes, media_type: str, source: str, received_at: int, envelope: str | None) -> Capture:
    sender, recipients, peer = json.loads(envelope) if envelope else ("", (), "")
    return Capture(
        data, media_type, source, EPOCH + timedelta(microseconds=received_at),
        Envelope(sender, tuple(recipients), peer) if envelope else None,
    )  # fmt: skip


def _sentence(e: sqlite3.Error) -> str:
    words = str(e)
    for found, said in {
        "full": "the disk is full; free some space, then it goes on by itself.",
        "disk I/O": "the disk refused the write; look at its space and health.",
        "readonly": "cannot be written; check the owner and permissions of the file and its folder.",
        "unable to open": "cannot be opened; check that the folder exists and that you may write there.",
        "not a database": "is not a Mailhealth inbox, or is damaged; restore it from a backup or choose another store.",
        "malformed": "is damaged; restore it from a backup, or move it away and collect again: what the lake has is not taken twice.",
        "locked": f"was locked by another process for {BUSY_SECONDS:.0f} s; is a copy or backup running?",
    }.items():
        if found in words:
            return said
    return f"SQLite says: {words}."
