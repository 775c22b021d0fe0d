"""Who opened or clicked: by the user agent, from `rules/agents.toml`."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from analyzer.model import Agent


@cache
def _rules() -> tuple[tuple[str, Agent, tuple[str, ...], bool], ...]:
    text = resources.files("analyzer").joinpath("rules/agents.toml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = tomllib.loads(text)
    return tuple((name, Agent(r["agent"]), tuple(w.lower() for w in r["words"]), bool(r.get("exactly"))) for name, r in table.items())


@lru_cache(maxsize=20_000)
def agent(user_agent: str) -> tuple[Agent, str]:
    """Human, machine or unknown, and the rule that says so."""
    low = user_agent.strip().lower()
    if not low:
        return Agent.UNKNOWN, "no-user-agent"
    for name, who, words, exactly in _rules():
        if low in words if exactly else any(w in low for w in words):
            return who, name
    return Agent.UNKNOWN, "unfamiliar"
