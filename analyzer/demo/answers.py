"""Mail that is no bounce: complaints (RFC 5965 and Microsoft's own way), automatic replies, unsubscriptions, a receipt, people."""

from __future__ import annotations

from base64 import b64encode

from analyzer.demo.bounces import Form
from analyzer.demo.letter import BOUNCES, Letter, encoded, returned_headers, returned_message, stamp, to_bytes
from analyzer.demo.shop import SHOP

COMPLAINTS_TO = f"complaints@{SHOP}"


def arf(letter: Letter) -> bytes:
    """A complaint as Yahoo's feedback loop sends it."""
    boundary = f"=_{letter.token}"
    return to_bytes(
        f"Return-Path: <>\nFrom: Yahoo Mail Complaint Feedback <feedback@arf.mail.yahoo.com>\nTo: {COMPLAINTS_TO}\n"
        f"Subject: FW: {encoded(letter.subject)}\nDate: {stamp(letter.at)}\n"
        f"Message-ID: <{letter.token}@arf.mail.yahoo.com>\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type=feedback-report;\n\tboundary="{boundary}"\n\n'
        f"--{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n"
        f"This is an email abuse report for an email message from {letter.sending_domain} on {stamp(letter.sent_at)}\n\n"
        f"--{boundary}\nContent-Type: message/feedback-report\n\n"
        "Feedback-Type: abuse\nUser-Agent: Yahoo!-Mail-Feedback/2.0\nVersion: 1\n"
        f"Original-Mail-From: <{BOUNCES}>\nOriginal-Rcpt-To: {letter.recipient}\nReceived-Date: {stamp(letter.sent_at + 5)}\n"
        f"Reported-Domain: {letter.sending_domain}\nSource-IP: {letter.ip}\n"
        f"Authentication-Results: mail.yahoo.com; dkim=pass header.d={letter.sending_domain}; spf=pass; dmarc=pass\n\n"
        f"--{boundary}\nContent-Type: message/rfc822\n\n{returned_message(letter)}\n--{boundary}--\n"
    )


def jmrp(letter: Letter) -> bytes:
    """A complaint as Microsoft's Junk Mail Reporting Program sends it: the message attached, the recipient in a header on top of it."""
    boundary = f"{letter.token}_jmrp"
    return to_bytes(
        f"Return-Path: <staff@hotmail.com>\nFrom: <staff@hotmail.com>\nTo: {COMPLAINTS_TO}\n"
        f"Subject: complaint about message from {letter.ip}\nDate: {stamp(letter.at)}\n"
        f"Message-ID: <{letter.token}@mail.hotmail.com>\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n'
        f"--{boundary}\nContent-Type: message/rfc822\nContent-Disposition: inline\n\n"
        f"X-HmXmrOriginalRecipient: {letter.recipient}\n{returned_message(letter)}\n--{boundary}--\n"
    )


def _auto(letter: Letter, subject: str, text: str, *, headers: str = "", charset: str = "utf-8") -> bytes:
    body = b64encode(text.encode(charset)).decode()
    body = "\n".join(body[i : i + 76] for i in range(0, len(body), 76))
    return to_bytes(
        f"Return-Path: <>\nFrom: {letter.recipient}\nTo: {letter.sender}\nSubject: {encoded(subject)}\nDate: {stamp(letter.at)}\n"
        f"Message-ID: <{letter.token}.auto@{letter.recipient.partition('@')[2]}>\nIn-Reply-To: <{letter.message_id}>\n"
        f"References: <{letter.message_id}>\n{headers}MIME-Version: 1.0\n"
        f'Content-Type: text/plain; charset="{charset}"\nContent-Transfer-Encoding: base64\n\n{body}\n'
    )


def vacation_english(letter: Letter) -> bytes:
    """Out of office."""
    return _auto(
        letter,
        f"Out of office: {letter.subject}",
        "Hello,\n\nI am out of the office until Monday with limited access to my email.\n"
        "In urgent cases please call our front desk.\n\nKind regards\n",
        headers="Auto-Submitted: auto-replied\nX-Auto-Response-Suppress: All\nPrecedence: bulk\n",
    )


