"""Statistics that a provider shows its senders: Google's Postmaster Tools (JSON of its API, or CSV) and Microsoft's SNDS (CSV without a header).

Google: https://developers.google.com/workspace/gmail/postmaster/reference/rest/v2/QueryDomainStatsResponse; names of metrics are the asker's own there.
Microsoft: https://sendersupport.olc.protection.outlook.com/snds/ (Automated Data Access), fourteen values a row.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from analyzer.model import Capture, Kind, Measure, Original, Outcome, Report
from analyzer.parse import address
from analyzer.parse.receivers.told import MOST_COUNT, MOST_RECORDS, word

PARSER = "statistics"
MOST_JSON = 4 * 1024 * 1024  # bytes
MOST_TEXT = 8 * 1024 * 1024
NAMES = {
    Measure.SPAM_RATE: ("spamrate", "userreportedspamrate", "userreportedspamratio", "spam"),
    Measure.SPF_RATE: ("spfrate", "spfsuccessrate", "spfsuccessratio", "spf"),
    Measure.DKIM_RATE: ("dkimrate", "dkimsuccessrate", "dkimsuccessratio", "dkim"),
    Measure.DMARC_RATE: ("dmarcrate", "dmarcsuccessrate", "dmarcsuccessratio", "dmarc"),
    Measure.TLS_RATE: ("tlsrate", "tlsencryptionrate", "inboundencryptionratio", "inboundtlsrate", "tls", "encryption"),
    Measure.ERROR_RATE: ("errorrate", "deliveryerrorrate", "deliveryerrors"),
}
"""How Google's numbers are called, by letters alone: by its API (v1 and v2), and by people who name columns."""
_MEASURE = {name: measure for measure, names in NAMES.items() for name in names}
_DAYS = ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y", "%b %d, %Y", "%d %b %Y")
_TIMES = ("%m/%d/%Y %I:%M %p", "%m/%d/%Y %H:%M", "%m/%d/%Y")
_COLOURS = {"green", "yellow", "red"}
_RATE = re.compile(r"([<>]?)\s*(\d{1,12}(?:\.\d{1,20})?(?:e-?\d{1,2})?)\s*(%?)", re.I)
_NAME = re.compile(r"domains/([^/\s]{1,255})/(?:domainStats|trafficStats)/([^/\s]{0,300})")
Row = list[Outcome] | str | None
"""What a row says, or what is wrong with it; None for a header."""


def parse_statistics(capture: Capture) -> Report:
    """What such a file says, an OBSERVED outcome for each number. Never raises."""
    first, _, data = capture.data.partition(b"\n")
    try:
        head = json.loads(first)
        provider, domain, zone = str(head["provider"]), head.get("domain"), ZoneInfo(str(head.get("timezone") or "UTC"))
    except Exception as e:  # the head is ours, but bytes on a disk may change
        return Report(Kind.UNREADABLE, PARSER, why=f"the first line of the statistics is damaged ({type(e).__name__})")
    text = data[:MOST_TEXT].decode("utf-8", "replace").removeprefix("\ufeff").strip("\x00")
    if not text.strip():
        return Report(Kind.OTHER_REPORT, PARSER, why="statistics without a row: too little was sent for any")
    rows = _microsoft(text, zone) if provider == "microsoft" else _google(text, str(domain) if domain else None)
    outcomes: list[Outcome] = []
    n, more = 0, len(data) > MOST_TEXT
    for n, row in enumerate(rows, 1):
        if n > MOST_RECORDS:
            more = True
            break
        outcomes += [Outcome(Kind.UNREADABLE, diagnostic=f"entry {n}: {row}"[:500])] if isinstance(row, str) else row or ()
    if not outcomes:
        return Report(Kind.UNREADABLE, PARSER, why=f"no statistics of {provider} are in it" if n else "there is nothing in it")
    return Report(outcomes[0].kind, PARSER, tuple(outcomes), reporting_mta=provider, truncated=("rows",) if more else ())


def _microsoft(text: str, zone: ZoneInfo) -> Iterator[Row]:
    """Rows of SNDS: address, activity from and to, RCPT and DATA commands, message recipients, filter result, complaint rate, traps from and to, trap hits, ..."""
    for n, cells in enumerate(_cells(text, ",")):
        ip = address.ip(cells[0])
        if ip is None:
            yield None if n == 0 else f"{cells[0]!r:.60} is no IP address"
        elif len(cells) < 11:
            yield f"{len(cells)} values, expected 14"
        else:
            yield _snds(ip, [c.strip() for c in cells], zone)


def _snds(ip: str, cells: list[str], zone: ZoneInfo) -> Row:
    at, recipients, traps = _time(cells[1], _TIMES, zone), _count(cells[5]), _count(cells[10] or "0")
    colour, share = cells[6].lower(), rate(cells[7])
    if at is None or recipients is None or traps is None or colour not in _COLOURS:
        return f"not as SNDS writes: {','.join(cells)[:200]}"
    original = Original(sending_ip=ip, provider_id=f"{ip} {at:%Y-%m-%dT%H:%M}")
    row = Outcome(Kind.OBSERVED, at=at, original=original, messages=recipients)
    found = [row._replace(measure=Measure.FILTER_RESULT, reply_type=colour), row._replace(measure=Measure.TRAP_HITS, messages=traps)]
    # "< 0.1%" is told as its bound, and in its own words
    return [*found, row._replace(measure=Measure.COMPLAINT_RATE, value=share, diagnostic=cells[7][:40])] if share is not None else found


