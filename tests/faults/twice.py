"""What comes more than once: a webhook that is sent again and again, and a mailbox that two collectors read."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.faults.mailbox import Box, imap_table
from tests.faults.site import WEBHOOK, Account, Http, Site
from tests.servers import until
from tests.servers.dovecot import running
from tests.servers.imap import Proxy

TIMES = 46
CONNECTIONS = 6


def same_webhook(place: Path, rounds: Iterable[int]) -> Account:
    """Each round has one webhook acknowledged 46 times, over six connections at once; in the middle the receiver is killed with -9 and started again, while the
    flusher files what came before. Tried and acknowledged are requests. Struck: the acknowledgements after the first."""
    tried: Counter[int] = Counter()
    acknowledged: Counter[int] = Counter()
    with Site(place) as site:
        site.start("flusher")
        (receiver,) = site.start("hooks")
        for _ in rounds:
            n, data = site.book.write(WEBHOOK)
            left = threading.Semaphore(TIMES)
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                for _ in range(CONNECTIONS):
                    pool.submit(_send_all, site, n, data, left, tried, acknowledged)
                until(lambda n=n: acknowledged[n] > TIMES // 4, 30, "the first acknowledgements")  # type: ignore[misc]
                receiver.kill()
                receiver.wait()
                (receiver,) = site.start("hooks")
            assert acknowledged[n] == TIMES
            site.book.acknowledge(n, WEBHOOK)
        account = site.account(sum(acknowledged.values()) - len(acknowledged))
    return replace(account, tried=tried.total(), acknowledged=acknowledged.total())


def _send_all(
    site: Site, n: int, data: bytes, left: threading.Semaphore, tried: Counter[int], acknowledged: Counter[int]
) -> None:  # fmt: skip
    """Over one connection, made again when it is lost: as many as are left, each until it is acknowledged."""
    client = Http(site.http)
    while left.acquire(blocking=False):
        done = False
        while not done:
            try:
                client.connect()
                site.book.add(tried, n)
                done = client.send(data)
            except (OSError, http.client.HTTPException):
                client.close()
                time.sleep(0.01)
        site.book.add(acknowledged, n)
    client.close()


def two_collectors(place: Path, rounds: Iterable[int]) -> Account:
    """Each round delivers some mails into a mailbox that two collectors of one store read at the same time, in processes of their own, and move what they have kept.
    Struck: the mails that the server gave to both."""
    with running() as server, Proxy(server.plain) as way:
        mailbox = server.mailbox()
        with Site(place, more=imap_table(mailbox, way.port)) as site:
            box = Box(site, mailbox)
            _, *both = site.start("flusher", "box", "box")
            until(lambda: sum(b"SEARCH" in asked for asked in list(way.asked.values())) == 2, 30, "both collectors")
            for _ in rounds:
                # both wake over the same new mail
                for collector in both:
                    collector.send_signal(signal.SIGSTOP)
                box.deliver(site.chance.randint(1, 40), 20_000)
                for collector in both:
                    collector.send_signal(signal.SIGCONT)
                box.emptied("and its twin")
            site.stop()
            return site.account(way.bodies - len(site.book.written))
