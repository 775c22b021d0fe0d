"""Why a delivery failed: (reply, status, stage, prose) -> Verdict.

Evidence is heard in the taxonomy's order: the receiver's own words, its enhanced code, its reply code, then the words of the
reporting system. A code decides nothing that telling words contradict; `undetermined` is an answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from analyzer.classify.rules import Hit, Rules, load
from analyzer.model import Kind, Original, Outcome, Report, Severity, Stage, Verdict
from analyzer.parse import address

MOST = 2000  # characters of a text that are judged
_SPACE = re.compile(r"\s+")
_MASKED = re.compile(
    r"https?://[^\s<>\"]{1,300}"
    r"|<?[^\s<>@:;,\"()\[\]]{1,128}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,10}>?"  # addresses
    r"|(?<![\w.-])(?:[a-z0-9_](?:[\w-]{0,62})\.){2,10}[a-z]{2,24}(?![\w-]|\.\w)"  # host names of three labels or more
    r"|(?<![\w.-])[a-z0-9-]{1,63}\.(?:com|net|org|jp|de|fr|example|test|invalid|info|biz|edu|ru|uk|it|es|nl|pl|br|cn|io|eu|local)(?![\w-]|\.\w)",
    re.I,
)
_LABEL = re.compile(r"^[a-z-]{2,12};\s*", re.I)
BEFORE_RECIPIENT = {Stage.CONNECT, Stage.EHLO, Stage.AUTH, Stage.MAIL}
SURE, WORDS, CODE, WEAK = 0.97, 0.75, 0.85, 0.55


@dataclass(frozen=True, slots=True)
class Witness:
    """One piece of evidence: what it says, how sure, where it stands."""

    reason: str
    rule: str
    weight: float  # of the witness, 0 to 1; the confidence when it decides
    field: str
    span: tuple[int, int] | None = None
    matched: str | None = None


def classify(outcome: Outcome, report: Report | None = None) -> Verdict:
    """The verdict on a bounced or delayed outcome."""
    early = outcome.stage in BEFORE_RECIPIENT or _about_sender(outcome, outcome.original or (report.original if report else None))
    return _verdict(outcome.diagnostic or "", outcome.prose or "", outcome.status, outcome.reply_code, outcome.stage, outcome.remote_mta or "",
                    outcome.kind is Kind.DELAYED, early)  # fmt: skip


def _about_sender(outcome: Outcome, about: Original | None) -> bool:
    """Whether the receiver's words name the sender or his domain, and neither the recipient nor hers: then it is he who "does not exist"."""
    said = (outcome.diagnostic or "").lower()
    if not said or about is None:
        return False
    mine = {a.lower() for a in (about.sender, about.envelope_sender) if a}
    theirs = {a.lower() for a in (outcome.recipient, outcome.final, about.recipient) if a}
    mine |= {a.partition("@")[2] for a in mine}
    theirs |= {a.partition("@")[2] for a in theirs}
    return any(_names(said, a) for a in mine - theirs) and not any(_names(said, a) for a in theirs)


def _names(text: str, name: str) -> bool:
    """Whether a text names an address or a domain, as a whole: not as the end of a host's name."""
    at = text.find(name) if name else -1
    return (
        at >= 0
        and (at == 0 or (text[at - 1] not in ".-_@" and not text[at - 1].isalnum()))
        and not text[at + len(name) : at + len(name) + 1].isalnum()
    )


def classify_reply(reply: str, provider: str | None = None) -> Verdict:
    """The verdict on a single SMTP reply; `provider` is who gave it, in free words."""
    text = bare(reply)
    code, status = address.reply(text)
    return _verdict(text, "", status, code, None, provider or "", False, False)


def bare(reply: str) -> str:
    """A reply without the type that reports put before it ("smtp; 550 ...")."""
    return _LABEL.sub("", reply.strip())


@lru_cache(maxsize=50_000)
def _verdict(
    words: str, prose: str, status: str | None, code: str | None, stage: Stage | None, host: str, delayed: bool, early: bool
) -> Verdict:
    rules = in_force()
    heard = sorted(_witnesses(rules, words, prose, status, code, stage, host.lower(), delayed, early), key=lambda w: -w.weight)
    first = heard[0] if heard else Witness("undetermined", "none", 0.9, "none")
    other = next((w for w in heard[1:] if w.reason != first.reason), None)
    reason = rules.reasons[first.reason]
    confidence = first.weight
    if other is not None and other.weight > first.weight - 0.1:
        confidence -= 0.1
    return Verdict(
        reason=reason.name, severity=reason.severity, fault=reason.fault, rule=first.rule, confidence=round(confidence, 2), matched=first.matched,
        span=first.span, field=first.field, runner_up=other.reason if other else None, provider=first.rule.split(".")[0] if "." in first.rule else None,
        scope=reason.scope if reason.name != "undetermined" else None, retry=_retry(reason.retry, code or (status or "")), action=reason.action,
    )  # fmt: skip


