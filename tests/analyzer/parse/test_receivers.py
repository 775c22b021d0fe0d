"""What receivers count is read from their reports, however they are packed, and whatever a stranger puts in their place."""

from __future__ import annotations

import socket
import subprocess
import sys
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer.explain import answer, explain
from analyzer.model import MESSAGE, RECEIVER_REPORT, Capture, Kind, Measure, Outcome, Report
from analyzer.parse import parse, parse_message
from analyzer.parse.receivers import dmarc, told
from analyzer.parse.receivers.unpack import MOST_BYTES, unpack
from analyzer.pipeline import derive
from tests.analyzer.parse.receiver_reports import (
    BEGIN,
    FAILURE,
    NOW,
    aggregate,
    detail,
    gzipped,
    mailed,
    policy,
    record,
    tls_report,
    zipped,
)

GOOD, SPOOFED = record(), record("198.51.100.7", 12, spf="fail", dkim="fail", disposition="quarantine")
XML = aggregate(GOOD, SPOOFED)


def read(data: bytes, media_type: str = RECEIVER_REPORT) -> Report:
    return parse(Capture(data, media_type, "test", NOW))


def rows(report: Report) -> list[tuple[str | None, str | None, float | None, str | None]]:
    found = [o for o in report.outcomes if o.kind is Kind.OBSERVED]
    return [(o.original.sending_ip, o.original.sender, o.messages, o.authentication) for o in found if o.original]


def unread(report: Report) -> str:
    return " ".join(o.diagnostic or "" for o in report.outcomes if o.kind is Kind.UNREADABLE)


EXPECTED = [
    ("203.0.113.9", "@shop.example", 400.0, "spf=pass dkim=pass dmarc=pass disposition=none"),
    ("198.51.100.7", "@shop.example", 12.0, "spf=fail dkim=fail dmarc=fail disposition=quarantine"),
]


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (gzipped(XML), 'application/gzip; name="google.com!shop.example!1!2.xml.gz"'),
        (gzipped(XML), 'application/octet-stream; name="google.com!shop.example!1!2.xml.gz"'),
        (gzipped(XML), "application/x-gzip; name*=utf-8''google.com!shop.example!1!2.xml.gz"),
        (zipped(XML), 'application/zip; name="google.com!shop.example!1!2.zip"'),
        (zipped(XML), 'application/x-zip-compressed; name="google.com!shop.example!1!2.zip"'),
        (zipped(XML, streamed=True), "application/octet-stream"),
        (zipped(XML, stored=True), "application/octet-stream"),
        (zipped(XML, streamed=True, stored=True), "application/octet-stream"),
        (zipped(XML, name="a report"), "application/octet-stream"),
        (XML, "text/xml"),
        (XML, 'text/plain; name="report.xml"'),
        (b"\xff\xfe" + XML.decode().replace("UTF-8", "UTF-16").encode("utf-16-le"), "text/xml"),
        (aggregate(GOOD, SPOOFED, rfc9990=True), "application/xml"),
    ],
)
def test_an_aggregate_is_read_however_it_is_packed_and_declared(data: bytes, declared: str) -> None:
    report = read(mailed(data, declared), MESSAGE)
    assert rows(report) == EXPECTED and not unread(report)
    assert (report.kind, report.parser, report.reporting_mta) == (Kind.OTHER_REPORT, "dmarc", "google.com")
    assert {o.at.timestamp() for o in report.outcomes if o.at} == {BEGIN}
    assert rows(read(data)) == EXPECTED, "and as a file"


def test_a_mail_that_is_nothing_but_its_attachment_is_read() -> None:
    head = (
        b'Subject: Report Domain: shop.example Submitter: google.com Report-ID: 1\nContent-Type: application/gzip; name="a!b!1!2.xml.gz"\n'
    )
    body = mailed(gzipped(XML)).partition(b"Content-Disposition: attachment\r\n\r\n")[2].partition(b"--b--")[0]
    assert rows(read(head + b"Content-Transfer-Encoding: base64\n\n" + body, MESSAGE)) == EXPECTED


