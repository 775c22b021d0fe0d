"""Engagement: who read, clicked, left and bought; people apart from machines."""

import streamlit as st

from analyzer.metrics import METRICS
from dashboards import charts, show
from dashboards.data import ask, sidebar

view = sidebar()
st.title("Engagement")
st.caption(
    "Opens lie between what people surely opened and what they may have opened; machines are left out. The raw rate is what other tools call the open rate."
)
show.cards(view, ["open", "open_up_to", "click", "unsubscribe", "conversion"])
by = st.segmented_control(
    "By",
    ["mail_type", "campaign", "provider"],
    default="mail_type",
    format_func=lambda d: d.replace("_", " ").capitalize(),
    label_visibility="collapsed",
)
by = by or "mail_type"
opens = ask(view, "measure", ["open", "open_up_to", "open_raw"], [by])
if opens["value"].notna().sum() == 0:
    show.missing(
        "Opens and clicks are not known:", str(opens["note"].dropna().iloc[0]) if opens["note"].notna().any() else "connect a log of them."
    )
    st.stop()
wide = (
    opens.pivot(index=by, columns="metric", values="value")
    .reset_index()
    .rename(columns={"open": "people", "open_up_to": "up_to", "open_raw": "raw"})
)
big = opens[opens["metric"] == "open"].nlargest(12, "denominator")[by]
left, right = st.columns(2)
with left:
    st.subheader("Opened by people")
    st.altair_chart(charts.open_interval(wide[wide[by].isin(big)], by), width="stretch")
    st.caption("The bar runs from surely people to at most people; the grey mark is the raw rate, machines in it.")
with right:
    st.subheader("Clicked")
    clicks = ask(view, "measure", ["click"], [by])
    st.altair_chart(charts.rates(clicks[clicks[by].isin(big)], by, "clicked, with 95 % interval"), width="stretch")
st.subheader("Clicked, by day of sending")
st.altair_chart(charts.rate_by_day(ask(view, "measure", ["click"], ["day"]), "clicked"), width="stretch")
left, right = st.columns(2)
for column, name in ((left, "unsubscribe"), (right, "conversion")):
    with column:
        st.subheader(METRICS[name].title)
        frame = ask(view, "measure", [name], [by])
        st.altair_chart(charts.rates(frame[frame[by].isin(big)], by, f"{METRICS[name].title.lower()}, with 95 % interval"), width="stretch")
with st.expander("Definitions"):
    for name in ("open", "open_up_to", "open_raw", "open_machine", "click", "unsubscribe", "conversion"):
        st.markdown(f"**{METRICS[name].title}**: {METRICS[name].sentence} {METRICS[name].caveat} Divided by: {METRICS[name].denominator}.")
