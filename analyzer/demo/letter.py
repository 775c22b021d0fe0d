"""One message of the shop and what is written about it: the facts that every form of report draws on."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from analyzer.demo.replies import Reply
from analyzer.demo.shop import SHOP

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BOUNCES = f"bounces@{SHOP}"
"""The shop's envelope sender, where reports go."""
NAMES = {
    "promotion": "Lindenshop", "order-confirmation": "Lindenshop Orders", "receipt": "Lindenshop Billing",
    "delivery-notice": "Lindenshop Parcels", "abandoned-cart": "Lindenshop",
}  # fmt: skip
SUBJECTS = {
    "promotion": ("New this week: warm things for grey days", "Neu für kalte Tage: unsere Woche der Wärme", "Only until Sunday: 20 % off"),
    "order-confirmation": ("We have your order {n}", "Ihre Bestellung {n} ist eingegangen"),
    "receipt": ("Your receipt {n}", "Ihre Rechnung zu Auftrag {n}", "Votre reçu {n}"),
    "delivery-notice": ("Your parcel is on its way", "Ihr Paket ist unterwegs: Übergabe an den Zusteller"),
    "abandoned-cart": ("You left something in your cart", "Da liegt noch etwas im Warenkorb"),
}


NO_REPLY = Reply(())


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the shop, and the moment at which somebody writes about it."""

    number: int  # index into the sends
    recipient: str
    sender: str
    mail_type: str
    campaign: str
    message_id: str
    sent_at: int  # seconds since 1970
    relay: str  # host name of the SMTP provider
    ip: str
    at: int  # of the report, seconds since 1970
    reply: Reply = NO_REPLY
    host: str = ""  # mail host of the recipient
    host_ip: str = ""

    @property
    def token(self) -> str:
        """Letters and digits of this letter's own, the same in every run."""
        return f"{(self.number * 40503 + 0x9E3779B9) & 0xFFFFFFFF:08x}{self.number:05x}"

    @property
    def subject(self) -> str:
        """As people read it."""
        choices = SUBJECTS[self.mail_type]
        return choices[self.number % len(choices)].format(n=f"L-{self.number + 100000}")

    @property
    def name(self) -> str:
        """Of the sender, as people read it."""
        return NAMES[self.mail_type]

    @property
    def sending_domain(self) -> str:
        """Of the From address."""
        return self.sender.partition("@")[2]

    @property
    def status(self) -> str:
        """The enhanced status code that the reporting MTA writes down."""
        return self.reply.status

    def lines(self) -> list[str]:
        """The receiver's words, with this letter's own in their places."""
        words = {
            "{r}": self.recipient,
            "{ip}": self.ip,
            "{d}": self.sending_domain,
            "{id}": self.token,
            "{h}": self.host,
            "{hip}": self.host_ip,
        }
        lines = []
        for line in self.reply.lines:
            for place, word in words.items():
                line = line.replace(place, word)
            lines.append(line)
        return lines


def stamp(at: int) -> str:
    """`at` as RFC 5322 writes it."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{_DAYS[moment.weekday()]}, {moment.day:02} {_MONTHS[moment.month - 1]} {moment:%Y %H:%M:%S} +0000"


@lru_cache(maxsize=256)
def encoded(words: str) -> str:
    """A header value, as encoded words where it is not ASCII (RFC 2047)."""
    if words.isascii():
        return words
    # a character has at most three bytes here; an encoded word may be 75 characters long
    pieces = (words[i : i + 15].encode() for i in range(0, len(words), 15))
    return "\n ".join(f"=?utf-8?b?{b64encode(piece).decode()}?=" for piece in pieces)


def returned_headers(letter: Letter) -> str:
    """The headers of the message as reports return them, each line ended."""
    return (
        f"Return-Path: <{BOUNCES}>\n"
        f"Received: from app3.{SHOP} (app3.{SHOP} [192.0.2.10])\n"
        f"\tby out{letter.number % 4 + 1}.{letter.relay} (Postfix) with ESMTPS id {letter.token[:10].upper()}\n"
        f"\tfor <{letter.recipient}>; {stamp(letter.sent_at)}\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={letter.sending_domain};\n"
        f"\ts=s2026; h=from:to:subject:date:message-id:list-unsubscribe:list-unsubscribe-post;\n"
        f"\tbh=3jLm{letter.token}Qk0c7yYb2dV5sXfA=; b=hR{letter.token}9qTzWn4\n"
        f"From: {letter.name} <{letter.sender}>\n"
        f"To: {letter.recipient}\n"
        f"Subject: {encoded(letter.subject)}\n"
        f"Date: {stamp(letter.sent_at)}\n"
        f"Message-ID: <{letter.message_id}>\n"
        f"Feedback-ID: {letter.campaign}:{letter.mail_type}:lindenshop:{letter.relay.partition('.')[0]}\n"
        f"List-Unsubscribe: <mailto:unsubscribe@{letter.sending_domain}?subject={letter.token}>,\n"
        f"\t<https://www.{SHOP}/u/{letter.token}>\n"
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n"
        "MIME-Version: 1.0\n"
        'Content-Type: text/plain; charset="us-ascii"\n'
    )


def returned_message(letter: Letter) -> str:
    """The message with a short body, as reports return it whole."""
    return (
        f"{returned_headers(letter)}\nHello,\n\nthis is a message of Lindenshop about {letter.mail_type.replace('-', ' ')}.\n\nLindenshop\n"
    )


def to_bytes(text: str) -> bytes:
    """The mail as it is kept: everything in it is ASCII."""
    return text.encode("ascii")


def multipart(letter: Letter, head: str, text: str, status: str, original: str, *, boundary: str, headers_only: bool = False) -> bytes:
    """A multipart/report of three parts (RFC 6522)."""
    kind = "text/rfc822-headers" if headers_only else "message/rfc822"
    return to_bytes(
        f"Return-Path: <>\n{head}Date: {stamp(letter.at)}\nTo: {BOUNCES}\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type=delivery-status;\n\tboundary="{boundary}"\n\n'
        f"This is a MIME-encapsulated message.\n\n--{boundary}\n{text}\n"
        f"--{boundary}\nContent-Type: message/delivery-status\n\n{status}\n"
        f"--{boundary}\nContent-Type: {kind}\n\n{original}\n--{boundary}--\n"
    )


def folded(words: str, indent: str = "    ", width: int = 72) -> str:
    """`words` over several lines, each but the first indented."""
    lines, line = [], ""
    for word in words.split(" "):
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return f"\n{indent}".join([*lines, line])
