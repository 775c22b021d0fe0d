"""Faults, counted: each a function of rounds over real parts. `make faults ROUNDS=200` writes benchmarks/FAULTS.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from tests.faults.clock import clock_set_back
from tests.faults.cuts import body_cut, data_cut, fetch_cut
from tests.faults.kills import all_killed, collector_killed, flusher_killed
from tests.faults.refusals import disk_full, inbox_locked
from tests.faults.site import Account
from tests.faults.twice import same_webhook, two_collectors

Fault = Callable[[Path, Iterable[int]], Account]
"""Runs its rounds in a folder of its own, and gives the account. Its docstring says what a round does."""
FAULTS: dict[str, Fault] = {
    "kill -9 of the collectors": collector_killed,
    "kill -9 of the flusher": flusher_killed,
    "kill -9 of both": all_killed,
    "disk full": disk_full,
    "inbox locked": inbox_locked,
    "network cut in DATA": data_cut,
    "network cut in a fetch": fetch_cut,
    "network cut in a body": body_cut,
    "the same webhook 46 times": same_webhook,
    "two collectors on one mailbox": two_collectors,
    "clock set back": clock_set_back,
}
