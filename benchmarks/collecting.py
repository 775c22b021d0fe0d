"""How fast a backlog is collected from a Dovecot on the same machine: `python -m benchmarks.collecting` writes COLLECTING.md.

Over TLS, into an inbox on this disk, each pass in a process of its own. MESSAGES=50000 of 2 KB; another number by MAILHEALTH_BACKLOG.
"""

from __future__ import annotations

import imaplib
import json
import os
import platform
import ssl
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from tests.servers.collecting import in_a_process
from tests.servers.dovecot import PASSWORD, Mailbox, running

MESSAGES, SIZE = int(os.environ.get("MAILHEALTH_BACKLOG", "50000")), 2048
RESULTS = Path(__file__).with_name("COLLECTING.md")


def passes(mailbox: Mailbox, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is measured, in this order: the first pass is also the first time that the server looks into these messages."""
    first, second, third = (folder / f"{n}.sqlite" for n in range(3))
    yield "a backlog, the server's first look", once(first, mailbox)
    yield "a backlog, the server has seen it before", once(second, mailbox)
    yield "nothing new", once(second, mailbox)
    yield "imaplib alone, which keeps nothing", bare(mailbox)
    yield "a backlog, each message moved once it is kept", once(third, mailbox, after="move")


def once(inbox: Path, mailbox: Mailbox, **changes: Any) -> dict[str, Any]:
    """One pass of the collector."""
    ran = in_a_process(inbox, mailbox.table(**changes))
    found: dict[str, Any] = json.loads(ran.stdout or f'"{ran.stderr}"')
    return found


def bare(mailbox: Mailbox) -> dict[str, Any]:
    """The standard library fetches all, in commands for as many messages as the collector's: nothing in Python is faster."""
    began = time.monotonic()
    client = imaplib.IMAP4_SSL("localhost", mailbox.server.tls, ssl_context=ssl.create_default_context(cafile=str(mailbox.server.ca)))
    client.login(mailbox.user, PASSWORD)
    client.select("INBOX", readonly=True)
    seen = sum(
        isinstance(part, tuple)
        for low in range(1, MESSAGES + 1, 500)
        for part in client.uid("FETCH", f"{low}:{low + 499}", "(BODY.PEEK[])")[1]
    )
    client.logout()
    return {"seen": seen, "seconds": time.monotonic() - began, "mb": None}


def main() -> None:
    """Measures, prints and writes the table."""
    lines = [
        "# How fast a backlog is collected",
        "",
        f"Written by `python -m benchmarks.collecting`: {MESSAGES:,} messages of 2 KB in a Dovecot on the same machine, over TLS, into an inbox with an fsync for each batch. "
        f"Python {platform.python_version()}, {os.cpu_count()} cores shared with the server, {platform.machine()}; {date.today():%-d %B %Y}. One run; trust the ratios.",
        "",
        "| | messages | seconds | messages a second | peak MB |",
        "|---|---:|---:|---:|---:|",
    ]
    with running() as server, tempfile.TemporaryDirectory() as folder:
        mailbox = server.mailbox()
        mailbox.fill(MESSAGES, SIZE)
        for name, found in passes(mailbox, Path(folder)):
            rate = f"{found['seen'] / found['seconds']:,.0f}" if found["seen"] else ""
            lines.append(f"| {name} | {found['seen']:,} | {found['seconds']:.1f} | {rate} | {found['mb'] or ''} |")
            print(lines[-1], flush=True)
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
