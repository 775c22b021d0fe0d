"""What is done with messages once they are kept: nothing, a flag, a move, a deletion; and what a crash between two steps costs (nothing)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analyzer.inbox import Inbox
from analyzer.model import Capture, KeepFailed
from analyzer.sources import ImapSource
from collectors.base import Tally
from collectors.imap import ImapCollector
from collectors.testing import CollectorContract
from tests.servers.collecting import in_a_process
from tests.servers.dovecot import Dovecot, Mailbox, running
from tests.servers.imap import Notes, impostor

pytestmark = pytest.mark.servers
DELETE: dict[str, Any] = {"after": "delete", "delete_after_keeping": "yes, delete them"}
OLD = """
protocol imap {
  imap_capability = IMAP4rev1
}
"""


@pytest.fixture(scope="module")
def old() -> Iterator[Dovecot]:
    """A server without MOVE, UIDPLUS, IDLE or SPECIAL-USE."""
    with running(OLD) as server:
        yield server


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox.sqlite")


def collect(mailbox: Mailbox, inbox: Inbox, notes: Any = None, **changes: Any) -> Tally:
    """One pass of a collector that knows nothing of earlier ones."""
    return ImapCollector("b", mailbox.source(**changes)).collect(inbox.keep, partial(inbox.cursor, "b"), notes or Notes())


def letters(count: int, first: int = 0) -> list[bytes]:
    return [b"Subject: %d\n\n%d\n" % (n, n) for n in range(first, first + count)]


def flags(mailbox: Mailbox) -> dict[int, frozenset[bytes]]:
    """UID -> flags of what is in the inbox. That a session is the first to see a message (\\Recent) is no change; RFC 9051 knows it no more."""
    return {uid: frozenset(found) - {b"\\Recent"} for uid, found in mailbox.state().items()}


def subjects(mailbox: Mailbox, folder: str) -> list[bytes]:
    """What lies in a folder, but for what is marked \\Deleted."""
    with mailbox.client() as client:
        client.select_folder(folder, readonly=True)
        found = client.fetch(client.search("UNDELETED"), ["BODY.PEEK[HEADER.FIELDS (SUBJECT)]"])
        return sorted(next(v for k, v in got.items() if k.startswith(b"BODY")).strip() for got in found.values())


class TestMove(CollectorContract):
    """What moves what it has kept changes the source, and only then."""

    type = "imap"
    changes = True

    @pytest.fixture(autouse=True)
    def _mailbox(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    def source(self, tmp_path: Path, entries: Sequence[bytes]) -> ImapSource:
        self.mailbox.deliver(*entries)
        return self.mailbox.source(after="move")

    def normal(self, entry: bytes) -> bytes:
        return super().normal(entry.replace(b"\0", b"\x80"))

    def state(self) -> Any:
        return subjects(self.mailbox, "INBOX")


def test_moved_once_kept(mailbox: Mailbox, inbox: Inbox) -> None:
    """To a folder that is made for it, and of which a pattern does not read again."""
    mailbox.deliver(*letters(5))
    mailbox.deliver(*letters(1, 5), folder="Bounces")
    assert collect(mailbox, inbox, folders=["*"], after="move") == Tally(6, 6)
    assert (subjects(mailbox, "INBOX"), len(subjects(mailbox, "Mailhealth.read"))) == ([], 6)
    mailbox.deliver(*letters(1, 6))
    assert collect(mailbox, inbox, folders=["*"], after="move") == Tally(1, 1)
    assert (subjects(mailbox, "INBOX"), len(subjects(mailbox, "Mailhealth.read"))) == ([], 7)


@pytest.mark.parametrize("flag", ["\\Seen", "$Mailhealth"])
def test_flagged_once_kept(mailbox: Mailbox, inbox: Inbox, flag: str) -> None:
    mailbox.deliver(*letters(3))
    assert collect(mailbox, inbox, after="flag", flag=flag).kept == 3
    assert all(flag.encode() in flags for flags in mailbox.state().values())
    assert collect(mailbox, inbox, after="flag", flag=flag).seen == 0


def test_deleted_once_kept(mailbox: Mailbox, inbox: Inbox) -> None:
    mailbox.deliver(*letters(3))
    assert collect(mailbox, inbox, **DELETE).kept == 3
    assert mailbox.state() == {}


@pytest.mark.parametrize("after", [{"after": "move"}, DELETE])
@pytest.mark.parametrize("which", ["new", "old"])
def test_what_others_have_marked_is_not_expunged(
    mailbox: Mailbox, old: Dovecot, inbox: Inbox, which: str, after: dict[str, Any]
) -> None:  # fmt: skip
    """Nor copied. A server without UIDPLUS knows no way to expunge these alone: there they stay, marked."""
    box = mailbox if which == "new" else old.mailbox()
    box.deliver(*letters(4))
    with box.client() as client:
        client.select_folder("INBOX")
        client.delete_messages([2])
    collector = ImapCollector("b", box.source(**after))
    assert collector.collect(inbox.keep, partial(inbox.cursor, "b")).kept == 4
    left = {uid: b"\\Deleted" in flags for uid, flags in box.state().items()}
    moves = "after" in after and after["after"] == "move"
    if which == "old":
        assert left == {1: True, 2: True, 3: True, 4: True}
    else:
        assert left == ({} if moves else {2: True})  # MOVE takes it along, mark and all
    if moves:
        assert len(subjects(box, "Mailhealth.read")) == 3
    # once more, also by one that knows nothing of the first: no second copies
    for again in (collector, ImapCollector("b", box.source(**after))):
        assert again.collect(inbox.keep, partial(inbox.cursor, "b")).seen == 0
    if moves:
        assert len(subjects(box, "Mailhealth.read")) == 3


def test_a_server_without_extensions_is_read_and_watched_as_well(old: Dovecot, inbox: Inbox) -> None:
    mailbox = old.mailbox()
    mailbox.deliver(*letters(3))
    collector = ImapCollector("b", mailbox.source(folders=["*"]))
    assert collector.collect(inbox.keep, partial(inbox.cursor, "b")).kept == 3
    assert "IMAP4REV1" in old_capabilities(mailbox) and "MOVE" not in old_capabilities(mailbox)
    told = ImapCollector("b", mailbox.source(after="move")).check()
    assert "by copying and deleting; the server has no UIDPLUS, so they stay, marked" in told[-1]


def old_capabilities(mailbox: Mailbox) -> set[str]:
    with mailbox.client() as client:
        return {c.decode() for c in client.capabilities()}


@pytest.mark.parametrize("after", [{"after": "move"}, {"after": "flag"}, DELETE])
def test_killed_between_keeping_and_the_rest_nothing_is_lost_nor_kept_twice(
    mailbox: Mailbox, tmp_path: Path, after: dict[str, Any]
) -> None:
    """The next pass does what was left undone."""
    mailbox.deliver(*letters(700))
    before = flags(mailbox)
    ran = in_a_process(tmp_path / "i", mailbox.table(**after), keeps=2)
    assert ran.returncode == -9
    inbox = Inbox(tmp_path / "i")
    assert inbox.waiting() == 700
    assert flags(mailbox) == before
    assert collect(mailbox, inbox, **after).seen == 0
    assert inbox.waiting() == 700
    if after["after"] == "flag":
        assert all(b"\\Seen" in flags for flags in mailbox.state().values())
    else:
        assert mailbox.state() == {}
    if after["after"] == "move":
        assert len(subjects(mailbox, "Mailhealth.read")) == 700


def test_what_was_not_kept_is_left_alone(mailbox: Mailbox, inbox: Inbox) -> None:
    """Neither what is too large, nor anything when the disk is full."""
    mailbox.deliver(*letters(2), b"Subject: large\n\n" + b"x" * 5000 + b"\n", *letters(1, 9))

    def full(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        raise KeepFailed("the disk is full")

    before = flags(mailbox)
    with pytest.raises(KeepFailed):
        ImapCollector("b", mailbox.source(**DELETE)).collect(full, dict)
    assert flags(mailbox) == before
    for _ in range(2):
        collect(mailbox, inbox, max_message_bytes=2000, **DELETE)
        assert subjects(mailbox, "INBOX") == [b"Subject: large"]


def test_what_was_read_before_anybody_asked_for_it_stays(mailbox: Mailbox, inbox: Inbox) -> None:
    """And what a folder of the same name holds later is another matter."""
    mailbox.deliver(*letters(2))
    collect(mailbox, inbox)
    mailbox.deliver(*letters(1, 2))
    collect(mailbox, inbox, after="move")
    assert subjects(mailbox, "INBOX") == [b"Subject: 0", b"Subject: 1"]


def test_a_folder_that_cannot_be_made_holds_up_nothing(mailbox: Mailbox, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading goes on; it is said once; when it can be made, all is moved that was kept meanwhile."""
    monkeypatch.setattr("collectors.imap.folder.BATCH_MESSAGES", 2)
    mailbox.deliver(*letters(5))
    notes = Notes()
    collector = ImapCollector("b", mailbox.source(after="move"))
    in_the_way = mailbox.maildir / ".Mailhealth.read"
    in_the_way.write_text("no folder")
    assert collector.collect(inbox.keep, partial(inbox.cursor, "b"), notes).kept == 5
    in_the_way.unlink()
    assert len(notes.said) == 1 and "what was kept of folder 'INBOX' could not be put away" in notes.said[0]
    assert len(subjects(mailbox, "INBOX")) == 5
    mailbox.deliver(*letters(1, 5))
    assert collect(mailbox, inbox, after="move").kept == 1
    assert (subjects(mailbox, "INBOX"), len(subjects(mailbox, "Mailhealth.read"))) == ([], 6)


