"""A real Dovecot, read over TLS."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analyzer.inbox import Inbox
from collectors.base import Collector, SourceFailed
from collectors.imap import ImapCollector
from collectors.testing import CollectorContract
from tests.servers import until
from tests.servers.dovecot import Mailbox

pytestmark = pytest.mark.servers


class TestImap(CollectorContract):
    @pytest.fixture(autouse=True)
    def _mailbox(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def collector(self, tmp_path: Path, messages: Sequence[bytes]) -> Collector:
        self.mailbox.deliver(*messages)
        return ImapCollector("bounces", self.mailbox.source())

    def same(self, kept: bytes, sent: bytes) -> bool:
        # IMAP literals hold no NUL (RFC 9051 §9); Dovecot gives 0x80 for it
        return super().same(kept, sent.replace(b"\0", b"\x80"))

    def state(self) -> Any:
        return {uid: [f for f in flags if f != b"\\Recent"] for uid, flags in self.mailbox.state().items()}


def test_a_wrong_password_is_a_sentence(mailbox: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="refused the password"):
        ImapCollector("b", mailbox.source(password="wrong")).collect(Inbox(tmp_path / "i").keep, dict)


def test_a_certificate_that_is_not_trusted_is_refused(mailbox: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="certificate is not trusted"):
        ImapCollector("b", mailbox.source(ca_file=None)).collect(Inbox(tmp_path / "i").keep, dict)


def test_a_folder_that_is_not_there_is_answered_with_those_that_are(mailbox: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"'Bounces' cannot be opened .* there are: .*Junk"):
        ImapCollector("b", mailbox.source(folders=["Bounces"])).collect(Inbox(tmp_path / "i").keep, dict)


def test_idle_notices_new_mail_and_stops_when_told(mailbox: Mailbox, tmp_path: Path) -> None:
    inbox, stop = Inbox(tmp_path / "i"), threading.Event()
    mailbox.deliver(b"Subject: 1\n\n1\n")
    collector = ImapCollector("b", mailbox.source())
    thread = threading.Thread(target=collector.watch, args=(inbox.keep, partial(inbox.cursor, "b"), stop))
    thread.start()
    try:
        until(lambda: inbox.waiting() == 1, 10, "the first message")
        mailbox.deliver(b"Subject: 2\n\n2\n")
        until(lambda: inbox.waiting() == 2, 10, "the message that IDLE tells of")
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
