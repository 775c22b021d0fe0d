"""The same reports, served by real Dovecot and collected over TLS, and sent by Postfix's smtp-source to the sink: the same events either way.

The same means: equal but for what tells the way (source, capture and event ids, when it was received; and the time of a report without a
Date, for which that stands in). Nobody on either way changes a message, except for its line ends, empty lines at its end, and NUL, which IMAP cannot carry (RFC 9051 §9) and
for which Dovecot gives 0x80. A capture's id is that of its bytes, and over SMTP of its envelope too: one report that comes both ways is two captures, and is counted once.
"""

from __future__ import annotations

import hashlib
import json
import os
import smtplib
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analyzer.demo import write
from analyzer.metrics import Numbers
from analyzer.model import Kind
from analyzer.pipeline import flush
from analyzer.store import Store
from collectors.imap import ImapCollector
from tests.conftest import need
from tests.servers.dovecot import Mailbox
from tests.servers.smtp import sink

pytestmark = pytest.mark.servers
THE_WAY = ("event_id", "capture_id", "source", "received_at", "day")
TO = "reports@bounces.example"
HOSTILE = {
    "empty": b"",
    "one line end": b"\n",
    "binary": bytes(range(1, 256)) * 20,
    "NUL": b"From: MAILER-DAEMON@x.example\nSubject: fail\0ure\n\n\0<a@b.example>: 550 5.1.1 no\0such user\n",
    "cut off": b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-",
    "dots": b"From: a@x.example\nSubject: dots\n\n.\n..\n.x\n\n.\nend\n",
    "no line end": b"From: MAILER-DAEMON@x.example\nSubject: failure\n\n<a@b.example>: 550 5.1.1 no such user",
    "a long line": b"From: a@x.example\nSubject: long\n\n" + b"x" * 200_000 + b"\n",
    "no UTF-8": b"From: J\xf6rg <a@x.example>\nSubject: \xff\xfe\nAuto-Submitted: auto-replied\n\nIch bin au\xdfer Haus.\n",
    "From lines": b"From: a@x.example\nSubject: x\n\nFrom here on\n>From there\n",
    "a bare CR": b"From: a@x.example\nSubject: x\r y\n\na\rb\n",
    "deep": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(500)) + b"\nend\n",
    "a large header": b"From: a@x.example\nX-Long: " + b"y" * 100_000 + b"\n" + b"X-Many: z\n" * 5_000 + b"\nbody\n",
    "RFC 6533": "From: MAILER-DAEMON@x.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nwörds\n--b\nContent-Type: message/global-delivery-status\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient: utf-8; jörg@bücher.example\nAction: failed\nStatus: 5.1.1\n\n--b--\n".encode(),
}


@dataclass(frozen=True)
class Filed:
    """A store, and how mail comes into it."""

    store: Store
    collect: Callable[[], None]  # all of it, once more


def unified(data: bytes) -> bytes:
    """A message without what a way may change of it."""
    return data.replace(b"\r\n", b"\n").replace(b"\0", b"\x80").rstrip(b"\n")


def told(store: Store) -> dict[bytes, list[dict[str, Any]]]:
    """Message -> what is in its events."""
    events = defaultdict(list)
    for row in store.lake.rows("events"):
        one = {k: v for k, v in row.items() if k not in THE_WAY and not (k == "at" and v == row["received_at"])}
        one = {k: v.replace("\0", "\x80") if isinstance(v, str) else v for k, v in one.items()}
        events[row["capture_id"]].append((row["event_id"], one))
    return {unified(c.data): [one for _, one in sorted(events[i], key=lambda e: e[0])] for i, c in store.lake.captures()}


def state(store: Store) -> object:
    """All that a second collection of the same could change."""
    rows = {name: sorted(r["capture_id"] for r in store.lake.rows(name)) for name in ("captures", "events")}
    return rows, store.lake.version("captures"), store.lake.version("events"), store.inbox.waiting(), store.inbox.cursor("imap")


