"""Machine reports that tell no outcome of a delivery: read receipts (RFC 8098), DMARC aggregates (RFC 7489 §7.2), TLS reports (RFC 8460)."""

from __future__ import annotations

import re

from analyzer.model import Kind, Report
from analyzer.parse import autoreply
from analyzer.parse.mime import Message, Part, date
from analyzer.parse.original import original, returned_headers

_PROCESSED = re.compile(rb"^Disposition[ \t]*:[^\n]*;\s*processed\b", re.I | re.M)
RECEIPTS = {"message/disposition-notification", "message/global-disposition-notification"}
TLS = {"application/tlsrpt+gzip", "application/tlsrpt+json"}

# RFC 7489 §7.2.1.1: receiver!policy-domain!begin!end[!id].xml.gz, and a subject of a set form
_FILE = re.compile(rb"name\*?=\s*\"?[\w.-]{1,255}![\w.-]{1,255}!\d{1,12}!\d{1,12}[^\"\s]{0,100}\.(?:xml|gz|zip)", re.I)
_SUBJECT = re.compile(r"^\s*Report[ -]Domain: *\S{1,255} +Submitter: *\S", re.I)


def parse(message: Message) -> Report | None:
    """The report of such a mail; None for others."""
    why = _why(message)
    if not why:
        return None
    return Report(
        Kind.OTHER_REPORT, "other", original=original(returned_headers(message)), reported_at=date(message.top.header("date")), why=why
    )


def _answers(message: Message, own: list[Part]) -> bool:
    """Whether an automatic reply has the form of a receipt, one that says no more than that the message was processed (RFC 8098 §3.2.6.2)."""
    processed = any(p.type in RECEIPTS and _PROCESSED.search(p.content(4000)) for p in own)
    return processed and autoreply.parse(message) is not None


def _why(message: Message) -> str:
    own = [p for p in message.parts[:50] if not p.inside]
    if any(p.type in RECEIPTS for p in own):
        # a Sieve script refuses a message in the form of a receipt (RFC 5429 §2.1)
        said = f"{message.top.header('auto-submitted')} {message.top.header('subject')}".lower()
        return "" if "rejected" in said or _answers(message, own) else "a read receipt"
    if "tls-report-domain" in message.top.headers or any(p.type in TLS for p in own):
        return "a TLS report"
    named = any(b"!" in (value := p.raw(h)) and _FILE.search(value) for p in own for h in ("content-type", "content-disposition"))
    return "a DMARC aggregate report" if named or _SUBJECT.match(message.top.header("subject")) else ""
