"""Mail that a receiving company's own system returns after having taken it: Exchange, Microsoft 365, Google Workspace, qmail."""

from __future__ import annotations

from analyzer.demo.bounces import Form
from analyzer.demo.letter import BOUNCES, Letter, folded, multipart, returned_headers, returned_message, stamp, to_bytes


def microsoft365(letter: Letter) -> bytes:
    """The non-delivery report of Microsoft 365, for people first."""
    words = " ".join(letter.lines())
    server = f"AM9P{letter.token[:6].upper()}.eurprd04.prod.outlook.com"
    return multipart(
        letter,
        f"From: Microsoft Outlook\n\t<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@{letter.recipient.partition('@')[2]}>\n"
        f"Subject: Undeliverable: {letter.mail_type}\nMessage-ID: <{letter.token}@{server}>\nIn-Reply-To: <{letter.message_id}>\n"
        "Auto-Submitted: auto-replied\nX-MS-Exchange-Message-Is-Ndr: \nX-MS-Exchange-Organization-SCL: -1\n",
        'Content-Type: text/plain; charset="us-ascii"\n\n'
        f"Delivery has failed to these recipients or groups:\n\n{letter.recipient}<mailto:{letter.recipient}>\n"
        "Your message couldn't be delivered. See the details below, or ask the\nrecipient's mail administrator for help.\n\n\n"
        f"Diagnostic information for administrators:\n\nGenerating server: {server}\n\n{letter.recipient}\n"
        f"Remote Server returned '{words}'\n",
        f"Reporting-MTA: dns;{server}\nReceived-From-MTA: dns;out{letter.number % 4 + 1}.{letter.relay}\n"
        f"Arrival-Date: {stamp(letter.sent_at)}\n\n"
        f"Final-Recipient: rfc822;{letter.recipient}\nAction: failed\nStatus: {letter.status}\nDiagnostic-Code: smtp;{words}\n",
        returned_message(letter),
        boundary=f"_{letter.token[:8]}-f2c5-4a21-{letter.token[8:12]}_{server}_",
    )


def exchange(letter: Letter) -> bytes:
    """A company's own Exchange: recipient in lower case, the reply behind a hash sign."""
    recipient = letter.recipient.lower()
    domain = recipient.partition("@")[2]
    words = " ".join(letter.lines()).replace(letter.recipient, recipient)
    return multipart(
        letter,
        f"From: Postmaster <postmaster@{domain}>\nSubject: Unzustellbar: {letter.mail_type}\nMessage-ID: <{letter.token}@ex01.{domain}>\n"
        f"In-Reply-To: <{letter.message_id}>\nX-MS-Exchange-Message-Is-Ndr: \n",
        'Content-Type: text/plain; charset="iso-8859-1"\nContent-Transfer-Encoding: quoted-printable\n\n'
        f"Fehler bei der Nachrichtenzustellung an folgende Empf=E4nger oder Verteiler=\nlisten:\n\n{recipient}\n"
        "Die eingegebene E-Mail-Adresse konnte nicht gefunden werden.\n\n"
        f"Diagnoseinformationen f=FCr Administratoren:\n\nGenerierender Server: ex01.{domain}\n\n{recipient}\n"
        f"#{words.replace('=', '=3D')} ##\n",
        f"Reporting-MTA: dns;ex01.{domain}\nReceived-From-MTA: dns;mail.{domain}\nArrival-Date: {stamp(letter.sent_at)}\n\n"
        f"Original-Recipient: rfc822;{recipient}\nFinal-Recipient: rfc822;{recipient}\nAction: failed\nStatus: {letter.status}\n"
        f"Diagnostic-Code: smtp;{words}\nX-Display-Name: {recipient.partition('@')[0]}\n",
        returned_message(letter),
        boundary=f"_000_{letter.token}ex01_",
    )


def google(letter: Letter) -> bytes:
    """Google's notification: a heading between asterisks, then the response of the server."""
    words = "\n ".join(letter.lines())
    return multipart(
        letter,
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\nSubject: Delivery Status Notification (Failure)\n"
        f"Auto-Submitted: auto-replied\nX-Failed-Recipients: {letter.recipient}\nIn-Reply-To: <{letter.message_id}>\n"
        f"References: <{letter.message_id}>\nMessage-ID: <{letter.token}.{letter.at}@mx.google.com>\n",
        'Content-Type: text/plain; charset="UTF-8"\n\n'
        "\n** Message not delivered **\n\n"
        f"Your message wasn't delivered to {letter.recipient}. See the technical details below.\n\n\nThe response was:\n\n"
        f"{folded(' '.join(letter.lines()), '')}\n",
        f"Reporting-MTA: dns; googlemail.com\nReceived-From-MTA: dns; {BOUNCES}\nArrival-Date: {stamp(letter.sent_at)}\n"
        f"X-Original-Message-ID: <{letter.message_id}>\n\n"
        f"Final-Recipient: rfc822; {letter.recipient}\nAction: failed\nStatus: {letter.status}\nDiagnostic-Code: smtp; {words}\n"
        f"Last-Attempt-Date: {stamp(letter.at)}\n",
        returned_headers(letter) + "\n----- Message truncated -----\n",
        boundary=f"000000000000{letter.token[:12]}",
    )


def qmail(letter: Letter) -> bytes:
    """qmail returns a message, in prose as it always has."""
    domain = letter.recipient.partition("@")[2]
    words = "\n".join(line[10:] if line[4:5].isdigit() else line for line in letter.lines())
    return to_bytes(
        f"Return-Path: <>\nReceived: (qmail {letter.number % 30000} invoked for bounce); {stamp(letter.at)}\nDate: {stamp(letter.at)}\n"
        f"From: MAILER-DAEMON@mail.{domain}\nTo: {BOUNCES}\nSubject: failure notice\n\n"
        f"Hi. This is the qmail-send program at mail.{domain}.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        f"<{letter.recipient}>:\n{words}\n\n--- Below this line is a copy of the message.\n\n{returned_message(letter)}"
    )


FORMS: dict[str, Form] = {"microsoft365": microsoft365, "exchange": exchange, "google": google, "qmail": qmail}
