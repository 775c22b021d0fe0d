"""A store at work: its parts as processes of their own, senders that come again until they are acknowledged, and the account of it all."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import re
import smtplib
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from analyzer.pipeline import flush
from analyzer.store import Store
from tests.analyzer.cli.conftest import bounce
from tests.servers import answers, end, free_port, until

MAIL, WEBHOOK = "mail", "webhook"
SECRET = "a secret of ours"
CONFIG = """store = "{store}"
flush_seconds = {flush}
[sources.sink]
type = "smtp-sink"
port = {smtp}
domains = ["b.example"]
[sources.hooks]
type = "http"
port = {http}
[sources.hooks.brevo]
secret = "{secret}"
"""
SOURCES = ("sink", "hooks", "box")
FILED = re.compile(r"flusher: [1-9][\d,]* captures, [\d,]+ events")
NUMBER = re.compile(rb"<n(\d+)@")


@dataclass(frozen=True, slots=True)
class Account:
    """What some rounds of a fault came to."""

    struck: int  # how often the fault is known to have hit; each fault says what it counts
    tried: int  # different messages, bodies or lines that were sent; of what is sent many times, every time
    acknowledged: int  # of these: answered with 250 or 200, or standing in the mailbox
    filed: int  # captures in the lake
    lost: int  # acknowledged, and not in the lake with its event
    doubled: int  # captures and events that the lake has more than once
    torn: int  # captures that are not, byte for byte, what was sent


@dataclass
class Book:
    """What was sent, and what came of it. Safe to share between threads."""

    numbers: Iterator[int] = field(default_factory=count)
    written: dict[int, bytes] = field(default_factory=dict)  # number -> digest
    acknowledged: set[int] = field(default_factory=set)
    answered: Counter[str] = field(default_factory=Counter)  # by kind, as the two below
    refused: Counter[str] = field(default_factory=Counter)  # with 451 or 503
    cut: Counter[str] = field(default_factory=Counter)  # connections that were lost between a message's first byte and its answer
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, kind: str, size: int = 0) -> tuple[int, bytes]:
        """A new message, with its number."""
        n = next(self.numbers)
        data = mail(n, size) if kind == MAIL else body(n, size)
        self.written[n] = digest(data)
        return n, data

    def add(self, to: Counter[Any], kind: object) -> None:
        """One more."""
        with self._lock:
            to[kind] += 1

    def acknowledge(self, n: int, kind: str) -> None:
        """It is the receiver's now."""
        self.acknowledged.add(n)
        self.add(self.answered, kind)

    def more(self, of: Callable[[], Mapping[str, int]], seconds: float, what: str) -> None:
        """Waits until each kind was counted once more."""
        before = dict(of())
        until(lambda: all(of()[kind] > before.get(kind, 0) for kind in (MAIL, WEBHOOK)), seconds, what)

    def account(self, store: Store, struck: int) -> Account:
        """Files what still waits, and counts what the lake has of our sources."""
        store.reconcile()
        flush(store)
        numbers: Counter[int] = Counter()
        ids: dict[int, str] = {}
        torn = 0
        for row in store.lake.rows("captures", columns=["capture_id", "source", "data"]):
            if row["source"] not in SOURCES:
                continue
            found = NUMBER.search(row["data"])
            if found is None or self.written.get(int(found[1])) != digest(row["data"]):
                torn += 1
                continue
            numbers[int(found[1])] += 1
            ids[int(found[1])] = row["capture_id"]
        events = Counter(
            row["capture_id"] for row in store.lake.rows("events", columns=["capture_id", "source"]) if row["source"] in SOURCES
        )
        lost = sum(n not in ids or ids[n] not in events for n in self.acknowledged)
        doubled = sum(n - 1 for n in numbers.values()) + sum(n - 1 for n in events.values())
        return Account(struck, len(self.written), len(self.acknowledged), numbers.total() + torn, lost, doubled, torn)


