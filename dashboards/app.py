"""The dashboard. `mailhealth dash` starts it; MAILHEALTH_STORE names the store."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboards import show
from dashboards.data import numbers, sidebar

HERE = Path(__file__).parent
st.set_page_config(page_title="Mailhealth", page_icon=str(HERE / "icon.svg"), layout="wide")
st.html(HERE / "style.css")
page = st.navigation(
    [
        st.Page(HERE / "views" / "overview.py", title="Overview", icon=":material/monitor_heart:", default=True),
        st.Page(HERE / "views" / "bounces.py", title="Bounces", icon=":material/undo:"),
        st.Page(HERE / "views" / "engagement.py", title="Engagement", icon=":material/ads_click:"),
        st.Page(HERE / "views" / "receivers.py", title="Receivers", icon=":material/verified_user:"),
        st.Page(HERE / "views" / "test_sends.py", title="Test sends", icon=":material/send:"),
        st.Page(HERE / "views" / "sources.py", title="Sources", icon=":material/sensors:"),
        st.Page(HERE / "views" / "message.py", title="Message", icon=":material/mail:"),
    ]
)
try:
    notice = numbers().simulated
except Exception as e:
    # the sentence of a StoreError is for whoever reads this page
    st.error(show.plain(e), icon=":material/error:")
    st.stop()
if notice:
    show.simulated(notice)
plain = page.url_path in {"test_sends", "sources", "message"}
sidebar(period=not plain, filters=not plain and page.url_path != "receivers")
page.run()
