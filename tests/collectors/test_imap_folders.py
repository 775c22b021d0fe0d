"""Several folders at once, folders that change while they are read, long backlogs, connections that die."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.inbox import Inbox
from analyzer.model import Capture
from collectors.base import SourceFailed, Tally
from collectors.imap import ImapCollector
from collectors.imap.folder import Mark
from collectors.imap.uids import LONGEST, commands, members, written
from tests.servers import until
from tests.servers.collecting import in_a_process
from tests.servers.dovecot import Mailbox
from tests.servers.imap import Notes, Proxy, impostor

pytestmark = pytest.mark.servers
BACKLOG = int(os.environ.get("MAILHEALTH_BACKLOG", "3000"))  # messages


class Keeping:
    """An inbox in which a source's mail is kept, and what happens elsewhere when a folder is opened or a batch was kept."""

    def __init__(self, tmp_path: Path) -> None:
        self.inbox = Inbox(tmp_path / "inbox.sqlite")
        self.when_opened: Callable[[], None] | None = None
        self.when_kept: Callable[[], None] | None = None

    def keep(self, captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        new = self.inbox.keep(captures, cursor)
        self._once("when_kept")
        return new

    def cursor(self) -> dict[str, str]:
        self._once("when_opened")
        return self.inbox.cursor("b")

    def _once(self, name: str) -> None:
        happens = getattr(self, name)
        setattr(self, name, None)
        if happens:
            happens()

    def subjects(self) -> set[str]:
        """The subjects of all that was kept."""
        return {c.data.split(b"\r\n", 1)[0].decode().removeprefix("Subject: ") for _, c in self.inbox.pending()}


@pytest.fixture
def kept(tmp_path: Path) -> Keeping:
    return Keeping(tmp_path)


def letters(*subjects: str) -> list[bytes]:
    return [f"Subject: {s}\n\n{s}\n".encode() for s in subjects]


def test_names_and_patterns(mailbox: Mailbox, kept: Keeping) -> None:
    """A folder that two of them mean is read once; / parts the levels, whatever the server's own mark is."""
    for folder in ("INBOX", "Bounces.2025", "Bounces.2026", "Bounces.2026.May", "Other"):
        mailbox.deliver(*letters(folder), folder=folder)
    collector = ImapCollector("b", mailbox.source(folders=["INBOX", "Bounces/*", "Bounces/2026"]))
    assert collector.collect(kept.keep, kept.cursor) == Tally(4, 4)
    assert kept.subjects() == {"INBOX", "Bounces.2025", "Bounces.2026", "Bounces.2026.May"}
    assert collector.collect(kept.keep, kept.cursor).seen == 0
    mailbox.deliver(*letters("later"), folder="Bounces.2027")
    assert collector.collect(kept.keep, kept.cursor).kept == 1


def test_a_pattern_that_matches_nothing_is_answered_with_what_there_is(mailbox: Mailbox, kept: Keeping) -> None:
    with pytest.raises(SourceFailed, match=r"no folder matches 'Bounces/\*'; there are: .*Junk"):
        ImapCollector("b", mailbox.source(folders=["Bounces/*"])).collect(kept.keep, kept.cursor)


def test_folders_that_cannot_be_opened_do_not_hold_up_the_others(mailbox: Mailbox, kept: Keeping) -> None:
    """Each is named once, however often it is looked for; and again when it was there in between."""
    mailbox.deliver(*letters("1"))
    notes, collector = Notes(), ImapCollector("b", mailbox.source(folders=["Gone", "INBOX", "None*"]))
    assert [collector.collect(kept.keep, kept.cursor, notes).kept for _ in range(2)] == [1, 0]
    assert len(notes.said) == 2
    assert any("'Gone' cannot be opened" in n and "is tried again at the next look" in n for n in notes.said)
    with mailbox.client() as client:
        client.create_folder("Gone")
        collector.collect(kept.keep, kept.cursor, notes)
        client.delete_folder("Gone")
    collector.collect(kept.keep, kept.cursor, notes)
    assert len(notes.said) == 3


def test_a_folder_without_rights(mailbox: Mailbox, kept: Keeping) -> None:
    mailbox.deliver(*letters("1"))
    mailbox.deliver(*letters("2"), folder="Locked")
    notes, place = Notes(), mailbox.maildir / ".Locked"
    place.chmod(0)
    try:
        assert ImapCollector("b", mailbox.source(folders=["Locked", "INBOX"])).collect(kept.keep, kept.cursor, notes).kept == 1
    finally:
        place.chmod(0o700)
    assert len(notes.said) == 1 and "'Locked'" in notes.said[0]


@pytest.mark.parametrize("happens", ["delete", "rename"])
@pytest.mark.parametrize("when", ["when_opened", "when_kept"])
def test_a_folder_that_goes_while_it_is_read(
    mailbox: Mailbox, kept: Keeping, monkeypatch: pytest.MonkeyPatch, happens: str, when: str
) -> None:  # fmt: skip
    """Dovecot hangs up then. What was not read of it is lost with it or is found under its new name; the others are read all the same."""
    monkeypatch.setattr("collectors.imap.folder.BATCH_MESSAGES", 2)
    mailbox.deliver(*letters("1", "2"))
    mailbox.deliver(*letters("3", "4", "5", "6", "7"), folder="Bounces")

    def change() -> None:
        with mailbox.client() as client:
            if happens == "delete":
                client.delete_folder("Bounces")
            else:
                client.rename_folder("Bounces", "Old")

    notes, collector = Notes(), ImapCollector("b", mailbox.source(folders=["INBOX", "Old*", "Bounces"]))
    setattr(kept, when, change)
    collector.collect(kept.keep, kept.cursor, notes)
    assert {"1", "2"} <= kept.subjects()
    assert any("folder 'Bounces': the connection was lost" in n and "tried again" in n for n in notes.said)
    collector.collect(kept.keep, kept.cursor, notes)
    if happens == "rename":
        assert kept.subjects() == {"1", "2", "3", "4", "5", "6", "7"}
        assert kept.inbox.waiting() == 7


@pytest.mark.parametrize("when", ["when_opened", "when_kept"])
def test_uidvalidity_that_changes_while_it_is_read(mailbox: Mailbox, kept: Keeping, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """The UIDs that were just learned mean nothing any more: the next pass begins at the first, and keeps nothing twice."""
    monkeypatch.setattr("collectors.imap.folder.BATCH_MESSAGES", 2)
    mailbox.deliver(*letters("1", "2", "3", "4"), folder="Bounces")

    def change() -> None:
        time.sleep(1.1)  # UIDVALIDITY is the second in which a folder was made
        with mailbox.client() as client:
            client.delete_folder("Bounces")
            client.create_folder("Bounces")
        mailbox.deliver(*letters("5", "1", "6", "2", "3", "4"), folder="Bounces")

    collector = ImapCollector("b", mailbox.source(folders=["Bounces"]))
    setattr(kept, when, change)
    with pytest.raises(SourceFailed, match="the connection was lost"):
        collector.collect(kept.keep, kept.cursor)
    assert collector.collect(kept.keep, kept.cursor) == (Tally(6, 4, 2) if when == "when_kept" else Tally(6, 6))
    assert kept.subjects() == {"1", "2", "3", "4", "5", "6"}
    assert collector.collect(kept.keep, kept.cursor).seen == 0


@pytest.mark.parametrize("when", ["when_opened", "when_kept"])
def test_messages_that_somebody_expunges_while_it_is_read(
    mailbox: Mailbox, kept: Keeping, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:  # fmt: skip
    """They are gone; none of the others is missed or mistaken for another."""
    monkeypatch.setattr("collectors.imap.folder.BATCH_MESSAGES", 3)
    mailbox.deliver(*letters(*map(str, range(1, 11))))

    def change() -> None:
        with mailbox.client() as client:
            client.select_folder("INBOX")
            client.delete_messages([1, 5, 6, 10])
            client.expunge()

    setattr(kept, when, change)
    collector = ImapCollector("b", mailbox.source())
    collector.collect(kept.keep, kept.cursor)
    first = {"1"} if when == "when_kept" else set()
    assert kept.subjects() == {"2", "3", "4", "7", "8", "9"} | first
    mailbox.deliver(*letters("11"))
    collector.collect(kept.keep, kept.cursor)
    assert kept.subjects() == {"2", "3", "4", "7", "8", "9", "11"} | first


class Damaged(dict[str, bytes]):
    """The answers of a server that refuses every FETCH of a body in which message 2 is asked for, as Exchange does with damaged items."""

    def __init__(self, heard: list[bytes], words: bytes = b"NO damaged item") -> None:
        super().__init__(FETCH=b"", SEARCH=b"* SEARCH 1 2 3\r\n%s OK done\r\n")
        self._heard, self._words = heard, words

    def __getitem__(self, verb: str) -> bytes:
        _, _, command = self._heard[-1].partition(b" ")
        if verb != "FETCH":
            return super().__getitem__(verb)
        uids = [int(uid) for uid in command.split()[2].split(b",")]
        if b"SIZE" not in command and 2 in uids:
            return b"%s " + self._words + b"\r\n"
        each = (b"* %d FETCH (UID %d RFC822.SIZE 6 BODY[] {6}\r\nA: %d\r\n)\r\n" % (uid, uid, uid) for uid in uids)
        return b"".join(each) + b"%s OK done\r\n"


def test_one_message_that_the_server_cannot_give_does_not_hold_up_the_rest(kept: Keeping) -> None:
    """The others come one by one. It is named once, asked for again at each look, and kept when the server can."""
    notes, heard = Notes(), []  # type: ignore[var-annotated]
    with impostor(heard, answers=Damaged(heard)) as source:
        collector = ImapCollector("b", source)
        assert collector.collect(kept.keep, kept.cursor, notes) == Tally(2, 2, 0, 1)
    assert len(notes.said) == 1 and "message 2 of INBOX was left out: the server could not give it" in notes.said[0]
    assert kept.inbox.cursor("b") == {"INBOX": "7:3 missing=2"}
    usual = Damaged(heard)
    usual["SEARCH"] = b"* SEARCH 3\r\n%s OK done\r\n"
    with impostor(heard, answers=usual) as source:
        assert ImapCollector("b", source).collect(kept.keep, kept.cursor) == Tally(refused=1)
    with impostor(heard, SEARCH=usual["SEARCH"], FETCH=b"* 2 FETCH (UID 2 BODY[] {6}\r\nA: 2\r\n)\r\n%s OK done\r\n") as source:
        assert ImapCollector("b", source).collect(kept.keep, kept.cursor) == Tally(1, 1)
    assert kept.inbox.cursor("b") == {"INBOX": "7:3"}


def test_a_server_that_asks_for_patience_is_not_asked_for_each_message(kept: Keeping) -> None:
    heard: list[bytes] = []
    words = b"BAD Request is throttled. Suggested Backoff Time: 87878 milliseconds"
    with impostor(heard, answers=Damaged(heard, words)) as source, pytest.raises(SourceFailed, match="is throttled"):
        ImapCollector("b", source).collect(kept.keep, kept.cursor)
    assert sum(b"BODY" in line for line in heard) == 1


def test_a_backlog_is_taken_in_windows_and_flat_memory(
    mailbox: Mailbox, kept: Keeping, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are, and with holes in their numbers. MAILHEALTH_BACKLOG=50000 makes it a long one."""
    mailbox.fill(BACKLOG, 2000)
    with mailbox.client() as client:
        client.select_folder("INBOX")
        client.delete_messages([1, 2, *range(BACKLOG // 3, BACKLOG // 2)])
        client.expunge()
    left = BACKLOG - 2 - (BACKLOG // 2 - BACKLOG // 3)
    ran = in_a_process(tmp_path / "other.sqlite", mailbox.table())
    told = json.loads(ran.stdout)
    assert (told["seen"], told["kept"]) == (left, left)
    assert told["mb"] < 150
    monkeypatch.setattr("collectors.imap.folder.WINDOW", BACKLOG // 10)
    steps: list[tuple[int, int | None]] = []
    collector = ImapCollector("b", mailbox.source())
    assert collector.collect(kept.keep, kept.cursor, lambda done, total, note="": steps.append((done, total))).kept == left
    assert steps[-1] == (left, left) and steps == sorted(steps) and all(total == left for _, total in steps)
    assert collector.collect(kept.keep, kept.cursor).seen == 0


def test_idle_in_the_first_folder_and_looks_at_the_others(mailbox: Mailbox, kept: Keeping) -> None:
    mailbox.deliver(*letters("1"))
    mailbox.deliver(*letters("2"), folder="Bounces")
    with watching(ImapCollector("b", mailbox.source(folders=["INBOX", "Bounces"], poll_seconds=600)), kept):
        until(lambda: kept.inbox.waiting() == 2, 30, "what there was")
        mailbox.deliver(*letters("3"), folder="Bounces")
        time.sleep(1)
        mailbox.deliver(*letters("4"))  # IDLE tells of this one, and the look that follows finds the other
        until(lambda: kept.inbox.waiting() == 4, 30, "what came later")
    with watching(ImapCollector("b", mailbox.source(folders=["INBOX", "Bounces"], poll_seconds=1)), kept):
        mailbox.deliver(*letters("5"), folder="Bounces")
        until(lambda: kept.inbox.waiting() == 5, 30, "what only a look can find")


def test_a_connection_that_dies_in_silence_during_idle(mailbox: Mailbox, kept: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody hangs up and nothing comes any more. IDLE is begun anew in time, finds nobody, and the next connection has the mail."""
    monkeypatch.setattr("collectors.imap.RENEW_IDLE", 2.0)
    monkeypatch.setattr("collectors.imap.session.TIMEOUT", 2.0)
    notes = Notes()
    with Proxy(mailbox.server.tls) as way:
        collector = ImapCollector("b", mailbox.source(port=way.port, poll_seconds=600))
        mailbox.deliver(*letters("1"))
        with watching(collector, kept, notes):
            until(lambda: kept.inbox.waiting() == 1, 30, "the first message")
            time.sleep(0.5)  # it is in IDLE now
            way.swallow()
            mailbox.deliver(*letters("2"))
            until(lambda: kept.inbox.waiting() == 2, 30, "the message of which the dead connection did not tell")
        assert way.connections == 2
    assert len(notes.said) == 1 and "the connection was lost" in notes.said[0]


def test_told_to_stop_it_does_not_wait_for_a_dead_connection(mailbox: Mailbox, kept: Keeping) -> None:
    with Proxy(mailbox.server.tls) as way:
        mailbox.deliver(*letters("1"))
        with watching(ImapCollector("b", mailbox.source(port=way.port)), kept, within=8):
            until(lambda: kept.inbox.waiting() == 1, 30, "the first message")
            time.sleep(0.5)
            way.swallow()


def test_a_server_that_names_idle_and_answers_bad_is_polled(kept: Keeping) -> None:
    heard: list[bytes] = []
    capability = b"* CAPABILITY IMAP4rev1 IDLE\r\n%s OK done\r\n"
    with impostor(
        heard, {"poll_seconds": 0.2}, CAPABILITY=capability, IDLE=b"%s BAD Command Error. 12\r\n", SEARCH=b"* SEARCH\r\n%s OK done\r\n"
    ) as source, watching(ImapCollector("b", source), kept):  # fmt: skip
        until(lambda: sum(b"SEARCH" in line for line in heard) > 3, 10, "several looks")
    assert sum(b"IDLE" in line for line in heard) == 1


@pytest.mark.parametrize("mark", [Mark(7), Mark(7, 12), Mark(7, 12, (1,)), Mark(7, 12, (), (9,)), Mark(7, 12, (1, 2, 3, 7), (4, 5))])
def test_a_mark_is_read_as_it_was_written(mark: Mark) -> None:
    assert Mark.of(str(mark), 7) == mark
    assert Mark.of(str(mark), 8) == Mark(8)
    assert Mark.of("", 7) == Mark(7)


@given(st.sets(st.integers(1, 2**32 - 1) | st.integers(1, 200)))
def test_a_set_of_uids_is_read_as_it_was_written_also_in_pieces(uids: set[int]) -> None:
    assert list(members(written(uids))) == sorted(uids)
    assert [uid for piece in commands(uids) for uid in members(piece)] == sorted(uids)


def test_no_piece_is_too_long_for_a_command() -> None:
    pieces = list(commands(range(4_000_000_000, 4_000_010_000, 2)))
    assert max(map(len, pieces)) <= LONGEST and sum(piece.count(",") + 1 for piece in pieces) == 5000
    assert list(commands(range(1, 50_001))) == ["1:50000"]


class watching:  # noqa: N801 - read as a verb
    """Has a collector watch while the context lasts; it must end soon after."""

    def __init__(self, collector: ImapCollector, kept: Keeping, notes: Any = None, within: float = 10) -> None:
        self._stop, self._within = threading.Event(), within
        self._thread = threading.Thread(
            target=collector.watch, args=(kept.keep, partial(kept.inbox.cursor, "b"), self._stop, notes or Notes())
        )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(self._within)
        assert not self._thread.is_alive()
