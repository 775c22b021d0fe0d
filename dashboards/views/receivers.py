"""Receivers: what those who take our mail say of it. Their counts, divided by what they saw, and never mixed with ours."""

import html
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from analyzer import observed
from analyzer.health import percent
from analyzer.metrics import records
from analyzer.model import Measure
from dashboards import charts, show
from dashboards.data import View, ask, current, judge

BY = {"reporter": "Receiver", "domain": "Domain", "ip": "Address"}
MOST = 15
WORSE = ' class="mh-worse"'
HELP = """
Receivers count your mail, and tell you once you ask. Two records in your DNS do that, with an address that Mailhealth reads:

```
_dmarc.example.com.           TXT "v=DMARC1; p=none; rua=mailto:reports@example.com"
_smtp._tls.example.com.       TXT "v=TLSRPTv1; rua=mailto:reports@example.com"
```

Google's Postmaster Tools and Microsoft's SNDS show more; save their files into a folder and name it as a source of type `receiver-statistics`.
`docs/receiver-reports.md` says how, step by step.
"""


def lead(dmarc: pd.DataFrame, reporters: int) -> str:
    """The sentence that is read first."""
    if dmarc.empty:
        return "No receiver has sent a DMARC report of these days."
    row = records(dmarc)[0]
    who = "one receiver" if reporters == 1 else f"{reporters} receivers"
    failed = int(row["failed"])
    rest = f"; {failed:,} fail, and {int(row['let_through']):,} of these were let through" if failed else ""
    return f"Of {int(row['messages']):,} messages with your domains in the From that {who} saw, {percent(row['share'])} pass DMARC{rest}."


def table(head: list[str], rows: list[list[str]]) -> None:
    """A table of cells that are HTML already."""
    titles = "".join(f"<th>{name}</th>" for name in ("", *head))
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    st.html(f'<div class="mh-scroll"><table class="mh-table"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>')


def passing(row: dict[str, Any]) -> str:
    """A share with its n."""
    mark = WORSE if row["share"] < 0.98 else ""
    return f"<span{mark}>{percent(row['share'])}</span><small>{row['passed']:,.0f} of {row['messages']:,.0f}</small>"


def dmarc_table(told: pd.DataFrame, ours: set[str]) -> None:
    """Who passes, by receiver, domain or address."""
    by = st.segmented_control("By", list(BY), default="reporter", format_func=BY.__getitem__, label_visibility="collapsed", key="seen", bind="query-params") or "reporter"  # fmt: skip
    frame = observed.dmarc(told, [by])
    rows = []
    for row in records(frame.sort_values(["failed", "messages"], ascending=False) if by == "ip" else frame)[:MOST]:
        name = html.escape(str(row[by]))
        if by == "ip":
            name += f"<small>{'yours' if row[by] in ours else 'in no send log'}</small>"
        rows.append([name, passing(row), *(f"{row[c]:,.0f}" if row[c] else "0" for c in charts.FATES)])
    table(["pass DMARC", *(f"failed, {words}" for words in charts.FATES.values())], rows)
    more = f" The {MOST} largest of {len(frame):,}{', by what failed' if by == 'ip' else ''}." if len(frame) > MOST else ""
    st.caption(f"Divided by {observed.DENOMINATORS[Measure.DMARC]}. Red: less than 98% pass.{more}")


def dmarc(told: pd.DataFrame, ours: set[str]) -> None:
    """DMARC: what failed by day, and who passes."""
    st.header("DMARC")
    days = observed.dmarc(told, ["day"])
    if days.empty:
        show.missing("No DMARC report of these days.", "Ask for them with `rua` in your DMARC record: docs/receiver-reports.md.")
        return
    st.altair_chart(charts.failed_dmarc(days), width="stretch")
    dmarc_table(told, ours)
    single = observed.of(told, Measure.DMARC_FAILURE)
    if len(single):
        st.caption(
            f"Besides, failure reports tell of {single['messages'].sum():,.0f} single messages that failed, from {single['ip'].nunique():,} addresses."
        )


def tls(told: pd.DataFrame) -> None:
    """TLS of those who deliver to us."""
    st.header("TLS of those who deliver to you")
    frame = observed.tls(told, ["reporter"])
    if frame.empty:
        show.missing("No TLS report of these days.", "Ask for them with a `_smtp._tls` record: docs/receiver-reports.md.")
        return
    failures = observed.tls_failures(told)
    rows = [
        [html.escape(str(r["reporter"])), f"{percent(r['share'])}<small>{r['well']:,.0f} of {r['messages']:,.0f} sessions</small>"]
        for r in records(frame)
    ]
    left, right = st.columns([2, 3], gap="large")
    with left:
        table(["with TLS as it should be"], rows)
    with right:
        if failures.empty:
            st.success("No session failed.", icon=":material/lock:")
        else:
            table(
                ["sessions failed", "told by", "days"],
                [
                    [f"{html.escape(show.words(r['kind']))}<small>{html.escape(r['hosts'])}</small>", f"<span{WORSE}>{r['messages']:,.0f}</span>",
                     html.escape(r["reporters"]), f"{r['first']:%-d %b} to {r['last']:%-d %b}" if r["first"] != r["last"] else f"from {r['first']:%-d %b}"]
                    for r in records(failures)[:MOST]
                ],
            )  # fmt: skip
    st.caption(f"Divided by {observed.DENOMINATORS[Measure.TLS]}.")


def google(told: pd.DataFrame) -> None:
    """Google's Postmaster Tools."""
    st.header("Google: spam rate")
    rates = observed.rates(told, Measure.SPAM_RATE).dropna(subset=["value"])
    if rates.empty:
        show.missing("Nothing of Google's Postmaster Tools.", "Save its numbers and name the file as a source: docs/receiver-reports.md.")
        return
    st.altair_chart(charts.spam_rate(rates, observed.SPAM_AIM, observed.SPAM_NEVER), width="stretch")
    st.caption(f"Divided by {observed.DENOMINATORS[Measure.SPAM_RATE]}. It is not the complaint rate of the other pages.")


def microsoft(told: pd.DataFrame) -> None:
    """Microsoft's SNDS."""
    st.header("Microsoft: what SNDS shows of your addresses")
    days = observed.snds(told)
    if days.empty:
        show.missing("Nothing of Microsoft's SNDS.", "Save its data feed and name the folder as a source: docs/receiver-reports.md.")
        return
    st.altair_chart(charts.traffic_lights(days), width="stretch")
    st.caption(
        f"Divided by {observed.DENOMINATORS[Measure.FILTER_RESULT]}. Numbers in the cells: hits on traps, addresses that nobody has."
    )


def everything(view: View) -> None:
    """The page, where any receiver has told anything."""
    told, ours = ask(view, "observed"), set(view.numbers.values("sending_ip"))
    show.lead(lead(observed.dmarc(told), len(observed.dmarc(told, ["reporter"]))))
    days = f"{view.period}, days in UTC as the receivers count them. " if view.period else ""
    st.caption(f"{days}These are the receivers' own counts, complete for those who report; each is divided by what that receiver saw.")
    for finding in [f for f in judge(view)[1] if f.receivers]:
        show.finding(finding, here=True)
    dmarc(told, ours)
    tls(told)
    google(told)
    microsoft(told)


view = replace(current(), where={})  # receivers know of no campaigns
st.title("Receivers")
if view.numbers.observed().empty:
    show.missing("No receiver has told anything yet.", "")
    st.markdown(HELP)
else:
    everything(view)
