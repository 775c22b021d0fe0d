"""What no specific rule matches yet: failures gathered by what was said, and a rule drafted for each kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analyzer.classify import classify_reply
from analyzer.engine import Engine
from analyzer.lake import Lake
from analyzer.model import FAILURES, TEST_PARSER, Capture, Event
from analyzer.pipeline import derive
from analyzer.providers import OTHER
from analyzer.suggest.clusters import Cluster, Failure, Gathered, gather, specific
from analyzer.suggest.draft import Draft, drafts

MOST_KEPT = 20_000
"""Different replies that are read from a store, the latest first."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Failures that say the same, and the rule that was drafted for them."""

    cluster: Cluster
    draft: Draft


def suggest(failures: Iterable[Failure], least: int = 1, most: int | None = None) -> tuple[list[Suggestion], Gathered]:
    """A rule for each cluster of at least `least` failures, at most `most`, the largest first; and what became of all failures. Raises RulesError."""
    gathered = gather(failures)
    chosen = [cluster for cluster in gathered.clusters if cluster.count >= least][:most]
    return [Suggestion(cluster, draft) for cluster, draft in zip(chosen, drafts(chosen, gathered.clusters), strict=True)], gathered


def of_reply(reply: str, provider: str | None = None) -> Failure:
    """A single reply; `provider` is who gave it, in free words."""
    verdict = classify_reply(reply, provider)
    return Failure(reply, verdict.reason, verdict.rule, provider or "", provider or "")


def of_message(capture: Capture) -> list[Failure]:
    """The failures that a message tells of. Raises RulesError; whatever the bytes, nothing else."""
    # nobody is told apart here: any key will do
    events, _ = derive(capture, key=bytes(32))
    return [_of_event(event) for event in events if event.kind in FAILURES]


def _of_event(event: Event) -> Failure:
    # a report without a date has the time of its arrival, which is now
    at = event.at if event.at != event.received_at else None
    return Failure(
        event.diagnostic or "", event.reason or "", event.rule or "", _owner(event.provider, event.recipient_domain), event.remote_mta or "", 1, at, at,
    )  # fmt: skip


def _owner(provider: str | None, domain: str | None) -> str:
    """Whose mailbox it was: the provider's, or that of a domain which is in no table."""
    return (domain if provider in (None, OTHER) else provider) or ""


def of_store(lake: Lake, most: int = MOST_KEPT) -> tuple[list[Failure], bool]:
    """The failures that were kept: what specific rules told of, by rule; and the latest `most` others, by what was said. And whether there are more.

    Raises StoreError.
    """
    engine = Engine(lake)
    known = sorted(specific())
    with engine.reading():
        _, events = engine.events()
        failed = events.filter(events.kind.isin([kind.value for kind in FAILURES]), events.parser != TEST_PARSER)
        told = failed.rule.isin(known).fill_null(False)
        sure, rest = failed.filter(told), failed.filter(~told)
        understood = sure.group_by("rule").agg(count=sure.count()).to_pyarrow().to_pylist()
        alike = rest.group_by("diagnostic", "reason", "rule", "provider", "recipient_domain", "remote_mta").agg(
            count=rest.count(), first=rest["at"].min(), last=rest["at"].max()
        )
        latest = alike.order_by(alike["last"].desc(), alike["diagnostic"]).limit(most + 1).to_pyarrow().to_pylist()
    failures = [Failure("", "", row["rule"], "", "", row["count"]) for row in understood]
    failures += [
        Failure(row["diagnostic"] or "", row["reason"] or "", row["rule"] or "", _owner(row["provider"], row["recipient_domain"]), row["remote_mta"] or "",
                row["count"], row["first"], row["last"]) for row in latest[:most]
    ]  # fmt: skip
    return failures, len(latest) > most
