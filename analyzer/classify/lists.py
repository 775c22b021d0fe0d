"""Whose list or judgement a refusal names, and the page where one looks it up and asks to be taken off."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

ABOUT = frozenset({"blocklisted", "poor-reputation", "content-rejected", "spam-content", "rate-limited", "policy"})
"""Reasons for which somebody's list or judgement may stand behind the refusal."""
MOST = 2000  # characters that are looked at


@dataclass(frozen=True, slots=True)
class Listing:
    """Who keeps a list, and where to turn."""

    name: str
    page: str | None = None
    note: str | None = None  # where there is no page: why

    @property
    def step(self) -> str:
        """What to do, a sentence."""
        return self.note or f"Ask {self.name} here: {self.page}"


def listing(text: str | None, reason: str | None) -> Listing | None:
    """Whose list or judgement a receiver's words name; None where they name none, or the reason has nothing to do with one.

    Lists are heard before the providers that ask them: "gsmtp ... listed at zen.spamhaus.org" is Spamhaus's.
    """
    if not text or reason not in ABOUT:
        return None
    low = text[:MOST].lower()
    return next((known for pattern, known in _known() if pattern.search(low)), None)


@cache
def _known() -> tuple[tuple[re.Pattern[str], Listing], ...]:
    table = tomllib.loads(resources.files("analyzer").joinpath("rules", "lists.toml").read_text(encoding="utf-8"))
    return tuple((_pattern(block["words"]), Listing(name, block.get("page"), block.get("note"))) for name, block in table.items())


def _pattern(words: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])" for word in words))
