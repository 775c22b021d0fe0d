"""The pieces that several pages show: cards, findings, tables of rates, definitions, files to take away.

What strangers wrote reaches the page through `html.escape` or `plain`, never otherwise.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from analyzer.health import Finding, percent
from analyzer.metrics import METRICS, Metric, records
from dashboards.charts import SAID, SEVERITY
from dashboards.data import View, ask

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>$:])")


def plain(text: object) -> str:
    """Text from strangers, so that Markdown shows it as it is."""
    # a word joiner keeps addresses and links from coming alive
    still = " ".join(str(text).split()).replace("@", "@\u2060").replace("://", ":\u2060//").replace("www.", "www\u2060.")
    return _MARKDOWN.sub(r"\\\1", still)


def words(text: object) -> str:
    """A name of ours as people say it: 'user-unknown' is user unknown."""
    return str(text).replace("-", " ").replace("_", " ")


AS_PARAMETER = {"provider": "at"}
"""Dimension -> parameter of the URL that narrows the replies; `at`, so that the numbers stay those of the whole view."""


def spoken(dimension: str, value: str) -> str:
    """A value of a dimension as the page and its URL say it."""
    return SAID[value] if dimension == "severity" else words(value) if dimension == "reason" else value


def simulated(notice: str) -> None:
    """The notice of made-up data."""
    st.html(f'<div class="mh-simulated" role="note">{html.escape(notice)}</div>')


def lead(text: str) -> None:
    """The sentence that is read first."""
    st.html(f'<p class="mh-lead">{html.escape(text)}</p>')


def opens(now: pd.DataFrame) -> str:
    """What can be said of the open rate. Needs rows open, open_up_to, open_raw, open_machine."""
    value = {name: percent(now.loc[name, "value"]) for name in now.index}
    return (
        f"Between {value['open']} and {value['open_up_to']} of the accepted messages were opened by people. Machines alone opened {value['open_machine']}; "
        f"other tools, which count them, would say {value['open_raw']}. Compare campaigns by clicks."
    )


def cards(view: View, names: list[str]) -> None:
    """A row of cards, with the change against the period before where there is one."""
    now = {row["metric"]: row for row in records(ask(view, "measure", names))}
    earlier: dict[str, dict[str, Any]] = {}
    before = view.before()
    if before:
        earlier = {row["metric"]: row for row in records(ask(before, "measure", names))}
    with st.container(horizontal=True, gap="small"):
        for name in names:
            _card(METRICS[name], now[name], earlier.get(name))


def _card(metric: Metric, row: dict[str, Any], before: dict[str, Any] | None) -> None:
    """A number with its n, interval, aim and definition; what is not known is said."""
    help_ = f"{metric.sentence} {metric.caveat}"
    with st.container(border=True, height="stretch", gap="xxsmall", key=f"card-{metric.name}"):
        if metric.unit != "share":
            st.metric(metric.title, f"{row['numerator']:,.0f}", help=help_)
            st.caption("each message once per recipient")
        elif pd.isna(row["value"]):
            st.metric(metric.title, "not known", help=help_)
            st.caption(str(row["note"]))
        else:
            st.metric(metric.title, percent(row["value"]), help=help_)
            aim = f"  \naim: under {percent(metric.aim)}" if metric.aim else ""
            change = f"  \n{_change(metric, row, before)}" if before and not pd.isna(before["value"]) else ""
            st.caption(
                f"{percent(row['low'])} to {percent(row['high'])}  \n{row['numerator']:,.0f} of {row['denominator']:,.0f}{aim}{change}"
            )


def _change(metric: Metric, row: dict[str, Any], before: dict[str, Any]) -> str:
    """Against the period before; coloured only where the intervals lie apart, since all else may be chance."""
    text = f"before: {percent(before['value'])}"
    if metric.good == "neither" or (row["low"] <= before["high"] and row["high"] >= before["low"]):
        return text
    worse = (row["value"] > before["value"]) == (metric.good == "low")
    return f":{'red' if worse else 'green'}[{'▲' if row['value'] > before['value'] else '▼'} {text}]"


def when(view: View) -> None:
    """Which days the page speaks of, and how sure they are."""
    parts = [f"Sent {view.period}, days in UTC."]
    if view.period and (before := view.before()):
        parts.append(f"Before: {before.period}; coloured where the difference is beyond chance.")
    if bool(ask(view, "measure", ["sent"])["provisional"].any()):
        parts.append("The last days are provisional: mail sent then may still come back.")
    st.caption(" ".join(parts))


def finding(found: Finding, here: bool = False) -> None:
    """A finding: what, how we know, the next step, whose it is to mend, and the way to its replies, unless they are `here`."""
    text, way = st.columns([6, 1], vertical_alignment="center")
    evidence = f'<div class="mh-evidence">{html.escape(found.evidence)}</div>' if found.evidence else ""
    step = html.escape(found.next_step)
    if found.page:  # never an address out of a stranger's mail
        step = step.replace(
            found.page, f'<a href="{html.escape(found.page)}" target="_blank" rel="noopener noreferrer">{html.escape(found.page)}</a>'
        )
    text.html(
        f'<div class="mh-finding mh-{found.level}"><div class="mh-title">{html.escape(found.title)}.</div>{evidence}'
        f'<div>{step} <span class="mh-dim">To mend: {html.escape(found.who)}.</span></div></div>'
    )
    if here:
        return
    if found.receivers:
        way.page_link("views/receivers.py", label="Receivers", icon=":material/arrow_forward:")
    elif found.where:
        link = {AS_PARAMETER.get(name, name): [spoken(name, v) for v in values] for name, values in found.where.items()}
        way.page_link("views/bounces.py", label="Replies", icon=":material/arrow_forward:", query_params=link)


def rates_table(view: View, by: str, names: Sequence[str]) -> None:
    """The metrics for each value of a dimension, with n and interval; what differs from the whole beyond chance stands out."""
    whole = {row["metric"]: row for row in records(ask(view, "measure", list(names)))}
    rows: dict[str, dict[str, Any]] = {}
    for row in records(ask(view, "measure", list(names), [by])):
        rows.setdefault(str(row[by]), {})[row["metric"]] = row
    largest = sorted(rows.items(), key=lambda item: -item[1][names[0]]["numerator"])[:20]
    head = "".join(f'<th title="{html.escape(METRICS[n].sentence)}">{METRICS[n].title}</th>' for n in names)
    body = "".join(
        f"<tr><td>{html.escape(words(name) if by == 'mail_type' else name)}</td>{''.join(_cell(METRICS[n], row[n], whole[n]) for n in names)}</tr>"
        for name, row in largest
    )
    foot = f'<tr class="mh-all"><td>All</td>{"".join(_cell(METRICS[n], whole[n], whole[n]) for n in names)}</tr>'
    st.html(
        f'<div class="mh-scroll"><table class="mh-table"><thead><tr><th></th>{head}</tr></thead><tbody>{body}{foot}</tbody></table></div>'
    )
    more = f" The {len(largest)} largest of {len(rows):,}." if len(rows) > len(largest) else ""
    st.caption(f"Small: the count, and the 95% interval of the rate. Red: worse than the whole, beyond chance.{more}")


def _cell(metric: Metric, row: dict[str, Any], whole: dict[str, Any]) -> str:
    if metric.unit != "share":
        return f"<td>{row['numerator']:,.0f}</td>"
    if pd.isna(row["value"]):
        return f'<td class="mh-dim" title="{html.escape(str(row["note"]))}">not known</td>'
    apart = row["low"] > whole["high"] if metric.good == "low" else row["high"] < whole["low"]
    mark = ' class="mh-worse"' if apart and metric.good != "neither" else ""
    return f"<td><span{mark}>{percent(row['value'])}</span><small>{row['numerator']:,.0f} · {percent(row['low'])} to {percent(row['high'])}</small></td>"


def definitions(names: Sequence[str]) -> None:
    """What each number means, what it is divided by, and the caveat."""
    with st.expander("Definitions"):
        lines = []
        for name in names:
            metric = METRICS[name]
            divided = f" Divided by: {metric.denominator.replace('_', ' ')}." if metric.denominator else ""
            lines.append(f"- **{metric.title}**: {metric.sentence} {metric.caveat}{divided}")
        st.markdown("\n".join(lines))


def dot(severity: str) -> str:
    """A severity's colour, as HTML."""
    return f'<span class="mh-dot" style="background:{SEVERITY.get(severity, SEVERITY["undetermined"])}"></span>'


def download(frame: pd.DataFrame, name: str) -> None:
    """A button for the frame as CSV. Cells that a spreadsheet would run as formulas are defused."""
    safe = frame.map(lambda v: f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t\r" else v)
    st.download_button(
        "Download as CSV", safe.to_csv(index=False).encode(), file_name=f"{name}.csv", mime="text/csv", icon=":material/download:"
    )


def missing(what: str, how: str) -> None:
    """Says what is missing and how to get it."""
    st.info(f"{what} {how}", icon=":material/link_off:")
