"""SMTP sessions as reports print them: which words were said of whom, at which step, by which host.

... while talking to mx.example.org.:
>>> RCPT To:<b@example.org>
<<< 550 no such user here
550 5.1.1 <b@example.org>... User unknown
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from analyzer.model import Stage
from analyzer.parse.address import enhanced
from analyzer.parse.words import small

MOST_LINES = 5000
_TIME = r"^[ \t]{0,8}(?:[A-Z][a-z]{2} )?(?:\[?[\d:. -]{5,24}\]?:?[ \t]{1,4})?(?:\[\d{1,12}(?::\d{1,6})?\][ \t]{1,4})?"
_TALKING = re.compile(_TIME + r"[. ]{0,4}(?:while )?talking to \[?([\w.-]{1,255})", re.I)
_COMMAND = re.compile(_TIME + r"(?:>>>|-->|==?>|C:|Sent <<<)[ \t]?([A-Za-z]{4})\b(?:[ \t]+TO:[ \t]*<([^\s<>]{3,320})>)?", re.I)
_REPLY = re.compile(_TIME + r"(?:<<<|<--|<==?|S:|Received >>>)[ \t]?(.{3,1000})$")
# "550 5.1.1 <b@example.org>... User unknown"; of old without brackets, and without a code where it tries again: "<b@example.org>... Deferred: "
_VERDICT = re.compile(
    r"^[ \t]{0,4}(?:[245]\d\d[ -](?:[245]\.\d{1,3}\.\d{1,3}[ -])?<?|<|(?=\S{3,320}\.\.\.[ ]))([^\s<>@]{1,64}@[^\s<>]{1,255}?)>?\.\.\.(?!.*\(in reply to )[ \t]*(.{0,1000})$"
)
_OWN = re.compile(
    r"^[ \t]{0,4}([45]\d\d[ -](?![\w.-]+(?: \(e?smtp\))?\.\.\. )[^<>\n]{6,500})$"
)  # what the reporter itself found, before its verdict
# "maildrop: maildir over quota."
_LOCAL = re.compile(r"^[a-z][\w./-]{2,30}: [^<>@\n]{8,300}$")
_SIGNS = ("... ", ">>>", "-->", "=>", "C:", "<<<")
# a reply of which the lines were broken after its code
_WRAPPED = re.compile(r"([45]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3})?)[ \t]*\n(?=[ \t]{0,8}<[^\s<>]{3,320}>\.\.\.)")
_CODE = re.compile(r"[45]\d\d")
_MARK = re.compile(
    # whatever one of the patterns above may match, found from line to line
    r"\n(?=[ \t]{0,4}(?:[245]\d\d[ -]|<[^\s<>]{3,320}>\.\.\.|[^\s<>@]{1,64}@[^\s<>]{1,255}?\.\.\.[ ])|[a-z][\w./-]{2,30}: |[^\n]{0,20}ranscript of session|[ \t]{0,8}(?:[a-z]{3} )?(?:\[?[\d:. -]{5,24}\]?:?[ \t]{1,4})?(?:\[\d{1,12}(?::\d{1,6})?\][ \t]{1,4})?(?:[. ]{0,4}(?:while )?talking to |>>>|-->|==?>|C:|<<<|<--|<=|S:|sent <<<|received >>>))",
    re.I,
)
_STEP = {
    "HELO": Stage.EHLO, "EHLO": Stage.EHLO, "LHLO": Stage.EHLO, "AUTH": Stage.AUTH, "STAR": Stage.EHLO,
    "MAIL": Stage.MAIL, "RCPT": Stage.RCPT, "DATA": Stage.DATA, "BDAT": Stage.DATA,
}  # fmt: skip
# what a server answers to the rest of a session that it has refused already
_AFTERMATH = re.compile(
    r"503\b.{0,40}\b(?:need|no valid|bad sequence|valid rcpt)|554\b.{0,20}\bno valid recipients|\bneed (?:rcpt|mail)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a session says of one recipient, or of all when it names none."""

    recipient: str | None
    words: str
    host: str | None
    stage: Stage | None


def said(text: str) -> tuple[Said, ...]:
    """What a text's transcript says, recipient by recipient, in order; a last one without a recipient for refusals that name none."""
    if not may_be(text):
        return ()
    return _heard(_WRAPPED.sub(r"\1 ", text) if ">..." in text else text)


def may_be(text: str) -> bool:
    """Whether there may be a session in a text: without these signs there is neither a verdict on a recipient, nor a host or a command that a refusal answers."""
    for sign in _SIGNS:
        if sign in text:
            return True
    return "talking to " in small(text)


@lru_cache(maxsize=4)  # asked again for each recipient of one report
def _heard(text: str) -> tuple[Said, ...]:
    found: dict[str, Said] = {}
    host: str | None = None
    stage: Stage | None = None
    heard: dict[str, Stage | None] = {}  # refusals, and the step at which each was given
    asked: str | None = None  # whom the last RCPT names
    within = False  # a transcript, where a line without a mark is what a local mailer said
    for line in _lines(text):
        within = within or "ranscript of session" in line
        if match := _TALKING.match(line):
            host, stage, heard = match.group(1).rstrip("."), None, {}
        elif match := _COMMAND.match(line):
            stage = _STEP.get(match.group(1).upper(), stage)
            if match.group(2):
                if asked and (last := _said(asked, heard, host)):  # the next one is asked about, and no verdict on the last has come
                    found.setdefault(asked.lower(), last)
                    heard = {}
                asked = match.group(2)
        elif match := _REPLY.match(line):
            words = match.group(1).strip()
            if _CODE.match(words) and not _AFTERMATH.search(words):
                heard.setdefault(words, stage)
        elif match := _VERDICT.match(line):
            if set(heard.values()) == {Stage.MAIL} and not _same_status(heard, line):
                heard = {}  # what was said of the sender ended another attempt; this one the reporter found by itself
            found.setdefault(
                match.group(1).lower(), _said(match.group(1), heard, host) or Said(match.group(1), line.strip()[:2000], None, None)
            )
            heard = {}
        elif (match := _OWN.match(line)) and not any(heard.values()):
            # after the receiver's words, what the reporter makes of them adds nothing ("554 5.0.0 Service unavailable")
            heard.setdefault(match.group(1).strip(), stage)
        elif within and _LOCAL.match(line):
            heard.setdefault(line.strip(), None)
    rest = _said(asked if found and stage is Stage.RCPT else None, {w: s for w, s in heard.items() if s or host}, host)
    return (*found.values(), *([rest] if rest else []))


def _same_status(heard: dict[str, Stage | None], line: str) -> bool:
    """Whether a verdict repeats the enhanced status code of what was heard, or has none."""
    own = enhanced(line[:40])
    return own is None or any(enhanced(words) in {own, None} for words in heard)


def _lines(text: str) -> Iterator[str]:
    """The lines that may belong to a session, of the first MOST_LINES: few have a mark of one, and most reports have none."""
    text = "\n" + text
    if text.count("\n") > MOST_LINES:
        text = "\n".join(text.split("\n", MOST_LINES + 1)[: MOST_LINES + 1])
    for mark in _MARK.finditer(text):
        end = text.find("\n", mark.end())
        yield text[mark.end() : end if end >= 0 else len(text)]


def _said(recipient: str | None, heard: dict[str, Stage | None], host: str | None) -> Said | None:
    return Said(recipient, " ".join(list(heard)[:6])[:2000], host, next(iter(heard.values()))) if heard else None
