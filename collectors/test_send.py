"""A test send: real submission, then the seed mailboxes are watched over IMAP for where the message lands."""

from __future__ import annotations

import email.utils
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import authres

from analyzer.config import Seed, SmtpProvider
from analyzer.model import TEST_SEND, Capture
from collectors.base import Keep, Progress, silent
from collectors.imap import LOST, ImapCollector
from collectors.submit import submit

HEADER = "X-Mailhealth-Test"
LOOK_EVERY = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Placement:
    """What became of one seed's copy."""

    seed: str
    address: str
    reply: str  # the provider's last word
    failed: str | None
    folder: str | None  # None: not found in time
    junk: bool | None
    seconds: float | None  # from the provider's last word to being found
    authentication: str | None  # "spf=pass dkim=pass dmarc=pass", as the receiver saw it
    dialogue: tuple[str, ...]


def test_send(
    message: bytes,
    via: str,
    provider: SmtpProvider,
    seeds: Mapping[str, Seed],
    sender: str,
    keep: Keep,
    timeout: float = 120.0,
    progress: Progress = silent,
) -> list[Placement]:
    """Sends `message` to each seed and looks for it; keeps one capture with all that was said and found. Raises SourceFailed, KeepFailed."""
    began = datetime.now(UTC)
    found = []
    message_id = _message_id(message) or email.utils.make_msgid(domain=sender.rpartition("@")[2] or "localhost").strip("<>")
    for n, (name, seed) in enumerate(seeds.items()):
        progress(n, len(seeds), "")
        token = secrets.token_hex(16)
        sent = submit(provider, sender, [seed.address], stamped(message, token, message_id, seed.address))
        started = time.monotonic()
        place: dict[str, Any] = {"folder": None, "junk": None, "seconds": None, "authentication": None}
        if sent.failed is None:
            place |= _look(name, seed, token, started, timeout)
        found.append(Placement(name, seed.address, sent.reply, sent.failed, dialogue=sent.dialogue, **place))
    body = {
        "via": via, "sender": sender, "message_id": message_id, "at": began.isoformat(),
        "subject": _header(message, b"subject"), "placements": [{k: getattr(p, k) for k in Placement.__slots__} for p in found],
    }  # fmt: skip
    keep([Capture(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), TEST_SEND, "test-send", datetime.now(UTC))])
    progress(len(seeds), len(seeds), "")
    return found


def stamped(message: bytes, token: str, message_id: str, to: str) -> bytes:
    """The message with the header by which it is found again, and a Message-ID, Date and To where it has none."""
    head = [f"{HEADER}: {token}"]
    if not _header(message, b"message-id"):
        head.append(f"Message-ID: <{message_id}>")
    if not _header(message, b"date"):
        head.append(f"Date: {email.utils.formatdate()}")
    if not _header(message, b"to"):
        head.append(f"To: {to}")
    return "".join(f"{line}\r\n" for line in head).encode() + message


def _look(name: str, seed: Seed, token: str, started: float, timeout: float) -> dict[str, Any]:
    """Looks in all folders until the message is there or the time is over."""
    with ImapCollector(name, seed.imap).session() as client:
        while True:
            for flags, _, folder in client.list_folders():
                if b"\\Noselect" in flags:
                    continue
                try:
                    client.select_folder(folder, readonly=True)
                    uids = client.search(["HEADER", HEADER, token])
                except LOST:
                    continue
                if uids:
                    raw = client.fetch(uids[:1], [b"BODY.PEEK[HEADER]"])[uids[0]][b"BODY[HEADER]"]
                    junk = b"\\Junk" in flags or folder.lower().rpartition("/")[2] in {
                        "junk",
                        "spam",
                        "junk e-mail",
                        "bulk",
                        "spamverdacht",
                    }
                    return {
                        "folder": folder,
                        "junk": junk,
                        "seconds": round(time.monotonic() - started, 2),
                        "authentication": authentication(raw),
                    }
            if time.monotonic() - started > timeout:
                return {}
            time.sleep(LOOK_EVERY)


def authentication(headers: bytes) -> str | None:
    """What the last receiver thought of SPF, DKIM and DMARC: of the topmost Authentication-Results (RFC 8601), since others may be forged."""
    found = _header(headers, b"authentication-results")
    if not found:
        return None
    try:
        results = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {found[:4000]}").results
    except Exception:  # the receiver's words are a stranger's too, and the library raises what it likes
        return None
    said = {str(r.method).lower(): str(r.result).lower() for r in results or []}
    return " ".join(f"{m}={said[m]}" for m in ("spf", "dkim", "dmarc") if m in said) or None


def _header(message: bytes, name: bytes) -> str:
    head = re.split(rb"\r?\n\r?\n", message, maxsplit=1)[0]
    found = re.search(rb"^" + re.escape(name) + rb"[ \t]*:(.*(?:\r?\n[ \t].*)*)", head, re.I | re.M)
    return " ".join(found.group(1).decode("utf-8", "replace").split()) if found else ""


def _message_id(message: bytes) -> str:
    return _header(message, b"message-id").strip("<> ")
