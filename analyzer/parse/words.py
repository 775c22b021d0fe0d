"""Words sought in texts, in either case, by many patterns: one pass over a text finds where any of them can begin.

A caseless regex with fifty alternatives takes a microsecond for every ten characters, and reports are asked forty such questions. Here a text
is put in small letters once, an automaton finds in one pass the beginnings of all that is sought, and a pattern is tried there and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ahocorasick_rs import AhoCorasick, Implementation

LEAST = 3
"""Bytes of a beginning that is worth looking for; shorter ones stand everywhere."""
LONG, MANY = 12, 400
"""Characters of a beginning, and beginnings of a pattern, that tell enough."""
FEW = 8
"""Beginnings that are sooner looked for one by one than all together."""
_HALF = re.compile("[\ud800-\udfff]")
_TOKEN = re.compile(r"\\.|\(\?(?:P?<\w+>|[:=!]|<[=!])|.", re.S)


@lru_cache(maxsize=16)  # a text is asked many questions in a row
def small(text: str) -> str:
    """The text in small letters, each where it stood: places in it are places in the text."""
    if text.isascii():
        return text.lower()
    # what `re.I` holds to be the same letter, and `str.lower` does not
    return mended(text).replace("İ", "i").lower().replace("ſ", "s").replace("ı", "i")


def mended(text: str) -> str:
    """The text with � for each half of a character that stands alone: strangers write such, and no automaton takes them."""
    return _HALF.sub("�", text)


class Words:
    """A pattern of words that matches in either case. Matches are of the text in small letters: take what stood there by its place."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        source = _TOKEN.sub(lambda t: t[0] if len(t[0]) > 1 else small(t[0]), pattern)
        self._regex = re.compile(source, flags)
        self.begins = beginnings(source, flags)
        self.needs: frozenset[str] = frozenset()
        if len(self.begins) > FEW:
            _patterns.append(self)
            _automaton.cache_clear()
        else:
            self.needs = self.begins or needed(source, flags)
            self.begins = frozenset()

    def search(self, text: str) -> re.Match[str] | None:
        """The first match anywhere."""
        if not self.begins:
            low = small(text)
            return self._regex.search(low) if self._may(low) else None
        low, places = _heard(text)
        if self in places:
            for place in sorted(places[self]):
                if match := self._regex.match(low, place):
                    return match
        return None

    def match(self, text: str) -> re.Match[str] | None:
        """The match at the beginning."""
        low = small(text)
        return self._regex.match(low) if self._may(low) else None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """All matches, in order."""
        if not self.begins:
            low = small(text)
            if self._may(low):
                yield from self._regex.finditer(low)
            return
        low, places = _heard(text)
        done = 0
        for place in sorted(places.get(self, ())):
            if place >= done and (match := self._regex.match(low, place)):
                yield match
                done = match.end()

    def _may(self, low: str) -> bool:
        for word in self.needs:
            if word in low:
                return True
        return not self.needs

    def lines(self, text: str) -> set[int]:
        """Where the lines begin in which there is a match, each line taken by itself."""
        low, places = _heard(text)
        found: set[int] = set()
        end = -1
        for place in sorted(places.get(self, ())) if self.begins else ():
            if place > end:  # in another line than the one before
                begin, end = low.rfind("\n", 0, place) + 1, low.find("\n", place)
                end = end if end >= 0 else len(low)
            elif begin in found:
                continue
            if self._regex.match(low, place, end):
                found.add(begin)
        return found

    def cut(self, text: str) -> str:
        """The text with a space for each match."""
        parts, done = [], 0
        for match in self.finditer(text):
            parts.append(text[done : match.start()])
            done = match.end()
        return " ".join([*parts, text[done:]]) if parts else text


_patterns: list[Words] = []


@lru_cache(maxsize=16)
def _heard(text: str) -> tuple[str, dict[Words, list[int]]]:
    """A text in small letters, and where in it each pattern may begin."""
    low = small(text)
    places: dict[Words, list[int]] = {}
    automaton, owners = _automaton()
    for n, start, _ in automaton.find_matches_as_indexes(low, overlapping=True):
        for pattern in owners[n]:
            if pattern in places:
                places[pattern].append(start)
            else:
                places[pattern] = [start]
    return low, places


@lru_cache(maxsize=1)
def _automaton() -> tuple[AhoCorasick, list[list[Words]]]:
    words: dict[str, list[Words]] = {}
    for pattern in _patterns:
        for word in pattern.begins:
            words.setdefault(word, []).append(pattern)
    return AhoCorasick(words, implementation=Implementation.ContiguousNFA, store_patterns=False), list(words.values())


def beginnings(pattern: str, flags: int = 0) -> frozenset[str]:
    """How whatever a pattern matches begins: with one of these. Empty where that cannot be told in LEAST bytes."""
    found = {text for text, _ in _begin(re._parser.parse(pattern, flags), {("", True)})}  # type: ignore[attr-defined]
    if any(len(text.encode()) < LEAST for text in found):
        return frozenset()
    return frozenset(text for text in found if not any(text[:n] in found for n in range(1, len(text))))


def needed(pattern: str, flags: int = 0) -> frozenset[str]:
    """Words one of which stands in whatever a pattern matches; empty where that cannot be told in LEAST bytes."""
    words = _needed(re._parser.parse(pattern, flags))  # type: ignore[attr-defined]
    return frozenset(words if all(len(word.encode()) >= LEAST for word in words) else ())


def _needed(sequence: Any) -> set[str]:
    """The best such words of a parsed sequence: the longest run of letters, or the words of all branches together."""
    found: list[set[str]] = []
    run = ""
    for operation, argument in [*sequence, ("", None)]:
        name = str(operation)
        if name == "LITERAL":
            run += chr(argument)
            continue
        found.append({run})
        run = ""
        if name == "SUBPATTERN":
            found.append(_needed(argument[-1]))
        elif name == "BRANCH":
            branches = [_needed(branch) for branch in argument[1]]
            found.append(set().union(*branches) if all(branches) else set())
        elif name in {"MAX_REPEAT", "MIN_REPEAT"} and argument[0] >= 1:
            found.append(_needed(argument[2]))
    return max((words for words in found if words and all(words)), key=lambda words: min(map(len, words)), default=set())


def _begin(sequence: Any, found: set[tuple[str, bool]]) -> set[tuple[str, bool]]:
    """Beginnings so far, each with whether it may go on, continued by a parsed sequence."""
    for operation, argument in sequence:
        name = str(operation)
        on = {(text, True) for text, goes_on in found if goes_on}
        rest = found - on
        if not on:
            break
        if name == "LITERAL":
            on = {(text + chr(argument), len(text) + 1 < LONG) for text, _ in on}
        elif name == "SUBPATTERN":
            on = _begin(argument[-1], on)
        elif name == "BRANCH":
            on = set().union(*(_begin(branch, on) for branch in argument[1]))
        elif name in {"MAX_REPEAT", "MIN_REPEAT"}:
            least, most, inner = argument
            once = _begin(inner, on)
            on = (once if most == 1 else {(text, False) for text, _ in once}) | (on if least == 0 else set())
        elif name == "IN" and all(str(kind) == "LITERAL" for kind, _ in argument):
            on = {(text + chr(letter), len(text) + 1 < LONG) for text, _ in on for _, letter in argument}
        elif name not in {"AT", "ASSERT", "ASSERT_NOT"}:
            on = {(text, False) for text, _ in on}
        found = rest | on
        if len(found) > MANY:
            return {(text, False) for text, _ in found}
    return found
