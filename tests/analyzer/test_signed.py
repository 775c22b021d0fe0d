"""A token of ours in a mail tells which message it is about; one that we did not make tells nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer.model import MESSAGE, Capture, Envelope, Event
from analyzer.pipeline import derive, flush
from analyzer.record import recipient_key
from analyzer.replay import replay
from analyzer.store import Store
from analyzer.tokens import Keys, Maker

KEY = bytes(range(32))
KEYS = Keys.of(KEY)
AT = datetime(2026, 11, 2, 9, tzinfo=UTC)
VERP = KEYS.verp("n-1-anna", "bounces.shop.example")
OTHERS = Keys.of(bytes(32)).verp("n-1-anna", "bounces.shop.example")
ANNA = "anna@far.example"
BOUNCE = b"""Return-Path: <>
Delivered-To: %s
From: MAILER-DAEMON@mx.example
To: %s
Subject: Undelivered Mail
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

The mail system
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Original-Envelope-Id: theirs

Final-Recipient: rfc822; anna@far.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <anna@far.example>: no such user

--b
Content-Type: text/rfc822-headers

Return-Path: <%s>
Message-ID: <n-1@shop.example>
From: shop@shop.example

--b--
"""


def events(data: bytes, *recipients: str) -> list[Event]:
    envelope = Envelope("", recipients) if recipients else None
    return derive(Capture(data, MESSAGE, "bounces", AT, envelope), KEY)[0]


def bounce(delivered: str = "x@y.example", to: str = "x@y.example", returned: str = "x@y.example") -> bytes:
    return BOUNCE % (delivered.encode(), to.encode(), returned.encode())


@pytest.mark.parametrize("place", [{"delivered": VERP}, {"to": f"\n <{VERP.upper()}>"}, {"returned": VERP}])
def test_an_envelope_id_in_a_header_is_believed_over_what_the_report_says(place: dict[str, str]) -> None:
    (event,) = events(bounce(**place))
    assert (event.envelope_id, event.message_id, event.kind) == ("n-1-anna", "n-1@shop.example", "bounced")
    assert event.recipient_key == recipient_key(KEY, ANNA)[0]


def test_an_envelope_id_in_the_envelope() -> None:
    assert events(bounce(), "x@y.example", VERP)[0].envelope_id == "n-1-anna"
    # with CRLF, as SMTP brings it
    assert events(bounce(to=VERP).replace(b"\n", b"\r\n"), "x@y.example")[0].envelope_id == "n-1-anna"


@pytest.mark.parametrize("address", [OTHERS, VERP.replace("n-1", "n-2"), "bounces+n-1-anna@bounces.shop.example", VERP.replace("+", "-")])
def test_what_we_did_not_sign_tells_nothing(address: str) -> None:
    assert events(bounce(address, address, address), address)[0].envelope_id == "theirs"


def test_an_automatic_reply_to_a_verp_address_tells_its_message() -> None:
    (event,) = events(f"From: {ANNA}\nTo: {VERP}\nAuto-Submitted: auto-replied\nSubject: Away\n\nI am on holiday.\n".encode())
    assert (event.kind, event.envelope_id) == ("autoreplied", "n-1-anna")


def test_a_verp_address_in_the_text_tells_nothing() -> None:
    assert events(bounce() + f"\nTo: {VERP}\n".encode())[0].envelope_id == "theirs"


def asked(sender: str, subject: str) -> list[Event]:
    return events(f"From: {sender}\nTo: leave@shop.example\nSubject: {subject}\n\n".encode())


def token(keys: Keys = KEYS) -> str:
    return Maker(keys, "https://t.shop.example").unsubscribe(
        "a-rather-long-identifier-of-a-message-0123456789abcdef0123456789@shop.example", ANNA
    )[25:]


@pytest.mark.parametrize("subject", [f"unsubscribe {token()}", f"unsubscribe\n {token()}", f"Re: unsubscribe {token()}", token()])
def test_whom_the_token_names_is_unsubscribed_from_whatever_address_he_writes(subject: str) -> None:
    (event,) = asked("Anna <a.nna@home.example>", subject)
    assert (event.kind, event.parser) == ("unsubscribed", "unsubscribe")
    assert event.recipient_key == recipient_key(KEY, ANNA)[0]
    assert event.message_id == "a-rather-long-identifier-of-a-message-0123456789abcdef0123456789@shop.example"
    assert event.why is None


def test_who_writes_from_his_own_address_keeps_his_domain() -> None:
    (event,) = asked(ANNA, f"unsubscribe {token()}")
    assert (event.recipient_domain, event.final_key) == ("far.example", None)


def test_who_writes_from_another_is_known_as_that_too() -> None:
    (event,) = asked("a.nna@home.example", f"unsubscribe {token()[:60]}")
    assert event.recipient_key == recipient_key(KEY, "a.nna@home.example")[0]
    (event,) = asked("a.nna@home.example", f"unsubscribe {token(Keys.of(bytes(32)))}")
    assert event.recipient_key == recipient_key(KEY, "a.nna@home.example")[0]


def test_a_token_of_another_use_takes_nobody_off_a_list() -> None:
    pixel = Maker(KEYS, "https://t.shop.example").pixel("n-1@shop.example", ANNA)[25:-4]
    (event,) = asked("a.nna@home.example", pixel)
    assert event.kind == "not-a-report"


def test_a_bounce_that_quotes_a_token_is_a_bounce() -> None:
    data = bounce().replace(b"Subject: Undelivered Mail", f"Subject: Undelivered: unsubscribe {token()}".encode())
    assert [e.kind for e in events(data)] == ["bounced"]


COMPLAINT = b"""From: feedback@mailbox.example
Subject: complaint
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1
%s
--b
Content-Type: message/rfc822

