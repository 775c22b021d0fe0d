"""Bounces: why mail came back, by provider, down to the replies and the reports as they came."""

from typing import Any

import pandas as pd
import streamlit as st

from analyzer.classify.rules import load
from dashboards import charts, show
from dashboards.data import View, ask, current, judge

RATES = ["bounce", "hard", "block", "soft", "undetermined"]
NARROW = {"severity": "Severity", "reason": "Reason", "provider": "At", "sending_ip": "From IP"}
"""Dimension -> what it narrows the replies to."""
SHOWN_BYTES = 20_000


def pick_cell() -> None:
    """A click on the heat map narrows the replies to its cell."""
    points = st.session_state["heat"]["selection"].get("cell") or []
    for name in ("reason", "provider"):
        st.session_state[show.AS_PARAMETER.get(name, name)] = sorted({show.spoken(name, p[name]) for p in points if name in p})


def narrow(cells: pd.DataFrame, view: View) -> dict[str, list[str]]:
    """What the replies are narrowed to; each choice stands in the URL."""
    options = {
        "severity": [s for s in charts.SAID if s in set(cells["severity"])],
        "reason": list(dict.fromkeys(cells["reason"])),
        "provider": list(dict.fromkeys(cells["provider"])),
        "sending_ip": [v for v in ask(view, "breakdown", ["sending_ip"])["sending_ip"] if v != "(not known)"],
    }
    chosen = {}
    for column, (name, title) in zip(st.columns(4), NARROW.items(), strict=True):
        names = {show.spoken(name, value): value for value in options[name]}
        picked = column.multiselect(title, list(names), key=show.AS_PARAMETER.get(name, name), placeholder="all", bind="query-params")
        chosen[name] = [names[p] for p in picked]
    return {name: values for name, values in chosen.items() if values}


def replies(view: View, where: dict[str, list[str]]) -> None:
    """The receivers' words, alike ones together, and one of them in full."""
    frame = ask(view, "replies", **where)
    if frame.empty:
        st.info("Nothing came back that is all of this at once.", icon=":material/filter_alt_off:")
        return
    table = frame[["count", "provider", "severity", "reason", "template", "first", "last"]]
    picked: Any = st.dataframe(
        table.assign(severity=table["severity"].map(charts.SAID), reason=table["reason"].map(show.words)),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height=min(390, 37 + 35 * len(table)),
        column_config={
            "count": st.column_config.NumberColumn("Messages", format="localized", width=80),
            "provider": st.column_config.TextColumn("At", width=105),
            "severity": st.column_config.TextColumn("Severity", width=105),
            "reason": st.column_config.TextColumn("Reason", width=140),
            "template": st.column_config.TextColumn("The receiver's words", width=300),
            "first": st.column_config.DatetimeColumn("First, UTC", format="D MMM HH:mm", width=105),
            "last": st.column_config.DatetimeColumn("Last, UTC", format="D MMM HH:mm", width=105),
        },
    )
    rows = picked["selection"]["rows"]
    if rows and rows[0] < len(frame):
        one(view, frame.iloc[rows[0]])
    else:
        st.caption("Choose a row to read an example and the report as it came.")
    show.download(frame, "replies")


def one(view: View, row: "pd.Series[Any]") -> None:
    """An example of a reply: its words, what they mean, the report."""
    reason = load().reasons.get(str(row["reason"]))
    with st.container(border=True):
        st.markdown(f"**{show.plain(row['provider'])}: {show.words(row['reason'])}**" + (f", {reason.meaning}" if reason else ""))
        st.code(str(row["example"]), language=None, wrap_lines=True)
        if reason:
            st.markdown(f"**{reason.action}**")
        st.caption(show.plain(f"{row['count']:,} messages; rule {row['rule']}"))
        raw = view.numbers.raw(str(row["capture_id"])) or b""
        with st.expander("The report as it came"):
            st.code(raw[:SHOWN_BYTES].decode("utf-8", "replace"), language=None)
            if len(raw) > SHOWN_BYTES:
                st.caption(f"The first {SHOWN_BYTES:,} of {len(raw):,} bytes.")


@st.fragment
def drill_down(view: View, cells: pd.DataFrame) -> None:
    """The heat map, and below it the replies of what was clicked."""
    st.header("Why, and at which mailbox provider")
    dark = st.context.theme.type == "dark"
    st.altair_chart(charts.heat(cells, dark), width="stretch", key="heat", on_select=pick_cell, selection_mode="cell")
    st.caption(
        "Click a cell to read its replies below; double-click for all. Dead addresses: stop mailing them. Refused us: keep the addresses, mend the cause. Soft: keep, and watch for repetition."
    )
    st.header("What the receivers said")
    replies(view, narrow(cells, view))


view = current()
st.title("Bounces")
cells = ask(view, "breakdown", ["reason", "severity", "provider"])
if view.period is None:
    show.missing("Nothing has arrived in the store yet.", "Run `mailhealth collect`, or look around with `mailhealth demo`.")
elif cells.empty:
    st.success("Nothing came back in this period.", icon=":material/check_circle:")
else:
    show.lead(judge(view)[0])
    show.when(view)
    show.cards(view, RATES)
    drill_down(view, cells)
    show.definitions(RATES)
