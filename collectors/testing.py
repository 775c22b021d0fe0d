"""What every collector promises: `CollectorContract`, and for servers `ReceiverContract`. Each entry of COLLECTORS has a class of tests that inherits one.

An entry is what the source is made of: a message, a row, a line, a request. A subclass says how a source of such entries is made, and how they are
found again in what was kept.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from analyzer.model import Capture, KeepFailed
from collectors import build
from collectors.base import Collector, Keep, Progress, Tally, silent

NULL_SENDER = b"Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nSubject: n\n\nnull sender\n"
OCTETS = bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"")
HOSTILE = b"From: a@x.example\nSubject: \xff\xfe\x00 h\n\n" + OCTETS[1:] + b"\n" + b"y" * 900 + b"\n"
LARGE = 20_000_000  # bytes
SECONDS = 30.0  # for a server to begin, and for what is watched to be kept
LEAVING = 15.0  # seconds for `watch` to return in


def full(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
    """A `Keep` that has no room."""
    raise KeepFailed("the disk is full")


def once(keep: Keep) -> Keep:
    """`keep`, which fails from its second call on."""
    calls = 0

    def kept(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise KeepFailed("stopped")
        return keep(captures, cursor)

    return kept


class _Impatient(threading.Event):
    """A signal to stop for whose absence nobody waits long."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(None if timeout is None else min(timeout, 0.01))