From: shop@shop.example
To: undisclosed-recipients:;
Message-ID: <relay@relay.example>
X-Mailhealth-Id: %s

hello
--b--
"""


def header(keys: Keys = KEYS) -> str:
    (value,) = Maker(keys, "https://t.shop.example").id_header("<n-1@shop.example>", ANNA).values()
    return value


def test_a_returned_header_tells_message_and_recipient_of_a_complaint_that_names_neither() -> None:
    (event,) = events(COMPLAINT % (b"", header().encode()))
    assert (event.kind, event.message_id) == ("complained", "n-1@shop.example")
    assert event.recipient_key == recipient_key(KEY, ANNA)[0]


def test_a_returned_header_names_nobody_else_than_the_report_does() -> None:
    (event,) = events(COMPLAINT % (b"Original-Rcpt-To: bo@far.example\n", header().encode()))
    assert (event.message_id, event.recipient_key) == ("n-1@shop.example", recipient_key(KEY, "bo@far.example")[0])


@pytest.mark.parametrize("value", [header(Keys.of(bytes(32))), header()[:-2] + "AA", token(), "E" * 5000])
def test_a_header_that_we_did_not_sign_for_this_tells_nothing(value: str) -> None:
    (event,) = events(COMPLAINT % (b"", value.encode()))
    assert (event.message_id, event.recipient_key) == ("relay@relay.example", None)


def test_a_header_takes_nobody_off_a_list() -> None:
    (event,) = asked("a.nna@home.example", header())
    assert event.kind == "not-a-report"


def test_replay_reads_the_tokens_as_filing_does(tmp_path: Path) -> None:
    store = Store(tmp_path)
    verp = Keys.of(store.key).verp("n-1-anna", "bounces.shop.example")
    store.inbox.keep([Capture(bounce(verp), MESSAGE, "bounces", AT)])
    flush(store)
    assert [row["envelope_id"] for row in store.lake.rows("events", columns=["envelope_id"])] == ["n-1-anna"]
    assert list(replay(store)) == []


@pytest.mark.parametrize(
    "junk", [b"+" * 60_000, b"+a-" * 20_000, b"E" * 60_000, b"-E" * 30_000, b"+" + b"a" * 60_000, (b"+" + b"a" * 40 + b"@") * 1400]
)
def test_looking_for_tokens_takes_no_longer_for_hostile_heads(junk: bytes) -> None:
    start = time.process_time()
    events(b"From: a@b.example\nX: " + junk + b"\n\nhello\n")
    assert time.process_time() - start < 1
