"""A test send: real submission, then the seed mailboxes are watched over IMAP for where the message lands."""

from __future__ import annotations

import email.utils
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from analyzer.config import ConfigError, Seed, SmtpProvider
from analyzer.model import TEST_SEND, Capture
from collectors.base import Keep, SourceFailed
from collectors.imap.session import Mailbox
from collectors.submit import submit

HEADER = "X-Mailhealth-Test"
INTERRUPTED = "interrupted before it was found"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds between two looks
MOST_HEADERS = 256 * 1024  # bytes of the found message's headers that are read
ELSEWHERE = {b"\\noselect", b"\\nonexistent", b"\\all", b"\\flagged", b"\\important", b"\\sent", b"\\drafts"}
"""Flags of folders that hold no mail, or views of mail that lies in another folder (RFC 6154)."""
JUNK_NAMES = {"junk", "spam", "junk e-mail", "junk-e-mail", "junk email", "bulk", "bulk mail", "spamverdacht", "unerwünscht"}
"""What providers without the \\Junk flag call that folder."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What became of one seed's copy."""

    seed: str
    address: str
    reply: str = ""  # the provider's last word
    stage: str | None = None  # where the submission failed
    failed: str | None = None  # why it was not sent or not taken
    unseen: str | None = None  # why it could not be looked for to the end
    folder: str | None = None  # None: not found in time
    junk: bool | None = None
    seconds: float | None = None  # from the provider's last word to being found
    waited: float | None = None  # seconds that it was looked for, when it was not found
    authentication: str | None = None  # "spf=pass dkim=pass dmarc=pass", as the receiver saw it
    dialogue: tuple[str, ...] = ()


def test_send(
    message: bytes, via: str, provider: SmtpProvider, seeds: Mapping[str, Seed], sender: str, keep: Keep,
    timeout: float = 120.0, tell: Callable[[Placement], None] = lambda _: None,
) -> list[Placement]:  # fmt: skip
    """Sends `message` to each seed and looks for it; `tell` hears of each as soon as it is known. Keeps one capture with all that was said
    and found, also when it is interrupted. Raises KeepFailed."""
    began = datetime.now(UTC)
    message = re.sub(rb"\A(?:\xef\xbb\xbf)?(?:From [^\n]*\n)?", b"", message)  # a byte order mark, the first line of an mbox
    message_id = header(message, b"message-id").strip("<> ") or email.utils.make_msgid(domain=_domain(sender)).strip("<>")
    errand = _Errand(message, message_id, provider, sender, timeout)
    found = {name: Placement(name, seed.address, failed="interrupted before it was sent") for name, seed in seeds.items()}

    def one(name: str) -> None:
        for step in errand.place(found[name], seeds[name]):
            found[name] = step
        tell(found[name])

    with ThreadPoolExecutor(max_workers=max(1, len(seeds)), thread_name_prefix="seed") as pool:
        try:
            for future in [pool.submit(one, name) for name in seeds]:
                future.result()
        finally:
            errand.stop.set()
            pool.shutdown(cancel_futures=True)
            body = {
                "via": via, "sender": sender, "message_id": message_id, "at": began.isoformat(),
                "subject": header(message, b"subject"), "placements": [asdict(p) for p in found.values()],
            }  # fmt: skip
            keep([Capture(json.dumps(body).encode(), TEST_SEND, "test-send", datetime.now(UTC))])
    return list(found.values())


@dataclass(frozen=True)
class _Errand:
    """What is sent, by whom, and how long it is looked for. One seed is submitted after another, and all are watched at once."""

    message: bytes
    message_id: str
    provider: SmtpProvider
    sender: str
    timeout: float
    stop: threading.Event = field(default_factory=threading.Event)
    turn: threading.Lock = field(default_factory=threading.Lock)

    def place(self, blank: Placement, seed: Seed) -> Iterator[Placement]:
        """Sends one seed's copy and watches for it: what is known after each step, the last of which holds."""
        token, sent, began = secrets.token_hex(16), None, 0.0
        while True:
            try:
                # opened before anything is sent: a mail that nobody can look for tells nothing
                with Mailbox(blank.seed, seed.imap).session() as session:
                    if sent is None:
                        sent, began = self._submit(blank, seed, token), time.monotonic()
                        yield replace(sent, unseen=None if sent.failed else INTERRUPTED)
                        if sent.failed is not None:
                            return
                    found = _watch(session.client, token, began, self.timeout, self.stop)
                    yield replace(sent, **found) if found else self._missed(sent, began, None)
                    return
            except (SourceFailed, ConfigError) as e:
                if sent is None:
                    yield replace(blank, failed=f"not sent, since nobody could look for it: {e}")
                    return
                if self.stop.is_set() or time.monotonic() - began >= self.timeout:
                    yield self._missed(sent, began, str(e))
                    return
            self.stop.wait(FIRST_PAUSE)

    def _submit(self, blank: Placement, seed: Seed, token: str) -> Placement:
        with self.turn:
            if self.stop.is_set():
                return blank
            s = submit(self.provider, self.sender, [seed.address], stamped(self.message, token, self.message_id, seed.address))
        return replace(blank, reply=s.reply, failed=s.failed, stage=s.stage.value if s.stage else None, dialogue=s.dialogue)

    def _missed(self, sent: Placement, began: float, problem: str | None) -> Placement:
        return replace(sent, unseen=INTERRUPTED if self.stop.is_set() else problem, waited=round(time.monotonic() - began, 1))


