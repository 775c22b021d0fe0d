"""Why a delivery failed: (reply, status, stage, prose) -> Verdict.

Evidence is heard in the taxonomy's order: the receiver's own words, its enhanced code, its reply code, then the words of the
reporting system. A code decides nothing that telling words contradict; `undetermined` is an answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from analyzer.classify.masks import masked
from analyzer.classify.phrases import flat
from analyzer.classify.rules import Reason, Rules, load
from analyzer.classify.senders import is_said_of_sender
from analyzer.model import Kind, Original, Outcome, Report, Severity, Stage, Verdict
from analyzer.parse import address
from analyzer.parse.dsn import stage

MOST = 2000  # characters of a text that are judged
_STEP = re.compile(r"\(in reply to [^()]{3,60}\)")
_LABEL = re.compile(r"^[a-z-]{2,12};\s*", re.I)
_DOMAIN = re.compile(r"\.[^\W\d_]")  # what may be the end of one
BEFORE_RECIPIENT = {Stage.CONNECT, Stage.EHLO, Stage.AUTH, Stage.MAIL}
SURE, WORDS, CODE, PROSE, WEAK = 0.97, 0.75, 0.85, 0.7, 0.55
RECEIVERS = CODE + 0.01  # of prose where no other host was asked: the reporter is the receiver, and its words beat its code
OWN = 0.65  # of unsure words without a code: the reporter chose which of its own they are


class Witness(NamedTuple):
    """One piece of evidence: what it says, how sure, where it stands."""

    reason: str
    rule: str
    weight: float  # of the witness, 0 to 1; the confidence when it decides
    field: str
    span: tuple[int, int] | None = None
    matched: str | None = None


def classify(outcome: Outcome, report: Report | None = None) -> Verdict:
    """The verdict on a bounced or delayed outcome."""
    verdict = _judged(outcome, report)
    if verdict.reason == "user-unknown" and _is_foreign(outcome, report):
        other = in_force().reasons["domain-unknown"]
        return verdict._replace(reason=other.name, scope=other.scope, retry=other.retry, action=other.action)
    return verdict


def _judged(outcome: Outcome, report: Report | None) -> Verdict:
    words, delayed, host = outcome.diagnostic or "", outcome.kind is Kind.DELAYED, outcome.remote_mta or ""
    early = outcome.stage in BEFORE_RECIPIENT
    if words:
        verdict, settled, hard = _verdict(words, "", outcome.status, outcome.reply_code, outcome.stage, host, delayed, early)
        # whom the words are about is asked only where a reason that condemns an address is among the evidence
        if hard and not early and _about_sender(outcome, outcome.original or (report.original if report else None)):
            early = True
            verdict, settled, _ = _verdict(words, "", outcome.status, outcome.reply_code, outcome.stage, host, delayed, early)
        if settled or not outcome.prose:
            return verdict
    return _verdict(words, outcome.prose or "", outcome.status, outcome.reply_code, outcome.stage, host, delayed, early)[0]


def _is_foreign(outcome: Outcome, report: Report | None) -> bool:
    """Whether Exim found no way to a domain: it says so of a user, whose host was not asked, and of whose domain it is not."""
    if outcome.remote_mta or not (outcome.diagnostic or "").lower().startswith("unrouteable address"):
        return False
    domain = (outcome.final or outcome.recipient or "").rpartition("@")[2].lower()
    reporter = (report.reporting_mta or "").lower() if report else ""
    return bool(domain and reporter) and not f".{reporter}".endswith(f".{domain}")


def _about_sender(outcome: Outcome, about: Original | None) -> bool:
    """Whether the receiver's words name the sender or his domain, and neither the recipient nor hers: then it is he who "does not exist"."""
    said = (outcome.diagnostic or "").lower()
    if about is None or not _DOMAIN.search(said):
        return False
    # most replies name the recipient or nobody: the returned message is asked for the sender only where that is not so
    for theirs in (outcome.recipient, outcome.final):
        if theirs and (_names(said, low := theirs.lower()) or _names(said, low.partition("@")[2])):
            return False
    mine = _with_domains(about.sender, about.envelope_sender) - _with_domains(outcome.recipient, outcome.final)
    if not any(_names(said, a) for a in mine):
        return False
    others = _with_domains(about.recipient)
    return any(_names(said, a) for a in mine - others) and not any(_names(said, a) for a in others)


def _with_domains(*addresses: str | None) -> set[str]:
    found = {a.lower() for a in addresses if a}
    return found | {a.partition("@")[2] for a in found}


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
    step = stage(text) if "(in reply to " in text else None
    return _verdict(text, "", status, code, step, provider or "", False, step in BEFORE_RECIPIENT)[0]


