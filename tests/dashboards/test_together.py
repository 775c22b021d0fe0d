"""A collector, the flusher, the dashboard in a browser and a notebook at once on one store: no error, nobody blocked, counts that only grow.

MAILHEALTH_SECONDS=300 does so for five minutes; with -s the figures are printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

from analyzer.store import Store
from tests.analyzer.cli.test_serve import serving
from tests.dashboards.conftest import PAGES, drawn
from tests.servers import free_port, until

SECONDS = float(os.environ.get("MAILHEALTH_SECONDS", "8"))
TABLE = "[sources.sends]\ntype = 'table'\npath = 'sends.csv'\nkind = 'sent'\n"
OPEN = "import json; from pathlib import Path; from analyzer.metrics import Numbers; numbers = Numbers.open(Path('mailhealth-data'))"
ASK = """
numbers.refresh()
frame = numbers.measure(["sent", "hard"])
print(json.dumps([int(n) for n in frame["numerator"]] + [int(numbers.freshness()["events"].sum())]))
"""


class Notebook:
    """A Jupyter kernel of its own."""

    def __init__(self, folder: Path) -> None:
        self._manager, self._client = start_new_kernel(cwd=str(folder), env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        self.run(OPEN)

    def run(self, cell: str) -> str:
        """What a cell prints. An error in it fails the test."""
        printed: list[str] = []

        def heard(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            assert kind != "error", "\n".join(content["traceback"])
            if kind == "stream" and content["name"] == "stdout":
                printed.append(content["text"])

        self._client.execute_interactive(cell, output_hook=heard, timeout=60)
        return "".join(printed)

    def close(self) -> None:
        """Ends the kernel."""
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@dataclass
class Reader:
    """Somebody who reads again and again: how long each time, what was counted, what went wrong."""

    seconds: list[float] = field(default_factory=list)
    counts: list[list[int]] = field(default_factory=list)
    failed: list[BaseException] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Notes how long it took."""
        began = time.monotonic()
        yield
        self.seconds.append(time.monotonic() - began)

    def __str__(self) -> str:
        found = sorted(self.seconds)
        return f"{len(found)} reads, median {found[len(found) // 2]:.2f} s, slowest {found[-1]:.2f} s"


def write_sends(path: Path, stop: threading.Event) -> None:
    """A log of sends that grows."""
    with path.open("a") as log:
        for n in range(10_000_000):
            log.write(f"s{n}@shop.example,u{n}@customer.example,{datetime.now(UTC).isoformat()}\n")
            log.flush()
            if stop.wait(0.005):
                return


def read_notebook(folder: Path, reader: Reader, stop: threading.Event) -> None:
    """Refreshes and measures in a kernel, until told to stop."""
    try:
        with contextlib.closing(Notebook(folder)) as notebook:
            while not stop.is_set():
                with reader.timed():
                    reader.counts.append(json.loads(notebook.run(ASK)))
    except BaseException as e:
        reader.failed.append(e)


@pytest.mark.browser
@pytest.mark.timeout(180 + 2 * SECONDS)
def test_all_at_once_on_one_store(tmp_path: Path, chromium: Any) -> None:
    (tmp_path / "sends.csv").write_text("message_id,recipient,at\n")
    stop, page_port = threading.Event(), free_port()
    notebook, browser = Reader(), Reader()
    with serving(tmp_path, page=page_port, flush=1, more=TABLE) as (served, site), site.sending(pause=0.02) as book:
        threads = [threading.Thread(target=write_sends, args=(tmp_path / "sends.csv", stop)),
                   threading.Thread(target=read_notebook, args=(tmp_path, notebook, stop))]  # fmt: skip
        for thread in threads:
            thread.start()
        try:
            until(lambda: healthy(page_port), 60, "the dashboard")
            tab, end = chromium.new_page(), time.monotonic() + SECONDS
            while time.monotonic() < end or len(browser.seconds) < len(PAGES) or len(notebook.counts) < 5:
                for path in PAGES:
                    with browser.timed():
                        tab.goto(f"http://127.0.0.1:{page_port}/{path}")
                        drawn(tab)
                    assert tab.locator('[data-testid="stException"], [data-testid="stAlertContentError"]').count() == 0
                assert not notebook.failed, notebook.failed
            tab.close()
        finally:
            stop.set()
            for thread in threads:
                thread.join(90)
        family = {p.pid for p in served.family()}
        served.process.terminate()
        assert served.process.wait(40) == 0
        said = served.said()
    assert len(family) == 6, "supervisor, flusher, three sources, dashboard"
    assert "ended with code" not in said and "cannot flush" not in said and "Traceback" not in said, said
    assert not notebook.failed, notebook.failed
    for earlier, later in pairwise(notebook.counts):
        assert all(a <= b for a, b in zip(earlier, later, strict=True)), "a count fell"
    assert notebook.counts[-1][-1] > notebook.counts[0][-1]
    account = site.account(struck=0)
    assert (account.lost, account.doubled) == (0, 0)
    lake = Store(site.path).lake
    print(f"\n{SECONDS:.0f} s: {len(book.acknowledged)} reports and webhooks acknowledged, {lake.version()} commits")
    print(f"notebook: {notebook}, last counts {notebook.counts[-1]}\nbrowser: {browser}")
    for name in ("captures", "events"):
        print(
            f"{name}: {len(lake.files(name)[1])} files in the snapshot, {len(list((lake.path / name / '_delta_log').iterdir()))} in the log"
        )


def healthy(port: int) -> bool:
    """Does the dashboard answer?"""
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).status == 200)
    return False
