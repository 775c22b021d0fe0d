"""The header fields in which senders put an id of their own for each message. Which they are is the operator's to say: `[join] headers`.

A report returns them with the message, however much of it a relay wrote anew or a provider took out; whoever sends tells the same id in his
table, in the metadata of a webhook or in a column of a log.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache

HEADERS = "MAILHEALTH_HEADERS"  # the environment variable that tells processes begun later; names have no blanks
SIGNED = "x-mailhealth-id"
"""The field that holds a token of ours (`analyzer.tokens.Maker.id_header`), or any id of the sender's own."""
USUAL = (SIGNED, "x-message-id", "x-msg-id", "x-mail-id", "x-mailer-msgid", "x-job-id", "x-job")
"""Where there is no wish: the names under which sending systems put ids of messages, and after them those of jobs."""
MOST_ID = 400  # characters, as many as a token has


def use_headers(names: Sequence[str] | None) -> None:
    """Puts names in force, the surest first, here and in processes begun later; None: the usual ones."""
    if names is None:
        os.environ.pop(HEADERS, None)
    else:
        os.environ[HEADERS] = " ".join(names)
    header_names.cache_clear()


@lru_cache(maxsize=1)
def header_names() -> tuple[str, ...]:
    """The names in force, in small letters, the surest first; the field of our own tokens is always among them."""
    wish = os.environ.get(HEADERS)
    return USUAL if wish is None else tuple(dict.fromkeys([*wish.lower().split(), SIGNED]))


def own_id(value: Callable[[str], str | None]) -> str | None:
    """The sender's own id of a message: the first value that `value` gives for a name in force."""
    return next((found for name in header_names() if (found := bare(value(name)))), None)


def bare(text: str | None) -> str | None:
    """An id without blanks and angle brackets around it, bounded; None when there is none."""
    return text.strip().strip("<>")[:MOST_ID] or None if text else None
