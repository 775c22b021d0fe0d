"""Findings: what is wrong, how we know, since when, whose it is to mend, and the next step. Plain sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd

from analyzer.classify.lists import listing
from analyzer.classify.rules import load
from analyzer.explain import MENDS
from analyzer.finding import Finding as Finding
from analyzer.finding import percent as percent  # for pages and reports
from analyzer.metrics import FLOW_DAYS, METRICS, Numbers, Period, records
from analyzer.standing import standing

LEAST_GAPS, LEAST_DAYS = 20, 3  # of a source whose silence means something
LEAST_SILENCE, MANY = 6 * 3600, 4  # seconds; usual pauses
LEAST_BLOCKED = 20  # failures that make an incident
PAUSE = timedelta(hours=36)
"""A block is over when mail is taken again so long after its last refusal; a longer pause between refusals makes two blocks."""

Where = Mapping[str, Sequence[str]]


def headline(numbers: Numbers, period: Period | None = None, where: Where | None = None) -> str:
    """The sentence that a marketer reads first."""
    return summary(numbers, findings(numbers, period, where), period, where)


def summary(numbers: Numbers, found: Sequence[Finding], period: Period | None = None, where: Where | None = None) -> str:
    """The headline over findings that are at hand already."""
    frame = numbers.measure(["sent", "bounce", "hard", "block"], where=where, period=period).set_index("metric")["numerator"]
    sent, bounced, hard, refused = (int(frame[name]) for name in ("sent", "bounce", "hard", "block"))
    if not bounced:
        return f"Nothing came back of {sent:,} sent." if sent else "Nothing was sent or returned, as far as the connected sources tell."
    blocks = [f for f in found if f.since]
    named = [b for b in blocks if not b.until][:2] or blocks[:1]
    parts = [f"{hard:,} are dead addresses"] if hard else []
    parts += [f"{b.count:,} {'were' if b.until else 'are'} one {b.short}" for b in named]
    other_blocks = refused - sum(b.count for b in named)
    parts += [f"{other_blocks:,} are {'other ' if named else ''}refusals of us"] if other_blocks else []
    rest = bounced - hard - refused
    parts += [f"{rest:,} are soft or do not say why"] if rest else []
    text = f"Of {bounced:,} failures {_listed(parts)}."
    others = bounced - hard
    if not hard:
        return f"{text} Keep the addresses."
    return f"{text} Stop mailing the {hard:,}{f'; keep the other {others:,}' if others else ''}."


def _listed(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def findings(numbers: Numbers, period: Period | None = None, where: Where | None = None) -> list[Finding]:
    """What is to be done, watched and known; the most pressing first: blocks that last, then by the number of messages."""
    found = [
        *incidents(numbers, period, where),
        *_addresses(numbers, period, where),
        *_limits(numbers, period, where),
        *standing(numbers, period, where),
        *_sources(numbers),
        *silences(numbers),
    ]
    order = {"act": 0, "watch": 1, "know": 2}
    return sorted(found, key=lambda f: (order[f.level], not f.since, -f.count))


def incidents(numbers: Numbers, period: Period | None = None, where: Where | None = None) -> list[Finding]:
    """Blocks: one provider, one reason, one sending address, many messages. Each with its beginning, and its end when mail was taken again."""
    hours = numbers.refusals(where, period)
    found = []
    for (provider, reason), group in hours.groupby(["provider", "reason"]):
        narrow, label = _narrowest(group)
        for column, value in narrow.items():
            group = group[group[column] == value]
        run = _run(group)
        if run["count"].sum() >= LEAST_BLOCKED:
            place = {**(where or {}), "provider": [str(provider)], **{k: [v] for k, v in narrow.items()}}
            over = _taken_since(numbers, run["last"].max().to_pydatetime(), place)
            found.append(_block(str(provider), str(reason), narrow, label, run, over))
    return sorted(found, key=lambda f: (f.until is not None, -f.count))


def _taken_since(numbers: Numbers, last: datetime, place: Where) -> bool:
    """Whether mail from the same place was accepted after the pause that ends a block. Silence alone proves nothing."""
    span, after = numbers.span(), (last + PAUSE).date()
    if span is None or span.end <= after:
        return False
    return bool(numbers.measure(["accepted"], where=place, period=Period(after, span.end))["numerator"].iloc[0] > 0)


def _block(provider: str, reason: str, narrow: dict[str, str], label: str, run: pd.DataFrame, over: bool) -> Finding:
    count, first, last = int(run["count"].sum()), run["first"].min().to_pydatetime(), run["last"].max().to_pydatetime()
    known, said = load().reasons[reason], reason.replace("-", " ")
    if over:
        title = f"{provider} refused {count:,} messages{label}, {said}, from {first:%-d %b %H:%M} to {last:%-d %b %H:%M} UTC, and takes mail again"
        when = f"({first:%-d %b} to {last:%-d %b}, over)"
    else:
        when = f"since {first:%-d %b %H:%M} UTC"
        title = f"{provider} refuses us: {count:,} messages{label}, {said}, {when}"
    words = str(run.sort_values("count")["example"].iloc[-1] or "no words were given")[:400]
    place = {"provider": [provider], "reason": [reason], **{k: [v] for k, v in narrow.items()}}
    short = f"{provider} block{' of ' + ' '.join(label.split()[1:]) if label else ''} {when}"
    step = f"See that it stays so. {known.action}" if over else known.action
    named = listing(words, reason)
    step = f"{step} {named.step}" if named and not over else step
    return Finding("watch" if over else "act", title, words, step, MENDS[known.fault], count, first, last if over else None, place, short,
                   named.page if named and not over else None)  # fmt: skip


def _narrowest(group: pd.DataFrame) -> tuple[dict[str, str], str]:
    """The one sending IP or domain that bears nearly all of it, if one does."""
    for name, words in (("sending_ip", "from IP"), ("sending_domain", "from the domain")):
        known = group[group[name] != "(not known)"].groupby(name)["count"].sum()
        if len(known) and known.max() >= 0.9 * group["count"].sum():
            return {name: str(known.idxmax())}, f" {words} {known.idxmax()}"
    return {}, ""


def _run(hours: pd.DataFrame) -> pd.DataFrame:
    """The fullest stretch without a long pause, so that a stray refusal before is not the beginning."""
    ordered = hours.sort_values("first")
    pauses = ordered["first"] - ordered["last"].cummax().shift()
    stretch = (pauses > PAUSE).cumsum()
    return ordered[stretch == ordered.groupby(stretch)["count"].sum().idxmax()]


def _addresses(numbers: Numbers, period: Period | None, where: Where | None) -> list[Finding]:
    frame = numbers.breakdown(["severity", "reason", "provider"], where, period)
    dead, full, unclear = (
        frame[rows] for rows in (frame["severity"] == "hard", frame["reason"] == "mailbox-full", frame["severity"] == "undetermined")
    )
    found = [
        _group("act", "{} went to dead addresses", dead, "reason", "Stop mailing them, and look at how they came onto the list.",
               "address", {"severity": ["hard"]}),
        _group("know", "{} met a full mailbox", full, "provider", "Keep the addresses; mail them less often if it lasts for weeks.",
               "recipient", {"reason": ["mailbox-full"]}),
        _group("know", "{} came back without a reason", unclear, "provider", "Keep the addresses and read the replies.",
               "unknown", {"severity": ["undetermined"]}),
    ]  # fmt: skip
    return [f for f in found if f.count]


def _group(level: str, title: str, rows: pd.DataFrame, by: str, next_step: str, fault: str, where: dict[str, list[str]]) -> Finding:
    count, parts = int(rows["count"].sum()), rows.groupby(by)["count"].sum().sort_values(ascending=False)
    evidence = ", ".join(f"{str(name).replace('-', ' ') if by == 'reason' else name} {n:,}" for name, n in parts.head(8).items())
    return Finding(
        level, title.format(f"{count:,} message{'' if count == 1 else 's'}"), evidence, next_step, MENDS[fault], count, where=where
    )


def _limits(numbers: Numbers, period: Period | None, where: Where | None) -> list[Finding]:
    found = []
    for row in records(numbers.measure(["bounce", "hard", "complaint"], where=where, period=period)):
        metric, value = METRICS[str(row["metric"])], row["value"]
        if value is None or pd.isna(value) or metric.aim is None or value <= metric.aim:
            continue
        over = metric.never is not None and value > metric.never
        complaint = metric.name == "complaint"
        found.append(Finding(
            "act" if over else "watch",
            f"{metric.title}: {percent(value)}, above the {percent(metric.never if over else metric.aim)} that providers {'never accept' if over else 'ask for'}",
            f"{row['numerator']:,.0f} of {row['denominator']:,.0f}; 95% interval {percent(row['low'])} to {percent(row['high'])}. {metric.caveat}",
            "Mail people who read, and make unsubscribing easier than complaining." if complaint else "Mend the largest cause under Bounces first.",
            MENDS["content" if complaint else "address"],
            int(row["numerator"]),
        ))  # fmt: skip
    return found


def _sources(numbers: Numbers) -> list[Finding]:
    return [
        Finding("watch", f"{row['unreadable']:,} entries of {row['source']} could not be read", "they are kept and counted",
                f"Look at the source {row['source']}: a column or a file may have changed.", "whoever runs Mailhealth", int(row["unreadable"]))
        for row in records(numbers.freshness())
        if row["unreadable"]
    ]  # fmt: skip


def silent(numbers: Numbers, now: datetime | None = None) -> pd.DataFrame:
    """The rows of Numbers.flow for sources that have brought nothing for much longer than is usual for them, with `silence` in seconds.

    Made-up data comes to its end, and is not missed.
    """
    flow = numbers.flow()
    now = now or datetime.now(UTC)
    flow["silence"] = [(now - _utc(last)).total_seconds() for last in flow["last"]]
    steady = (flow["gaps"] >= LEAST_GAPS) & (flow["last"] - flow["first"] >= timedelta(days=LEAST_DAYS))
    long = (flow["silence"] > LEAST_SILENCE) & (flow["silence"] > MANY * flow["usual"]) & (flow["silence"] > 1.5 * flow["longest"])
    return flow[steady & long & (numbers.simulated is None)]


def silences(numbers: Numbers, now: datetime | None = None) -> list[Finding]:
    """The same as findings."""
    return [
        Finding(
            "act", f"Nothing from {row['source']} for {pause(row['silence'])}; its usual pause is {pause(row['usual'])}",
            f"last heard {_utc(row['last']):%-d %b %H:%M} UTC; the longest pause in {FLOW_DAYS} days was {pause(row['longest'])}",
            f"Run `mailhealth check`, and look whether {row['source']} still gets mail: a quiet mailbox and a broken one look the same from here.",
            "whoever runs Mailhealth",
        )
        for row in records(silent(numbers, now))
    ]  # fmt: skip


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def pause(seconds: float) -> str:
    """A pause as people say it."""
    size, name = next((unit for unit in ((86_400, "day"), (3600, "hour")) if seconds >= 2 * unit[0]), (60, "minute"))
    count = max(1, round(seconds / size))
    return f"{count} {name}{'' if count == 1 else 's'}"
