"""Logs of KumoMTA and PowerMTA, and what every reader of logs must stand."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.model import LOG, Capture, Kind, Stage
from analyzer.parse import parse
from analyzer.parse.logs import READERS, others
from analyzer.pipeline import derive
from tests.analyzer.parse.test_logs import ARRIVED, exim, one, postfix, read, told

# --- KumoMTA ---------------------------------------------------------------------------------------------------------------


def record(kind: str = "Delivery", **changes: Any) -> str:
    event = {
        "type": kind, "id": "1d98076abbbc11ed940250ebf67f93bd", "sender": "b+1@bounces.shop.example", "recipient": "a@b.example",
        "queue": "spring:shop@b.example", "site": "shop->mx.b.example", "size": 812,
        "response": {"code": 250, "enhanced_code": {"class": 2, "subject": 0, "detail": 0}, "content": "OK", "command": "."},
        "peer_address": {"name": "mx.b.example", "addr": "192.0.2.1"}, "timestamp": 1793527203, "created": 1793527200, "num_attempts": 0,
        "bounce_classification": "Uncategorized", "egress_pool": "shop", "egress_source": "ip17", "source_address": {"address": "192.0.2.17:4711"},
        "feedback_report": None, "meta": {}, "headers": {"Message-ID": "<one@shop.example>", "From": "Shop <orders@shop.example>", "X-Mailhealth-Type": "receipt"},
        "delivery_protocol": "ESMTP", "reception_protocol": "ESMTP", "nodeid": "d8e014c7-eaeb-4683-a56e-61324e91b1fc",
    }  # fmt: skip
    return json.dumps(event | changes) + "\n"


REFUSED = {"code": 550, "enhanced_code": {"class": 5, "subject": 1, "detail": 1}, "content": "no such user", "command": "RCPT TO:<a@b.example>"}  # fmt: skip


def test_kumomtas_records_tell_fate_reply_and_message() -> None:
    report = read("kumomta", record("Reception") + record() + record("TransientFailure", response=REFUSED | {"code": 450}) + record("Bounce", response=REFUSED))  # fmt: skip
    assert [o.kind for o in report.outcomes] == [Kind.SENT, Kind.DELIVERED, Kind.DELAYED, Kind.BOUNCED]
    assert report.parser == "kumomta"
    bounced = report.outcomes[-1]
    assert (bounced.diagnostic, bounced.status, bounced.stage) == ("550 5.1.1 no such user", "5.1.1", Stage.RCPT)
    about = bounced.original
    assert about and (about.message_id, about.campaign, about.mail_type) == ("one@shop.example", "spring", "receipt")
    assert about.provider_id == "1d98076abbbc11ed940250ebf67f93bd"


@pytest.mark.parametrize(("kind", "words"), [("Expiration", "message expired"), ("AdminBounce", "by an administrator")])
def test_what_kumomta_itself_gives_up_is_told_in_prose(kind: str, words: str) -> None:
    o = one("kumomta", record(kind))
    assert o.kind is Kind.BOUNCED and words in str(o.prose)


def test_what_log_hooks_send_and_reports_of_its_own_are_left_out() -> None:
    assert not read("kumomta", record(reception_protocol="LogRecord") + record(sender="")).outcomes
    assert read("kumomta", record("OOB", sender="")).outcomes


def test_header_fields_that_were_imported_into_meta_count_too() -> None:
    o = one("kumomta", record(headers={}, meta={"message_id": "<two@shop.example>", "x_mailhealth_campaign": "autumn"}))
    assert o.original and (o.original.message_id, o.original.campaign) == ("two@shop.example", "autumn")


def test_a_record_that_is_cut_is_counted_and_its_neighbours_stay() -> None:
    report = read("kumomta", record() + record()[:100] + "\n" + "a line of something else\n" + record())
    assert [o.kind for o in report.outcomes] == [Kind.DELIVERED, Kind.UNREADABLE, Kind.DELIVERED]
    assert one("kumomta", record()[:100] + "\n").kind is Kind.UNREADABLE


# --- PowerMTA --------------------------------------------------------------------------------------------------------------

NAMES = "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,dlvSourceIp,vmta,jobId,envId,queue,header_Message-Id"
QUEUED = "2026-11-01 10:00:00+0100"


def row(kind: str, diag: str = "smtp;250 2.0.0 OK", rcpt: str = "a@b.example", logged: str = "2026-11-01 10:00:03+0100", orig: str = "b+1@bounces.shop.example", orcpt: str = "", queued: str = QUEUED, id: str = "<one@shop.example>", status: str = "") -> str:  # fmt: skip
    return f"{kind},{logged},{queued},{orig},{rcpt},{orcpt},,{status},{diag},mx.b.example (192.0.2.1),,192.0.2.17,vmta1,job7,env1,b.example/vmta1,{id}\n"


@pytest.mark.parametrize(
    ("kind", "fate"),
    [("d", Kind.DELIVERED), ("delivery", Kind.DELIVERED), ("b", Kind.BOUNCED), ("t", Kind.DELAYED), ("rb", Kind.BOUNCED)],
)
def test_powermtas_records_tell_the_fate(kind: str, fate: Kind) -> None:
    said = '"smtp;550 5.1.1 ""gone"", unknown"' if fate is not Kind.DELIVERED else "smtp;250 2.0.0 OK"
    *sent, o = read("powermta", NAMES + "\n" + row(kind, said)).outcomes
    assert (o.kind, o.recipient, o.remote_mta) == (fate, "a@b.example", "mx.b.example")
    assert o.diagnostic == ('550 5.1.1 "gone", unknown' if fate is not Kind.DELIVERED else "250 2.0.0 OK")
    assert o.at == datetime(2026, 11, 1, 9, 0, 3, tzinfo=UTC)
    about = o.original
    assert about and (about.message_id, about.sender, about.sending_ip) == ("one@shop.example", "b+1@bounces.shop.example", "192.0.2.17")
    assert about.provider_id == about.envelope_id == "env1"
    # a message and recipient has one such record in all: it tells that it was sent as well
    assert [(s.kind, s.at, s.recipient) for s in sent] == ([(Kind.SENT, datetime(2026, 11, 1, 9, tzinfo=UTC), "a@b.example")] if kind[0] in "db" else [])  # fmt: skip


def test_powermtas_other_records() -> None:
    lines = row("r") + row("tq", rcpt="", orig="", id="") + row("d", orig="") + row("x") + row("f", orig="") + "not of its kind\n\n"
    report = read("powermta", lines, header=NAMES)
    assert told(report) == [("sent", "a@b.example"), ("other-report", None), ("complained", "a@b.example")]


def test_powermtas_times_names_and_originals() -> None:
    plain = row("t", logged="2026-11-01 10:00:03", orcpt="rfc822;Alias@d.example")
    o = one("powermta", plain, header=NAMES, timezone="Europe/Berlin", job_id="campaign")
    assert (o.at, o.recipient, o.final) == (datetime(2026, 11, 1, 9, 0, 3, tzinfo=UTC), "Alias@d.example", "a@b.example")
    assert o.original and (o.original.campaign, o.original.mail_type) == ("job7", None)
    assert one("powermta", row("t", logged="1793527203"), header=NAMES).at == datetime(2026, 11, 1, 10, 0, 3, tzinfo=UTC)
    told_type = one(
        "powermta", row("t", "", status='"5.4.4 (unable to route: no mail hosts for domain)"'), header=NAMES, job_id="mail_type"
    )
    assert told_type.original and told_type.original.mail_type == "job7"
    assert (told_type.status, told_type.diagnostic) == ("5.4.4", "5.4.4 (unable to route: no mail hosts for domain)")


def test_a_row_of_names_within_the_file_counts_from_there() -> None:
    report = read("powermta", "type,timeLogged,rcpt,orig\nt,1793527203,a@b.example,s@shop.example\n", header=NAMES)
    assert told(report) == [("delayed", "a@b.example")]


def test_a_row_that_cannot_be_read_is_counted_and_its_neighbours_stay() -> None:
    report = read("powermta", row("t") + row("t", logged="yesterday") + "t,short\n" + row("t"), header=NAMES)
    assert [o.kind for o in report.outcomes] == [Kind.DELAYED, Kind.UNREADABLE, Kind.UNREADABLE, Kind.DELAYED]
    assert "'yesterday' as its time, expected seconds since 1970" in str(report.outcomes[1].diagnostic)
    assert "no row of column names" in str(one("powermta", row("t")).diagnostic)


# --- all -------------------------------------------------------------------------------------------------------------------

LINES = {
    "postfix": postfix("message-id=<one@shop.example>", "cleanup") + postfix("to=<a@b.example>, orig_to=<c@b.example>, relay=mx.b.example[192.0.2.1]:25, conn_use=2, delay=1.5, delays=0.1/0/0.6/0.8, dsn=5.1.1, status=bounced (host mx.b.example[192.0.2.1] said: 550 5.1.1 no (in reply to RCPT TO command))"),
    "exim": exim('<= s@shop.example H=x (y) [192.0.2.9]:1 P=esmtp S=8 id=one@shop.example T="x" for a@b.example') + exim("** a@b.example <c@b.example> R=r T=t H=mx.b.example [192.0.2.1]: SMTP error from remote mail server after RCPT TO:<a@b.example>: 550 5.1.1 no"),
    "kumomta": record("Bounce", response=REFUSED) + record("Reception"),
    "powermta": NAMES + "\n" + row("b", "smtp;550 5.1.1 no"),
}  # fmt: skip


@pytest.mark.parametrize("mta", READERS)
def test_no_bytes_raise(mta: str) -> None:
    chance = random.Random(mta)
    good = LINES[mta].encode()
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.choice([0, 1, 1, 5, 40])] = chance.choice(
                [b"", b"\xff", b"\n", b'"', b"<", b": ", b"9" * 30, b" H=[", b"\x00", b"{", b"e400"]
            )
        capture = Capture(json.dumps({"mta": mta}).encode() + b"\n" + bytes(data), LOG, "log", ARRIVED)
        report = parse(capture)
        assert report.parser == mta
        derive(capture, b"k" * 32)


@given(head=st.binary(max_size=60), lines=st.binary(max_size=200))
def test_no_head_raises(head: bytes, lines: bytes) -> None:
    parse(Capture(head + b"\n" + lines, LOG, "log", ARRIVED))


@pytest.mark.parametrize("mta", READERS)
@pytest.mark.parametrize(
    "part", ["to=<", ">, orig_to=<", ">, relay=", " H=x [", " <", '"', " (", "=\\", ": host ", "status=", " after ", ", "]
)
def test_a_long_line_takes_no_time(mta: str, part: str) -> None:
    line = LINES[mta].strip().split("\n")[-1]
    began = time.monotonic()
    for at in (len(line) // 3, len(line) * 2 // 3):
        read(mta, line[:at] + part * (200_000 // len(part)) + line[at:] + "\n")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("mta", READERS)
def test_the_log_of_another_mail_server_is_recognised(mta: str) -> None:
    for said in READERS:
        capture = Capture(json.dumps({"mta": said}).encode() + b"\n" + LINES[mta].encode(), LOG, "log", ARRIVED)
        assert others(capture) == (None if said == mta else mta)