def test_what_is_aligned_counts_and_not_what_was_signed_by_somebody() -> None:
    signed_by_another = record(spf="fail", dkim="fail").replace("<result>fail</result>", "<result>pass</result>")
    assert rows(read(aggregate(signed_by_another)))[0][3] == "spf=fail dkim=fail dmarc=fail disposition=none"
    assert rows(read(aggregate(record(spf="fail"))))[0][3] == "spf=fail dkim=pass dmarc=pass disposition=none"


def test_why_a_policy_was_not_applied_is_told() -> None:
    forwarded = record(spf="fail", dkim="fail", extra="<reason><type>forwarded</type><comment>arc=pass</comment></reason>")
    assert "policy not applied: forwarded arc=pass" in (read(aggregate(forwarded)).outcomes[0].diagnostic or "")


def test_a_report_has_the_same_id_each_time_it_comes_and_another_for_another_day() -> None:
    def report_id(data: bytes) -> str | None:
        return read(data).original.provider_id

    assert report_id(XML) == report_id(gzipped(XML)) != report_id(aggregate(GOOD, begin=BEGIN + 86400, end=BEGIN + 2 * 86400))


def test_tls_sessions_are_counted_by_kind_and_what_no_detail_tells_is_counted_too() -> None:
    report = read(mailed(gzipped(tls_report(policy(5326, 303, detail(), detail("starttls-not-supported", 200)))), "application/tlsrpt+gzip"), MESSAGE)  # fmt: skip
    assert [(o.measure, o.authentication, o.messages) for o in report.outcomes] == [
        (Measure.TLS, "tls=success", 5326.0),
        (Measure.TLS, "tls=certificate-expired", 100.0),
        (Measure.TLS, "tls=starttls-not-supported", 200.0),
        (Measure.TLS, "tls=kind-not-told", 3.0),
    ]
    assert {o.original.sender for o in report.outcomes if o.original} == {"@shop.example"}
    assert report.outcomes[1].remote_mta == "mx1.mail.shop.example"
    assert (report.reporting_mta, report.parser) == ("Company-X", "tls")


def test_a_failure_report_tells_address_domain_and_incidents() -> None:
    report = read(FAILURE, MESSAGE)
    (o,) = report.outcomes
    assert (o.measure, o.messages, o.authentication) == (Measure.DMARC_FAILURE, 3.0, "dmarc=fail delivery=reject")
    assert o.original and (o.original.sending_ip, o.original.sender, o.original.message_id) == (
        "192.0.2.77",
        "@shop.example",
        "bill-1@bad.example",
    )
    assert report.reporting_mta == "receiver.example"


@pytest.mark.parametrize("message", [mailed(gzipped(XML)), mailed(gzipped(tls_report(policy())), "application/tlsrpt+gzip"), FAILURE])
def test_the_answer_of_classify_stays_as_it_was(message: bytes) -> None:
    said = answer("x", Capture(message, MESSAGE, "test", NOW))
    assert said == {"id": "x", "kind": "other-report", "events": [], "why": said["why"]}
    assert said["why"] in {"a DMARC aggregate report", "a TLS report", "feedback report of type auth-failure"}
    assert parse_message(message).outcomes == ()


def test_explain_says_it_in_words() -> None:
    assert explain(mailed(gzipped(aggregate(GOOD, record("203.0.113.9", 12, spf="fail", dkim="fail"))))).headline == (
        "Google counted 412 messages from 203.0.113.9 as shop.example on 24 Nov 2026: 400 pass DMARC, 12 fail."
    )
    assert explain(XML).headline == (
        "Google counted 412 messages from 2 addresses as shop.example on 24 Nov 2026: 400 pass DMARC, 12 fail (12 put into junk)."
    )
    assert explain(tls_report(policy(10, 3, detail(count=3)))).headline == (
        "Company-X made 13 sessions with the mail hosts of shop.example on 24 Nov 2026: 10 with TLS as it should be, 3 failed (certificate expired)."
    )
    two = tls_report(policy(10, 0), {**policy(5, 0), "policy": {"policy-type": "no-policy-found", "policy-domain": "news.shop.example"}})
    assert (
        explain(two).headline == "Company-X made 15 sessions with the mail hosts of 2 domains on 24 Nov 2026: 15 with TLS as it should be."
    )
    assert explain(FAILURE).headline == (
        "3 messages from 192.0.2.77 as shop.example failed authentication at receiver.example: dmarc=fail delivery=reject."
    )


