"""What receivers' reports say, in sentences: who counted how many messages, from which address, as which domain, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from analyzer.model import Kind, Measure, Outcome, Report

NAMES = {
    "google.com": "Google", "enterprise outlook": "Microsoft", "outlook.com": "Microsoft", "microsoft.com": "Microsoft", "microsoft corporation": "Microsoft",
    "google inc.": "Google", "yahoo": "Yahoo", "yahoo.com": "Yahoo", "yahoo inc.": "Yahoo", "aol": "Yahoo", "mail.ru": "Mail.ru", "gmx": "GMX & web.de",
    "gmx.net": "GMX & web.de", "web.de": "GMX & web.de", "comcast.net": "Comcast", "icloud.com": "Apple", "apple": "Apple", "amazon-ses": "Amazon SES",
    "amazonses.com": "Amazon SES", "fastmail.com": "Fastmail", "google": "Google", "microsoft": "Microsoft",
}  # fmt: skip
"""How reporters call themselves, in small letters -> how people call them."""
RATES = {
    Measure.SPAM_RATE: "of what reached the inbox was called spam by people", Measure.SPF_RATE: "passed SPF", Measure.DKIM_RATE: "passed DKIM",
    Measure.DMARC_RATE: "passed DMARC", Measure.TLS_RATE: "came over TLS", Measure.ERROR_RATE: "was refused or put off",
    Measure.COMPLAINT_RATE: "of the message recipients called it junk",
}  # fmt: skip


def reporter(name: str | None) -> str:
    """A reporter as people call it."""
    return NAMES.get((name or "").strip().lower(), (name or "").strip() or "A receiver that does not say its name")


def observed(report: Report) -> list[Outcome]:
    """What a receiver counted, of all that a report says."""
    return [o for o in report.outcomes if o.kind is Kind.OBSERVED]


def sentences(report: Report) -> list[tuple[str, list[Outcome]]]:
    """A sentence for each address and domain, with the rows that it is made of; the most messages first."""
    groups: dict[tuple[Any, ...], list[Outcome]] = {}
    for o in observed(report):
        place = (o.measure, o.original.sender, o.original.sending_ip, o.at) if o.original else (o.measure, None, None, o.at)
        groups.setdefault(place, []).append(o)
    said = [(_SAY.get(rows[0].measure or Measure.DMARC, _rate)(reporter(report.reporting_mta), rows), rows) for rows in groups.values()]
    return sorted(said, key=lambda found: -_sum(found[1]))


def headline(report: Report) -> str:
    """All of it in a sentence."""
    said = sentences(report)
    if len(said) == 1:
        return f"{said[0][0]}."
    rows = [o for _, group in said for o in group]
    measure = rows[0].measure
    who = reporter(report.reporting_mta)
    if measure is Measure.DMARC:
        domains = sorted({_domain(o) for o in rows})
        name = domains[0] if len(domains) == 1 else f"{len(domains)} domains"
        addresses = len({o.original.sending_ip for o in rows if o.original})
        return (
            f"{who} counted {_many(_sum(rows), 'message')} from {_many(addresses, 'address')} as {name}{_day(rows[0].at)}: {_passed(rows)}."
        )
    if measure is Measure.TLS:
        return f"{_tls(who, rows)}."
    return f"{who} tells {_many(len(rows), 'number')} of our mail; the first: {said[0][0]}."


def _dmarc(who: str, rows: Sequence[Outcome]) -> str:
    ip = rows[0].original.sending_ip if rows[0].original else None
    return f"{who} counted {_many(_sum(rows), 'message')} from {ip} as {_domain(rows[0])}{_day(rows[0].at)}: {_passed(rows)}"


def _passed(rows: Sequence[Outcome]) -> str:
    """How many passed, and what was done with the others."""
    well = sum(o.messages or 0 for o in rows if "dmarc=pass" in (o.authentication or ""))
    failed = _sum(rows) - well
    done = {word: sum(o.messages or 0 for o in rows if f"dmarc=fail disposition={word}" in (o.authentication or "")) for word in _DONE}
    what = [f"{count:,.0f} {_DONE[word]}" for word, count in done.items() if count and word != "none"]
    parts = [f"{well:,.0f} {'passes' if well == 1 else 'pass'} DMARC"] if well or not failed else []
    parts += [f"{failed:,.0f} {'fails' if failed == 1 else 'fail'}{' (' + ', '.join(what) + ')' if what else ''}"] if failed else []
    return ", ".join(parts)


_DONE = {"none": "let through", "quarantine": "put into junk", "reject": "refused"}


def _tls(who: str, rows: Sequence[Outcome]) -> str:
    failures: dict[str, float] = {}
    for o in rows:
        kind = (o.authentication or "").removeprefix("tls=")
        failures[kind] = failures.get(kind, 0) + (o.messages or 0)
    well = failures.pop("success", 0)
    bad = ", ".join(f"{count:,.0f} failed ({kind.replace('-', ' ')})" for kind, count in failures.items() if count)
    total = _many(_sum(rows), "session")
    return f"{who} made {total} with the mail hosts of {_domain(rows[0])}{_day(rows[0].at)}: {well:,.0f} with TLS as it should be{', ' + bad if bad else ''}"


def _failure(who: str, rows: Sequence[Outcome]) -> str:
    o = rows[0]
    ip = f" from {o.original.sending_ip}" if o.original and o.original.sending_ip else ""
    return f"{_many(_sum(rows), 'message')}{ip} as {_domain(o)} failed authentication at {who}: {o.authentication or 'it does not say how'}"


def _rate(who: str, rows: Sequence[Outcome]) -> str:
    o = rows[0]
    about = o.original.sending_ip if o.original and o.original.sending_ip else _domain(o)
    if o.measure is Measure.FILTER_RESULT:
        return f"{who} colours {about} {o.reply_type}{_day(o.at)}"
    if o.measure is Measure.TRAP_HITS:
        return f"{who} saw {_many(_sum(rows), 'message')} from {about} to addresses that nobody has{_day(o.at)}"
    value = o.diagnostic or (f"{o.value:.2%}" if o.value is not None else "an untold share")
    return f"{who}: {value} of the mail of {about}{_day(o.at)} {RATES.get(o.measure or Measure.SPAM_RATE, '')}"


_SAY: dict[Measure, Callable[[str, Sequence[Outcome]], str]] = {
    Measure.DMARC: _dmarc, Measure.TLS: _tls, Measure.DMARC_FAILURE: _failure,
}  # fmt: skip


def _sum(rows: Sequence[Outcome]) -> float:
    return sum(o.messages or 0 for o in rows)


def _domain(o: Outcome) -> str:
    return (o.original.sender or "").rpartition("@")[2] or "a domain that is not named" if o.original else "a domain that is not named"


def _day(at: datetime | None) -> str:
    return f" on {at:%-d %b %Y}" if at else ""


def _many(count: float, what: str) -> str:
    return f"{count:,.0f} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"


def unread(report: Report) -> Iterator[str]:
    """What could not be read of it."""
    return (o.diagnostic or "" for o in report.outcomes if o.kind is Kind.UNREADABLE)
