"""What every collector promises: `CollectorContract`, which the tests of each collector inherit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from analyzer.model import Capture, KeepFailed
from collectors.base import Collector, Keep, Tally

NULL_SENDER = b"Return-Path: <>\nFrom: MAILER-DAEMON@x.example\nSubject: n\n\nnull sender\n"
HOSTILE = (
    b"From: a@x.example\nSubject: \xff\xfe\x00 h\n\n"
    + bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"")
    + b"\n"
    + b"y" * 900
    + b"\n"
)


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


class CollectorContract:
    """Tests of a collector over a source that a subclass makes."""

    def collector(self, tmp_path: Path, messages: Sequence[bytes]) -> Collector:
        """A collector over a source that holds just these messages."""
        raise AssertionError("a subclass says how")

    def state(self) -> Any:
        """What the source looks like from outside: files and their times, flags, ..."""
        raise AssertionError("a subclass says how")

    def same(self, kept: bytes, sent: bytes) -> bool:
        """Whether what was kept is what was sent, as far as the protocol leaves bytes alone."""
        return kept.replace(b"\r\n", b"\n").rstrip(b"\n") == sent.replace(b"\r\n", b"\n").rstrip(b"\n")

    @pytest.fixture(autouse=True)
    def _store(self, tmp_path: Path) -> None:
        from analyzer.inbox import Inbox

        self.inbox = Inbox(tmp_path / "inbox.sqlite")

    def run(self, collector: Collector, keep: Keep | None = None) -> Tally:
        """One pass into the inbox."""
        return collector.collect(keep or self.inbox.keep, lambda: self.inbox.cursor(collector.name))

    def kept(self) -> list[bytes]:
        """The bytes in the inbox, in order."""
        return [c.data for _, c in self.inbox.pending(limit=100_000)]

    def test_what_was_sent_is_kept_and_a_second_run_adds_nothing(self, tmp_path: Path) -> None:
        """Null sender, hostile bytes and ordinary mail alike."""
        sent = [NULL_SENDER, HOSTILE, *(b"From: a@x.example\nSubject: %d\n\nhello\n" % n for n in range(20))]
        collector = self.collector(tmp_path, sent)
        before = self.state()
        assert self.run(collector).kept == len(sent)
        kept = self.kept()
        assert all(any(self.same(k, s) for k in kept) for s in sent)
        assert self.run(collector).kept == 0
        assert len(self.kept()) == len(sent)
        assert self.state() == before

    def test_a_large_message_is_kept_whole(self, tmp_path: Path) -> None:
        """20 MB."""
        large = b"From: a@x.example\nSubject: large\n\n" + b"0123456789abcdef" * 64 * 20_000 + b"\n"
        self.run(self.collector(tmp_path, [large]))
        assert self.same(self.kept()[0], large)

    def test_the_source_is_untouched_when_keeping_fails(self, tmp_path: Path) -> None:
        """And the next run gets all of it."""
        collector = self.collector(tmp_path, [NULL_SENDER, HOSTILE])
        before = self.state()
        with pytest.raises(KeepFailed):
            self.run(collector, full)
        assert self.state() == before
        assert self.run(collector).kept == 2

    def test_stopped_in_the_middle_it_goes_on_where_it_was(self, tmp_path: Path) -> None:
        """Nothing is lost and nothing doubled."""
        sent = [b"From: a@x.example\nSubject: %d\n\nhello\n" % n for n in range(700)]
        collector = self.collector(tmp_path, sent)
        with pytest.raises(KeepFailed):
            self.run(collector, once(self.inbox.keep))
        assert 0 < len(self.kept()) < 700
        self.run(collector)
        assert len(self.kept()) == 700
