"""Test sends: where test mail landed, how long it took, and what the receiver thought of its authentication."""

import html
import json
from typing import Any

import pandas as pd
import streamlit as st

from analyzer.metrics import records
from dashboards import show
from dashboards.data import current

MOST = 30
WORSE = ' class="mh-worse"'
PLACES = {"inbox": "Inbox", "junk": "Junk", "missing": "not found"}
HELP = """
Nobody but the receiver knows where a mail lands. So send one to mailboxes of your own, and look:

1. Open a mailbox at each provider that matters to you, and allow IMAP there.
2. In `mailhealth.toml` add a table `[smtp.NAME]` for the SMTP provider and a table `[seeds.NAME]` for each mailbox; `mailhealth init` writes both as comments.
3. `mailhealth check` tries the logins.
4. Send a mail that you mean to send to many:
"""


def word(row: dict[str, Any]) -> str:
    """What became of one seed's copy, in a word."""
    if row["kind"] == "bounced" or pd.isna(row["reason"]):
        return "refused"
    return PLACES.get(str(row["reason"]), str(row["folder"]))


def cell(row: dict[str, Any]) -> str:
    """The same with the time and the authentication, as HTML."""
    said = word(row)
    mark = "" if said == "Inbox" else WORSE
    seconds = "" if pd.isna(row["seconds"]) else f" after {row['seconds']:.0f} s"
    folder = f" ({row['folder']})" if said == "Junk" else ""
    checks = [] if pd.isna(row["authentication"]) else str(row["authentication"]).split()
    results = " · ".join(f"<span{'' if c.endswith('=pass') else WORSE}>{html.escape(c.replace('=', ' '))}</span>" for c in checks)
    return f"<div><span{mark}>{html.escape(said)}</span>{html.escape(folder + seconds)}<small>{results}</small></div>"


def grid(frame: pd.DataFrame) -> None:
    """A row for each test mail, a column for each mailbox provider."""
    seeds = sorted(set(frame["provider"].fillna("Other")))
    rows = []
    for _, sent in list(frame.groupby("capture_id", sort=False))[:MOST]:
        first = records(sent)[0]
        by_seed: dict[str, list[str]] = {}
        for row in records(sent):
            by_seed.setdefault("Other" if pd.isna(row["provider"]) else str(row["provider"]), []).append(cell(row))
        title = f"{html.escape(str(first['campaign'] or 'no subject'))}<small>{first['at']:%-d %b %H:%M} UTC via {html.escape(str(first['smtp_provider']))}</small>"
        cells = "".join(f"<td>{''.join(by_seed.get(s, []))}</td>" for s in seeds)
        rows.append(f"<tr><td>{title}</td>{cells}</tr>")
    head = "".join(f"<th>{html.escape(s)}</th>" for s in seeds)
    st.html(
        f'<div class="mh-scroll"><table class="mh-table"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def one(frame: pd.DataFrame, raw: bytes | None) -> None:
    """One test mail in full: what each server said."""
    rows = "".join(
        f"<tr><td>{html.escape(str(r['provider']))}</td><td>{html.escape(word(r))}</td><td>{html.escape('' if pd.isna(r['diagnostic']) else r['diagnostic'])}</td></tr>"
        for r in records(frame)
    )
    st.html(f'<div class="mh-scroll"><table class="mh-table mh-left"><tbody>{rows}</tbody></table></div>')
    with st.expander("The dialogues with the SMTP provider"):
        for placement in json.loads(raw or b"{}").get("placements", []):
            st.code("\n".join(map(str, placement.get("dialogue", []))), language=None)


view = current()
st.title("Test sends")
frame = view.numbers.test_sends()
if frame.empty:
    show.missing("No test mail has been sent yet.", "")
    st.markdown(HELP)
    st.code("mailhealth test-send newsletter.eml --via main --to gmail --to outlook", language="bash")
    st.caption(
        "It is submitted as real mail, then looked for: inbox or junk, after how long, and SPF, DKIM and DMARC as the receiver saw them."
    )
    st.stop()
latest = frame[frame["capture_id"] == frame["capture_id"].iloc[0]]
landed = sum(word(row) == "Inbox" for row in records(latest))
at = latest["at"].iloc[0]
show.lead(
    f"The latest test mail, “{latest['campaign'].iloc[0]}” via {latest['smtp_provider'].iloc[0]} on {at:%-d %b}, is in the inbox of {landed} of {len(latest)} seeds."
)
st.caption("Each row is a test mail, each column a mailbox provider. Below each place: SPF, DKIM and DMARC as the receiver saw them.")
grid(frame)
st.header("What was said")
names = {
    str(i): f"{g['at'].iloc[0]:%-d %b %H:%M}, {g['campaign'].iloc[0]}, via {g['smtp_provider'].iloc[0]}"
    for i, g in list(frame.groupby("capture_id", sort=False))[:MOST]
}
chosen = st.selectbox("Test mail", list(names), format_func=names.__getitem__, label_visibility="collapsed")
one(frame[frame["capture_id"] == chosen], view.numbers.raw(chosen))
