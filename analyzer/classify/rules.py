"""Rules from TOML: read, checked, compiled into one automaton that finds all their phrases in a single pass over a text."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from analyzer.classify import phrases
from analyzer.classify.masks import is_clear
from analyzer.classify.phrases import Phrase, Phrases, Places, Token
from analyzer.model import Severity

KEYS = {"reason", "phrases", "unless", "sure", "temporary", "at", "hosts", "source", "examples", "counter"}
GENERIC = ("service", "mailbox", "refused", "content", "reputation", "sender", "spam", "address", "way", "broad")
"""The files of rules/generic, in order of precedence. Those of rules/languages are heard before them: they say more in one phrase."""


class RulesError(Exception):
    """A rule cannot be used; the message names file, rule, what was found and what was expected."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason of taxonomy.toml."""

    name: str
    severity: Severity
    fault: str
    meaning: str
    scope: str
    retry: bool
    action: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One block of a rules file."""

    id: str  # "file.name"
    reason: str
    file: Traversable | Path
    sure: bool
    hosts: bool  # also matches within host names and URLs
    temporary: bool  # applies to temporary refusals (4xx) only
    order: int  # the earlier wins
    at: tuple[str, ...]  # applies where one of these stands in the text or the remote host
    unless: tuple[str, ...]  # does not apply where one of these stands in the text
    source: str

    # a tenth of all memory, and nobody needs them once they are compiled, but for those who check the rules: they are read anew

    @property
    def phrases(self) -> tuple[Phrase, ...]:
        """The forms of its phrases."""
        return tuple(chain.from_iterable(map(phrases.read, self._texts("phrases"))))

    @property
    def examples(self) -> tuple[str, ...]:
        """Replies that it is for."""
        return self._texts("examples")

    @property
    def counter(self) -> tuple[str, ...]:
        """Replies that look alike, and that it is not for."""
        return self._texts("counter")

    def _texts(self, key: str) -> tuple[str, ...]:
        return tuple(_again(self.file).get(self.id.partition(".")[2], {}).get(key, ()))  # type: ignore[arg-type]  # both are hashable


class Hit(NamedTuple):
    """A rule whose phrase stands in a text."""

    rule: Rule
    start: int
    end: int


@dataclass(frozen=True)
class Rules:
    """All rules, compiled."""

    reasons: dict[str, Reason]
    rules: tuple[Rule, ...]
    status_sure: dict[str, str]
    status_weak: dict[str, str]
    phrases: Phrases  # of all rules; the owner is a place in `rules`

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The words of all phrases."""
        return frozenset(
            word for r in self.rules for p in r.phrases for forms in p.fragments for f in forms for word in f.removesuffix("~").split()
        )

    @cached_property
    def ranks(self) -> list[int]:
        """How telling each rule is: a sure one before the others, the earlier before the later."""
        return [rule.order + (0 if rule.sure else len(self.rules)) for rule in self.rules]

    def find(self, text: str, host: str) -> Iterator[Hit]:
        """The rules that match a text in small letters, the most telling first: one hit per rule, the first place.

        Words within hosts and addresses count for rules about hosts only.
        """
        low, places = phrases.flat(text)
        hits: dict[int, list[tuple[Token, ...]]] = {}
        for owners, tokens in self.phrases.find(low):
            for owner in owners:
                if owner in hits:
                    hits[owner].append(tokens)
                else:
                    hits[owner] = [tokens]
        for owner in sorted(hits, key=self.ranks.__getitem__) if len(hits) > 1 else hits:
            rule = self.rules[owner]
            for tokens in hits[owner]:
                if rule.hosts or all(is_clear(text, *_place(places, s, e)) for s, e, _ in tokens):
                    if _applies(rule, low, host):
                        yield Hit(rule, *_place(places, tokens[0][0], tokens[-1][1]))
                    break


def _place(places: Places | None, start: int, end: int) -> tuple[int, int]:
    """Where a fragment of a flat text stood before."""
    return (start, end) if places is None else (places(start), places(end - 1) + 1)


def _applies(rule: Rule, text: str, host: str) -> bool:
    if rule.temporary and not phrases.temporary(text):
        return False
    if rule.at and not any(_named(name, host) or _named(name, text) for name in rule.at if name in host or name in text):
        return False
    for word in rule.unless:  # noqa: SIM110  # a generator would take as long as the search
        if word in text:
            return False
    return True


@lru_cache(maxsize=4096)
def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9@]){re.escape(name)}(?![a-z0-9])")


def _named(name: str, text: str) -> bool:
    """Whether a host or provider stands in a text, as words of their own and not as the domain of an address."""
    return name in text and _word(name).search(text) is not None


@cache
def load(extra: Path | None = None) -> Rules:
    """The rules that come with Mailhealth, and those of a folder of the user's own before them. Raises RulesError."""
    _again.cache_clear()  # of files that may have changed
    base = resources.files("analyzer").joinpath("rules")
    reasons = {
        name: Reason(name, Severity(t["severity"]), t["fault"], t["meaning"], t["scope"], t["retry"], t["action"])
        for name, t in _toml(base.joinpath("taxonomy.toml")).items()
    }
    files: list[Traversable | Path] = [*rule_files(extra)] if extra else []
    files += sorted(base.joinpath("providers").iterdir(), key=lambda f: f.name)
    languages = sorted(base.joinpath("languages").iterdir(), key=lambda f: f.name)
    generic = [*languages, *(base.joinpath("generic", f"{name}.toml") for name in GENERIC)]
    files += generic
    rules: list[Rule] = []
    compiled = Phrases(_owned(files, generic, reasons, rules))
    status = _toml(base.joinpath("status.toml"))
    return Rules(reasons, tuple(rules), status["sure"], status["weak"], compiled)


