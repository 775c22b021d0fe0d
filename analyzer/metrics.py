"""Every number is defined here, once: METRICS says what it is, `Numbers.measure` computes it. Pages and notebooks do not divide."""

from __future__ import annotations

import difflib
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from analyzer.model import TEST_PARSER, Kind
from analyzer.period import Period as Period
from analyzer.period import PeriodError as PeriodError  # what reading one raises
from analyzer.store import Store

DIMENSIONS = (
    "day",
    "week",
    "campaign",
    "mail_type",
    "provider",
    "sending_domain",
    "smtp_provider",
    "sending_ip",
    "severity",
    "reason",
    "fault",
)
"""What numbers can be cut by. The last three belong to failures."""
FLOW_DAYS = 30  # in which it is seen what is usual for a source
Z = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True, slots=True)
class Metric:
    """A number and its meaning. Numerator and denominator are columns of the ledger that are summed."""

    name: str
    title: str
    numerator: str
    denominator: str | None  # None: a count
    sentence: str  # for a marketer
    caveat: str  # for an engineer
    good: Literal["low", "high", "neither"] = "neither"
    unit: Literal["share", "count", "money"] = "share"
    aim: float | None = None  # a threshold that providers publish
    never: float | None = None
    needs_deliveries: bool = False


def _metrics() -> dict[str, Metric]:
    m = Metric
    found = [
        m("sent", "Sent", "sent", None, "Messages handed to an SMTP provider, each counted once per recipient.", "Unique by Message-ID and recipient.", unit="count"),
        m("accepted", "Accepted", "accepted", "sent", "Messages that a receiving server took and did not send back.", "Delivered (2xx at the end of DATA) less later bounces.", "high", needs_deliveries=True),
        m("pending", "Pending", "pending", "sent", "Messages of which nothing final is known yet; they may still arrive.", "No delivery and no bounce so far.", "low", needs_deliveries=True),
        m("bounce", "Bounced", "bounced", "sent", "Messages that came back, for whatever reason.", "Final failures; a warning of delay is none.", "low", aim=0.02, never=0.05),
        m("hard", "Dead addresses", "hard", "sent", "Messages to addresses that cannot receive mail: stop mailing them.", "Severity hard: the address is at fault.", "low", aim=0.02),
        m("soft", "Soft bounces", "soft", "sent", "The address may be fine; its mailbox or mail system could not take the message.", "Severity soft.", "low"),
        m("block", "Blocked", "block", "sent", "The receiver refused us: keep the addresses, mend the cause.", "Severity block: reputation, authentication, content, volume.", "low"),
        m("undetermined", "Not said why", "undetermined", "sent", "Messages refused without a reason given.", "Severity undetermined.", "low"),
        m("complaint", "Complaints", "complained", "complaints_heard", "Recipients who pressed the spam button.", "Only of providers that return complaints; Gmail shows its own rate in Postmaster Tools.", "low", aim=0.001, never=0.003, needs_deliveries=True),
        m("open", "Opened by people", "opened_human", "accepted", "Messages opened by somebody who is surely a person.", "Lower bound: opens of proxies that may be people are not in it.", "high", needs_deliveries=True),
        m("open_up_to", "Opened, at most", "opened_up_to", "accepted", "Messages opened by a person, counting those where it cannot be told.", "Upper bound: human and unknown.", "high", needs_deliveries=True),
        m("open_raw", "Opened, raw", "opened", "accepted", "What other tools call the open rate: machines are in it.", "Apple's mail privacy opens everything.", needs_deliveries=True),
        m("open_machine", "Opened by machines", "opened_machine", "accepted", "Messages that only machines opened.", "By user agent.", needs_deliveries=True),
        m("click", "Clicked", "clicked_people", "accepted", "Messages in which somebody clicked; link scanners are left out.", "Agents human and unknown.", "high", needs_deliveries=True),
        m("unsubscribe", "Unsubscribed", "unsubscribed", "accepted", "Recipients who asked to be taken off the list.", "By link, one-click, mail or provider.", "low", needs_deliveries=True),
        m("conversion", "Ordered", "converted", "accepted", "Messages that an order followed.", "By Message-ID, else the recipient's latest message within the conversion window.", "high", needs_deliveries=True),
        m("value", "Order value", "value", None, "What those orders came to.", "Summed as given; currencies are not converted.", "high", "money"),
        m("delayed", "Delayed", "delayed", "sent", "Messages that a server put off at least once.", "Warnings; most arrive later.", "low"),
    ]  # fmt: skip
    return {metric.name: metric for metric in found}


METRICS = _metrics()
COLUMNS = sorted({c for m in METRICS.values() for c in (m.numerator, m.denominator) if c} | {"delivered"})