def send(folder: Path, port: int, messages: Sequence[bytes]) -> None:
    """Sends each with smtp-source, four at a time."""
    program = need("smtp-source", "postfix")

    def one(numbered: tuple[int, bytes]) -> None:
        n, message = numbered
        if not message:  # smtp-source would send words of its own
            with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
                client.sendmail("", [TO], b"")
            return
        file = folder / f"{n}.eml"
        # it adds CR to the end of each line, and loses a last one that ends in \xff and not in a line end
        file.write_bytes(message.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n")
        sent = subprocess.run(
            [program, "-f", "", "-t", TO, "-F", str(file), f"inet:127.0.0.1:{port}"], capture_output=True, text=True, timeout=60
        )
        assert sent.returncode == 0, (n, sent.stderr)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, enumerate(messages)))


@contextmanager
def both_ways(folder: Path, mailbox: Mailbox, messages: Sequence[bytes]) -> Iterator[tuple[Filed, Filed]]:
    """The messages collected by IMAP, and sent to the sink; the two stores know recipients by the same key."""
    by_imap, by_smtp = Store(folder / "by-imap"), Store(folder / "by-smtp")
    (folder / "by-smtp" / "key").write_bytes(by_imap.key)
    (folder / "files").mkdir()
    mailbox.deliver(*messages)
    imap = ImapCollector("imap", mailbox.source())
    with sink(by_smtp.inbox.keep) as port:

        def collect() -> None:
            imap.collect(by_imap.inbox.keep, partial(by_imap.inbox.cursor, "imap"))
            flush(by_imap)

        def receive() -> None:
            send(folder / "files", port, messages)
            flush(by_smtp)

        collect()
        receive()
        yield Filed(by_imap, collect), Filed(by_smtp, receive)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Reports of each form and reason that the demo writes, two of each; and hostile ones."""
    chosen = defaultdict(list)
    for mail in write(tmp_path_factory.mktemp("demo"), 11, 5_000, until=date(2026, 11, 23)).mails:
        chosen[mail.form, mail.reason].append(mail.data)
    return [data for same in chosen.values() for data in dict.fromkeys(same[:3])] + list(HOSTILE.values())


def test_the_events_are_the_same_and_a_second_time_changes_nothing(tmp_path: Path, mailbox: Mailbox, reports: list[bytes]) -> None:
    assert len(reports) >= 60
    with both_ways(tmp_path, mailbox, reports) as (imap, smtp):
        one, other = told(imap.store), told(smtp.store)
        assert set(one) == {unified(m) for m in reports}
        assert one == other
        kinds = {event["kind"] for events in one.values() for event in events}
        assert kinds >= {k.value for k in (Kind.BOUNCED, Kind.DELAYED, Kind.COMPLAINED, Kind.AUTOREPLIED, Kind.UNSUBSCRIBED)}
        for way in (imap, smtp):
            before = state(way.store)
            way.collect()
            assert state(way.store) == before


def test_what_a_capture_is_called_and_that_both_ways_count_once(tmp_path: Path, mailbox: Mailbox, reports: list[bytes]) -> None:
    bounce = reports[0]
    with both_ways(tmp_path, mailbox, [bounce]) as (imap, smtp):
        ((name, capture),) = imap.store.lake.captures()
        ((other_name, other),) = smtp.store.lake.captures()
        assert name == hashlib.sha256(capture.data).hexdigest()
        envelope = json.dumps(["", TO]).encode()
        assert other_name == hashlib.sha256(other.data + b"\0" + envelope).hexdigest()
        imap.store.inbox.keep([other])
        flush(imap.store)
        numbers = Numbers(imap.store)
        assert len(list(imap.store.lake.captures())) == 2
        assert numbers.measure(["bounce"])["numerator"].tolist() == [1]


@pytest.mark.slow
@pytest.mark.skipif("MAILHEALTH_CORPUS" not in os.environ, reason="MAILHEALTH_CORPUS names no folder of messages")
def test_a_corpus_of_ones_own_gives_the_same_events_either_way(tmp_path: Path, mailbox: Mailbox) -> None:
    """The folder of .eml files that the environment names."""
    messages = {unified(data): data for data in (f.read_bytes() for f in sorted(Path(os.environ["MAILHEALTH_CORPUS"]).glob("*.eml")))}
    assert messages
    with both_ways(tmp_path, mailbox, list(messages.values())) as (imap, smtp):
        one, other = told(imap.store), told(smtp.store)
        assert set(one) == set(messages)
        assert one == other
        for way in (imap, smtp):
            before = state(way.store)
            way.collect()
            assert state(way.store) == before
        print(f"\n{len(one)} messages, {sum(map(len, one.values()))} events, the same either way; a second time changed nothing")
