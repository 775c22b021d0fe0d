"""DMARC aggregates (RFC 7489 appendix C, RFC 9990): a row for each address that sent as one of our domains.

parsedmarc reads the XML and knows what reporters get wrong in it. It builds objects for all that it is given, so what it is given is measured first.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

from analyzer.model import NOTHING_KNOWN, Kind, Measure, Original, Outcome, Report
from analyzer.parse.receivers.told import MOST_COUNT, MOST_RECORDS, aggregate, unreadable, word

MOST_ELEMENTS = 40 * MOST_RECORDS  # and attributes
MOST_DEPTH = 30
MOST_TOKEN = 64 * 1024  # bytes without a ">": one tag, or one value
MOST_BROKEN = 1024 * 1024  # bytes of XML with mistakes in it, which is mended as far as that goes
PARSER = "dmarc"
WHAT = "a DMARC aggregate report"
_DECLARED = re.compile(r"<!(?:doctype|entity)", re.I)
_DISPOSITIONS = {"none", "pass", "quarantine", "reject"}


class _Stop(Exception):
    """Enough was seen; the message says why where something is wrong."""


class _Measured:
    """How much a document holds, read once without building anything."""

    def __init__(self, data: bytes) -> None:
        self.records = 0
        self.end = 0  # after the last whole record, of those that are read
        self.more = False  # there are more records than are read
        self.wrong: str | None = None
        self.refused = False  # it is no report, or not meant to be read
        self._data, self._depth, self._elements = data, 0, 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._close
        try:
            self._tokens()
            self._parser.Parse(data, True)
        except _Stop as e:
            self.wrong = str(e) or None
        except (expat.ExpatError, ValueError) as e:
            self.wrong = f"its XML is damaged ({str(e)[:100]})"

    def _stop(self, why: str) -> None:
        self.refused = True
        raise _Stop(why)

    def _tokens(self) -> None:
        at = 0
        while len(self._data) - at > MOST_TOKEN:
            last = self._data.rfind(b">", at, at + MOST_TOKEN)
            if last < 0:
                self._stop(f"a value in it is longer than {MOST_TOKEN >> 10} KiB")
            at = last + 1

    def _doctype(self, *_: Any) -> None:
        self._stop("it declares a document type, as no report does")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._depth and name != "feedback":
            self._stop(f"its XML is no DMARC report but {name[:40]!r}")
        self._depth += 1
        self._elements += 1 + len(attributes)
        if self._depth > MOST_DEPTH or self._elements > MOST_ELEMENTS:
            self._stop("it nests deeper, or has more elements, than any report")
        if self._depth == 2 and name == "record" and self.records == MOST_RECORDS:
            self.more = True
            raise _Stop

    def _close(self, name: str) -> None:
        self._depth -= 1
        if self._depth == 1 and name == "record":
            self.records += 1
            self.end = self._data.find(b">", self._parser.CurrentByteIndex) + 1


def parse(data: bytes, cut: str | None = None) -> Report:
    """What an aggregate says: an OBSERVED outcome for each record. Never raises; of what cannot be read it is said how much and why.

    `cut` says why `data` does not go to the report's end, if it does not.
    """
    xml = _text(data)
    if _DECLARED.search(xml):
        return unreadable(PARSER, WHAT, "it declares a document type or entities, as no report does")
    encoded = xml.encode("utf-8", "replace")
    found = _Measured(encoded)
    if found.refused:
        return unreadable(PARSER, WHAT, found.wrong or "")
    records = found.records
    if found.wrong and len(encoded) <= MOST_BROKEN:
        records = encoded.count(b"<record>")  # it is mended, and so may have more of them than were seen
    elif not records:
        return unreadable(PARSER, WHAT, found.wrong or "there are no records in it")
    elif found.wrong or found.more:
        encoded = encoded[: found.end] + b"</feedback>"
    told = aggregate(encoded.decode("utf-8", "replace"))
    if isinstance(told, str):
        return unreadable(PARSER, WHAT, told)
    return _report(told, records, found.more, cut or found.wrong)


def _text(data: bytes) -> str:
    """The XML as text: UTF-8 as a rule; what has a byte order mark, by that."""
    for mark, name in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace").strip("\x00 \t\r\n")
    return data.decode("utf-8", "replace").strip("\x00 \t\r\n")


def _report(told: dict[str, Any], records: int, more: bool, cut: str | None) -> Report:
    metadata = told["report_metadata"]
    reporter, domain = word(metadata["org_name"]), word(told["policy_published"]["domain"]).lower().strip(".")
    outcomes = [o for record in told["records"] if (o := _outcome(record, domain))]
    bad = records - len(outcomes)
    begin = outcomes[0].at if outcomes else None
    # the same report may come twice, to two addresses or after a fault: it is one by its reporter, domain, period and id
    report_id = f"{domain} {begin:%Y-%m-%dT%H:%M} {word(metadata['report_id'])}"[:200] if begin else None
    outcomes = [o._replace(original=replace(o.original or NOTHING_KNOWN, provider_id=report_id)) for o in outcomes]
    notes = [f"{bad:,} of {records:,} records cannot be read"] if bad > 0 else []
    notes += [f"it may be incomplete: {cut}"] if cut else []
    if notes or not outcomes:
        words = f"{WHAT} of {reporter or 'nobody'}: {'; '.join(notes) or 'there are no records in it'}"
        outcomes.append(Outcome(Kind.UNREADABLE, diagnostic=words[:500]))
    caps = (*(("records",) if more else ()), *(("bytes",) if cut else ()))
    return Report(Kind.OTHER_REPORT, PARSER, tuple(outcomes), Original(provider_id=report_id), reporter or None, why=WHAT, truncated=caps)


def _outcome(record: dict[str, Any], domain: str) -> Outcome | None:
    """A record as an outcome; None when it cannot be meant."""
    try:
        ip = str(ipaddress.ip_address(word(record["source"]["ip_address"])))
        count = int(record["count"])
        aligned, disposition = record["alignment"], word(record["policy_evaluated"]["disposition"]).lower()
        at = datetime.strptime(record["interval_begin"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        header_from = word(record["identifiers"]["header_from"]).lower().strip(".") or domain
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    if not 0 <= count <= MOST_COUNT:
        return None
    said = " ".join(f"{name}={'pass' if aligned[name] else 'fail'}" for name in ("spf", "dkim", "dmarc"))
    return Outcome(
        Kind.OBSERVED, at=at, measure=Measure.DMARC, messages=float(count), diagnostic="; ".join(_details(record))[:500] or None,
        authentication=f"{said} disposition={disposition if disposition in _DISPOSITIONS else 'other'}",
        original=Original(sender=f"@{header_from}", sending_ip=ip),  # of a sender only the domain is told
    )  # fmt: skip


def _details(record: dict[str, Any]) -> Iterator[str]:
    """What was found for which domain, and why the policy was not followed: by which one sees whose mail it is."""
    for name in ("spf", "dkim"):
        for result in record["auth_results"][name][:5]:
            selector = f" ({word(result.get('selector'))})" if name == "dkim" else ""
            yield f"{name.upper()} {word(result.get('result'))} for {word(result.get('domain'))}{selector}"
    for reason in record["policy_evaluated"]["policy_override_reasons"][:3]:
        if isinstance(reason, dict):
            yield f"policy not applied: {word(reason.get('type'))} {word(reason.get('comment'))}".strip()
