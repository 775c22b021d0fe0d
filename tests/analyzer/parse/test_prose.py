"""Bounces that say it in words alone, in the manner of many systems and years; and ordinary mail that only sounds like one."""

from __future__ import annotations

import pytest

from analyzer.classify import classify
from analyzer.model import Kind, Stage
from analyzer.parse import parse_message
from tests.analyzer.parse.letters import DAEMON, LETTERS, Letter


@pytest.mark.parametrize("name", LETTERS)
def test_a_bounce_in_prose_says_who_and_why(name: str) -> None:
    letter = LETTERS[name]
    report = parse_message(letter.raw)
    assert [o.recipient for o in report.outcomes] == [who for who, _ in letter.expected]
    assert {o.kind for o in report.outcomes} == {letter.kind}
    assert [classify(o, report).reason for o in report.outcomes] == [why for _, why in letter.expected]


@pytest.mark.parametrize("subject", ["Delivered: News", "Remis : Nouvelles", "Zugestellt: Neues", "Dostarczono: Nowości"])
def test_a_notice_of_arrival_is_a_delivery_when_a_mail_system_writes_it(subject: str) -> None:
    body = "Your message was delivered to the following recipients:\n\nann@works.example\n"
    report = parse_message(Letter("<MicrosoftExchange329e@works.example>", subject, body, ()).raw)
    assert [(o.recipient, o.kind) for o in report.outcomes] == [("ann@works.example", Kind.DELIVERED)]
    assert parse_message(Letter("Shop <orders@works.example>", subject, body, ()).raw).outcomes == ()


WORM = """Return-Path: <postmaster@far.example>
From: "Mail Delivery Subsystem" <postmaster@far.example>
To: bounces@shop.example
Subject: Returned mail: Data format error
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

The original message was included as attachment
--b
Content-Type: application/octet-stream; name="{name}"
Content-Transfer-Encoding: base64

UEsDBAo=
--b--
"""


@pytest.mark.parametrize(
    ("name", "kind"), [("message.zip", Kind.NOT_A_REPORT), ("mail.scr", Kind.NOT_A_REPORT), ("message.txt", Kind.BOUNCED)]
)
def test_a_worm_that_calls_itself_a_returned_mail_is_none(name: str, kind: Kind) -> None:
    assert parse_message(WORM.format(name=name).encode()).kind is kind


def test_an_alias_keeps_its_target() -> None:
    report = parse_message(LETTERS["an alias with a target"].raw)
    assert report.outcomes[0].final == "xenia@private.example"


def test_a_session_tells_the_step_and_the_host() -> None:
    first, _, last = parse_message(LETTERS["a session with several hosts, in the manner of old sendmail"].raw).outcomes
    assert (first.stage, first.remote_mta) == (Stage.MAIL, "mx.one.example")
    assert (last.stage, last.remote_mta) == (Stage.RCPT, "mx.three.example")


