"""The store's numbers, opened once a process and refreshed when the lake has got something; the period and the filters."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from analyzer.metrics import Numbers, Period, records

STORE = "MAILHEALTH_STORE"
FILTERS = {
    "mail_type": "Mail type",
    "campaign": "Campaign",
    "provider": "Mailbox provider",
    "sending_domain": "Sending domain",
    "smtp_provider": "SMTP provider",
}
PERIODS = {"7": "Last 7 days", "14": "Last 14 days", "30": "Last 30 days", "all": "Everything"}
REFRESH_SECONDS = 15


@dataclass(frozen=True)
class View:
    """What a page is asked to show."""

    numbers: Numbers
    period: Period | None
    where: dict[str, list[str]]


@st.cache_resource(show_spinner="Reading the store …")
def _numbers(path: str) -> Numbers:
    return Numbers.open(Path(path))


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
    path = os.environ.get(STORE, "mailhealth-data")
    found = _numbers(path)
    _refreshed(path)
    return found


@st.cache_data(ttl=60, max_entries=300, show_spinner=False)
def _cached(
    path: str, version: int, what: str, args: tuple[Any, ...], where: tuple[tuple[str, tuple[str, ...]], ...], period: Period | None
) -> Any:
    found: Any = getattr(_numbers(path), what)(*[list(a) if isinstance(a, tuple) else a for a in args], where=dict(where), period=period)
    return found


def ask(view: View, what: str, *args: Any, **where: list[str]) -> pd.DataFrame:
    """A frame of Numbers, by the view's filters and period, remembered for as long as the lake stays as it is."""
    filters = {**view.where, **where}
    key = tuple(sorted((k, tuple(v)) for k, v in filters.items() if v))
    path = os.environ.get(STORE, "mailhealth-data")
    frame: pd.DataFrame = _cached(
        path, view.numbers.version, what, tuple(tuple(a) if isinstance(a, list) else a for a in args), key, view.period
    )
    return frame


def sidebar() -> View:
    """The period and the filters, which stand in the URL, so that a view can be sent to somebody."""
    found = numbers()
    span = found.span()
    with st.sidebar:
        period = _period(span)
        where = {name: chosen for name, title in FILTERS.items() if (chosen := _choice(found, name, title))}
        if where and st.button("Clear filters", width="stretch"):
            for name in FILTERS:
                st.query_params.pop(name, None)
                st.session_state.pop(f"filter-{name}", None)
            st.rerun()
        _sources(found)
    return View(found, period, where)


def _period(span: Period | None) -> Period | None:
    wanted = st.query_params.get("period", "all")
    keys = list(PERIODS)
    chosen = st.selectbox("Period", keys, index=keys.index(wanted) if wanted in keys else keys.index("all"), format_func=PERIODS.__getitem__,
                          help="Days of the send, UTC. What became of a message counts on the day it was sent.")  # fmt: skip
    st.query_params["period"] = chosen
    if span is None or chosen == "all":
        return span
    last: date = span.end
    return Period(last - timedelta(days=int(chosen)), last)


def _choice(found: Numbers, name: str, title: str) -> list[str]:
    options = found.values(name)[:200]
    if len(options) < 2:
        return []
    asked = [v for v in st.query_params.get_all(name) if v in options]
    chosen = st.multiselect(title, options, default=asked, key=f"filter-{name}", placeholder="all")
    if chosen:
        st.query_params[name] = chosen
    else:
        st.query_params.pop(name, None)
    return chosen


def _sources(found: Numbers) -> None:
    frame = found.freshness()
    with st.expander(f"Sources ({len(frame)})"):
        if frame.empty:
            st.caption("Nothing has arrived yet.")
        for row in records(frame):
            unread = f", {row['unreadable']} unreadable" if row["unreadable"] else ""
            st.text(f"{row['source']}: {row['events']:,} events{unread}, last {row['last']:%d %b %H:%M} UTC")
