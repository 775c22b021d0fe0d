"""A real Dovecot, read over TLS."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analyzer.config import ConfigError
from analyzer.inbox import Inbox
from analyzer.sources import ImapSource
from collectors.base import SourceFailed
from collectors.imap import ImapCollector
from collectors.testing import CollectorContract
from tests.servers import until
from tests.servers.dovecot import Mailbox, running
from tests.servers.imap import Notes, impostor

pytestmark = pytest.mark.servers


class TestImap(CollectorContract):
    type = "imap"

    @pytest.fixture(autouse=True)
    def _mailbox(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> ImapSource:
        self.mailbox.deliver(*entries)
        return self.mailbox.source()

    def normal(self, entry: bytes) -> bytes:
        # IMAP literals hold no NUL (RFC 9051 §9); Dovecot gives 0x80 for it
        return super().normal(entry.replace(b"\0", b"\x80"))

    def state(self) -> Any:
        return {uid: [f for f in flags if f != b"\\Recent"] for uid, flags in self.mailbox.state().items()}


class TestImapByToken(TestImap):
    """With XOAUTH2."""

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> ImapSource:
        self.mailbox.deliver(*entries)
        return self.mailbox.source_by_token()


def test_a_wrong_password_is_a_sentence(mailbox: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="refused the password"):
        ImapCollector("b", mailbox.source(password="wrong")).collect(Inbox(tmp_path / "i").keep, dict)


def test_a_certificate_that_is_not_trusted_is_refused(mailbox: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="certificate is not trusted"):
        ImapCollector("b", mailbox.source(ca_file=None)).collect(Inbox(tmp_path / "i").keep, dict)


def test_starttls_wants_a_trusted_certificate_as_well(mailbox: Mailbox, tmp_path: Path) -> None:
    inbox, plain = Inbox(tmp_path / "i"), {"tls": "starttls", "port": mailbox.server.plain}
    mailbox.deliver(b"Subject: 1\n\n1\n")
    with pytest.raises(SourceFailed, match="certificate is not trusted"):
        ImapCollector("b", mailbox.source(ca_file=None, **plain)).collect(inbox.keep, partial(inbox.cursor, "b"))
    assert ImapCollector("b", mailbox.source(**plain)).collect(inbox.keep, partial(inbox.cursor, "b")).kept == 1


def test_a_folder_that_is_not_there_is_answered_with_those_that_are(mailbox: Mailbox, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"'Bounces' cannot be opened .* there are: .*Junk"):
        ImapCollector("b", mailbox.source(folders=["Bounces"])).collect(Inbox(tmp_path / "i").keep, dict)


def test_idle_notices_new_mail_and_stops_when_told(mailbox: Mailbox, tmp_path: Path) -> None:
    inbox, stop = Inbox(tmp_path / "i"), threading.Event()
    mailbox.deliver(b"Subject: 1\n\n1\n")
    collector = ImapCollector("b", mailbox.source(poll_seconds=15))
    thread = threading.Thread(target=collector.watch, args=(inbox.keep, partial(inbox.cursor, "b"), stop))
    thread.start()
    try:
        until(lambda: inbox.waiting() == 1, 30, "the first message")
        mailbox.deliver(b"Subject: 2\n\n2\n")
        until(lambda: inbox.waiting() == 2, 30, "the message that IDLE tells of")
    finally:
        stop.set()
        thread.join(10)
    assert not thread.is_alive()


def test_a_message_over_the_limit_is_left_out_and_said_once(mailbox: Mailbox, tmp_path: Path) -> None:
    """However often the mailbox is looked into; the others are kept."""
    inbox, notes = Inbox(tmp_path / "i"), Notes()
    mailbox.deliver(b"Subject: 1\n\n1\n", b"Subject: 2\n\n" + b"x" * 5000 + b"\n")
    collector = ImapCollector("b", mailbox.source(max_message_bytes=2000))
    tallies = [collector.collect(inbox.keep, partial(inbox.cursor, "b"), notes) for _ in range(3)]
    assert [(t.seen, t.kept, t.refused) for t in tallies] == [(1, 1, 1), (0, 0, 0), (0, 0, 0)]
    assert len(notes.said) == 1
    assert "message 2 of INBOX was left out: it has 5,0" in notes.said[0]
    assert "max_message_bytes is 2,000" in notes.said[0]


def test_a_folder_made_anew_is_read_anew_and_nothing_is_kept_twice(mailbox: Mailbox, tmp_path: Path) -> None:
    """Its UIDs begin again (RFC 9051 §2.3.1.1); what was kept before is recognised."""
    inbox, collector = Inbox(tmp_path / "i"), ImapCollector("b", mailbox.source(folders=["Archive"]))
    messages = [b"Subject: %d\n\n%d\n" % (n, n) for n in range(3)]
    mailbox.deliver(*messages[:2], folder="Archive")
    first = collector.collect(inbox.keep, partial(inbox.cursor, "b"))
    with mailbox.client() as client:
        client.delete_folder("Archive")
        time.sleep(1.1)  # UIDVALIDITY is the second in which a folder was made
        client.create_folder("Archive")
    mailbox.deliver(*messages, folder="Archive")
    second = collector.collect(inbox.keep, partial(inbox.cursor, "b"))
    assert [(t.seen, t.kept, t.known) for t in (first, second)] == [(2, 2, 0), (3, 1, 2)]
    assert collector.collect(inbox.keep, partial(inbox.cursor, "b")).seen == 0


def test_a_server_that_goes_and_comes_back_costs_no_mail(tmp_path: Path) -> None:
    with running() as server:
        mailbox, inbox, notes, stop = server.mailbox(), Inbox(tmp_path / "i"), Notes(), threading.Event()
        mailbox.deliver(b"Subject: 1\n\n1\n")
        collector = ImapCollector("b", mailbox.source())
        thread = threading.Thread(target=collector.watch, args=(inbox.keep, partial(inbox.cursor, "b"), stop, notes))
        thread.start()
        try:
            until(lambda: inbox.waiting() == 1, 30, "the first message")
            server.stop()
            until(lambda: notes.said, 30, "a note of the lost connection")
            mailbox.deliver(b"Subject: 2\n\n2\n")
            server.start()
            until(lambda: inbox.waiting() == 2, 20, "the message that came meanwhile")
        finally:
            stop.set()
            thread.join(10)
    assert not thread.is_alive()
    assert all("Next attempt in" in n for n in notes.said)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"LOGIN": b"* BYE too many connections\r\n", "LOGOUT": b""}, "connection was lost before the password was accepted"),
        ({"LOGIN": b""}, "connection was lost before the password was accepted"),
        ({"LOGIN": b"%s BAD do not know: %s\r\n"}, "refused the password"),
        ({"SELECT": b""}, "the connection was lost"),
        ({"SELECT": b"* 1 EXISTS\r\n%s OK done\r\n"}, "answer cannot be read .KeyError.*UIDVALIDITY.*; is that an IMAP server"),
        ({"SELECT": b"%s NO such folder\r\n", "LIST": b"* LIST () NIL (\r\n%s OK done\r\n"}, "cannot be read|connection was lost"),
        ({"SEARCH": b"* SEARCH one two\r\n%s OK done\r\n"}, "cannot be read|connection was lost"),
        ({"FETCH": b"* 1 FETCH (UID 1 RFC822.SIZE 12NIL34)\r\n%s OK done\r\n"}, "cannot be read"),
        ({"FETCH": b"* 1 FETCH (UID 1 RFC822.SIZE {9999999999}\r\nabc", "LOGOUT": b""}, "connection was lost"),
        ({"FETCH": b"\xff\xfe\0\r\n" * 10}, "cannot be read|connection was lost"),
    ],
)
def test_a_server_that_is_none_is_a_sentence_without_the_password(
    answers: dict[str, bytes], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs up, repeats what it was told, or talks nonsense."""
    monkeypatch.setattr("collectors.imap.session.TIMEOUT", 0.5)
    with impostor(**answers) as source, pytest.raises(SourceFailed, match=words) as told:
        ImapCollector("b", source).collect(Inbox(tmp_path / "i").keep, dict)
    assert "open sesame" not in str(told.value)


def test_a_password_beyond_ascii_is_spoken(mailbox: Mailbox, tmp_path: Path) -> None:
    """LOGIN cannot say it, AUTHENTICATE can: Dovecot answers that it is the wrong one."""
    with pytest.raises(SourceFailed, match="the server refused the password"):
        ImapCollector("b", mailbox.source(password="pässwörd")).collect(Inbox(tmp_path / "i").keep, dict)


def test_authorities_that_cannot_be_read_are_a_sentence(mailbox: Mailbox, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name, why in (("none.pem", "cannot be read"), ("empty.pem", "holds no certificate")):
        with pytest.raises(ConfigError, match=f"ca_file .*{name}: {why}"):
            ImapCollector("b", mailbox.source(ca_file=tmp_path / name)).collect(Inbox(tmp_path / "i").keep, dict)
