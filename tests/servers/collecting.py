"""A collector in a process of its own, to be measured or killed: `python -m tests.servers.collecting INBOX SOURCE [KEEPS]`.

SOURCE is the source's table in JSON. After KEEPS batches were kept it kills itself, before anything is acknowledged. Else it
prints one JSON object: what was seen and kept, the seconds, and the most memory that it ever had, in MB.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from analyzer.inbox import Inbox
from analyzer.model import Capture
from analyzer.sources import ImapSource
from collectors.imap import ImapCollector

ROOT = Path(__file__).parents[2]


def in_a_process(inbox: Path, source: Mapping[str, Any], keeps: int = 0) -> subprocess.CompletedProcess[str]:
    """One pass over a source "b" in a process of its own."""
    command = [sys.executable, "-m", "tests.servers.collecting", str(inbox), json.dumps(source), str(keeps)]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=600)


def _collect(path: str, table: str, keeps: str) -> None:
    inbox, left = Inbox(Path(path)), int(keeps)

    def keep(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
        nonlocal left
        new = inbox.keep(captures, cursor)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return new

    began = time.monotonic()
    tally = ImapCollector("b", ImapSource.model_validate(json.loads(table))).collect(keep, partial(inbox.cursor, "b"))
    seconds = time.monotonic() - began
    # not getrusage, whose peak is inherited from the process that started this one
    peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seen": tally.seen, "kept": tally.kept, "seconds": round(seconds, 3), "mb": peak // 1024}))


if __name__ == "__main__":
    _collect(*sys.argv[1:4])
