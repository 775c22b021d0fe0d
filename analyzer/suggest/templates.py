"""Texts that say the same with other names, numbers and hosts in them, brought together under one template.

After Drain (He, Zhu, Zheng, Lyu: An Online Log Parsing Approach with Fixed Depth Tree, ICWS 2017): what is plainly variable is masked first,
then a text is compared only with templates of as many words. A template is looked for by its first word and by its last,
since replies begin or end with a name as often as not; and with a bounded number of them, so that time stays linear whatever comes.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Container, Iterator, Sequence
from functools import lru_cache

from analyzer.classify import bare, heard

ANY = "<*>"
"""Where texts of one template have different words."""
MOST_WORDS = 80  # of a text that are looked at
MOST_TEMPLATES = 10_000
NEAR = 32  # templates that a text is compared with, for each of its two ways to them; the latest
ALIKE = 0.7  # share of words that must be the same: in a short reply each word may be the one that tells
LONGEST = 40  # characters of a word; beyond, it is an id
_MARKS = ".,:;!?()[]{}'\"`*-=/\\|"
_MASKED = re.compile("\x00+")
_NAMED = re.compile(r"([a-z_-]{1,20}[=#])(?=.)")
_KINDS = {
    "<code>": re.compile(r"[245]\d\d(?:[-:]?#?[245]\.\d{1,3}\.\d{1,3})?|#?[245]\.\d{1,3}\.\d{1,3}"),
    "<ip>": re.compile(r"\d{1,3}(?:\.(?:\d{1,3}|x{1,3})){3}(?:[/:]\d{1,5})?|(?=[^:]{0,4}:[^:]{0,4}:)(?:ipv6:)?(?=.*[a-f:])[0-9a-f:]{3,39}"),
    "<number>": re.compile(r"[$€]?\d[\d.,:/+%x-]*(?:[kmgt]?i?b|bytes?|m?s|secs?|mins?|hrs?|[hd]|th|st|nd|rd)?"),
}
_HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.){1,8}[a-z]{2,24}")
_WORD = re.compile(r"[a-z]{1,12}[-_]?\d{1,4}|\d{1,2}-?[a-z]{2,12}")
"""Words with a figure in them that tell: s3140, tss04, rfc5321, 8bitmime, 8-bit."""


def variable(word: str) -> bool:
    """Whether a word of a template stands for others."""
    return word.startswith("<") and word.endswith(">") and len(word) > 2


def words(text: str) -> tuple[str, ...]:
    """The words of a text as rules hear it, with names for what is plainly variable; without the code that it begins with."""
    low, masked = heard(bare(text))
    parts, done = [], 0
    for run in _MASKED.finditer(masked):
        parts += [low[done : run.start()], f" {_name(low[run.start() : run.end()])} "]
        done = run.end()
    said = [word for word in "".join([*parts, low[done:]]).split(" ")[: MOST_WORDS * 2] if word]
    found: list[str] = []
    for word in _mask(said):
        # several of a kind are a list, which may be longer another time
        if variable(word) and found[-2:] == [word, ","]:
            found.pop()
        elif not (variable(word) and found[-1:] == [word]) and (found or word != "<code>"):
            found.append(word)
    return tuple(found[:MOST_WORDS])


def _name(hidden: str) -> str:
    return "<address>" if "@" in hidden else "<link>" if "://" in hidden else "<host>"


def _mask(said: Sequence[str]) -> Iterator[str]:
    for word in said:
        kind, named = _kind(word), _NAMED.match(word)
        if named and variable(rest := _kind(word[named.end() :])):  # id=4711, helo=mx.example
            yield named[1]
            kind = rest
        yield kind


def _kind(word: str) -> str:
    core = word.strip(_MARKS)
    if variable(core):
        return core if core in {"<address>", "<link>", "<host>"} else "<name>"
    core = core.strip(_MARKS + "<>")
    if len(core) > LONGEST and core.isascii():
        return "<id>"
    if _HOST.fullmatch(core):
        return "<host>"
    if not any(c.isdigit() for c in core):
        return word
    for name, pattern in _KINDS.items():
        if pattern.fullmatch(core):
            return name
    # scripts without spaces write a whole sentence in one word: its figures do not make it an id
    return word if _WORD.fullmatch(core) or not core.isascii() else "<id>"


class Templates:
    """Templates, grown from the texts that are added. Texts that differ in a `telling` word are never brought together."""

    def __init__(self, telling: Container[str] = ()) -> None:
        self._telling = telling
        self._grown: list[list[str]] = []
        self._known: dict[tuple[str, ...], int] = {}
        self._near: dict[tuple[int, int, str], deque[int]] = {}

    def __getitem__(self, number: int) -> tuple[str, ...]:
        """A template: its words, the variable ones in <angle brackets>."""
        return tuple(word for n, word in enumerate(self._grown[number]) if not (n and word == ANY and self._grown[number][n - 1] == ANY))

    @property
    def full(self) -> bool:
        """Whether there are as many as may be."""
        return len(self._grown) >= MOST_TEMPLATES

    def add(self, text: str) -> int | None:
        """The number of the template that a text belongs to; None when it has no words, or there are MOST_TEMPLATES and none is like it."""
        found = words(text)
        if all(_dumb(word) for word in found):
            return None
        number = self._known.get(found)
        if number is None:
            number = self._alike(found)
            number = self._begin(found) if number is None else self._grow(number, found)
            if number is not None and len(self._known) < MOST_TEMPLATES * 4:
                self._known[found] = number
        return number

    def _alike(self, found: tuple[str, ...]) -> int | None:
        near = {n: likeness(self._grown[n], found, self._telling) for way in _ways(found) for n in self._near.get(way, ())}
        best = max(near, key=lambda n: near[n], default=None)
        return best if best is not None and near[best] >= ALIKE else None

    def _begin(self, found: tuple[str, ...]) -> int | None:
        if self.full:
            return None
        self._grown.append(list(found))
        for way in _ways(found):
            self._near.setdefault(way, deque(maxlen=NEAR)).append(len(self._grown) - 1)
        return len(self._grown) - 1

    def _grow(self, number: int, found: tuple[str, ...]) -> int:
        self._grown[number] = [mine if _same(mine, other) else ANY for mine, other in zip(self._grown[number], found, strict=True)]
        return number


def _dumb(word: str) -> bool:
    # a link or a host may tell, and a number does not
    return word not in {"<link>", "<host>"} and _core(word) is None


def _ways(found: tuple[str, ...]) -> tuple[tuple[int, int, str], ...]:
    """Under which a template is looked for: how many words, and the first or the last."""
    return (len(found), 0, _core(found[0]) or found[0]), (len(found), -1, _core(found[-1]) or found[-1])


def likeness(template: Sequence[str], found: Sequence[str], telling: Container[str] = ()) -> float:
    """The share of places, of those where either has a word of its own, at which both have the same; 0 where a telling word differs, or too many do."""
    same = other = 0
    most = (1 - ALIKE) * len(template)
    for mine, yours in zip(template, found, strict=True):
        cores = _core(mine), _core(yours)
        if cores[0] == cores[1]:
            same += cores[0] is not None
            continue
        other += 1
        if cores[0] in telling or cores[1] in telling or other > most:
            return 0.0
    return same / (same + other) if same + other else 1.0


def _same(mine: str, yours: str) -> bool:
    return mine == yours or (_core(mine) is not None and _core(mine) == _core(yours))


@lru_cache(maxsize=50_000)
def _core(word: str) -> str | None:
    """A word without its marks; None when it has none of its own."""
    core = word.strip(_MARKS)
    return core if not variable(word) and any(c.isalnum() for c in core) else None
