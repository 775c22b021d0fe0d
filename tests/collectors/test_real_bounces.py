"""Mail of ours through real Postfix to a receiver that refuses it: the reports come to our sink, the flusher files them, the events are right."""

from __future__ import annotations

import smtplib
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from analyzer.model import Capture
from analyzer.pipeline import run_flusher
from analyzer.store import Store
from tests.servers import until
from tests.servers.dovecot import PASSWORD
from tests.servers.postfix import BOUNCES, Postfix
from tests.servers.smtp import Exchanger, sink

pytestmark = [pytest.mark.servers, pytest.mark.slow]
RECEIVER = "receiver.example"
ANSWERS = {
    "gone": "550 5.1.1 <gone@receiver.example>: Recipient address rejected: User unknown in virtual mailbox table",
    "full": "552 5.2.2 <full@receiver.example>: user is over quota",
    "grey": "450 4.7.1 <grey@receiver.example>: Recipient address rejected: Greylisted, please try again in 300 seconds",
}
AT_DATA = {"listed": "554 5.7.1 Service unavailable; Client host [192.0.2.17] blocked using bl.lists.example"}
REPORTS = 7
EVENTS = 8


def message(name: str) -> bytes:
    head = f"From: Linden Shop <orders@shop.example>\r\nTo: you\r\nSubject: Your order {name}\r\nMessage-ID: <{name}@shop.example>\r\n"
    return f"{head}Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nThank you.\r\n".encode()


def submit_all(postfix: Postfix) -> None:
    """Two recipients who are refused and one who is not; one put off; one refused for the message; one behind a closed door; a receipt."""
    with smtplib.SMTP("localhost", postfix.port, timeout=20) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(postfix.ca)))
        client.login("user1", PASSWORD)
        send = client.sendmail
        send(f"v+two@{BOUNCES}", [f"{who}@{RECEIVER}" for who in ("gone", "full", "fine")], message("two"))
        send(f"v+grey@{BOUNCES}", [f"grey@{RECEIVER}"], message("grey"), rcpt_options=["ORCPT=rfc822;Grey@receiver.example"])
        send(f"v+listed@{BOUNCES}", [f"listed@{RECEIVER}"], message("listed"), mail_options=["RET=HDRS", "ENVID=envelope-17"])
        send(f"v+closed@{BOUNCES}", ["who@closed.example"], message("closed"))
        send(f"v+receipt@{BOUNCES}", [f"fine@{RECEIVER}"], message("receipt"), rcpt_options=["NOTIFY=SUCCESS"])


@pytest.fixture(scope="module")
def store(postfix: Postfix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """All that Postfix had to say within its short days, in the lake."""
    store, stop = Store(tmp_path_factory.mktemp("bounces") / "store"), threading.Event()
    flusher = threading.Thread(target=run_flusher, args=(store, 0.5, stop))
    flusher.start()
    exchanger, kept = Exchanger(ANSWERS, AT_DATA), list[Capture]()
    try:
        with exchanger.serving(postfix.remote):

            def counting(captures: Sequence[Capture], cursor: Mapping[str, str] | None = None) -> int:
                new = store.inbox.keep(captures, cursor)
                kept.extend(captures)
                return new

            with sink(counting, port=postfix.sink):
                submit_all(postfix)
                until(
                    lambda: len(kept) >= REPORTS or postfix.look_again(),
                    120,
                    lambda: f"{REPORTS} reports, got {len(kept)}; the log: {postfix.log()}",
                )
    finally:
        stop.set()
        flusher.join(20)
    assert exchanger.taken == [f"fine@{RECEIVER}"] * 2
    yield store
    store.inbox.close()


@pytest.fixture(scope="module")
def events(store: Store) -> dict[tuple[str, str], dict[str, Any]]:
    """(recipient's local part, kind) -> event."""
    rows = list(store.lake.rows("events"))
    known = store.inbox.addresses(row["recipient_key"] for row in rows)
    return {(known[row["recipient_key"]].partition("@")[0], row["kind"]): row for row in rows}


def test_there_is_one_event_for_each_recipient_of_each_report(store: Store, events: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert len(list(store.lake.captures())) == REPORTS
    assert len(events) == len(list(store.lake.rows("events"))) == EVENTS


@pytest.mark.parametrize(
    ("who", "kind", "severity", "reason", "status", "code", "name"),
    [
        ("gone", "bounced", "hard", "user-unknown", "5.1.1", "550", "two"),
        ("full", "bounced", "soft", "mailbox-full", "5.2.2", "552", "two"),
        ("listed", "bounced", "block", "blocklisted", "5.7.1", "554", "listed"),
        ("Grey", "delayed", "soft", "greylisted", "4.7.1", "450", "grey"),
        ("Grey", "bounced", "soft", "greylisted", "4.7.1", "450", "grey"),  # its time ran out; why it was put off is known
        ("who", "delayed", "soft", "network-error", "4.4.1", None, "closed"),
        ("who", "bounced", "soft", "network-error", "4.4.1", None, "closed"),
        ("fine", "delivered", None, None, "2.0.0", "250", "receipt"),
    ],
)
def test_each_report_says_what_happened(
    events: dict[tuple[str, str], dict[str, Any]], who: str, kind: str, severity: str | None, reason: str | None,
    status: str, code: str | None, name: str,
) -> None:  # fmt: skip
    event = events[who, kind]
    assert (event["severity"], event["reason"]) == (severity, reason)
    assert (event["status"], event["reply_code"]) == (status, code)
    assert event["message_id"] == f"{name}@shop.example"
    assert event["reporting_mta"] == "mx.seeds.example"
    assert event["recipient_domain"] == ("closed.example" if who == "who" else RECEIVER)
    assert event["sending_domain"] == "shop.example"
    assert event["source"] == "sink"


def test_the_receivers_words_are_kept(events: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert "User unknown in virtual mailbox table" in events["gone", "bounced"]["diagnostic"]
    assert "Greylisted, please try again" in events["Grey", "delayed"]["diagnostic"]
    assert "blocked using bl.lists.example" in events["listed", "bounced"]["diagnostic"]
    assert "Connection refused" in events["who", "bounced"]["diagnostic"]


def test_the_envelope_is_kept_with_the_null_sender_and_the_address_that_was_mailed(store: Store) -> None:
    envelopes = [c.envelope for _, c in store.lake.captures()]
    assert all(e is not None and e.sender == "" and e.peer == "127.0.0.1" for e in envelopes)
    mailed = sorted(a.partition("@")[0] for e in envelopes if e for a in e.recipients)
    assert mailed == ["v+closed", "v+closed", "v+grey", "v+grey", "v+listed", "v+receipt", "v+two"]


def test_nothing_waits_in_the_inbox_any_more(store: Store) -> None:
    assert store.inbox.waiting() == 0
