"""Returned mail and warnings, in the forms of the systems that write them: each form takes a Letter and gives the bytes.

Forms with a delivery-status part follow RFC 3464; Exim's and qmail's prose is older than it and still about.
"""

from __future__ import annotations

from collections.abc import Callable

from analyzer.demo.letter import BOUNCES, Letter, folded, multipart, returned_headers, returned_message, stamp, to_bytes

Form = Callable[[Letter], bytes]


def _said(letter: Letter) -> str:
    """The reply as Postfix words it, on one line."""
    words = " ".join(letter.lines())
    if not letter.reply.host:
        return words
    return f"host {letter.host}[{letter.host_ip}] said: {words} (in reply to {letter.reply.stage} command)"


def _postfix(letter: Letter, *, delayed: bool) -> bytes:
    host = f"out{letter.number % 4 + 1}.{letter.relay}"
    said = _said(letter)
    smtp = letter.reply.host
    # a reply is passed on as it is; where no host answered, Postfix speaks for itself
    diagnostic = f"smtp; {' '.join(letter.lines())}" if smtp else f"X-Postfix; {said}"
    remote = f"Remote-MTA: dns; {letter.host}\n" if smtp else ""
    until = f"Will-Retry-Until: {stamp(letter.sent_at + 5 * 86400)}\n" if delayed else ""
    opening = (
        "####################################################################\n"
        "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n"
        "####################################################################\n\n"
        "Your message could not be delivered for more than 1 hour(s).\n"
        "It will be retried until it is 5 day(s) old.\n"
        if delayed
        else "I'm sorry to have to inform you that your message could not\n"
        "be delivered to one or more recipients. It's attached below.\n\n"
        "For further assistance, please send mail to postmaster.\n"
    )
    subject = "Delayed Mail (still being retried)" if delayed else "Undelivered Mail Returned to Sender"
    return multipart(
        letter,
        f"Received: by {host} (Postfix)\n\tid {letter.token[:10].upper()}; {stamp(letter.at)}\n"
        f"From: MAILER-DAEMON@{letter.relay} (Mail Delivery System)\nSubject: {subject}\n"
        f"Message-Id: <{letter.token}.{letter.at:x}@{host}>\nAuto-Submitted: auto-replied\n",
        "Content-Description: Notification\nContent-Type: text/plain; charset=us-ascii\n\n"
        f"This is the mail system at host {host}.\n\n{opening}\n                   The mail system\n\n"
        f"<{letter.recipient}>: {folded(said)}\n",
        f"Reporting-MTA: dns; {host}\nX-Postfix-Queue-ID: {letter.token[:10].upper()}\nX-Postfix-Sender: rfc822; {BOUNCES}\n"
        f"Arrival-Date: {stamp(letter.sent_at)}\n\n"
        f"Final-Recipient: rfc822; {letter.recipient}\nOriginal-Recipient: rfc822;{letter.recipient}\n"
        f"Action: {'delayed' if delayed else 'failed'}\nStatus: {letter.status}\n{remote}Diagnostic-Code: {folded(diagnostic)}\n{until}",
        returned_headers(letter),
        boundary=f"{letter.token[:10].upper()}.{letter.at}/{host}",
        headers_only=True,
    )


def postfix(letter: Letter) -> bytes:
    """Postfix returns a message."""
    return _postfix(letter, delayed=False)


def postfix_warning(letter: Letter) -> bytes:
    """Postfix warns that it still tries."""
    return _postfix(letter, delayed=True)


def _exim_words(letter: Letter) -> str:
    if not letter.reply.host:
        if letter.status == "5.4.4":
            return "    all relevant MX records point to non-existent hosts"
        return f"    host {letter.host} [{letter.host_ip}]\n    Connection timed out: retry timeout exceeded"
    lines = "\n".join(f"    {line}" for line in letter.lines())
    # as Exim names the step: with its argument, or "end of data"
    argument = {"RCPT TO": f"RCPT TO:<{letter.recipient}>", "MAIL FROM": f"MAIL FROM:<{BOUNCES}>"}
    step = argument.get(letter.reply.stage, "end of data")
    return f"    host {letter.host} [{letter.host_ip}]\n    SMTP error from remote mail server after {step}:\n{lines}"


