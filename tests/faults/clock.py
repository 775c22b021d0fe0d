"""The clock set back by minutes or hours, under processes that run: what is taken, its times, and how far everybody has come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analyzer.store import Store
from tests.conftest import lacking
from tests.faults.mailbox import with_mailbox
from tests.faults.site import Account
from tests.servers import end

LEAST, MOST = 10 * 60, 6 * 3600  # seconds that it is set back by; a whole run takes less than the least


def clock_set_back(place: Path, rounds: Iterable[int]) -> Account:
    """Each round sets the clock of the SMTP server, the HTTP receiver, the collector of a mailbox and the flusher back by up to six hours while mail and webhooks come in,
    starts the collector of the mailbox anew, and sets the clock right again (libfaketime; the monotonic clock goes on, as it does in earnest). Every time in the lake must
    be one that the clock has shown. Struck: the captures that were taken under a clock that had been set back."""
    began, clock = datetime.now(UTC), place / "clock"
    _set(clock, 0)
    with with_mailbox(place) as (site, box):
        faked = _faked(clock)
        *_, collector = site.start("sink", "hooks", "flusher", "box", environment=faked)
        with site.sending(pause=0.03) as book:
            for _ in rounds:
                for back in (0, site.chance.randint(LEAST, MOST)):
                    _set(clock, -back)
                    if back:
                        end(collector)
                        (collector,) = site.start("box", environment=faked)
                    box.deliver()
                    book.more(lambda: book.answered, 30, "an answer of each server")
                    box.emptied("under a clock set back")
                    site.filing()
        assert site.alive()
        account = site.account(struck=0)
        return replace(account, struck=_times(Store(site.path), began))


def _faked(clock: Path) -> dict[str, str]:
    """The environment of a process whose clock is what a file says."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
    if library is None:
        lacking("needs libfaketime: apt-get install faketime")
    # the "fix" makes every wait of a thread with a timeout hundreds of times as long here
    exact = {"FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
    return {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock)} | exact


def _set(clock: Path, seconds: int) -> None:
    aside = clock.with_suffix(".new")
    aside.write_text(f"{seconds:+d}")
    aside.replace(clock)


def _times(store: Store, began: datetime) -> int:
    """How many captures were taken under a clock that had been set back. Fails where a time in the lake was never shown by the clock."""
    first, last = began - timedelta(seconds=MOST), datetime.now(UTC)
    rows = list(store.lake.rows("events", columns=["received_at", "at"]))
    assert all(first <= row[name] <= last for row in rows for name in ("received_at", "at"))
    return sum(row["received_at"] < began for row in rows)
