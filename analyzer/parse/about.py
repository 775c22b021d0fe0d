"""What a text says of one recipient: the receiver's words in it, codes, host, step, and the alias that led there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from analyzer.model import Outcome, Stage
from analyzer.parse import address, session
from analyzer.parse.bounce import FAILED
from analyzer.parse.dsn import stage
from analyzer.parse.who import alias_of, heads
from analyzer.parse.words import Words

_ECHO = Words(
    r"^[ \t>*]{0,8}(?:subject|betreff|objet|asunto|oggetto|件名)[ \t]*:.*(?:\n[ \t]+(?!\S{1,20}:).*)?$", re.M
)  # of the returned message's own title
# what mail systems say of every failure alike: no evidence of this one
_ALWAYS = Words(
    r"(?:this is|please note that this is) only a (?:temporary failure report|warning)[^.\n]{0,80}|(?:for further assistance|if you (?:need|require) (?:further|more|additional) (?:help|assistance|information))[^\n]{0,160}"
    r"|(?:please )?(?:contact|forward this (?:error|message) to|send (?:this )?(?:mail|e-?mail|message) to|report this[^\n]{0,30} to) (?:your|the|my|our) (?:local |own |mail |system |e-?mail |internet )*(?:administrator|postmaster|help ?desk|provider|support)[^\n]{0,120}"
    r"|(?:this (?:message|mail|e-?mail) (?:was|is|has been) |i am an? )(?:created |generated )?automatically?(?: generated| created)?[^.\n]{0,100}|please (?:do not|don't) (?:reply|respond)[^.\n]{0,60}|please reply to <?\S{1,200}\s+if you feel[^\n]{0,60}|include this problem report[^.]{0,120}"
    r"|this (?:foot ?note|e-?mail|message|mail)\b[^.]{0,120}\b(?:swept|scanned|checked)\b[^.]{0,120}|the attached file had the following undeliverable recipient\(s\)|delete your own text from[^.\n]{0,80}|no (?:further )?action is required on your part[^.\n]{0,60}|i'm sorry to have to inform you[^.]{0,160}",
)
_HEADING_ONLY = Words(
    r"(?:start of|begins|following|these|below|attached|original message|recipients?)\b[^.]{0,80}:$|^.{0,30}(?:start of|following|these|below|attached|original message|recipients?)\b[^.]{0,40}$|^(?:-{2,}|={3,})|\b(?:mail|e-?mail|message)s? to$"
)
_SAID = Words(
    r"(?:said|says|responded|replied|response|answered|error(?: message)?(?: was)?|reason(?: was)?|returned|status|diagnostic(?:s|-code)?|cause|details?|the (?:error|reason)[^:\n]{0,60}|because|perch[eé]'?|eftersom|fordi|weil|porque|parce que|omdat|koska|ponieważ|protože|потому что)\s*(?:\([^)\n]{0,60}\))?\s*[:=]\s*",
)
_OF_REPLY = re.compile(r"[45]\d\d-")
_HOST = Words(
    r"(?:host|server|mx|connected to|talking to|by|from|with|mta)[: ]+\[?([A-Za-z0-9][\w-]{0,62}(?:\.[\w-]{1,63}){1,8}|\d{1,3}(?:\.\d{1,3}){3})\]?",
)
# "To: ... Subject: ... Sent: ...", of the message that a report is about
_REPEATED = re.compile(
    r"^[ \t>]{0,8}(?:to|an|à|a|para|per|aan|do|кому|subject|betreff|objet|asunto|oggetto|onderwerp|temat|тема|sent|gesendet|envoyé|enviado|inviato|verzonden|date|datum)[ \t]*:",
    re.I | re.M,
)
_MAILED = re.compile(r"[ \t>]{0,8}(?:to|an|à|a|para|per|aan|кому|cc)[ \t]*:")
_LAST_WORD, _WORD, _GAP = re.compile(r"\S*\Z"), re.compile(r"\S{0,40}"), re.compile(r"\s")


def describe(outcome: Outcome, text: str, alone: bool, names: frozenset[str] = frozenset()) -> Outcome:
    """The outcome with what a text says of its recipient: the receiver's words, codes, host and stage.

    `names` are all recipients of the report, in lower case: where the words name the next one, they are no longer about this one.
    """
    about = near(text, outcome, alone, names)
    outcome = from_alias(outcome, about, alone)
    heard = _heard(text, outcome, alone)
    words, host = (heard.words, heard.host) if heard else (None, None)
    told = alone and outcome.diagnostic and outcome.reply_code and outcome.status  # by its fields: the text need not say it again
    if heard is None and not told:
        words = _receivers(about)
    about = heard.words if heard and heard.recipient else about
    if words is None and not told:
        words = _paragraph_about(about, outcome, names)
    if not words and not alone and not outcome.diagnostic:
        about = text[:8000]  # a list of names, and what is wrong with them all stands before it or after
        words = _receivers(about) if _says_once(about) else None
    code, status = address.reply(words or about)
    if alone and heard and code is None:
        code = address.reply(text[:8000])[0]  # it stands in a line of the session that says less
    if status is None:
        status = address.reply(about)[1] if alone else None
    step_said = None if outcome.stage or heard else stage(about)
    return outcome._replace(
        status=(status if words and not outcome.diagnostic and (outcome.status or "").endswith(".0") else None) or outcome.status or status,
        reply_code=outcome.reply_code or code,
        diagnostic=heard.words if heard and _is_part(outcome.diagnostic, heard.words) else outcome.diagnostic or words,
        prose=_gist(about),
        remote_mta=outcome.remote_mta or host or _host(about),
        stage=outcome.stage or (heard.stage if heard else step_said),
    )


def _is_part(said: str | None, words: str) -> bool:
    """Whether a field has the first line (RFC 5321 §4.2.1 marks it by a hyphen) or the last of the words that the receiver said, or but a program's exit code."""
    said, words = (" ".join(text.split()) for text in (said or "", words))
    return bool(said) and (said.isdecimal() or words.endswith(said) or (said[3:4] == "-" and words.startswith(said)))


