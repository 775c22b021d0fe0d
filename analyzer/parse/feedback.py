"""Complaints: the Abuse Reporting Format (RFC 5965), its further types (RFC 6591, 9477, 9991), X-ARF, and reports without the wrapper."""

from __future__ import annotations

import re
from collections.abc import Sequence

from analyzer.model import Kind, Measure, Original, Outcome, Report
from analyzer.parse import address, xarf
from analyzer.parse.headers import Headers
from analyzer.parse.mime import Message, Part, date, decode
from analyzer.parse.original import NONE, of_a_list, of_our_list, original, recipients, returned_headers, split_text, text_headers
from analyzer.parse.who import unwrapped
from analyzer.parse.words import Words

COMPLAINTS = {"abuse", "fraud", "virus", "other", "miscategorized", "spam", "unsubscribe-abuse"}
MICROSOFT = {"x-hmxmroriginalrecipient", "x-hotmail-original-recipient"}
_DESK = Words(r"(?:abuse|fbl|feedback|complaints?|postmaster|staff|scomp|spam)[\w.+-]{0,40}@")
_SENTENCE = Words(
    r"\b(?:marked|reported|flagged|classified|complain\w{1,4}|clicked|pressed)\b[^.\n]{0,60}\b(?:spam|junk|abus\w{1,4}|unsolicited)\b"
    r"|举报为垃圾|檢舉為垃圾|als spam (?:markiert|gemeldet)|signalé comme (?:spam|indésirable)|marcado como (?:spam|no deseado)|marcou como spam|segnalato come spam|отметил\w{0,2} как спам|迷惑メールとして報告"
)
_ARF = re.compile(rb"\s*Feedback-Type[ \t]*:", re.I)
_ARF_FIELD = re.compile(
    rb"^(?:Feedback-Type|User-Agent|Version|Source-IP|Original-Mail-From|Original-Rcpt-To|Arrival-Date|Reported-Domain)[ \t]*:", re.I | re.M
)
_REDACTED = re.compile(r"(?:\*+|x{3,}|[0-9a-f]{16,})@", re.I)
"""A local part that a provider put in the place of its customer's."""
_TAKEN_OUT = re.compile(r"redacted|undisclosed|hidden|anonymi[sz]ed", re.I)
UNSUBSCRIPTIONS = {"opt-out", "opt-out-list", "unsubscribe"}
AUTH_FAILURE = "feedback report of type auth-failure"
"""Why such a report says nothing of a recipient."""
MOST_INCIDENTS = 10**9
_FAILED = {
    "dmarc": "dmarc=fail",
    "spf": "spf=fail",
    "signature": "dkim=fail",
    "bodyhash": "dkim=fail",
    "revoked": "dkim=fail",
    "adsp": "adsp=fail",
}
"""Auth-Failure (RFC 6591 §3.3) -> what did not pass."""
_TOLD = ("auth-failure", "delivery-result", "identity-alignment", "dkim-domain", "dkim-selector", "spf-dns")


def parse(message: Message) -> Report | None:
    """The report of a message that holds a feedback-report part; None for others."""
    if b"delivery-status" in message.top.raw("content-type").lower():
        return None
    part = _part(message)
    headers = returned_headers(message)
    top = message.top
    if part is not None:
        said, headers = _said(message, part)
        said = xarf.fields(message, _text(said, "feedback-type").strip().lower()) or said
        kind = _text(said, "feedback-type").strip().lower() or "abuse"
    elif found := xarf.fields(message):
        said, kind = found, _text(found, "feedback-type")
    elif top.headers.begin(b"x-h") and top.headers.any(MICROSOFT):
        said, kind = top.headers, "abuse"  # Microsoft's JMRP returns the message without a wrapper
    elif headers.begin(b"x-h") and headers.any(MICROSOFT):
        said, kind = headers, "abuse"  # or as an attachment, without a feedback-report part
    elif _complains(message) and headers:
        said, kind = NONE, "abuse"
    elif offending := _of_spamcop(message):
        said, kind, headers = NONE, "abuse", text_headers(offending)
    else:
        return None
    report = {
        "reporting_mta": _text(said, "reporting-mta") or None,
        "reported_at": date(_text(said, "arrival-date") or _text(said, "received-date")) or date(top.header("date")),
    }
    about = original(headers)
    if kind not in COMPLAINTS | UNSUBSCRIPTIONS:
        return Report(Kind.OTHER_REPORT, "feedback", original=about, why=f"feedback report of type {kind}", **report)  # type: ignore[arg-type]
    outcome = Kind.UNSUBSCRIBED if kind in UNSUBSCRIPTIONS else Kind.COMPLAINED
    named = [who for who in _who(said, headers) if not (who and of_our_list(who, top))]
    outcomes = tuple(Outcome(outcome, who, feedback_type=kind) for who in named or (None,))
    return Report(outcome, "feedback", outcomes, about, **report)  # type: ignore[arg-type]