class CollectorContract:
    """Tests of a collector over a source that a subclass makes."""

    type: ClassVar[str]  # of the source: its name in COLLECTORS
    many: ClassVar[int] = 700  # entries, more than one batch takes
    changes: ClassVar[bool] = False  # whether it moves, marks or deletes what it has kept
    special: ClassVar[tuple[bytes, ...]] = (NULL_SENDER, HOSTILE)
    large: ClassVar[bytes] = b"From: a@x.example\nSubject: large\n\n" + b"0123456789abcdef" * (LARGE // 16) + b"\n"

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> Any:
        """The configured source, which holds just these entries."""
        raise AssertionError("a subclass says how")

    def state(self) -> Any:
        """What the source looks like from outside: files and their times, flags, ..."""
        raise AssertionError("a subclass says how")

    def entry(self, n: int) -> bytes:
        """An ordinary entry, each `n` another one."""
        return b"From: a@x.example\nSubject: %d\n\nhello\n" % n

    def found(self, captures: Iterable[Capture]) -> list[bytes]:
        """The entries that were kept."""
        return [c.data for c in captures]

    def normal(self, entry: bytes) -> bytes:
        """An entry without what the protocol may change of it."""
        return entry.replace(b"\r\n", b"\n").rstrip(b"\n")

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        from analyzer.inbox import Inbox

        self.inbox = Inbox(tmp_path / "inbox.sqlite")

    def collector(self, tmp_path: Path, entries: Sequence[bytes]) -> Collector:
        """The registered collector over a source that holds just these entries."""
        self._source = self.source(tmp_path, entries)
        assert self._source.type == self.type
        return self.another()

    def another(self) -> Collector:
        """A collector over the same source that knows nothing of the first, as after a crash."""
        return build("contract", self._source)

    def run(self, collector: Collector, keep: Keep | None = None) -> Tally:
        """One pass into the inbox."""
        return collector.collect(keep or self.inbox.keep, lambda: self.inbox.cursor(collector.name))

    def bring(self) -> None:
        """Has the entries come to a source that is watched; those of most lie there."""

    def kept(self) -> Counter[bytes]:
        """The entries in the inbox, and how often each is there."""
        captures = (c for _, c in self.inbox.pending(limit=1_000_000, max_bytes=1 << 30))
        return Counter(map(self.normal, self.found(captures)))

    def sent(self, entries: Iterable[bytes]) -> Counter[bytes]:
        """As `kept`, of what should be there."""
        return Counter(map(self.normal, entries))

    def test_what_was_sent_is_kept_and_a_second_time_adds_nothing(self, tmp_path: Path) -> None:
        """Null sender, hostile bytes and ordinary entries alike."""
        sent = [*self.special, *map(self.entry, range(20))]
        collector = self.collector(tmp_path, sent)
        before = self.state()
        assert self.run(collector).kept > 0
        assert self.kept() == self.sent(sent)
        assert [self.run(again).kept for again in (collector, self.another())] == [0, 0]
        assert self.kept() == self.sent(sent)
        assert self.changes or self.state() == before

    def test_a_large_entry_is_kept_whole(self, tmp_path: Path) -> None:
        """20 MB."""
        self.run(self.collector(tmp_path, [self.large, self.entry(0)]))
        assert len(self.large) >= LARGE
        assert self.kept() == self.sent([self.large, self.entry(0)])

    def test_nothing_is_acknowledged_when_keeping_fails_and_the_source_gives_it_again(self, tmp_path: Path) -> None:
        """The source is as it was, and so is the cursor."""
        sent = [*self.special, self.entry(0)]
        collector = self.collector(tmp_path, sent)
        before = self.state()
        with pytest.raises(KeepFailed):
            self.run(collector, full)
        assert (self.state(), self.inbox.cursor(collector.name), self.kept()) == (before, {}, Counter())
        self.run(collector)
        assert self.kept() == self.sent(sent)

    def test_stopped_in_the_middle_it_goes_on_where_it_was(self, tmp_path: Path) -> None:
        """Nothing is lost and nothing doubled."""
        sent = list(map(self.entry, range(self.many)))
        collector = self.collector(tmp_path, sent)
        with pytest.raises(KeepFailed):
            self.run(collector, once(self.inbox.keep))
        assert 0 < self.kept().total() < self.many
        self.run(self.another())
        assert self.kept() == self.sent(sent)

    def test_check_is_content_and_changes_nothing(self, tmp_path: Path) -> None:
        """Of a source that is as it should be."""
        collector = self.collector(tmp_path, [self.entry(0)])
        before = self.state()
        collector.check()
        assert self.state() == before

    def test_watching_keeps_what_there_is_and_ends_when_told(self, tmp_path: Path) -> None:
        """Within a few seconds."""
        sent = [*self.special, *map(self.entry, range(5))]
        with self.watched(self.collector(tmp_path, sent), self.inbox.keep):
            self.bring()
            _until(lambda: self.kept() == self.sent(sent), "the entries")

    def test_watching_outlives_a_disk_that_is_full_for_a_while(self, tmp_path: Path) -> None:
        """It says so, and all is kept when there is room."""
        sent, said, fails = [*self.special, self.entry(0)], list[str](), iter(range(2))

        def keep(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
            return full(captures) if next(fails, None) is not None else self.inbox.keep(captures, cursor)

        def progress(done: int, total: int | None, note: str = "") -> None:
            said.append(note)

        def all_kept() -> bool:
            with suppress(KeepFailed):
                self.bring()
            return self.kept() == self.sent(sent)

        with self.watched(self.collector(tmp_path, sent), keep, progress):
            _until(all_kept, "the entries")
        assert any("the disk is full" in note for note in said)

    @contextmanager
    def watched(self, collector: Collector, keep: Keep, progress: Progress = silent) -> Iterator[None]:
        """The collector at its work."""
        stop = _Impatient()
        thread = threading.Thread(target=collector.watch, args=(keep, lambda: self.inbox.cursor(collector.name), stop, progress))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(LEAVING)
        assert not thread.is_alive(), "it did not end"


class ReceiverContract(CollectorContract):
    """Of a server, to which entries come: in each pass a client brings them all, one after the other, until one is not acknowledged."""

    def receiver(self, port: int) -> Any:
        """The configured source, on a port of loopback."""
        raise AssertionError("a subclass says how")

    def acknowledged(self, port: int, entry: bytes) -> bool:
        """Brings an entry as a client does; whether the server took it, and not: come again."""
        raise AssertionError("a subclass says how")

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> Any:
        """The receiver; the entries wait at the client."""
        self._entries = entries
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port: int = s.getsockname()[1]
        return self.receiver(self.port)

    def state(self) -> Any:
        """Nothing of a client's is ours to change."""

    def run(self, collector: Collector, keep: Keep | None = None) -> Tally:
        """Raises KeepFailed at the first entry that is not acknowledged."""
        new: list[int] = []

        def counting(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
            new.append((keep or self.inbox.keep)(captures, cursor))
            return new[-1]

        with self.watched(collector, counting):
            self.bring()
        return Tally(len(self._entries), sum(new), len(self._entries) - sum(new))

    def bring(self) -> None:
        """The client's work."""
        _until(self._listens, "the server")
        for entry in self._entries:
            if not self.acknowledged(self.port, entry):
                raise KeepFailed("the client was asked to come again")

    def _listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def _until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, f"waited {SECONDS} s for {what}"
        time.sleep(0.05)