def _owned(
    files: Iterable[Traversable | Path], generic: Sequence[Traversable], reasons: dict[str, Reason], rules: list[Rule]
) -> Iterator[tuple[Phrase, int]]:
    """The phrases of all files with the places of their rules, which are added to `rules`: one rule's phrases are held at a time."""
    for file in files:
        if file.name.endswith(".toml"):
            # the files of rules/languages and rules/generic are one list, split to be readable
            for rule, forms in _blocks(file, reasons, len(rules), "generic" if file in generic else None):
                rules.append(rule)
                yield from ((form, rule.order) for form in forms)


def rule_files(place: Path) -> list[Path]:
    """The rule files of a folder, by name; or the one file. Raises RulesError where there is neither."""
    if not place.exists():
        raise RulesError(f"{place}: no such folder of rules, nor file; make it, or take `rules` out of mailhealth.toml.")
    return sorted(place.glob("*.toml")) if place.is_dir() else [place]


def read(file: Traversable | Path, reasons: dict[str, Reason]) -> list[Rule]:
    """The rules of one file. Raises RulesError."""
    return [rule for rule, _ in _blocks(file, reasons)]


def _blocks(
    file: Traversable | Path, reasons: dict[str, Reason], start: int = 0, stem: str | None = None
) -> Iterator[tuple[Rule, tuple[Phrase, ...]]]:
    """The rules of one file, each with its phrases. Raises RulesError."""
    table = _toml(file)
    at = _texts(table.pop("at", []), f"{file.name}: at")
    stem = stem or file.name.removesuffix(".toml")
    for n, (name, block) in enumerate(table.items()):
        where = f"{file.name}: {stem}.{name}"
        if not isinstance(block, dict):
            raise RulesError(f"{where}: found a single value, expected a table with reason and phrases.")
        for key in block.keys() - KEYS:
            raise RulesError(f"{where}: unknown key {key!r}{_near(key, KEYS)}")
        reason = block.get("reason")
        if reason not in reasons:
            raise RulesError(f'{where}: reason "{reason}" is not in taxonomy.toml{_near(str(reason), reasons)}')
        yield _rule({"at": list(at)} | block, f"{stem}.{name}", file, where, start + n)


def _rule(block: dict[str, Any], name: str, file: Traversable | Path, where: str, order: int) -> tuple[Rule, tuple[Phrase, ...]]:
    for key in ("sure", "hosts", "temporary"):
        if not isinstance(block.get(key, True), bool):
            raise RulesError(f"{where}: {key}: found {block[key]!r:.60}, expected true or false.")
    texts = {key: _texts(block.get(key, []), f"{where}: {key}") for key in ("phrases", "at", "unless", "examples", "counter")}
    try:
        forms = tuple(form for written in texts["phrases"] for form in phrases.read(written))
    except ValueError as e:
        raise RulesError(f"{where}: phrases: {e}.") from None
    if not forms:
        raise RulesError(f"{where}: phrases: expected at least one, none of them empty.")
    at, unless = (tuple(word.lower() for word in texts[key]) for key in ("at", "unless"))
    rule = Rule(name, block["reason"], file, block.get("sure", True), block.get("hosts", bool(at)), block.get("temporary", False), order,
                at, unless, str(block.get("source", "")))  # fmt: skip
    return rule, forms


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(t, str) for t in value):
        raise RulesError(f'{where}: found {value!r:.60}, expected a list of strings: ["..."].')
    return tuple(value)


def _toml(file: Traversable | Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as e:
        raise RulesError(f"{file}: cannot be read as TOML: {e}") from None


@lru_cache(maxsize=1)  # the rules of a file are asked one after the other
def _again(file: Any) -> dict[str, Any]:
    return _toml(file)


def _near(word: str, known: Any) -> str:
    near = difflib.get_close_matches(word, list(known), 1)
    return f' (did you mean "{near[0]}"?)' if near else f" (expected one of {', '.join(sorted(known))})"


def check_examples(places: Sequence[Path] = ()) -> list[str]:
    """What is wrong with the rules of files or folders (without any, of those that come with Mailhealth), a sentence each.

    Each example must get its rule's reason from all rules together, as in use, and no counter-example may match. Raises nothing.
    """
    from analyzer.classify import RULES, use_rules

    if not places:
        return [wrong for rule in load().rules for wrong in _check(rule)]
    before = os.environ.get(RULES)
    found: list[str] = []
    try:
        for place in places:
            mine = {f.name.removesuffix(".toml") for f in rule_files(place)}
            rules = [r for r in use_rules(place).rules if r.id.partition(".")[0] in mine]
            found += [f"{r.id}: has no example; give a reply that it is for." for r in rules if not r.examples]
            found += [wrong for rule in rules for wrong in _check(rule)]
    except RulesError as e:
        found.append(str(e))
    finally:
        use_rules(Path(before) if before else None)
    return found


def _check(rule: Rule) -> list[str]:
    """What the rules in force say otherwise than a rule's examples and counter-examples."""
    from analyzer.classify import bare, classify_reply, heard

    host = rule.at[0] if rule.at else ""
    alone = Phrases((phrase, 0) for phrase in rule.phrases)
    wrong = []
    for text in rule.examples:
        verdict = classify_reply(text, host)
        low, _ = heard(bare(text))
        if not alone.find(low) or not _applies(rule, low, host):
            wrong.append(f"{rule.id}: none of its phrases stands in its example: {text[:120]!r}")
        elif verdict.reason != rule.reason:
            wrong.append(f"{rule.id}: expected {rule.reason}, {verdict.rule} says {verdict.reason}: {text[:120]!r}")
    return wrong + [f"{rule.id}: matches its counter-example: {t[:120]!r}" for t in rule.counter if classify_reply(t, host).rule == rule.id]
