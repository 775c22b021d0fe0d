"""A mailbox over IMAP, read and left as it was: EXAMINE and BODY.PEEK, nothing is marked, moved or deleted unless `after` says so.

`session` connects and logs in (`login`, `oauth`, with `advice` where it fails), `folder` reads one folder, `after` puts away what is kept.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from typing import Any

from imapclient.exceptions import IMAPClientError

from analyzer.config import ConfigError
from analyzer.sources import ImapSource
from collectors.base import Cursor, Keep, KeepFailed, Progress, SourceFailed, Tally, silent
from collectors.imap.after import means
from collectors.imap.folder import FolderFailed, Reader
from collectors.imap.session import GARBLED, LOST, PARTING, Mailbox, Session, gone, reason

RENEW_IDLE = 9 * 60.0  # a dead connection says nothing, so IDLE is begun anew before ten minutes are over
MOST_TOLD = 20  # folders that `check` names


class ImapCollector:
    """Collects the mail of a mailbox."""

    def __init__(self, name: str, source: ImapSource) -> None:
        self.name, self._source = name, source
        self._mailbox = Mailbox(name, source)
        self._reader = Reader(name, self._mailbox)
        self._idle = source.idle

    def collect(self, keep: Keep, cursor: Cursor, progress: Progress = silent) -> Tally:
        """One pass over what is new in each folder. Raises SourceFailed when none could be read."""
        with self._mailbox.session() as session:
            return self._look(session, keep, cursor, progress)

    def check(self, offline: bool = False) -> Sequence[str]:
        """Logs in and opens each folder; tells how, how many messages there are, and what would be done with them."""
        self._mailbox.ready()
        if offline:
            return ()
        with self._mailbox.session() as session:
            folders, missing = self._folders(session)
            if missing:
                raise SourceFailed(f"{self._mailbox.where}: {' '.join(missing.values())}")
            try:
                # for writing, which changes nothing by itself: only so does the server say whether the account could
                opened = {folder: self._reader.open(session, folder, readonly=False) for folder in folders}
            except FolderFailed as e:
                raise SourceFailed(f"{self._mailbox.where}: {e}") from None
            s, client = self._source, session.client
            told = [f"connected to {s.host}:{self._mailbox.port} ({s.tls}), signed in as {s.user} by {self._mailbox.method}"]
            told += [f"{folder}: {_messages(int(answer.get(b'EXISTS', 0)))}" for folder, answer in list(opened.items())[:MOST_TOLD]]
            if len(folders) > MOST_TOLD:
                told.append(f"and {len(folders) - MOST_TOLD} more folders")
            able = any(b"\\deleted" in {f.lower() for f in a.get(b"PERMANENTFLAGS", ())} for a in opened.values())
            return [*told, f"the account {'could' if able else 'could not'} delete here; {means(client, s)}"]

    def watch(self, keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress = silent) -> None:
        """Collects whenever there is news, by IDLE or by looking; after a lost connection tries again, more and more slowly."""
        pause = 1.0
        while not stop.is_set():
            try:
                with self._mailbox.session() as session:
                    while not stop.is_set():
                        self._look(session, keep, cursor, progress)
                        pause = 1.0
                        self._wait(session.client, stop)
            except (SourceFailed, ConfigError, KeepFailed) as e:
                progress(0, None, f"{e} Next attempt in {pause:.0f} s.")
                stop.wait(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads clients, keeps no secret
                pause = min(pause * 2, 300.0)

    def _look(self, session: Session, keep: Keep, cursor: Cursor, progress: Progress) -> Tally:
        """One pass over all folders; one that fails does not hold up the others. Raises SourceFailed when all did."""
        folders, failed = self._folders(session)
        tally, read, cause = Tally(), 0, None
        for folder in reversed(folders):  # the first one last: it stays open, and that is where IDLE listens
            _ = session.client  # made anew when the folder before cost the connection
            try:
                tally += self._reader.read(session, folder, keep, cursor, progress)
                read += 1
                self._reader.say(folder, "", progress)
            except FolderFailed as e:
                failed[folder] = str(e)
            except (*LOST, *GARBLED) as e:
                failed[folder] = f"folder {folder!r}: {reason(e)}"
                cause = e if isinstance(e, GARBLED) else None  # which may be a fault of ours
                if gone(e):
                    session.close()
        if failed and not read:
            raise SourceFailed(f"{self._mailbox.where}: {' '.join(list(failed.values())[:3])}") from cause
        for name, sentence in failed.items():
            self._reader.say(name, f"{sentence} The other folders were read; this one is tried again at the next look.", progress)
        return tally

    def _folders(self, session: Session) -> tuple[list[str], dict[str, str]]:
        """The folders that are meant, in the order of the configuration; and for each pattern without any, a sentence."""
        names: dict[str, None] = {}
        missing = {}
        for wanted in self._source.folders:
            found = session.matching(wanted)
            names |= dict.fromkeys(found)
            if not found:
                missing[wanted] = f"no folder matches {wanted!r}; there are: {session.there()}."
        if self._source.after == "move":
            names.pop(session.spelt(self._source.move_to), None)  # a pattern may match it
        return list(names), missing

    def _wait(self, client: Any, stop: threading.Event) -> None:
        """Waits for news: with IDLE in the first folder, and never longer than the time between two looks at the others."""
        if not (self._idle and client.has_capability("IDLE")):
            stop.wait(self._source.poll_seconds)
            return
        # a server may tell of new mail in its answer to an earlier command, and not again: IDLE alone would miss it
        until = time.monotonic() + min(RENEW_IDLE, self._source.poll_seconds)
        try:
            client.idle()
        except IMAPClientError as e:
            if gone(e):
                raise
            self._idle = False  # it names IDLE among its capabilities and refuses it
            return
        try:
            while not stop.is_set() and time.monotonic() < until:
                asked = time.monotonic()
                heard = client.idle_check(timeout=1.0)
                # nothing, and at once: the server has hung up, of which idle_check says nothing; ending IDLE will tell
                if any(b"EXISTS" in r for r in heard if isinstance(r, tuple)) or (not heard and time.monotonic() - asked < 0.5):
                    break
        finally:
            if stop.is_set():
                client.socket().settimeout(PARTING)
            # the answer to this, or its absence, is how a connection that died in silence is noticed
            client.idle_done()


def _messages(count: int) -> str:
    return f"{count:,} message{'' if count == 1 else 's'}"
