"""What a reply means does not hang on the words that an administrator happened to choose: sentences put together from their parts."""

from __future__ import annotations

from itertools import product

import pytest

from analyzer.classify import classify_reply
from analyzer.model import Severity

SENDERS = (
    "sender", "sender address", "from address", "envelope sender", "return path", "MAIL FROM address", "your address", "your email address", "your mailbox", "your account",
    "sending user", "originator", "the sender's mailbox", "sender domain", "sending domain", "your domain", "domain of the sender", "client host", "HELO name", "your host name",
    "from domain", "author", "bounce address", "reply-to address", "the user who sent this", "the sender of this message",
)  # fmt: skip
UNKNOWN = (
    "unknown", "is unknown", "does not exist", "doesn't exist", "not found", "could not be found", "is not known", "isn't known", "not recognized", "no longer exists",
    "is nonexistent", "has no mailbox", "is not registered", "not listed", "not defined", "not present", "isn't one of ours",
)  # fmt: skip
CLOSED = (
    "is disabled", "has been disabled", "is suspended", "has been deactivated", "is inactive", "is closed", "has been deleted", "has expired", "is no longer active",
    "is no longer in use", "was terminated", "is not in service", "is defunct", "is not enabled",
)  # fmt: skip
PLACES = (
    "",
    " here",
    " on this server",
    " at this host",
    " in our system",
    " on our mail server",
    " in our directory",
    " in local recipient table",
)
PEOPLE = (
    "user",
    "mailbox",
    "account",
    "address",
    "recipient",
    "email address",
    "inbox",
    "person",
    "customer",
    "subscriber",
    "member",
    "addressee",
    "employee",
    "student",
)
FULL = (
    "{} is full", "{} has exceeded its quota", "{} is over quota", "{} has no space left", "not enough space in {}", "quota exceeded for {}", "{} exceeds storage limit",
    "{} has reached its maximum size", "{} cannot accept any more messages", "{} has used up its storage allowance", "{} is at capacity", "{} would exceed the quota", "insufficient storage in {}",
)  # fmt: skip
BOXES = ("mailbox", "the mailbox", "recipient's mailbox", "inbox", "account", "user", "mail box", "the mailbox of this user")


@pytest.mark.parametrize("sender", SENDERS)
def test_who_does_not_know_a_sender_condemns_no_address(sender: str) -> None:
    sentences = [
        f"{head} {sender} {said}"
        for head, said in product(("550", "550 5.7.1 The"), (*UNKNOWN, *CLOSED, "is not valid", "is invalid", "cannot be verified"))
    ]
    assert [s for s in sentences if classify_reply(s).severity is Severity.HARD] == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Die Adresse des Absenders existiert nicht", "Ihr Konto ist deaktiviert", "Ihre Domain unbekannt", "adresse de l'expéditeur inconnue", "votre compte a été suspendu", "el buzón del remitente no existe",
        "la casella del mittente non esiste", "il vostro account è disattivato", "endereço do remetente não existe", "adres van de afzender bestaat niet", "uw account is geblokkeerd", "konto nadawcy nie istnieje",
        "twoje konto zostało zablokowane", "ящик отправителя не существует", "ваш ящик заблокирован", "adresa odesílatele neexistuje", "avsändarens adress finns inte", "afsenderens adresse findes ikke",
        "gönderenin adresi bulunamadı", "差出人のアドレスが存在しません", "发件人地址不存在", "您的账号已被停用", "발신자 주소를 찾을 수 없습니다", "a feladó címe nem létezik", "адреса відправника не існує",
    ],
)  # fmt: skip
def test_a_sender_is_a_sender_in_any_language(sentence: str) -> None:
    assert classify_reply(f"550 {sentence}").severity is not Severity.HARD


@pytest.mark.parametrize("person", PEOPLE)
def test_who_does_not_know_a_recipient_says_so(person: str) -> None:
    sentences = [f"550 {person} {said}{place}" for said, place in product(UNKNOWN, PLACES)]
    sentences += [
        f"550 {begins} {person}{place}" for begins, place in product(("no such", "unknown", "nonexistent", "we do not have such a"), PLACES)
    ]
    assert [s for s in sentences if classify_reply(s).reason not in {"user-unknown", "mailbox-disabled"}] == []


@pytest.mark.parametrize("box", BOXES)
def test_a_full_mailbox_is_full_in_whatever_words(box: str) -> None:
    sentences = [f"550 {said.format(box)}{tail}" for said, tail in product(FULL, ("", ", try again later", " on this server"))]
    assert [s for s in sentences if classify_reply(s).reason != "mailbox-full"] == []


