"""Words sought in texts, in either case, by many patterns: all of them ask one pass over the text whether it is worth their while.

A caseless regex with fifty alternatives takes a microsecond for every ten characters, and reports are asked forty such questions. Here a text
is put in small letters once, an automaton finds in one pass the words without which no pattern can match, and only those that can are run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import ahocorasick

LEAST = 3
"""Bytes of a word that is worth looking for; shorter ones stand everywhere."""
_TOKEN = re.compile(r"\\.|\(\?(?:P?<\w+>|[:=!]|<[=!])|.", re.S)
# what `re.I` holds to be the same letter, and `str.lower` does not
_SAME = str.maketrans({"ſ": "s", "ı": "i"})
_patterns: list[Words] = []


def small(text: str) -> str:
    """The text in small letters, each where it stood: places in it are places in the text."""
    if text.isascii():
        return text.lower()
    return text.replace("İ", "i").lower().translate(_SAME)


class Words:
    """A pattern of words that matches in either case. Matches are of the text in small letters: take what stood there by its place."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        self.pattern = pattern
        source = _TOKEN.sub(lambda t: t[0] if len(t[0]) > 1 else small(t[0]), pattern)
        self._regex = re.compile(source, flags)
        self._needs = needed(source, flags)
        self._bit = 0
        if self._needs:
            self._bit = 1 << len(_patterns)
            _patterns.append(self)
            _automaton.cache_clear()

    def may(self, text: str) -> bool:
        """Whether a text has one of the words that the pattern needs."""
        return not self._bit or _heard(text)[1] & self._bit != 0

    def search(self, text: str) -> re.Match[str] | None:
        """The first match anywhere."""
        low, said = _heard(text)
        return self._regex.search(low) if not self._bit or said & self._bit else None

    def match(self, text: str) -> re.Match[str] | None:
        """The match at the beginning: no pass over the text is worth its while for that."""
        return self._regex.match(_heard(text)[0] if len(text) > 200 else small(text))

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """All matches, in order."""
        low, said = _heard(text)
        return self._regex.finditer(low) if not self._bit or said & self._bit else iter(())

    def cut(self, text: str) -> str:
        """The text with a space for each match."""
        parts, done = [], 0
        for match in self.finditer(text):
            parts.append(text[done : match.start()])
            done = match.end()
        return " ".join([*parts, text[done:]]) if parts else text


@lru_cache(maxsize=16)  # a text is asked many questions in a row
def _heard(text: str) -> tuple[str, int]:
    """A text in small letters, and which patterns may match in it: a bit for each."""
    low = small(text)
    said = 0
    for _, bits in _automaton().iter(low):
        said |= bits
    return low, said


@lru_cache(maxsize=1)
def _automaton() -> Any:
    words: dict[str, int] = {}
    for pattern in _patterns:
        for word in pattern._needs:
            words[word] = words.get(word, 0) | pattern._bit
    found: Any = ahocorasick.Automaton()
    for word, bits in words.items():
        found.add_word(word, bits)
    found.make_automaton()
    return found


def needed(pattern: str, flags: int = 0) -> frozenset[str]:
    """Words one of which stands in whatever a pattern matches; empty where that cannot be told, or where they are too short to tell anything."""
    words = _needed(re._parser.parse(pattern, flags))  # type: ignore[attr-defined]
    return frozenset(words) if words and min(len(word.encode()) for word in words) >= LEAST else frozenset()


def _needed(sequence: Any) -> set[str]:
    """The best such words of a parsed sequence: the longest run of letters, or the words of all branches together."""
    found: list[set[str]] = []
    run = ""
    for operation, argument in [*sequence, (None, None)]:
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
    found = [words for words in found if words and all(words)]
    return max(found, key=lambda words: (min(min(map(len, words)), 6), -len(words)), default=set())