def test_classifying_a_report_does_not_load_the_library_that_reads_its_content() -> None:
    code = "import sys; from analyzer.explain import explain, answer; from analyzer.parse import parse_message; parse_message(sys.stdin.buffer.read()); sys.exit('parsedmarc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], input=mailed(gzipped(XML)), check=False).returncode == 0


def test_nobody_is_asked_over_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    told._library.cache_clear()
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert rows(read(XML)) == EXPECTED


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE feedback [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    + b"".join(b'<!ENTITY %c "%s">' % (c, b"&%c;" % (c - 1) * 10) for c in range(ord("c"), ord("k")))
    + b"]>"
    + XML.partition(b"?>")[2].replace(b"4711", b"&j;")
)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (LAUGHS, "document type"),
        (XML.replace(b"<feedback>", b'<!DOCTYPE feedback SYSTEM "http://192.0.2.1/x.dtd"><feedback>'), "document type"),
        (b"\xff\xfe" + LAUGHS.decode().encode("utf-16-le"), "document type"),
        (b"<html><body>Hello</body></html>", "no DMARC report but 'html'"),
        (aggregate(), "no records"),
        (XML.replace(b"<org_name>google.com</org_name>", b""), "org_name"),
        (XML.replace(b"1795478400", b"soon"), "soon"),
        (b"<feedback>" + b"<a>" * 100_000, "nests deeper"),
        (b"<feedback>" + b"<a/>" * 500_000 + b"</feedback>", "more elements"),
        (b"<feedback><a " + b"".join(b'a%d="" ' % n for n in range(20_000)) + b"/></feedback>", "longer than"),
        (b"<feedback>" + b"x" * 1_000_000 + b"</feedback>", "longer than"),
        (b"{}", "Missing required field"),
        (b"[" * 100_000, "neither XML nor JSON"),
        (b'{"a":' * 100_000, "cannot be read"),
        (tls_report(), "no policies"),
        (tls_report({"policy": {}}), "Missing required"),
        (tls_report(policy(-1, 10**30)), "2 of its entries"),
        (tls_report(policy(1, 0, detail(count="many"))), "1 of its entries"),
        (b"{" + b" " * 5_000_000 + b"}", "longer than 4 MiB"),
    ],
    ids=range(19),
)  # fmt: skip
def test_what_is_no_report_is_said_to_be_none(data: bytes, why: str) -> None:
    for form in (data, gzipped(data), zipped(data)):
        report = read(form)
        assert why in f"{report.why} {unread(report)}" or "without a report" in (report.why or "")
        assert report.kind in (Kind.OTHER_REPORT, Kind.UNREADABLE)
        assert all(messages is None or messages >= 0 for _, _, messages, _ in rows(report))
        events, _ = derive(Capture(form, RECEIVER_REPORT, "test", NOW), b"k" * 32)
        assert "unreadable" in {e.kind for e in events}, "it is counted"


@pytest.mark.parametrize(
    "bad",
    [record(count=-5), record(count=10**18), record(count="many"), record(ip="999.1.2.3"), record(ip="shop.example"), record(ip=""), "<record/>", "<record><row/></record>"],
)  # fmt: skip
def test_a_bad_record_is_counted_and_its_neighbours_stay(bad: str) -> None:
    report = read(aggregate(GOOD, bad, SPOOFED))
    assert rows(report) == EXPECTED
    assert "1 of 3 records cannot be read" in unread(report)


def test_a_mistake_in_the_xml_costs_one_report_no_more_than_it_must() -> None:
    report = read(aggregate(GOOD, record("192.0.2.1", 5, domain="a&b.example"), SPOOFED))
    assert [row[0] for row in rows(report)] == ["203.0.113.9", "192.0.2.1", "198.51.100.7"]
    assert "may be incomplete" in unread(report)


