"""Numbers and findings of what receivers counted, by worked examples with small whole numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from analyzer import observed
from analyzer.health import Finding, findings
from analyzer.metrics import Numbers, Period
from analyzer.model import MESSAGE, RECEIVER_REPORT, ROWS, STATISTICS, Capture, Measure
from analyzer.pipeline import flush
from analyzer.standing import standing
from analyzer.store import Store
from tests.analyzer.parse.receiver_reports import BEGIN, FAILURE, NOW, aggregate, detail, gzipped, mailed, policy, record, tls_report
from tests.analyzer.parse.test_statistics import SNDS, stat

OURS, STRANGE = "203.0.113.9", "198.51.100.7"
SENDS = (
    b'{"kind": "sent", "format": "csv", "columns": {}, "header": ["message_id", "recipient", "at", "sending_ip"], "delimiter": ","}\n'
    b"m1@shop.example,anna@x.example,2026-11-24T10:00:00Z,203.0.113.9\n"
)
Filled = Callable[..., Numbers]


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    """Numbers over a store of these captures, in the order in which they came."""

    def fill(*bodies: tuple[bytes, str]) -> Numbers:
        store = Store(tmp_path / "store")
        store.inbox.keep([Capture(data, media, "test", NOW + timedelta(seconds=n)) for n, (data, media) in enumerate(bodies)])
        flush(store)
        return Numbers(store)

    return fill


def report(data: bytes) -> tuple[bytes, str]:
    return data, RECEIVER_REPORT


def statistics(provider: str, data: bytes) -> tuple[bytes, str]:
    return json.dumps({"provider": provider}).encode() + b"\n" + data, STATISTICS


GOOGLE = aggregate(
    record(OURS, 90),
    record(OURS, 10, spf="fail", dkim="fail", disposition="none"),
    record(STRANGE, 30, spf="fail", dkim="fail", disposition="reject"),
)
YAHOO = aggregate(record(OURS, 50, dkim="fail"), record(STRANGE, 20, spf="fail", dkim="fail", disposition="quarantine"), org="Yahoo", begin=BEGIN + 86400, end=BEGIN + 2 * 86400 - 1)  # fmt: skip


def test_the_share_that_passes_is_a_sum_over_receivers_divided_last(filled: Filled) -> None:
    told = filled(report(GOOGLE), report(YAHOO)).observed()
    (whole,) = observed.dmarc(told).to_dict("records")
    assert (whole["passed"], whole["messages"], whole["share"]) == (140, 200, 0.7)
    assert (whole["failed"], whole["let_through"], whole["quarantined"], whole["rejected"]) == (60, 10, 20, 30)
    by = {row["ip"]: (row["passed"], row["messages"]) for row in observed.dmarc(told, ["ip"]).to_dict("records")}
    assert by == {OURS: (140, 150), STRANGE: (0, 50)}
    assert observed.dmarc(told, ["reporter"])[["reporter", "messages"]].to_numpy().tolist() == [["Google", 130], ["Yahoo", 70]]
    assert observed.dmarc(told, ["day"])["day"].tolist() == [date(2026, 11, 24), date(2026, 11, 25)]


def test_what_nobody_told_of_has_no_row_and_is_not_0_percent(filled: Filled) -> None:
    told = filled((SENDS, ROWS)).observed()
    assert observed.dmarc(told).empty and observed.tls(told).empty and observed.tls_failures(told).empty
    assert observed.rates(told, Measure.SPAM_RATE).empty and observed.snds(told).empty
    with pytest.raises(ValueError, match="campaign"):
        observed.dmarc(told, ["campaign"])


def test_the_same_report_by_mail_and_as_a_file_counts_once(filled: Filled) -> None:
    told = filled(report(GOOGLE), (mailed(gzipped(GOOGLE)), MESSAGE), report(gzipped(GOOGLE))).observed()
    assert observed.dmarc(told)["messages"].tolist() == [130]


def test_statistics_that_were_saved_anew_take_the_place_of_what_was_known(filled: Filled) -> None:
    later = SNDS.replace(b"8011", b"9000").replace(b"RED,3.2%", b"YELLOW,1.2%")
    told = filled(statistics("microsoft", SNDS), statistics("microsoft", later)).observed()
    assert observed.snds(told)[["ip", "colour", "recipients", "complaints", "traps"]].to_numpy().tolist() == [
        ["203.0.113.16", "green", 9000, "< 0.1%", 0],
        ["203.0.113.17", "yellow", 1090, "1.2%", 41],
    ]


def test_a_period_and_a_domain_narrow_them(filled: Filled) -> None:
    numbers = filled(report(GOOGLE), report(YAHOO), report(aggregate(record(domain="news.shop.example", count=5), report_id="2")))
    day = Period(date(2026, 11, 25), date(2026, 11, 26))
    assert observed.dmarc(numbers.observed(period=day))["messages"].tolist() == [70]
    assert observed.dmarc(numbers.observed({"sending_domain": ["news.shop.example"]}))["messages"].tolist() == [5]


def test_tls_sessions_are_shared_out_and_failures_named(filled: Filled) -> None:
    told = filled(report(tls_report(policy(70, 30, detail(count=20), detail("starttls-not-supported", 10))))).observed()
    assert observed.tls(told)[["well", "messages", "share"]].to_numpy().tolist() == [[70, 100, 0.7]]
    assert observed.tls_failures(told)[["kind", "messages", "hosts"]].to_numpy().tolist() == [
        ["certificate-expired", 20, "mx1.mail.shop.example"],
        ["starttls-not-supported", 10, "mx1.mail.shop.example"],
    ]


def one(found: list[Finding], words: str) -> Finding:
    (finding,) = [f for f in found if words in f.title]
    return finding


def test_an_address_of_ours_that_fails_and_strangers_are_told_apart(filled: Filled) -> None:
    found = standing(filled((SENDS, ROWS), report(GOOGLE), report(YAHOO)))
    own = one(found, "our address")
    assert own.title == f"10 of 150 messages from our address {OURS} failed DMARC as shop.example, on 24 Nov, and pass again"
    assert own.level == "watch" and own.evidence == "Google 10 (10 let through)" and "sign with DKIM as shop.example" in own.next_step
    strange = one(found, STRANGE)
    assert (
        strange.title
        == f"50 messages from {STRANGE} that no send log of ours knows fail DMARC as shop.example; none of them was let through"
    )
    assert strange.level == "know" and "the policy protects you" in strange.next_step
    assert strange.evidence == f"{STRANGE} 50 (20 put into junk, 30 refused); told by Google, Yahoo"


def test_what_has_not_passed_since_is_to_be_acted_on(filled: Filled) -> None:
    later = aggregate(record(OURS, 5), begin=BEGIN + 86400, end=BEGIN + 2 * 86400, report_id="2")
    own = one(standing(filled((SENDS, ROWS), report(GOOGLE), report(later))), "our address")
    assert own.level == "act" and own.title == f"10 of 105 messages from our address {OURS} fail DMARC as shop.example, on 24 Nov"


def test_strangers_whose_mail_is_let_through_are_to_be_watched(filled: Filled) -> None:
    found = standing(
        filled(report(aggregate(record(STRANGE, 40, spf="fail", dkim="fail"), record("192.0.2.5", 5, spf="fail", dkim="fail"))))
    )
    (finding,) = found
    assert (
        finding.level == "watch"
        and "45 messages from 2 addresses that send as us" in finding.title
        and "all of them were let through" in finding.title
    )
    assert "on to quarantine" in finding.next_step


def test_a_few_broken_signatures_are_no_finding(filled: Filled) -> None:
    forwarded = aggregate(record(OURS, 990), record(OURS, 10, spf="fail", dkim="fail"), record(STRANGE, 9, spf="fail", dkim="fail"))
    assert standing(filled((SENDS, ROWS), report(forwarded))) == []


def test_failing_tls_names_host_and_step(filled: Filled) -> None:
    (finding,) = standing(filled(report(tls_report(policy(70, 30, detail(count=30))))))
    assert finding.title == "30 of 100 sessions with the mail hosts of shop.example failed: certificate expired"
    assert finding.level == "act" and finding.next_step.startswith("Renew the certificate of mx1.mail.shop.example.")


def test_tls_that_works_again_is_said_to(filled: Filled) -> None:
    well = tls_report(policy(50, 0), **{"date-range": {"start-datetime": "2026-11-25T00:00:00Z", "end-datetime": "2026-11-25T23:59:59Z"}})
    (finding,) = standing(filled(report(tls_report(policy(70, 30, detail(count=30)))), report(well)))
    assert finding.level == "watch" and finding.title.endswith(
        "30 of 150 sessions with the mail hosts of shop.example failed: certificate expired, and no more since"
    )


@pytest.mark.parametrize(("value", "level"), [(0.0009, None), (0.0015, "watch"), (0.003, "act")])
def test_googles_spam_rate_has_two_thresholds(filled: Filled, value: float, level: str | None) -> None:
    days = {"domainStats": [stat("spam_rate", {"doubleValue": 0.0002}, 23), stat("spam_rate", {"doubleValue": value})]}
    found = standing(filled(statistics("google", json.dumps(days).encode())))
    assert [f.level for f in found] == ([level] if level else [])
    if level:
        assert (
            "on 24 Nov" in found[0].title and "on 1 of 2 days" in found[0].evidence and "Google does not tell how many" in found[0].evidence
        )


def test_red_and_trap_hits_of_snds_are_findings(filled: Filled) -> None:
    found = standing(filled(statistics("microsoft", SNDS)))
    assert one(found, "colours").level == "act" and "203.0.113.17" in one(found, "colours").title
    assert one(found, "traps").title == "41 messages from 203.0.113.17 went to addresses that Microsoft keeps as traps"
    assert len(found) == 2


def test_findings_of_receivers_stand_among_all_others_and_leave_the_rates_alone(filled: Filled) -> None:
    numbers = filled((SENDS, ROWS), report(GOOGLE), (FAILURE, MESSAGE))
    assert any(f.receivers for f in findings(numbers))
    assert not any(f.receivers for f in findings(numbers, where={"campaign": ["winter"]})), "receivers know of no campaigns"
    assert numbers.measure(["sent"])["numerator"].tolist() == [1]
    assert numbers.span() == Period(date(2026, 11, 24), date(2026, 11, 25))
    failure = observed.of(numbers.observed(), Measure.DMARC_FAILURE)
    assert failure[["ip", "messages", "result"]].to_numpy().tolist() == [["192.0.2.77", 3, "dmarc=fail delivery=reject"]]
    assert failure["day"].tolist() == [datetime(2026, 11, 24, tzinfo=UTC).date()]
