"""What receivers count of our mail and tell us: DMARC aggregates, TLS reports, failure reports; statistics of Google and Microsoft.

`parse_message` says of such a mail what it is, and looks no further: most who ask want to know of bounces. What stands in it is read here,
when a store takes it in or somebody wants it explained.
"""

from __future__ import annotations

from collections.abc import Iterator

from analyzer.model import Capture, Kind, Report
from analyzer.parse import feedback
from analyzer.parse.address import addresses
from analyzer.parse.mime import Message, Part, read
from analyzer.parse.receivers import dmarc, tls
from analyzer.parse.receivers.told import unreadable
from analyzer.parse.receivers.unpack import Unpacked, unpack
from analyzer.parse.receivers.unpack import packed as packed  # for whoever has a file and does not know what it is

MOST_PACKED = 16 * 1024 * 1024  # bytes of an attachment
MOST_PARTS = 20  # of a mail that are looked into
FAILURES = "dmarc-failure"
"""The parser of failure reports."""
READS = {dmarc.WHAT: dmarc.PARSER, tls.WHAT: tls.PARSER}
"""What `parse.other` calls a report -> who reads it."""


def contents(data: bytes, report: Report) -> Report:
    """The report of a mail with what stands in it, where it is one of a receiver's; else as it is. Never raises."""
    if report.kind is not Kind.OTHER_REPORT:
        return report
    if report.parser == "feedback":
        return _failure(read(data), report) if report.why == feedback.AUTH_FAILURE else report
    parser = READS.get(report.why or "")
    if parser is None:
        return report
    found = _attached(read(data), parser)
    cuts = tuple(dict.fromkeys((*report.truncated, *found.truncated)))
    return found._replace(reported_at=report.reported_at, truncated=cuts)


def parse_file(capture: Capture) -> Report:
    """What a report says that came as a file, without a mail around it."""
    found = unpack(capture.data)
    if isinstance(found, str):
        return Report(Kind.UNREADABLE, "none", why=found)
    return _read(found)


def _failure(message: Message, report: Report) -> Report:
    """A failure report with what it says; who wrote it is its author, where no field tells."""
    outcomes = feedback.auth_failure(message)
    author = next(iter(addresses(message.top.header("from"), 1)), "").rpartition("@")[2].lower()
    return report._replace(parser=FAILURES, outcomes=outcomes, reporting_mta=report.reporting_mta or author or None) if outcomes else report


def _attached(message: Message, parser: str) -> Report:
    """What the first attachment says that is a report, whatever its media type calls it."""
    what, why = (dmarc.WHAT, "nothing is attached to it") if parser == dmarc.PARSER else (tls.WHAT, "nothing is attached to it")
    for part in _candidates(message):
        content = part.content(MOST_PACKED, verbatim=True)
        if not packed(content):
            continue
        found = unpack(content)
        if isinstance(found, str):
            why = found
        elif (part.body[1] - part.body[0]) > 2 * MOST_PACKED:
            why = f"its attachment is larger than {MOST_PACKED >> 20} MiB"
        else:
            return _read(found)
    return unreadable(parser, what, why)


def _candidates(message: Message) -> Iterator[Part]:
    """The parts that may hold the report; a mail may be nothing else."""
    own = [p for p in message.parts[:50] if not p.inside and not p.type.startswith(("multipart/", "message/"))]
    # what is written for people comes last: its HTML would be taken for XML
    yield from sorted(own[:MOST_PARTS], key=lambda p: p.type in {"text/plain", "text/html"})


def _read(found: Unpacked) -> Report:
    start = found.data[:2000].lstrip(b"\xef\xbb\xbf\x00 \t\r\n")
    return tls.parse(found.data, found.cut) if start.startswith(b"{") else dmarc.parse(found.data, found.cut)
