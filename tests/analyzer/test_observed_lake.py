"""What receivers counted, in the lake: beside what an older store holds, counted among the events, and in no rate of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from analyzer import lake
from analyzer.lake import EVENT_SCHEMA
from analyzer.metrics import Numbers
from analyzer.model import MESSAGE, Capture, Kind
from analyzer.pipeline import flush
from analyzer.replay import replay
from analyzer.sources import FilesSource
from analyzer.store import Store
from collectors.files import FilesCollector
from tests.analyzer.parse.receiver_reports import NOW, aggregate, gzipped, mailed, policy, record, tls_report, zipped

MAIL = b"From: anna@x.example\nSubject: hello\n\nGood morning.\n"


def keep(store: Store, data: bytes) -> None:
    store.inbox.keep([Capture(data, MESSAGE, "mail", datetime.now(UTC))])
    flush(store)


def test_a_store_from_before_is_read_filled_and_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "store")
    old = lake.pa.schema([f for f in EVENT_SCHEMA if f.name not in {"measure", "messages"}])
    with monkeypatch.context() as before:
        before.setattr(lake, "EVENT_SCHEMA", old)
        before.setitem(lake.SCHEMAS, "events", old)
        keep(store, MAIL)
    assert "messages" not in {f.name for f in lake.DeltaTable(store.lake.path / "events").schema().fields}
    numbers = Numbers(store)
    assert numbers.freshness()["events"].tolist() == [1]
    assert list(replay(store, dry_run=True)) == []
    keep(store, mailed(gzipped(aggregate(record(count=400)))))
    numbers.refresh()
    assert numbers.freshness()["events"].tolist() == [2]
    told = [row for row in store.lake.rows("events") if row["kind"] == Kind.OBSERVED.value]
    assert [(r["measure"], r["messages"], r["sending_ip"], r["sending_domain"], r["reporting_mta"]) for r in told] == [
        ("dmarc", 400.0, "203.0.113.9", "shop.example", "google.com")
    ]
    assert numbers.measure(["sent", "bounce"])["numerator"].tolist() == [0, 0], "they are messages of no send log"
    assert list(replay(store)) == []


def test_reports_saved_as_files_are_taken_in(tmp_path: Path) -> None:
    folder, xml = tmp_path / "reports", aggregate(record())
    folder.mkdir()
    name = "google.com!shop.example!1!2"
    for suffix, data in {".xml": xml, ".xml.gz": gzipped(xml), ".zip": zipped(xml), ".json": tls_report(policy(5, 0)), ".json.gz": gzipped(tls_report(policy(6, 0)))}.items():  # fmt: skip
        (folder / f"{name}{suffix}").write_bytes(data)
    (folder / "settings.json").write_bytes(b"{}")
    (folder / "mail.eml").write_bytes(MAIL)
    store = Store(tmp_path / "store")
    collector = FilesCollector("reports", FilesSource(type="files", path=folder))
    collector.collect(store.inbox.keep, partial(store.inbox.cursor, "reports"))
    flush(store)
    found = sorted((r["parser"], r["kind"], r["messages"]) for r in store.lake.rows("events"))
    # .xml and .xml.gz hold the same bytes, and are one capture
    assert found == [("dmarc", "observed", 400.0)] * 2 + [
        ("none", "not-a-report", None),
        ("tls", "observed", 5.0),
        ("tls", "observed", 6.0),
    ]


def test_a_mail_with_a_report_keeps_its_time_of_arrival_and_the_row_its_day() -> None:
    from analyzer.pipeline import derive

    (event,), _ = derive(Capture(mailed(gzipped(aggregate(record()))), MESSAGE, "mail", NOW), b"k" * 32)
    assert (event.at, event.received_at) == (datetime(2026, 11, 24, tzinfo=UTC), NOW)
