"""All charts, in one hand: the same colours for the same things, apart for the colour-blind, at home in light and dark."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

SEVERITY = {"hard": "#c2452d", "block": "#5a6fd0", "soft": "#e0a030", "undetermined": "#94a0ae"}
"""Severity -> colour, everywhere."""
SAID = {"hard": "dead address", "block": "refused us", "soft": "soft", "undetermined": "not said why"}
"""Severity -> its words."""
HUMAN, RAW = "#3b7dc4", "#94a0ae"
ROW = 30  # pixels a row
_COLOURS = alt.Scale(domain=list(SAID.values()), range=list(SEVERITY.values()))
_LONG = alt.Axis(labelLimit=230, domain=False, ticks=False, labelFlush=False)


def _measure(**more: Any) -> alt.Axis:
    """The axis of what is counted, its numbers beside their lines."""
    return alt.Axis(tickCount=5, labelFlush=False, domain=False, **more)


def _day(frame: pd.DataFrame) -> alt.X:
    """Days as bands. They are names of UTC days, not moments, so that no reader's zone shifts them."""
    days = pd.to_datetime(frame["day"])
    whole = [str(d.date()) for d in pd.date_range(days.min(), days.max())] if len(frame) else []
    every = max(1, len(whole) // 10)
    axis = alt.Axis(
        labelExpr="timeFormat(toDate(datum.value + 'T12:00'), '%-d %b')",
        values=whole[::every],
        labelAngle=0,
        labelFlush=False,
        labelBound=False,
        grid=False,
        ticks=False,
    )
    return alt.X("day:O", title=None, scale=alt.Scale(domain=whole), axis=axis)


def _days(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(day=pd.to_datetime(frame["day"]).dt.strftime("%Y-%m-%d"))


def failures_by_day(frame: pd.DataFrame) -> alt.Chart:
    """Failures a day, stacked by severity. Needs day, metric, numerator, denominator."""
    data = _days(frame).assign(severity=frame["metric"].map(SAID), order=frame["metric"].map({s: n for n, s in enumerate(SEVERITY)}))
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_bar()
        .encode(
            x=_day(frame),
            y=alt.Y("numerator:Q", title="messages that failed", axis=_measure()),
            color=alt.Color("severity:N", title=None, scale=_COLOURS, legend=alt.Legend(orient="top", symbolType="circle")),
            order="order:Q",
            tooltip=[alt.Tooltip("day:O", title="sent on"), alt.Tooltip("severity:N", title="failed as"),
                     alt.Tooltip("numerator:Q", title="messages", format=","), alt.Tooltip("denominator:Q", title="of sent", format=",")],
        )
        .properties(height=240)
    )  # fmt: skip
    return chart


WAYS = {
    "message-id": "Message-ID", "envelope-id": "envelope id", "provider-id": "provider's id", "header": "header", "feedback-id": "Feedback-ID",
    "recipient-and-time": "recipient and time", "campaign": "campaign alone", "none": "nothing found",
}  # fmt: skip
"""By what an outcome found its send, in words; the surest first."""


def found_by(frame: pd.DataFrame) -> alt.Chart:
    """By what the outcomes of each source found their sends, as shares of a bar. Needs source, way, events, share."""
    data = frame.assign(words=frame["way"].map(WAYS), order=frame["way"].map({w: n for n, w in enumerate(WAYS)}))
    colours = alt.Scale(
        domain=list(WAYS.values()), range=["#2f6b4f", "#3b7dc4", "#7fa8d6", "#5f9ea0", "#b7a03c", "#e0a030", "#a98bb8", "#c2452d"]
    )
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_bar(height=ROW * 0.6)
        .encode(
            y=alt.Y("source:N", title=None, axis=_LONG),
            x=alt.X("share:Q", title=None, axis=_measure(format="%")),
            color=alt.Color("words:N", title=None, scale=colours, legend=alt.Legend(orient="top", symbolType="circle", columns=4)),
            order="order:Q",
            tooltip=[alt.Tooltip("source:N", title="source"), alt.Tooltip("words:N", title="found by"), alt.Tooltip("events:Q", title="events", format=","),
                     alt.Tooltip("share:Q", title="of the source's", format=".1%")],
        )
        .properties(height=alt.Step(ROW))
    )  # fmt: skip
    return chart


def _rate_tooltip(first: str, title: str) -> list[Any]:
    return [
        alt.Tooltip(first, title=title),
        alt.Tooltip("value:Q", title="rate", format=".2%"),
        alt.Tooltip("low:Q", title="95% from", format=".2%"),
        alt.Tooltip("high:Q", title="to", format=".2%"),
        alt.Tooltip("numerator:Q", title="count", format=","),
        alt.Tooltip("denominator:Q", title="of", format=","),
    ]


