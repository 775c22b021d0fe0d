"""The simulated month: the same for the same seed, true to its stories, and readable by its own configuration."""

from __future__ import annotations

import csv
import email
import hashlib
import json
import mailbox
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from analyzer import config
from analyzer.demo import CONFIG, MARKER, DemoError, DemoPlan, prepare, write
from analyzer.demo.shop import DAYS
from analyzer.model import Kind
from analyzer.sources import FilesSource, StatisticsSource, TableSource

UNTIL = date(2026, 11, 23)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> DemoPlan:
    return write(tmp_path_factory.mktemp("month"), 7, 50_000, until=UNTIL)


def fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="ascii", newline="") as file:
        if name.endswith(".jsonl"):
            return [json.loads(line) for line in file]
        return list(csv.DictReader(file))


def test_same_seed_same_bytes_and_another_seed_other_bytes(tmp_path: Path) -> None:
    months = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, seed, 1000, until=UNTIL)
        months.append(fingerprint(tmp_path / name))
    assert months[0] == months[1] != months[2]


def test_its_configuration_names_every_table_and_mailbox(plan: DemoPlan) -> None:
    sources = config.load(plan.config).sources
    named = {source.path.name for source in sources.values() if isinstance(source, TableSource | FilesSource | StatisticsSource)}
    assert named == {path.name for path in plan.folder.iterdir()} - {CONFIG, MARKER}
    for source in sources.values():
        if isinstance(source, TableSource):
            assert set(source.columns.values()) <= set(rows(plan.folder, source.path.name)[0]), source.path.name


def test_sends_are_as_many_as_asked_for_each_with_an_id_of_its_own_within_the_month(plan: DemoPlan) -> None:
    alder, birch, cedar = (rows(plan.folder, n) for n in ("alder-sent.csv", "birch-sent.csv", "cedar-sent.jsonl"))
    ids = [r["message_id"] for r in alder] + [r["Message-ID"].strip("<>") for r in birch] + [r["id"] for r in cedar]
    assert len(set(ids)) == len(ids) == plan.truth.sent == 50_000
    times = [datetime.fromisoformat(r["at"]) for r in alder]
    assert times == sorted(times)
    assert plan.start == UNTIL - timedelta(days=DAYS)
    assert all(plan.start <= at.date() < UNTIL for at in times)


def test_every_send_is_delivered_returned_or_pending(plan: DemoPlan) -> None:
    delivered = {row["message_id"] for row in rows(plan.folder, "delivered.csv")}
    returned = {mail.message_id for mail in plan.mails if mail.kind == Kind.BOUNCED}
    truth = plan.truth
    assert len(delivered) == truth.delivered
    assert len(returned) == truth.bounced == sum(truth.bounced_by_reason.values()) == sum(truth.bounced_by_severity.values())
    assert len(delivered - returned) == truth.accepted
    assert truth.sent - len(delivered | returned) == truth.pending


def test_nothing_is_opened_clicked_or_bought_that_did_not_arrive(plan: DemoPlan) -> None:
    delivered = {row["message_id"]: row["at"] for row in rows(plan.folder, "delivered.csv")}
    for name, at in (("opened.jsonl", "ts"), ("clicked.csv", "at"), ("unsubscribed.csv", "at"), ("orders.csv", "at")):
        for row in rows(plan.folder, name):
            assert row[at] > delivered[row["message_id"]], name


def test_the_block_begins_at_0940_on_one_address_and_spares_everybody_but_microsoft(plan: DemoPlan) -> None:
    block = plan.truth.block
    sent = {row["message_id"]: row for row in rows(plan.folder, "alder-sent.csv")}
    blocked = [mail for mail in plan.mails if mail.reason == block.reason]
    assert len({mail.message_id for mail in blocked}) == block.count > 20
    assert (block.started.hour, block.started.minute, block.started.tzinfo) == (9, 40, UTC)
    for mail in blocked:
        row = sent[mail.message_id or ""]
        assert row["sending_ip"] == block.where["sending_ip"]
        assert row["recipient"].partition("@")[2] in {"outlook.com", "hotmail.com", "outlook.de", "live.com"}
        assert datetime.fromisoformat(row["at"]) >= block.started


def test_the_dmarc_break_lasts_two_days_and_is_gmails_and_one_domains(plan: DemoPlan) -> None:
    dmarc = plan.truth.dmarc
    assert dmarc.ended is not None
    assert dmarc.ended - dmarc.started == timedelta(days=2)
    sent = {row["Message-ID"].strip("<>"): row for row in rows(plan.folder, "birch-sent.csv")}
    broken = {mail.message_id or "" for mail in plan.mails if mail.reason == dmarc.reason}
    assert len(broken) == dmarc.count > 10
    for message_id in broken:
        assert sent[message_id]["Header-From"].endswith(f"@{dmarc.where['sending_domain']}")
        assert dmarc.started <= datetime.fromisoformat(sent[message_id]["Date"]).replace(tzinfo=UTC) < dmarc.ended


def test_the_mailboxes_hold_each_mail_and_a_few_twice(plan: DemoPlan) -> None:
    box = mailbox.mbox(plan.folder / "returned.mbox", create=False)
    maildir = list((plan.folder / "complaints" / "new").iterdir())
    assert len(box) + len(maildir) == len(plan.mails)
    assert len(maildir) == plan.truth.complained
    assert len({mail.data for mail in plan.mails}) == plan.truth.mails < len(plan.mails)


def test_every_form_of_mail_is_there(plan: DemoPlan) -> None:
    forms = {mail.form for mail in plan.mails}
    assert forms >= {"postfix", "exim", "exim-prose", "sendmail", "ses", "microsoft365", "exchange", "google", "qmail"}
    assert forms >= {"postfix-warning", "exim-warning", "arf", "jmrp", "ticket", "unsubscribe", "mdn", "person"}
    assert forms >= {"vacation-english", "vacation-german", "vacation-japanese"}


def test_only_a_folder_that_the_demo_made_is_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("keep me")
    with pytest.raises(DemoError, match="left alone"):
        prepare(mine)
    assert (mine / "letter.txt").read_text() == "keep me"
    made = tmp_path / "made"
    prepare(made)
    write(made, 7, 1000, until=UNTIL)
    prepare(made)
    assert list(made.iterdir()) == []
    link = tmp_path / "link"
    link.symlink_to(made)
    with pytest.raises(DemoError, match="not a folder"):
        prepare(link)


def test_a_month_of_too_few_sends_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="at least 1000 sends"):
        write(tmp_path, 7, 999, until=UNTIL)


def test_the_reports_are_well_formed_to_a_reader_of_another_house(plan: DemoPlan) -> None:
    """Python's own email package finds the recipient and the returned Message-ID where RFC 3464 and RFC 6522 put them."""
    seen = set()
    for mail in plan.mails:
        if (mail.form, mail.reason) in seen or b"report-type=delivery-status" not in mail.data:
            continue
        seen.add((mail.form, mail.reason))
        message = email.message_from_bytes(mail.data)
        _, status, original = message.get_payload()
        of_recipient = status.get_payload()[1]
        assert of_recipient["Final-Recipient"].partition(";")[2].strip().lower() == (mail.recipient or "").lower()
        assert of_recipient["Action"] == ("delayed" if mail.kind == Kind.DELAYED else "failed")
        returned = original.get_payload()
        headers = email.message_from_string(returned) if isinstance(returned, str) else returned[0]
        assert headers["Message-ID"] == f"<{mail.message_id}>"
        assert not message.defects, mail.form
    assert len({form for form, _ in seen}) == 9
