"""One folder, read on from where it was left: UIDs in windows, sizes and bodies in batches, each kept before the next is asked for.

The cursor is UIDVALIDITY and the highest UID kept, saved in the transaction that keeps the messages. When UIDVALIDITY
changes (RFC 9051 §2.3.1.1) the folder is read anew; what was kept before is recognised by its hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from imapclient.exceptions import IMAPClientError, IMAPClientReadOnlyError

from analyzer.model import MESSAGE, Capture
from collectors.base import Cursor, Keep, Progress, Tally
from collectors.imap.after import put_away
from collectors.imap.session import Mailbox, Session, gone, short
from collectors.imap.uids import members, written

WINDOW = 10_000  # UIDs that one SEARCH tells: imaplib takes no line of more than a million bytes
BATCH_MESSAGES = 500  # whose UIDs, of up to ten digits, fit into a command of 8,000 bytes (RFC 7162 §4)
BATCH_BYTES = 16 * 1024 * 1024


class FolderFailed(Exception):
    """A folder cannot be read; the message is a sentence without the mailbox's name."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a folder has been kept: its entry in the cursor, as "7:1200" or "7:1200 owed=1001:1200 missing=17"."""

    validity: int  # UIDVALIDITY, under which the UIDs hold
    last: int = 0  # the highest UID that was kept
    owed: tuple[int, ...] = ()  # UIDs that were kept, and that `after` is still to be done with
    missing: tuple[int, ...] = ()  # UIDs below `last` that the server could not give; they are asked for again

    @classmethod
    def of(cls, saved: str, validity: int) -> Mark:
        """The mark that was saved, or one at the beginning where it was saved of another folder of that name."""
        far, *more = saved.split(" ")
        was, _, last = far.partition(":")
        sets = {key: tuple(members(text)) for key, _, text in (part.partition("=") for part in more)}
        return cls(validity, int(last), **sets) if was == str(validity) else cls(validity)

    def __str__(self) -> str:
        sets = {"owed": self.owed, "missing": self.missing}
        return " ".join([f"{self.validity}:{self.last}", *(f"{key}={written(uids)}" for key, uids in sets.items() if uids)])


