"""Numbers of what receivers counted (the rows of `Numbers.observed`): DMARC, TLS, and what Google and Microsoft show. Each has the receiver's own denominator,
and none is blended with ours.

They are counts of all that a receiver saw, no samples: they stand with their n, and without an interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from analyzer.counted import reporter
from analyzer.model import Measure

BY = ("day", "reporter", "domain", "ip")
"""What these numbers can be cut by: the receiver's day (UTC), who counted, the domain in the From, the address that sent."""
SPAM_AIM, SPAM_NEVER = 0.001, 0.003
"""Google's thresholds of the spam rate (https://support.google.com/a/answer/81126): keep below the one, never reach the other."""
DENOMINATORS = {
    Measure.DMARC: "messages that the reporting receivers saw with our domain in the From",
    Measure.TLS: "sessions that the reporting senders opened to our mail hosts",
    Measure.SPAM_RATE: "messages that reached the inbox of Google's active users and passed DKIM; Google does not tell how many",
    Measure.COMPLAINT_RATE: "message recipients of the day, as Microsoft counts them; complaints may be about mail of earlier days",
    Measure.FILTER_RESULT: "message recipients of the day; green is under 10% spam by Microsoft's filter, red over 90%",
}
"""Measure -> what it is divided by, in words that stand beside it."""


def dmarc(told: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """DMARC as receivers evaluated it: columns *by, passed, messages, share (0 to 1), failed, let_through, quarantined, rejected; most messages first, days in order.

    No rows where nobody reported: that is not known, and never 0 %. Raises ValueError for a name that is not in BY.
    """
    rows = of(told, Measure.DMARC)
    passed = rows["result"].str.contains("dmarc=pass", regex=False)
    counts = {
        "passed": passed, "failed": ~passed,
        **{name: ~passed & rows["result"].str.endswith(f"disposition={word}") for name, word in _DONE.items()},
    }  # fmt: skip
    return _shares(rows, counts, "passed", by)


_DONE = {"let_through": "none", "quarantined": "quarantine", "rejected": "reject"}


def tls(told: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """TLS of those who deliver to us: columns *by, well, messages (sessions), share (0 to 1), failed. Raises ValueError as `dmarc`."""
    rows = of(told, Measure.TLS)
    well = rows["result"] == "tls=success"
    return _shares(rows, {"well": well, "failed": ~well}, "well", by)


def tls_failures(told: pd.DataFrame) -> pd.DataFrame:
    """Sessions that failed: columns domain, kind (RFC 8460 §4.3), messages (sessions), hosts (of ours), reporters, first, last; most first."""
    rows = of(told, Measure.TLS)
    rows = rows[(rows["result"] != "tls=success") & (rows["messages"] > 0)].assign(kind=lambda r: r["result"].str.removeprefix("tls="))
    return (
        rows.groupby(["domain", "kind"], dropna=False)
        .agg(messages=("messages", "sum"), hosts=("host", _several), reporters=("reporter", _several), first=("day", "min"), last=("day", "max"))
        .reset_index()
        .sort_values("messages", ascending=False, ignore_index=True)
    )  # fmt: skip


def rates(told: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """A rate as its receiver gives it, a row a day: columns reporter, domain, ip, day, value (0 to 1), messages (missing where the receiver does not tell), said."""
    rows = of(told, measure)
    return rows[["reporter", "domain", "ip", "day", "value", "messages", "said"]].sort_values(["domain", "ip", "day"], ignore_index=True)


def snds(told: pd.DataFrame) -> pd.DataFrame:
    """What Microsoft shows of our addresses: columns ip, day, colour, recipients, complaints (as printed), traps; by address and day."""
    key = ["ip", "day"]

    def column(measure: Measure, **names: str) -> pd.DataFrame:
        return told[told["measure"] == measure.value].rename(columns=names)[[*key, *names.values()]].drop_duplicates(key, keep="last")

    found = column(Measure.FILTER_RESULT, colour="colour", messages="recipients")
    found = found.merge(column(Measure.COMPLAINT_RATE, said="complaints"), on=key, how="left")
    return found.merge(column(Measure.TRAP_HITS, messages="traps"), on=key, how="left").sort_values(key, ignore_index=True)


def of(told: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The rows of one measure, reporters as people call them."""
    rows = told[told["measure"] == measure.value]
    return rows.assign(
        reporter=[reporter(r) for r in rows["reporter"]],
        result=rows["result"].fillna("").astype(str),
        messages=rows["messages"].astype(float),
    )


def _shares(rows: pd.DataFrame, counts: dict[str, Any], part: str, by: Sequence[str]) -> pd.DataFrame:
    """Sums first, divides last."""
    for name in by:
        if name not in BY:
            raise ValueError(f"{name!r} is none of {', '.join(BY)}")
    rows = rows.assign(**{name: rows["messages"].where(flags, 0.0) for name, flags in counts.items()})
    columns = ["messages", *counts]
    sums = rows.groupby(list(by), dropna=False)[columns].sum().reset_index() if by else rows[columns].sum().to_frame().T
    sums = sums[sums["messages"] > 0]
    sums["share"] = [p / n if n else math.nan for p, n in zip(sums[part], sums["messages"], strict=True)]
    order = [b for b in by if b == "day"]
    sums = sums.sort_values([*order, "messages"], ascending=[*[True] * len(order), False], ignore_index=True)
    return sums[[*by, part, "messages", "share", *[c for c in counts if c != part]]]


def _several(values: pd.Series[Any]) -> str:
    """A few names, and how many more there are."""
    names = sorted({str(v) for v in values if v and not pd.isna(v)})
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