def bare(reply: str) -> str:
    """A reply without the type that reports put before it ("smtp; 550 ...")."""
    return _LABEL.sub("", reply.strip())


def heard(text: str) -> tuple[str, str]:
    """A text as rules hear it: in small letters, one space for each run of them; and that with a NUL for each character of a name or link."""
    low, _ = flat(_small(text))
    return low, masked(low)


@lru_cache(maxsize=4000)
def _verdict(
    words: str, prose: str, status: str | None, code: str | None, stage: Stage | None, host: str, delayed: bool, early: bool
) -> tuple[Verdict, bool, bool]:
    """The verdict; whether it is settled, so that the reporter's words could not change it, nor how sure it is; whether a hard reason was heard."""
    rules = in_force()
    host = host.lower()
    said = _of_reply(rules, words, host, delayed, early, WORDS if code or status else OWN) if words else []
    heard = _of_codes(rules, status, code, stage, delayed, early)
    hard = any(rules.reasons[w.reason].severity is Severity.HARD for w in (*said, *heard))
    heard = [
        *_telling(said),
        *heard,
        *(_telling(_witnesses(rules, prose, host, delayed, "prose", PROSE if words or host else RECEIVERS, 0.4)) if prose else ()),
    ]
    if len(heard) > 1:
        heard.sort(key=_WEIGHT, reverse=True)
    first = heard[0] if heard else Witness("undetermined", "none", 0.9 if _says_little(words or prose) else 0.5, "none")
    ran_out = first.reason == "expired"
    if ran_out:
        # time that ran out explains nothing where somebody says what it was spent on
        first = next((w for w in heard if w.reason not in {"expired", "undetermined"} and w.weight > WEAK), first)
    other = next((w for w in heard if w.reason != first.reason), None)
    reason = rules.reasons[first.reason]
    confidence = first.weight
    if other is not None and other.weight > first.weight - 0.1:
        confidence -= 0.1
    verdict = Verdict(
        reason=reason.name, severity=reason.severity, fault=reason.fault, rule=first.rule, confidence=round(confidence, 2), matched=first.matched,
        span=first.span, field=first.field, runner_up=other.reason if other else None, provider=first.rule.split(".")[0] if "." in first.rule else None,
        scope=_scope(reason, words), retry=_retry(reason.retry, code or (status or "")), action=reason.action,
    )  # fmt: skip
    # a runner-up that prose would outweigh is none yet
    settled = bool(heard) and not ran_out and first.weight - 0.1 > PROSE and (other is None or other.weight > PROSE)
    return verdict, settled, hard


_WEIGHT = itemgetter(2)
_WORD = re.compile(r"[^\W\d_]{3,}")


def _says_little(text: str) -> bool:
    """Whether a text has hardly a word: then nothing is said. Many words that no rule knows may say something all the same."""
    return sum(len(word) for word in _WORD.findall(masked(_small(text[:MOST])))) < 20


def _telling(witnesses: Iterable[Witness]) -> list[Witness]:
    """As many of one kind as can matter, the weightiest first: up to the first that says something else than the first."""
    heard: list[Witness] = []
    for witness in witnesses:
        if not heard or witness.reason != heard[0].reason:
            heard.append(witness)
            if len(heard) == 2:
                break
    return heard


def _of_reply(rules: Rules, words: str, host: str, delayed: bool, early: bool, unsure: float) -> list[Witness]:
    """What the receiver's own words say, the weightiest first."""
    found = list(_witnesses(rules, words, host, delayed, "diagnostic", SURE, unsure))
    # before a recipient was named, or of the sender by name: it is the sender who "does not exist"
    return sorted((_of_sender(rules, w) for w in found), key=_WEIGHT, reverse=True) if early else found


def _of_sender(rules: Rules, witness: Witness) -> Witness:
    if rules.reasons[witness.reason].severity is not Severity.HARD:
        return witness
    order = next(r.order for r in rules.rules if r.id == witness.rule)
    return witness._replace(reason="sender-rejected", weight=0.9 - order * 1e-6)


def _witnesses(rules: Rules, text: str, host: str, delayed: bool, field: str, sure: float, unsure: float) -> Iterator[Witness]:
    """What the rules that match a text say, but for those who say that the time has run out where it has not."""
    low = _small(text[:MOST])
    if "(in reply to " in low:  # what was refused, in the reporter's words: "RCPT" says nothing of a recipient
        low = _STEP.sub(lambda step: " " * len(step[0]), low)
    for rule, start, end in rules.find(low, host):
        if not (delayed and rule.reason == "expired"):
            weight = (sure if rule.sure else unsure) - rule.order * 1e-6
            witness = Witness(rule.reason, rule.id, weight, field, (start, end), text[start:end])
            condemns = rules.reasons[rule.reason].severity is Severity.HARD
            yield _of_sender(rules, witness) if condemns and is_said_of_sender(low, start, end) else witness


