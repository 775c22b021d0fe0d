"""A mailbox over IMAP, read and left as it was: EXAMINE and BODY.PEEK, nothing is marked, moved or deleted.

The cursor is UIDVALIDITY and the highest UID kept, saved in the transaction that keeps the messages. When UIDVALIDITY
changes (RFC 9051 §2.3.1.1) the folder is read anew; what was kept before is recognised by its hash.
"""

from __future__ import annotations

import imaplib
import random
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import imapclient
from imapclient.exceptions import CapabilityError, IMAPClientError, LoginError

from analyzer.config import ConfigError, ImapSource
from analyzer.model import MESSAGE, Capture
from collectors.base import Cursor, Keep, Progress, SourceFailed, Tally, silent, trust

BATCH_MESSAGES = 200
BATCH_BYTES = 16 * 1024 * 1024
TIMEOUT = 60.0  # seconds without an answer
RENEW_IDLE = 9 * 60.0  # a dead connection says nothing, so IDLE is begun anew before ten minutes are over
LOST = (IMAPClientError, imaplib.IMAP4.abort, imaplib.IMAP4.error, OSError, EOFError)
GARBLED = (ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What the libraries raise over answers that are no IMAP."""


class ImapCollector:
    """Collects the mail of a mailbox."""

    def __init__(self, name: str, source: ImapSource) -> None:
        self.name, self._source = name, source
        self._refused: set[tuple[str, int, int]] = set()  # folder, UIDVALIDITY, UID

    def collect(self, keep: Keep, cursor: Cursor, progress: Progress = silent) -> Tally:
        """One pass over what is new in each folder."""
        tally = Tally()
        with self.session() as client:
            for folder in self._source.folders:
                tally += self._collect_folder(client, folder, keep, cursor, progress)
        return tally

    def check(self, offline: bool = False) -> None:
        """Logs in and opens each folder."""
        self._source.secret()
        if offline:
            return
        with self.session() as client:
            for folder in self._source.folders:
                self._select(client, folder, dict)

    @contextmanager
    def session(self) -> Iterator[imapclient.IMAPClient]:
        """A connection that is logged in; closed in the end. Raises SourceFailed, ConfigError."""
        client = self._connect()
        try:
            yield client
        except LOST as e:
            raise SourceFailed(
                f"{self._where()}: the connection was lost ({_short(e)}); what was kept stays, the next pass goes on from there."
            ) from None
        except GARBLED as e:
            raise self._garbled(e) from e
        finally:
            _leave(client)

    def _connect(self) -> imapclient.IMAPClient:
        s = self._source
        context, password = trust(s.ca_file), s.secret()
        port = s.port or (993 if s.tls == "tls" else 143)
        try:
            client = imapclient.IMAPClient(
                s.host, port, ssl=s.tls == "tls", ssl_context=context if s.tls == "tls" else None, timeout=TIMEOUT
            )
            if s.tls == "starttls":
                client.starttls(context)
        except ssl.SSLCertVerificationError as e:
            raise SourceFailed(
                f"{self._where()}: its certificate is not trusted ({e.verify_message}); if it is your own authority, name it in `ca_file`."
            ) from None
        except (ssl.SSLError, CapabilityError, *LOST) as e:
            raise SourceFailed(
                f"{self._where()}: cannot connect to port {port} ({_short(e)}); check host, port and tls = {s.tls!r}."
            ) from None
        except GARBLED as e:
            raise self._garbled(e) from e
        try:
            if password.isascii() and s.user.isascii():
                client.login(s.user, password)
            else:
                client.plain_login(s.user, password)  # LOGIN has no way to say in which characters it speaks
        except (*GARBLED, *LOST) as e:
            _leave(client)
            # the server's words, which may repeat what it was told
            words = _short(e).replace(password, "(secret)") if password else _short(e)
            if isinstance(e, LoginError) and not isinstance(e.__context__, imaplib.IMAP4.abort):
                raise SourceFailed(
                    f"{self._where()}: the server refused the password ({words}); check user and password. Gmail and Microsoft want an app password or OAuth."
                ) from None
            raise SourceFailed(f"{self._where()}: the connection was lost before the password was accepted ({words}).") from None
        return client

    def _collect_folder(self, client: Any, folder: str, keep: Keep, cursor: Cursor, progress: Progress) -> Tally:
        validity, last = self._select(client, folder, cursor)
        uids = [
            uid for uid in client.search(["UID", f"{last + 1}:*"]) if uid > last
        ]  # "n:*" always names the last message (RFC 9051 §6.4.9)
        tally, done = Tally(), 0
        for batch, refused in self._batches(client, folder, validity, sorted(uids), progress):
            if batch:
                got = client.fetch(batch, [b"BODY.PEEK[]"])
                # a message that is not in the answer was expunged by somebody else since
                bodies = {uid: got[uid].get(b"BODY[]") for uid in batch if uid in got}
                found = [Capture(body, MESSAGE, self.name, datetime.now(UTC)) for body in bodies.values() if body is not None]
                empty = [uid for uid, body in bodies.items() if body is None]
                refused += sum(self._refuse(folder, validity, uid, "the server could not give it", progress) for uid in empty)
                new = keep(found, {folder: f"{validity}:{max(batch)}"}) if found else 0
                tally += Tally(len(found), new, len(found) - new)
            tally += Tally(refused=refused)
            done += len(batch) + refused
            progress(done, len(uids))
        return tally

    def _refuse(self, folder: str, validity: int, uid: int, why: str, progress: Progress) -> int:
        """Says once that a message was left out; 1 the first time, then 0."""
        if (folder, validity, uid) in self._refused:
            return 0
        self._refused.add((folder, validity, uid))
        progress(0, None, f"{self._where()}: message {uid} of {folder} was left out: {why}.")
        return 1

    def _select(self, client: Any, folder: str, cursor: Cursor) -> tuple[int, int]:
        """UIDVALIDITY, and the highest UID that was kept under it. Raises SourceFailed."""
        try:
            answer = client.select_folder(folder, readonly=True)
        except imaplib.IMAP4.abort:
            raise
        except IMAPClientError as e:
            there = ", ".join(name for _, _, name in client.list_folders())[:300]
            raise SourceFailed(f"{self._where()}: folder {folder!r} cannot be opened ({_short(e)}); there are: {there}.") from None
        validity = int(answer[b"UIDVALIDITY"])
        saved, _, uid = cursor().get(folder, "").partition(":")
        return validity, int(uid) if saved == str(validity) else 0

    def _batches(self, client: Any, folder: str, validity: int, uids: list[int], progress: Progress) -> Iterator[tuple[list[int], int]]:
        """UIDs to fetch at once, bounded in number and bytes, and how many were too large."""
        most = self._source.max_message_bytes
        for i in range(0, len(uids), BATCH_MESSAGES):
            part = uids[i : i + BATCH_MESSAGES]
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

    def watch(self, keep: Keep, cursor: Cursor, stop: threading.Event, progress: Progress = silent) -> None:
        """Collects whenever there is news, by IDLE or by looking; after a lost connection tries again, more and more slowly."""
        pause = 1.0
        while not stop.is_set():
            try:
                with self.session() as client:
                    while not stop.is_set():
                        for folder in self._source.folders:
                            self._collect_folder(client, folder, keep, cursor, progress)
                        pause = 1.0
                        self._wait(client, stop)
            except (SourceFailed, ConfigError) as e:
                progress(0, None, f"{e} Next attempt in {pause:.0f} s.")
                stop.wait(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads clients, keeps no secret
                pause = min(pause * 2, 300.0)

    def _wait(self, client: Any, stop: threading.Event) -> None:
        """Waits for news: with IDLE in the one folder that is open, else for the time between two looks."""
        if not (self._source.idle and len(self._source.folders) == 1 and client.has_capability("IDLE")):
            stop.wait(self._source.poll_seconds)
            return
        # a server may tell of new mail in its answer to an earlier command, and not again: IDLE alone would miss it
        until = time.monotonic() + min(RENEW_IDLE, self._source.poll_seconds)
        client.idle()
        try:
            while not stop.is_set() and time.monotonic() < until:
                asked = time.monotonic()
                heard = client.idle_check(timeout=1.0)
                # nothing, and at once: the server has hung up, of which idle_check says nothing; ending IDLE will tell
                if any(b"EXISTS" in r for r in heard if isinstance(r, tuple)) or (not heard and time.monotonic() - asked < 0.5):
                    break
        finally:
            client.idle_done()

    def _garbled(self, e: Exception) -> SourceFailed:
        return SourceFailed(
            f"{self._where()}: the server's answer cannot be read ({type(e).__name__}: {_short(e)}); is that an IMAP server?"
        )

    def _where(self) -> str:
        return f"mailbox {self._source.user} on {self._source.host} (sources.{self.name})"


def _leave(client: imapclient.IMAPClient) -> None:
    """Logs out, or hangs up on a server that does not listen any more."""
    try:
        client.logout()
    except (*GARBLED, *LOST):
        with suppress(OSError):
            client.shutdown()


def _short(e: Exception) -> str:
    words = str(e)
    if words.startswith(("b'", 'b"')):
        words = words[2:-1]
    return " ".join(words.split())[:200] or type(e).__name__
