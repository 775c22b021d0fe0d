"""Sources: what each one brings, when it was last heard, and by what its outcomes found the messages that they are about."""

import html

import pandas as pd
import streamlit as st

from analyzer.health import pause, percent, silences, silent
from analyzer.metrics import attributed, records
from dashboards import charts, show
from dashboards.data import current, heard

WORSE = ' class="mh-worse"'
FOUND = """
A bounce, an opening or an order counts for the message that it is about. The surest way to know that one is its **Message-ID**; then an **envelope id** that the
sender chose, the id that the **SMTP provider** gave it, or an id of your own in a **header** of the message. Where none is told, the latest message to that recipient
is taken: of those with the same **Feedback-ID** where there are such, else of all (**recipient and time**), which is right as a rule and wrong now and then.
**Campaign alone**: the message or its recipient was taken out, and yet its Feedback-ID or a header tells what was mailed. **Nothing found** means that your send log
does not have the message, or came later. docs/tracking.md says how to be found more often.
"""


def table(rows: pd.DataFrame, silent: set[str]) -> None:
    """A row for each source."""
    lines = []
    for row in records(rows):
        usual = "one delivery" if pd.isna(row["usual"]) else pause(row["usual"])
        unread = f"<span{WORSE}>{row['unreadable']:,}</span>" if row["unreadable"] else "0"
        last = f"{row['last']:%-d %b %H:%M} UTC"
        cells = (
            html.escape(str(row["source"])),
            f"{row['events']:,}",
            f"<span{WORSE}>{last}</span>" if row["source"] in silent else last,
            usual,
            unread,
        )
        lines.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    head = "".join(f"<th>{h}</th>" for h in ("", "events", "last heard", "usual pause", "unreadable"))
    st.html(f'<div class="mh-scroll"><table class="mh-table"><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>')


def sentence(found: pd.DataFrame) -> str:
    """How far outcomes were attributed, in one sentence."""
    far = attributed(found).set_index("to")
    share = {to: percent(far.loc[to, "share"]) for to in far.index}
    return (
        f"Of {far['total'].iloc[0]:,} outcomes {share['a message']} are attributed to a message ({share['an id of the message']} by an id of it), "
        f"{share['a campaign']} to a message or at least a campaign, {share['nothing']} to nothing."
    )


view = current()
st.title("Sources")
sources, found = heard()
if sources.empty:
    show.missing("Nothing has arrived yet.", "Name a source in mailhealth.toml; `mailhealth init` writes one to start from.")
else:
    quiet = silences(view.numbers)
    show.lead(
        f"{quiet[0].title}."
        if quiet
        else f"{len(sources)} source{'' if len(sources) == 1 else 's'}, none of which has been silent for unusually long."
    )
    for finding in quiet:
        st.warning(show.plain(finding.next_step), icon=":material/sensors_off:")
    table(sources, set(silent(view.numbers)["source"]))
    if len(found):
        st.subheader("How outcomes found their messages")
        st.markdown(sentence(found))
        st.altair_chart(charts.found_by(found), width="stretch")
        st.caption(FOUND)
