"""The days that a question is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta


class PeriodError(ValueError):
    """A period cannot be read; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Period:
    """UTC days of the send, from `start` to before `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """Its length."""
        return (self.end - self.start).days

    def before(self) -> Period:
        """The period of the same length just before."""
        return Period(self.start - timedelta(days=self.days), self.start)

    def __str__(self) -> str:
        """As people say it: 25 Oct to 23 Nov 2026."""
        last = self.end - timedelta(days=1)
        if last <= self.start:
            return f"{self.start:%-d %b %Y}"
        first = f"{self.start:%-d %b %Y}" if self.start.year != last.year else f"{self.start:%-d %b}"
        return f"{first} to {last:%-d %b %Y}"

    @classmethod
    def parse(cls, text: str, today: date) -> Period:
        """'day', 'week', 'month' (whole days before `today`) or '2026-11-01..2026-11-30'. Raises PeriodError."""
        days = {"day": 1, "week": 7, "month": 30}.get(text)
        if days:
            return cls(today - timedelta(days=days), today)
        first, dots, last = text.partition("..")
        try:
            start = date.fromisoformat(first)
            end = date.fromisoformat(last) if dots else start
        except ValueError:
            raise PeriodError(f"{text!r} is no period; expected day, week, month or 2026-11-01..2026-11-30.") from None
        if end < start:
            raise PeriodError(f"{text!r} ends before it begins.")
        return cls(start, end + timedelta(days=1))
