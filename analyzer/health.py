"""Findings: what is wrong, how we know, since when, and the next step. Plain sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from analyzer.classify.rules import load
from analyzer.metrics import METRICS, Numbers, Period, records

LEAST_BLOCKED = 20  # failures that make an incident

Where = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody should know."""

    level: str  # "act", "watch" or "know"
    title: str  # a sentence
    evidence: str  # the reply, the numbers
    next_step: str  # a sentence
    count: int = 0  # messages
    since: datetime | None = None
    where: dict[str, list[str]] = field(default_factory=dict)  # filters that show just this


def percent(value: float | None) -> str:
    """A share as people read it; 'not known' when it is missing."""
    if value is None or pd.isna(value):
        return "not known"
    return f"{value:.2%}" if value < 0.1 else f"{value:.1%}"


def headline(numbers: Numbers, period: Period | None = None, where: Where | None = None) -> str:
    """The sentence that a marketer reads first."""
    counts = {m: int(n) for m, n in zip(*_counted(numbers, period, where), strict=True)}
    if not counts["bounce"]:
        return (
            "Nothing came back in this period."
            if counts["sent"]
            else "Nothing was sent or returned in this period, as far as the connected sources tell."
        )
    text = f"Of {counts['bounce']:,} failures {counts['hard']:,} are dead addresses"
    blocks = incidents(numbers, period, where)
    if blocks:
        first = blocks[0]
        text += (
            f"; {first.count:,} are one block by {first.where['provider'][0]} since {first.since:%d %b %H:%M} UTC" if first.since else ""
        )
    elif counts["block"]:
        text += f"; {counts['block']:,} are refusals of us, not of the address"
    text += f"; {counts['soft']:,} are soft and {counts['undetermined']:,} do not say why."
    if counts["hard"]:
        text += f" Suppress the {counts['hard']:,}" + (f"; keep the {counts['block']:,} that were blocked." if counts["block"] else ".")
    return text


def _counted(numbers: Numbers, period: Period | None, where: Where | None) -> tuple[list[str], list[float]]:
    names = ["sent", "bounce", "hard", "soft", "block", "undetermined"]
    frame = numbers.measure(names, where=where, period=period)
    return list(frame["metric"]), list(frame["numerator"])


def findings(numbers: Numbers, period: Period | None = None, where: Where | None = None) -> list[Finding]:
    """What is to be done, watched and known; the most pressing first."""
    found = [*incidents(numbers, period, where), *_addresses(numbers, period, where), *_limits(numbers, period, where), *_sources(numbers)]
    order = {"act": 0, "watch": 1, "know": 2}
    return sorted(found, key=lambda f: (order[f.level], -f.count))


def incidents(numbers: Numbers, period: Period | None = None, where: Where | None = None) -> list[Finding]:
    """Blocks: one provider, one reason, one sending address, many messages. Each with its beginning."""
    rows = numbers.failures({**(where or {}), "severity": ["block"]}, period)
    found = []
    for (provider, reason), group in rows.groupby(["provider", "reason"]):
        if len(group) < LEAST_BLOCKED:
            continue
        provider, reason = str(provider), str(reason)
        narrow, label = _narrowest(group)
        run = _run(group if not narrow else group[group[next(iter(narrow))] == next(iter(narrow.values()))[0]])
        if len(run) < LEAST_BLOCKED:
            continue
        example = run.iloc[0]
        place = {"provider": [str(provider)], "reason": [str(reason)], **narrow}
        title = f"{provider} refuses us: {len(run):,} messages{label}, {reason.replace('-', ' ')}, since {run['failed_at'].iloc[0]:%d %b %H:%M} UTC"
        found.append(
            Finding("act", title, str(example["diagnostic"] or "no words were given")[:400], load().reasons[str(reason)].action, len(run),
                    run["failed_at"].iloc[0].to_pydatetime(), place)
        )  # fmt: skip
    return sorted(found, key=lambda f: -f.count)


def _narrowest(group: pd.DataFrame) -> tuple[dict[str, list[str]], str]:
    """The one sending IP or domain that bears nearly all of it, if one does."""
    for name, words in (("sending_ip", "from IP"), ("sending_domain", "of the domain")):
        known = group[group[name] != "(not known)"][name].value_counts()
        if len(known) and known.iloc[0] >= 0.9 * len(group):
            return {name: [str(known.index[0])]}, f" {words} {known.index[0]}"
    return {}, ""