def _exim_head(letter: Letter, subject: str) -> str:
    host = f"mx{letter.number % 2 + 1}.{letter.relay}"
    return (
        f"Received: from Debian-exim by {host} with local (Exim 4.98)\n"
        f"\tid 1t{letter.token[:6]}-0000{letter.token[6:8]}-1A; {stamp(letter.at)}\n"
        f"X-Failed-Recipients: {letter.recipient}\nAuto-Submitted: auto-replied\n"
        f"From: Mail Delivery System <Mailer-Daemon@{host}>\nSubject: {subject}\nMessage-Id: <E1t{letter.token}@{host}>\n"
    )


_EXIM_FAILED = (
    "This message was created automatically by mail delivery software.\n\n"
    "A message that you sent could not be delivered to one or more of its\n"
    "recipients. This is a permanent error. The following address(es) failed:\n\n"
)


def exim(letter: Letter) -> bytes:
    """Exim returns a message, with a delivery-status part as newer versions do."""
    remote = (
        f"Remote-MTA: dns; {letter.host}\nDiagnostic-Code: smtp; {folded(' '.join(letter.lines()), ' ')}\n" if letter.reply.host else ""
    )
    status = letter.status if letter.reply.host else "5.0.0"
    return multipart(
        letter,
        _exim_head(letter, "Mail delivery failed: returning message to sender"),
        f"Content-type: text/plain; charset=us-ascii\n\n{_EXIM_FAILED}  {letter.recipient}\n{_exim_words(letter)}\n",
        f"Reporting-MTA: dns; mx{letter.number % 2 + 1}.{letter.relay}\n\n"
        f"Action: failed\nFinal-Recipient: rfc822;{letter.recipient}\nStatus: {status}\n{remote}",
        returned_message(letter),
        boundary=f"{letter.at}-eximdsn-{letter.number}",
    )


def exim_prose(letter: Letter) -> bytes:
    """Exim returns a message in words alone, as older versions do."""
    return to_bytes(
        f"Return-path: <>\n{_exim_head(letter, 'Mail delivery failed: returning message to sender')}To: {BOUNCES}\n"
        f"Date: {stamp(letter.at)}\n\n"
        f"{_EXIM_FAILED}  {letter.recipient}\n{_exim_words(letter)}\n\n"
        f"------ This is a copy of the message, including all the headers. ------\n\n{returned_message(letter)}"
    )


