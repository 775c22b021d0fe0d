"""Where the Message-ID is gone or another one, a header of the sender's own finds the send, and Feedback-ID chooses it or tells at least the campaign."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analyzer.cli import settings
from analyzer.metrics import Numbers, attributed
from analyzer.model import LOG, MESSAGE, WEBHOOK, Capture
from analyzer.parse import parse_message
from analyzer.parse.own import HEADERS, header_names, use_headers
from analyzer.pipeline import flush
from analyzer.replay import replay
from analyzer.store import Store
from tests.analyzer.test_join import rows

DAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
COLUMNS = "message_id,header_id,feedback_id,recipient,at,campaign,mail_type"
BOUNCE = """From: MAILER-DAEMON@mx.example
Subject: Undelivered Mail
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--b
Content-Type: text/rfc822-headers

From: shop@shop.example
{headers}
--b--
"""
COMPLAINT = """From: feedback@mailbox.example
Subject: complaint
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: fbl/1
Version: 1
{to}
--b
Content-Type: message/rfc822

From: shop@shop.example
To: undisclosed-recipients:;
Subject: x
{headers}
hello
--b--
"""


def bounce(to: str, *headers: str) -> bytes:
    return BOUNCE.format(to=to, headers="".join(f"{h}\n" for h in headers)).encode()


def complaint(*headers: str, to: str = "") -> bytes:
    """A complaint; without `to` the mailbox provider took out whose it was."""
    said = f"Original-Rcpt-To: {to}\n" if to else ""
    return COMPLAINT.format(to=said, headers="".join(f"{h}\n" for h in headers)).encode()


def send(n: int | str, to: str, header_id: str = "", feedback_id: str = "", campaign: str = "autumn", kind: str = "newsletter", hours: int = 0) -> str:  # fmt: skip
    return f"<m{n}@shop.example>,{header_id},{feedback_id},{to},{(DAY + timedelta(hours=hours)).isoformat()},{campaign},{kind}"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    use_headers(None)


class Shop:
    """A store with a table of sends, and what comes back."""

    def __init__(self, folder: Path, *sends: str) -> None:
        self.store = Store(folder / "s")
        rows(self.store, folder, "sends", "sent", COLUMNS, list(sends))

    def hears(self, *mails: bytes, source: str = "mail") -> Numbers:
        at = DAY + timedelta(days=1)
        self.store.inbox.keep([Capture(mail + b"%d\n" % n, MESSAGE, source, at) for n, mail in enumerate(mails)])
        flush(self.store)
        return Numbers(self.store)


def ways(numbers: Numbers, source: str = "mail") -> dict[str, int]:
    return {r["way"]: r["events"] for r in numbers.attribution().to_dict("records") if r["source"] == source}


def count(numbers: Numbers, metric: str, by: str = "campaign") -> dict[str, int]:
    frame = numbers.measure([metric], [by])
    return {r[by]: int(r["numerator"]) for r in frame.to_dict("records") if r["numerator"]}


REWRITTEN = "Message-ID: <relay-1@relay.example>"


def test_the_senders_own_id_finds_the_send_of_a_bounce_whose_message_id_a_relay_replaced(tmp_path: Path) -> None:
    use_headers(["X-Shop-Mail"])
    shop = Shop(tmp_path, send(1, "anna@far.example", "47"), send(2, "anna@far.example", "48", campaign="winter", hours=1))
    numbers = shop.hears(bounce("anna@far.example", REWRITTEN, "X-Shop-Mail: <47>"))
    assert ways(numbers) == {"header": 1}
    assert count(numbers, "hard") == {"autumn": 1}, "the latest send to her was of winter"


def test_an_id_of_a_job_finds_the_one_send_of_it_to_the_recipient(tmp_path: Path) -> None:
    sends = [send(n, f"u{n}@far.example", "job-7") for n in (1, 2)] + [send(n, "u1@far.example", "job-8", campaign="winter", hours=n) for n in (3, 4)]  # fmt: skip
    shop = Shop(tmp_path, *sends)
    numbers = shop.hears(
        bounce("u1@far.example", REWRITTEN, "X-Job: job-7"),
        bounce("u1@far.example", REWRITTEN, "X-Job: job-8"),  # two sends of it to this recipient
        complaint(REWRITTEN, "X-Job: job-7"),  # two sends of it, and whose it was is not told
    )
    assert ways(numbers) == {"header": 1, "recipient-and-time": 1, "campaign": 1}
    assert count(numbers, "hard") == {"autumn": 1, "winter": 1}
    assert count(numbers, "complaint") == {"autumn": 1}
    assert count(numbers, "complaint", "mail_type") == {"newsletter": 1}


def test_the_senders_own_id_tells_whose_a_complaint_without_message_id_and_recipient_is(tmp_path: Path) -> None:
    shop = Shop(tmp_path, send(1, "anna@far.example", "47"), send(2, "bo@far.example", "48", campaign="winter"))
    numbers = shop.hears(complaint("X-Mailhealth-Id: 48"))
    assert ways(numbers) == {"header": 1}
    assert count(numbers, "sent") == {"autumn": 1, "winter": 1}, "the complaint stands with its send, and is no row of its own"
    assert count(numbers, "complaint") == {"winter": 1}


def test_sends_that_have_no_id_but_their_own_are_found_by_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path, ",47,,anna@far.example,2026-11-02T09:00:00Z,autumn,newsletter")
    numbers = shop.hears(bounce("anna@far.example", "X-Message-Id: 47"))
    assert ways(numbers) == {"header": 1}
    assert numbers.measure(["sent", "hard"])["numerator"].tolist() == [1, 1]


NEWS, RECEIPT = "autumn-9:4711:news:shopexample", "r:4711:receipt:shopexample"


def test_feedback_id_chooses_among_the_recipients_sends(tmp_path: Path) -> None:
    shop = Shop(
        tmp_path,
        send(1, "anna@far.example", feedback_id=NEWS),
        send(2, "anna@far.example", feedback_id=NEWS, hours=1),
        send(3, "anna@far.example", feedback_id=RECEIPT, campaign="orders", kind="receipt", hours=2),
    )
    news, other = f"Feedback-ID: {NEWS}", "Feedback-ID: x:4711:y:shopexample"
    numbers = shop.hears(complaint(news, to="anna@far.example"), complaint(other, to="anna@far.example"))
    assert ways(numbers) == {"feedback-id": 1, "recipient-and-time": 1}
    assert count(numbers, "complaint") == {"autumn": 1, "orders": 1}


def test_the_campaign_in_a_header_chooses_among_the_recipients_sends(tmp_path: Path) -> None:
    shop = Shop(tmp_path, send(1, "anna@far.example"), send(2, "anna@far.example", campaign="winter", hours=1))
    numbers = shop.hears(bounce("anna@far.example", "X-Campaign: autumn"))
    assert (ways(numbers), count(numbers, "hard")) == ({"recipient-and-time": 1}, {"autumn": 1})


def test_feedback_id_tells_the_campaign_of_a_complaint_whose_message_and_recipient_are_gone(tmp_path: Path) -> None:
    shop = Shop(
        tmp_path,
        send(1, "anna@far.example", feedback_id=NEWS),
        send(2, "bo@far.example", feedback_id=NEWS),
        send(3, "cy@far.example", feedback_id="all:shop"),
        send(4, "cy@far.example", feedback_id="all:shop", campaign="winter"),
    )
    numbers = shop.hears(
        complaint(f"Feedback-ID: {NEWS}"),  # as its sends
        complaint("Feedback-ID: 4711:winter:shopexample"),  # its parts name a campaign that there is
        complaint("Feedback-ID: autumn:winter:shopexample"),  # two
        complaint("Feedback-ID: 4711:winter"),  # the last part is the sender
        complaint("Feedback-ID: all:shop"),  # sends of two campaigns have it
        complaint("Feedback-ID: nothing:shopexample", "X-Campaign: spring"),  # told by another header
        complaint(),
    )
    assert ways(numbers) == {"campaign": 3, "none": 4}
    assert count(numbers, "complaint") == {"autumn": 1, "winter": 1, "spring": 1, "(not known)": 4}
    assert count(numbers, "complaint", "mail_type") == {"newsletter": 2, "(not known)": 5}, "all:shop is one kind of mail"
    assert count(numbers, "sent") == {"autumn": 3, "winter": 1}


def test_a_message_to_several_is_opened_once_by_whom_nobody_knows(tmp_path: Path) -> None:
    shop = Shop(tmp_path, send(1, "anna@far.example"), send(1, "bo@far.example"))
    event = '{"notificationType":"Open","mail":{"commonHeaders":{"messageId":"<m1@shop.example>"},"destination":["anna@far.example","bo@far.example"]},"open":{"timestamp":"2026-11-02T1%d:00:00Z","userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/140.0"}}'  # fmt: skip
    at = DAY + timedelta(days=1)
    shop.store.inbox.keep([Capture((event % hour).encode(), f"{WEBHOOK}amazon-ses+json", "hooks", at) for hour in (1, 2, 3)])
    flush(shop.store)
    numbers = Numbers(shop.store)
    assert ways(numbers, "hooks") == {"campaign": 3}
    assert numbers.measure(["open_raw"])["note"].tolist() == ["no delivery log: connect one to know what was accepted"]
    assert numbers.measure(["open_raw"], ["campaign"])["numerator"].tolist() == [1]


def test_seventy_one_percent_to_a_message_ninety_three_to_a_campaign_seven_to_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path, *(send(n, f"u{n}@far.example", f"id-{n}", NEWS) for n in range(10)))
    mails = [bounce(f"u{n}@far.example", f"Message-ID: <m{n}@shop.example>") for n in range(5)]
    mails += [complaint(f"X-Mailhealth-Id: id-{n}") for n in (5, 6)]
    mails += [complaint(f"Feedback-ID: {NEWS}", to=f"u{n}@far.example") for n in (7, 8)] + [bounce("u9@far.example")]
    mails += [complaint(f"Feedback-ID: {NEWS}")] * 3 + [complaint()]
    found = shop.hears(*mails).attribution()
    assert found[["way", "events"]].to_numpy().tolist() == [
        ["message-id", 5], ["header", 2], ["feedback-id", 2], ["recipient-and-time", 1], ["campaign", 3], ["none", 1],
    ]  # fmt: skip
    far = attributed(found).set_index("to")
    assert far["events"].to_dict() == {"an id of the message": 7, "a message": 10, "a campaign": 13, "nothing": 1}
    assert far["total"].tolist() == [14] * 4
    assert [f"{share:.0%}" for share in far["share"]] == ["50%", "71%", "93%", "7%"]
    assert ((far["low"] < far["share"]) & (far["share"] < far["high"])).all()


def test_nothing_heard_is_attributed_to_an_unknown_share(tmp_path: Path) -> None:
    far = attributed(Numbers(Store(tmp_path)).attribution())
    assert far["events"].tolist() == [0, 0, 0, 0]
    assert far["share"].isna().all()


PMTA = """{"mta": "powermta", "timezone": "UTC"}
type,timeLogged,timeQueued,orig,rcpt,dsnStatus,dsnDiag,header_Message-Id,header_X-Shop-Mail,header_Feedback-ID,header_X-Mailhealth-Campaign
d,2026-11-02 09:00:03+0000,2026-11-02 09:00:01+0000,b@shop.example,anna@far.example,2.0.0,smtp;250 ok,<m1@shop.example>,47,autumn:shop,autumn
"""
SENDGRID = b'[{"event":"processed","email":"bo@far.example","timestamp":1793610000,"smtp-id":"<m2@shop.example>","X-Shop-Mail":"48","category":"winter"}]'
SES = b'{"eventType":"Send","mail":{"timestamp":"2026-11-02T09:00:00Z","messageId":"0102018b2f0d5d77-51b0a0ef","destination":["cy@far.example"],"headers":[{"name":"X-Shop-Mail","value":"49"},{"name":"Message-ID","value":"m3@shop.example"}],"tags":{"campaign":["spring"]}},"send":{}}'  # fmt: skip
POSTMARK = b'{"RecordType":"Delivery","MessageID":"1fb2d9be-e0a1-4f39-92ad-dd39a0b7d0e4","Recipient":"di@far.example","DeliveredAt":"2026-11-02T09:00:00Z","Metadata":{"x-shop-mail":"50"}}'  # fmt: skip


def test_logs_and_webhooks_name_it_as_tables_do(tmp_path: Path) -> None:
    use_headers(["X-Shop-Mail"])
    shop = Shop(tmp_path, "<m4@shop.example>,50,,di@far.example,2026-11-02T09:00:00Z,summer,newsletter")
    shop.store.inbox.keep(
        [
            Capture(PMTA.encode(), LOG, "log", DAY),
            Capture(SENDGRID, f"{WEBHOOK}sendgrid+json", "hooks", DAY),
            Capture(SES, f"{WEBHOOK}amazon-ses+json", "hooks", DAY),
            Capture(POSTMARK, f"{WEBHOOK}postmark+json", "hooks", DAY),
        ]
    )
    numbers = shop.hears(*(complaint(f"X-Shop-Mail: {n}") for n in (47, 48, 49)))
    assert count(numbers, "complaint") == {"autumn": 1, "winter": 1, "spring": 1}
    assert (ways(numbers), ways(numbers, "hooks")) == ({"header": 3}, {"header": 1})


def test_a_returned_message_tells_the_providers_own_id(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    sends = [f",{i},{to}@far.example,{DAY.isoformat()}" for i, to in (("0102018b2f0d5d77-51b0a0ef", "cy"), ("1fb2d9be-e0a1", "di"))]
    rows(store, tmp_path, "sends", "sent", "message_id,provider_message_id,recipient,at", sends)
    store.inbox.keep([
        Capture(complaint("Message-ID: <0102018b2f0d5d77-51b0a0ef@eu-west-1.amazonses.com>"), MESSAGE, "mail", DAY),
        Capture(complaint("X-PM-Message-Id: 1fb2d9be-e0a1", "Message-ID: <1fb2d9be-e0a1@mtasv.example>"), MESSAGE, "mail", DAY),
    ])  # fmt: skip
    flush(store)
    assert ways(Numbers(store)) == {"message-id": 2}, "the sends have no other Message-ID than the one that they came back with"


def test_the_providers_own_id_finds_a_send_whose_message_id_the_provider_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    rows(store, tmp_path, "sends", "sent", "message_id,provider_message_id,recipient,at", [f"m1@shop.example,1fb2d9be,di@far.example,{DAY.isoformat()}"])  # fmt: skip
    rows(store, tmp_path, "opens", "opened", "provider_message_id,recipient,at", [f"1fb2d9be,di@far.example,{DAY.isoformat()}"])
    mail = complaint("X-PM-Message-Id: 1fb2d9be", "Message-ID: <1fb2d9be@mtasv.example>")
    store.inbox.keep([Capture(mail, MESSAGE, "mail", DAY)])
    flush(store)
    numbers = Numbers(store)
    assert ways(numbers) == ways(numbers, "opens") == {"provider-id": 1}
    assert numbers.measure(["sent"])["numerator"].tolist() == [1]


def test_no_header_is_read_before_it_is_asked_for() -> None:
    about = parse_message(complaint("X-Mailhealth-Id: 47")).original
    with pytest.raises(AttributeError):
        object.__getattribute__(about, "header_id")
    assert about.header_id == "47"


def test_the_first_name_that_has_a_value_decides_and_long_values_are_bounded() -> None:
    mail = complaint("X-Job: 7", "X-Mailhealth-Id:  ", "X-Msg-Id: " + "9" * 5000)
    assert parse_message(mail).original.header_id == "9" * 400
    use_headers(["X-Job", "X-Msg-Id"])
    assert parse_message(mail).original.header_id == "7"
    use_headers([])
    assert parse_message(mail).original.header_id is None


def test_the_configuration_names_them_for_processes_begun_later_too(tmp_path: Path) -> None:
    file = tmp_path / "mailhealth.toml"
    file.write_text('[join]\nheaders = ["X-Shop-Mail", "X-Order"]\n')
    settings(file)
    assert header_names() == ("x-shop-mail", "x-order", "x-mailhealth-id")
    said = "from analyzer.parse.own import header_names; print(*header_names())"
    assert subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, env=os.environ).stdout.split() == list(
        header_names()
    )
    use_headers(None)
    assert HEADERS not in os.environ


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('header = ["X-Shop"]', "join.header: unknown key; did you mean 'headers'?"),
        ('headers = ["X-Shop: 1"]', "join.headers.0: "),
        ('headers = "X-Shop"', "join.headers: "),
    ],
)
def test_what_is_wrong_with_them_is_said(tmp_path: Path, line: str, sentence: str) -> None:
    from analyzer.config import ConfigError

    file = tmp_path / "mailhealth.toml"
    file.write_text(f"[join]\n{line}\n")
    with pytest.raises(ConfigError) as e:
        settings(file)
    assert f"{file}: {sentence}" in str(e.value)


def test_replay_finds_by_a_header_that_was_named_later(tmp_path: Path) -> None:
    shop = Shop(tmp_path, send(1, "anna@far.example", "47"), send(2, "bo@far.example", "48"))
    numbers = shop.hears(complaint("X-Shop-Mail: 48"))
    assert ways(numbers) == {"none": 1}
    use_headers(["X-Shop-Mail"])
    assert [c.changed for c in replay(shop.store)] == [{"header_id": (None, "48")}]
    assert ways(Numbers(shop.store)) == {"header": 1}