def _run(group: pd.DataFrame) -> pd.DataFrame:
    """The densest stretch: from where failures begin to come close after one another, so that a stray one before is not the beginning."""
    ordered = group.sort_values("failed_at")
    gaps = ordered["failed_at"].diff()
    usual = gaps.median() * 50 if len(ordered) > 2 else gaps.max()
    starts = (gaps > max(usual, pd.Timedelta(hours=36))).cumsum()
    return ordered[starts == starts.value_counts().idxmax()]


def _addresses(numbers: Numbers, period: Period | None, where: Where | None) -> list[Finding]:
    frame = numbers.breakdown(["severity", "reason"], where, period)
    found = []
    dead = int(frame.loc[frame["severity"] == "hard", "count"].sum())
    full = int(frame.loc[frame["reason"] == "mailbox-full", "count"].sum())
    unclear = int(frame.loc[frame["severity"] == "undetermined", "count"].sum())
    if dead:
        reasons = ", ".join(f"{r['reason'].replace('-', ' ')} {r['count']:,}" for r in records(frame[frame["severity"] == "hard"]))
        found.append(
            Finding(
                "act",
                f"{dead:,} messages went to dead addresses",
                reasons,
                "Stop mailing them, and look at how they came onto the list.",
                dead,
                where={"severity": ["hard"]},
            )
        )
    if full:
        found.append(
            Finding(
                "know",
                f"{full:,} messages met full mailboxes",
                "mailbox full",
                "Keep the addresses; mail them less often if it lasts for weeks.",
                full,
                where={"reason": ["mailbox-full"]},
            )
        )
    if unclear:
        found.append(
            Finding(
                "know",
                f"{unclear:,} failures do not say why",
                "read the replies below Bounces",
                "Keep the addresses and read the replies.",
                unclear,
                where={"severity": ["undetermined"]},
            )
        )
    return found


def _limits(numbers: Numbers, period: Period | None, where: Where | None) -> list[Finding]:
    found = []
    for row in records(numbers.measure(["bounce", "hard", "complaint"], where=where, period=period)):
        metric, value = METRICS[str(row["metric"])], row["value"]
        if value is None or pd.isna(value) or metric.aim is None or value <= metric.aim:
            continue
        over = metric.never is not None and value > metric.never
        found.append(Finding(
            "act" if over else "watch",
            f"{metric.title}: {percent(value)}, above the {percent(metric.never if over else metric.aim)} that providers {'never accept' if over else 'ask for'}",
            f"{row['numerator']:,.0f} of {row['denominator']:,.0f}; 95 % interval {percent(row['low'])} to {percent(row['high'])}. {metric.caveat}",
            "Mend the largest cause under Bounces first." if metric.name != "complaint" else "Mail people who read, and make unsubscribing easier than complaining.",
            int(row["numerator"]),
        ))  # fmt: skip
    return found


def _sources(numbers: Numbers) -> list[Finding]:
    return [
        Finding("watch", f"{row['unreadable']:,} entries of {row['source']} could not be read", "they are kept and counted",
                f"Look at the source {row['source']}: a column or a file may have changed.", int(row["unreadable"]))
        for row in records(numbers.freshness())
        if row["unreadable"]
    ]  # fmt: skip


def verdict(numbers: Numbers, period: Period | None = None) -> list[str]:
    """Ten lines for a terminal."""
    rows = {
        str(r["metric"]): r
        for r in records(
            numbers.measure(["sent", "accepted", "hard", "soft", "block", "complaint", "open", "open_up_to", "click"], period=period)
        )
    }
    lines = [headline(numbers, period)]
    lines.append(f"Sent {rows['sent']['numerator']:,.0f}; accepted {_said(rows['accepted'])}.")
    lines.append(f"Dead addresses {_said(rows['hard'])}; blocked {_said(rows['block'])}.")
    lines.append(
        f"Opened by people between {percent(rows['open']['value'])} and {percent(rows['open_up_to']['value'])}; clicked {percent(rows['click']['value'])}."
    )
    lines += [f"{'!' if f.level == 'act' else '-'} {f.title}. {f.next_step}" for f in findings(numbers, period)]
    return lines[:10]


def _said(row: Mapping[str, Any]) -> str:
    value = row["value"]
    if value is None or pd.isna(value):
        return f"not known ({row['note']})"
    return f"{percent(value)} ({percent(row['low'])} to {percent(row['high'])})"
