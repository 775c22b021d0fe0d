"""A rule drafted for a cluster of replies: a TOML block that parses whatever strangers wrote, and says what is still to be decided."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from unicodedata import east_asian_width, normalize

from analyzer.classify import bare, heard
from analyzer.classify.masks import is_clear
from analyzer.classify.phrases import Phrases, read
from analyzer.explain import printable
from analyzer.parse.address import ADDRESS
from analyzer.suggest.clusters import Cluster
from analyzer.suggest.templates import variable

CHOOSE = "?"
"""The reason of a rule that nobody has decided on; `mailhealth rules check` names it, and the reasons there are."""
MOST_WORDS = 10  # of a phrase: longer ones break at the first word that is written otherwise
FEW = 3  # telling words of a phrase; with fewer it needs another one beside it
MOST_SHOWN = 300  # characters of a template or an example, unless the phrase stands further on
UNKNOWN = "somebody not named"
MOST_NAMED = 4  # providers or codes in a comment
_MARKS = ".,:;!?()[]<>'\"`-=/\\#*"
_SYNTAX = set("{}|~")
_SMALL = (
    "a am an and any are as at be been but by can could do for from has have he her here his how i if in is it its may me my of on or our she "
    "should so sorry that the their them then there these they this those to us was we were what when which who will with would you your "
    "please try again later come back see visit go contact refer report more further additional information details help learn about "
    "questions page site web website link support administrator postmaster"
)
_FILLING = frozenset(_SMALL.split())
"""Words that tell nothing: the small ones, and those of courtesy and advice."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as far as it can be drafted."""

    name: str
    reason: str  # CHOOSE where nothing is known
    phrases: tuple[str, ...]  # empty where the replies have no words in common
    block: str  # the rule in TOML
    about: str  # comment lines to stand above it


def drafts(clusters: Sequence[Cluster], among: Sequence[Cluster] = ()) -> Iterator[Draft]:
    """A rule for each cluster, with names of their own: together they are a rules file. `among` all clusters, their words are common or rare."""
    among = among or clusters
    spread = Counter(word for cluster in among for word in set(_telling(cluster.template)))
    rarity = {word: math.log((len(among) + 1) / n) for word, n in spread.items()}
    taken = {"at"}  # means something else at the top of a rules file
    for cluster in clusters:
        example = ADDRESS.sub("jo@customer.example", cluster.example)  # nobody's address is to stand in a rule
        found = phrase(cluster.template, example, rarity)
        name = _named([found, *(f"{name} reply" for name in cluster.providers), "reply"], taken)
        taken.add(name)
        yield _draft(cluster, name, found, _short(example, found))


def phrase(template: Sequence[str], example: str, rarity: Mapping[str, float]) -> str:
    """The words of a template that tell most, as a phrase of a rule; "" when none of them stands in the example as rules read it."""
    stretches = [(part, stretch[0][0]) for stretch in _stretches(template) if (part := _window(stretch, rarity))]
    if not stretches:
        return ""
    parts = [part for part, _ in stretches]
    # what is wrong is said first, and advice after it; in brackets are details
    worth = [_worth(part, rarity) / (4 + n) / (2 if first in "([" else 1) for n, (part, first) in enumerate(stretches)]
    best = worth.index(max(worth))
    pairs = [parts[best : best + 2], parts[max(0, best - 1) : best + 1]] if _few(parts[best]) else []
    chosen = [*(pair for pair in pairs if all(map(_telling, pair))), [parts[best]]]
    options = [" * ".join(" ".join(part) for part in some) for some in chosen]
    return next((option for option in options if stands(option, example)), "")


def stands(written: str, text: str) -> bool:
    """Whether a phrase can be read, and is found in a text."""
    try:
        phrases = Phrases((form, 0) for form in read(written))
    except ValueError:
        return False
    low, _ = heard(bare(text))
    return any(all(is_clear(low, start, end) for start, end, _ in tokens) for _, tokens in phrases.find(low))


def _stretches(template: Sequence[str]) -> Iterator[list[str]]:
    """The constant words that follow one another within a sentence or a bracket; none that means something in a phrase."""
    part: list[str] = []
    for word in [*template, "."]:
        plain = not variable(word) and not _SYNTAX & set(word) and word not in {"*", ".."} and word.split() == [word]
        if not plain or word[0] in "([":
            yield part
            part = []
        if plain:
            part.append(word)
        if plain and word[-1] in ".!?;)]":
            yield part
            part = []


def _telling(part: Iterable[str]) -> list[str]:
    return [word for word in (w.strip(_MARKS) for w in part) if word and word not in _FILLING]