def wilson(numerator: float, denominator: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): two numbers between 0 and 1; (nan, nan) of nothing."""
    if denominator <= 0:
        return math.nan, math.nan
    p, n = min(1.0, numerator / denominator), denominator
    middle = p + Z * Z / (2 * n)
    half = Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + Z * Z / n)), min(1.0, (middle + half) / (1 + Z * Z / n))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as plain dictionaries."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


class Numbers:
    """The numbers of one store. Safe to share between threads."""

    def __init__(self, store: Store, window_days: int = 5, conversion_days: int = 7) -> None:
        self._store, self.window_days, self.conversion_days = store, window_days, conversion_days
        self._lock = threading.RLock()  # held while a query runs
        self._reading = threading.Lock()  # held while the lake is read anew; queries go on meanwhile, over what was read before
        self.version = -2  # before the first snapshot; an empty lake is -1
        self.refresh()

    @classmethod
    def open(cls, path: Path | str, window_days: int = 5, conversion_days: int = 7) -> Numbers:
        """The numbers of the store at `path`. Raises StoreError."""
        return cls(Store(Path(path), create=False), window_days, conversion_days)

    @property
    def simulated(self) -> str | None:
        """The notice of made-up data, to be shown wherever a number is."""
        return self._store.simulated

    def refresh(self) -> bool:
        """Takes in what the lake has got since; whether there was anything. Raises StoreError."""
        from analyzer.engine import Engine
        from analyzer.join import joined
        from analyzer.ledger import ledger

        with self._reading:
            if self._store.lake.version("events") == self.version:
                return False
            engine = Engine(self._store.lake)
            with engine.reading():
                version, events = engine.events()
                found = joined(events, self.window_days, self.conversion_days, engine.kept)
                rows = engine.kept("ledger", ledger(found))
            with self._lock:
                self._events, self._joined, self._ledger, self.version = events, found, rows, version
            return True

    def measure(
        self, metrics: Sequence[str], by: Sequence[str] = (), where: Mapping[str, Sequence[str]] | None = None, period: Period | None = None
    ) -> pd.DataFrame:
        """Columns: *by, metric, numerator, denominator, value, low, high, provisional, note. Sums first, divides last.

        Where nothing was sent, or no delivery log is connected, the value is missing and `note` says why; it is never 0.
        Raises ValueError for names that are not known.
        """
        for name in metrics:
            _known(name, METRICS, "metric")
        sums = self._sums(by, where, period)
        deliveries = bool(sums["delivered"].sum()) if len(sums) else False
        young = datetime.now(UTC).date() - timedelta(days=self.window_days)
        rows = [
            {
                **{b: row[b] for b in by},
                **_value(METRICS[name], row, deliveries),
                "provisional": bool(row["last_day"] and row["last_day"] > young),
            }
            for row in records(sums)
            for name in metrics
        ]
        return pd.DataFrame(rows, columns=[*by, "metric", "numerator", "denominator", "value", "low", "high", "provisional", "note"])

    def _sums(self, by: Sequence[str], where: Mapping[str, Sequence[str]] | None, period: Period | None) -> pd.DataFrame:
        rows = self._rows(where, period)
        sums = {c: rows[c].sum() for c in COLUMNS} | {"last_day": rows.day.max()}
        with self._lock:
            grouped = rows.group_by([_known(b, DIMENSIONS, "dimension") for b in by]) if by else rows
            frame: pd.DataFrame = grouped.agg(**sums).execute()
        frame[COLUMNS] = frame[COLUMNS].fillna(0)
        frame["last_day"] = [d if pd.isna(d) is False and isinstance(d, date) else None for d in pd.to_datetime(frame["last_day"]).dt.date]
        return frame.sort_values(list(by), ignore_index=True) if by else frame

    def _rows(self, where: Mapping[str, Sequence[str]] | None, period: Period | None) -> Any:
        rows = self._ledger
        if period:
            rows = rows.filter(rows.day >= period.start, rows.day < period.end)
        for name, values in (where or {}).items():
            _known(name, DIMENSIONS, "dimension")
            if values:
                rows = rows.filter(rows[name].isin(list(values)))
        return rows

    def breakdown(self, by: Sequence[str], where: Mapping[str, Sequence[str]] | None = None, period: Period | None = None) -> pd.DataFrame:
        """Failures counted: columns *by, count, total, share, low, high; most first."""
        rows = self._rows(where, period)
        rows = rows.filter(rows.bounced == 1)
        with self._lock:
            frame: pd.DataFrame = rows.group_by([_known(b, DIMENSIONS, "dimension") for b in by]).agg(count=rows.count()).execute()
        total = int(frame["count"].sum())
        frame["total"] = total
        frame["share"] = frame["count"] / total if total else math.nan
        intervals = [wilson(c, total) for c in frame["count"]]
        frame["low"], frame["high"] = [i[0] for i in intervals], [i[1] for i in intervals]
        return frame.sort_values(["count", *by], ascending=[False, *[True] * len(by)], ignore_index=True)

    def replies(self, where: Mapping[str, Sequence[str]] | None = None, period: Period | None = None, limit: int = 200) -> pd.DataFrame:
        """The receivers' words, alike ones together: columns template, provider, severity, reason, fault, rule, count, first, last, example, capture_id."""
        rows = self._rows(where, period)
        rows = rows.filter(rows.bounced == 1)
        with self._lock:
            frame: pd.DataFrame = (
                rows.group_by(["template", "provider", "severity", "reason", "fault", "rule"])
                .agg(
                    count=rows.count(),
                    first=rows.failed_at.min(),
                    last=rows.failed_at.max(),
                    example=rows.diagnostic.min(),
                    capture_id=rows.capture_id.min(),
                )
                .order_by(["count"])
                .execute()
            )
        return frame.sort_values("count", ascending=False, ignore_index=True).head(limit)

    def refusals(self, where: Mapping[str, Sequence[str]] | None = None, period: Period | None = None) -> pd.DataFrame:
        """Refusals of us by the hour: columns provider, reason, sending_ip, sending_domain, hour, count, first, last, example; in order of time."""
        rows = self._rows(where, period)
        rows = rows.filter(rows.bounced == 1, rows.severity == "block").mutate(hour=rows.failed_at.truncate("h"))
        with self._lock:
            frame: pd.DataFrame = (
                rows.group_by(["provider", "reason", "sending_ip", "sending_domain", "hour"])
                .agg(count=rows.count(), first=rows.failed_at.min(), last=rows.failed_at.max(), example=rows.diagnostic.min())
                .execute()
            )
        return frame.sort_values(["first", "provider", "reason"], ignore_index=True)

    def failures(self, where: Mapping[str, Sequence[str]] | None = None, period: Period | None = None, limit: int = 20_000) -> pd.DataFrame:
        """Failed messages one by one: when, to which provider, why; at most `limit`, the latest first."""
        rows = self._rows(where, period)
        rows = rows.filter(rows.bounced == 1)
        names = ("failed_at", "provider", "severity", "reason", "fault", "campaign", "mail_type", "sending_domain", "sending_ip", "smtp_provider",
                 "status", "reply_code", "diagnostic", "message_id", "capture_id")  # fmt: skip
        with self._lock:
            frame: pd.DataFrame = rows.select(*names).order_by(rows.failed_at.desc()).limit(limit).execute()
        return frame

    def values(self, dimension: str, period: Period | None = None) -> list[str]:
        """The values of a dimension, the most frequent first."""
        rows = self._rows(None, period)
        rows = rows.filter(rows[_known(dimension, DIMENSIONS, "dimension")].notnull())
        with self._lock:
            frame: pd.DataFrame = rows.group_by(dimension).agg(n=rows.count()).execute()
        return [str(v) for v in frame.sort_values("n", ascending=False)[dimension]]

    def span(self) -> Period | None:
        """From the first to the last day that the ledger has; None when it is empty."""
        with self._lock:
            row = self._ledger.agg(first=self._ledger.day.min(), last=self._ledger.day.max()).execute().iloc[0]
        if pd.isna(row["first"]):
            return None
        return Period(pd.Timestamp(row["first"]).date(), pd.Timestamp(row["last"]).date() + timedelta(days=1))

    def freshness(self) -> pd.DataFrame:
        """Per source: events, the last arrival, and how many could not be read."""
        e = self._events
        with self._lock:
            frame: pd.DataFrame = (
                e.group_by("source")
                .agg(events=e.count(), last=e.received_at.max(), unreadable=(e.kind == Kind.UNREADABLE.value).sum())
                .execute()
            )
        return frame.sort_values("source", ignore_index=True)

    def flow(self) -> pd.DataFrame:
        """How steadily each source brings something: columns source, gaps (pauses of a minute and more, of the FLOW_DAYS before the last arrival),
        usual (seconds, which 95 % of them do not exceed), longest (seconds), first, last."""
        e = self._events
        minutes = e.select("source", minute=e.received_at.truncate("m")).distinct()
        with self._lock:
            frame: pd.DataFrame = minutes.execute()
        rows: list[list[Any]] = []
        for source, found in frame.groupby("source")["minute"]:
            times = found.sort_values()
            times = times[times > times.iloc[-1] - pd.Timedelta(days=FLOW_DAYS)]
            gaps = times.diff().dropna().dt.total_seconds()
            usual, longest = (gaps.quantile(0.95), gaps.max()) if len(gaps) else (math.nan, math.nan)
            rows.append([source, len(gaps), usual, longest, times.iloc[0].to_pydatetime(), times.iloc[-1].to_pydatetime()])
        return pd.DataFrame(rows, columns=["source", "gaps", "usual", "longest", "first", "last"])

    def attribution(self) -> pd.DataFrame:
        """By what the outcomes of each source found their sends: columns source, way, events, share (of the source's); the surest way first.

        `attributed` sums it up. The way "campaign" found no send and yet what was mailed; "none" found nothing.
        """
        from analyzer.join import WAYS
        from analyzer.ledger import attribution

        with self._lock:
            frame: pd.DataFrame = attribution(self._joined).execute()
        frame["share"] = frame["events"] / frame.groupby("source")["events"].transform("sum") if len(frame) else []
        return frame.sort_values(["source", "way"], key=lambda c: c.map(WAYS.index) if c.name == "way" else c, ignore_index=True)

    def test_sends(self) -> pd.DataFrame:
        """What became of test mails, the latest first: `kind` is "bounced" where the provider refused one, `campaign` is the subject,
        `reason` else is where it lies: inbox, junk, folder or missing."""
        e = self._events
        names = ["at", "kind", "campaign", "provider", "recipient_domain", "smtp_provider", "reason", "folder", "seconds", "authentication",
                 "status", "diagnostic", "capture_id"]  # fmt: skip
        with self._lock:
            frame: pd.DataFrame = e.filter(e.parser == TEST_PARSER, e.kind != Kind.UNREADABLE.value).select(*names).execute()
        return frame.sort_values("at", ascending=False, ignore_index=True)

    def observed(self, where: Mapping[str, Sequence[str]] | None = None, period: Period | None = None) -> pd.DataFrame:
        """What receivers counted, each report once: columns measure, reporter (as it calls itself), domain, ip, day, result, colour, host, said, messages,
        value, capture_id. `analyzer.observed` makes shares of them. Of `where` only the sending domain is looked at: receivers know of no campaigns."""
        from analyzer.ledger import observed

        with self._lock:
            rows = observed(self._events)
            if period:
                rows = rows.filter(rows.day >= period.start, rows.day < period.end)
            if domains := list((where or {}).get("sending_domain", ())):
                rows = rows.filter(rows.domain.isin(domains))
            frame: pd.DataFrame = rows.execute()
        frame["day"] = pd.to_datetime(frame["day"]).dt.date if len(frame) else frame["day"]
        return frame.sort_values(["measure", "reporter", "day", "domain", "ip", "result"], ignore_index=True)

    def raw(self, capture_id: str) -> bytes | None:
        """The bytes of a capture, as they came."""
        capture = self._store.lake.get(capture_id)
        return capture.data if capture else None


