"""All charts, in one hand: the same colours for the same things, readable by the colour-blind, at home in light and dark."""

from __future__ import annotations

import altair as alt
import pandas as pd

SEVERITY = {"hard": "#c44e52", "block": "#8172b3", "soft": "#dd9a3c", "undetermined": "#8c98a8"}
"""Severity -> colour, everywhere."""
SAID = {"hard": "dead address", "block": "refused us", "soft": "soft", "undetermined": "not said why"}
HUMAN, UNKNOWN, RAW = "#3b7dc4", "#9cc3ea", "#8c98a8"


def failures_by_day(frame: pd.DataFrame) -> alt.Chart:
    """Failures a day, stacked by severity. Needs day, metric, numerator."""
    data = frame.assign(severity=frame["metric"].map(SAID), order=frame["metric"].map({s: n for n, s in enumerate(SEVERITY)}))
    chart: alt.Chart = (
        alt.Chart(data)
        .mark_bar()
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%d %b", grid=False, tickCount=8, labelOverlap=True)),
            y=alt.Y("numerator:Q", title="failed messages", axis=alt.Axis(tickCount=5)),
            color=alt.Color(
                "severity:N",
                title=None,
                scale=alt.Scale(domain=list(SAID.values()), range=list(SEVERITY.values())),
                legend=alt.Legend(orient="top"),
            ),
            order="order:Q",
            tooltip=[alt.Tooltip("day:T", format="%a %d %b"), "severity:N", alt.Tooltip("numerator:Q", title="messages", format=",")],
        )
        .properties(height=260)
    )
    return chart


def rate_by_day(frame: pd.DataFrame, title: str, colour: str = HUMAN) -> alt.LayerChart | alt.FacetChart:
    """A rate a day with its 95 % interval as a band. Needs day, value, low, high, numerator, denominator."""
    base = alt.Chart(frame.dropna(subset=["value"])).encode(
        x=alt.X("day:T", title=None, axis=alt.Axis(format="%d %b", grid=False, tickCount=8, labelOverlap=True))
    )
    tooltip = [alt.Tooltip("day:T", format="%a %d %b"), alt.Tooltip("value:Q", format=".2%"), alt.Tooltip("low:Q", format=".2%"), alt.Tooltip("high:Q", format=".2%"),
               alt.Tooltip("numerator:Q", format=","), alt.Tooltip("denominator:Q", title="of", format=",")]  # fmt: skip
    band = base.mark_area(opacity=0.2, color=colour).encode(
        y=alt.Y("low:Q", title=title, axis=alt.Axis(format="%", tickCount=5), scale=alt.Scale(zero=False)), y2="high:Q"
    )
    line = base.mark_line(color=colour, point=alt.OverlayMarkDef(size=24, color=colour)).encode(
        y=alt.Y("value:Q", scale=alt.Scale(zero=False)), tooltip=tooltip
    )
    return alt.layer(band, line).properties(height=240)


def heat(frame: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """Failures by reason and mailbox provider, counts in the cells. Needs reason, provider, severity, count."""
    data = frame.assign(said=frame["severity"].map(SAID), reason=frame["reason"].str.replace("-", " "))
    order = data.groupby("reason")["count"].sum().sort_values(ascending=False).index.tolist()
    columns = data.groupby("provider")["count"].sum().sort_values(ascending=False).index.tolist()[:12]
    data = data[data["provider"].isin(columns)]
    base = alt.Chart(data).encode(
        x=alt.X("provider:N", sort=columns, title=None, axis=alt.Axis(labelAngle=-35, orient="top", domain=False, ticks=False)),
        y=alt.Y("reason:N", sort=order, title=None, axis=alt.Axis(domain=False, ticks=False, labelLimit=200)),
    )
    cells = base.mark_rect(cornerRadius=4).encode(
        color=alt.Color(
            "said:N",
            title=None,
            scale=alt.Scale(domain=list(SAID.values()), range=list(SEVERITY.values())),
            legend=alt.Legend(orient="bottom"),
        ),
        opacity=alt.Opacity("count:Q", scale=alt.Scale(type="log", range=[0.18, 1.0]), legend=None),
        tooltip=["reason:N", "provider:N", "said:N", alt.Tooltip("count:Q", format=",")],
    )
    text = base.mark_text(fontSize=12).encode(text=alt.Text("count:Q", format=","))
    return alt.layer(cells, text).properties(height=alt.Step(30))


def open_interval(frame: pd.DataFrame, by: str) -> alt.LayerChart | alt.FacetChart:
    """Opens as what they surely and at most are, the raw rate beside. Needs `by`, people, up_to, raw."""
    order = frame.sort_values("people", ascending=False)[by].tolist()
    base = alt.Chart(frame).encode(y=alt.Y(f"{by}:N", sort=order, title=None, axis=alt.Axis(labelLimit=220)))
    tooltip = [
        f"{by}:N",
        alt.Tooltip("people:Q", title="surely people", format=".1%"),
        alt.Tooltip("up_to:Q", title="at most", format=".1%"),
        alt.Tooltip("raw:Q", title="raw", format=".1%"),
    ]
    bar = base.mark_bar(height=12, color=HUMAN, cornerRadius=3).encode(
        x=alt.X("people:Q", title="of accepted messages", axis=alt.Axis(format="%", tickCount=6)), x2="up_to:Q", tooltip=tooltip
    )
    tick = base.mark_tick(color=RAW, thickness=3, size=16).encode(x="raw:Q", tooltip=tooltip)
    return alt.layer(bar, tick).properties(height=alt.Step(34))


def rates(frame: pd.DataFrame, by: str, title: str, colour: str = HUMAN) -> alt.LayerChart | alt.FacetChart:
    """A rate for each of several things, with its 95 % interval. Needs `by`, value, low, high, numerator, denominator."""
    data = frame.dropna(subset=["value"])
    order = data.sort_values("value", ascending=False)[by].tolist()
    base = alt.Chart(data).encode(y=alt.Y(f"{by}:N", sort=order, title=None, axis=alt.Axis(labelLimit=220)))
    tooltip = [f"{by}:N", alt.Tooltip("value:Q", format=".2%"), alt.Tooltip("low:Q", format=".2%"), alt.Tooltip("high:Q", format=".2%"),
               alt.Tooltip("numerator:Q", format=","), alt.Tooltip("denominator:Q", title="of", format=",")]  # fmt: skip
    whisker = base.mark_rule(color=colour, strokeWidth=2).encode(
        x=alt.X("low:Q", title=title, axis=alt.Axis(format="%", tickCount=5)), x2="high:Q", tooltip=tooltip
    )
    point = base.mark_point(color=colour, filled=True, size=70, opacity=1).encode(x="value:Q", tooltip=tooltip)
    return alt.layer(whisker, point).properties(height=alt.Step(30))