def _says_once(text: str) -> bool:
    """Whether one refusal stands in a text, and no second."""
    found = address.refusal(text)
    return found is not None and address.refusal(text[found.end() :]) is None


def from_alias(outcome: Outcome, about: str, alone: bool) -> Outcome:
    """The outcome with the alias that was mailed, where the words about a target name it."""
    at = about.lower().find((outcome.recipient or "\0").lower())
    # it stands in the line of the target, or in the one after it
    alias = alias_of("\n".join(about[at : at + 1000].split("\n", 2)[:2])) if at >= 0 else alias_of(about) if alone else None
    if alias and outcome.recipient and not outcome.final and alias.lower() != outcome.recipient.lower():
        return outcome._replace(recipient=alias, final=outcome.recipient)
    return outcome


def step(outcome: Outcome, text: str, alone: bool) -> Stage | None:
    """The step of the dialogue at which a text says that a recipient was refused."""
    heard = _heard(text, outcome, alone)
    return heard.stage if heard else stage(near(text, outcome, alone))


def near(text: str, outcome: Outcome, alone: bool, names: frozenset[str] = frozenset()) -> str:
    """The words about one recipient: from the first place that names it to the next blank line, or all when it is the only one."""
    if alone:
        return text[:8000]
    recipient, final = outcome.recipient or "", outcome.final or ""
    if len(names) > 1 and (led := _led(text, names)):
        return led.get((final or recipient).lower(), "")
    low = text.lower()
    theirs = {recipient.lower(), final.lower()}
    for name in (final, recipient, f"{recipient.partition('@')[0]} ("):
        at = _place(low, name.lower(), names) if name else -1
        if at < 0:
            continue
        if name.endswith(" ("):
            return text[at:].partition("\n")[0]  # each name has its reason beside it
        if len(names) > 1 and _in_a_list(low, at, names):
            return ""
        about = _from(text, low, at, len(name), names, theirs)
        # Exchange says it twice: to people, and after that with the receiver's reply
        if len(names) > 1 and not address.refusal(about):
            again = next((place for place, line in _lines_with(low, name.lower(), at + len(name)) if line.strip() == name.lower()), -1)
            other = _from(text, low, again, len(name), names, theirs) if again >= 0 else ""
            return other if address.refusal(other) else about
        return about
    return ""


