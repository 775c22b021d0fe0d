"""Replies that no specific rule matches: brought together, and a rule drafted for each kind."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.classify import classify_reply
from analyzer.classify.rules import check_examples, load, read
from analyzer.model import MESSAGE, Capture
from analyzer.suggest import of_message, of_reply, suggest
from analyzer.suggest import templates as bounds
from analyzer.suggest.clusters import Cluster, Failure, gather, specific
from analyzer.suggest.draft import CHOOSE, drafts, quoted, shown, stands
from analyzer.suggest.templates import Templates, words
from tests.analyzer.cli.conftest import bounce


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("451 4.3.2 The relay is asleep until 06:00", "the relay is asleep until <number>"),
        ("smtp; 550-5.7.0 we said no,\r\n550 5.7.0 and we mean it", "we said no, and we mean it"),
        ("550 <jo@customer.example>: not on our guest list", "<address>: not on our guest list"),
        ("550 jo@a.example, al@b.example,bo@c.example: not on our guest list", "<address>: not on our guest list"),
        ("host mx1.relay.example[192.0.2.7] said: 450 4.2.0 come tomorrow", "host <host> <ip> said: <code> come tomorrow"),
        ("554 karma of 2001:db8::25 is -9, see https://relay.example/k?ip=2001:db8::25", "karma of <ip> is <number> see <link>"),
        ("550 ticket 8f3a-77c1e902b, id=4711 (S3140)", "ticket <id> id=<number> (s3140)"),
        ("552 5.3.4 10MB is more than our 8bitmime door takes", "<number> is more than our 8bitmime door takes"),
        ("550 nobody of the name <jo> at relay.ie", "nobody of the name <name> at <host>"),
        ("宛先 <jo@customer.example> は眠っています", "宛先 <address> は眠っています"),
        ("250 ", ""),
    ],
)  # fmt: skip
def test_what_is_plainly_variable_is_masked(text: str, template: str) -> None:
    assert shown(words(text)) == template


def grouped(*texts: str, telling: frozenset[str] = frozenset()) -> tuple[list[int | None], Templates]:
    templates = Templates(telling)
    return [templates.add(text) for text in texts], templates


def test_texts_that_differ_in_a_name_at_any_place_are_of_one_template() -> None:
    for where in ("{} rests now and takes no letters", "our friend {} rests and takes no letters", "no letters are taken now by {}"):
        numbers, templates = grouped(*(where.format(name) for name in ("ann", "bob", "cleo")))
        assert numbers == [0, 0, 0]
        assert " ".join(templates[0]) == where.format("<*>")


def test_a_short_text_that_differs_in_a_word_is_another_template() -> None:
    assert grouped("relay asleep", "relay away")[0] == [0, 1]


def test_a_word_of_the_rules_is_never_a_variable() -> None:
    texts = ("the box of this person is closed for ever", "the box of this person is full for ever")
    assert grouped(*texts)[0] == [0, 0]
    assert grouped(*texts, telling=frozenset({"full"}))[0] == [0, 1]


def test_a_template_does_not_drift_away_from_its_first_text() -> None:
    first = list("abcdefghij")
    texts = [" ".join([*(w * (n + 1) for w in first[:n]), *first[n:]]) for n in range(9)]
    numbers, templates = grouped(*texts)
    assert numbers[0] == numbers[3] == 0
    assert 0 not in numbers[4:]
    assert templates[0] == ("<*>", *first[3:])


def test_what_strangers_send_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(words("a b " * 10_000)) == bounds.MOST_WORDS
    monkeypatch.setattr(bounds, "MOST_TEMPLATES", 3)
    numbers, templates = grouped(
        "one of a kind", "two for tea please", "three men went to mow", "four and twenty blackbirds", "one of a kind"
    )
    assert numbers == [0, 1, 2, None, 0]
    assert templates.full


def test_only_what_no_specific_rule_matches_is_gathered() -> None:
    known = specific()
    for text, rule in {
        "554 5.0.0 message not wanted on voyage": "none",
        "550 rejected by local policy of the ship": "generic.local-policy",
        "550 5.1.1 overboard": "status.1.1",
    }.items():
        assert classify_reply(text).rule == rule not in known
        assert gather([of_reply(text)]).clusters[0].example == text
    told = gather([of_reply("550 5.1.1 no such user"), of_reply("552 5.2.2 mailbox full"), of_reply("550 5.1.1 "), of_reply("")])
    assert (told.clusters, told.failures, told.understood, told.silent) == ([], 4, 2, 2)


def test_a_failure_that_was_judged_before_there_was_a_rule_is_understood_now() -> None:
    assert gather([Failure("550 5.1.1 no such user", "undetermined", "none", "", "")]).understood == 1


def test_a_cluster_tells_of_whom_when_and_what_is_made_of_it() -> None:
    def at(day: int) -> datetime:
        return datetime(2026, 11, day, tzinfo=UTC)

    (cluster,) = gather(
        [
            Failure("451 4.3.2 The relay is asleep until 06:00", "undetermined", "none", "Relay", "mx1.relay.example", 3, at(4), at(9)),
            Failure("550 the relay is asleep until 7:15", "policy", "generic.local-policy", "Relay", "mx2.relay.example", 1, at(2), at(2)),
            Failure("451 4.3.2 The relay is asleep until noon", "undetermined", "none", "", "", 1),
        ]
    ).clusters
    assert cluster.example == "451 4.3.2 The relay is asleep until 06:00"
    assert (cluster.count, cluster.first, cluster.last) == (5, at(2), at(9))
    assert cluster.providers == {"Relay": 4, "": 1}
    assert cluster.codes == {"451 4.3.2": 4, "550": 1}
    assert cluster.verdicts == {("undetermined", "none"): 4, ("policy", "generic.local-policy"): 1}


def test_the_largest_comes_first_and_of_equals_that_of_which_nothing_is_made() -> None:
    texts = [
        "550 rejected by the policy of the ship",
        "554 message not wanted on voyage",
        "554 try the next harbour",
        "554 try the next harbour",
    ]
    found, _ = suggest(of_reply(text) for text in texts)
    assert [s.cluster.example for s in found] == [texts[2], texts[1], texts[0]]
    assert [s.cluster.count for s in suggest((of_reply(text) for text in texts), least=2)[0]] == [2]
    assert len(suggest((of_reply(text) for text in texts), most=1)[0]) == 1


def drafted(*replies: str, host: str = "") -> dict[str, object]:
    """The one rule drafted for replies, as its file says it, with its name."""
    found, _ = suggest(of_reply(reply, host) for reply in replies)
    assert len(found) == 1
    ((name, rule),) = tomllib.loads(found[0].draft.about + found[0].draft.block).items()
    return {"name": name, **rule}


def test_the_drafted_rule_has_the_telling_words_and_an_example_without_anybodys_address() -> None:
    rule = drafted("451 4.3.2 <ann.lee@customer.example>: the relay is asleep. Please visit https://relay.example/ for more information")
    assert rule["name"] == "relay-asleep"
    assert rule["phrases"] == ["relay is asleep"]
    assert rule["reason"] == CHOOSE
    (example,) = rule["examples"]  # type: ignore[misc]
    assert example.startswith("451 4.3.2 <jo@customer.example>: the relay is asleep.")


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("550 box 7 sleeps", "box * sleeps"),
        ("550 your letter (which we liked) was put in the wrong pigeonhole by us", "put in the wrong pigeonhole"),
        ("550 {left|right} ~ the ship has sailed today ~ * .. {}", "ship has sailed today"),
        ("550 nobody will be back for 3 day(s)", "nobody * day"),
        ("550 don’t send letters to the harbour", "don't send letters to the harbour"),
        ("550 нет такой гавани на карте", "нет такой гавани на карте"),
        ("554-the ship\r\n554 has sailed today", "ship has sailed today"),
        ("554 https://relay.example/why", None),
    ],
)  # fmt: skip
def test_phrases_are_such_as_rules_are_made_of(text: str, phrase: str | None) -> None:
    rule = drafted(text)
    assert rule["phrases"] == ([phrase] if phrase else [])
    assert phrase is None or stands(phrase, text)


def test_words_that_other_clusters_have_too_tell_less() -> None:
    texts = [
        f"550 delivery to this harbour was stopped: {why}" for why in ("kraken seen nearby", "tide went out early", "pilot ate bad herring")
    ]
    found, _ = suggest(of_reply(text) for text in texts)
    assert all(why in s.draft.phrases[0] for s, why in zip(found, ("kraken", "tide", "herring"), strict=True))


def test_a_guess_says_that_it_is_one_and_few_words_that_they_are_few() -> None:
    (suggestion,), _ = suggest([of_reply("550 denied", "mx.relay.example"), of_reply("550 Denied.", "mx.relay.example")])
    assert 'reason = "policy"  # a guess, by generic.local-policy' in suggestion.draft.block
    assert "# sure = false" in suggestion.draft.block
    assert '# at = ["relay.example"]' in suggestion.draft.block


@pytest.mark.parametrize(
    ("hosts", "place"),
    [
        (["mx1.relay.example", "mx2.relay.example"], "relay.example"),
        (["mx1.relay.co.uk"], "relay.co.uk"),
        (["mx1.relay.example", "mx.other.example"], None),
        (["relay"], None),
        (["192.0.2.1"], None),
        (['x"] evil.example'], None),
    ],
)
def test_a_rule_may_be_kept_to_the_hosts_of_one_domain(hosts: list[str], place: str | None) -> None:
    (suggestion,), _ = suggest(Failure("550 kraken seen nearby", "undetermined", "none", "", host) for host in hosts)
    hint = [line for line in suggestion.draft.block.splitlines() if line.startswith("# at")]
    assert hint == ([f'# at = ["{place}"]  # keeps it to where they came from'] if place else [])


def test_a_message_tells_when_it_is_dated_and_of_whom() -> None:
    dated = b"Date: Mon, 09 Nov 2026 10:00:00 +0100\n" + bounce(1, b"554 5.0.0 kraken seen nearby", b"5.0.0")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    (failure,) = of_message(Capture(dated, MESSAGE, "test", now))
    assert (failure.text, failure.reason, failure.provider) == ("554 5.0.0 kraken seen nearby", "undetermined", "customer.example")
    assert failure.first == failure.last == datetime(2026, 11, 9, 9, tzinfo=UTC)
    (failure,) = of_message(Capture(bounce(1, b"554 5.0.0 kraken", b"5.0.0"), MESSAGE, "test", now))
    assert failure.first is failure.last is None
    assert of_message(Capture(b"Subject: lunch\n\nShall we?\n", MESSAGE, "test", now)) == []


SPICE = ["550 ", "5.7.1 ", "smtp; ", "\r\n550-", '"', "\\", "'''", '"""', "#", "[a]\n", "=", "{", "|", "}", "~", " * ", " .. ", "\x00", "\x1b[31m", "\u202e",
         "\ud800", "\x7f", "İ", "\u3000", "<jo@a.example>", "https://x.example ", "ship sails ", "kraken ", "at ", ". "]  # fmt: skip
