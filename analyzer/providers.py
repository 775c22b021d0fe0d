"""Which mailbox provider a domain belongs to, offline, from `rules/mailbox-providers.toml`."""

from __future__ import annotations

import tomllib
from functools import cache, lru_cache
from importlib import resources
from typing import Any

OTHER = "Other"
"""The provider of domains that are in no table: companies, universities, small hosts."""


@cache
def _tables() -> tuple[dict[str, str], dict[str, str], frozenset[str]]:
    text = resources.files("analyzer").joinpath("rules/mailbox-providers.toml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = tomllib.loads(text)
    domains = {d: name for name, entry in table.items() for d in entry.get("domains", ())}
    families = {f: name for name, entry in table.items() for f in entry.get("families", ())}
    return domains, families, frozenset(name for name, entry in table.items() if entry["complaints"])


@lru_cache(maxsize=100_000)
def mailbox_provider(domain: str) -> str:
    """The mailbox provider of a recipient's domain ("Gmail", "Microsoft", ...); OTHER for a domain that is in no table."""
    domains, families, _ = _tables()
    domain = domain.strip().strip(".").lower()
    if domain in domains:
        return domains[domain]
    first, _, rest = domain.partition(".")
    # yahoo.co.uk and gmx.fr are the family's own; yahoo.example.com is not
    if first in families and len(rest) <= 6 and (len(rest) <= 3 or rest.startswith(("co.", "com.", "net."))):
        return families[first]
    parent = domain.partition(".")[2]
    return domains.get(parent, OTHER) if parent.count(".") else OTHER


def returns_complaints(provider: str) -> bool:
    """Whether the provider tells senders of each complaint, so that a complaint rate can be counted there."""
    return provider in _tables()[2]


def complaining_providers() -> frozenset[str]:
    """All providers of which `returns_complaints` holds."""
    return _tables()[2]
