"""What list managers say of a post that they refused, and what only looks like it."""

from __future__ import annotations

import pytest

from analyzer.classify import classify
from analyzer.model import Kind
from analyzer.parse import parse_message

HEAD = "From: {sender}\nTo: news@shop.example\nSubject: {subject}\nPrecedence: {precedence}\nContent-Type: text/plain; charset=utf-8\n\n"
BACK = "\n---- Original message ----\nFrom: news@shop.example\nTo: gardeners@lists.club.example\nSubject: Spring\n\nSeeds.\n"
OWNER = "gardeners-owner@lists.club.example"


def message(sender: str, text: str, subject: str = "your post", precedence: str = "bulk") -> bytes:
    return (HEAD.format(sender=sender, subject=subject, precedence=precedence) + text).encode()


@pytest.mark.parametrize(
    ("sender", "text", "reason"),
    [
        (OWNER, "Your mail to gardeners@lists.club.example has been rejected:\nnon-members may not post.\n", "recipient-refused"),
        ("listserv@lists.club.example", "You are not authorized to send mail to the list gardeners@lists.club.example.\n", "recipient-refused"),
        ("owner-gardeners@lists.club.example", "Your message was refused because it is larger than the maximum message size of 40 KB.\n" + BACK, "message-too-big"),
        ("sympa@lists.club.example", "Votre message pour la liste gardeners@lists.club.example a été rejeté : la liste est réservée aux abonnés.\n", "recipient-refused"),
        ("gardeners-bounces@lists.club.example", "Ihre Nachricht an die Liste wurde abgelehnt: Anhänge sind nicht erlaubt.\n", "content-rejected"),
    ],
)  # fmt: skip
def test_a_refused_post_is_a_bounce_of_the_list(sender: str, text: str, reason: str) -> None:
    report = parse_message(message(sender, text))
    (outcome,) = report.outcomes
    assert (report.parser, outcome.kind, outcome.recipient) == ("list", Kind.BOUNCED, "gardeners@lists.club.example")
    assert classify(outcome, report).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "Your mail to gardeners@lists.club.example is being held until the list moderator can review it. Only members may post.\n",
        "Your posting to gardeners has been forwarded to the moderator of the list.\n",
        "Votre message pour la liste gardeners@lists.club.example a été retenu : un modérateur doit l'approuver.\n",
        "Il tuo messaggio a gardeners@lists.club.example è in attesa di approvazione.\n",
    ],
)
def test_a_post_that_waits_for_a_moderator_was_answered_by_a_machine(text: str) -> None:
    (outcome,) = parse_message(message(OWNER, text)).outcomes
    assert (outcome.kind, outcome.reply_type, outcome.recipient) == (Kind.AUTOREPLIED, "other", "gardeners@lists.club.example")


@pytest.mark.parametrize(
    "data",
    [
        message("ann@club.example", "Your message was rejected by the committee, sorry. You are not a member.\n"),
        message(OWNER, "You are not subscribed any more, as you asked.\n", precedence="list"),
        message(OWNER, "As owner of gardeners you are asked to approve this post: Your message is being held, says its subject.\n"),
        message(OWNER, "Your subscription to gardeners awaits approval by the moderator.\n"),
        message(OWNER, "Welcome to gardeners. To post, write to gardeners@lists.club.example.\n"),
    ],
)
def test_other_words_of_lists_and_people_are_none(data: bytes) -> None:
    assert parse_message(data).kind not in {Kind.BOUNCED, Kind.AUTOREPLIED}


def test_subscribers_whose_mail_comes_back_are_told_to_the_owner() -> None:
    """Each with his own words."""
    text = "These subscribers were removed from the list gardeners because of errors:\n\n  ann@far.example\n    Last error: 5.1.1 no such user\n  ben@near.example\n    Last error: 5.2.2 over quota\n"
    report = parse_message(message("listserv@lists.club.example", text))
    assert [(o.recipient, classify(o, report).reason) for o in report.outcomes] == [
        ("ann@far.example", "user-unknown"),
        ("ben@near.example", "mailbox-full"),
    ]


@pytest.mark.parametrize(
    "who", ["", "Member: news@shop.example\n", "Questions? gardeners-request@lists.club.example\n", "Ask ann@lists.club.example.\n"]
)
def test_a_subscriber_who_is_told_of_his_own_mail_is_no_bounce(who: str) -> None:
    text = f"Your membership in gardeners has been disabled due to excessive bounces.\n{who}"
    assert parse_message(message("gardeners-bounces@lists.club.example", text)).outcomes == ()


DESK = "From: Harbour Desk <desk@harbour.example>\nTo: news@shop.example\nSubject: {subject}\nAuto-Submitted: {submitted}\nContent-Type: text/plain; charset=utf-8\n\n"


def desk(text: str, subject: str = "Re: Spring", submitted: str = "auto-replied") -> bytes:
    return (DESK.format(subject=subject, submitted=submitted) + text).encode()


@pytest.mark.parametrize(
    ("data", "recipient", "reason"),
    [
        (desk("No ticket could be opened: your e-mail to help@harbour.example was rejected, since only registered customers may write here.\n"), "help@harbour.example", "recipient-refused"),
        (desk("Your message was not accepted. It is 30 MB large; the largest message we take has 10.\n", submitted="auto-generated"), "desk@harbour.example", "message-too-big"),
        (desk("Ihre Nachricht an hilfe@hafen.example wurde abgewiesen: Anhänge sind nicht erlaubt.\n"), "hilfe@hafen.example", "content-rejected"),
        (desk("We were not able to add your message to case 7: the user news@shop.example is locked out.\n", submitted="auto-generated"), "desk@harbour.example", "sender-rejected"),
    ],
)  # fmt: skip
def test_a_desk_that_takes_no_mail_refuses_it(data: bytes, recipient: str, reason: str) -> None:
    """And who is unknown or locked out there is the one who wrote."""
    report = parse_message(data)
    (outcome,) = report.outcomes
    assert (outcome.kind, outcome.recipient) == (Kind.BOUNCED, recipient)
    assert classify(outcome, report).reason == reason


@pytest.mark.parametrize(
    "data",
    [
        desk("Your message has reached us and got the number 7. Messages without a number could not be answered so quickly.\n"),
        desk(
            "I am on holiday until Monday. Your e-mail was not accepted by anybody else and will be ignored; please write again.\n",
            "Out of office",
        ),
        desk("Ihre Anfrage ist eingegangen. Wir melden uns.\n"),
    ],
)
def test_a_desk_that_takes_it_and_one_who_is_away_refuse_nothing(data: bytes) -> None:
    assert parse_message(data).kind is Kind.AUTOREPLIED
