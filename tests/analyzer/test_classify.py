"""What refusals mean, in sentences of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyzer.classify import classify, classify_reply
from analyzer.classify.rules import RulesError, check_examples, load, read
from analyzer.model import Kind, Outcome, Severity, Stage


def test_every_example_and_counter_example_holds() -> None:
    assert check_examples() == []


def test_every_reason_has_a_severity_a_fault_and_something_to_do() -> None:
    reasons = load().reasons
    assert len(reasons) == 31
    assert all(r.action and r.meaning and r.fault for r in reasons.values())


@pytest.mark.parametrize(
    ("reply", "provider", "reason"),
    [
        ("552 5.2.2 mailbox for this user is full", None, "mailbox-full"),
        ("550 5.4.1 Recipient address rejected: Access denied. [x.mail.protection.outlook.com]", "Microsoft", "user-unknown"),
        ("554 5.7.1 <a@b.example>: Recipient address rejected: Access denied", None, "policy"),
        ("550 5.7.1 Service unavailable; client host [192.0.2.3] blocked using zen.spamhaus.org", None, "blocklisted"),
        ("421 4.7.28 unusual rate of unsolicited mail from your address - gsmtp", "Gmail", "poor-reputation"),
        ("550 5.7.26 unauthenticated email is not accepted due to the domain's DMARC policy - gsmtp", "Gmail", "authentication-failed"),
        ("450 4.7.1 Greylisted, please try again later", None, "greylisted"),
        ("554 5.7.1 the message contains a URL that is listed by multi.surbl.org", None, "content-rejected"),
        ("553 5.1.8 sender address rejected: domain does not exist", None, "sender-rejected"),
        ("554 5.4.6 too many hops", None, "routing-error"),
        ("connect to mx.far.example[192.0.2.9]:25: Connection timed out", None, "network-error"),
        ("4.4.7 retry time exceeded; last error: mailbox is full", None, "mailbox-full"),
        ("550 Empfänger unbekannt", None, "user-unknown"),
        ("552 message size exceeds the limit of this server", None, "message-too-big"),
        ("554 Message not allowed", None, "policy"),
        ("550 relay access denied", None, "relay-denied"),
    ],
)
def test_the_receivers_words_decide(reply: str, provider: str | None, reason: str) -> None:
    assert classify_reply(reply, provider).reason == reason


def test_mailbox_full_is_soft_even_with_a_5xx_code() -> None:
    assert classify_reply("552 5.2.2 over quota").severity is Severity.SOFT


def test_host_names_and_addresses_do_not_speak() -> None:
    said = Outcome(
        Kind.BOUNCED, "full@virus.example", diagnostic="550 5.1.1 <full@virus.example> no such user at mx10.mailspamprotection.com"
    )
    assert classify(said).reason == "user-unknown"


def test_before_a_recipient_was_named_nothing_is_said_of_the_address() -> None:
    said = Outcome(Kind.BOUNCED, "a@b.example", diagnostic="550 the domain shop.example does not exist", reply_code="550", stage=Stage.MAIL)
    assert classify(said).severity is Severity.BLOCK


def test_without_words_it_is_undetermined() -> None:
    verdict = classify(Outcome(Kind.BOUNCED, "a@b.example", status="5.0.0"))
    assert (verdict.reason, verdict.severity) == ("undetermined", Severity.UNDETERMINED)


def test_the_words_that_decided_are_marked_where_they_stand() -> None:
    verdict = classify_reply("550 5.1.1  Sorry,\tUSER   UNKNOWN here")
    text = "550 5.1.1  Sorry,\tUSER   UNKNOWN here"
    assert verdict.span is not None
    assert verdict.matched == text[slice(*verdict.span)]


@pytest.mark.timeout(20)
def test_a_megabyte_of_words_is_judged_in_linear_time() -> None:
    for words in ("mailbox * " * 100_000, "quota " * 160_000, "a" * 1_000_000, "@" * 500_000 + "." * 500_000):
        classify(Outcome(Kind.BOUNCED, "a@b.example", diagnostic=words, prose=words))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '["x"]\nreason = "mailbox-ful"\nphrases = ["a b"]\n',
            'mine.toml: mine.x: reason "mailbox-ful" is not in taxonomy.toml (did you mean "mailbox-full"?)',
        ),
        ('["x"]\nreason = "policy"\nphrase = ["a b"]\n', "mine.toml: mine.x: unknown key 'phrase' (did you mean \"phrases\"?)"),
        ('["x"]\nreason = "policy"\nphrases = []\n', "mine.toml: mine.x: phrases: expected at least one, none of them empty."),
    ],
)
def test_a_broken_rule_is_named_with_what_was_expected(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(RulesError) as told:
        read(file, load().reasons)
    assert str(told.value) == sentence
