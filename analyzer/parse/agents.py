"""Who opened or clicked: by the user agent, from `rules/agents.toml`; of requests that we saw ourselves, by their method and headers first."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from analyzer.model import Agent, Kind

_AHEAD = ("sec-purpose", "purpose", "x-purpose", "x-moz")
"""Headers of programs that fetch before anybody asks. Sources: Fetch Standard, "Sec-Purpose"; the others are what browsers sent before it."""
_AHEAD_WORDS = ("prefetch", "prerender", "preview", "preconnect")


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


def requester(kind: Kind, method: str, user_agent: str, headers: Mapping[str, str]) -> tuple[Agent, str]:
    """As `agent`, of a request on a link of ours; the names of `headers` are in lower case.

    A person's click comes from a browser, and every browser names itself (RFC 9110 §10.1.5). Some mail programs do not, so that of an open without
    a user agent nothing is known.
    """
    if method == "HEAD":  # asks whether something is there, and shows it to nobody (RFC 9110 §9.3.2)
        return Agent.MACHINE, "head-request"
    if any(word in headers.get(name, "").lower() for name in _AHEAD for word in _AHEAD_WORDS):
        return Agent.MACHINE, "prefetch"
    if kind is Kind.CLICKED and not user_agent.strip():
        return Agent.MACHINE, "click-without-user-agent"
    return agent(user_agent)