HOSTILE = st.lists(st.one_of(st.sampled_from(SPICE), st.text(max_size=8)), max_size=15).map("".join)


@settings(max_examples=200)
@given(st.lists(st.tuples(HOSTILE, HOSTILE), max_size=6))
def test_whatever_strangers_write_the_drafts_are_one_toml_file_that_shows_nothing_alive(said: list[tuple[str, str]]) -> None:
    failures = [Failure(text, "undetermined", "none", other, other, 1) for text, other in said]
    found, gathered = suggest(failures)
    text = "".join(s.draft.about + s.draft.block for s in found)
    assert all(line.isprintable() for line in text.split("\n"))
    rules = tomllib.loads(text.encode().decode())
    assert list(rules) == [s.draft.name for s in found]
    assert gathered.failures == len(said) == gathered.understood + gathered.silent + sum(s.cluster.count for s in found)
    for s in found:
        assert rules[s.draft.name]["phrases"] == list(s.draft.phrases)
        assert all(stands(phrase, rules[s.draft.name]["examples"][0]) for phrase in s.draft.phrases)


@settings(max_examples=6)
@given(st.lists(HOSTILE, min_size=20, max_size=40))
def test_a_drafted_rule_holds_once_its_reason_is_chosen(tmp_path_factory: pytest.TempPathFactory, replies: list[str]) -> None:
    found, _ = suggest(of_reply(reply) for reply in replies)
    chosen = [re.sub('(?m)^reason = "[^"]*"', 'reason = "greylisted"', s.draft.block) for s in found if s.draft.phrases]
    file = tmp_path_factory.mktemp("rules") / "ours.toml"
    file.write_text("\n".join(chosen), encoding="utf-8")
    assert len(read(file, load().reasons)) == len(chosen)
    assert check_examples([file]) == []


