"""Complaints, automatic replies, receipts and other machine reports, in the forms of many providers; written by us."""

from __future__ import annotations

import pytest

from analyzer.model import Kind
from analyzer.parse import parse_message

CASES: dict[str, tuple[bytes, str, str | None]] = {
"yahoo arf": (b"""From: Feedback <feedback@arf.mail.ypost.example>
To: fbl@shop.example
Subject: FW: News
MIME-Version: 1.0
Content-Type: multipart/report; boundary="a"; report-type=feedback-report

--a
Content-Type: text/plain

This is an email abuse report for an email message from shop.example on Mon, 9 Nov 2026.

--a
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Ypost!-Mail-Feedback/2.0
Version: 0.1
Original-Mail-From: <bounce@shop.example>
Original-Rcpt-To: anna@ypost.example
Reported-Domain: shop.example

--a
Content-Type: message/rfc822

From: news@shop.example
To: anna@ypost.example
Message-ID: <1@shop.example>

x
--a--
""", "complained", "anna@ypost.example"),
"arf text/plain part types": (b"""From: abuse@isp.example
To: fbl@shop.example
Subject: Abuse report
MIME-Version: 1.0
Content-Type: multipart/report; report-type="feedback-report"; boundary=a

--a
Content-Type: text/plain

An abuse report.

--a
Content-Type: text/plain; name="report.txt"

Feedback-Type: abuse
User-Agent: Isp/1
Version: 1
Original-Rcpt-To: <bo@isp.example>

--a
Content-Type: message/rfc822

From: news@shop.example
To: bo@isp.example

x
--a--
""", "complained", "bo@isp.example"),
"arf base64": (b"""From: abuse@isp.example
To: fbl@shop.example
Subject: Abuse report
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=a

--a
Content-Type: text/plain

x

--a
Content-Type: message/feedback-report
Content-Transfer-Encoding: base64

RmVlZGJhY2stVHlwZTogYWJ1c2UKVXNlci1BZ2VudDogSXNwLzEKVmVyc2lvbjogMQpPcmlnaW5hbC1SY3B0LVRvOiA8Y2FybEBpc3AuZXhhbXBsZT4K

--a
Content-Type: text/rfc822-headers

From: news@shop.example
To: undisclosed-recipients:;

--a--
""", "complained", "carl@isp.example"),
"amazon complaint": (b"""From: complaints@email-abuse.amazonses.example
To: fbl@shop.example
Subject: [abuse report]
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=a

--a
Content-Type: text/plain

This is an email abuse report for an email message from amazonses.com.

--a
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Yahoo!-Mail-Feedback/2.0
Version: 1
Removal-Recipient: dora@ypost.example
Source-IP: 192.0.2.1

--a
Content-Type: message/rfc822

From: news@shop.example
To: dora@ypost.example

x
--a--
""", "complained", "dora@ypost.example"),
"xarf fraud upper": (b"From: a@b.example\nTo: fbl@shop.example\nSubject: x\nContent-Type: multipart/report; report-type=feedback-report; boundary=a\n\n--a\nContent-Type: message/feedback-report\n\nFeedback-Type: FRAUD\nOriginal-Rcpt-To: e@b.example\n\n--a--\n","complained","e@b.example"),
"auth failure": (b"From: a@b.example\nTo: ruf@shop.example\nSubject: x\nContent-Type: multipart/report; report-type=feedback-report; boundary=a\n\n--a\nContent-Type: message/feedback-report\n\nFeedback-Type: auth-failure\nOriginal-Rcpt-To: e@b.example\nAuth-Failure: dmarc\n\n--a--\n","other-report",None),
"jmrp": (b"From: staff@hotpost.example\nTo: fbl@shop.example\nSubject: complaint about message from 192.0.2.1\nX-HmXmrOriginalRecipient: fay@hotpost.example\nContent-Type: message/rfc822\n\nFrom: news@shop.example\nTo: fay@hotpost.example\nSubject: x\n\nx\n","complained","fay@hotpost.example"),
"dmarc aggregate": (b"From: noreply-dmarc@prov.example\nTo: rua@shop.example\nSubject: Report Domain: shop.example Submitter: prov.example Report-ID: 1\nContent-Type: application/zip; name=\"prov.example!shop.example!1!2.zip\"\nContent-Transfer-Encoding: base64\n\nUEsDBA==\n","other-report",None),
"dmarc multipart": (b"From: noreply@prov.example\nTo: rua@shop.example\nSubject: Report domain: shop.example Submitter: prov.example Report-ID: <1>\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\n\nThis is a DMARC aggregate report.\n--a\nContent-Type: application/gzip; name=\"prov.example!shop.example!1!2.xml.gz\"\nContent-Transfer-Encoding: base64\n\nH4sI\n--a--\n","other-report",None),
"tls report": (b"From: tls@prov.example\nTo: rua@shop.example\nSubject: Report Domain: shop.example Submitter: prov.example Report-ID: <1>\nTLS-Report-Domain: shop.example\nContent-Type: multipart/report; report-type=tlsrpt; boundary=a\n\n--a\nContent-Type: text/plain\n\nTLS report\n--a\nContent-Type: application/tlsrpt+gzip\n\nx\n--a--\n","other-report",None),
"mdn": (b"From: gina@x.example\nTo: news@shop.example\nSubject: Read: News\nContent-Type: multipart/report; report-type=disposition-notification; boundary=a\n\n--a\nContent-Type: text/plain\n\nread\n--a\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;gina@x.example\nDisposition: manual-action/MDN-sent-manually; displayed\n\n--a--\n","other-report",None),
"vacation plain": (b"From: Hans <hans@x.example>\nTo: news@shop.example\nSubject: Abwesenheitsnotiz: News\nX-Auto-Response-Suppress: All\nIn-Reply-To: <1@shop.example>\n\nIch bin bis 3. Januar abwesend.\n","autoreplied:vacation","hans@x.example"),
"vacation no marks": (b"From: Ida <ida@x.example>\nTo: news@shop.example\nSubject: Out of Office AutoReply: News\n\nI am out.\n","autoreplied:vacation","ida@x.example"),
"vacation precedence": (b"From: Jo <jo@x.example>\nTo: news@shop.example\nPrecedence: bulk\nAuto-Submitted: auto-replied (vacation)\nSubject: Re: News\n\nThanks for your mail. I will be back on Monday.\n","autoreplied:vacation","jo@x.example"),
"ticket": (b"From: Support <support@x.example>\nTo: news@shop.example\nAuto-Submitted: auto-generated\nX-Auto-Response-Suppress: All\nIn-Reply-To: <1@shop.example>\nSubject: [Ticket#2026110910000012] News\n\nThank you for your request, number 2026110910000012.\n","autoreplied:ticket","support@x.example"),
"left company": (b"From: Kim <kim@x.example>\nTo: news@shop.example\nAuto-Submitted: auto-replied\nSubject: Automatic reply: News\n\nKim has left the company. Please write to office@x.example.\n","autoreplied:inbox-retired","kim@x.example"),
"challenge": (b"From: Lou <lou@x.example>\nTo: news@shop.example\nAuto-Submitted: auto-replied\nSubject: Re: News [verify]\n\nTo have your message delivered, please click this link to confirm that you are a person.\n","autoreplied:challenge","lou@x.example"),
"japanese vacation": ("From: mai@x.example\nTo: news@shop.example\nAuto-Submitted: auto-replied\nSubject: 自動返信\n\n本日は休暇をいただいております。\n".encode(),"autoreplied:vacation","mai@x.example"),
"x-autoreply": (b"From: ned@x.example\nTo: news@shop.example\nX-Autoreply: yes\nSubject: Re: News\n\nHello\n","autoreplied:other","ned@x.example"),
"a vacation in the form of a receipt": (b"From: gina@x.example\nTo: news@shop.example\nSubject: Re: News\nAuto-Submitted: auto-replied (vacation)\nContent-Type: multipart/report; report-type=disposition-notification; boundary=a\n\n--a\nContent-Type: text/plain\n\nI am on vacation until Monday.\n--a\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;gina@x.example\nDisposition: automatic-action/MDN-sent-automatically; processed\n\n--a--\n","autoreplied:vacation","gina@x.example"),
"a receipt of a program": (b"From: gina@x.example\nTo: news@shop.example\nSubject: Read: News\nContent-Type: multipart/report; report-type=disposition-notification; boundary=a\n\n--a\nContent-Type: text/plain\n\nYour message was processed.\n--a\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;gina@x.example\nDisposition: automatic-action/MDN-sent-automatically; processed\n\n--a--\n","other-report",None),
"a challenge in the form of a report": (b"From: Guard <guard@x.example>\nTo: news@shop.example\nSubject: Your message is waiting\nReturn-Path: <>\nContent-Type: multipart/report; report-type=delivery-status; boundary=a\n\n--a\nContent-Type: text/plain\n\nYou are not on the guest list of gina@x.example. Click the link so that your message is delivered: https://x.example/c/1\n--a\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x.example\n\nFinal-Recipient: rfc822;gina@x.example\nAction: delayed\nStatus: 4.7.1\n\n--a--\n","autoreplied:challenge","gina@x.example"),
"return receipt prose": (b"From: Oda <oda@x.example>\nTo: news@shop.example\nSubject: Gelesen: News\nContent-Type: multipart/report; report-type=disposition-notification; boundary=a\n\n--a\nContent-Type: text/plain\n\nGelesen\n--a\nContent-Type: message/disposition-notification\n\nFinal-Recipient: rfc822;oda@x.example\nDisposition: automatic-action/MDN-sent-automatically; deleted\n\n--a--\n","other-report",None),
"human reply": (b"From: Pia <pia@x.example>\nTo: news@shop.example\nSubject: Re: News\nIn-Reply-To: <1@shop.example>\n\nI was on vacation, sorry. Where is my order?\n","not-a-report",None),
"newsletter": (b"From: News <n@x.example>\nTo: you@shop.example\nPrecedence: bulk\nAuto-Submitted: auto-generated\nList-Unsubscribe: <https://x.example/u>\nSubject: Vacation offers\n\nOut of office? Go on vacation!\n","not-a-report",None),
"unsub list": (b"From: Quinn <q@x.example>\nTo: unsub+abc@shop.example\nSubject: Unsubscribe\n\nPlease remove me.\n","unsubscribed","q@x.example"),
"unsub with body": (b"From: Rex <r@x.example>\nTo: leave@shop.example\nSubject: \n\nunsubscribe\n","unsubscribed","r@x.example"),
"dsn success": (b"From: MAILER-DAEMON@x.example\nTo: news@shop.example\nSubject: Successful Mail Delivery Report\nContent-Type: multipart/report; report-type=delivery-status; boundary=a\n\n--a\nContent-Type: text/plain\n\nYour message was successfully delivered to the destination(s) listed below.\n--a\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;x.example\n\nFinal-Recipient: rfc822;sam@x.example\nAction: delivered\nStatus: 2.1.5\n\n--a--\n","delivered","sam@x.example"),
"dsn relayed": (b"From: postmaster@x.example\nTo: news@shop.example\nSubject: Relayed: News\nContent-Type: multipart/report; report-type=delivery-status; boundary=a\n\n--a\nContent-Type: text/plain\n\nDelivery to these recipients is complete, but no delivery notification was sent.\n--a\nContent-Type: message/delivery-status\n\nReporting-MTA: dns;x.example\n\nFinal-Recipient: rfc822;tom@x.example\nAction: relayed\nStatus: 2.0.0\n\n--a--\n","delivered","tom@x.example"),
"arf no part report in text": (b"From: postmaster@netz.example\nTo: abuse@shop.example\nSubject: Spam complaint\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\n\nOne of our users marked this as spam.\n--a\nContent-Type: message/rfc822\n\nFrom: news@shop.example\nTo: ute@netz.example\n\nx\n--a--\n","complained","ute@netz.example"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_a_mail_means_and_who_says_it(name: str) -> None:
    raw, kind, who = CASES[name]
    report = parse_message(raw)
    said = f":{report.outcomes[0].reply_type}" if report.kind.value == "autoreplied" else ""
    assert report.kind.value + said == kind
    assert (report.outcomes[0].recipient if report.outcomes else None) == who


AWAY = "From: jo@far.example\nTo: news@shop.example\n{headers}Subject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
MARKED = "Return-Path: <>\nAuto-Submitted: auto-replied\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("El taller permanecerá cerrado durante la Semana Santa.", "vacation"),
        ("W dniach 1-5 maja sklep jest nieczynny.", "vacation"),
        ("Teď tu není signál. Ozvu se po 12. 8.", "vacation"),
        ("A hegyekben vagyok, legközelebb hétfőn olvasok levelet.", "vacation"),
        ("Η γραμματεία είναι κλειστή από 1 έως 15 Αυγούστου.", "vacation"),
        ("春节放假，节后处理您的邮件。", "vacation"),
        ("Our hall is closed for the summer.", "vacation"),
        ("Cererea dumneavoastră a fost înregistrată.", "ticket"),
        ("Pyyntönne on kirjattu numerolla 77.", "ticket"),
        ("We will get back to you within two days; your request has been assigned the ID 77.", "ticket"),
        ("A loja encerrou as portas em Maio.", "inbox-retired"),
        ("Tôi không còn làm việc tại công ty.", "inbox-retired"),
        ("Die Adresse gibt es nur noch bis zum Jahresende.", "inbox-retired"),
    ],
)
def test_what_an_automatic_reply_says(text: str, expected: str) -> None:
    (outcome,) = parse_message(AWAY.format(headers=MARKED, subject="Re: Autumn", text=text).encode()).outcomes
    assert (outcome.kind, outcome.reply_type) == (Kind.AUTOREPLIED, expected)


