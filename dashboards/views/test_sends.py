"""Test sends: where test mail landed, how long it took, and what the receiver thought of its authentication."""

import streamlit as st

from dashboards import show
from dashboards.data import current

view = current()
st.title("Test sends")
frame = view.numbers.test_sends()
if frame.empty:
    show.missing(
        "No test mail has been sent yet.",
        "Configure a seed mailbox and an SMTP provider in mailhealth.toml (`mailhealth init` shows how), then:",
    )
    st.code("mailhealth test-send newsletter.eml --via main --to gmail", language="bash")
    st.caption(
        "It is submitted as real mail, and looked for in the seed mailbox: inbox or junk, after how long, SPF, DKIM and DMARC as the receiver saw them."
    )
    st.stop()
st.dataframe(
    frame[["at", "smtp_provider", "provider", "folder", "seconds", "authentication", "status", "diagnostic"]],
    hide_index=True,
    column_config={
        "at": st.column_config.DatetimeColumn("Sent", format="D MMM HH:mm"),
        "smtp_provider": "Via",
        "provider": "Mailbox provider",
        "folder": "Found in",
        "seconds": st.column_config.NumberColumn("After", format="%.1f s"),
        "authentication": "Authentication",
        "diagnostic": "The server's last words",
    },
)
