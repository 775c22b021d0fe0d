"""`python -m tests.faults [ROUNDS [FAULT...]]` runs rounds of every fault, or of those named, and writes benchmarks/FAULTS.md."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from dataclasses import astuple
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import track

from tests.faults import FAULTS
from tests.faults.site import Account

RESULTS = Path(__file__).parents[2] / "benchmarks" / "FAULTS.md"
HEAD = """# Faults, counted

Written by `make faults` ({where}). Every fault hits real parts, as `mailhealth run` and `mailhealth serve` have them: the SMTP server, the HTTP receiver, the
flusher, the collector of a mailbox before a real Dovecot, all on one store. Senders come again until they are acknowledged, as mail servers and providers do;
in the end what is in the lake is held against what was sent.

*Lost*: acknowledged to the sender, or standing in the mailbox, and not in the lake with its event in the end. *Doubled*: more than once in the lake, a capture or an event.
*Torn*: in the lake, and not byte for byte what was sent. What was cut off before it was acknowledged may be filed or not, and counts as neither.
*Struck*: how often the fault is known to have hit in the middle; what is counted stands below.

| fault | date | rounds | struck | tried | acknowledged | filed | lost | doubled | torn |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""


def row(name: str, rounds: int, account: Account) -> str:
    """A line of the table."""
    return " | ".join([f"| {name}", date.today().isoformat(), *(f"{n:,}" for n in (rounds, *astuple(account)))]) + " |"


def written(rows: dict[str, str]) -> str:
    """The whole page; of a fault that was not run it keeps the row that there is."""
    there = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
    lines = [rows.get(name) or next((line for line in there if line.startswith(f"| {name} |")), "") for name in FAULTS]
    where = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()}"
    what = [f"- **{name}.** {' '.join((fault.__doc__ or '').split())}" for name, fault in FAULTS.items()]
    return HEAD.format(where=where) + "\n".join([*filter(None, lines), "", *what]) + "\n"


def main(count: int, names: list[str]) -> int:
    """Runs, prints and writes; 1 when anything was lost, doubled or torn."""
    console, rows, bad = Console(), {}, 0
    for name in names or FAULTS:
        try:
            with tempfile.TemporaryDirectory(prefix="mailhealth-fault-") as place:
                account = FAULTS[name](Path(place), track(range(count), name, console=console))
        except (pytest.skip.Exception, pytest.fail.Exception) as e:
            console.print(f"{name}: left out, {e}")
            continue
        rows[name] = row(name, count, account)
        console.print(f"{name}: {account}", highlight=False)
        RESULTS.write_text(written(rows), encoding="utf-8")
        bad += account.lost + account.doubled + account.torn
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 200, sys.argv[2:]))
