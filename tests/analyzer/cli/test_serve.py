"""`mailhealth serve`: its parts live and die with it. What becomes of mail when it is killed: tests/faults."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from analyzer.cli import serve
from analyzer.store import Store
from tests.analyzer.cli.conftest import Cli
from tests.faults.site import MAIL, Site
from tests.servers import answers, free_port, until
from tests.servers.serving import Serving, running


@contextmanager
def serving(folder: Path, *options: str, page: int | None = None, flush: float = 0.2, more: str = "") -> Iterator[tuple[Serving, Site]]:
    """`mailhealth serve` over a site, with the dashboard on `page`; leaves nothing running."""
    site = Site(folder, flush_seconds=flush, more=f"{more}[dashboard]\nport = {page or free_port()}\n")
    with running(folder, site.smtp, *options) as serve:
        yield serve, site


STOPPED = """
import signal
from analyzer.cli import stopped_by
stop = stopped_by(signal.SIGTERM)
with stop._cond:  # where `stop.wait` is for an instant
    signal.raise_signal(signal.SIGTERM)
print(stop.wait(10))
"""


def test_a_signal_stops_a_part_even_where_it_interrupts_the_asking_whether_to_stop() -> None:
    said = subprocess.run([sys.executable, "-c", STOPPED], capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout == "True\n"


def test_when_the_supervisor_is_killed_its_parts_end_and_let_go_of_their_ports(tmp_path: Path) -> None:
    with serving(tmp_path) as (served, _):
        until(lambda: served.part("dashboard"), 20, "the dashboard")
        family = served.family()
        assert {p.cmdline()[-1] for p in family} == {"serve", "flusher", "sink", "hooks", "dashboard"}
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
        until(lambda: not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family), 30, "the end of the parts")
        assert not answers(served.port)


def test_a_part_that_dies_is_started_again_and_the_others_go_on(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-dashboard") as (served, site):
        flusher, sink = served.part("flusher"), served.part("sink")
        assert flusher and sink
        sink.kill()
        until(lambda: (found := served.part("sink")) and found.pid != sink.pid, 20, "another sink")
        assert "sink: ended with code -9; starts again in 2 s" in served.said()
        with site.sending(MAIL) as book:
            until(lambda: book.acknowledged, 20, "a message after that")
        assert flusher.is_running()


def test_sigterm_stops_every_part_and_files_what_came_in(tmp_path: Path) -> None:
    with serving(tmp_path) as (served, site):
        with site.sending(MAIL) as book:
            until(lambda: len(book.acknowledged) > 100, 20, "some mail")
        family = served.family()
        served.process.terminate()
        assert served.process.wait(30) == 0
        assert not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in family)
        assert served.said().endswith("stopped\n") and "Traceback" not in served.said()
    assert Store(site.path).inbox.waiting() == 0
    assert site.account(struck=0).lost == 0


def test_one_store_is_served_once(tmp_path: Path, cli: Cli) -> None:
    with serving(tmp_path, "--no-dashboard") as (served, _):
        ran = cli("serve")
        assert ran.code == 2
        assert f"mailhealth-data: is served already, by process {served.process.pid}; stop that one first." in ran.err
        assert cli("check").code == 0  # the sink's port is taken, and rightly so
        served.kill()
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
