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
    who = reporter(report.reporting_mta)
    said = [(_SAY[measure](who, rows), rows) for (measure, *_), rows in groups.items() if measure in _SAY]
    return sorted(said, key=lambda found: -_sum(found[1]))


def headline(report: Report) -> str:
    """All of it in a sentence."""
    said = sentences(report)
    if not said:
        return f"{report.why or 'nothing was counted'}."
    if len(said) == 1:
        return f"{said[0][0]}."
    rows = [o for _, group in said for o in group]
    measure = rows[0].measure
    who = reporter(report.reporting_mta)
    if measure is Measure.DMARC:
        name = _domains(rows)
        addresses = len({o.original.sending_ip for o in rows if o.original})
        return (
            f"{who} counted {_many(_sum(rows), 'message')} from {_many(addresses, 'address')} as {name}{_day(rows[0].at)}: {_passed(rows)}."
        )
    return f"{_tls(who, rows)}."


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
    return f"{who} made {total} with the mail hosts of {_domains(rows)}{_day(rows[0].at)}: {well:,.0f} with TLS as it should be{', ' + bad if bad else ''}"


def _failure(who: str, rows: Sequence[Outcome]) -> str:
    o = rows[0]
    ip = f" from {o.original.sending_ip}" if o.original and o.original.sending_ip else ""
    return f"{_many(_sum(rows), 'message')}{ip} as {_domain(o)} failed authentication at {who}: {o.authentication or 'it does not say how'}"


_SAY: dict[Measure | None, Callable[[str, Sequence[Outcome]], str]] = {
    Measure.DMARC: _dmarc, Measure.TLS: _tls, Measure.DMARC_FAILURE: _failure,
}  # fmt: skip
"""What reports tell. Statistics are files, and have no sentences: their numbers stand on the page Receivers."""


def _sum(rows: Sequence[Outcome]) -> float:
    return sum(o.messages or 0 for o in rows)


def _domains(rows: Sequence[Outcome]) -> str:
    names = {_domain(o) for o in rows}
    return min(names) if len(names) == 1 else f"{len(names)} domains"


def _domain(o: Outcome) -> str:
    return (o.original.sender or "").rpartition("@")[2] or "a domain that is not named" if o.original else "a domain that is not named"


def _day(at: datetime | None) -> str:
    return f" on {at:%-d %b %Y}" if at else ""


def _many(count: float, what: str) -> str:
    return f"{count:,.0f} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"


def unread(report: Report) -> Iterator[str]:
    """What could not be read of it."""
    return (o.diagnostic or "" for o in report.outcomes if o.kind is Kind.UNREADABLE)
