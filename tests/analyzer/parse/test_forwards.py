"""Reports that come by way of somebody else, and those whose form was damaged on the way."""

from __future__ import annotations

import pytest

from analyzer.model import Kind
from analyzer.parse import parse_message
from analyzer.parse.charsets import guessed

REPORT = """Return-Path: <>
From: MAILER-DAEMON@mx.shop.example (Mail Delivery System)
To: shop@shop.example
Subject: Undelivered Mail Returned to Sender
Date: Mon, 2 Nov 2026 10:00:00 +0000

I'm sorry to have to inform you that your message could not be delivered.

<otto@far.example>: host mx.far.example[192.0.2.7] said: 550 5.1.1 No such user here
"""
ATTACHED = """From: {sender}
To: bounces@esp.example
Subject: Fwd: Undelivered Mail
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

{words}
--b
Content-Type: message/rfc822

{report}
--b--
"""
WRITTEN = """From: Pia <pia@shop.example>
To: bounces@shop.example
Subject: WG: Undelivered Mail Returned to Sender
Content-Type: text/plain; charset=utf-8

{words}

-----Ursprüngliche Nachricht-----
Von: Mail Delivery System <MAILER-DAEMON@mx.shop.example>
Gesendet: Montag, 2. November 2026 10:00
An: Pia
Betreff: Undelivered Mail Returned to Sender

{quote}
"""
LONG = "We had this twice last week already, and the customer says that the address is right; nothing was changed on our side."


def found(text: str) -> list[tuple[str | None, Kind]]:
    return [(o.recipient, o.kind) for o in parse_message(text.encode()).outcomes]


@pytest.mark.parametrize("words", ["", "fyi"])
def test_a_report_that_is_attached_to_hardly_a_word_is_read(words: str) -> None:
    assert found(ATTACHED.format(sender="pia@shop.example", words=words, report=REPORT)) == [("otto@far.example", Kind.BOUNCED)]


@pytest.mark.parametrize("words", [LONG, "Nothing to see"])
def test_what_is_attached_is_a_report_or_nothing(words: str) -> None:
    report = REPORT if words == LONG else "From: otto@far.example\nSubject: Lunch\n\nAt one?\n"
    assert found(ATTACHED.format(sender="pia@shop.example", words=words, report=report)) == []


def test_a_report_within_a_report_within_a_mail_is_not_looked_for() -> None:
    inner = ATTACHED.format(sender="otto@far.example", words="", report=REPORT).replace('"b"', '"c"').replace("--b", "--c")
    assert found(ATTACHED.format(sender="pia@shop.example", words="", report=inner)) == []


@pytest.mark.parametrize("mark", ["", "> "])
def test_a_report_that_is_written_below_its_headers_is_read(mark: str) -> None:
    quote = "\n".join(mark + line for line in REPORT.partition("\n\n")[2].splitlines())
    assert found(WRITTEN.format(words="zur Info", quote=quote)) == [("otto@far.example", Kind.BOUNCED)]


@pytest.mark.parametrize("words", ["Kannst Du da etwas machen?", LONG])
def test_who_asks_about_a_report_writes_a_mail_of_his_own(words: str) -> None:
    assert found(WRITTEN.format(words=words, quote=REPORT.partition("\n\n")[2])) == []


DAMAGED = """Return-Path: <>
From: mailer-daemon@mx.shop.example
To: shop@shop.example
Subject: Undelivered Mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=utf-8

Your message could not be delivered.

<otto@far.example>: host mx.far.example[192.0.2.7] said: 552 5.2.2 mailbox is full

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.shop.example

Final-Recipient: rfc822;
Action: failed
Status: 5.0.0

--b--
"""


def test_the_text_is_asked_where_the_fields_name_nobody() -> None:
    (outcome,) = parse_message(DAMAGED.encode()).outcomes
    assert (outcome.recipient, outcome.status, outcome.reply_code) == ("otto@far.example", "5.2.2", "552")


VERP = """Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@provider.example>
To: return-jo=work.example@news.shop.example
Subject: Delivery Status Notification (Failure)

Delivery to the following recipient failed permanently:

     jo.private@home.example

----- Original message -----

Received: from news.shop.example by mx.work.example for <{mailed}>; Mon, 2 Nov 2026 10:00:00 +0000
From: news@shop.example
To: {mailed}
Subject: News
List-Unsubscribe: <https://shop.example/u>
Message-ID: <1@shop.example>
"""


