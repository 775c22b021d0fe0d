"""The store's numbers, opened once a process and refreshed when the lake has got something; the period and the filters."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from analyzer.health import Finding, findings, summary
from analyzer.metrics import Numbers, Period, records

STORE = "MAILHEALTH_STORE"
WINDOWS = "MAILHEALTH_WINDOWS"
"""Days of the bounce window and of the conversion window, with a comma; without it, the usual ones."""
FILTERS = {
    "mail_type": "Mail type",
    "campaign": "Campaign",
    "provider": "Mailbox provider",
    "sending_domain": "Sending domain",
    "smtp_provider": "SMTP provider",
}
"""Dimension -> what it is called. Each is a parameter of the URL."""
PERIODS = {"7 days": 7, "14 days": 14, "30 days": 30, "90 days": 90, "everything": None, "chosen days": None}
"""What the URL says -> days back from the last one that has any mail."""
USUAL = "14 days"  # two weeks: the last one, and the same weekdays before
MOST_CHOICES = 500
REFRESH_SECONDS = 15


@dataclass(frozen=True)
class View:
    """What a page is asked to show."""

    numbers: Numbers
    period: Period | None
    where: dict[str, list[str]]

    def before(self) -> View | None:
        """The same of the period just before; None where the store does not reach back so far."""
        whole = span()
        if self.period is None or whole is None or self.period.before().start < whole.start:
            return None
        return replace(self, period=self.period.before())


@st.cache_resource(show_spinner="Reading the store …")
def _numbers(path: str) -> Numbers:
    windows = [int(days) for days in os.environ.get(WINDOWS, "").split(",") if days.isdecimal()]
    return Numbers.open(Path(path), *windows)


@st.cache_resource(ttl=REFRESH_SECONDS * 2, show_spinner=False)
def _refreshed(path: str) -> datetime:
    _numbers(path).refresh()
    return datetime.now(UTC)


def refresh() -> None:
    """Takes in what the lake has got; called in the background, it spares the pages the wait. Raises StoreError."""
    path = os.environ.get(STORE, "mailhealth-data")
    _numbers(path).refresh()


def numbers() -> Numbers:
    """The numbers of the store that MAILHEALTH_STORE names."""
    path = _path()
    found = _numbers(path)
    _refreshed(path)
    return found


Filters = tuple[tuple[str, tuple[str, ...]], ...]


@st.cache_data(ttl=600, max_entries=300, show_spinner=False)
def _measured(path: str, version: int, what: str, args: tuple[Any, ...], where: Filters, period: Period | None) -> pd.DataFrame:
    lists = [list(a) if isinstance(a, tuple) else a for a in args]
    found: pd.DataFrame = getattr(_numbers(path), what)(*lists, where=dict(where), period=period)
    return found


@st.cache_data(ttl=600, max_entries=100, show_spinner=False)
def _judged(path: str, version: int, where: Filters, period: Period | None) -> tuple[str, list[Finding]]:
    found = findings(_numbers(path), period, dict(where))
    return summary(_numbers(path), found, period, dict(where)), found


@st.cache_data(ttl=600, max_entries=50, show_spinner=False)
def _known(path: str, version: int) -> tuple[Period | None, pd.DataFrame, dict[str, list[str]]]:
    found = _numbers(path)
    return found.span(), found.freshness(), {name: found.values(name)[:MOST_CHOICES] for name in FILTERS}


@st.cache_data(ttl=600, max_entries=5, show_spinner=False)
def _heard(path: str, version: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = _numbers(path)
    return found.freshness().merge(found.flow().drop(columns=["first", "last"]), on="source", how="left"), found.attribution()


def heard() -> tuple[pd.DataFrame, pd.DataFrame]:
    """What each source brings and how steadily (the columns of Numbers.freshness and .flow); by what its outcomes found their sends."""
    return _heard(_path(), numbers().version)


def _path() -> str:
    return os.environ.get(STORE, "mailhealth-data")


def ask(view: View, what: str, *args: Any, **where: list[str]) -> pd.DataFrame:
    """A frame of Numbers, by the view's filters and period, remembered for as long as the lake stays as it is."""
    key = _key({**view.where, **where})
    return _measured(_path(), view.numbers.version, what, tuple(tuple(a) if isinstance(a, list) else a for a in args), key, view.period)


def judge(view: View) -> tuple[str, list[Finding]]:
    """The headline and the findings, remembered likewise."""
    return _judged(_path(), view.numbers.version, _key(view.where), view.period)


def span() -> Period | None:
    """From the first to the last day that the store knows of."""
    return _known(_path(), numbers().version)[0]


def _key(where: Mapping[str, Sequence[str]]) -> Filters:
    return tuple(sorted((name, tuple(values)) for name, values in where.items() if values))


def current() -> View:
    """What the URL asks for: the period and the filters, as `sidebar` shows them."""
    where = {name: list(chosen) for name in FILTERS if (chosen := st.session_state.get(name))}
    return View(numbers(), _period(span()), where)


def _period(whole: Period | None) -> Period | None:
    chosen = st.session_state.get("period", USUAL)
    if whole is None:
        return None
    if days := PERIODS.get(chosen):
        return Period(whole.end - timedelta(days=days), whole.end)
    between: tuple[date, ...] = tuple(st.session_state.get("days") or ()) if chosen == "chosen days" else ()
    return Period(between[0], between[1] + timedelta(days=1)) if len(between) == 2 else whole


def sidebar(period: bool = True, filters: bool = True) -> None:
    """The period and the filters, which stand in the URL, so that a view can be sent to somebody; and what has arrived from where."""
    whole, sources, options = _known(_path(), numbers().version)
    with st.sidebar:
        if period and whole:
            _days(whole)
        if filters and whole:
            _choices(options)
        _sources(sources)


def _days(whole: Period) -> None:
    # bound widgets: Streamlit keeps them and the URL the same, on every page
    chosen = st.selectbox("Sent in the last", list(PERIODS), index=list(PERIODS).index(USUAL), key="period", bind="query-params",
                          help="Days of the send, UTC, back from the last day that has any. What became of a message counts on the day it was sent.")  # fmt: skip
    if chosen == "chosen days":
        last = whole.end - timedelta(days=1)
        first = max(whole.start, last - timedelta(days=6))
        st.date_input("From and to", (first, last), whole.start, last, key="days", bind="query-params")


def _choices(options: Mapping[str, list[str]]) -> None:
    for name, title in FILTERS.items():
        if len(options[name]) > 1:
            st.multiselect(title, options[name], key=name, placeholder="all", bind="query-params")
    if any(st.session_state.get(name) for name in FILTERS):
        st.button("Clear the filters", width="stretch", on_click=_clear)


def _clear() -> None:
    for name in FILTERS:
        st.session_state[name] = []


def _sources(sources: pd.DataFrame) -> None:
    with st.expander(f"Sources ({len(sources)})"):
        if sources.empty:
            st.caption("Nothing has arrived yet.")
        lines = []
        for row in records(sources):
            unread = f", {row['unreadable']:,} unreadable" if row["unreadable"] else ""
            lines.append(f"{row['source']}: {row['events']:,} events{unread}, last {row['last']:%-d %b %H:%M} UTC")
        st.text("\n".join(lines))
