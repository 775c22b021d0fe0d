"""Message: paste or open a report, and see it explained."""

import html

import streamlit as st

from analyzer.explain import Line, explain
from analyzer.health import percent
from dashboards import show

SAMPLE = b"""From: MAILER-DAEMON@mail.shop.example (Mail Delivery System)
To: bounces@shop.example
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

<anna@customer.example>: host mx.customer.example[192.0.2.10] said: 550 5.1.1
    <anna@customer.example>: Recipient address rejected: User unknown (in reply
    to RCPT TO command)

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.shop.example

Final-Recipient: rfc822; anna@customer.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.customer.example
Diagnostic-Code: smtp; 550 5.1.1 <anna@customer.example>: Recipient address
    rejected: User unknown

--b
Content-Type: text/rfc822-headers

From: shop@shop.example
To: anna@customer.example
Message-ID: <order-1@shop.example>

--b--
"""


def marked(line: Line) -> str:
    """The words, with those that decided marked; a stranger wrote them, so all of it is escaped."""
    text, v = line.text or "", line.verdict
    if not v or not v.span or v.field not in {"diagnostic", "prose"}:
        return html.escape(text)
    start, end = v.span
    return f"{html.escape(text[:start])}<mark>{html.escape(text[start:end])}</mark>{html.escape(text[end:])}"


st.title("Message")
st.caption("Paste a bounce with its headers, or open the file. Nothing is stored.")
file = st.file_uploader("A report (.eml)", max_upload_size=20)
sample = st.toggle("Show an example")
pasted = st.text_area("Or paste it here", height=180, max_chars=1_000_000)
data = file.getvalue() if file else SAMPLE if sample else pasted.encode("utf-8", "surrogateescape" if pasted.isascii() else "replace")
if not data.strip():
    st.stop()
found = explain(data)
st.subheader(show.plain(found.headline))
about = found.report.original
st.caption(show.plain(f"Read by {found.report.parser}; original message {about.message_id or 'not named'}"))
if found.report.truncated:
    st.warning(f"Cut short: {', '.join(found.report.truncated)}.")
for line in found.lines[:50]:
    with st.container(border=True):
        st.markdown(f"**{show.plain(line.sentence)}**")
        if line.verdict:
            v = line.verdict
            one, two, three, four = st.columns(4)
            one.metric("Severity", v.severity.value)
            two.metric("Reason", v.reason.replace("-", " "))
            three.metric("Who can mend it", v.fault)
            four.metric("Sure", percent(v.confidence))
        if line.text:
            st.html(f'<div style="font-family:monospace;font-size:0.9rem;white-space:pre-wrap;overflow-wrap:anywhere">{marked(line)}</div>')
        if line.verdict:
            st.success(line.verdict.action, icon=":material/arrow_forward:")
            other = f"; runner-up {line.verdict.runner_up}" if line.verdict.runner_up else ""
            st.caption(show.plain(f"Rule {line.verdict.rule}, by the {line.verdict.field}{other}. {line.source or ''}"))
with st.expander("The message as it came"):
    st.code(data[:20_000].decode("utf-8", "replace"), language=None)
