"""An outcome finds its send by each id that it may carry; where an id could mean two messages, it means none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from analyzer.metrics import Numbers
from analyzer.model import LOG, MESSAGE, WEBHOOK, Capture
from analyzer.pipeline import flush
from analyzer.sources import TableSource
from analyzer.store import Store
from collectors.table import TableCollector

DAY = datetime(2026, 11, 2, 9, tzinfo=UTC)
LATER = (DAY + timedelta(hours=1)).isoformat()
DSN = b"""From: MAILER-DAEMON@mx.example
Subject: Undelivered Mail
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

The mail system
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Original-Envelope-Id: env-2

Final-Recipient: rfc822; u2@far.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <u2@far.example>: no such user

--b--
"""


def rows(store: Store, folder: Path, name: str, kind: str, header: str, lines: list[str]) -> None:
    path = folder / f"{name}.csv"
    path.write_text("".join(f"{line}\n" for line in (header, *lines)))
    TableCollector(name, TableSource.model_validate({"type": "table", "path": path, "kind": kind})).collect(
        store.inbox.keep, partial(store.inbox.cursor, name)
    )


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Six sends: u1 to u4 with all their ids, two of which share an envelope id; u5 and u6 have no Message-ID."""
    store = Store(tmp_path / "s")
    sends = [
        f"<m{n}@shop.example>,{'env-x' if n > 2 else f'env-{n}'},pid-{n},u{n}@far.example,{DAY.isoformat()},autumn" for n in (1, 2, 3, 4)
    ]
    sends += [f",,pid-{n},u{n}@far.example,{DAY.isoformat()},autumn" for n in (5, 6)]
    rows(store, tmp_path, "sends", "sent", "message_id,envelope_id,provider_message_id,recipient,at,campaign", sends)
    return store


def test_each_id_finds_the_send(store: Store, tmp_path: Path) -> None:
    rows(store, tmp_path, "log", "delivered", "message_id,provider_message_id,recipient,at", [
        f"m1@shop.example,,u1@far.example,{LATER}", f",pid-3,u3@far.example,{LATER}", f",pid-5,u5@far.example,{LATER}",
    ])  # fmt: skip
    rows(
        store, tmp_path, "envelopes", "bounced", "envelope_id,recipient,at,reply", [
            f"env-x,u4@far.example,{LATER},550 5.1.1 no such user", f"env-x,u1@far.example,{LATER},421 4.7.0 try again",
        ],
    )  # fmt: skip
    rows(store, tmp_path, "strange", "opened", "recipient,at", [f"nobody@far.example,{LATER}"])
    body = b'[{"event":"delivered","email":"u6@far.example","timestamp":%d,"sg_message_id":"pid-6.filter01"}]' % (DAY.timestamp() + 60)
    store.inbox.keep([Capture(DSN, MESSAGE, "bounces", DAY + timedelta(hours=2)), Capture(body, f"{WEBHOOK}sendgrid+json", "hooks", DAY)])
    flush(store)
    numbers = Numbers(store)
    frame = numbers.measure(["sent", "accepted", "hard"]).set_index("metric")["numerator"]
    assert frame.to_dict() == {"sent": 6, "accepted": 3, "hard": 2}
    found = {(r["source"], r["way"]): r["events"] for r in numbers.attribution().to_dict("records")}
    assert found == {
        ("bounces", "envelope-id"): 1,
        ("envelopes", "envelope-id"): 1,  # env-x is of two messages, and of one to u4
        ("envelopes", "recipient-and-time"): 1,  # and of none to u1
        ("hooks", "provider-id"): 1,
        ("log", "message-id"): 1,
        ("log", "provider-id"): 2,
        ("strange", "none"): 1,
    }
    assert numbers.attribution()["share"].tolist() == [1, 0.5, 0.5, 1, pytest.approx(1 / 3), pytest.approx(2 / 3), 1]


def test_nothing_kept_is_attributed_to_nothing(tmp_path: Path) -> None:
    assert Numbers(Store(tmp_path)).attribution().empty


def block(lines: str) -> bytes:
    return b'{"mta": "postfix", "timezone": "UTC"}\n' + lines.encode()


def test_an_attempt_in_a_later_block_of_a_log_finds_the_message_id_of_an_earlier_one(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    rows(store, tmp_path, "sends", "sent", "message_id,recipient,at", [f"m1@shop.example,u1@far.example,{DAY.isoformat()}"])
    first = "2026-11-02T09:00:01+00:00 mx1 postfix/cleanup[7]: 3F5A92C0D1: message-id=<m1@shop.example>\n"
    later = (
        "2026-11-02T09:05:01+00:00 mx1 postfix/smtp[8]: 3F5A92C0D1: to=<u1@far.example>, relay=mx.far.example[192.0.2.1]:25, delay=300, "
        "delays=0/0/150/150, dsn=5.1.1, status=bounced (host mx.far.example[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command))\n"
    )
    for lines in (first, later):
        store.inbox.keep([Capture(block(lines), LOG, "log", DAY + timedelta(hours=1))])
    flush(store)
    numbers = Numbers(store)
    assert numbers.measure(["sent", "hard"])["numerator"].tolist() == [1, 1]
    assert numbers.attribution()[["source", "way", "events"]].to_numpy().tolist() == [["log", "provider-id", 1]]
