"""The network cut in the middle: of mail that comes in, of mail that is fetched, of a webhook's body."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from random import Random
from typing import BinaryIO

from analyzer.sources import ImapSource
from analyzer.store import Store
from collectors.base import SourceFailed
from collectors.imap import ImapCollector
from tests.faults.site import MAIL, SECRET, WEBHOOK, Account, Http, Site, Smtp
from tests.servers.dovecot import running
from tests.servers.imap import Proxy, reset

EACH = 3  # messages a round that are cut
LARGEST = 30_000  # bytes
Client = Smtp | Http
Begun = Callable[[socket.socket, BinaryIO, bytes], bytes]
"""Says all that stands before a message on a new connection; gives what is then sent of it, up to what calls for the answer."""


def data_cut(place: Path, rounds: Iterable[int]) -> Account:
    """Each round sends three mails by SMTP that break off after a random number of bytes of DATA, up to the final dot whose answer nobody reads, and then sends them
    again, while others send undisturbed. Struck: the mails that broke off before their last byte, after the server had asked for them."""
    with Site(place) as site:
        site.start("sink", "flusher")
        client = Smtp(site.smtp)
        with site.sending(MAIL, pause=0.02):
            struck = sum(_cut(site, MAIL, client, _in_data) for _ in rounds)
        client.close()
        return site.account(struck)


def body_cut(place: Path, rounds: Iterable[int]) -> Account:
    """Each round posts three webhooks that break off after a random number of bytes of their bodies, of known length or in chunks, up to the last one whose answer nobody
    reads, and then posts them again, while others post undisturbed. Struck: the requests that the receiver itself counts as cut off."""
    with Site(place) as site:
        site.start("hooks", "flusher")
        client = Http(site.http)
        with site.sending(WEBHOOK, pause=0.02):
            for _ in rounds:
                _cut(site, WEBHOOK, client, partial(_in_body, site.chance))
        client.close()
        return site.account(_counted(site.http))


def _cut(site: Site, kind: str, client: Client, begin: Begun) -> int:
    """A round; how many broke off before their last byte."""
    whole = [site.book.write(kind, site.chance.randint(0, LARGEST)) for _ in range(EACH)]
    early = 0
    for _, data in whole:
        with socket.create_connection(("127.0.0.1", site.smtp if kind == MAIL else site.http), timeout=30) as connection:
            with connection.makefile("rb") as heard:
                sent = begin(connection, heard, data)
            end = site.chance.choice([len(sent), site.chance.randrange(len(sent))])
            connection.sendall(sent[:end])
            time.sleep(site.chance.uniform(0, 0.01))  # what has not been read yet, a reset takes back
            if site.chance.random() < 0.5:
                reset(connection)
        early += end < len(sent)
    for n, data in whole:
        client.connect()
        if not client.send(data):
            raise AssertionError("a message was refused")
        site.book.acknowledge(n, kind)
    return early


def _in_data(connection: socket.socket, heard: BinaryIO, data: bytes) -> bytes:
    for command in (b"", b"HELO mx.x.example\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<v@b.example>\r\n", b"DATA\r\n"):
        connection.sendall(command)
        answer = heard.readline()
    assert answer.startswith(b"354")
    return data + b".\r\n"


def _in_body(chance: Random, connection: socket.socket, heard: BinaryIO, data: bytes) -> bytes:
    chunked = chance.random() < 0.5
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(data)}"
    head = f"POST /webhooks/brevo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {SECRET}\r\n{framing}\r\n\r\n"
    connection.sendall(head.encode())
    if not chunked:
        return data
    middle = chance.randrange(1, len(data))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:middle], data[middle:], b""))


def _counted(port: int) -> int:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("GET", "/metrics")
    lines = client.getresponse().read().decode().splitlines()
    client.close()
    return sum(int(line.rpartition(" ")[2]) for line in lines if 'reason="cut-off"' in line)


def fetch_cut(place: Path, rounds: Iterable[int]) -> Account:
    """Each round delivers some mails into a mailbox and resets two connections to its server after a random number of bytes; the third pass is left in peace.
    What is kept stays, is flagged or is moved, a different one each round. Struck: the connections that were reset while a message was being given."""
    with running() as server, Proxy(server.plain) as way, Site(place) as site:
        site.start("flusher")
        mailbox, store = server.mailbox(), Store(site.path)
        for n in rounds:
            letters = [site.book.write(MAIL, site.chance.randint(0, LARGEST)) for _ in range(site.chance.randint(1, 8))]
            mailbox.deliver(*(data for _, data in letters))
            site.book.acknowledged |= {number for number, _ in letters}
            source = mailbox.source(port=way.port, host="127.0.0.1", tls="none", ca_file=None, after=("nothing", "flag", "move")[n % 3])
            for limit in (*(site.chance.randint(0, 1000 + sum(len(data) for _, data in letters)) for _ in range(2)), None):
                way.cut_after(limit)
                _pass(store, source, certain=limit is None)
        store.inbox.close()
        return site.account(sum(b"BODY.PEEK[]" in asked for asked in way.cuts))


def _pass(store: Store, source: ImapSource, certain: bool) -> None:
    """One look of a collector that knows nothing of earlier ones."""
    try:
        ImapCollector("box", source).collect(store.inbox.keep, partial(store.inbox.cursor, "box"))
    except SourceFailed:
        if certain:
            raise