def stamped(message: bytes, token: str, message_id: str, to: str) -> bytes:
    """The message with the header by which it is found again, and a Message-ID, Date and To where it has none."""
    head = [f"{HEADER}: {token}"]
    if not header(message, b"message-id"):
        head.append(f"Message-ID: <{message_id}>")
    if not header(message, b"date"):
        head.append(f"Date: {email.utils.formatdate()}")
    if not header(message, b"to"):
        head.append(f"To: {to}")
    return "".join(f"{line}\r\n" for line in head).encode() + message


def _watch(client: Any, token: str, began: float, timeout: float, stop: threading.Event) -> dict[str, Any]:
    """Looks in all folders until the message is there or the time is over; then once more. Raises what a lost connection raises."""
    pause = FIRST_PAUSE
    while True:
        last = stop.is_set() or time.monotonic() - began >= timeout
        for folder, junk in _folders(client):
            raw = _find(client, folder, token)
            if raw is not None:
                seconds = round(time.monotonic() - began, 2)
                return {"folder": folder, "junk": junk, "seconds": seconds, "authentication": authentication(raw, token)}
        if last:
            return {}
        stop.wait(min(pause, max(0.0, began + timeout - time.monotonic())))
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _folders(client: Any) -> list[tuple[str, bool]]:
    """The folders to look into, each with whether it is the one for junk: INBOX first, then junk, then the rest."""
    found = []
    for flags, delimiter, name in client.list_folders():
        known = {bytes(f).lower() for f in flags}
        if known & ELSEWHERE:
            continue
        mark = (delimiter or b"/").decode("ascii", "replace")
        junk = b"\\junk" in known or name.lower().rpartition(mark)[2] in JUNK_NAMES
        found.append((name, junk))
    return sorted(found, key=lambda f: (f[0].upper() != "INBOX", not f[1], f[0]))


def _find(client: Any, folder: str, token: str) -> bytes | None:
    """The headers of the message in a folder; None when it is not there."""
    try:
        client.select_folder(folder, readonly=True)
        uids = client.search(["HEADER", HEADER, token])
        got = client.fetch(uids[:1], [b"BODY.PEEK[HEADER]"]) if uids else {}
    except IMAPClientAbortError:
        raise
    except IMAPClientError:  # a folder that may not be opened; the others may
        return None
    for uid in uids[:1]:  # not in `got`: moved since, as a filter may do; it will be found where it went
        if uid in got:
            return (got[uid].get(b"BODY[HEADER]") or b"")[:MOST_HEADERS]
    return None


_FIELD = re.compile(rb"^([!-9;-~]{1,80})[ \t]*:(.*(?:\r?\n[ \t].*)*)", re.M)
_COMMENT = re.compile(r"\([^()]*\)")
_QUOTED = re.compile(r'"[^"]*"')
_METHOD = re.compile(r"(?:^|;)\s*(spf|dkim|dmarc)\s*(?:/\s*\d+\s*)?=\s*([a-z_]+)", re.I)


def authentication(headers: bytes, token: str) -> str | None:
    """What the receiver thought of SPF, DKIM and DMARC: "spf=pass dkim=pass dmarc=pass" (Authentication-Results, RFC 8601).

    Only of fields above our own header with `token`: those below came with the message, and anybody may have written them.
    Of those the topmost, and what follows it before the next Received: some receivers write one field for each method.
    """
    said: dict[str, str] = {}
    for found in _FIELD.finditer(headers.partition(token.encode())[0]):
        name = found.group(1).lower()
        if name == b"authentication-results":
            for method, results in _results(found.group(2)[:8000].decode("utf-8", "replace")).items():
                said.setdefault(method, results)
        elif name == b"received" and said:
            break
    return " ".join(f"{m}={said[m]}" for m in ("spf", "dkim", "dmarc") if m in said) or None


def _results(text: str) -> dict[str, str]:
    """Method -> result in one field. Receivers stray from the grammar (no host before the first method, words of their own), so it is
    read for these three methods alone. One signature that passes is enough (RFC 6376 §6.1)."""
    text = _QUOTED.sub('""', text)
    for _ in range(3):  # comments may stand in comments
        text = _COMMENT.sub(" ", text)
    found: dict[str, str] = {}
    for method, result in _METHOD.findall(text):
        method, result = method.lower(), result.lower()
        if method not in found or (method == "dkim" and result == "pass"):
            found[method] = result
    return found


def header(message: bytes, name: bytes) -> str:
    """The first header field of that name, unfolded; "" when there is none."""
    head = re.split(rb"\r?\n\r?\n", message, maxsplit=1)[0]
    found = re.search(rb"^" + re.escape(name) + rb"[ \t]*:(.*(?:\r?\n[ \t].*)*)", head, re.I | re.M)
    return " ".join(found.group(1).decode("utf-8", "replace").split()) if found else ""


def _domain(address: str) -> str:
    return address.rpartition("@")[2].strip("<> ") or "localhost"
