"""What reports say: each in the form of a mail system, in words of our own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.classify import classify
from analyzer.model import Kind, Report, Stage
from analyzer.parse import parse_message

POSTFIX = b"""Return-Path: <>
From: MAILER-DAEMON@out.shop.example (Mail Delivery System)
To: bounces@shop.example
Subject: Undelivered Mail Returned to Sender
Date: Mon, 9 Nov 2026 10:00:00 +0100
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="lime/out.shop.example"

This is a MIME-encapsulated message.

--lime/out.shop.example
Content-Type: text/plain; charset=us-ascii

This is the mail system at host out.shop.example.

<anna@customer.example>: host mx.customer.example[192.0.2.10] said: 552 5.2.2
    <anna@customer.example>: The mailbox of this user is full (in reply to RCPT TO
    command)

<bo@customer.example>: host mx.customer.example[192.0.2.10] said: 550 5.1.1
    <bo@customer.example>: User unknown (in reply to RCPT TO command)

--lime/out.shop.example
Content-Type: message/delivery-status

Reporting-MTA: dns; out.shop.example
X-Postfix-Queue-ID: 4ABCDEF
Arrival-Date: Mon,  9 Nov 2026 09:59:00 +0100 (CET)

Final-Recipient: rfc822; anna@customer.example
Original-Recipient: rfc822;anna@customer.example
Action: failed
Status: 5.2.2
Remote-MTA: dns; mx.customer.example
Diagnostic-Code: smtp; 552 5.2.2 <anna@customer.example>: The mailbox of this
    user is full

Final-Recipient: rfc822; bo@customer.example
Original-Recipient: rfc822;robert@forward.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.customer.example
Diagnostic-Code: smtp; 550 5.1.1 <bo@customer.example>: User unknown

--lime/out.shop.example
Content-Type: text/rfc822-headers

From: Shop <news@shop.example>
To: anna@customer.example, robert@forward.example
Subject: Our autumn catalogue
Message-ID: <autumn-1@shop.example>
X-Campaign: autumn

--lime/out.shop.example--
"""

EXIM = b"""Return-path: <>
X-Failed-Recipients: clara@nowhere.example
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@relay.shop.example>
To: news@shop.example
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  clara@nowhere.example
    host mx.nowhere.example [198.51.100.4]
    SMTP error from remote mail server after RCPT TO:<clara@nowhere.example>:
    550 no such user here

------ This is a copy of the message, including all the headers. ------

Return-path: <news@shop.example>
From: news@shop.example
To: clara@nowhere.example
Subject: Hello
Message-Id: <hello-3@shop.example>
Date: Sun, 08 Nov 2026 12:00:00 +0000

Hello Clara
"""

QMAIL = b"""Return-Path: <>
From: MAILER-DAEMON@mail.guest.example
To: bounces@shop.example
Subject: failure notice

Hi. This is the qmail-send program at mail.guest.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<dora@guest.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <bounces@shop.example>
From: news@shop.example
To: dora@guest.example
Message-ID: <n-9@shop.example>
Subject: News

News
"""

SENDMAIL = b"""From: Mail Delivery Subsystem <MAILER-DAEMON@old.example>
To: news@shop.example
Subject: Returned mail: see transcript for details

The original message was received at Mon, 9 Nov 2026 08:00:00 GMT

   ----- The following addresses had permanent fatal errors -----
<emil@far.example>
    (reason: 550 5.7.1 Message rejected as spam by content scanner)

   ----- Transcript of session follows -----
... while talking to mx.far.example.:
>>> DATA
<<< 550 5.7.1 Message rejected as spam by content scanner
554 5.0.0 Service unavailable
"""

ARF = b"""From: feedback@provider.example
To: fbl@shop.example
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="f"

--f
Content-Type: text/plain

This is an email abuse report.

--f
Content-Type: message/feedback-report

Feedback-Type: %s
User-Agent: Loop/1
Version: 1
Original-Rcpt-To: <fritz@provider.example>
Arrival-Date: Mon, 9 Nov 2026 08:00:00 +0000

--f
Content-Type: message/rfc822

From: news@shop.example
To: fritz@provider.example
Message-ID: <n-10@shop.example>
Subject: News

