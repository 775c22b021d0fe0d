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
