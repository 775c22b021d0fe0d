"""Overview: did the mail arrive, and what is to be done?"""

import streamlit as st

from dashboards import charts, show
from dashboards.data import FILTERS, ask, current, judge

RATES = ["sent", "accepted", "hard", "block", "soft", "complaint"]

view = current()
st.title("Overview")
if view.period is None:
    show.missing("Nothing has arrived in the store yet.", "Run `mailhealth collect`, or look around with `mailhealth demo`.")
    st.stop()
headline, found = judge(view)
show.lead(headline)
show.when(view)
show.cards(view, ["sent", "accepted", "hard", "block", "complaint"])

st.header("What to do")
for finding in found[:6]:
    show.finding(finding)
if not found:
    st.success("Nothing stands out in this period.", icon=":material/check_circle:")

st.header("Failures by day of sending")
st.altair_chart(charts.failures_by_day(ask(view, "measure", ["hard", "block", "soft", "undetermined"], ["day"])), width="stretch")

st.header("Where")
by = st.segmented_control(
    "By", list(FILTERS), default="provider", format_func=FILTERS.__getitem__, label_visibility="collapsed", key="by", bind="query-params"
)
show.rates_table(view, by or "provider", RATES)
show.definitions(RATES)
