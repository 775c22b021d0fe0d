"""The dashboard. `mailhealth dash` starts it; MAILHEALTH_STORE names the store."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboards.data import numbers

VIEWS = Path(__file__).parent / "views"
st.set_page_config(page_title="Mailhealth", page_icon=":material/monitor_heart:", layout="wide")
page = st.navigation(
    [
        st.Page(VIEWS / "overview.py", title="Overview", icon=":material/monitor_heart:", default=True),
        st.Page(VIEWS / "bounces.py", title="Bounces", icon=":material/undo:"),
        st.Page(VIEWS / "engagement.py", title="Engagement", icon=":material/ads_click:"),
        st.Page(VIEWS / "test_sends.py", title="Test sends", icon=":material/send:"),
        st.Page(VIEWS / "message.py", title="Message", icon=":material/mail:"),
    ]
)
try:
    notice = numbers().simulated
except Exception as e:
    # the sentence of a StoreError is for whoever reads this page
    st.error(str(e), icon=":material/error:")
    st.stop()
if notice:
    st.warning(notice, icon=":material/science:")
page.run()