@pytest.mark.parametrize("pack", [gzipped, zipped])
def test_of_an_archive_that_is_cut_off_the_whole_records_count(pack: object) -> None:
    long = aggregate(*(record(f"203.0.113.{n}", n) for n in range(200)))
    whole = pack(long)  # type: ignore[operator]
    found = rows(read(whole[: len(whole) * 2 // 3]))
    assert 0 < len(found) < 200
    assert found == rows(read(whole))[: len(found)]
    assert "cut off" in unread(read(whole[: len(whole) * 2 // 3]))


def test_encrypted_and_nested_archives_and_those_of_other_kinds_are_refused() -> None:
    encrypted = bytearray(zipped(XML))
    encrypted[6] |= 1
    assert unpack(bytes(encrypted)) == "an encrypted archive"
    assert unpack(zipped(zipped(XML), "inner.zip")) == "a zip archive without a report in it"
    assert unpack(gzipped(gzipped(XML))) == "a gzip archive without a report in it"
    other = bytearray(zipped(XML))
    other[8] = 93
    assert "method 93" in str(unpack(bytes(other)))


def test_a_report_behind_other_members_is_found() -> None:
    import io
    import zipfile

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("__MACOSX/._report.xml", b"\x00\x05\x16\x07")
        archive.writestr("report.xml", XML)
    assert rows(read(target.getvalue())) == EXPECTED


@pytest.mark.parametrize("pack", [gzipped, zipped])
def test_a_bomb_takes_no_more_than_the_cap(pack: object) -> None:
    squeezed = zlib.compressobj(9, wbits=31)
    bomb = squeezed.compress(XML[:200])
    block = bytes(1 << 20)
    bomb += b"".join(squeezed.compress(block) for _ in range(512)) + squeezed.flush()
    tracemalloc.start()
    found = unpack(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not isinstance(found, str) and len(found.data) == MOST_BYTES and "longer than" in (found.cut or "")
    assert peak < 3 * MOST_BYTES
    assert read(bomb).kind is Kind.OTHER_REPORT


def test_of_very_many_records_the_first_are_read_and_the_cut_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dmarc, "MOST_RECORDS", 50)
    report = read(aggregate(*(record(f"203.0.113.{n}") for n in range(200))))
    assert len(rows(report)) == 50 and report.truncated == ("records",) and not unread(report)


def test_a_clock_that_is_wrong_does_not_move_a_row_out_of_time() -> None:
    for begin in (-5, 0, 99_999_999_999, 10**30):
        events, _ = derive(Capture(aggregate(GOOD, begin=begin, end=begin), RECEIVER_REPORT, "test", NOW), b"k" * 32)
        assert all(e.at.year >= 1990 and e.at <= NOW.replace(day=26) for e in events)


def test_a_period_of_a_century_is_one_row_and_not_one_a_day() -> None:
    assert len(read(aggregate(GOOD, begin=0, end=4_000_000_000)).outcomes) == 1


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_bytes_make_reading_fail(data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from([XML, aggregate(GOOD, rfc9990=True), tls_report(policy(5, 3, detail())), FAILURE]))
    pack = data.draw(st.sampled_from([bytes, gzipped, zipped, lambda b: zipped(b, streamed=True)]))
    early = data.draw(st.booleans())  # mutated before it is packed, or after
    found = bytearray(seed if early else pack(seed))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(found)))
        piece = data.draw(
            st.one_of(st.binary(max_size=6), st.sampled_from([b"</record>", b"<", b"&x;", b"]]>", b'"', b"{", b"-1", b"9" * 30, b"null"]))
        )
        found[at : at + data.draw(st.integers(0, 12))] = piece
    form = pack(bytes(found)) if early else bytes(found)
    for capture in (
        Capture(form, RECEIVER_REPORT, "test", NOW),
        Capture(mailed(form), MESSAGE, "test", NOW),
        Capture(bytes(found), MESSAGE, "test", NOW),
    ):
        report = parse(capture)
        assert isinstance(report, Report)
        assert all(isinstance(o, Outcome) and (o.messages is None or 0 <= o.messages <= 1e9) for o in report.outcomes)
        events, _ = derive(capture, b"k" * 32)
        assert events and not any("Mailhealth failed" in (e.why or "") for e in events)
        explain(form)