def auth_failure(message: Message) -> tuple[Outcome, ...]:
    """What a failure report says (RFC 6591, 9991): which address sent as which domain, and what did not pass. Empty for others."""
    part = _part(message)
    if part is None:
        return ()
    said, headers = _said(message, part)
    about = original(headers)
    ip, domain = _text(said, "source-ip").strip(" []").lower(), _text(said, "reported-domain").strip(" .").lower()
    kind, delivery = (_text(said, name).strip().lower() for name in ("auth-failure", "delivery-result"))
    incidents = _text(said, "incidents").strip()
    many = int(incidents) if incidents.isascii() and incidents.isdigit() and len(incidents) < 12 else 1
    told = "; ".join(f"{name.title()}: {value}" for name in _TOLD if (value := _text(said, name).strip()))
    return (
        Outcome(
            Kind.OBSERVED, measure=Measure.DMARC_FAILURE, messages=float(min(many, MOST_INCIDENTS)), diagnostic=told[:1000] or None,
            authentication=" ".join(filter(None, (_FAILED.get(kind), f"delivery={delivery[:20]}" if delivery else ""))) or None,
            original=Original(about.message_id, f"@{domain}" if domain else about.sender, sending_ip=address.ip(ip)),
        ),
    )  # fmt: skip


def _part(message: Message) -> Part | None:
    """The part with the report's fields."""
    return next(message.own("message/feedback-report"), None) or _mistyped(message)


def _said(message: Message, part: Part) -> tuple[Headers, Headers]:
    """The report's fields, and the headers of the message that it returns, be it but in the text after them."""
    fields, _, after = part.content().strip().partition(b"\n\n")
    return Headers(fields + b"\n"), returned_headers(message) or text_headers(split_text(decode(after, b"utf-8"))[1])


def _mistyped(message: Message) -> Part | None:
    """A feedback-report part that calls itself plain text, be it the whole mail."""
    least = 1 if b"feedback-report" in message.top.raw("content-type").lower() else 4
    texts = (p for p in message.parts[:20] if p.type.startswith("text/") and not p.inside)
    return next((p for p in texts if _ARF.match(start := p.content(2000)) and len(_ARF_FIELD.findall(start)) >= least), None)


def _complains(message: Message) -> bool:
    """Whether a provider returns a message with a sentence that somebody called it spam: a complaint without any standard's form."""
    sender = message.top.header("from")
    if "@" not in sender or not _DESK.search(sender) or not _DESK.match(next(iter(address.addresses(sender, 1)), "")):
        return False
    if message.top.header("subject").lower().startswith(("complaint about message", "client tos notification")):
        return True  # so Microsoft calls them, and AOL did
    part = next(message.own("text/plain"), None)
    return part is not None and _SENTENCE.search(part.text()[:4000]) is not None


def _of_spamcop(message: Message) -> str:
    """The message that SpamCop passes a complaint of, with what its user took out; empty for others."""
    if not message.top.header("subject").lstrip().lower().startswith("[spamcop"):
        return ""
    part = next(message.own("text/plain"), None)
    return part.text()[:100_000].partition("[ Offending message ]")[2].lstrip("\n") if part else ""


def _who(said: Headers, headers: Headers) -> Sequence[str | None]:
    """Whom a complaint is of; the sender's own envelope may tell what the provider took out."""
    found = [a for a in _named(said, headers) if not (a and a.lower().endswith(".invalid"))]
    if all(a is None or _TAKEN_OUT.match(a) for a in found):
        backs = (next(iter(address.addresses(_text(headers, name), 1)), "") for name in ("return-path", "x-envelope-from"))
        return next(([told] for told in map(unwrapped, backs) if told), found)
    return found


def _named(said: Headers, headers: Headers) -> Sequence[str | None]:
    for name in ("original-rcpt-to", "removal-recipient", "x-removal-recipient"):
        found = [a for v in said.values(name, 1000) for a in [address.clean(decode(v, b"utf-8"))] if a and "@" in a[:-1]]
        if found:
            return list(dict.fromkeys(a for a in found if not _REDACTED.match(a)))
    for name in (*sorted(MICROSOFT), "x-delivered-to"):
        found = [a for v in said.values(name) or headers.values(name) for a in [address.clean(decode(v, b"utf-8"))] if a]
        if found:
            return found[:1]
    tos = [] if of_a_list(headers) else recipients(headers)
    return tos if len(tos) == 1 and not _REDACTED.match(tos[0]) else []


def _text(headers: Headers, name: str) -> str:
    return decode(headers.raw(name), b"utf-8")[:500]