def test_who_was_mailed_is_told_by_the_reports_address_and_the_returned_message_together() -> None:
    (outcome,) = parse_message(VERP.format(mailed="jo@work.example").encode()).outcomes
    assert (outcome.recipient, outcome.final) == ("jo@work.example", "jo.private@home.example")
    (outcome,) = parse_message(VERP.format(mailed="talk@lists.example").encode()).outcomes
    assert (outcome.recipient, outcome.final) == ("jo.private@home.example", None)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("koi8-r", "Пользователь не найден"),
        ("cp1251", "Почтовый ящик переполнен, сообщение не доставлено"),
        ("cp932", "宛先のメールアドレスが見つかりませんでした。"),
        ("euc_jp", "メールを配信できませんでした。宛先不明です。"),
        ("gb18030", "您的邮件被退回，收件人不存在，请检查地址"),
        ("big5", "您寄給下列收件人的信件無法寄達，系統不再重試"),
        ("big5", "信件無法寄達收件人，信箱已滿"),
        ("cp949", "받는 사람의 메일함이 가득 찼습니다"),
        ("latin-1", "Die Nachricht für Jörg Müller konnte nicht zugestellt werden: Empfänger ungültig"),
        ("latin-1", "Votre message n'a pas été délivré à Hélène"),
    ],
)
def test_text_without_a_charset_is_read_by_its_bytes(codec: str, text: str) -> None:
    around = b"This is the mail system at host mx.far.example.\n\n<otto@far.example>: "
    assert (around + text.encode(codec)).decode(guessed(around + text.encode(codec))).endswith(text)
    letter = b"From: MAILER-DAEMON@far.example\nSubject: failure notice\n\n" + around + text.encode(codec)
    (outcome,) = parse_message(letter).outcomes
    assert text.rstrip("。.") in (outcome.diagnostic or "")


def test_a_charset_that_names_the_order_of_its_letters_too_is_read() -> None:
    words = "תיבת הדואר מלאה"
    head = b"From: MAILER-DAEMON@far.example\nSubject: failure notice\nContent-Type: text/plain; charset=iso-8859-8-i\n\n"
    (outcome,) = parse_message(head + f"<otto@far.example>: {words}\n".encode("iso-8859-8")).outcomes
    assert words in (outcome.diagnostic or "")


@pytest.mark.parametrize(
    "words",
    [
        "Your message is still in our queue, no need to do anything.",
        "Il est gardé en attente, de nouveaux essais suivront.",
        "El mensaje sigue en la cola de salida.",
        "A mensagem continua na fila; continuamos tentando.",
        "Kiri ootab järjekorras.",
        "Zpráva zatím čeká.",
    ],
)
def test_a_message_that_still_waits_is_delayed(words: str) -> None:
    letter = f"From: MAILER-DAEMON@far.example\nSubject: about your message\n\n<otto@far.example>: connection timed out\n{words}\n"
    (outcome,) = parse_message(letter.encode()).outcomes
    assert outcome.kind == "delayed"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Error:    (452) insufficient disk space", "452"),
        ("reason:550 no such user", "550"),
        ("the room (450) is on the left, so there was an error: sorry", None),
        ("sent from 2001:db8:550 and refused: sorry, no", None),
    ],
)
def test_a_reply_code_stands_behind_a_word_or_in_brackets_after_one(words: str, code: str | None) -> None:
    letter = f"From: MAILER-DAEMON@far.example\nSubject: failure notice\n\nCould not be delivered to:\n\n<otto@far.example>\n{words}\n"
    (outcome,) = parse_message(letter.encode()).outcomes
    assert outcome.reply_code == code


def test_what_follows_a_list_of_names_is_about_them_all() -> None:
    letter = (
        "From: MAILER-DAEMON@far.example\nSubject: failure notice\n\nThe mail to these recipients was stopped because it contains a virus:\n"
        "-> otto@far.example\n-> jo@far.example\n\nOur reference is 14410-09/pKq1s93Q4m for both.\n"
    )
    outcomes = parse_message(letter.encode()).outcomes
    assert [o.recipient for o in outcomes] == ["otto@far.example", "jo@far.example"]
    assert all("contains a virus" in (o.prose or "") for o in outcomes)
