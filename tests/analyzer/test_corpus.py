"""Our own labelled messages: every answer is right, or stands here with the reason why it is not yet."""

from __future__ import annotations

from collections import defaultdict

import pytest

from benchmarks.score import SHELVES, messages

UNSOLVED = {
    "mta/exchange55-01.eml": "the receiver's words are wrapped into the next line in the middle of the reply",
    "mta/hmailserver-01.eml": "Orange's code for a full mailbox beside words about an archived one",
    "mta/msmtp-01.eml": "the program's own lines follow the reply without a break",
    "other/human-attached-dsn-01.eml": "a person attaches a bounce and asks; whose message it was cannot be seen",
    "other/mailman-held-01.eml": "a list's notice that a moderator will look: is it an answer?",
    "provider/fastmail-01.eml": "Apple says policy where it means its view of the sender",
}
"""Messages that are answered wrong, and why."""
LEAST = {"mta": 80, "other": 110, "provider": 80}


@pytest.mark.parametrize("shelf", sorted(p.parent.name for p in SHELVES.glob("*/labels.jsonl")))
def test_labelled_messages_are_answered_right(shelf: str) -> None:
    wrong: dict[str, list[str]] = defaultdict(list)
    seen: set[str] = set()
    for judged in messages(SHELVES / shelf):
        seen.add(judged.where)
        if not judged.right:
            wrong[judged.where].append(f"{judged.what}: expected {judged.expected}, got {judged.got} ({judged.note})")
    assert {where: said for where, said in wrong.items() if where not in UNSOLVED} == {}
    assert sorted(set(UNSOLVED) & seen) == sorted(wrong), "solved: take it out of UNSOLVED"
    assert len(list((SHELVES / shelf).glob("*.eml"))) >= LEAST.get(shelf, 1)
