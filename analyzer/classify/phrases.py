"""Phrases of rules, found in a text all at once: an automaton finds their fragments, and a tree says which of them make a phrase."""

from __future__ import annotations

import itertools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation

from analyzer.parse.words import mended

GAPS = {"**": 160, "*": 60, "..": 24}
"""What may stand between two fragments, in characters: of one sentence, but for "**"; ".." does not reach over a comma, colon or semicolon either."""
MOST_FORMS = 2000
"""That the alternatives of one fragment may make."""
MOST_LETTERS = 20_000
"""That are remembered, of the million that there are."""
_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")
_ATTACHED = re.compile(r"(?<=\})(?:\*{1,2}|\.\.)(?= )|(?<= )(?:\*{1,2}|\.\.)(?=\{)")  # gaps without a space between them and alternatives
_WITH_GAP = re.compile(r"\{([^{}]*(?<![^ {|])(?:\*{1,2}|\.\.)(?![^ }|])[^{}]*)\}")  # alternatives of which one has a gap
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"})
_BARE = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "ß": "ss"})  # letters that do not come apart
_MISPLACED = re.compile(r"[{}|]|~(?!\Z)")
_GAP = re.compile(r"(?:^| )(\*{1,2}|\.\.)(?: |$)")
_CODE = re.compile(r"(?<![\w.])([245]\d\d)[ -]|(?<![\w.])([245])\.\d{1,3}\.\d{1,3}(?![\w.])")
_LONG_JOINT = re.compile(r" (?: |[245]\d\d[ -])")
_JOINT = re.compile(r" +(?:([245]\d\d)[ -](?:[245]\.\d{1,3}\.\d{1,3}(?: +|$))?)? *")


class Phrase(NamedTuple):
    """Fragments that follow each other, each in one of its forms; a form with a final ~ lets its word go on."""

    fragments: tuple[tuple[str, ...], ...]
    gaps: tuple[int, ...]  # between them, of GAPS


def read(written: str) -> list[Phrase]:
    """The phrases that a line of a rules file writes: one, unless a gap stands within alternatives. Raises ValueError, saying what is wrong."""
    text = _ATTACHED.sub(r" \g<0> ", " ".join(written.lower().split()))
    return [_phrase(form) for form in _expanded(text, _WITH_GAP)]


def _expanded(text: str, alternatives: re.Pattern[str]) -> Iterable[str]:
    """The forms of a text, one for each choice of these alternatives."""
    if "{" not in text:
        return (text,)
    choices = [part.split("|") if n % 2 else [part] for n, part in enumerate(alternatives.split(text)) if part or n % 2]
    forms = [" ".join("".join(form).split()) for form in itertools.islice(itertools.product(*choices), MOST_FORMS + 1)]
    if len(forms) > MOST_FORMS:
        raise ValueError(f"the alternatives of {text!r:.60} make more than {MOST_FORMS:,} forms; put a gap between them, or split it")
    return dict.fromkeys(forms)


def _spelled(form: str) -> tuple[str, ...]:
    """A form as written, and as servers write it that have ASCII alone: without its accents, umlauts and their like as two letters."""
    if form.isascii():
        return (form,)
    bare = "".join(c for c in unicodedata.normalize("NFKD", form.translate(_BARE)) if not unicodedata.combining(c))
    return (form, *(other for other in (bare, form.translate(_UMLAUTS)) if other.isascii()))


def _phrase(text: str) -> Phrase:
    parts = _GAP.split(text) if "*" in text or ".." in text else [text]
    fragments = tuple(
        tuple(dict.fromkeys(itertools.chain.from_iterable(map(_spelled, _expanded(part, _ALTERNATIVES))))) for part in parts[::2]
    )
    for fragment in itertools.chain.from_iterable(fragments):
        if not fragment.strip("~ ") or fragment.startswith(("* ", "** ", ".. ")):
            raise ValueError(f"found {text!r}, expected words before and after each gap")
        if _MISPLACED.search(fragment):
            raise ValueError(f"found {fragment!r}, expected ~ at its end only, and {{a|b}} not within another")
    return Phrase(fragments, tuple(GAPS[gap] for gap in parts[1::2]))


class _Node:
    """Where phrases go on behind a fragment."""

    __slots__ = ("children", "far", "owners")

    def __init__(self, owners: tuple[int, ...], children: dict[str, tuple[_Step, ...]], far: bool = False) -> None:
        self.far = far  # a gap that reaches over the end of a sentence may follow
        self.owners = owners  # of the phrases that end here
        self.children = children  # by their next fragment


_Step = tuple[int, _Node]
"""The gap before a fragment, and where phrases go on behind it."""


_NOTHING: dict[str, tuple[_Step, ...]] = {}  # what follows the last fragment

Token = tuple[int, int, str]
"""Start and end of a fragment, and the fragment."""


_Words = dict[str, str | tuple[str, str]]
"""Words, each with its fragment, or with both: as a whole, and as a beginning. A tuple for each would take a tenth of all memory."""


