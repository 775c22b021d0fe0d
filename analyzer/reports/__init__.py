"""The health report: the same numbers as everywhere, as HTML, Markdown or JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import make_msgid
from functools import cache
from typing import Any

import jinja2
import pandas as pd

from analyzer.health import findings, percent, summary
from analyzer.metrics import METRICS, Numbers, Period, records

SHOWN = (
    "sent",
    "accepted",
    "pending",
    "hard",
    "soft",
    "block",
    "undetermined",
    "complaint",
    "open",
    "open_up_to",
    "click",
    "unsubscribe",
    "conversion",
)
FORMATS = ("html", "md", "json")
_ALIVE = re.compile(r"([\\`*_\[\]<>])")  # what Markdown would make a link, an image or a tag of


def render(numbers: Numbers, period: Period, form: str) -> str:
    """The report of a period in one of FORMATS."""
    return _render(gather(numbers, period), form)


def _render(content: dict[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(content, indent=2, ensure_ascii=False, default=str)
    return _templates(form == "html").get_template(f"report.{form}").render(**content)


def gather(numbers: Numbers, period: Period) -> dict[str, Any]:
    """All that a report says, as plain values; a rate that is not known is None, with the reason in `note`."""
    before = numbers.measure(SHOWN, period=period.before()).set_index("metric")
    rows = []
    for row in records(numbers.measure(SHOWN, period=period)):
        metric = METRICS[str(row["metric"])]
        previous = before.loc[metric.name, "value"]
        rows.append({**{k: _clean(v) for k, v in row.items()}, "title": metric.title, "sentence": metric.sentence, "caveat": metric.caveat, "unit": metric.unit,
                     "before": _clean(previous)})  # fmt: skip
    found = findings(numbers, period)
    return {
        "headline": summary(numbers, found, period),
        "period": str(period),
        "period_before": str(period.before()),
        "provisional": any(row["provisional"] for row in rows),
        "simulated": numbers.simulated,
        "written_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "findings": [asdict(f) for f in found],
        "metrics": rows,
        "by_provider": _cut(numbers, "provider", period),
        "by_mail_type": _cut(numbers, "mail_type", period),
    }


def _cut(numbers: Numbers, by: str, period: Period) -> list[dict[str, Any]]:
    """The largest twelve: name, and for each metric what `measure` says of it."""
    wide: dict[str, dict[str, Any]] = {}
    for row in records(numbers.measure(["sent", "accepted", "hard", "block"], by=[by], period=period)):
        name = str(row.pop(by))
        wide.setdefault(name, {"name": name})[row.pop("metric")] = {k: _clean(v) for k, v in row.items()}
    return sorted(wide.values(), key=lambda r: -r["sent"]["numerator"])[:12]


def to_mail(numbers: Numbers, period: Period, sender: str, recipients: list[str]) -> EmailMessage:
    """The report as a message: HTML, with Markdown for those who read text, of the same figures. Raises ValueError for addresses that are none."""
    message = EmailMessage()
    content = gather(numbers, period)
    first = " ".join((content["findings"][0]["title"] if content["findings"] else content["headline"].rstrip(".")).split())
    message["Subject"] = f"{'[simulated] ' if numbers.simulated else ''}Mail health, {period}: {first}"
    message["From"], message["To"] = sender, ", ".join(recipients)
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = make_msgid(domain=message["From"].addresses[0].domain or "localhost")
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: vacations must not answer
    message.set_content(_render(content, "md"))
    message.add_alternative(_render(content, "html"), subtype="html")
    return message


@cache
def _templates(escape: bool) -> jinja2.Environment:
    env = jinja2.Environment(loader=jinja2.PackageLoader("analyzer.reports"), autoescape=escape, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - Markdown
    env.filters["percent"] = percent
    env.filters["count"] = lambda n: "not known" if n is None else f"{n:,.0f}"
    env.filters["line"] = lambda text: " ".join(str(text).replace("|", "/").split())
    env.filters["still"] = lambda text: _ALIVE.sub(r"\\\1", " ".join(str(text).replace("|", "/").split()))
    return env


def _clean(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    return None if pd.isna(value) else value