class Reader:
    """Reads the folders of a mailbox. It remembers what it has said and done, which is not said and done again."""

    def __init__(self, name: str, mailbox: Mailbox) -> None:
        self._name, self._mailbox, self._source = name, mailbox, mailbox.source
        self._refused: set[tuple[str, int, int]] = set()  # folder, UIDVALIDITY, UID
        self._done: dict[str, tuple[int, tuple[int, ...]]] = {}  # folder -> UIDVALIDITY, UIDs that were put away last
        self._amiss: set[str] = set()  # what was said to be amiss

    def read(self, session: Session, folder: str, keep: Keep, cursor: Cursor, progress: Progress) -> Tally:
        """One pass over what is new in a folder. Raises FolderFailed, what the connection raises, KeepFailed."""
        opened = self.open(session, folder)
        mark = Mark.of(cursor().get(folder, ""), int(opened[b"UIDVALIDITY"]))
        mark = self._put_away(session, folder, mark, progress)
        total = _expected(opened, mark.last)
        mark, tally = self._again(session.client, folder, mark, keep, progress)
        for uids in _windows(session.client, opened, mark.last):
            for batch, refused in self._batches(session.client, folder, mark.validity, uids, progress):
                mark, kept = self._keep(session.client, folder, mark, batch, keep, progress)
                tally += kept + Tally(refused=refused)
                done = tally.seen + tally.refused
                progress(done, max(done, total))
            # not after each batch: a server may look through the whole folder for each command that changes it
            mark = self._put_away(session, folder, mark, progress)
        return tally

    def open(self, session: Session, folder: str, readonly: bool | None = None) -> Mapping[bytes, Any]:
        """Opens a folder, for reading only unless `after` asks for more; what the server says of it. Raises FolderFailed."""
        readonly = self._source.after == "nothing" if readonly is None else readonly
        try:
            try:
                answer: Mapping[bytes, Any] = session.client.select_folder(folder, readonly=readonly)
            except IMAPClientReadOnlyError:  # the server allows no more
                answer = session.client.select_folder(folder, readonly=True)
        except IMAPClientError as e:
            if gone(e):
                raise
            raise FolderFailed(f"folder {folder!r} cannot be opened ({short(e)}); there are: {session.there()}.") from None
        return answer

    def say(self, about: str, sentence: str, progress: Progress) -> None:
        """Tells what is amiss, once until it is well again, which "" says: some servers give the time in their refusals."""
        if sentence and about not in self._amiss:
            progress(0, None, f"{self._mailbox.where}: {sentence}")
        (self._amiss.add if sentence else self._amiss.discard)(about)

    def _keep(self, client: Any, folder: str, mark: Mark, batch: Sequence[int], keep: Keep, progress: Progress) -> tuple[Mark, Tally]:
        """Fetches a batch and keeps it; how far the folder has been kept then."""
        bodies = _bodies(client, batch)
        found = {uid: Capture(body, MESSAGE, self._name, datetime.now(UTC)) for uid, body in bodies.items() if body is not None}
        empty = [uid for uid, body in bodies.items() if body is None]
        refused = sum(self._refuse(folder, mark.validity, uid, "the server could not give it", progress) for uid in empty)
        owed = () if self._source.after == "nothing" else (*mark.owed, *found)
        mark = replace(mark, last=max([mark.last, *batch]), owed=owed, missing=(*mark.missing, *empty))
        if not found:
            return mark, Tally(refused=refused)
        new = keep(list(found.values()), {folder: str(mark)})
        return mark, Tally(len(found), new, len(found) - new, refused)

    def _again(self, client: Any, folder: str, mark: Mark, keep: Keep, progress: Progress) -> tuple[Mark, Tally]:
        """As `_keep`, of what the server could not give before: it may have been busy."""
        some, others = mark.missing[:BATCH_MESSAGES], mark.missing[BATCH_MESSAGES:]
        if not some:
            return mark, Tally()
        try:
            return self._keep(client, folder, replace(mark, missing=others), some, keep, progress)
        except IMAPClientError as e:
            if gone(e):
                raise
            return mark, Tally()

    def _put_away(self, session: Session, folder: str, mark: Mark, progress: Progress) -> Mark:
        """Does what `after` says with what is owed; what the server refuses stays owed, and is tried again with the next messages."""
        if self._source.after == "nothing" or not mark.owed or self._done.get(folder) == (mark.validity, mark.owed):
            return replace(mark, owed=())
        problem = ""
        try:
            put_away(session.client, self._source, session.spelt(self._source.move_to), mark.owed)
            self._done[folder] = (mark.validity, mark.owed)
        except IMAPClientError as e:
            if gone(e):
                raise
            problem = f"what was kept of folder {folder!r} could not be put away ({short(e)}); it stays there, and is tried again."
        self.say(f"after {folder}", problem, progress)
        return mark if problem else replace(mark, owed=())

    def _refuse(self, folder: str, validity: int, uid: int, why: str, progress: Progress) -> int:
        """Says once that a message was left out; 1 the first time, then 0."""
        if (folder, validity, uid) in self._refused:
            return 0
        self._refused.add((folder, validity, uid))
        progress(0, None, f"{self._mailbox.where}: message {uid} of {folder} was left out: {why}.")
        return 1

    def _batches(
        self, client: Any, folder: str, validity: int, uids: Sequence[int], progress: Progress
    ) -> Iterator[tuple[list[int], int]]:  # fmt: skip
        """UIDs to fetch at once, bounded in number and bytes, and how many were too large."""
        most = self._source.max_message_bytes
        for part in _slices(uids):
            sizes = client.fetch(part, [b"RFC822.SIZE"])
            batch: list[int] = []
            size = refused = 0
            for uid in part:
                bytes_ = sizes.get(uid, {}).get(b"RFC822.SIZE", 0)
                if bytes_ > most:
                    why = f"it has {bytes_:,} bytes, and max_message_bytes is {most:,}"
                    refused += self._refuse(folder, validity, uid, why, progress)
                    continue
                if batch and size + bytes_ > BATCH_BYTES:
                    yield batch, 0
                    batch, size = [], 0
                batch.append(uid)
                size += bytes_
            yield batch, refused


def _expected(opened: Mapping[bytes, Any], last: int) -> int:
    """How many messages above the UID `last` there are at most."""
    exists = int(opened.get(b"EXISTS", 0))
    return min(exists, int(opened[b"UIDNEXT"]) - 1 - last) if b"UIDNEXT" in opened else exists


def _windows(client: Any, opened: Mapping[bytes, Any], last: int) -> Iterator[list[int]]:
    """The UIDs above `last`, rising, about a window's worth at a time."""
    low = last + 1
    if _expected(opened, last) > WINDOW and b"UIDNEXT" in opened:
        while low + WINDOW < int(opened[b"UIDNEXT"]):
            yield _search(client, low, str(low + WINDOW - 1))
            low += WINDOW
    yield _search(client, low, "*")


def _search(client: Any, low: int, high: str) -> list[int]:
    # "n:*" always names the last message, however low its UID (RFC 9051 §6.4.4)
    return sorted({uid for uid in client.search(["UID", f"{low}:{high}"]) if uid >= low})


def _bodies(client: Any, uids: Sequence[int]) -> dict[int, bytes | None]:
    """UID -> message, or None where the server could not give it. One that is not in the answer was expunged by somebody else since."""
    what = [b"BODY.PEEK[]"]
    try:
        got = client.fetch(uids, what)
    except IMAPClientError as e:
        if gone(e) or "throttled" in str(e):  # so Exchange asks for patience
            raise
        # one message that the server cannot read makes some refuse all that were asked for with it
        got = {uid: _body(client, uid, what) for uid in uids}
        if len(uids) > 1 and not any(got.values()):
            raise
    return {uid: got[uid].get(b"BODY[]") for uid in uids if uid in got}


def _body(client: Any, uid: int, what: Sequence[bytes]) -> Mapping[bytes, Any]:
    try:
        found: Mapping[bytes, Any] = client.fetch([uid], what).get(uid, {})
    except IMAPClientError as e:
        if gone(e):
            raise
        return {}
    return found


def _slices(uids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (uids[i : i + BATCH_MESSAGES] for i in range(0, len(uids), BATCH_MESSAGES))