ORDINARY = {
    "a vacation with a null return path": Letter("Nora <nora@customer.example>", "Out of office", "Sorry, I could not reach you. I am on vacation and cannot answer; your mail is not lost.\n", (), Kind.AUTOREPLIED,
                                                 headers="Return-Path: <>\nAuto-Submitted: auto-replied\n"),
    "an order confirmation from a robot": Letter("no-reply@store.example", "Your order 550-1", "Thank you. Sorry, one item could not be sent with the others: it is out of stock.\nQuestions: help@store.example\n", (), Kind.NOT_A_REPORT),
    "a failed payment": Letter("no-reply@bank.example", "Payment failed", "Your payment was rejected. Error 550. Write to service@bank.example.\n", (), Kind.NOT_A_REPORT),
    "a parcel": Letter("notification@parcels.example", "Delivery failed: we missed you", "We were not able to deliver your parcel. Your address: 5 Mill Lane. Call us.\n", (), Kind.NOT_A_REPORT),
    "a password reset": Letter("support@app.example", "Reset your password", "If this was not you, ignore it. Unknown device. user otto@shop.example\n", (), Kind.NOT_A_REPORT),
    "a colleague": Letter("Pia <pia@shop.example>", "Bounced mail?", "Why was the mail to otto@far.example rejected?\n", (), Kind.NOT_A_REPORT),
    "a postmaster to his like": Letter("Postmaster <postmaster@far.example>", "Undeliverable mail for our users", "Dear colleague,\nnext week we move our servers, and you may get warnings of delay. Please take nobody off your list.\nKind regards\n", (), Kind.NOT_A_REPORT),
    "spam in a mailer's name": Letter("MAILER-DAEMON <otto@stocks.example>", "Re: failure notice", "No failure any more! Hot stock, returned +300%, buy before Monday.\n", (), Kind.NOT_A_REPORT),
    "a question to a list": Letter("Nigel <nigel@fen.example>", "bounce not recognised", "Hi all,\n\nmy mailer writes this:\n\n  The following address failed:\n    foo@nowhere.example  550 User unknown\n\nWhich module would have to learn it?\n", (), Kind.NOT_A_REPORT, headers="Precedence: bulk\n"),
    "a lunch": Letter("Priya <priya@shop.example>", "Out of office: lunch on Friday", "Hello everyone,\n\nwe will all be out of the office from noon.\n", (), Kind.NOT_A_REPORT),
    "a quarantine digest": Letter("quarantine@filter.example", "Quarantine digest", "3 messages were held for otto@shop.example. Release them here.\n", (), Kind.NOT_A_REPORT),
    "a monitoring alert": Letter("root@host.shop.example", "Cron job failed", "backup: error: disk full, user unknown\n", (), Kind.NOT_A_REPORT),
    "a notice to the postmaster": Letter("MAILER-DAEMON@mx.shop.example (Mail Delivery System)", "Postfix SMTP server: errors from unknown[192.0.2.9]",
        "Transcript of session follows.\n\n Out: 220 mx.shop.example ESMTP\n In:  EHLO x.example\n Out: 250 DSN\n In:  MAIL FROM:<a@x.example>\n Out: 250 2.1.0 Ok\n In:  RCPT TO:<otto@shop.example>\n Out: 451 4.3.0 Error: queue file write error\n", (), Kind.OTHER_REPORT),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_what_only_sounds_like_a_bounce_is_none(name: str) -> None:
    report = parse_message(ORDINARY[name].raw)
    assert report.kind is ORDINARY[name].kind
    assert not any(o.kind in {Kind.BOUNCED, Kind.DELAYED} for o in report.outcomes)


def test_the_returned_messages_subject_is_no_evidence() -> None:
    report = parse_message(LETTERS["an Internet Mail Service that names X.400 parts"].raw)
    assert "virus" not in (report.outcomes[0].prose or "").lower()


SES = """{"notificationType":"%s","%s":%s,"mail":{"timestamp":"2026-11-09T08:00:00.000Z","source":"news@shop.example","messageId":"0100-ses","destination":["rita@far.example"],"commonHeaders":{"messageId":"<n-1@shop.example>","subject":"News"}}}

--
If you wish to stop receiving notifications from this topic, follow the link.
"""


@pytest.mark.parametrize(
    ("kind", "key", "detail", "expected"),
    [
        ("Bounce", "bounce", '{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"rita@far.example","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}],"timestamp":"2026-11-09T08:00:01.000Z"}', "user-unknown"),
        ("Bounce", "bounce", '{"bounceType":"Permanent","bounceSubType":"OnAccountSuppressionList","bouncedRecipients":[{"emailAddress":"rita@far.example"}]}', "suppressed"),
        ("Complaint", "complaint", '{"complainedRecipients":[{"emailAddress":"rita@far.example"}],"complaintFeedbackType":"abuse"}', None),
        ("Delivery", "delivery", '{"recipients":["rita@far.example"],"smtpResponse":"250 2.6.0 Message received"}', None),
    ],
)  # fmt: skip
def test_ses_notifications_by_mail_are_reports(kind: str, key: str, detail: str, expected: str | None) -> None:
    letter = Letter("AWS <no-reply@sns.amazonaws.example>", "AWS Notification Message", SES % (kind, key, detail), ())
    report = parse_message(letter.raw)
    assert report.kind is {"Bounce": Kind.BOUNCED, "Complaint": Kind.COMPLAINED, "Delivery": Kind.DELIVERED}[kind]
    assert [o.recipient for o in report.outcomes] == ["rita@far.example"]
    assert report.original.message_id == "n-1@shop.example"
    if expected:
        assert classify(report.outcomes[0], report).reason == expected


@pytest.mark.parametrize("body", ['{"notificationType":"Bounce"', '{"notificationType":"Bounce","mail":{},"bounce":{"bouncedRecipients":[1,{"emailAddress":5}]}}', "[" * 100_000, '{"Type":"Notification","Message":"{"}'])  # fmt: skip
def test_a_broken_notification_never_raises(body: str) -> None:
    assert parse_message(Letter("no-reply@sns.amazonaws.example", "Notification", body, ()).raw).kind in Kind


def test_it_is_the_sender_who_does_not_exist_when_the_words_name_him() -> None:
    letter = Letter(
        DAEMON, "Mail delivery failed: returning message to sender",
        "The following address(es) failed:\n\n  sid@far.example\n    host mx.far.example [192.0.2.2]\n    SMTP error from remote mail server after end of data:\n    553 news.shop.example does not exist\n\n------ This is a copy of the message. ------\n\n"
        "Return-path: <bounce@news.shop.example>\nFrom: news@news.shop.example\nTo: sid@far.example\nMessage-Id: <n-4@shop.example>\nSubject: Hi\n\nHi\n", (),
    )  # fmt: skip
    report = parse_message(letter.raw)
    assert classify(report.outcomes[0], report).reason == "sender-rejected"


NOBODY = "Return-Path: <>\nFrom: {sender}\nTo: news@shop.example\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"


@pytest.mark.parametrize(
    ("sender", "subject", "text", "expected"),
    [
        (
            "hjelp@far.example", "Post kom ikke fram",
            "Posten din kom ikke fram til:\n\n    otto@far.example      ukjent bruker\n    jo@far.example        postboksen er full\n",
            ["otto@far.example", "jo@far.example"],
        ),
        (
            "postmaster@far.example", "Systems bounce", "Your mail was not delivered.\n\n收件人/To:  otto@far.example; jo@far.example\n原因/Reason: spam\n",
            ["otto@far.example", "jo@far.example"],
        ),
        (
            "Stadt Fern <posta@far.example>", "Messaggio respinto",
            "Il messaggio per otto@far.example è stato respinto. La risoluzione inversa è assente.\n", ["otto@far.example"],
        ),
        ("mailer@far.example", "Chess digest: message delayed", "It is still in our queue.\n\n  for : otto@far.example\n", ["otto@far.example"]),
    ],
)  # fmt: skip
def test_nobody_s_mail_that_is_called_a_failure_names_whom_it_missed(sender: str, subject: str, text: str, expected: list[str]) -> None:
    report = parse_message(NOBODY.format(sender=sender, subject=subject, text=text).encode())
    assert [o.recipient for o in report.outcomes] == expected
    assert {o.kind for o in report.outcomes} <= {Kind.BOUNCED, Kind.DELAYED}
