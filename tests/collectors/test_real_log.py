"""The log of a real Postfix, read while it is written: what it tells agrees with what the receiver did."""

from __future__ import annotations

import smtplib
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.inbox import Inbox
from analyzer.model import Capture, Kind, Outcome, Stage
from analyzer.parse import parse
from analyzer.sources import LogSource
from collectors.logs import LogCollector
from tests.servers import until
from tests.servers.dovecot import PASSWORD
from tests.servers.postfix import BOUNCES, Postfix
from tests.servers.smtp import Exchanger

pytestmark = [pytest.mark.servers, pytest.mark.slow]
DOMAIN = "logged.example"
ANSWERS = {
    "gone": "550 5.1.1 <gone@logged.example>: Recipient address rejected: User unknown in virtual mailbox table",
    "lines": "550-5.7.1 The mail you sent to lines is not wanted.\r\n550 5.7.1 See https://logged.example/why",
    "grey": "450 4.7.1 <grey@logged.example>: Recipient address rejected: Greylisted, please try again in 300 seconds",
}
AT_DATA = {"listed": "554 5.7.1 Service unavailable; Client host [192.0.2.17] blocked using bl.lists.example"}
# message -> its recipients
SENT = {"first": ["fine", "gone", "other"], "second": ["lines"], "third": ["grey"], "fourth": ["listed"], "fifth": ["fine"]}


def submit(postfix: Postfix) -> None:
    with smtplib.SMTP("localhost", postfix.port, timeout=20) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(postfix.ca)))
        client.login("user1", PASSWORD)
        for name, whom in SENT.items():
            head = f"From: orders@shop.example\r\nTo: you\r\nSubject: {name}\r\nMessage-ID: <{name}@{DOMAIN}>\r\n"
            client.sendmail(f"v+{name}@{BOUNCES}", [f"{who}@{DOMAIN}" for who in whom], head + "\r\nThank you.\r\n")
        client.sendmail(f"v+closed@{BOUNCES}", ["who@closed.example"], f"Message-ID: <closed@{DOMAIN}>\r\n\r\nThank you.\r\n")


class Told:
    """What the log told of our messages."""

    def __init__(self, captures: list[Capture]) -> None:
        self.all = [o for c in captures for o in parse(c).outcomes]
        self.ids = {o.original.provider_id: o.original.message_id for o in self.all if o.original and o.original.message_id}

    def of(self, kind: Kind) -> dict[tuple[str, str], Outcome]:
        """The last outcome of a kind, by Message-ID, which is joined by the queue's id, and recipient."""
        found = {}
        for o in self.all:
            message = self.ids.get(o.original.provider_id if o.original else None) or ""
            if o.kind is kind and message.endswith(f"@{DOMAIN}"):
                found[(message.partition("@")[0], (o.recipient or "").partition("@")[0])] = o
        return found


@pytest.fixture(scope="module")
def read(postfix: Postfix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Told, Exchanger, Any]]:
    """What was read of the log as it was written, the receiver, and what a reading of the whole log gives."""
    inbox = Inbox(tmp_path_factory.mktemp("log") / "inbox.sqlite")
    log, stop = LogSource(type="log", path=postfix.dir / "log", mta="postfix"), threading.Event()
    watcher = threading.Thread(target=LogCollector("log", log).watch, args=(inbox.keep, lambda: inbox.cursor("log"), stop))
    exchanger = Exchanger(ANSWERS, AT_DATA)

    def told() -> Told:
        return Told([c for _, c in inbox.pending(limit=100_000, max_bytes=1 << 30)])

    try:
        with exchanger.serving(postfix.remote):
            watcher.start()
            submit(postfix)
            ends = {"third", "closed"}
            until(
                lambda: ends <= {name for name, _ in told().of(Kind.BOUNCED)} or postfix.look_again(),
                120,
                lambda: f"the end: {postfix.log()}",
            )
    finally:
        stop.set()
        watcher.join(10)
    whole: list[Capture] = []
    LogCollector("log", log).collect(lambda captures, cursor=None: whole.extend(captures) or len(captures), dict)
    yield told(), exchanger, Told(whole)


def test_what_was_taken_was_delivered_and_nothing_else(read: tuple[Told, Exchanger, Told]) -> None:
    live, exchanger, whole = read
    taken = sorted(a.partition("@")[0] for a in exchanger.taken if a.endswith(DOMAIN))
    for told in (live, whole):
        assert sorted(who for _, who in told.of(Kind.DELIVERED)) == taken == ["fine", "fine", "other"]
        assert set(told.of(Kind.DELIVERED)) == {("first", "fine"), ("first", "other"), ("fifth", "fine")}


def test_what_was_refused_bounced_in_the_receivers_words(read: tuple[Told, Exchanger, Told]) -> None:
    for told in (read[0], read[2]):
        bounced = told.of(Kind.BOUNCED)
        assert {k for k in bounced if k[0] not in {"third", "closed"}} == {("first", "gone"), ("second", "lines"), ("fourth", "listed")}
        gone, listed, some = bounced["first", "gone"], bounced["fourth", "listed"], bounced["second", "lines"]
        assert (gone.diagnostic, gone.reply_code, gone.status, gone.stage) == (ANSWERS["gone"], "550", "5.1.1", Stage.RCPT)
        assert (listed.diagnostic, listed.stage) == (AT_DATA["listed"], Stage.DATA)
        assert (some.diagnostic, some.stage) == (ANSWERS["lines"].replace("\r\n", " "), Stage.RCPT)
        assert {k[0]: o.prose for k, o in bounced.items() if k[0] in {"third", "closed"}} == dict.fromkeys(
            ("third", "closed"), "message expired"
        )
    # whom an expired message was for stands with its last attempt, which may be in an earlier block
    assert read[2].of(Kind.BOUNCED)["third", "grey"].diagnostic == ANSWERS["grey"]


def test_what_was_put_off_was_delayed(read: tuple[Told, Exchanger, Told]) -> None:
    for told in (read[0], read[2]):
        delayed = told.of(Kind.DELAYED)
        assert set(delayed) == {("third", "grey"), ("closed", "who")}
        assert delayed["third", "grey"].diagnostic == ANSWERS["grey"]
        assert delayed["closed", "who"].stage is Stage.CONNECT


def test_each_message_was_sent_once_to_each_recipient_and_postfixs_own_reports_to_nobody(read: tuple[Told, Exchanger, Path]) -> None:
    whole = read[2]
    assert isinstance(whole, Told)
    expected = {(name, who) for name, whom in SENT.items() for who in whom} | {("closed", "who")}
    assert set(whole.of(Kind.SENT)) == expected
    assert not [o for o in whole.all if (o.recipient or "").endswith(BOUNCES)]
    assert not [o for told in (whole, read[0]) for o in told.all if o.kind is Kind.UNREADABLE]
    for key, sent in whole.of(Kind.SENT).items():
        fate = {**whole.of(Kind.DELAYED), **whole.of(Kind.BOUNCED), **whole.of(Kind.DELIVERED)}[key]
        assert sent.at and fate.at and 0 <= (fate.at - sent.at).total_seconds() < 60