@pytest.mark.parametrize("box", ["mailbox", "account", "user", "recipient", "email address", "the recipient"])
def test_a_closed_mailbox_is_closed_in_whatever_words(box: str) -> None:
    sentences = [f"550 {box} {said}{tail}" for said, tail in product(CLOSED, ("", " here", " due to inactivity"))]
    assert [s for s in sentences if classify_reply(s).severity is not Severity.HARD] == []


SAID: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "blocklisted": (
        ("550 {} is listed on a blacklist", "550 {} is on our block list", "554 {} was found in zen.spamhaus.org", "550 {} is blacklisted", "550 rejected: {} listed in an RBL"),
        ("your IP", "192.0.2.7", "your server", "client host [192.0.2.7]"),
    ),
    "poor-reputation": (
        ("550 {} has a poor reputation", "550 the reputation of {} is too low", "550 {} is sending spam", "550 {} is blocked due to abuse", "550 complaints about {}", "550 too much spam from {}"),
        ("your IP", "192.0.2.7", "your mail server", "your host"),
    ),
    "spam-content": (
        ("554 {} looks like spam", "554 {} was identified as spam", "554 {} rejected as spam", "554 {} is suspected spam", "554 {} has a high spam score", "554 {} triggered our anti-spam filter"),
        ("message", "your email", "this message", "the message content"),
    ),
    "content-rejected": (
        ("554 {} contains a forbidden attachment", "554 {} contains a blocked file type", "554 {} contains macros", "554 {} violates our content policy", "554 attachment type not allowed in {}"),
        ("message", "your email", "this message"),
    ),
    "virus-detected": (("554 {} contains a virus", "554 {} is infected", "554 malware detected in {}", "554 a worm was found in {}"), ("message", "your email", "this mail")),
    "message-too-big": (
        ("552 {} is too large", "552 {} exceeds the maximum size", "552 {} is larger than allowed", "552 {} over size limit", "552 {} is too long"),
        ("message", "your email", "this message"),
    ),
    "rate-limited": (
        ("421 {}", "421 {} from your IP", "421 {}, try again later", "421 Error: {}", "421 4.7.0 {} from 192.0.2.7"),
        ("too many connections", "too many messages", "rate limit exceeded", "you are sending too fast", "hourly limit reached", "throttled", "too many recipients", "mail volume too high"),
    ),
    "no-reverse-dns": (
        ("550 no {} for your IP", "550 your IP has no {}", "550 we require {}", "550 cannot find your {}", "550 {} does not match"),
        ("reverse DNS", "PTR record", "rDNS", "reverse hostname"),
    ),
    "authentication-failed": (("550 {} failed", "550 message fails {}", "550 rejected due to {}", "550 message did not pass {}", "550 {} violation"), ("SPF", "DKIM", "DMARC", "SPF check")),
    "relay-denied": (("550 {} denied", "550 {} not allowed", "550 we do not allow {}", "550 {} forbidden"), ("relaying", "relay access", "open relay")),
    "tls-error": (("550 {} required", "550 must use {}", "550 {} handshake failed", "550 {} not available", "550 mail must be sent with {}"), ("TLS", "STARTTLS", "SSL", "encryption")),
    "network-error": (("421 {} timed out", "421 {} refused", "421 {} reset by peer", "421 could not establish {}"), ("connection", "SMTP connection", "TCP connection")),
    "greylisted": (("450 {}", "450 {}, try again later", "450 4.7.1 {} for 300 seconds", "450 Recipient address rejected: {}"), ("greylisted", "greylisting in effect", "grey listed", "graylisted")),
    "recipient-refused": (
        ("550 {} has blocked you", "550 {} does not accept external mail", "550 you are not allowed to send to {}", "550 {} accepts mail from members only"),
        ("recipient", "this user", "the recipient"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", SAID)
def test_a_refusal_means_the_same_in_other_words(reason: str) -> None:
    forms, parts = SAID[reason]
    wrong = {s: found for f, p in product(forms, parts) if (found := classify_reply(s := f.format(p)).reason) != reason}
    assert wrong == {}


@pytest.mark.parametrize(
    "reply",
    [
        "550 your message was refused, user unknown",
        "550 user unknown, please check your address book",
        "550 returned to sender: user unknown",
        "550 client host accepted, but mailbox does not exist",
        "550 5.1.1 mail from you to bob: user unknown",
        "550 The user you sent this to is unknown",
        "550 the address to which your message was sent does not exist",
    ],
)
def test_a_sender_who_is_only_spoken_to_saves_no_dead_address(reply: str) -> None:
    assert classify_reply(reply).severity is Severity.HARD
