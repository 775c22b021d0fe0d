"""Words sought in texts: what strangers write must not stop the search, nor move what is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analyzer.classify import classify_reply
from analyzer.parse.dsn import stage
from analyzer.parse.words import Words, mended, small

COLOURS = Words("|".join(f"{colour} ship" for colour in ("red", "blue", "green", "white", "black", "grey", "brown", "yellow", "orange")))
anything = st.text(st.characters(exclude_categories=()), max_size=60)


@given(anything, anything)
def test_each_letter_stays_where_it_stood(before: str, after: str) -> None:
    text = f"{before}Blue SHIP{after}"
    assert len(small(text)) == len(mended(text)) == len(text)
    found = COLOURS.search(text)
    assert found is not None
    assert text[slice(*found.span())].lower().endswith(" ship")


@given(anything)
def test_half_a_character_does_not_stop_the_search(text: str) -> None:
    assert stage(f"{text} (in reply to RCPT TO command) \ud800") is not None
    assert classify_reply(f"550 5.1.1 no such user here. {text} \udfff").reason


def test_a_step_is_told_by_the_words_before_it() -> None:
    for said, expected in {
        "said: 550 no (in reply to end of DATA command)": "data",
        "SMTP error from remote mail server after RCPT TO:<b@example.org>": "rcpt",
        "after pipelined MAIL FROM:<a@example.com> SIZE=1841": "mail",
        ">>> EHLO mx.example.com": "ehlo",
        "Remote host does not like sender": "mail",
        "did not like our RCPT": "rcpt",
        "my host name was rejected": "ehlo",
        "SMTP error from remote mail server after initial connection": "connect",
        "host mx.example.org refused to talk to me: 554 no": "connect",
        "after RCPT TO it went on to DATA; failed after I sent the message": "data",
        "it was sent in the morning": None,
    }.items():
        found = stage(said)
        assert (found.value if found else None) == expected, said
