"""Bounces that say it in words alone, in the manner of many systems and years; and ordinary mail that only sounds like one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from analyzer.classify import classify
from analyzer.model import Kind, Stage
from analyzer.parse import parse_message


@dataclass(frozen=True)
class Letter:
    """A mail in short: who wrote it, what it is called, what it says; and what it means."""

    sender: str
    subject: str
    body: str
    expected: tuple[tuple[str | None, str], ...]  # recipient and reason
    kind: Kind = Kind.BOUNCED
    to: str = "bounces@shop.example"
    headers: str = ""

    @property
    def raw(self) -> bytes:
        return f"{self.headers}From: {self.sender}\nTo: {self.to}\nSubject: {self.subject}\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{self.body}".encode()


DAEMON = "Mail Delivery System <MAILER-DAEMON@relay.example>"
RETURNED = """
Received: from out.shop.example by relay.example; Mon, 9 Nov 2026 08:00:00 +0000
From: News <news@shop.example>
To: {to}
Subject: Virus of the month: full mailboxes
Message-ID: <n-1@shop.example>
Date: Mon, 9 Nov 2026 08:00:00 +0000

Dear reader
"""

LETTERS = {
    "a gateway that lists names with the reason in brackets": Letter(
        DAEMON, "Returned Mail: User unknown",
        "The original message was received on Monday\nfrom news@shop.example\n\n---The following addresses had delivery errors---\n\nolga@far.example [User unknown]\n",
        (("olga@far.example", "user-unknown"),),
    ),
    "an Internet Mail Service that names X.400 parts": Letter(
        "System Administrator <postmaster@firm.example>", "Undeliverable: Virus warning for your inbox",
        "Your message\n\n  To:      news-readers@shop.example\n  Subject: Virus warning for your inbox\n  Sent:    Mon, 9 Nov 2026 08:00:00 +0000\n\ndid not reach the following recipient(s):\n\n"
        "c=DE;a= ;p=FIRM;o=HQ;dda:SMTP=paul@firm.example; on Mon, 9 Nov 2026\n08:00:01 +0000\n    The recipient name is not recognized\n\tThe MTS-ID of the original message is: c=de;a=;p=firm;l=HQ1-2611090800Z-17\n    MSEXCH:IMS:FIRM:HQ:HQ1 0 (000C05A6) Unknown Recipient\n",
        (("paul@firm.example", "user-unknown"),),
    ),
    "a server that has one sentence and a colon": Letter(
        '"Postmaster" <postmaster@small.example>', "Undeliverable Mail",
        "User mailbox exceeds allowed size: quinn@small.example\n\n\nOriginal message follows.\n" + RETURNED.format(to="quinn@small.example"),
        (("quinn@small.example", "mailbox-full"),),
    ),
    "a phone gateway with the envelope's commands as labels": Letter(
        "post_master@texts.example", "Re:News",
        "Error: Invalid user address\n\nError message below:\n550 - Requested action not taken: no such user here\n\nMessage details:\n  Subject: News\n  MAIL FROM: news@shop.example\n  RCPT TO: 15550100@texts.example\n  Size (in bytes): 39\n",
        (("15550100@texts.example", "user-unknown"),),
    ),
    "a notice of delay with the address in quotes": Letter(
        "<Postmaster@provider.example>", "Mail Delivery Warning",
        'This is an advisory-only email.  Please do not reply to it.\n\nDelivery of email to this address\n\n"rosa@provider.example"\n\nhas been postponed because the mailbox is full.\n\nWe will continue to try to deliver your message over the next few days.\n',
        (("rosa@provider.example", "mailbox-full"),), Kind.DELAYED,
    ),
    "a session with several hosts, in the manner of old sendmail": Letter(
        "Mail Delivery Subsystem <MAILER-DAEMON@old.example>", "Returned mail: User unknown",
        "   ----- Transcript of session follows -----\nWhile talking to mx.one.example:\n>>> MAIL From:<news@shop.example>\n<<< 501 <news@shop.example>... no access from an open relay\n554 <sam@one.example>... Remote protocol error\n"
        "550 two.example (smtp)... 550 Host unknown\n554 <tina@two.example>... 550 Host unknown (Authoritative answer from name server)\nWhile talking to mx.three.example:\n>>> RCPT To:<ulf@three.example>\n<<< 550 No such user here\n550 <ulf@three.example>... User unknown\n\n   ----- Unsent message follows -----\n"
        + RETURNED.format(to="sam@one.example"),
        (("sam@one.example", "relay-denied"), ("tina@two.example", "domain-unknown"), ("ulf@three.example", "user-unknown")),
    ),
    "a queue that gave up": Letter(
        "MAILER-DAEMON@provider.example", "failure delivery",
        "Message from  provider.example.\nUnable to deliver message to the following address(es).\n\n<vera@gone.example>:\nSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.\n\n--- Original message follows.\n"
        + RETURNED.format(to="vera@gone.example"),
        (("vera@gone.example", "network-error"),),
    ),
    "a server that refused our name": Letter(
        "MAILER-DAEMON@mail.guest.example", "failure notice",
        "Hi. This is the qmail-send program at mail.guest.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<will@strict.example>:\nConnected to 192.0.2.1 but my name was rejected.\nRemote host said: 501 5.0.0 Invalid domain name\n",
        (("will@strict.example", "sender-rejected"),),
    ),
    "a bounce to ourselves": Letter(
        "MAILER-DAEMON@shop.example", "failure notice",
        "Hi. This is the qmail-send program at shop.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<bounces@shop.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 552 Error: disk quota exceeded\nGiving up on 192.0.2.1.\n",
        (("bounces@shop.example", "mailbox-full"),),
    ),
    "an alias with a target": Letter(
        DAEMON, "Mail delivery failed: returning message to sender",
        "A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  xenia@private.example\n    (generated from office@firm.example)\n    host mx.private.example [192.0.2.7]\n    SMTP error from remote mail server after RCPT TO:<xenia@private.example>:\n    552 5.2.2 mailbox is full\n",
        (("office@firm.example", "mailbox-full"),),
    ),
    "a report that names only the VERP address it went to": Letter(
        DAEMON, "Undeliverable: News", "Your message could not be delivered. The account has been disabled.\n",
        (("yann@provider.example", "mailbox-disabled"),), to="bounces+yann=provider.example@shop.example",
    ),
    "a report that names nobody": Letter(DAEMON, "Undeliverable mail", "The following mail could not be delivered.\nReason: message expired in the queue.\n", ((None, "expired"),)),
    "a name without a domain": Letter(
        "Mail Delivery Subsystem <MAILER-DAEMON@provider.example>", "Mail Delivery Problem",
        "Your mail to the following recipients could not be delivered because they were rejected by the recipient's filter:\n\tscreenname\n",
        (("screenname@provider.example", "recipient-refused"),),
    ),
    "a report forwarded by hand, its fields in the text": Letter(
        "Zoe <zoe@shop.example>", "Fwd: Returned mail: see transcript for details",
        "Look at this.\n\nBegin forwarded message:\n\n> From: Mail Delivery Subsystem <MAILER-DAEMON>\n> Subject: Returned mail\n>\n> Reporting-MTA: dns; mx.shop.example\n>\n> Final-Recipient: RFC822; adam@far.example\n> Action: failed\n> Status: 5.1.1\n> Remote-MTA: DNS; mx.far.example\n> Diagnostic-Code: SMTP; 550 5.1.1 <adam@far.example>... User unknown\n>\n> Return-Path: <news@shop.example>\n",
        (("adam@far.example", "user-unknown"),),
    ),
    "a GroupWise agent": Letter(
        "Mailer-Daemon@gw.school.example", "Message status - undeliverable",
        "The message that you sent was undeliverable to the following:\n\tberta@gw.school.example (user not found)\n\nPossibly truncated original message follows:\n" + RETURNED.format(to="berta@gw.school.example"),
        (("berta@gw.school.example", "user-unknown"),),
    ),
    "a Domino router": Letter(
        "postmaster@notes.firm.example", "DELIVERY FAILURE: User carl (carl@notes.firm.example) not listed in Domino Directory",
        "Your message\n\n  Subject: News\n\nwas not delivered to:\n\n  carl@notes.firm.example\n\nbecause:\n\n  User carl (carl@notes.firm.example) not listed in Domino Directory\n",
        (("carl@notes.firm.example", "user-unknown"),),
    ),
    "a German provider": Letter(
        "Mailer-Daemon@post.beispiel.example", "Unzustellbar: News",
        "Ihre Nachricht konnte an folgende Empfänger nicht zugestellt werden:\n\ndieter@beispiel.example\n\nDas Postfach des Empfängers ist voll.\n",
        (("dieter@beispiel.example", "mailbox-full"),),
    ),
    "a French provider": Letter(
        "postmaster@courrier.example", "Non remis : News",
        "Votre message n'a pas pu être remis aux destinataires suivants :\n\n  <elise@courrier.example>\n\nAdresse inconnue.\n",
        (("elise@courrier.example", "user-unknown"),),
    ),
    "a Spanish provider": Letter(
        "postmaster@correo.example", "No se pudo entregar el mensaje",
        "No se pudo entregar su mensaje a los siguientes destinatarios:\n\nfelipe@correo.example: el usuario no existe\n",
        (("felipe@correo.example", "user-unknown"),),
    ),
    "a Japanese provider": Letter(
        "MAILER-DAEMON@tegami.example", "配信不能通知",
        "以下の宛先にメールを配信できませんでした。\n\n<gen@tegami.example>\n\n宛先のメールアドレスが存在しません。\n",
        (("gen@tegami.example", "user-unknown"),),
    ),
    "a Chinese provider": Letter(
        "postmaster@youjian.example", "系统退信", "您的邮件无法投递到以下地址：\n\nhua@youjian.example\n\n该用户不存在\n", (("hua@youjian.example", "user-unknown"),)
    ),
    "a content filter before the mail server": Letter(
        "MailMarshal <postmaster@gate.example>", "Message blocked: News",
        "MailMarshal (an automated content monitoring gateway) has not delivered the following message:\n\n   Message: B0001\n   From:    news@shop.example\n   To:      ida@gate.example\n   Subject: News\n\nThis is because its attachment type is not allowed.\n",
        (("ida@gate.example", "content-rejected"),),
    ),
    "a server that writes the reply under the address": Letter(
        "Mail Administrator <postmaster@communi.example>", "Undeliverable mail: News",
        "Failed to deliver to 'jens@communi.example'\nSMTP module(domain communi.example) reports:\n host mx.communi.example says:\n 550 5.7.1 Your server's address is listed by a block list, rejected using dnsbl.example\n",
        (("jens@communi.example", "blocklisted"),),
    ),
    "a provider's web mail": Letter(
        "postmaster@hotpost.example", "Delivery Status Notification (Failure)",
        "This is an automatically generated Delivery Status Notification.\n\nDelivery to the following recipients failed.\n\n       karin@hotpost.example\n\n",
        (("karin@hotpost.example", "undetermined"),),
    ),
    "a MDaemon": Letter(
        "MDaemon@mail.firm.example", "Permanent Delivery Failure",
        "The attached message had PERMANENT fatal delivery errors!\n\nAfter one or more unsuccessful delivery attempts the attached message has\nbeen removed from the mail queue on this server.\n\nThe following address(es) failed:\n  lena@gone.example\n\n--- Session Transcript ---\n 08:00:01: Attempting SMTP connection to [192.0.2.5:25]\n 08:00:02: --> RCPT To:<lena@gone.example>\n 08:00:02: <-- 550 Unknown user\n",
        (("lena@gone.example", "user-unknown"),),
    ),
    "a Courier": Letter(
        '"Courier mail server at mx.post.example" <@>', "NOTICE: mail delivery status.",
        "This is a delivery status notification from mx.post.example,\nrunning the Courier mail server, version 0.60.\n\nThe original message was received on Mon, 9 Nov 2026 08:00:00 +0000\n\n---------------------------------------------------------------------------\n\n                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<max@far.example>:\n    mx.far.example [192.0.2.8]:\n>>> RCPT TO:<max@far.example>\n<<< 550 No such user\n",
        (("max@far.example", "user-unknown"),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LETTERS)
def test_a_bounce_in_prose_says_who_and_why(name: str) -> None:
    letter = LETTERS[name]
    report = parse_message(letter.raw)
    assert [o.recipient for o in report.outcomes] == [who for who, _ in letter.expected]
    assert {o.kind for o in report.outcomes} == {letter.kind}
    assert [classify(o, report).reason for o in report.outcomes] == [why for _, why in letter.expected]


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