def rate_by_day(frame: pd.DataFrame, title: str, colour: str = HUMAN) -> alt.LayerChart | alt.FacetChart:
    """A rate a day with its 95% interval as a band. Needs day, value, low, high, numerator, denominator."""
    base = alt.Chart(_days(frame).dropna(subset=["value"])).encode(x=_day(frame))
    whiskers = base.mark_rule(color=colour, opacity=0.45, strokeWidth=5).encode(
        y=alt.Y("low:Q", title=title, axis=_measure(format="%")), y2="high:Q"
    )
    points = base.mark_point(color=colour, filled=True, size=45, opacity=1).encode(y="value:Q", tooltip=_rate_tooltip("day:O", "sent on"))
    return alt.layer(whiskers, points).properties(height=220)


def heat(frame: pd.DataFrame, dark: bool) -> alt.LayerChart | alt.FacetChart:
    """Failures by reason and mailbox provider, counts in the cells; the selection `cell` names the one that was clicked.

    Needs reason, provider, severity, count.
    """
    data = frame.assign(said=frame["severity"].map(SAID), words=frame["reason"].str.replace("-", " "))
    order = data.groupby("words")["count"].sum().sort_values(ascending=False).index.tolist()
    columns = data.groupby("provider")["count"].sum().sort_values(ascending=False).index.tolist()[:12]
    data = data[data["provider"].isin(columns)]
    strong = data["count"].max() ** 0.5 if len(data) else 1
    cell = alt.selection_point(name="cell", fields=["reason", "provider"], on="click", clear="dblclick")
    base = alt.Chart(data).encode(
        x=alt.X("provider:N", sort=columns, title=None, scale=alt.Scale(paddingInner=0.05),
                axis=alt.Axis(labelAngle=-35, orient="top", domain=False, ticks=False, labelLimit=110, labelOverlap=False)),
        y=alt.Y("words:N", sort=order, title=None, scale=alt.Scale(paddingInner=0.08), axis=_LONG),
    )  # fmt: skip
    cells = (
        base.mark_rect(cornerRadius=4, cursor="pointer")
        .encode(
            color=alt.Color("said:N", title=None, scale=_COLOURS, legend=alt.Legend(orient="bottom", symbolType="circle")),
            opacity=alt.Opacity("count:Q", scale=alt.Scale(type="sqrt", range=[0.16, 1.0]), legend=None),
            tooltip=[alt.Tooltip("words:N", title="reason"), alt.Tooltip("provider:N", title="at"), alt.Tooltip("said:N", title="severity"),
                     alt.Tooltip("count:Q", title="messages", format=",")],
        )
        .add_params(cell)
    )  # fmt: skip
    ink = "#e6e9ee" if dark else "#1c2430"
    text = base.mark_text(fontSize=12, cursor="pointer", color=ink).encode(
        text=alt.Text("count:Q", format=","),
        color=alt.condition(f"sqrt(datum.count) > {0.5 * strong}", alt.value("#ffffff"), alt.value(ink)),
    )
    return alt.layer(cells, text).properties(height=alt.Step(ROW))


def open_interval(frame: pd.DataFrame, by: str) -> alt.LayerChart | alt.FacetChart:
    """Opens as what they surely and at most are, the raw rate beside. Needs `by`, people, up_to, raw, n."""
    order = frame.sort_values("people", ascending=False)[by].tolist()
    base = alt.Chart(frame).encode(y=alt.Y(f"{by}:N", sort=order, title=None, axis=_LONG))
    tooltip = [
        alt.Tooltip(f"{by}:N", title=" "),
        alt.Tooltip("people:Q", title="surely people", format=".1%"),
        alt.Tooltip("up_to:Q", title="at most", format=".1%"),
        alt.Tooltip("raw:Q", title="raw, machines in it", format=".1%"),
        alt.Tooltip("n:Q", title="of accepted", format=","),
    ]
    bar = base.mark_bar(height=12, color=HUMAN, cornerRadius=3).encode(
        x=alt.X("people:Q", title="of accepted", axis=alt.Axis(format="%", tickCount=6)), x2="up_to:Q", tooltip=tooltip
    )
    tick = base.mark_tick(color=RAW, thickness=3, size=16).encode(x="raw:Q", tooltip=tooltip)
    return alt.layer(bar, tick).properties(height=alt.Step(ROW))


def rates(frame: pd.DataFrame, by: str, title: str, colour: str = HUMAN) -> alt.LayerChart | alt.FacetChart:
    """A rate for each of several things, with its 95% interval. Needs `by`, value, low, high, numerator, denominator."""
    data = frame.dropna(subset=["value"])
    order = data.sort_values("value", ascending=False)[by].tolist()
    base = alt.Chart(data).encode(y=alt.Y(f"{by}:N", sort=order, title=None, axis=_LONG))
    tooltip = _rate_tooltip(f"{by}:N", " ")
    whisker = base.mark_rule(color=colour, strokeWidth=5, opacity=0.45).encode(
        x=alt.X("low:Q", title=title, axis=alt.Axis(format="%", tickCount=5)), x2="high:Q", tooltip=tooltip
    )
    point = base.mark_point(color=colour, filled=True, size=70, opacity=1).encode(x="value:Q", tooltip=tooltip)
    return alt.layer(whisker, point).properties(height=alt.Step(ROW))