def mail(n: int, size: int = 0) -> bytes:
    """A report with a number, about `size` bytes longer than it must be."""
    return bounce(n, b"550 5.1.1 no such user" + b" really" * (size // 7)).replace(b"\n", b"\r\n")


def body(n: int, size: int = 0) -> bytes:
    """As `mail`: an event of Brevo."""
    event = {"event": "hard_bounce", "email": f"u{n}@customer.example", "message-id": f"<n{n}@x.example>", "reason": "no such user"}
    return json.dumps(event | {"tag": "x" * size}).encode()


def digest(data: bytes) -> bytes:
    """What tells two messages apart, whatever ends their lines: a mailbox server has its own way."""
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).digest()


class Site:
    """A folder with a configuration and a store. Use as a context manager: no part outlives it."""

    def __init__(self, folder: Path, store: Path | None = None, flush_seconds: float = 0.02, more: str = "") -> None:
        self.folder, self.path = folder, store or folder / "mailhealth-data"
        self.smtp, self.http = free_port(), free_port()
        self.book, self.chance = Book(), random.Random()
        self._running: list[subprocess.Popen[bytes]] = []
        config = CONFIG.format(store=self.path, flush=flush_seconds, smtp=self.smtp, http=self.http, secret=SECRET)
        (folder / "mailhealth.toml").write_text(config + more)

    def __enter__(self) -> Site:
        return self

    def evidence(self) -> str:
        """For a failure: which parts have ended by themselves, and what all said but for the flusher's counting, which would bury it."""
        ended = [f"{process.args!r} has ended with {process.poll()}" for process in self._running if process.poll() is not None]
        said = [line for line in self.said().splitlines() if not FILED.fullmatch(line)]
        return "\n".join([*ended, *said[-40:]])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            print(self.evidence())
        self.stop()

    def start(self, *parts: str, first: str = "", environment: Mapping[str, str] | None = None) -> list[subprocess.Popen[bytes]]:
        """Starts parts of `mailhealth serve` by themselves, each after the lines `first` of Python, and waits until servers answer."""
        program = ["-c", f"{first}\nfrom analyzer.cli import main\nmain()"] if first else ["-m", "analyzer"]
        with (self.folder / "said").open("ab") as said:
            started = [
                subprocess.Popen(
                    [sys.executable, *program, "run", part],
                    cwd=self.folder, env=os.environ | (environment or {}), stdout=said, stderr=said, start_new_session=True,
                )
                for part in parts
            ]  # fmt: skip
        self._running = [p for p in self._running if p.poll() is None] + started
        if "sink" in parts:
            until(lambda: answers(self.smtp), 60, "the sink")
        if "hooks" in parts:
            until(lambda: healthy(self.http), 60, "the receiver")
        return started

    def said(self) -> str:
        """What the parts wrote."""
        said = self.folder / "said"
        return said.read_text(errors="replace") if said.exists() else ""

    def alive(self) -> bool:
        """Whether none of the parts has ended by itself."""
        return all(process.poll() is None for process in self._running)

    def stop(self) -> None:
        """Ends all parts."""
        for process in self._running:
            end(process)

    def filing(self, seconds: float = 30) -> None:
        """Waits until the flusher says that it has filed something more."""
        before = len(self.said())
        until(lambda: FILED.search(self.said(), before), seconds, "the flusher")

    def account(self, struck: int) -> Account:
        """Ends all parts, and counts."""
        self.stop()
        return self.book.account(Store(self.path), struck)

    @contextmanager
    def sending(self, *kinds: str, pause: float = 0.005, size: int = 0) -> Iterator[Book]:
        """Two clients of each kind (of both without a wish) send while the context lasts, `pause` seconds between two messages of one client."""
        stop = threading.Event()
        threads = [threading.Thread(target=self._send, args=(kind, stop, pause, size)) for kind in (kinds or (MAIL, WEBHOOK)) * 2]
        for thread in threads:
            thread.start()
        try:
            yield self.book
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _send(self, kind: str, stop: threading.Event, pause: float, size: int) -> None:
        """As a mail server or a provider does: what was not acknowledged comes again."""
        client = Smtp(self.smtp) if kind == MAIL else Http(self.http)
        n, data = self.book.write(kind, random.randint(0, size))
        while not stop.is_set():
            began = False
            try:
                client.connect()
                began = True
                if client.send(data):
                    self.book.acknowledge(n, kind)
                    n, data = self.book.write(kind, random.randint(0, size))
                else:
                    self.book.add(self.book.refused, kind)
            except (OSError, smtplib.SMTPException, http.client.HTTPException):
                client.close()
                if began:
                    self.book.add(self.book.cut, kind)
                stop.wait(0.02)
            stop.wait(pause)
        client.close()


class Smtp:
    """A client that sends mail over a connection that it keeps."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client: smtplib.SMTP | None = None

    def connect(self) -> None:
        """Connects where it is not connected. Raises OSError."""
        if self._client is None:
            self._client = smtplib.SMTP("127.0.0.1", self._port, timeout=30)
            self._client.ehlo("mx.x.example")

    def send(self, data: bytes) -> bool:
        """Whether it was acknowledged. Raises OSError where the connection is lost."""
        assert self._client is not None
        try:
            self._client.sendmail("", ["v@b.example"], data)
        except smtplib.SMTPDataError:
            return False
        return True

    def close(self) -> None:
        """Hangs up."""
        if self._client is not None:
            self._client.close()
        self._client = None


class Http:
    """A client that posts over a connection that it keeps."""

    def __init__(self, port: int) -> None:
        self._client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def connect(self) -> None:
        """Connects where it is not connected. Raises OSError."""
        if self._client.sock is None:
            self._client.connect()

    def send(self, data: bytes) -> bool:
        """Whether it was acknowledged. Raises OSError, HTTPException where the connection is lost."""
        self._client.request("POST", "/webhooks/brevo", data, {"Authorization": f"Bearer {SECRET}"})
        answer = self._client.getresponse()
        answer.read()
        return answer.status == 200

    def close(self) -> None:
        """Hangs up."""
        self._client.close()


def healthy(port: int) -> bool:
    """Whether our HTTP receiver answers on this port."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        client.request("GET", "/healthz")
        return client.getresponse().status == 200
    return False