def exim_warning(letter: Letter) -> bytes:
    """Exim warns that it still tries."""
    hours = max(1, (letter.at - letter.sent_at) // 3600)
    queue_id = f"1t{letter.token[:6]}-0000{letter.token[6:8]}-1A"
    host = f"mx{letter.number % 2 + 1}.{letter.relay}"
    text = (
        "Content-type: text/plain; charset=us-ascii\n\n"
        "This message was created automatically by mail delivery software.\n"
        "A message that you sent has not yet been delivered to one or more of its\n"
        f"recipients after more than {hours} hours on the queue on {host}.\n\n"
        f"The message identifier is:     {queue_id}\n"
        f"The date of the message is:    {stamp(letter.sent_at)}\n\n"
        f"The address to which the message has not yet been delivered is:\n\n  {letter.recipient}\n{_exim_words(letter)}\n\n"
        "No action is required on your part. Delivery attempts will continue for\n"
        "some time, and this warning may be repeated at intervals if the message\n"
        "remains undelivered. Eventually the mail delivery software will give up,\n"
        "and when that happens, the message will be returned to you.\n"
    )
    status = f"Reporting-MTA: dns; {host}\n\nAction: delayed\nFinal-Recipient: rfc822;{letter.recipient}\nStatus: {letter.status}\n"
    remote = (
        f"Remote-MTA: dns; {letter.host}\nDiagnostic-Code: smtp; {folded(' '.join(letter.lines()), ' ')}\n" if letter.reply.host else ""
    )
    return multipart(
        letter,
        _exim_head(letter, f"Warning: message {queue_id} delayed {hours} hours"),
        text,
        status + remote,
        returned_headers(letter),
        boundary=f"{letter.at}-eximdsn-{letter.number}",
        headers_only=True,
    )


def _sendmail_words(letter: Letter) -> tuple[str, str, str]:
    """The reason, the transcript and the Diagnostic-Code line of a message that Sendmail returns."""
    if letter.reply.host:
        lines = letter.lines()
        command = "DATA" if "DATA" in letter.reply.stage else f"{letter.reply.stage}:<{letter.recipient}>"
        dead = letter.status == "5.1.1"
        ending = f"550 5.1.1 <{letter.recipient}>... User unknown" if dead else "554 5.0.0 Service unavailable"
        session = "\n".join([f"... while talking to {letter.host}.:", f">>> {command}", *(f"<<< {line}" for line in lines), ending])
        return lines[-1], session, f"Diagnostic-Code: SMTP; {folded(' '.join(lines), ' ')}\n"
    if letter.status == "5.4.4":
        session = f"550 5.1.2 <{letter.recipient}>... Host unknown (Name server: {letter.host}: host not found)"
        return "Host unknown", session, ""
    why = f"Connection timed out with {letter.host}."
    session = f"<{letter.recipient}>... Deferred: {why}\nMessage could not be delivered for 5 days\nMessage will be deleted from queue"
    return why, session, ""


def sendmail(letter: Letter) -> bytes:
    """Sendmail returns a message."""
    host = f"relay{letter.number % 2 + 1}.{letter.relay}"
    why, session, diagnostic = _sendmail_words(letter)
    status = "5.1.2" if letter.status == "5.4.4" else letter.status
    return multipart(
        letter,
        f"Received: from localhost (localhost)\n\tby {host} (8.18.1/8.18.1) id {letter.token[:12]};\n\t{stamp(letter.at)}\n"
        f"From: Mail Delivery Subsystem <MAILER-DAEMON@{letter.relay}>\nMessage-Id: <{letter.token}.{letter.at}@{host}>\n"
        "Subject: Returned mail: see transcript for details\nAuto-Submitted: auto-generated (failure)\n",
        f"\nThe original message was received at {stamp(letter.sent_at)}\nfrom app3.lindenshop.example [192.0.2.10]\n\n"
        "   ----- The following addresses had permanent fatal errors -----\n"
        f"<{letter.recipient}>\n    (reason: {why})\n\n   ----- Transcript of session follows -----\n{session}\n",
        f"Reporting-MTA: dns; {host}\nReceived-From-MTA: DNS; app3.lindenshop.example\nArrival-Date: {stamp(letter.sent_at)}\n\n"
        f"Final-Recipient: RFC822; {letter.recipient}\nAction: failed\nStatus: {status}\n"
        f"Remote-MTA: DNS; {letter.host}\n{diagnostic}Last-Attempt-Date: {stamp(letter.at)}\n",
        returned_headers(letter),
        boundary=f"{letter.token[:12]}.{letter.at}/{host}",
        headers_only=True,
    )


def ses(letter: Letter) -> bytes:
    """The short form of a large cloud relay: one sentence, the status, the message."""
    words = " ".join(letter.lines())
    return multipart(
        letter,
        f"From: MAILER-DAEMON@{letter.relay}\nSubject: Delivery Status Notification (Failure)\n"
        f"Message-ID: <0102019a{letter.token}-000000@{letter.relay}>\n",
        "Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: 7bit\n\n"
        f"An error occurred while trying to deliver the mail to the following recipients:\n{letter.recipient}\n",
        f"Reporting-MTA: dns; b{letter.number % 9}-{letter.number % 40 + 2}.smtp-out.{letter.relay}\n\n"
        f"Action: failed\nFinal-Recipient: rfc822; {letter.recipient}\nDiagnostic-Code: smtp; {words}\nStatus: {letter.status}\n",
        returned_message(letter),
        boundary=f"----=_Part_{letter.number}_{letter.at}.{letter.number % 9973}",
    )


FORMS: dict[str, Form] = {
    "postfix": postfix,
    "postfix-warning": postfix_warning,
    "exim": exim,
    "exim-prose": exim_prose,
    "exim-warning": exim_warning,
    "sendmail": sendmail,
    "ses": ses,
}
