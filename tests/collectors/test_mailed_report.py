"""The health report by mail: through real Postfix into real Dovecot, fetched and read back."""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analyzer.cli import main
from analyzer.health import percent
from analyzer.pipeline import flush
from analyzer.sources import TableSource
from analyzer.store import Store
from collectors.table import TableCollector
from tests.servers import until
from tests.servers.dovecot import PASSWORD, Mailbox
from tests.servers.postfix import Postfix, inbox_address, refused_address

Run = Callable[..., tuple[int, str]]

pytestmark = pytest.mark.servers


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`mailhealth report ...` over forty sends of yesterday: exit code and what was printed."""
    at = datetime.now(UTC).replace(hour=0, minute=0) - timedelta(hours=12)
    store = Store(tmp_path / "store")
    rows = {
        "sent": [f"m{n}@shop.example,u{n}@gmail.com,{at:%FT%TZ},Herbst & Winter," for n in range(40)],
        "delivered": [f"m{n}@shop.example,u{n}@gmail.com,{at:%FT%TZ},," for n in range(33)],
        "bounced": [f"m{n}@shop.example,u{n}@gmail.com,{at:%FT%TZ},,550 5.1.1 no such user" for n in range(33, 39)],
    }
    for kind, lines in rows.items():
        path = tmp_path / f"{kind}.csv"
        path.write_text("\n".join(["message_id,recipient,at,campaign,reply", *lines]) + "\n")
        collector = TableCollector(kind, TableSource.model_validate({"type": "table", "path": path, "kind": kind}))
        collector.collect(store.inbox.keep, partial(store.inbox.cursor, kind))
    flush(store)

    def call(*args: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["-c", str(tmp_path / "mailhealth.toml"), "report", *args])
        out, err = capsys.readouterr()
        assert PASSWORD not in out + err
        assert isinstance(ended.value.code, int)
        return ended.value.code, out + err

    return call


def configure(folder: Path, postfix: Postfix, user: str, sender: str, *recipients: str) -> None:
    text = f"""
store = "store"
[smtp.main]
host = "localhost"
port = {postfix.port}
ca_file = "{postfix.ca}"
user = "{user}"
password = "{PASSWORD}"
[report]
sender = "{sender}"
recipients = {json.dumps(recipients)}
via = "main"
"""
    (folder / "mailhealth.toml").write_text(text)


def arrived(mailbox: Mailbox) -> EmailMessage:
    """The one message that is in the mailbox, as the standard library reads it."""
    until(mailbox.state, 30, "the report")
    with mailbox.client() as client:
        client.select_folder("INBOX", readonly=True)
        (got,) = client.fetch(client.search(), [b"BODY.PEEK[]"]).values()
    return email.message_from_bytes(got[b"BODY[]"], policy=email.policy.default)


def shown(metric: dict[str, Any]) -> list[str]:
    """The figures of one metric as people read them."""
    count = "{:,.0f}".format
    if metric["unit"] == "count":
        return [count(metric["numerator"])]
    if metric["value"] is None:
        return ["not known"]
    n = f"{count(metric['numerator'])} of {count(metric['denominator'])}"
    return [percent(metric["value"]), f"{percent(metric['low'])} to {percent(metric['high'])}", n]


def cells(row: str, mark: str) -> list[str]:
    return [html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row.split(mark)]


def test_it_arrives_whole_with_the_figures_of_the_json_form(tmp_path: Path, postfix: Postfix, mailbox: Mailbox, run: Run) -> None:
    configure(tmp_path, postfix, mailbox.user, "Mail Health <health@shop.example>", f"Jörg <{inbox_address(mailbox)}>")
    code, said = run("--period", "week", "--mail")
    assert code == 0
    assert said.startswith(f"Mailed to {inbox_address(mailbox)}: 250 2.0.0 Ok")
    content = json.loads(run("--period", "week", "--format", "json")[1])
    assert {m["metric"]: m["numerator"] for m in content["metrics"]}.items() >= {"sent": 40, "hard": 6, "accepted": 33}.items()

    message = arrived(mailbox)
    assert message["Subject"] == f"Mail health, {content['period']}: {content['findings'][0]['title']}"
    text, page = message.get_body(("plain",)), message.get_body(("html",))
    assert [part.get_content_type() for part in message.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert text is not None
    assert page is not None
    for lines, mark in ((text.get_content().splitlines(), "|"), (page.get_content().split("<tr>"), "</td>")):
        rows = [cells(line, mark) for line in lines]
        for metric in content["metrics"]:
            (row,) = [r for r in rows if metric["title"] in r]
            for figure in shown(metric):
                assert any(cell.startswith(figure) for cell in row), (metric["metric"], figure, row)
        assert any(content["headline"] in html.unescape(line) for line in lines)


def test_its_headers_are_right(tmp_path: Path, postfix: Postfix, mailbox: Mailbox, run: Run) -> None:
    configure(tmp_path, postfix, mailbox.user, "Mail Health <health@shop.example>", f"Jörg <{inbox_address(mailbox)}>")
    run("--mail")
    message = arrived(mailbox)
    assert not message.defects
    assert message["Return-Path"] == "<health@shop.example>"
    assert str(message["From"]) == "Mail Health <health@shop.example>"
    (to,) = message["To"].addresses
    assert (to.display_name, to.addr_spec) == ("Jörg", inbox_address(mailbox))
    assert message["Date"].datetime.utcoffset() == timedelta(0)
    assert abs(message["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=10)
    assert re.fullmatch(r"<[^<>@\s]+@shop\.example>", message["Message-ID"])
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["MIME-Version"] == "1.0"
    for name in ("From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version"):
        assert len(message.get_all(name)) == 1, name


def test_one_recipient_who_is_refused_is_named_and_the_other_gets_it(tmp_path: Path, postfix: Postfix, mailbox: Mailbox, run: Run) -> None:
    configure(tmp_path, postfix, mailbox.user, "health@shop.example", inbox_address(mailbox), refused_address(mailbox))
    code, said = run("--mail")
    assert code == 2
    assert f"Mailed to {inbox_address(mailbox)}:" in said
    assert f"not taken for {refused_address(mailbox)}: 554 5.7.1" in said
    assert arrived(mailbox)["Subject"]


def test_an_address_that_is_none_is_a_sentence_and_nothing_is_sent(tmp_path: Path, postfix: Postfix, mailbox: Mailbox, run: Run) -> None:
    configure(tmp_path, postfix, mailbox.user, "health@shop.example", inbox_address(mailbox), "the team")
    code, said = run("--mail")
    assert code == 2
    assert "report.recipients: expected a mail address such as" in said
    assert "found 'the team'" in said
    assert mailbox.state() == {}
