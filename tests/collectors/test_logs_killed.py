"""kill -9 while a log grows, is rotated, cut and packed: no line is lost and none is doubled."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from analyzer.inbox import Inbox
from analyzer.sources import LogSource
from collectors.logs import LogCollector

pytestmark = pytest.mark.slow
ROUNDS = 6
WATCHER = """
import sys, threading
from functools import partial
from pathlib import Path
sys.path.insert(0, {root!r})
from analyzer.sources import LogSource
from analyzer.inbox import Inbox
from collectors import logs
logs.POLL_SECONDS = 0.02
inbox = Inbox(Path(sys.argv[2]))
source = LogSource(type="log", path=Path(sys.argv[1]), mta="postfix")
print("at work", flush=True)
logs.LogCollector("log", source).watch(inbox.keep, partial(inbox.cursor, "log"), threading.Event())
"""


class Writer(threading.Thread):
    """Writes numbered lines, and rotates now and then: by rename, or by copy and cut; packs the oldest."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log, self.stop, self.written, self.rotated = log, threading.Event(), 0, 0
        self._chance = random.Random(11)

    def run(self) -> None:
        while not self.stop.is_set():
            with self.log.open("ab") as file:
                for _ in range(self._chance.randrange(1, 400)):
                    line = b"2026-11-01T10:00:00Z mx postfix/smtp[1]: line %09d of the log\n" % self.written
                    cut = self._chance.randrange(len(line))
                    file.write(line[:cut])
                    if not self.written % 50:
                        file.flush()
                    file.write(line[cut:])
                    self.written += 1
            if self._chance.random() < 0.15:
                self._rotate()
            time.sleep(0.005)

    def _rotate(self) -> None:
        self.rotated += 1
        new = self.log.with_name(f"mail.log.{10_000 + self.rotated}")
        if self._chance.random() < 0.5:
            self.log.rename(new)
            self.log.touch()
        else:
            shutil.copy(self.log, new)
            os.truncate(self.log, 0)
        if self.rotated % 3 == 0:
            packed = new.with_name(new.name + ".gz")
            packed.with_suffix(".tmp").write_bytes(gzip.compress(new.read_bytes()))
            os.utime(packed.with_suffix(".tmp"), (time.time() - 3600,) * 2)
            packed.with_suffix(".tmp").rename(packed)
            new.unlink()


def test_kill_9_loses_no_line_and_doubles_none(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    log, store = tmp_path / "log" / "mail.log", tmp_path / "inbox.sqlite"
    log.touch()
    Inbox(store).close()
    writer, chance = Writer(log), random.Random(5)
    writer.start()
    try:
        for _ in range(ROUNDS):
            watcher = subprocess.Popen([sys.executable, "-c", WATCHER.format(root=str(Path(__file__).parents[2])), log, store], stdout=subprocess.PIPE)  # fmt: skip
            assert watcher.stdout is not None
            watcher.stdout.readline()
            time.sleep(chance.uniform(0.3, 1.2))
            os.kill(watcher.pid, signal.SIGKILL)
            watcher.wait()
            watcher.stdout.close()
    finally:
        writer.stop.set()
        writer.join()
    inbox = Inbox(store)
    LogCollector("log", LogSource(type="log", path=log, mta="postfix")).collect(inbox.keep, lambda: inbox.cursor("log"))
    found = Counter(line for _, c in inbox.pending(limit=1_000_000, max_bytes=1 << 30) for line in c.data.splitlines()[1:])
    lost = [n for n in range(writer.written) if not found[b"2026-11-01T10:00:00Z mx postfix/smtp[1]: line %09d of the log" % n]]
    assert (len(lost), lost[:5], [line for line, n in found.items() if n > 1][:5]) == (0, [], [])
    assert len(found) == writer.written and writer.rotated > 5
