"""A site whose store also collects a mailbox on a real Dovecot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collectors.imap.session import TIMEOUT
from tests.faults.site import MAIL, Site
from tests.servers import until
from tests.servers.dovecot import Mailbox, running


class Box:
    """A mailbox, and the book in which its mail stands."""

    def __init__(self, site: Site, mailbox: Mailbox) -> None:
        self._site, self._mailbox = site, mailbox

    def deliver(self, count: int = 1, largest: int = 0) -> None:
        """Puts so many new mails into it: they are ours to collect from now on."""
        letters = [self._site.book.write(MAIL, self._site.chance.randint(0, largest)) for _ in range(count)]
        self._mailbox.deliver(*(data for _, data in letters))
        self._site.book.acknowledged.update(n for n, _ in letters)

    def emptied(self, when: str) -> None:
        """Waits until all was moved away, for longer than a collector takes to give up a connection that says nothing and to make another."""
        until(lambda: not self._waiting(), 2 * TIMEOUT + 30, lambda: f"the collector of the mailbox {when}; {self._evidence()}")

    def _waiting(self) -> list[str]:
        folders = [self._mailbox.maildir / part for part in ("new", "cur")]
        return [f"{path.parent.name}/{path.name}" for folder in folders if folder.exists() for path in folder.iterdir()]

    def _evidence(self) -> str:
        return f"there are still {self._waiting()}\n{self._site.evidence()}\nDovecot: {self._mailbox.server.log()}"


@contextmanager
def with_mailbox(place: Path, store: Path | None = None) -> Iterator[tuple[Site, Box]]:
    """A site with the source "box", which looks many times a second, and moves what it has kept."""
    with running() as server:
        mailbox = server.mailbox()
        with Site(place, store, more=imap_table(mailbox, server.plain)) as site:
            yield site, Box(site, mailbox)


def imap_table(mailbox: Mailbox, port: int) -> str:
    """The source "box" over a port."""
    table = mailbox.table(port=port, host="127.0.0.1", tls="none", idle=False, poll_seconds=0.02, after="move")
    del table["ca_file"]
    return "[sources.box]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
