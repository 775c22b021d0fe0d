"""What receivers tell in the simulated month, read by Mailhealth and, apart from it, by Python's own email, archive and XML packages."""

from __future__ import annotations

import csv
import gzip
import io
import json
import mailbox
import xml.etree.ElementTree as ET
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from analyzer import observed
from analyzer.demo import DemoPlan, write
from analyzer.demo.receivers import FORWARDER, SURVEYS
from analyzer.demo.shop import IPS
from analyzer.health import Finding, findings
from analyzer.metrics import Numbers
from analyzer.model import Measure
from tests.analyzer.demo.test_reading import taken_in

UNTIL = date(2026, 11, 23)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> DemoPlan:
    return write(tmp_path_factory.mktemp("counted"), 7, 6_000, until=UNTIL)


@pytest.fixture(scope="module")
def numbers(plan: DemoPlan) -> Iterator[Numbers]:
    with taken_in(plan) as store:
        yield Numbers(store)


def opened(message: mailbox.mboxMessage) -> bytes:
    data = message.get_payload(decode=True)
    assert isinstance(data, bytes)
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(archive.namelist()[0])
    return gzip.decompress(data)


def test_dmarc_is_what_a_plain_count_of_the_xml_says(plan: DemoPlan, numbers: Numbers) -> None:
    counts: Counter[tuple[str, date, str, str]] = Counter()
    passed: Counter[tuple[str, date, str, str]] = Counter()
    for message in mailbox.mbox(plan.folder / "reports.mbox", create=False):
        data = opened(message)
        if not data.startswith(b"<"):
            continue
        root = ET.fromstring(data)
        org, begin = root.findtext("report_metadata/org_name") or "", int(root.findtext("report_metadata/date_range/begin") or 0)
        for record in root.iter("record"):
            key = (
                org,
                datetime.fromtimestamp(begin, UTC).date(),
                record.findtext("row/source_ip") or "",
                record.findtext("identifiers/header_from") or "",
            )
            count = int(record.findtext("row/count") or 0)
            counts[key] += count
            results = [record.findtext(f"row/policy_evaluated/{name}") for name in ("dkim", "spf")]
            passed[key] += count if "pass" in results else 0
    names = {"google.com": "Google", "Yahoo": "Yahoo", "Outlook.com": "Microsoft", "GMX": "GMX & web.de"}
    told = numbers.observed()
    found = {(r["reporter"], r["day"], r["ip"], r["domain"]): (r["messages"], r["passed"]) for r in observed.dmarc(told, ["reporter", "day", "ip", "domain"]).to_dict("records")}  # fmt: skip
    assert found == {
        (names[org], day, ip, domain): (counts[org, day, ip, domain], passed[org, day, ip, domain]) for org, day, ip, domain in counts
    }
    (whole,) = observed.dmarc(told).to_dict("records")
    truth = plan.truth.counted
    assert (whole["messages"], whole["passed"]) == (truth.messages, truth.passed)
    own = observed.dmarc(told, ["ip"])
    assert own[own["ip"].isin(IPS)]["messages"].sum() > 1_000
    assert own[~own["ip"].isin([*IPS, FORWARDER])]["failed"].sum() == truth.strange > 0


def test_tls_is_what_the_json_says(plan: DemoPlan, numbers: Numbers) -> None:
    well = failed = 0
    for message in mailbox.mbox(plan.folder / "reports.mbox", create=False):
        data = opened(message)
        if data.startswith(b"{"):
            summary = json.loads(data)["policies"][0]["summary"]
            well += summary["total-successful-session-count"]
            failed += summary["total-failure-session-count"]
    (whole,) = observed.tls(numbers.observed()).to_dict("records")
    assert (whole["well"], whole["failed"]) == (well, failed) and failed > 0
    assert (whole["messages"], whole["well"]) == (plan.truth.counted.sessions, plan.truth.counted.secured)


def test_snds_and_postmaster_tools_are_what_their_files_say(plan: DemoPlan, numbers: Numbers) -> None:
    told = numbers.observed()
    lines = [row for file in sorted((plan.folder / "snds").iterdir()) for row in csv.reader(io.StringIO(file.read_text()))]
    expected = sorted((r[0], datetime.strptime(r[1][:10], "%m/%d/%Y").date(), r[6].lower(), float(r[5]), float(r[10])) for r in lines)
    found = observed.snds(told)[["ip", "day", "colour", "recipients", "traps"]]
    assert sorted(found.itertuples(index=False, name=None)) == expected
    stats = json.loads((plan.folder / "postmaster.json").read_text())["domainStats"]
    rates = observed.rates(told, Measure.SPAM_RATE)
    assert sorted(rates["value"]) == sorted(s["value"]["doubleValue"] for s in stats)


def one(found: list[Finding], words: str) -> Finding:
    (finding,) = [f for f in found if f.receivers and words in f.title]
    return finding


def test_the_stories_of_the_month_are_found(plan: DemoPlan, numbers: Numbers) -> None:
    found = findings(numbers)
    strange = one(found, "no send log")
    assert "lindenshop.example; all of them were let through" in strange.title and strange.count == plan.truth.counted.strange
    assert strange.evidence.startswith(SURVEYS)
    assert "certificate expired" in one(found, "sessions").title and "mx2.lindenshop.example" in one(found, "sessions").next_step
    assert plan.truth.block.where["sending_ip"] in one(found, "Microsoft colours").title
    assert "0.21%" in one(found, "spam rate").title and one(found, "spam rate").level == "watch"
    assert plan.truth.dmarc.where["sending_domain"] in one(found, "from our address").title


def test_no_report_of_the_month_is_unread(numbers: Numbers) -> None:
    assert numbers.freshness()["unreadable"].tolist() == [0] * len(numbers.freshness())
