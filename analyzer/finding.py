"""What somebody should know: a finding, and how a share is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that somebody should know."""

    level: str  # "act", "watch" or "know"
    title: str  # a sentence without its full stop
    evidence: str  # the reply, the numbers
    next_step: str  # a sentence
    who: str  # whose it is to mend
    count: int = 0  # messages
    since: datetime | None = None  # of a block: its first refusal
    until: datetime | None = None  # and its last, when it is over
    where: dict[str, list[str]] = field(default_factory=dict)  # filters that show just this
    short: str = ""  # of a block: its few words within a longer sentence
    page: str | None = None  # where to turn, an address of ours that stands in `next_step`
    receivers: bool = False  # the page Receivers shows more


def percent(value: float | None) -> str:
    """A share as people read it; 'not known' when it is missing."""
    if value is None or pd.isna(value):
        return "not known"
    if 0 < value < 0.0001:
        return "<0.01%"
    return f"{value:.2%}" if value < 0.1 else f"{value:.1%}"