@pytest.mark.parametrize(
    ("headers", "subject", "text", "who"),
    [
        ("X-Mailer: Zimbra 8.8\nPrecedence: bulk\n", "Trả lời tự động: Autumn", "Tôi sẽ trả lời sau.", "jo@far.example"),
        ("Return-Path: <MAILER-DAEMON@far.example>\n", "Απουσία", "Θα λείπω μέχρι τη Δευτέρα.", "jo@far.example"),
        ("Return-Path: <>\nX-OTRS-Loop: jo@far.example\nAuto-Submitted: auto-generated\n", "RE: [Ticket#77] Autumn", "Wir haben Ihre Nachricht unter 77 abgelegt.", "jo@far.example"),
        ("Return-Path: <b@desk.example>\nX-Auto-Response-Suppress: OOF, AutoReply\n", "Re: [## 77 ##] Autumn", "Your request has been assigned the ID 77.", "jo@far.example"),
        ("From: Jo's desk <jira@jo.desk.example>\nReply-To: help@far.example\nAuto-Submitted: auto-replied\n", "J-7 Autumn", "We have received your request.", "help@far.example"),
    ],
)  # fmt: skip
def test_a_machine_answers_though_a_header_or_the_subject_looks_like_a_person_s(headers: str, subject: str, text: str, who: str) -> None:
    raw = AWAY.format(headers=headers, subject=subject, text=text)
    raw = raw.removeprefix("From: jo@far.example\n") if "From: Jo's" in headers else raw
    (outcome,) = parse_message(raw.encode()).outcomes
    assert (outcome.kind, outcome.recipient) == (Kind.AUTOREPLIED, who)