News
--f--
"""


def one(report: Report) -> tuple[str | None, str | None, str | None]:
    assert len(report.outcomes) == 1, report
    o = report.outcomes[0]
    return o.recipient, o.status, o.reply_code


def test_a_postfix_report_speaks_of_each_recipient_with_its_own_words() -> None:
    report = parse_message(POSTFIX)
    assert [(o.recipient, o.final, o.status, o.reply_code) for o in report.outcomes] == [
        ("anna@customer.example", None, "5.2.2", "552"),
        ("robert@forward.example", "bo@customer.example", "5.1.1", "550"),
    ]
    assert [classify(o, report).reason for o in report.outcomes] == ["mailbox-full", "user-unknown"]
    assert report.original.message_id == "autumn-1@shop.example"
    assert report.original.campaign == "autumn"
    assert report.outcomes[0].stage is Stage.RCPT


def test_exim_says_it_in_prose() -> None:
    report = parse_message(EXIM)
    assert one(report) == ("clara@nowhere.example", None, "550")
    assert report.kind is Kind.BOUNCED
    assert report.outcomes[0].stage is Stage.RCPT
    assert report.original.message_id == "hello-3@shop.example"
    assert classify(report.outcomes[0]).reason == "user-unknown"


def test_qmail_puts_the_code_at_the_end() -> None:
    report = parse_message(QMAIL)
    assert one(report) == ("dora@guest.example", "5.1.1", None)
    assert classify(report.outcomes[0]).reason == "user-unknown"


def test_a_sendmail_transcript_gives_the_receivers_words() -> None:
    report = parse_message(SENDMAIL)
    assert one(report) == ("emil@far.example", "5.7.1", "550")
    assert classify(report.outcomes[0]).reason == "spam-content"


MDAEMON = b"""Return-Path: <>
From: "Mail Delivery Subsystem" <MDaemon@far.example>
To: news@shop.example
Subject: Permanent Delivery Failure

YOUR MESSAGE WAS NOT DELIVERED TO ONE OR MORE RECIPIENTS

Failed address: frieda@far.example

--- Session Transcript ---
 Tue 2026-11-03 10:41:01: [5210:3] Attempting SMTP connection to [10.0.0.2:25]
 Tue 2026-11-03 10:41:02: [5210:3] --> MAIL From:<news@shop.example>
 Tue 2026-11-03 10:41:02: [5210:3] <-- 250 OK
 Tue 2026-11-03 10:41:02: [5210:3] --> RCPT To:<frieda@far.example>
 Tue 2026-11-03 10:41:02: [5210:3] <-- 550 frieda@far.example unknown user account
 Tue 2026-11-03 10:41:02: [5210:3] --> QUIT
--- End Transcript ---
"""


def test_a_transcript_whose_sessions_have_numbers_gives_the_receivers_words() -> None:
    report = parse_message(MDAEMON)
    assert one(report) == ("frieda@far.example", None, "550")
    assert report.outcomes[0].diagnostic == "550 frieda@far.example unknown user account"
    assert (report.outcomes[0].stage, classify(report.outcomes[0], report).reason) == (Stage.RCPT, "user-unknown")


ALL_REFUSED = b"""Return-Path: <>
From: Mail Delivery Subsystem <MAILER-DAEMON@shop.example>
To: news@shop.example
Subject: Warning: could not send message for past 4 hours

   ----- The following addresses had transient non-fatal errors -----
<gerd@far.example>

   ----- Transcript of session follows -----