def vacation_german(letter: Letter) -> bytes:
    """Out of office, in German."""
    return _auto(
        letter,
        f"Automatische Antwort: {letter.subject}",
        "Guten Tag,\n\nich bin bis einschließlich Freitag im Urlaub und nicht erreichbar.\n"
        "Ihre E-Mail wird nicht weitergeleitet.\n\nViele Grüße\n",
        headers="Auto-Submitted: auto-replied\n",
    )


def vacation_japanese(letter: Letter) -> bytes:
    """Out of office, in Japanese and its own charset."""
    return _auto(
        letter,
        "自動応答: 休暇中のお知らせ",
        "お世話になっております。\n\n休暇のため、来週月曜日まで不在にしております。\n戻り次第、ご連絡いたします。\n\nよろしくお願いいたします。\n",
        headers="Auto-Submitted: auto-replied (vacation)\n",
        charset="iso-2022-jp",
    )


def ticket(letter: Letter) -> bytes:
    """A help desk has opened a ticket."""
    return _auto(
        letter,
        f"[Ticket #{letter.number + 20000}] We have received your request",
        f"Thank you for contacting us.\n\nYour request has been received and ticket #{letter.number + 20000} has been opened.\n"
        "Our support team will answer within two working days.\n",
        headers="Auto-Submitted: auto-generated\nPrecedence: auto_reply\n",
    )


def unsubscription(letter: Letter) -> bytes:
    """A mail client writes to the List-Unsubscribe address."""
    return to_bytes(
        f"Return-Path: <{letter.recipient}>\nFrom: {letter.recipient}\nTo: unsubscribe@{letter.sending_domain}\nSubject: {letter.token}\n"
        f"Date: {stamp(letter.at)}\nMessage-ID: <{letter.token}.u@{letter.recipient.partition('@')[2]}>\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=us-ascii\n\nThis message was sent by a mail client to unsubscribe from a list.\n"
    )


def read_receipt(letter: Letter) -> bytes:
    """Somebody's mail client says that the message was displayed (RFC 8098)."""
    boundary = f"mdn-{letter.token}"
    return to_bytes(
        f"From: {letter.recipient}\nTo: {letter.sender}\nSubject: Read: {encoded(letter.subject)}\nDate: {stamp(letter.at)}\n"
        f"Message-ID: <{letter.token}.mdn@{letter.recipient.partition('@')[2]}>\nIn-Reply-To: <{letter.message_id}>\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type=disposition-notification;\n\tboundary="{boundary}"\n\n'
        f"--{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n"
        f"This is a receipt for the mail that you sent to {letter.recipient}.\n\n"
        f"--{boundary}\nContent-Type: message/disposition-notification\n\n"
        f"Reporting-UA: mail.example; Reader 4.2\nFinal-Recipient: rfc822;{letter.recipient}\nOriginal-Message-ID: <{letter.message_id}>\n"
        f"Disposition: manual-action/MDN-sent-manually; displayed\n\n--{boundary}\nContent-Type: text/rfc822-headers\n\n"
        f"{returned_headers(letter)}\n--{boundary}--\n"
    )


def person(letter: Letter) -> bytes:
    """Somebody answers by hand."""
    return to_bytes(
        f"From: {letter.recipient}\nTo: {letter.sender}\nSubject: Re: {encoded(letter.subject)}\nDate: {stamp(letter.at)}\n"
        f"Message-ID: <{letter.token}.re@{letter.recipient.partition('@')[2]}>\nIn-Reply-To: <{letter.message_id}>\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=us-ascii\n\nHello,\n\ndo you have this in green as well?\n\nThank you\n"
    )


COMPLAINTS: dict[str, Form] = {"arf": arf, "jmrp": jmrp}
AUTOMATIC: dict[str, tuple[Form, str]] = {
    "vacation-english": (vacation_english, "vacation"),
    "vacation-german": (vacation_german, "vacation"),
    "ticket": (ticket, "ticket"),
    "vacation-japanese": (vacation_japanese, "vacation"),
}
"""Form and reply type."""