def _each(fragments: str | tuple[str, str]) -> tuple[str, ...]:
    return (fragments,) if isinstance(fragments, str) else fragments


class _Fragments:
    """Fragments by their words, compiled: those that begin at a word's beginning and, without a final ~, end at a word's end. Scripts without spaces have neither."""

    def __init__(self, words: _Words) -> None:
        # by the number that the automaton gives a word: as a whole, as a beginning, and whether its ends (1, 2) must be a word's
        self._whole = [word if word in _each(fragments) else None for word, fragments in words.items()]
        self._begun = [next((f for f in _each(fragments) if f != word), None) for word, fragments in words.items()]
        self._ends = bytes(_in_word(word[0]) + 2 * _in_word(word[-1]) for word in words)
        self._automaton = _compiled(words)

    def find(self, text: str) -> list[Token]:
        """Where they stand in a text."""
        tokens: list[Token] = []
        around, ends = f" {text} ", self._ends
        for n, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
            if ends[n] & 1 and _goes_on(around[start]):
                continue
            if (whole := self._whole[n]) is not None and not (ends[n] & 2 and _goes_on(around[end + 1])):
                tokens.append((start, end, whole))
            if (begun := self._begun[n]) is not None:
                tokens.append((start, end, begun))
        return tokens


class _Plain:
    """As `_Fragments`, of fragments in ASCII: sought in the text with a blank for all that is no letter and no digit, so that blanks around a word tell that it is one.

    Short words stand within many others: looked up afterwards, as `_Fragments` does it, they would take three quarters of the time.
    """

    def __init__(self, words: _Words) -> None:
        sought = dict[str, int]()
        # by the number that the automaton gives what is sought: the fragment, and a sum of the four below
        self._fragments: list[str] = []
        self._kinds = bytearray()
        self._others: dict[int, list[tuple[int, str]]] = {}  # further fragments that are sought alike
        self._marks: list[str] = []  # without a letter: not sought so
        for word, fragments in words.items():
            bare = word.translate(_BLANKED)
            for fragment in _each(fragments):
                if not bare.strip():
                    self._marks.append(fragment)
                    continue
                before, after = _in_word(word[0]), _in_word(word[-1]) and fragment == word
                kind = _BEFORE * before + _AFTER * after + _LOOKED_AT * (" " in bare)
                n = sought.setdefault(f"{' ' * before}{bare}{' ' * after}", len(sought))
                if n == len(self._fragments):
                    self._fragments.append(fragment)
                    self._kinds.append(kind)
                else:
                    self._kinds[n] |= _SHARED
                    self._others.setdefault(n, []).append((kind, fragment))
        self._automaton = _compiled(sought)

    def find(self, text: str) -> list[Token]:
        """Where they stand in a text."""
        tokens: list[Token] = []
        kinds, fragments, add = self._kinds, self._fragments, tokens.append
        around = f" {text} "
        for n, start, end in self._automaton.find_matches_as_indexes(around.translate(_BLANKED), overlapping=True):
            kind, fragment = kinds[n], fragments[n]
            at, stop = start + (kind & _BEFORE), end - (kind & _AFTER) // _AFTER
            if kind < _LOOKED_AT or fragment.startswith(around[at:stop]):
                add((at - 1, stop - 1, fragment))
            if kind & _SHARED:
                for kind, fragment in self._others[n]:
                    at, stop = start + (kind & _BEFORE), end - (kind & _AFTER) // _AFTER
                    if fragment.startswith(around[at:stop]):
                        add((at - 1, stop - 1, fragment))
        for fragment in self._marks:
            mark = fragment.removesuffix("~")
            at = text.find(mark)
            while at >= 0:
                add((at, at + len(mark), fragment))
                at = text.find(mark, at + 1)
        return tokens


_BEFORE, _AFTER, _LOOKED_AT, _SHARED = 1, 2, 4, 8
"""A blank is sought before it, and after it; there may be something else than a blank in it; something else is sought alike."""


def _compiled(words: Iterable[str]) -> AhoCorasick:
    # a DFA would be as fast and take 25 times the memory
    return AhoCorasick(words, implementation=Implementation.ContiguousNFA, store_patterns=False)


