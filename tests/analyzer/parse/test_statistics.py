"""What Google and Microsoft show their senders, as their files have it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import config
from analyzer.model import STATISTICS, Capture, Kind, Measure, Report
from analyzer.parse import parse
from analyzer.pipeline import derive, flush
from analyzer.store import Store
from collectors import build
from tests.analyzer.parse.receiver_reports import NOW

DAY = datetime(2026, 11, 24, tzinfo=UTC)
SNDS = (
    b"203.0.113.16,11/24/2026 12:00 AM,11/24/2026 11:59 PM,8120,8004,8011,GREEN,< 0.1%,,,0,out1.shop.example,bounces@shop.example,\r\n"
    b"203.0.113.17,11/24/2026 9:40 AM,11/24/2026 11:59 PM,1204,1100,1090,RED,3.2%,11/24/2026 8:07 PM,11/24/2026 9:03 PM,41,,,\r\n"
)


def read(data: bytes, provider: str, **more: Any) -> Report:
    return parse(Capture(json.dumps({"provider": provider, **more}).encode() + b"\n" + data, STATISTICS, "test", NOW))


def told(report: Report) -> list[tuple[str, Measure | None, Any, float | None]]:
    return [
        (o.original.sending_ip or (o.original.sender or "").lstrip("@"), o.measure, o.reply_type or o.value, o.messages)
        for o in report.outcomes
        if o.original and o.kind is Kind.OBSERVED
    ]


def unread(report: Report) -> list[str]:
    return [o.diagnostic or "" for o in report.outcomes if o.kind is Kind.UNREADABLE]


def test_snds_rows_tell_colour_traps_and_complaints_each_with_its_own_count() -> None:
    report = read(SNDS, "microsoft")
    assert told(report) == [
        ("203.0.113.16", Measure.FILTER_RESULT, "green", 8011.0),
        ("203.0.113.16", Measure.TRAP_HITS, None, 0.0),
        ("203.0.113.16", Measure.COMPLAINT_RATE, 0.001, 8011.0),
        ("203.0.113.17", Measure.FILTER_RESULT, "red", 1090.0),
        ("203.0.113.17", Measure.TRAP_HITS, None, 41.0),
        ("203.0.113.17", Measure.COMPLAINT_RATE, 0.032, 1090.0),
    ]
    assert report.outcomes[2].diagnostic == "< 0.1%", "a bound stays a bound"
    assert (report.outcomes[0].at, report.outcomes[3].at) == (DAY, DAY.replace(hour=9, minute=40))
    assert report.reporting_mta == "microsoft" and not unread(report)


def test_the_zone_of_snds_is_the_configured_one() -> None:
    assert read(SNDS, "microsoft", timezone="America/Los_Angeles").outcomes[0].at == DAY.replace(hour=8)


def test_a_header_that_somebody_put_above_is_no_row_and_a_bad_row_is_counted() -> None:
    bad = b"203.0.113.18,yesterday,,1,1,1,GREEN,,,,0,,,\nhello\n203.0.113.19,1,2\n203.0.113.20,11/24/2026 9:00 AM,,1,1,-1,PINK,,,,0,,,\n"
    report = read(b"IP Address,Activity start\n" + SNDS + bad, "microsoft")
    assert len(told(report)) == 6
    assert len(unread(report)) == 4


def test_a_day_without_enough_mail_is_an_empty_file_and_no_fault() -> None:
    assert (read(b"\r\n", "microsoft").kind, read(b"\r\n", "microsoft").outcomes) == (Kind.OTHER_REPORT, ())


def stat(metric: str, value: object, day: int = 24, domain: str = "shop.example") -> dict[str, Any]:
    return {"name": f"domains/{domain}/domainStats/x1", "metric": metric, "value": value, "date": {"year": 2026, "month": 11, "day": day}}


def test_the_answer_of_the_postmaster_api_is_read_one_query_or_a_batch() -> None:
    stats = {
        "domainStats": [stat("spam_rate", {"doubleValue": 0.0012}), stat("SPF_RATE", {"floatValue": 1}), stat("loops", {"stringList": {}})]
    }
    expected = [("shop.example", Measure.SPAM_RATE, 0.0012, None), ("shop.example", Measure.SPF_RATE, 1.0, None)]
    for form in (stats, {"results": [{"response": stats}]}):
        report = read(json.dumps(form, indent=1).encode(), "google")
        assert told(report) == expected and not unread(report)
        assert report.outcomes[0].at == DAY
    lines = b"\n".join(json.dumps({"domainStats": [s]}).encode() for s in stats["domainStats"])
    assert told(read(lines, "google")) == expected


def test_version_1_of_the_api_is_read_too() -> None:
    day = {
        "name": "domains/shop.example/trafficStats/20261124",
        "userReportedSpamRatio": 0.002,
        "dmarcSuccessRatio": 0.998,
        "domainReputation": "HIGH",
    }
    report = read(json.dumps({"trafficStats": [day]}).encode(), "google")
    assert told(report) == [("shop.example", Measure.SPAM_RATE, 0.002, None), ("shop.example", Measure.DMARC_RATE, 0.998, None)]


@pytest.mark.parametrize(
    "table",
    [
        b"Date,User-reported spam rate\n2026-11-24,0.12%\n",
        b"\xef\xbb\xbfDay;Spam rate\r\n11/24/2026;0.0012\r\n",
        b"domain\tdate\tuserReportedSpamRatio\nshop.example\t20261124\t1.2e-3\n",
        b'date,spam rate\n"Nov 24, 2026",0.12 %\n',
    ],
)
def test_tables_of_postmaster_tools_are_read(table: bytes) -> None:
    (row,) = told(read(table, "google", domain="Shop.example"))
    assert row[:2] == ("shop.example", Measure.SPAM_RATE) and row[2] == pytest.approx(0.0012)


@pytest.mark.parametrize(
    "table", [b"a,b\n1,2\n", b"date,spam rate\n2026-11-24,often\n", b"date,spam rate\nsoon,0.1%\n", b"date,spam rate\n2026-11-24,12\n"]
)
def test_what_is_no_such_table_is_said(table: bytes) -> None:
    report = read(table, "google", domain="shop.example")
    assert not told(report) and unread(report)


def test_numbers_that_can_be_none_are_unread() -> None:
    for value in ({"doubleValue": 7}, {"doubleValue": "NaN"}, {}, None, {"stringValue": "x"}, {"doubleValue": True}):
        report = read(json.dumps(stat("spam_rate", value)).encode(), "google")
        assert not told(report) and len(unread(report)) == 1, value
    assert "no day is told" in unread(read(json.dumps(stat("spam_rate", {"doubleValue": 0}) | {"date": None}).encode(), "google"))[0]


def test_a_folder_of_them_is_a_source(tmp_path: Path) -> None:
    (tmp_path / "snds").mkdir()
    (tmp_path / "snds" / "2026-11-24.csv").write_bytes(SNDS)
    (tmp_path / "gpt.json").write_bytes(json.dumps({"domainStats": [stat("spam_rate", {"doubleValue": 0.001})]}).encode())
    (tmp_path / "mailhealth.toml").write_text(
        "[sources.snds]\ntype = 'receiver-statistics'\nprovider = 'microsoft'\npath = 'snds'\n"
        "[sources.google]\ntype = 'receiver-statistics'\nprovider = 'google'\npath = 'gpt.json'\n"
    )
    settings_, store = config.load(tmp_path / "mailhealth.toml"), Store(tmp_path / "store")
    for _ in range(2):
        for name, source in settings_.sources.items():
            build(name, source).collect(store.inbox.keep, partial(store.inbox.cursor, name))
        flush(store)
    found = [(r["source"], r["reporting_mta"], r["measure"], r["reason"]) for r in store.lake.rows("events") if r["measure"] != "trap-hits"]
    assert sorted(found, key=str) == [
        ("google", "google", "spam-rate", None),
        ("snds", "microsoft", "complaint-rate", None),
        ("snds", "microsoft", "complaint-rate", None),
        ("snds", "microsoft", "filter-result", "green"),
        ("snds", "microsoft", "filter-result", "red"),
    ]


@settings(max_examples=300)
@given(st.data())
def test_no_bytes_make_reading_fail(data: st.DataObject) -> None:
    found = bytearray(
        data.draw(
            st.sampled_from(
                [SNDS, json.dumps({"domainStats": [stat("spam", {"doubleValue": 0.1})]}).encode(), b"date,spam rate\n2026-11-24,0.1%\n"]
            )
        )
    )
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(found)))
        piece = st.one_of(
            st.binary(max_size=6), st.sampled_from([b'"', b"{", b"[", b"}", b"NaN", b"9" * 30, b"-1", b"1e99", b",", b"\n", b"null"])
        )
        found[at : at + data.draw(st.integers(0, 12))] = data.draw(piece)
    for provider in ("google", "microsoft"):
        report = read(bytes(found), provider, domain="shop.example")
        assert all(o.value is None or 0 <= o.value <= 1 for o in report.outcomes)
        capture = Capture(json.dumps({"provider": provider}).encode() + b"\n" + bytes(found), STATISTICS, "test", NOW)
        assert not any("Mailhealth failed" in (e.why or "") for e in derive(capture, b"k" * 32)[0])