@lru_cache(maxsize=4)  # a list of many names has one text
def _led(text: str, names: frozenset[str]) -> dict[str, str]:
    """Each name with the words that lead up to it behind it, where names stand alone in their paragraphs, words between them, and nothing follows the last; else nothing."""
    found: dict[str, str] = {}
    said, places, fresh = "", 0, False
    for paragraph in text.split("\n\n", 1000)[:1000]:
        bare = paragraph.strip()
        if not bare:
            continue
        if not _is_bare(bare.lower(), names):
            said, fresh = f"{said}\n\n{bare}" if fresh else bare, True
            continue
        if not said:
            return {}
        places, fresh = places + fresh, False
        found[address.ADDRESS.search(bare.lower())[0].strip(".'")] = f"{bare}\n{said}"  # type: ignore[index]  # it is bare: there is one
    return found if places > 1 and not fresh else {}


def _from(text: str, low: str, at: int, length: int, names: frozenset[str], theirs: set[str]) -> str:
    """The words about a name that stands `at` a place: its lines up to the next blank one, or to the next name that is not theirs."""
    begin, end = low.rfind("\n", 0, at) + 1, low.find("\n\n", at + length)
    if end >= 0 and end - at < length + 6:  # the name stands alone, its reason after a blank line
        end = low.find("\n\n", end + 2)
    about = text[begin : end if end >= 0 else len(text)][:4000]
    for start, other in heads(about, at - begin + length):
        if other.lower() not in theirs:
            return about[:start]
    return about[: _next_of(about, at - begin + length, names - theirs)]


def _in_a_list(low: str, at: int, names: frozenset[str]) -> bool:
    """Whether a name stands alone in its line, and another alone in the line before or after it: what follows is about them all."""
    begin, end = low.rfind("\n", 0, at) + 1, low.find("\n", at)
    end = end if end >= 0 else len(low)
    before, after = low.rfind("\n", 0, max(0, begin - 1)) + 1, low.find("\n", end + 1)
    beside = (low[before : max(before, begin - 1)], low[end + 1 : after if after >= 0 else len(low)])
    return _is_bare(low[begin:end], names) and any(_is_bare(line, names) for line in beside)


def _is_bare(line: str, names: frozenset[str]) -> bool:
    """Whether a line has one of these names, and no other word."""
    found = address.ADDRESS.search(line) if len(line) < 400 else None
    return found is not None and found[0].strip(".'") in names and not any(map(str.isalnum, line[: found.start()] + line[found.end() :]))


def _place(low: str, name: str, names: frozenset[str]) -> int:
    """Where a text speaks of a recipient: first in a line that names no other, since lists of all come before, and so does the message's own To; -1 where it does not."""
    for at, line in _lines_with(low, name):
        line = line[:2000]
        if not _MAILED.match(line) and (len(names) < 2 or sum(m[0].strip(".'") in names for m in address.ADDRESS.finditer(line)) < 2):
            return at
    return low.find(name)


def _lines_with(low: str, name: str, start: int = 0) -> Iterator[tuple[int, str]]:
    """Where a name stands in a text, at most twenty times, each with the line."""
    at = low.find(name, start)
    for _ in range(20):
        if at < 0:
            return
        end = low.find("\n", at)
        yield at, low[low.rfind("\n", 0, at) + 1 : end if end >= 0 else len(low)]
        at = low.find(name, at + len(name))


def _next_of(near: str, after: int, names: frozenset[str]) -> int:
    """Where the line begins that names another recipient; the end where none does."""
    if names:
        for found in address.ADDRESS.finditer(near, after):
            if found.group(0).strip(".'").lower() in names:
                return max(near.rfind("\n", 0, found.start()) + 1, after)
    return len(near)


def _heard(text: str, outcome: Outcome, alone: bool) -> session.Said | None:
    """What a session in the text says of a recipient by name, else of all."""
    names = {n.lower() for n in (outcome.recipient, outcome.final) if n}
    found = session.said(text)
    named = next((s for s in found if s.recipient and s.recipient.lower() in names), None)
    return named or next((s for s in found if alone and s.recipient is None), None)