def _witnesses(
    rules: Rules, words: str, prose: str, status: str | None, code: str | None, stage: Stage | None, host: str, delayed: bool, early: bool
) -> Iterator[Witness]:
    for hit, matched in _hits(rules, words, host):
        if early and rules.reasons[hit.rule.reason].severity is Severity.HARD:
            # before a recipient was named, or of the sender by name: it is the sender who "does not exist"
            yield Witness("sender-rejected", hit.rule.id, 0.9 - hit.rule.order * 1e-6, "diagnostic", (hit.start, hit.end), matched)
            continue
        yield Witness(
            hit.rule.reason,
            hit.rule.id,
            (SURE if hit.rule.sure else WORDS) - hit.rule.order * 1e-6,
            "diagnostic",
            (hit.start, hit.end),
            matched,
        )
    if status:
        detail = status.partition(".")[2]
        if detail in rules.status_sure and not (detail == "4.7" and delayed):
            reason = rules.status_sure[detail]
            if early and rules.reasons[reason].severity is Severity.HARD:
                reason = "sender-rejected"
            yield Witness(reason, f"status.{detail}", CODE, "status", matched=status)
        elif detail in rules.status_weak and rules.status_weak[detail] != "undetermined":
            weak = rules.status_weak[detail]
            # a temporary "no such user" is a system in trouble, not an address that is gone
            weak = "undetermined" if (early or status.startswith("4")) and rules.reasons[weak].severity is Severity.HARD else weak
            if weak != "undetermined":
                yield Witness(weak, f"status.{detail}", WEAK, "status", matched=status)
    if code and code[0] == "5" and stage in BEFORE_RECIPIENT:
        yield Witness("policy", "stage.before-recipient", 0.5, "stage", matched=stage.value)
    if code == "552" and not status:
        yield Witness("mailbox-full", "reply.552", 0.45, "reply_code", matched=code)
    for hit, matched in _hits(rules, prose, host):
        if delayed and hit.rule.reason == "expired":
            continue
        yield Witness(
            hit.rule.reason, hit.rule.id, (0.7 if hit.rule.sure else 0.4) - hit.rule.order * 1e-6, "prose", (hit.start, hit.end), matched
        )


def _hits(rules: Rules, text: str, host: str) -> list[tuple[Hit, str]]:
    if not text:
        return []
    text = text[:MOST]
    low, masked = heard(text)
    return [(hit, text[hit.start : hit.end]) for hit in rules.find(low, masked, host)]


def heard(text: str) -> tuple[str, str]:
    """A text as rules hear it, in small letters; and that with a NUL for each character of a link, an address or a host name.

    One character stays one character, so that places hold in the original.
    """
    low = "".join(c if len(c) == 1 else "?" for c in (ch.lower() for ch in text)) if not text.isascii() else text.lower()
    low = low.translate(_SPACES)
    return low, _MASKED.sub(lambda m: "\x00" * len(m.group(0)), low)


_SPACES = {ord(c): " " for c in "\t\n\r\x0b\x0c\xa0"} | {ord("’"): "'", ord("‘"): "'"}


def _retry(usual: bool, code: str) -> bool:
    """Whether trying again can help: as usual for the reason, and in any case after a 4xx."""
    return usual or code.startswith("4")


RULES = "MAILHEALTH_RULES"  # the environment variable that tells processes begun later


def use_rules(extra: Path | None) -> Rules:
    """Puts the user's own rules (a folder, or one file) in force before those that come with Mailhealth; None: those alone.

    They hold here and in processes begun later. Raises RulesError, and then nothing has changed.
    """
    load.cache_clear()
    rules = load(extra)
    if extra:
        os.environ[RULES] = str(extra)
    else:
        os.environ.pop(RULES, None)
    _extra.cache_clear()
    _verdict.cache_clear()
    return rules


def in_force() -> Rules:
    """The rules by which is judged now: the user's own and those that come with Mailhealth. Raises RulesError."""
    return load(_extra())


@lru_cache(maxsize=1)
def _extra() -> Path | None:
    folder = os.environ.get(RULES)
    return Path(folder) if folder else None
