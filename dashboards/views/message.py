"""Message: paste or open a report, and see it explained."""

import html

import streamlit as st

from analyzer.explain import MENDS, Line, explain
from analyzer.health import percent
from dashboards import show
from dashboards.charts import SAID

MOST_LINES, MOST_TEXT, MOST_BYTES = 50, 5_000, 20_000

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
    text, v = (line.text or "")[:MOST_TEXT], line.verdict
    if not v or not v.span or v.field not in {"diagnostic", "prose"}:
        return html.escape(text)
    start, end = v.span
    return f"{html.escape(text[:start])}<mark>{html.escape(text[start:end])}</mark>{html.escape(text[end:])}"


def explained(line: Line, titled: bool) -> str:
    """What the report says of one recipient, as HTML."""
    parts = [f"<h3>{html.escape(line.sentence)}</h3>"] if titled else []
    v = line.verdict
    if v:
        said = (
            ("Severity", show.dot(v.severity.value) + SAID[v.severity.value]),
            ("Reason", html.escape(show.words(v.reason))),
            ("To mend", html.escape(MENDS[v.fault])),
            ("Sure", percent(v.confidence)),
        )
        parts.append(f'<div class="mh-facts">{"".join(f"<div><small>{name}</small>{value}</div>" for name, value in said)}</div>')
    if line.text:
        parts.append(f'<div class="mh-words">{marked(line)}</div>')
    if v:
        other = f"; runner-up {v.runner_up}" if v.runner_up else ""
        parts.append(f'<p class="mh-next">{html.escape(" ".join([v.action, *([line.listing.step] if line.listing else [])]))}</p>')
        parts.append(f'<small class="mh-dim">{html.escape(f"Rule {v.rule}, by the {v.field}{other}. {line.source or str()}")}</small>')
    return f'<div class="mh-line">{"".join(parts)}</div>'


st.title("Message")
left, right = st.columns([2, 3], gap="large")
with left:
    pasted = st.text_area(
        "Paste a report with its headers", height=330, max_chars=1_000_000, placeholder="From: MAILER-DAEMON@...\nSubject: Undelivered ..."
    )
    file = st.file_uploader("Or open one (.eml)", max_upload_size=20)
    st.caption("Read here and now; nothing is stored.")
data = file.getvalue() if file else pasted.encode("utf-8", "replace")
with right:
    if not data.strip():
        st.caption("An example, until you paste a report:")
        data = SAMPLE
    found = explain(data)
    show.lead(found.headline)
    about = found.report.original
    st.caption(show.plain(f"Read by {found.report.parser}. Original message: {about.message_id or 'not named'}."))
    if found.report.truncated:
        st.warning(f"Cut short: {', '.join(found.report.truncated)}.")
    if found.lines:
        st.html("".join(explained(line, len(found.lines) > 1) for line in found.lines[:MOST_LINES]))
    if len(found.lines) > MOST_LINES:
        st.caption(f"And {len(found.lines) - MOST_LINES:,} recipients more.")
    with st.expander("The message as it came"):
        st.code(data[:MOST_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd"), language=None)
        if len(data) > MOST_BYTES:
            st.caption(f"The first {MOST_BYTES:,} of {len(data):,} bytes.")