def attributed(ways: pd.DataFrame) -> pd.DataFrame:
    """How far outcomes were attributed, by the frame of `Numbers.attribution` or a part of it: a row each to "an id of the message", "a message",
    "a campaign" (a message or at least a campaign) and "nothing"; columns to, events, total, share, low, high. Nothing heard is unknown, not 0 %."""
    from analyzer.join import BY_ID

    sums = ways.groupby("way")["events"].sum()
    total = int(sums.sum())
    without = {way: int(sums.get(way, 0)) for way in ("campaign", "none")}
    message = total - sum(without.values())
    events = {"an id of the message": int(sums.reindex(BY_ID).sum()), "a message": message, "a campaign": message + without["campaign"], "nothing": without["none"]}  # fmt: skip
    rows = [[to, n, total, n / total if total else math.nan, *wilson(n, total)] for to, n in events.items()]
    return pd.DataFrame(rows, columns=["to", "events", "total", "share", "low", "high"])


def _value(metric: Metric, row: Mapping[str, Any], deliveries: bool) -> dict[str, Any]:
    numerator = float(row[metric.numerator])
    base: dict[str, Any] = {
        "metric": metric.name,
        "numerator": numerator,
        "denominator": None,
        "value": None,
        "low": None,
        "high": None,
        "note": None,
    }
    if metric.denominator is None:
        return base | {"value": numerator}
    denominator = float(row[metric.denominator])
    base["denominator"] = denominator
    if not row["sent"]:
        return base | {"note": "no send log: connect one to see rates"}
    if metric.needs_deliveries and not deliveries:
        return base | {"numerator": numerator, "note": "no delivery log: connect one to know what was accepted"}
    if not denominator:
        return base | {"note": "nothing to divide by: none of these messages counts here"}
    low, high = wilson(numerator, denominator)
    return base | {"value": numerator / denominator, "low": low, "high": high}


def _known(name: str, known: Any, what: str) -> str:
    if name not in known:
        near = difflib.get_close_matches(name, list(known), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        raise ValueError(f"{name!r} is no {what}; {hint}")
    return name
