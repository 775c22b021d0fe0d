"""Bounces: why mail came back, by provider, down to the replies."""

import streamlit as st

from dashboards import charts, show
from dashboards.data import ask, sidebar

view = sidebar()
st.title("Bounces")
cells = ask(view, "breakdown", ["reason", "severity", "provider"])
if cells.empty:
    st.success("Nothing came back in this period.", icon=":material/check_circle:")
    st.stop()
st.caption("Dead addresses: stop mailing them. Refused us: keep the addresses, mend the cause. Soft: keep, and watch for repetition.")
show.cards(view, ["bounce", "hard", "block", "soft", "undetermined"])
st.subheader("Why, and at which mailbox provider")
st.altair_chart(charts.heat(cells), width="stretch")

st.subheader("What the receivers said")
reasons = cells.groupby("reason")["count"].sum().sort_values(ascending=False).index.tolist()
chosen = st.pills("Reason", reasons, selection_mode="multi", format_func=lambda r: r.replace("-", " "), label_visibility="collapsed")
replies = ask(view, "replies", **({"reason": chosen} if chosen else {}))
picked = st.dataframe(
    replies[["count", "provider", "severity", "reason", "template", "first", "last"]],
    hide_index=True,
    on_select="rerun",
    selection_mode="single-row",
    height=360,
    column_config={
        "count": st.column_config.NumberColumn("Messages", width="small"),
        "template": st.column_config.TextColumn("The receiver's words", width="large"),
        "first": st.column_config.DatetimeColumn("First", format="D MMM HH:mm"),
        "last": st.column_config.DatetimeColumn("Last", format="D MMM HH:mm"),
    },
)
rows = picked["selection"]["rows"] if picked else []
if rows:
    row = replies.iloc[rows[0]]
    st.markdown(f"**{show.plain(row['provider'])}**: {row['reason'].replace('-', ' ')}, rule `{row['rule']}`")
    st.code(str(row["example"]), language=None, wrap_lines=True)
    raw = view.numbers.raw(str(row["capture_id"]))
    with st.expander("The report as it came"):
        st.code((raw or b"").decode("utf-8", "replace")[:20_000], language=None)
else:
    st.caption("Choose a row to read an example and the report as it came.")
show.download(replies, "replies")