def _few(part: Iterable[str]) -> bool:
    """Whether words are so few that elsewhere they may mean something else."""
    # Chinese, Japanese and Korean write several words in one
    return sum(len(word) // 2 if east_asian_width(word[0]) == "W" else 1 for word in _telling(part)) < FEW


def _worth(part: Sequence[str], rarity: Mapping[str, float]) -> float:
    """How much words tell: the more of them, and the fewer other clusters have them."""
    return sum(1 + rarity.get(word, 0) for word in _telling(part))


def _window(part: Sequence[str], rarity: Mapping[str, float]) -> list[str]:
    """The most telling MOST_WORDS words of a stretch, without marks and filling words at their ends; empty when that is all it has."""
    worth = [_worth([word], rarity) for word in part]
    begin = max(range(max(1, len(part) - MOST_WORDS + 1)), key=lambda n: sum(worth[n : n + MOST_WORDS]))
    some = list(part[begin : begin + MOST_WORDS])
    some = _without_filling(some) or some
    trimmed = " ".join(some).strip(_MARKS + " ")
    if trimmed.count("(") > trimmed.count(")"):  # day(s)
        trimmed = trimmed.rpartition("(")[0].strip(_MARKS + " ")
    return trimmed.split(" ") if any(c.isalnum() for c in trimmed) else []


def _without_filling(part: list[str]) -> list[str]:
    while part and not _telling(part[:1]):
        part = part[1:]
    while part and not _telling(part[-1:]):
        part = part[:-1]
    return part


def _named(texts: Iterable[str], taken: Container[str]) -> str:
    """A name for a rule, not yet taken: the first telling words of the first text that has any, in letters that need no quotes."""
    stem = next(stem for text in texts if (stem := _plain(text)))
    return next(name for name in chain([stem], (f"{stem}-{n}" for n in count(2))) if name not in taken)


def _plain(text: str) -> str:
    letters = normalize("NFKD", text.lower().replace("'", "")).encode("ascii", "ignore").decode()
    return "-".join(_telling(re.findall(r"[a-z0-9]+", letters))[:4])[:40].strip("-")


def _draft(cluster: Cluster, name: str, found: str, example: str) -> Draft:
    reason, why = _guess(cluster)
    lines = [
        f"[{name}]",
        f"reason = {quoted(reason)}  # {why}",
        f"phrases = [{quoted(found)}]"
        if found
        else "phrases = []  # no words in common; with `hosts = true`, phrases are looked for in links too",
    ]
    if found and _few(found.split()):
        lines.append("# sure = false  # few words, which elsewhere may mean something else: so a surer rule decides first")
    if place := _place(cluster):
        lines.append(f"# at = [{quoted(place)}]  # keeps it to where they came from")
    lines += [
        f"source = {quoted(_source(cluster))}",
        f"examples = [{quoted(example)}]",
        "counter = []  # a reply that looks alike and means something else",
    ]
    return Draft(name, reason, (found,) if found else (), "\n".join(lines) + "\n", f"# {_heading(cluster)}\n# {shown(cluster.template)}\n")


def _guess(cluster: Cluster) -> tuple[str, str]:
    """The likeliest reason and how it is known, or CHOOSE."""
    guesses = Counter({verdict: n for verdict, n in cluster.verdicts.items() if verdict[0] not in {"undetermined", ""}})
    if not guesses:
        return CHOOSE, "yours to say; the reasons are in analyzer/rules/taxonomy.toml"
    (reason, rule), n = guesses.most_common(1)[0]
    return reason, printable(f"a guess, by {rule}" + (f" for {n:,} of them" if n < cluster.count else ""))


def _heading(cluster: Cluster) -> str:
    return printable(f"{many(cluster.count, 'reply', 'replies')}: {named(cluster.providers)}; {named(cluster.codes)}")


def many(count: int, one: str, more: str) -> str:
    """A number with the thing that is counted."""
    return f"{count:,} {one if count == 1 else more}"


def named(names: Counter[str], most: int = MOST_NAMED) -> str:
    """Names with how often each came, the most frequent first."""
    said = [f"{name or UNKNOWN} {n:,}" if len(names) > 1 else name or UNKNOWN for name, n in names.most_common(most)]
    return ", ".join(said) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _source(cluster: Cluster) -> str:
    names = [name for name, _ in cluster.providers.most_common(2) if name]
    return "replies" + (f" of {', '.join(names)}" if names else "") + (f" in {cluster.first:%Y-%m}" if cluster.first else "")


def _place(cluster: Cluster) -> str | None:
    """The domain of the hosts that said it, where all are of one."""
    places = {_domain(host) for host in cluster.hosts}
    return places.pop() if len(places) == 1 else None


def _domain(host: str) -> str | None:
    labels = host.split(".")
    if len(labels) < 2 or not all(re.fullmatch(r"[a-z0-9][a-z0-9-]*", label) for label in labels) or labels[-1].isdigit():
        return None
    # co.uk, com.br: the domain is one label longer
    return ".".join(labels[-3:] if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3 else labels[-2:])


def _short(example: str, found: str) -> str:
    """A reply as the proof of a rule, no longer than it takes."""
    short = example[:MOST_SHOWN]
    return short if not found or stands(found, short) else example


def shown(template: Iterable[str]) -> str:
    """A template as one line of bounded length, marks at the words that they belong to."""
    line = re.sub(r"(?<=[=#]) (?=<)", "", re.sub(r"(?<![^ ])([(\[]) ", r"\1", " ".join(template)))
    line = re.sub(r" ([.,:;!?)\]'\"]+)(?= |$)", r"\1", line)
    return printable(line if len(line) <= MOST_SHOWN else line[: MOST_SHOWN - 1] + "…")


def quoted(text: str) -> str:
    """A text as a TOML string on one line, from which it is read again as it was; lone surrogates, which no file can hold, become �."""
    return '"' + "".join(_escaped(c) for c in text) + '"'


def _escaped(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    if c.isprintable():
        return c
    if 0xD800 <= ord(c) <= 0xDFFF:
        return "�"
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}")
