"""Failures that say the same, gathered under the template of their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from analyzer.classify import MOST, classify_reply, in_force
from analyzer.parse.address import reply
from analyzer.record import cut
from analyzer.suggest.templates import Templates

MOST_NAMES = 100  # providers, hosts, codes and verdicts of a cluster that are counted apart
MOST_NAME = 60  # characters of one
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a receiver said, once or several times, and what is made of it."""

    text: str  # the receiver's words, or those of the system that reports; may be empty
    reason: str
    rule: str
    provider: str  # whose mailbox it was, or who answered: for people; may be empty
    host: str  # who said it, as a rule's `at` sees it; may be empty
    count: int = 1
    first: datetime | None = None  # aware UTC; None: not known
    last: datetime | None = None


@dataclass(slots=True)
class Cluster:
    """Failures that say the same."""

    example: str  # the text that came first, at most MOST characters
    template: tuple[str, ...] = ()  # its words, the variable ones in <angle brackets>
    count: int = 0
    providers: Counter[str] = field(default_factory=Counter)
    hosts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)  # as printed: "550 5.7.1"
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)  # (reason, rule)
    first: datetime | None = None  # aware UTC; None: not known
    last: datetime | None = None

    @property
    def undetermined(self) -> bool:
        """Whether nothing is made of any of them."""
        return all(reason == "undetermined" for reason, _ in self.verdicts)

    def add(self, said: Failure) -> None:
        """Takes in what was said the same way."""
        self.count += said.count
        _count(self.providers, said.provider, said.count)
        _count(self.hosts, said.host.lower(), said.count)
        _count(self.codes, " ".join(code for code in reply(said.text[:MOST]) if code) or "no code", said.count)
        self.verdicts[said.reason[:MOST_NAME], said.rule[:MOST_NAME]] += said.count
        self.first = min((at for at in (self.first, said.first) if at), default=None)
        self.last = max((at for at in (self.last, said.last) if at), default=None)


def _count(names: Counter[str], name: str, count: int) -> None:
    name = name[:MOST_NAME]
    names[name if name in names or len(names) < MOST_NAMES else OTHERS] += count


@dataclass(slots=True)
class Gathered:
    """What became of all failures."""

    clusters: list[Cluster] = field(default_factory=list)  # of those that no specific rule matches, the largest first
    failures: int = 0
    understood: int = 0  # a specific rule matches
    silent: int = 0  # without a word: nothing, or numbers alone
    left: int = 0  # not looked at: there were too many kinds already


def specific() -> frozenset[str]:
    """The ids of the rules that tell by their words: not those with `sure = false` among the rules for everybody, which are last words."""
    return frozenset(r.id for r in in_force().rules if r.sure or not r.id.startswith("generic."))


def gather(failures: Iterable[Failure]) -> Gathered:
    """The clusters of the failures that no specific rule matches: by what was made of them, and by today's rules. Raises RulesError."""
    known, templates = specific(), Templates(in_force().vocabulary)
    found: dict[int, Cluster] = {}
    told = Gathered()
    for said in failures:
        told.failures += said.count
        text = cut(said.text, MOST) or ""
        if said.rule in known or (text and classify_reply(text, said.host).rule in known):
            told.understood += said.count
        elif (number := templates.add(text)) is not None:
            found.setdefault(number, Cluster(text)).add(said)
        elif templates.full:
            told.left += said.count
        else:
            told.silent += said.count
    for number, cluster in found.items():
        cluster.template = templates[number]
    told.clusters = sorted(found.values(), key=lambda c: (-c.count, not c.undetermined))
    return told