def _of_codes(rules: Rules, status: str | None, code: str | None, stage: Stage | None, delayed: bool, early: bool) -> list[Witness]:
    """What the status and reply codes say."""
    found: list[Witness] = []
    if status:
        detail = status.partition(".")[2]
        if detail in rules.status_sure and not (detail == "4.7" and delayed):
            reason = rules.status_sure[detail]
            if early and rules.reasons[reason].severity is Severity.HARD:
                reason = "sender-rejected"
            found.append(Witness(reason, f"status.{detail}", CODE, "status", matched=status))
        elif detail in rules.status_weak and rules.status_weak[detail] != "undetermined":
            weak = rules.status_weak[detail]
            # a temporary "no such user" is a system in trouble, not an address that is gone
            weak = "undetermined" if (early or status.startswith("4")) and rules.reasons[weak].severity is Severity.HARD else weak
            if weak != "undetermined":
                found.append(Witness(weak, f"status.{detail}", WEAK, "status", matched=status))
    if code and code[0] == "5" and stage in BEFORE_RECIPIENT:
        found.append(Witness("policy", "stage.before-recipient", 0.5, "stage", matched=stage.value))
    if code == "552" and not status:
        found.append(Witness("mailbox-full", "reply.552", 0.45, "reply_code", matched=code))
    return found


def _small(text: str) -> str:
    """The text in small letters, with plain spaces and apostrophes. One character stays one character, so that spans hold in the original."""
    if text.isascii():
        low = text.lower()
        return low if low.isprintable() else low.translate(_SPACES)
    low = text.replace("İ", "i").lower()
    if len(low) != len(text):
        low = "".join(c if len(c) == 1 else "?" for c in (ch.lower() for ch in text))
    return low.translate(_SPACES)


_SPACES = {ord(c): " " for c in "\t\n\r\x0b\x0c\xa0"} | {ord("’"): "'", ord("‘"): "'"}


# what the words say is refused, where a reason leaves it open; the first that stands there
_SCOPES = {
    "blocklisted": (
        (
            "domain",
            re.compile(
                r"\b(?:sender|sending|from|your|mail|e-?mail) domain\b|\bdomain .{0,60}\b(?:listed|blocked|blacklist)|\bdbl\b|surbl|uribl"
            ),
        ),
    ),
    "poor-reputation": (("domain", re.compile(r"\bdomain")), ("sender", re.compile(r"spam sender|sender (?:has|with|reputation)"))),
    "sender-rejected": (("domain", re.compile(r"\bdomain|\bdns\b|\bmx\b|\ba/aaaa\b")),),
    "policy": (
        ("ip", re.compile(r"\bip[ -]based|\bip (?:address )?(?:is |was )?(?:block|ban|not |refus)|client host|dynamic")),
        ("domain", re.compile(r"domain[ -]based|your domain|domain (?:is |was )?(?:block|ban|not |refus)")),
        ("message", re.compile(r"\b(?:e-?mail|mail|message) (?:was |is |has been )?(?:rejected|refused|blocked)|content")),
    ),
}


def _scope(reason: Reason, words: str) -> str | None:
    """What is refused: an IP, a domain, a sender, a message, a recipient; None where no reason is known."""
    low = words.lower() if reason.name in _SCOPES else ""
    said = (scope for scope, pattern in _SCOPES.get(reason.name, ()) if pattern.search(low))
    return next(said, reason.scope if reason.name != "undetermined" else None)


def _retry(usual: bool, code: str) -> bool:
    """Whether trying again can help: as usual for the reason, and in any case after a 4xx."""
    return usual or code.startswith("4")


RULES = "MAILHEALTH_RULES"  # the environment variable that tells processes begun later


def use_rules(extra: Path | None) -> Rules:
    """Puts the user's own rules (a folder, or one file) in force before those that come with Mailhealth; None: those alone.

    They hold here and in processes begun later. Raises RulesError, and then nothing has changed.
    """
    load.cache_clear()
    rules = load(extra) if extra else load()
    if extra:
        os.environ[RULES] = str(extra)
    else:
        os.environ.pop(RULES, None)
    _extra.cache_clear()
    in_force.cache_clear()
    _verdict.cache_clear()
    return rules


@lru_cache(maxsize=1)
def in_force() -> Rules:
    """The rules by which is judged now: the user's own and those that come with Mailhealth. Raises RulesError."""
    extra = _extra()
    return load(extra) if extra else load()


@lru_cache(maxsize=1)
def _extra() -> Path | None:
    folder = os.environ.get(RULES)
    return Path(folder) if folder else None
