"""Rules from TOML: read, checked, compiled into one automaton that finds all their phrases in a single pass over a text."""

from __future__ import annotations

import difflib
import hashlib
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import ahocorasick

from analyzer.model import Severity

GAP = 60  # characters that " * " may stand for
KEYS = {"reason", "phrases", "sure", "hosts", "source", "examples", "counter"}


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
    phrases: tuple[tuple[str, ...], ...]  # each a sequence of fragments
    sure: bool
    hosts: bool  # also matches within host names and URLs
    order: int  # the earlier wins
    only_hosts: tuple[str, ...]  # applies where one of these stands in the text or the remote host
    source: str
    examples: tuple[str, ...]
    counter: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule whose phrase stands in a text."""

    rule: Rule
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, compiled."""

    reasons: dict[str, Reason]
    rules: tuple[Rule, ...]
    status_sure: dict[str, str]
    status_weak: dict[str, str]
    automaton: Any  # first fragment of a phrase -> [(rule, phrase)]
    version: str  # changes when any rule does

    def find(self, text: str, masked: str, host: str) -> list[Hit]:
        """The rules that match, the most telling first: one hit per rule, the first place. `masked` is `text` without hosts and addresses."""
        hits: dict[int, Hit] = {}
        for end, entries in self.automaton.iter(text):
            for rule, phrase in entries:
                if rule.order in hits:
                    continue
                start = end - len(phrase[0].removesuffix("~")) + 1
                seen = text if rule.hosts else masked
                span = _confirm(seen, phrase, start)
                if span and (not rule.only_hosts or any(h in text or h in host for h in rule.only_hosts)):
                    hits[rule.order] = Hit(rule, *span)
        return sorted(hits.values(), key=lambda h: (not h.rule.sure, h.rule.order))


def _confirm(text: str, phrase: tuple[str, ...], start: int) -> tuple[int, int] | None:
    """Where a phrase whose first fragment may begin at `start` stands; None when the rest does not follow or a word goes on."""
    at = start
    for n, fragment in enumerate(phrase):
        word, prefix = fragment.removesuffix("~"), fragment.endswith("~")
        if n:
            at = text.find(word, at, at + GAP + len(word))
            if at < 0:
                return None
        elif not text.startswith(word, at):
            return None  # masked
        end = at + len(word)
        if at and word[0].isalnum() and text[at - 1].isalnum() and word[0].isascii():
            return None
        if not prefix and end < len(text) and word[-1].isalnum() and text[end].isalnum() and word[-1].isascii():
            return None
        at = end
    return start, at


@cache
def load(extra: Path | None = None) -> Rules:
    """The rules that come with Mailhealth, and those of a folder of the user's own before them. Raises RulesError."""
    base = resources.files("analyzer").joinpath("rules")
    reasons = {
        name: Reason(name, Severity(t["severity"]), t["fault"], t["meaning"], t["scope"], t["retry"], t["action"])
        for name, t in _toml(base.joinpath("taxonomy.toml")).items()
    }
    files: list[Traversable | Path] = [*rule_files(extra)] if extra else []
    files += [*sorted(base.joinpath("providers").iterdir(), key=lambda f: f.name), base.joinpath("mta.toml"), base.joinpath("generic.toml")]
    rules: list[Rule] = []
    for file in files:
        if file.name.endswith(".toml"):
            rules += read(file, reasons, len(rules))
    status = _toml(base.joinpath("status.toml"))
    digest = hashlib.sha256()
    for file in [*files, base.joinpath("status.toml"), base.joinpath("taxonomy.toml")]:
        digest.update(file.read_bytes())
    return Rules(reasons, tuple(rules), status["sure"], status["weak"], _automaton(rules), digest.hexdigest()[:12])


def rule_files(place: Path) -> list[Path]:
    """The rule files of a folder, by name; or the one file. Raises RulesError where there is neither."""
    if not place.exists():
        raise RulesError(f"{place}: no such folder of rules, nor file; make it, or take `rules` out of mailhealth.toml.")
    return sorted(place.glob("*.toml")) if place.is_dir() else [place]


def read(file: Traversable | Path, reasons: dict[str, Reason], start: int = 0) -> list[Rule]:
    """The rules of one file. Raises RulesError."""
    table = _toml(file)
    only = _texts(table.pop("hosts", []), f"{file.name}: hosts")
    stem = file.name.removesuffix(".toml")
    rules = []
    for n, (name, block) in enumerate(table.items()):
        where = f"{file.name}: {stem}.{name}"
        if not isinstance(block, dict):
            raise RulesError(f"{where}: found a single value, expected a table with reason and phrases.")
        for key in block.keys() - KEYS:
            raise RulesError(f"{where}: unknown key {key!r}{_near(key, KEYS)}")
        reason = block.get("reason")
        if reason not in reasons:
            raise RulesError(f'{where}: reason "{reason}" is not in taxonomy.toml{_near(str(reason), reasons)}')
        for key in ("sure", "hosts"):
            if not isinstance(block.get(key, True), bool):
                raise RulesError(f"{where}: {key}: found {block[key]!r:.60}, expected true or false.")
        said, examples, counter = (_texts(block.get(key, []), f"{where}: {key}") for key in ("phrases", "examples", "counter"))
        phrases = tuple(tuple(" ".join(f.split()) for f in p.lower().split(" * ")) for p in said)
        if not phrases or not all(f.strip("~ ") for p in phrases for f in p):
            raise RulesError(f"{where}: phrases: expected at least one, none of them empty.")
        rules.append(
            Rule(f"{stem}.{name}", str(reason), phrases, bool(block.get("sure", True)), bool(block.get("hosts", bool(only))), start + n, only,
                 str(block.get("source", "")), examples, counter)
        )  # fmt: skip
    return rules


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(t, str) for t in value):
        raise RulesError(f'{where}: found {value!r:.60}, expected a list of strings: ["..."].')
    return tuple(value)


def _automaton(rules: list[Rule]) -> Any:
    found: dict[str, list[tuple[Rule, tuple[str, ...]]]] = {}
    for rule in rules:
        for phrase in rule.phrases:
            found.setdefault(phrase[0].removesuffix("~"), []).append((rule, (phrase[0], *phrase[1:])))
    automaton = ahocorasick.Automaton()
    for word, entries in found.items():
        # the fragment's own length is what the end position is counted back by
        automaton.add_word(word, [(rule, (word + "~" if p[0].endswith("~") else word, *p[1:])) for rule, p in entries])
    automaton.make_automaton()
    return automaton


def _toml(file: Traversable | Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as e:
        raise RulesError(f"{file}: cannot be read as TOML: {e}") from None


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
    from analyzer.classify import classify_reply

    host = rule.only_hosts[0] if rule.only_hosts else ""
    alone = Rules({}, (rule,), {}, {}, _automaton([rule]), "")
    wrong = []
    for text in rule.examples:
        verdict = classify_reply(text, host)
        if not alone.find(text.lower(), text.lower(), host):
            wrong.append(f"{rule.id}: none of its phrases stands in its example: {text[:120]!r}")
        elif verdict.reason != rule.reason:
            wrong.append(f"{rule.id}: expected {rule.reason}, {verdict.rule} says {verdict.reason}: {text[:120]!r}")
    return wrong + [f"{rule.id}: matches its counter-example: {t[:120]!r}" for t in rule.counter if classify_reply(t, host).rule == rule.id]