class Phrases:
    """All phrases of all owners, compiled. Finding takes time linear in the text."""

    def __init__(self, owned: Iterable[tuple[Phrase, int]]) -> None:
        self._root: dict[str, _Node] = {}
        words, leaves = _Words(), dict[int, _Node]()
        for phrase, owner in owned:
            self._add(phrase, leaves.setdefault(owner, _Node((owner,), _NOTHING)))
            for fragment in itertools.chain.from_iterable(phrase.fragments):
                word = fragment.removesuffix("~")
                known = words.setdefault(word, fragment)
                if fragment not in _each(known):
                    words[word] = (word, f"{word}~")
        # half as many at a time take half the memory to compile, and most texts are asked for the first half alone
        self._plain = _Plain({word: forms for word, forms in words.items() if word.isascii()})
        self._other = _Fragments({word: forms for word, forms in words.items() if not word.isascii()})

    def _add(self, phrase: Phrase, leaf: _Node) -> None:
        """Phrases that begin alike share their first fragment only; the forms of a phrase share all that follows."""
        first, *others = phrase.fragments
        behind = leaf
        for forms, gap in zip(others[:0:-1], phrase.gaps[:0:-1], strict=True):
            behind = _Node((), dict.fromkeys(forms, ((gap, behind),)), gap == GAPS["**"])
        step = (phrase.gaps[0], behind) if others else None
        alone = (step,) if step else ()
        for begin in first:
            node = self._root.get(begin)
            if step is None:
                self._root[begin] = leaf if node is None else _Node((*node.owners, *leaf.owners), node.children, node.far)
                continue
            if node is None or node.children is _NOTHING:
                node = self._root[begin] = _Node(node.owners if node else (), {})
            node.far |= phrase.gaps[0] == GAPS["**"]
            for form in others[0]:
                there = node.children.get(form)
                if there is None:
                    node.children[form] = alone
                elif step not in there:
                    node.children[form] = (*there, step)

    def find(self, text: str) -> list[tuple[tuple[int, ...], tuple[Token, ...]]]:
        """Where phrases stand: their owners, and their fragments in the text. In the order of starts."""
        found: list[tuple[tuple[int, ...], tuple[Token, ...]]] = []
        tokens, root = self._tokens(text), self._root
        present = {token[2] for token in tokens}
        for n, token in enumerate(tokens):
            node = root.get(token[2])
            if node is None:
                continue
            if node.owners:
                found.append((node.owners, (token,)))
            if node.children and not node.children.keys().isdisjoint(present):
                _walk(node, text, tokens, n, (token,), present, found)
        return found

    def _tokens(self, text: str) -> list[Token]:
        """The fragments in a text, in the order of starts."""
        if text.isascii():
            tokens = self._plain.find(text)
        else:
            text = mended(text)
            tokens = self._plain.find(text) + self._other.find(text)
        tokens.sort(key=_START)
        return tokens


_START = itemgetter(0)


def _goes_on(letter: str) -> bool:
    """Whether a word reaches over a letter beside it: those of scripts without spaces stand against any word."""
    return letter.isalnum() and (letter < "\u0e00" or "\u10a0" <= letter < "\u1100" or "\u1e00" <= letter < "\u2000")


class _Blanks(dict[int, int]):
    """For `str.translate`: a letter over which a word reaches is itself, all else a blank."""

    def __missing__(self, code: int) -> int:
        shown = code if _goes_on(chr(code)) else 32
        if len(self) < MOST_LETTERS:
            self[code] = shown
        return shown


_BLANKED = _Blanks()


def _in_word(letter: str) -> bool:
    return letter.isalnum() and letter.isascii()


def _walk(
    node: _Node,
    text: str,
    tokens: list[Token],
    n: int,
    path: tuple[Token, ...],
    present: set[str],
    found: list[tuple[tuple[int, ...], tuple[Token, ...]]],
) -> None:
    """Adds the phrases that go on from a token, whose fragments so far are `path`."""
    at = tokens[n][1]
    near = at + GAPS["*"]
    stop = text.find(". ", at, near)
    near = near if stop < 0 else stop
    limit = at + GAPS["**"] if node.far else near
    children = node.children
    for m in range(n + 1, len(tokens)):
        token = tokens[m]
        start = token[0]
        if start > limit:
            return
        if start < at or token[2] not in children:
            continue
        for gap, child in children[token[2]]:
            if gap == GAPS["**"] or (start <= near and _reaches(text[at:start], gap)):
                if child.owners:
                    found.append((child.owners, (*path, token)))
                if child.children and not child.children.keys().isdisjoint(present):
                    _walk(child, text, tokens, m, (*path, token), present, found)


def _reaches(between: str, gap: int) -> bool:
    return len(between) <= gap and (gap == GAPS["*"] or not any(mark in between for mark in ",;:"))


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


def flat(text: str) -> tuple[str, Places | None]:
    """The text with one space for each run of them and for the codes that repeat at the lines of a reply; and where things stood, if they moved."""
    if not _LONG_JOINT.search(text):
        return text, None
    first = _CODE.search(text)
    begin = first.end() if first else 0
    places, parts, done, length = Places(), [], 0, 0
    code = first[1] if first else None
    for joint in _JOINT.finditer(text, begin):
        if joint.end() - joint.start() == 1:
            continue
        # another code than the first line's is a reply within the reply: it stays
        end = joint.end() if joint[1] in (None, code) else joint.start(1)
        parts += [text[done : joint.start()], " "]
        length += joint.start() - done + 1
        done = end
        places.cut(length, done - length)
    return "".join([*parts, text[done:]]), places


def temporary(text: str) -> bool:
    """Whether the first reply or status code in a text is a 4, a refusal for now."""
    code = _CODE.search(text)
    return code is not None and (code[1] or code[2])[0] == "4"