def test_who_forwards_an_automatic_reply_did_not_give_it() -> None:
    text = "Who looks after our bill now?\n\n---------- Forwarded message ---------\nSubject: Automatic reply: bill\n\nI am away."
    assert parse_message(AWAY.format(headers="", subject="Fwd: Automatic reply: bill", text=text).encode()).outcomes == ()


def test_the_name_of_what_answers_tells_a_vacation() -> None:
    for submitted in ("auto-replied (vacation)", 'auto-replied (zimbra; vacation-type="simple")'):
        raw = AWAY.format(headers=f"Auto-Submitted: {submitted}\n", subject="Autumn", text="See you.")
        (outcome,) = parse_message(raw.encode()).outcomes
        assert outcome.reply_type == "vacation"


def test_a_token_to_a_leaving_address_is_an_unsubscription() -> None:
    raw = "From: jo@far.example\nTo: leave-77-tok@shop.example\nSubject: leave:77:tok\n\n"
    (outcome,) = parse_message(raw.encode()).outcomes
    assert (outcome.kind, outcome.recipient) == (Kind.UNSUBSCRIBED, "jo@far.example")


def test_bait_in_a_mailer_s_name_reports_nothing() -> None:
    raw = (
        "From: Mail Delivery System <help@far.example>\nTo: info@shop.example\nSubject: Incoming messages could not be delivered\n"
        "Content-Type: text/html\n\n<p>Storage is 98% full. Error 552 5.2.2.</p><p><a href='http://far.example/'>Release messages</a> or your account will be disabled.</p>\n"
    )
    assert parse_message(raw.encode()).outcomes == ()


@pytest.mark.parametrize("subject", ["投递成功通知", "配信完了", "Your message has been successfully delivered"])
def test_a_mailer_that_says_so_has_delivered(subject: str) -> None:
    raw = f"Return-Path: <>\nFrom: postmaster@far.example\nTo: news@shop.example\nSubject: {subject}\nContent-Type: text/plain; charset=utf-8\n\nTo:\n    otto@far.example\n"
    (outcome,) = parse_message(raw.encode()).outcomes
    assert (outcome.kind, outcome.recipient) == (Kind.DELIVERED, "otto@far.example")
