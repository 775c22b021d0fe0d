"""A few rounds of every fault: what was acknowledged is filed, once and whole. `make faults ROUNDS=200` runs more of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer.lake import capture_table
from analyzer.model import MESSAGE, Capture
from analyzer.pipeline import read_captures
from analyzer.store import Store
from tests.faults import FAULTS
from tests.faults.site import MAIL, Account, Book

FEW = 2
# where a round is short, or does not always hit
MORE = {
    "kill -9 of the flusher": 5,
    "network cut in DATA": 6,
    "network cut in a body": 6,
    "network cut in a fetch": 4,
    "two collectors on one mailbox": 15,
}


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lost_and_nothing_doubled(fault: str, tmp_path: Path) -> None:
    account = FAULTS[fault](tmp_path, range(MORE.get(fault, FEW)))
    print(f"{fault}: {account}")
    assert account.struck > 0, "nothing happened"
    assert account.acknowledged > 0 and account.filed > 0
    assert (account.lost, account.doubled, account.torn) == (0, 0, 0)


def test_an_account_tells_what_was_lost_doubled_and_torn(tmp_path: Path) -> None:
    store, book = Store(tmp_path), Book()
    sent = [book.write(MAIL) for _ in range(6)]
    book.acknowledged |= {0, 1, 2, 3, 4}
    captures = [Capture(data, MESSAGE, "sink", datetime.now(UTC)) for _, data in sent]
    lake, key = store.lake, store.key
    lake.append("captures", capture_table(captures[1:]), "a", 0, 1)
    lake.append("events", read_captures(captures[2:], key)[0], "a", 0, 1)
    assert book.account(store, 7) == Account(struck=7, tried=6, acknowledged=5, filed=5, lost=2, doubled=0, torn=0)
    lake.append("captures", capture_table(captures[2:4]), "a", 1, 2)
    lake.append("events", read_captures(captures[2:3], key)[0], "a", 1, 2)
    torn = Capture(sent[5][1][:-20], MESSAGE, "sink", datetime.now(UTC))
    lake.append("captures", capture_table([torn]), "a", 2, 3)
    assert book.account(store, 7) == Account(struck=7, tried=6, acknowledged=5, filed=8, lost=2, doubled=3, torn=1)