def _paragraph_about(near: str, outcome: Outcome, names: frozenset[str] = frozenset()) -> str | None:
    """What the reporter itself says of a recipient: in the paragraph that names him, else in the one after it."""
    paragraphs = near.split("\n\n")[:50]
    name = (outcome.final or outcome.recipient or "\0").lower()
    if name not in near.lower():
        name = f"{name.partition('@')[0]} ("  # "  jo (mailbox is full)"
    for n, paragraph in enumerate(paragraphs):
        if name in paragraph.lower() and len(_REPEATED.findall(paragraph)) < 2:
            for text in (paragraph if name.endswith(" (") else _without(name, paragraph), *_next(paragraphs, n)):
                words = " ".join(_ALWAYS.cut(text).split()).strip(" :;.-*<>")
                if (
                    len(words.encode("utf-8", "replace")) > 10
                    and _has_words(words)
                    and not _HEADING_ONLY.search(words)
                    and not set(words.lower().split()) <= names
                ):
                    return words[:2000]
            return None
    return None


def _has_words(text: str) -> bool:
    """Whether it is more than a time or a number with its label."""
    return sum(map(str.isalpha, text)) > sum(map(str.isdigit, text))


def _next(paragraphs: list[str], n: int) -> list[str]:
    """The paragraph after the n-th; the one after that where it only announces it ("The reason given was:")."""
    following = paragraphs[n + 1 : n + 3]
    return following[1:] if following and following[0].rstrip().endswith(":") and len(following[0]) < 80 else following[:1]


def _without(name: str, text: str) -> str:
    """The text without the words (to 40 characters before and after) in which a name in small letters stands."""
    if not text.isascii():
        return re.sub(r"<?\S{0,40}" + re.escape(name) + r"\S{0,40}", "", text, flags=re.I)
    # a pattern would have to be compiled for each name
    low, parts, done = text.lower(), [], 0
    at = low.find(name)
    while at >= 0:
        begin = max(done, at - 40)
        begin += _LAST_WORD.search(text[begin:at]).start()  # type: ignore[union-attr]  # it matches anything
        if begin == at - 40 and begin > done and text[begin - 1] == "<":
            begin -= 1
        reach = begin + 40 + (text[begin] == "<")
        while 0 <= (following := low.find(name, at + 1)) <= reach and not _GAP.search(text, at, following):
            at = following
        parts.append(text[done:begin])
        done = _WORD.match(text, at + len(name)).end()  # type: ignore[union-attr]
        at = low.find(name, done)
    return "".join([*parts, text[done:]])


@lru_cache(maxsize=4)  # a list of many names has one text
def _gist(near: str) -> str | None:
    """The reporter's words without what it always says."""
    return " ".join(_ALWAYS.cut(_ECHO.cut(near)).split())[:2000] or None


@lru_cache(maxsize=4)
def _host(near: str) -> str | None:
    """The host that the reporter names."""
    found = _HOST.search(near)
    return near[slice(*found.span(1))] if found else None


def _receivers(near: str) -> str | None:
    """The receiver's own words within a text."""
    best: str | None = None
    begins = False  # whether the label of the best begins its line: "Reason: ...", and not "for the following reason:"
    for found in islice(_SAID.finditer(near), 100):
        if _OF_REPLY.match(near, max(0, found.start() - 4)):
            continue  # "550-Response: 451 ...": what another host had said, in a line of the reply
        words = _paragraph(near[found.end() : found.end() + 3000])
        if address.begins_with_code(words):
            best = words
            break
        label = not near[near.rfind("\n", 0, found.start()) + 1 : found.start()].strip()
        if (best is None or (label and not begins)) and len(words) > 12 and not words.startswith("This report") and FAILED.search(words):
            best, begins = words, label
    if best is None or not address.begins_with_code(best):
        code = address.refusal(near)
        if code:
            at = code.start()
            if near[at - 1 : at] == "(" and near[at + 3 : at + 4] == ")":  # "no such user (550)"
                at = near.rfind("\n", 0, at) + 1
            best = _paragraph(near[at : at + 3000])
    return best[:2000] if best else None


def _paragraph(text: str) -> str:
    text = text.lstrip()
    end = text.find("\n\n")
    return " ".join(text[: end if end >= 0 else len(text)].split())