def test_a_server_that_allows_reading_only_is_read(inbox: Inbox) -> None:
    notes, heard = Notes(), []  # type: ignore[var-annotated]
    select = b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n%s OK [READ-ONLY] done\r\n"
    fetch = b"* 1 FETCH (UID 1 RFC822.SIZE 6 BODY[] {6}\r\nA: b\r\n)\r\n%s OK done\r\n"
    with impostor(heard, {"after": "flag"}, SELECT=select, FETCH=fetch, STORE=b"%s NO [READ-ONLY] no\r\n") as source:
        assert ImapCollector("b", source).collect(inbox.keep, partial(inbox.cursor, "b"), notes).kept == 1
    assert "could not be put away" in notes.said[0]


@pytest.mark.parametrize("plus", [True, False])
def test_a_server_that_names_move_and_answers_bad_gets_the_older_commands(inbox: Inbox, plus: bool) -> None:
    """Exchange did: "BAD Command Error. 12". UID EXPUNGE likewise may be named and refused."""
    heard: list[bytes] = []
    capability = b"* CAPABILITY IMAP4rev1 MOVE%s\r\n" % (b" UIDPLUS" if plus else b"")
    fetch = b"* 1 FETCH (UID 1 RFC822.SIZE 6 BODY[] {6}\r\nA: b\r\n)\r\n%s OK done\r\n"
    bad = b"%s BAD Command Error. 12\r\n"
    with impostor(
        heard, {"after": "move"}, CAPABILITY=capability + b"%s OK done\r\n", FETCH=fetch, MOVE=bad, EXPUNGE=bad
    ) as source:  # fmt: skip
        notes = Notes()
        assert ImapCollector("b", source).collect(inbox.keep, partial(inbox.cursor, "b"), notes).kept == 1
    said = [line.partition(b" ")[2].partition(b"(")[0].strip() for line in heard]
    commands = [line for line in said if line.startswith((b"UID MOVE", b"UID COPY", b"UID STORE", b"UID EXPUNGE", b"EXPUNGE"))]
    expected = [b'UID MOVE 1 "Mailhealth/read"', b'UID COPY 1 "Mailhealth/read"', b"UID STORE 1 +FLAGS.SILENT"]
    assert commands == expected + ([b"UID EXPUNGE 1"] if plus else [])
    assert not notes.said