def test_a_drafted_rule_holds_where_a_reply_repeats_its_code(tmp_path: Path) -> None:
    ((suggestion, *_), _) = suggest([of_reply("550 550 550 \r\n550-#ökraken gesichtet")])
    (tmp_path / "ours.toml").write_text(suggestion.draft.block.replace('"?"', '"greylisted"'), encoding="utf-8")
    assert check_examples([tmp_path]) == []


@given(st.text())
def test_a_quoted_text_is_read_again_as_it_was(text: str) -> None:
    assert tomllib.loads(f"a = {quoted(text)}") == {"a": text}


def test_drafts_have_names_of_their_own() -> None:
    clusters = [Cluster("550 at sea", ("at", "sea")), Cluster("550 at sea", ("at", "sea")), Cluster("550 海", ("海",))]
    assert [d.name for d in drafts(clusters)] == ["sea", "sea-2", "reply"]


def test_the_files_of_rules_can_hold_a_draft(tmp_path: Path) -> None:
    (suggestion,), _ = suggest([of_reply("554 kraken seen nearby")])
    (tmp_path / "ours.toml").write_text(suggestion.draft.block)
    (wrong,) = check_examples([tmp_path])
    assert 'ours.kraken-seen-nearby: reason "?" is not in taxonomy.toml' in wrong
