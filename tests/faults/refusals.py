"""What cannot be kept just now: the disk is full, the inbox is locked. Everybody goes on by himself when that is over."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from tests.conftest import lacking
from tests.faults.mailbox import with_mailbox
from tests.faults.site import Account, Site
from tests.servers import until

DISK, ROOM = 512 << 20, 128 << 20  # bytes: of the disk, and free on it while it is not full
BLOCK = 4096
BUSY = 0.2  # seconds that a part waits for a lock; the 60 of everyday would make long rounds


def disk_full(place: Path, rounds: Iterable[int]) -> Account:
    """Each round fills the disk of the store to the last byte while mail and webhooks come in, a mail stands in the mailbox and the flusher files, until both servers have
    refused something, and frees it a moment later; the same processes must then take and file again. Struck: the messages refused with 451 or 503."""
    with _disk(place / "disk") as disk, with_mailbox(place, disk / "store") as (site, box), (disk / "ballast").open("wb") as ballast:
        site.start("sink", "hooks", "box", "flusher")
        _fill(ballast, ROOM)
        with site.sending(pause=0.02, size=8_000) as book:
            for _ in rounds:
                site.filing()
                _squeeze(site.path / "inbox.sqlite")
                _fill(ballast)
                box.deliver()
                book.more(lambda: book.refused, 30, "a refusal of each server on a full disk")
                until(lambda: _complained(site), 30, "what the flusher and the collector say of a full disk")
                time.sleep(site.chance.uniform(0, 0.3))
                _fill(ballast, ROOM)
                book.more(lambda: book.answered, 30, "an answer of each server when there is room again")
                box.emptied("when there is room again")
            site.filing()
        assert site.alive(), "a part did not outlive the full disk"
        return site.account(book.refused.total())


def _complained(site: Site) -> bool:
    """Whether the flusher and the collector of the mailbox have met the fault too, in this round or before."""
    return "flusher: cannot flush" in site.said() and "box: " in site.said()


@contextmanager
def _disk(at: Path) -> Iterator[Path]:
    """A small file system of its own."""
    at.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", at], capture_output=True, check=False).returncode:
        lacking("needs a disk of its own to fill: run the tests as root, where a tmpfs can be mounted")
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True)


def _fill(ballast: IO[bytes], free: int = 0) -> None:
    """Has a file grow or shrink until so many bytes are free on its disk."""
    file, most = ballast.fileno(), DISK
    while abs(more := _free(file) - free) >= BLOCK:
        size = os.fstat(file).st_size
        if more < 0:
            ballast.truncate(size + more)
            return
        try:
            most = min(more, most)
            os.posix_fallocate(file, size, most)
        except OSError:  # somebody else was quicker
            most = max(most // 2, BLOCK)


def _free(file: int) -> int:
    disk = os.fstatvfs(file)
    return disk.f_bfree * disk.f_bsize


def _squeeze(inbox: Path) -> None:
    """Leaves no room inside the inbox, where it would go on keeping for a while."""
    with closing(sqlite3.connect(inbox, timeout=60, isolation_level=None)) as db:
        db.execute("VACUUM")
        while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            pass  # somebody was writing


def inbox_locked(place: Path, rounds: Iterable[int]) -> Account:
    """Each round another process holds an exclusive transaction on the inbox for longer than the parts wait for it (0.2 s here, 60 s else) while mail and webhooks
    come in, a mail stands in the mailbox and the flusher files; the same processes must then take and file again. Struck: the messages refused with 451 or 503."""
    with with_mailbox(place) as (site, box):
        site.start("sink", "hooks", "box", "flusher", first=f"from analyzer import inbox; inbox.BUSY_SECONDS = {BUSY}")
        with site.sending() as book, closing(sqlite3.connect(site.path / "inbox.sqlite", timeout=60, isolation_level=None)) as other:
            site.filing()
            for _ in rounds:
                other.execute("BEGIN EXCLUSIVE")
                box.deliver()
                book.more(lambda: book.refused, 30, "a refusal of each server over a locked inbox")
                until(lambda: _complained(site), 30, "what the flusher and the collector say of a locked inbox")
                time.sleep(site.chance.uniform(0, 0.2))
                other.execute("ROLLBACK")
                book.more(lambda: book.answered, 30, "an answer of each server when the lock is gone")
                box.emptied("when the lock is gone")
                site.filing()
        assert site.alive(), "a part did not outlive the lock"
        return site.account(book.refused.total())
