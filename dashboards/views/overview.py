"""Overview: did the mail arrive, and what is to be done?"""

import streamlit as st

from analyzer.health import findings, headline
from dashboards import charts, show
from dashboards.data import ask, sidebar

view = sidebar()
st.title("Overview")
if view.period is None:
    show.missing("Nothing has arrived in the store yet.", "Run `mailhealth collect`, or look around with `mailhealth demo`.")
    st.stop()
st.markdown(f"#### {show.plain(headline(view.numbers, view.period, view.where))}")
st.caption(f"Sent {view.period}, days in UTC.")
show.cards(view, ["sent", "accepted", "hard", "block", "complaint"])

st.subheader("What to do")
found = findings(view.numbers, view.period, view.where)
for finding in found[:6]:
    show.finding(finding)
if not found:
    st.success("Nothing stands out in this period.", icon=":material/check_circle:")

left, right = st.columns([3, 2])
with left:
    st.subheader("Failures by day of sending")
    st.altair_chart(charts.failures_by_day(ask(view, "measure", ["hard", "block", "soft", "undetermined"], ["day"])), width="stretch")
with right:
    st.subheader("Accepted, by mailbox provider")
    accepted = ask(view, "measure", ["accepted"], ["provider"])
    if accepted["value"].notna().any():
        st.altair_chart(charts.rates(accepted.nlargest(12, "denominator"), "provider", "accepted, with 95 % interval"), width="stretch")
    else:
        show.missing("Not known:", str(accepted["note"].iloc[0]) if len(accepted) else "nothing was sent")
st.subheader("By mail type")
table = ask(view, "measure", ["sent", "accepted", "hard", "block", "soft"], ["mail_type"])
wide = table.pivot(index="mail_type", columns="metric", values="value")[["sent", "accepted", "hard", "block", "soft"]].sort_values(
    "sent", ascending=False
)
percents = {
    c: st.column_config.NumberColumn(t, format="percent")
    for c, t in {"accepted": "Accepted", "hard": "Dead addresses", "block": "Blocked", "soft": "Soft"}.items()
}
st.dataframe(wide, column_config={"mail_type": "Mail type", "sent": st.column_config.NumberColumn("Sent", format="localized"), **percents})
