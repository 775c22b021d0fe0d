"""kill -9: of the collectors, of the flusher, of all that `mailhealth serve` runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from analyzer.store import Store
from tests.faults.mailbox import with_mailbox
from tests.faults.site import Account, Site
from tests.servers import end, until
from tests.servers.serving import running

TABLES = ("captures", "events")
# one that has begun is copied for each round: to begin takes longer than a round, and is no part of the fault
SEED = """
import os, signal, sys
from datetime import UTC, datetime
from analyzer import lake, pipeline
from analyzer.cli import main
from analyzer.model import MESSAGE, Capture
pipeline.BATCH_CAPTURES, pipeline.TIDY_EVERY, lake.SMALL_FILES = 7, 2, 8
pipeline.derive(Capture(b"", MESSAGE, "", datetime.now(UTC)), bytes(32))  # reads the rules
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in sys.stdin:
    pid = os.fork()
    if not pid:
        main(["run", "flusher"])
    print(pid, flush=True)
"""


def collector_killed(place: Path, rounds: Iterable[int]) -> Account:
    """Each round starts the SMTP server, the HTTP receiver and the collector of a mailbox, and kills all three with -9 while mail and webhooks come in; the flusher goes on.
    Struck: the rounds in which a message had begun and was not answered."""
    struck = 0
    with with_mailbox(place) as (site, box):
        site.start("flusher")
        with site.sending() as book:
            for _ in rounds:
                started = site.start("box", "sink", "hooks")
                book.more(lambda: book.answered, 30, "the first answers of this round")
                box.deliver(site.chance.randint(1, 20), 20_000)
                time.sleep(site.chance.uniform(0, 0.3))
                before = book.cut.total()
                for process in started:
                    process.kill()
                for process in started:
                    process.wait()
                time.sleep(0.05)  # for the clients to notice
                struck += book.cut.total() > before
            site.start("box", "sink", "hooks")
            book.more(lambda: book.answered, 30, "an answer after all that")
            box.emptied("after all that")
        return site.account(struck)


def flusher_killed(place: Path, rounds: Iterable[int]) -> Account:
    """Each round starts a flusher, every other round two that race, and kills them with -9 while mail and webhooks come in; they are forked from
    one that has begun, file in batches of seven, and join the lake's small files all the time. Struck: the rounds that left a batch in one table and not yet in the other, or in both and not yet dropped by the inbox, or files without a commit."""
    struck = 0
    with Site(place, flush_seconds=0.001) as site, _seed(place) as flusher:
        site.start("sink", "hooks")
        with site.sending(pause=0.05):
            for n in rounds:
                lake = site.path / "lake"
                files, version = _files(lake), {t: _commits(lake / t) for t in TABLES}
                started = [flusher() for _ in range(1 + n % 2)]
                far = version["events"] + (4 if len(started) > 1 else 1)  # where two race, both are at work by then
                until(lambda: _commits(lake / "events") >= far, 30, "the first commits of this round")  # noqa: B023 - asked at once
                time.sleep(site.chance.uniform(0, 0.3))
                for pid in started:
                    os.kill(pid, signal.SIGKILL)
                until(lambda: not any(psutil.pid_exists(pid) for pid in started), 10, "their end")  # noqa: B023 - as above
                struck += _in_the_middle(Store(site.path), files, version)
        return site.account(struck)


@contextmanager
def _seed(place: Path) -> Iterator[Callable[[], int]]:
    """What starts a flusher, and gives its process id."""
    with (place / "said").open("ab") as said:
        seed = subprocess.Popen([sys.executable, "-c", SEED], cwd=place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said)
    assert seed.stdin and seed.stdout
    asked, told = seed.stdin, seed.stdout

    def flusher() -> int:
        asked.write(b"\n")
        asked.flush()
        return int(told.readline())

    try:
        yield flusher
    finally:
        for one in psutil.Process(seed.pid).children():
            one.kill()
        asked.close()
        told.close()
        end(seed)


def _files(lake: Path) -> set[Path]:
    """The Parquet files, also those that are being written."""
    return {path for table in TABLES for path in (lake / table).glob("day=*/*.parquet*")}


def _commits(table: Path) -> int:
    """The number of the last commit to a table; -1 before the first."""
    return max((int(p.stem) for p in (table / "_delta_log").glob("*.json") if p.stem.isdigit()), default=-1)


def _in_the_middle(store: Store, files: set[Path], version: dict[str, int]) -> bool:
    """Whether a flusher that began over these files and versions has left something half done."""
    lake, inbox = store.lake, store.inbox
    marks = [lake.kept(table, inbox.app) for table in TABLES]
    waiting = inbox.pending(limit=1)
    inbox.close()
    if marks[0] != marks[1] or (waiting and waiting[0][0] <= marks[0]):
        return True
    committed = set()
    for table in TABLES:
        for n in range(version[table] + 1, _commits(lake.path / table) + 1):
            for line in (lake.path / table / "_delta_log" / f"{n:020}.json").read_text().splitlines():
                if "add" in (action := json.loads(line)):
                    committed.add(lake.path / table / action["add"]["path"])
    return bool(_files(lake.path) - files - committed)


def all_killed(place: Path, rounds: Iterable[int]) -> Account:
    """Each round starts `mailhealth serve` and kills it and all its parts with -9 while mail and webhooks come in.
    Struck: the rounds in which a message had begun and was not answered."""
    struck = 0
    with Site(place) as site, site.sending() as book:
        for _ in rounds:
            with running(place, site.smtp, "--no-dashboard") as serve:
                book.more(lambda: book.answered, 60, "the first answers of this round")
                time.sleep(site.chance.uniform(0, 0.5))
                before = book.cut.total()
                serve.kill()
                time.sleep(0.05)  # for the clients to notice
                struck += book.cut.total() > before
    return site.account(struck)
