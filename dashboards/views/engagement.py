"""Engagement: who read, clicked, left and bought; people apart from machines."""

import streamlit as st

from analyzer.metrics import METRICS
from dashboards import charts, show
from dashboards.data import FILTERS, ask, current

RATES = ["open", "open_up_to", "click", "unsubscribe", "conversion"]
MOST = 12

view = current()
st.title("Engagement")
if view.period is None:
    show.missing("Nothing has arrived in the store yet.", "Run `mailhealth collect`, or look around with `mailhealth demo`.")
    st.stop()
now = ask(view, "measure", ["open", "open_up_to", "open_raw", "open_machine"]).set_index("metric")
if now["value"].isna().all():
    show.missing("Opens and clicks are not known:", f"{now['note'].iloc[0]}.")
    st.stop()
show.lead(show.opens(now))
show.when(view)
show.cards(view, RATES)

by = st.segmented_control(
    "By", list(FILTERS), default="mail_type", format_func=FILTERS.__getitem__, label_visibility="collapsed", key="by", bind="query-params"
)
by = by or "mail_type"
frame = ask(view, "measure", ["open", "open_up_to", "open_raw", "click", "unsubscribe", "conversion"], [by])
frame = frame[frame[by].isin(frame[frame["metric"] == "open"].nlargest(MOST, "denominator")[by])]
wide = (
    frame.pivot(index=by, columns="metric", values="value")
    .reset_index()
    .rename(columns={"open": "people", "open_up_to": "up_to", "open_raw": "raw"})
)
wide = wide.merge(frame[frame["metric"] == "open"][[by, "denominator"]].rename(columns={"denominator": "n"}), on=by)
left, right = st.columns(2)
with left:
    st.header("Opened by people")
    st.altair_chart(charts.open_interval(wide.dropna(subset=["people"]), by), width="stretch")
    st.caption("The bar runs from surely people to at most people; the grey mark is the raw rate, machines in it.")
for n, name in enumerate(("click", "unsubscribe", "conversion")):
    if n == 1:
        left, right = st.columns(2)
    with right if n != 1 else left:
        st.header(METRICS[name].title)
        st.altair_chart(charts.rates(frame[frame["metric"] == name], by, "of accepted, with the 95% interval"), width="stretch")

st.header("Clicked, by day of sending")
st.altair_chart(charts.rate_by_day(ask(view, "measure", ["click"], ["day"]), "of accepted"), width="stretch")
show.definitions(["open", "open_up_to", "open_raw", "open_machine", "click", "unsubscribe", "conversion"])
