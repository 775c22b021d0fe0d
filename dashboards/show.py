"""The pieces that several pages show: cards, findings, replies, tables that are safe to take away."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import streamlit as st

from analyzer.health import Finding, percent
from analyzer.metrics import METRICS, records
from dashboards.data import View, ask

ICON = {"act": ":material/error:", "watch": ":material/visibility:", "know": ":material/info:"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>$:])")


def plain(text: object) -> str:
    """Text from strangers, so that Markdown shows it as it is."""
    # a word joiner keeps addresses and links from coming alive
    still = " ".join(str(text).split()).replace("@", "@\u2060").replace("://", ":\u2060//").replace("www.", "www\u2060.")
    return _MARKDOWN.sub(r"\\\1", still)


def card(row: dict[str, Any], before: float | None = None) -> None:
    """A number with its n, interval and definition; what is not known is said."""
    metric = METRICS[str(row["metric"])]
    help_ = f"{metric.sentence} {metric.caveat}"
    with st.container(border=True, height="stretch"):
        if metric.unit != "share":
            st.metric(metric.title, f"{row['numerator']:,.0f}", help=help_)
            st.caption(
                "provisional: some are younger than the bounce window" if row["provisional"] else "messages and recipients, each once"
            )
            return
        if pd.isna(row["value"]):
            st.metric(metric.title, "not known", help=help_)
            st.caption(str(row["note"]))
            return
        change = None if before is None or pd.isna(before) else f"{(row['value'] - before) * 100:+.2f} pts"
        colour = {"low": "inverse", "high": "normal"}.get(metric.good, "off")
        st.metric(metric.title, percent(row["value"]), delta=change, delta_color=colour, help=help_)  # type: ignore[arg-type]
        st.caption(f"{percent(row['low'])} to {percent(row['high'])}, {row['numerator']:,.0f} of {row['denominator']:,.0f}")


def cards(view: View, names: list[str]) -> None:
    """A row of cards, with the change against the period before where there is one."""
    now = {row["metric"]: row for row in records(ask(view, "measure", names))}
    earlier: dict[str, float | None] = {}
    if view.period and (span := view.numbers.span()) and view.period.before().start >= span.start:
        frame = view.numbers.measure(names, where=view.where, period=view.period.before())
        earlier = {row["metric"]: row["value"] for row in records(frame)}
    for column, name in zip(st.columns(len(names)), names, strict=True):
        with column:
            card(now[name], earlier.get(name))


def finding(found: Finding) -> None:
    """A finding: what and the next step; how we know, once it is opened."""
    colour = {"act": "red", "watch": "orange", "know": "blue"}[found.level]
    with st.expander(f":{colour}[**{plain(found.title)}.**] {plain(found.next_step)}", icon=ICON[found.level]):
        st.code(found.evidence, language=None, wrap_lines=True)


def download(frame: pd.DataFrame, name: str) -> None:
    """A button for the frame as CSV. Cells that a spreadsheet would run as formulas are defused."""
    safe = frame.map(lambda v: f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t\r" else v)
    st.download_button(
        "Download as CSV", safe.to_csv(index=False).encode(), file_name=f"{name}.csv", mime="text/csv", icon=":material/download:"
    )


def missing(what: str, how: str) -> None:
    """Says what is missing and how to get it."""
    st.info(f"{what} {how}", icon=":material/link_off:")
