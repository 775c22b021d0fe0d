"""Phrases of rules, found in a text all at once: an automaton finds their fragments, and a tree says which of them make a phrase."""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ahocorasick

GAPS = {"*": 60, "..": 24}
"""What may stand between two fragments, in characters of one sentence; ".." does not reach over a comma, colon or semicolon either."""
MOST_FORMS = 2000
"""That the alternatives of one phrase may make."""
_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_BARE = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "ß": "ss"})  # letters that do not come apart
_GAP = re.compile(r"(?:^| )(\*|\.\.)(?: |$)")
_CODE = re.compile(r"(?<![\w.])([245]\d\d)[ -]|(?<![\w.])([245])\.\d{1,3}\.\d{1,3}(?![\w.])")
_JOINT = re.compile(r" +(?:([245]\d\d)[ -](?:[245]\.\d{1,3}\.\d{1,3}(?: +|$))?)? *")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Fragments that follow each other; a fragment with a final ~ lets its word go on."""

    fragments: tuple[str, ...]
    gaps: tuple[int, ...]  # between them, of GAPS


def read(written: str) -> list[Phrase]:
    """The phrases that a line of a rules file writes: one for each choice of its alternatives. Raises ValueError, saying what is wrong."""
    choices = [part.split("|") if n % 2 else [part] for n, part in enumerate(_ALTERNATIVES.split(written.lower()))]
    forms = [" ".join("".join(form).split()) for form in itertools.islice(itertools.product(*choices), MOST_FORMS + 1)]
    if len(forms) > MOST_FORMS:
        raise ValueError(f"its alternatives make more than {MOST_FORMS:,} forms; split it")
    return [_phrase(form) for form in dict.fromkeys(itertools.chain.from_iterable(map(_spelled, forms)))]


def _spelled(form: str) -> tuple[str, ...]:
    """A form as written, and as servers write it that have ASCII alone: without its accents, German umlauts as two letters."""
    if form.isascii():
        return (form,)
    bare = "".join(c for c in unicodedata.normalize("NFKD", form.translate(_BARE)) if not unicodedata.combining(c))
    return (form, *(other for other in (bare, form.translate(_UMLAUTS)) if other.isascii()))


def _phrase(form: str) -> Phrase:
    parts = _GAP.split(form)
    fragments = tuple(parts[::2])
    for fragment in fragments:
        if not fragment.strip("~ ") or fragment.startswith(("* ", ".. ")):
            raise ValueError(f"found {form!r}, expected words before and after each gap")
        if "~" in fragment[:-1] or set(fragment) & set("{}|"):
            raise ValueError(f"found {fragment!r}, expected ~ at its end only, and {{a|b}} not within another")
    return Phrase(fragments, tuple(GAPS[gap] for gap in parts[1::2]))


@dataclass(slots=True)
class _Node:
    owners: list[int] = field(default_factory=list)
    children: dict[str, dict[int, _Node]] = field(default_factory=dict)  # fragment -> gap -> what follows


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    end: int
    fragment: str
    seen: bool  # also in the masked text


class Phrases:
    """All phrases of all owners, compiled. Finding takes time linear in the text."""

    def __init__(self, owned: Iterable[tuple[Phrase, int]]) -> None:
        root, words = _Node(), dict[str, set[str]]()
        for phrase, owner in owned:
            node = root
            for fragment, gap in zip(phrase.fragments, (0, *phrase.gaps), strict=True):
                words.setdefault(fragment.removesuffix("~"), set()).add(fragment)
                node = node.children.setdefault(fragment, {}).setdefault(gap, _Node())
            node.owners.append(owner)
        self._root = root
        self._automaton: Any = ahocorasick.Automaton()
        for word, fragments in words.items():
            self._automaton.add_word(word, (len(word), tuple(sorted(fragments))))
        if words:
            self._automaton.make_automaton()

    def find(self, text: str, masked: str) -> Iterator[tuple[int, int, int, bool]]:
        """Where phrases stand: owner, start, end, and whether all of it stands in the masked text too. In the order of starts."""
        tokens = sorted(self._tokens(text, masked), key=lambda t: t.start)
        for n, token in enumerate(tokens):
            below = self._root.children.get(token.fragment)
            if below is not None:
                for owner, end, seen in _walk(below[0], text, tokens, n, token.seen):
                    yield owner, token.start, end, seen

    def _tokens(self, text: str, masked: str) -> Iterator[_Token]:
        if not len(self._automaton):
            return
        for last, (length, fragments) in self._automaton.iter(text):
            start, end = last - length + 1, last + 1
            for fragment in fragments:
                if _bounded(text, fragment, start, end):
                    yield _Token(start, end, fragment, masked[start:end] == text[start:end])


def _walk(node: _Node, text: str, tokens: list[_Token], n: int, seen: bool) -> Iterator[tuple[int, int, bool]]:
    at = tokens[n].end
    for owner in node.owners:
        yield owner, at, seen
    if not node.children:
        return
    stop = text.find(". ", at, at + GAPS["*"])
    limit = at + GAPS["*"] if stop < 0 else stop
    for m in range(n + 1, len(tokens)):
        token = tokens[m]
        if token.start > limit:
            return
        below = node.children.get(token.fragment)
        if below is not None and token.start >= at:
            for gap, child in below.items():
                if _reaches(text[at : token.start], gap):
                    yield from _walk(child, text, tokens, m, seen and token.seen)


def _reaches(between: str, gap: int) -> bool:
    return len(between) <= gap and (gap == GAPS["*"] or not any(mark in between for mark in ",;:"))


def _bounded(text: str, fragment: str, start: int, end: int) -> bool:
    """Whether a fragment begins at a word's beginning and, without a final ~, ends at a word's end. Scripts without spaces have neither."""
    if start and text[start].isalnum() and text[start].isascii() and text[start - 1].isalnum():
        return False
    last = text[end - 1]
    return fragment.endswith("~") or not (end < len(text) and last.isalnum() and last.isascii() and text[end].isalnum())


class Places:
    """Where the characters of a text with parts cut out stood before."""

    def __init__(self) -> None:
        self._starts, self._shifts = [0], [0]

    def cut(self, at: int, shift: int) -> None:
        """From `at` on, characters stood `shift` further."""
        self._starts.append(at)
        self._shifts.append(shift)

    def __call__(self, at: int) -> int:
        return at + self._shifts[bisect_right(self._starts, at) - 1]


def flat(text: str, masked: str) -> tuple[str, str, Places]:
    """Both texts with one space for each run of them and for the codes that repeat at the lines of a reply; and where things stood."""
    places, parts, others, done, length = Places(), [], [], 0, 0
    first = _CODE.search(text)
    code = first[1] if first else None
    for joint in _JOINT.finditer(text, first.end() if first else 0):
        if joint.end() - joint.start() == 1:
            continue
        # another code than the first line's is a reply within the reply: it stays
        end = joint.end() if joint[1] in (None, code) else joint.start(1)
        parts += [text[done : joint.start()], " "]
        others += [masked[done : joint.start()], " "]
        length += joint.start() - done + 1
        done = end
        places.cut(length, done - length)
    return "".join([*parts, text[done:]]), "".join([*others, masked[done:]]), places


def temporary(text: str) -> bool:
    """Whether the first reply or status code in a text is a 4, a refusal for now."""
    code = _CODE.search(text)
    return code is not None and (code[1] or code[2])[0] == "4"