FATES = {"let_through": "let through", "quarantined": "put into junk", "rejected": "refused"}
"""What receivers did with mail that failed DMARC, in words; the worst for us first."""
TRAFFIC = {"green": "#4f9d76", "yellow": "#e0a030", "red": "#c2452d"}
"""SNDS's colours."""


def failed_dmarc(frame: pd.DataFrame) -> alt.Chart:
    """Messages a day that failed DMARC, stacked by what was done with them. Needs day, messages and FATES."""
    data = _days(frame).melt(["day", "messages"], list(FATES), "fate", "count")
    data = data.assign(words=data["fate"].map(FATES), order=data["fate"].map({f: n for n, f in enumerate(FATES)}))
    colours = alt.Scale(domain=list(FATES.values()), range=["#c2452d", "#e0a030", "#5a6fd0"])
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_bar()
        .encode(
            x=_day(frame),
            y=alt.Y("count:Q", title="messages that failed", axis=_measure(format=",d")),
            color=alt.Color("words:N", title=None, scale=colours, legend=alt.Legend(orient="top", symbolType="circle")),
            order="order:Q",
            tooltip=[alt.Tooltip("day:O", title="day"), alt.Tooltip("words:N", title="was"), alt.Tooltip("count:Q", title="messages", format=","),
                     alt.Tooltip("messages:Q", title="of those that were seen", format=",")],
        )
        .properties(height=240)
    )  # fmt: skip
    return chart


def spam_rate(frame: pd.DataFrame, aim: float, never: float) -> alt.LayerChart | alt.FacetChart:
    """Google's spam rate a day and domain, with the two thresholds. Needs day, domain, value."""
    data, top = _days(frame), max(1.15 * never, 1.1 * frame["value"].max())
    lines = (
        alt.Chart(data)
        .mark_line(point=alt.OverlayMarkDef(size=35), strokeWidth=2)
        .encode(
            x=_day(frame),
            y=alt.Y("value:Q", title="spam rate", axis=_measure(format=".2%"), scale=alt.Scale(domain=[0, top], nice=False)),
            color=alt.Color("domain:N", title=None, scale=alt.Scale(range=[HUMAN, "#2f6b4f", "#a05fb0", RAW]), legend=alt.Legend(orient="top", symbolType="circle")),
            tooltip=[alt.Tooltip("day:O", title="day"), alt.Tooltip("domain:N", title="domain"), alt.Tooltip("value:Q", title="spam rate", format=".3%")],
        )
    )  # fmt: skip
    limits = pd.DataFrame({"limit": [aim, never], "said": [f"keep below {aim:.2%}", f"never reach {never:.2%}"]})
    colours = alt.Scale(domain=limits["said"].tolist(), range=["#e0a030", "#c2452d"])
    rule = alt.Chart(limits).mark_rule(strokeDash=[5, 4], strokeWidth=1.5).encode(y="limit:Q", color=alt.Color("said:N", scale=colours, legend=None))  # fmt: skip
    text = (
        alt.Chart(limits)
        .mark_text(align="left", baseline="bottom", dx=4, dy=-3, fontSize=11)
        .encode(y="limit:Q", x=alt.value(0), text="said:N", color=alt.Color("said:N", scale=colours, legend=None))
    )
    chart: alt.LayerChart | alt.FacetChart = alt.layer(lines, rule, text).resolve_scale(color="independent").properties(height=240)
    return chart


def traffic_lights(frame: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """SNDS's colour of each address by day, with the trap hits in the cells. Needs ip, day, colour, recipients, complaints, traps."""
    data = _days(frame).assign(hits=frame["traps"].fillna(0))
    base = alt.Chart(data).encode(x=_day(frame), y=alt.Y("ip:N", title=None, axis=_LONG, scale=alt.Scale(paddingInner=0.12)))
    colours = alt.Scale(domain=list(TRAFFIC), range=list(TRAFFIC.values()))
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color("colour:N", title=None, scale=colours, legend=alt.Legend(orient="top", symbolType="circle")),
        tooltip=[alt.Tooltip("ip:N", title="address"), alt.Tooltip("day:O", title="day"), alt.Tooltip("colour:N", title="colour"),
                 alt.Tooltip("recipients:Q", title="recipients", format=","), alt.Tooltip("complaints:N", title="complaints"), alt.Tooltip("hits:Q", title="trap hits")],
    )  # fmt: skip
    text = base.transform_filter("datum.hits > 0").mark_text(fontSize=11, fontWeight="bold", color="#ffffff").encode(text="hits:Q")
    return alt.layer(cells, text).properties(height=alt.Step(ROW))