def _google(text: str, domain: str | None) -> Iterator[Row]:
    if text.lstrip()[:1] in ("{", "["):
        yield from _api(text)
    else:
        yield from _table(text, domain)


def _api(text: str) -> Iterator[Row]:
    """The numbers in an answer of the API, wherever they stand in it; a file may hold several, a line each."""
    if len(text) > MOST_JSON:
        yield f"longer than {MOST_JSON >> 20} MiB"
        return
    try:
        stack = [json.loads(text)]
    except (ValueError, RecursionError):
        stack = []
        for line in reversed(text.split("\n")):
            if line.strip():
                try:
                    stack.append(json.loads(line))
                except (ValueError, RecursionError) as e:
                    yield f"not JSON: {str(e)[:100]}"
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(reversed(node))
        elif isinstance(node, dict):
            if "metric" in node or "userReportedSpamRatio" in node or "domainReputation" in node:
                yield _stat(node)
            else:
                stack.extend(reversed([v for v in node.values() if isinstance(v, dict | list)]))


def _stat(node: dict[str, Any]) -> Row:
    """A number of the API: one of v2, or the numbers of a day of v1."""
    found = _NAME.match(word(node.get("name")))
    if not found:
        return "its name does not tell the domain"
    at = _time(_day(node.get("date")) or found.group(2), _DAYS)
    if at is None:
        return f"{found.group(1)}: no day is told; ask with aggregationGranularity DAILY"
    if "metric" not in node:
        values = {name: node[name] for name in node if name[:300] and _letters(name) in _MEASURE}
        return [o for name, value in values.items() if (o := _number(found.group(1), at, name, value))]
    value = node.get("value")
    number = (
        next((value[k] for k in ("doubleValue", "floatValue", "stringValue", "intValue") if k in value), None)
        if isinstance(value, dict)
        else value
    )
    if _letters(word(node["metric"])) not in _MEASURE:
        return []  # something else that Google counts
    outcome = _number(found.group(1), at, word(node["metric"]), number)
    return [outcome] if outcome else f"{word(node['metric'])}: {number!r:.40} is no share between 0 and 1"


def _day(told: Any) -> str | None:
    """A date of the API as ISO 8601."""
    if not isinstance(told, dict) or not all(isinstance(told.get(k), int) and 0 < told[k] < 10_000 for k in ("year", "month", "day")):
        return None
    return f"{told['year']:04d}-{told['month']:02d}-{told['day']:02d}"


def _table(text: str, domain: str | None) -> Iterator[Row]:
    """Rows of a CSV with a header: a day, a number or several, and the domain where the configuration does not name it."""
    head = text.partition("\n")[0]
    lines = _cells(text, max(",;\t", key=head.count))
    names = [_letters(c) for c in next(lines, [])]
    day = next((i for i, n in enumerate(names) if n in {"date", "day"}), None)
    place = names.index("domain") if "domain" in names else None
    columns = {i: n for i, n in enumerate(names) if n in _MEASURE}
    if day is None or not columns or (place is None and not domain):
        yield f"the columns {', '.join(names)[:200]!r} hold no day, no rate, or no domain; name the domain in the source"
        return
    for cells in lines:
        cells += [""] * (len(names) - len(cells))
        at, about = _time(cells[day].strip(), _DAYS), cells[place].strip() if place is not None else domain or ""
        told = {i: cells[i] for i in columns if cells[i].strip()}
        found = [o for i, cell in told.items() if at and (o := _number(about, at, columns[i], cell))]
        yield found if len(found) == len(told) else f"not to be read: {','.join(cells)[:200]}"


def _number(domain: str, at: datetime, name: str, said: Any) -> Outcome | None:
    value = rate(said) if isinstance(said, str) else said
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    domain = domain.strip(" .").lower()[:255]
    original = Original(sender=f"@{domain}", provider_id=f"{domain} {at:%Y-%m-%d}")
    return Outcome(Kind.OBSERVED, at=at, measure=_MEASURE[_letters(name)], value=float(value), original=original)


def rate(text: str) -> float | None:
    """A share as printed ("0.05%", "< 0.1%", "0.0005"), 0 to 1; of a bound, the bound."""
    found = _RATE.fullmatch(text.strip()[:60])
    if not found:
        return None
    value = float(found.group(2)) / (100 if found.group(3) else 1)
    return value if value <= 1 else None


def _cells(text: str, delimiter: str) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from (row for row in islice(reader, MOST_RECORDS + 2) if row)
    except csv.Error as e:
        yield [f"not CSV: {e}"]


def _letters(name: str) -> str:
    return re.sub("[^a-z]", "", name[:100].lower())


def _count(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= MOST_COUNT else None


def _time(text: str, forms: tuple[str, ...], zone: ZoneInfo | None = None) -> datetime | None:
    for form in forms:
        try:
            return datetime.strptime(text[:40], form).replace(tzinfo=zone or UTC).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None
