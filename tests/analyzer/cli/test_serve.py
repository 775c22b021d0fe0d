"""`mailhealth serve`: its parts live and die with it, and mail that was acknowledged is in the lake exactly once.

MAILHEALTH_KILLS=50 kills it fifty times instead of a few.
"""

from __future__ import annotations

import os
import random
import re
import signal
import smtplib
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path

import psutil
import pytest

from analyzer.cli import serve
from analyzer.pipeline import flush
from analyzer.store import Store
from tests.analyzer.cli.conftest import Cli, bounce
from tests.servers import answers, free_port, until

KILLS = int(os.environ.get("MAILHEALTH_KILLS", "5"))


@dataclass
class Serving:
    """A running `mailhealth serve` over a store with an SMTP sink."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def family(self) -> list[psutil.Process]:
        """The supervisor and its parts."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def part(self, name: str) -> psutil.Process | None:
        """The process of one part."""
        for process in self.family():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if process.cmdline()[-1:] == [name]:  # of a process that has just ended there is none
                    return process
        return None

    def kill(self) -> None:
        """kill -9 of the supervisor and all its parts."""
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def said(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / "said").read_text()


@contextmanager
def serving(
    folder: Path, *options: str, port: int | None = None, page: int | None = None, flush: float = 0.2, more: str = ""
) -> Iterator[Serving]:
    """Starts it, with the sink on `port` and the dashboard on `page`, and waits for the sink; leaves nothing running."""
    port = port or free_port()
    sink = f"[sources.sink]\ntype = 'smtp-sink'\nport = {port}\ndomains = ['b.example']\n"
    (folder / "mailhealth.toml").write_text(f"flush_seconds = {flush}\n{sink}[dashboard]\nport = {page or free_port()}\n{more}")
    with (folder / "said").open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "analyzer", "serve", *options], cwd=folder, stderr=said, stdout=said, start_new_session=True
        )
    running = Serving(folder, port, process)
    family: list[psutil.Process] = []
    try:
        until(lambda: answers(port), 60, "the sink")
        family = running.family()
        yield running
    finally:
        for one in {*family, *running.family()}:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


@dataclass
class Load:
    """Sends mail until told to stop, through whatever happens to the server, and remembers what was acknowledged."""

    numbers: Iterator[int] = field(default_factory=count)
    pause: float = 0.0  # seconds between two messages of one client
    tried: set[int] = field(default_factory=set)
    acknowledged: set[int] = field(default_factory=set)

    @contextmanager
    def on(self, port: int, clients: int = 4) -> Iterator[None]:
        """Sends while the context lasts."""
        stop = threading.Event()
        threads = [threading.Thread(target=self._send, args=(port, stop)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _send(self, port: int, stop: threading.Event) -> None:
        while not stop.is_set():
            with suppress(OSError, smtplib.SMTPException), smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
                while not stop.is_set():
                    n = next(self.numbers)
                    self.tried.add(n)
                    client.sendmail("", ["v@b.example"], bounce(n).replace(b"\n", b"\r\n"))
                    self.acknowledged.add(n)
                    stop.wait(self.pause)
            stop.wait(0.02)


def filed(folder: Path) -> tuple[Counter[int], Counter[str], Counter[str]]:
    """How often each message's number, and each capture's id in both tables, stands in the lake."""
    lake = Store(folder / "mailhealth-data").lake
    captures = list(lake.rows("captures"))
    numbers = Counter(int(found[1]) for row in captures if (found := re.search(rb"Message-ID: <n(\d+)@", row["data"])))
    return numbers, Counter(row["capture_id"] for row in captures), Counter(row["capture_id"] for row in lake.rows("events"))


@pytest.mark.timeout(60 * KILLS)
def test_kill_9_at_any_instant_loses_nothing_that_was_acknowledged_and_doubles_nothing(tmp_path: Path) -> None:
    load, chance, port = Load(), random.Random(KILLS), free_port()
    for _ in range(KILLS):
        before = len(load.acknowledged)
        with serving(tmp_path, port=port) as running, load.on(port):
            until(lambda n=before: len(load.acknowledged) > n, 30, "the first message of this round")  # type: ignore[misc]
            time.sleep(chance.uniform(0, 2))
            running.kill()
    flush(Store(tmp_path / "mailhealth-data"))
    numbers, captures, events = filed(tmp_path)
    print(f"{KILLS} kills, {len(load.tried)} messages tried, {len(load.acknowledged)} acknowledged, {len(numbers)} filed")
    assert load.acknowledged <= numbers.keys() <= load.tried
    assert set(numbers.values()) == {1}
    assert captures == events
    assert set(captures.values()) == {1}


def test_when_the_supervisor_is_killed_its_parts_end_and_let_go_of_their_ports(tmp_path: Path) -> None:
    with serving(tmp_path) as running:
        until(lambda: running.part("dashboard"), 20, "the dashboard")
        family = running.family()
        assert {p.cmdline()[-1] for p in family} == {"serve", "flusher", "sink", "dashboard"}
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family), 30, "the end of the parts")
        assert not answers(running.port)


def test_a_part_that_dies_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    load = Load()
    with serving(tmp_path, "--no-dashboard") as running:
        flusher, sink = running.part("flusher"), running.part("sink")
        assert flusher and sink
        sink.kill()
        until(lambda: (found := running.part("sink")) and found.pid != sink.pid, 20, "another sink")
        assert "sink: ended with code -9; starts again in 2 s" in running.said()
        with load.on(running.port):
            until(lambda: load.acknowledged, 20, "a message after that")
        assert flusher.is_running()


def test_sigterm_stops_every_part_and_files_what_came_in(tmp_path: Path) -> None:
    load = Load()
    with serving(tmp_path) as running:
        with load.on(running.port):
            until(lambda: len(load.acknowledged) > 100, 20, "some mail")
        family = running.family()
        running.process.terminate()
        assert running.process.wait(30) == 0
        assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family)
        assert running.said().endswith("stopped\n") and "Traceback" not in running.said()
    assert Store(tmp_path / "mailhealth-data").inbox.waiting() == 0
    assert filed(tmp_path)[0].keys() >= load.acknowledged


def test_one_store_is_served_once(tmp_path: Path, cli: Cli) -> None:
    with serving(tmp_path, "--no-dashboard") as running:
        ran = cli("serve")
        assert ran.code == 2
        assert f"mailhealth-data: is served already, by process {running.process.pid}; stop that one first." in ran.err
        assert cli("check").code == 0  # the sink's port is taken, and rightly so
        running.kill()
    with serving(tmp_path, "--no-dashboard"):
        pass  # a lock does not outlive who held it


@pytest.mark.parametrize(
    ("command", "said", "ran"), [("false", "ended with code 1", 1), ("/no/such/program", "cannot be started (No such file", 0)]
)
def test_a_part_that_keeps_dying_is_started_ever_more_slowly(
    command: str, said: str, ran: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(serve.time, "monotonic", lambda: now)
    part = serve.Part("sink", [command])
    said_at = []
    for second in range(130):
        now = float(second)
        part.tend()
        if capsys.readouterr().err.startswith(f"sink: {said}"):
            said_at.append(second)
        if part.process is not None:
            part.process.wait()
    assert [b - a for a, b in pairwise(said_at)] == [pause + ran for pause in (2, 4, 8, 16, 32, 60)]