... while talking to mx.far.example.:
>>> DATA
<<< 450 4.2.0 <gerd@far.example>: Recipient address rejected: Greylisted
<<< 554 5.5.1 Error: no valid recipients
<gerd@far.example>... Deferred: 450 4.2.0 Greylisted
"""


def test_what_a_server_says_when_it_has_refused_all_recipients_condemns_none() -> None:
    (outcome,) = parse_message(ALL_REFUSED).outcomes
    assert classify(outcome).reason == "greylisted"


@pytest.mark.parametrize("message", [POSTFIX, EXIM, QMAIL, SENDMAIL, ARF % b"abuse"])
def test_line_ends_do_not_matter(message: bytes) -> None:
    expected = parse_message(message)
    assert parse_message(message.replace(b"\n", b"\r\n")) == expected
    assert parse_message(message.replace(b"\n", b"\r")) == expected


def test_a_warning_of_delay_is_no_bounce() -> None:
    late = POSTFIX.replace(b"Action: failed", b"Action: delayed").replace(b"Status: 5.", b"Status: 4.")
    assert {o.kind for o in parse_message(late).outcomes} == {Kind.DELAYED}


@pytest.mark.parametrize(
    ("feedback", "kind"),
    [(b"abuse", Kind.COMPLAINED), (b"fraud", Kind.COMPLAINED), (b"opt-out", Kind.UNSUBSCRIBED), (b"not-spam", Kind.OTHER_REPORT), (b"auth-failure", Kind.OTHER_REPORT)],
)  # fmt: skip
def test_not_every_feedback_report_is_a_complaint(feedback: bytes, kind: Kind) -> None:
    report = parse_message(ARF % feedback)
    assert report.kind is kind
    assert [o.recipient for o in report.outcomes] == ([] if kind is Kind.OTHER_REPORT else ["fritz@provider.example"])


@pytest.mark.parametrize(
    ("subject", "text", "expected"),
    [
        ("Automatische Antwort: News", "Ich bin bis Montag im Urlaub.", "vacation"),
        ("Out of office: News", "I am away until Monday.", "vacation"),
        ("Auto: [#1234] News", "Your request has been received. Ticket number 1234.", "ticket"),
        ("Automatic reply: News", "This mailbox is no longer monitored, please use the web form.", "inbox-retired"),
    ],
)
def test_automatic_replies_are_told_apart(subject: str, text: str, expected: str) -> None:
    raw = f"From: gerd@customer.example\nTo: news@shop.example\nAuto-Submitted: auto-replied\nSubject: {subject}\n\n{text}\n"
    report = parse_message(raw.encode())
    assert (report.kind, report.outcomes[0].reply_type, report.outcomes[0].recipient) == (
        Kind.AUTOREPLIED,
        expected,
        "gerd@customer.example",
    )


def test_a_mail_that_says_unsubscribe_is_an_unsubscription() -> None:
    report = parse_message(b"From: Hanna <hanna@customer.example>\nTo: unsubscribe@shop.example\nSubject: unsubscribe\n\n")
    assert (report.kind, report.outcomes[0].recipient) == (Kind.UNSUBSCRIBED, "hanna@customer.example")


ORDINARY = {
    "a newsletter": b"From: News <news@paper.example>\nTo: you@shop.example\nList-Unsubscribe: <mailto:u@paper.example>\nSubject: Delivery of your paper\n\nCould not be easier: order now.\n",
    "a reply that quotes a bounce": b"From: Ina <ina@shop.example>\nTo: ops@shop.example\nSubject: Re: Undelivered Mail Returned to Sender\n\nWhat is this?\n\n> <bo@customer.example>: 550 5.1.1 User unknown\n",
    "a parcel's failed delivery": b"From: Parcels <service@parcels.example>\nTo: you@shop.example\nSubject: Your parcel could not be delivered\n\nDear customer, our driver did not meet you. Your parcel waits at the shop.\n",
    "a receipt": b"From: shop@shop.example\nTo: kim@customer.example\nSubject: Your receipt 550 5.1.1\n\nThank you for your order.\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_mail_is_no_report(name: str) -> None:
    report = parse_message(ORDINARY[name])
    assert (report.kind, report.outcomes) == (Kind.NOT_A_REPORT, ())
    assert report.why


HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)) * 2000,
    "a million folded lines": b"From: MAILER-DAEMON@x.example\nSubject: failure\nContent-Type: multipart/report;" + b"\n x" * 1_000_000 + b"\n\nfailed\n",
    "2,000 parts deep": b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(2000)) + b"\ntext\n",
    "100,000 recipients": POSTFIX.split(b"Final-Recipient")[0] + b"".join(b"Final-Recipient: rfc822; u%d@x.example\nAction: failed\nStatus: 5.1.1\n\n" % n for n in range(100_000)),
    "50 MB of text": b"From: MAILER-DAEMON@x.example\nSubject: Undelivered\n\n" + b"not delivered to somebody, sorry. " * 1_500_000,
    "a boundary that never closes": POSTFIX.replace(b"--lime/out.shop.example--", b""),
    "cut in the middle": POSTFIX[: len(POSTFIX) // 2],
    "a lying charset": EXIM.replace(b"Subject:", b"Content-Type: text/plain; charset=utf-16\nSubject:"),
    "a charset that nobody knows": EXIM.replace(b"Subject:", b"Content-Type: text/plain; charset=x-klingon\nSubject:"),
    "NULs": EXIM.replace(b" ", b"\0"),
    "not UTF-8": QMAIL.replace(b"Sorry", b"D\xe9sol\xe9"),
    "unclosed quotes": b'From: "' + b"a" * 200_000 + b"\nSubject: Undelivered\n\n<" + b"x" * 200_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_hostile_mail_is_read_in_bounded_time_and_never_raises(name: str) -> None:
    report = parse_message(HOSTILE[name])
    assert report.kind in Kind
    for outcome in report.outcomes:
        assert len(outcome.diagnostic or "") <= 2000
        assert len(outcome.prose or "") <= 2000


def test_caps_that_cut_are_named() -> None:
    assert "recipients" in parse_message(HOSTILE["100,000 recipients"]).truncated
    assert parse_message(HOSTILE["2,000 parts deep"]).truncated


@given(st.binary(max_size=4000), st.sampled_from([POSTFIX, EXIM, QMAIL, SENDMAIL, ARF]), st.integers(0, 3000))
def test_no_bytes_make_it_raise(noise: bytes, message: bytes, at: int) -> None:
    parse_message(noise)
    report = parse_message(message[:at] + noise + message[at:])
    for outcome in report.outcomes:
        if outcome.kind in {Kind.BOUNCED, Kind.DELAYED}:
            assert classify(outcome, report).reason
