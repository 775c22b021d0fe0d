"""Reports that somebody, or a rule of a mailbox, forwarded: attached to a mail of hardly a word, or written into it below its headers."""

from __future__ import annotations

import re

from analyzer.parse import bounce
from analyzer.parse.autoreply import LISTS
from analyzer.parse.mime import Message

FEW = 90  # characters of who forwards, blanks apart: who says more, or asks, writes a mail of his own
_NAMES = {
    "From": "from|von|de|da|van|dari|från|fra|od|от|từ|kimden|差出人|发件人|寄件者|보낸 ?사람",
    "To": "to|an|à|para|aan|a|kepada|till|til|do|komu|кому|đến|kime|宛先|收件人|收件者|받는 ?사람",
    "Subject": "subject|betreff|objet|asunto|assunto|oggetto|onderwerp|subjek|perihal|ämne|emne|temat|předmět|тема|chủ đề|konu|件名|主题|主旨|제목",
}
_FIELD = re.compile(
    rf"[ \t]{{0,8}}\**(?:{'|'.join(f'(?P<{name}>{words})' for name, words in _NAMES.items())})\**[ \t]*[:：]\**[ \t]*(?P<value>\S.*)$", re.I
)
_ANY_FIELD = re.compile(r"[ \t]{0,8}\**[^\W\d_][^\n:：]{0,20}[:：]")
_QUOTED = re.compile(r"^[ \t]{0,4}>[ ]?", re.M)
MOST_LINES = 60  # in which the forwarded headers begin


def enclosed(message: Message) -> bytes | None:
    """The mail that this one forwards, where it says hardly more; None for other mail."""
    text = bounce.text_of(message)
    inner = next((p for p in message.parts if p.inside), None)
    if inner is not None:
        return message.data[inner.head[0] : inner.body[1]] if bounce.may_quote(message, text) else None
    return None if message.top.headers.any(LISTS) else _written(text)


def _written(text: str) -> bytes | None:
    """The forwarded mail that stands in a text, as a mail of its own."""
    lines = _QUOTED.sub("", text).split("\n")
    for n, line in enumerate(lines[:MOST_LINES]):
        if not _FIELD.match(line):
            continue
        head, end = _head(lines[n : n + 12])
        if len(head) == len(_NAMES):
            intro = "".join("".join(lines[: max(0, n - 1)]).split())
            letter = "\n".join([*head.values(), "Content-Type: text/plain; charset=utf-8", "", *lines[n + end :]])
            return letter.encode("utf-8", "replace") if len(intro) <= FEW and not any(mark in intro for mark in "?？") else None
    return None


def _head(lines: list[str]) -> tuple[dict[str, str], int]:
    """The headers with which some lines begin, by their names in English, and how many lines they take."""
    head: dict[str, str] = {}
    for n, line in enumerate(lines):
        if found := _FIELD.match(line):
            name = next(name for name in _NAMES if found[name])
            head.setdefault(name, f"{name}: {found['value']}")
        elif not _ANY_FIELD.match(line):
            return head, n
    return head, len(lines)
