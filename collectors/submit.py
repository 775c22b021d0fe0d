"""Submits a message to an SMTP provider and keeps the dialogue, in which no secret stands."""

from __future__ import annotations

import base64
import contextlib
import re
import smtplib
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analyzer.config import SmtpProvider
from analyzer.model import Stage
from collectors.base import trust

TIMEOUT = 60.0  # seconds without an answer
MOST_LINES = 500  # of the dialogue
MOST_LINE = 1000  # characters
MOST_REPLY = 64 * 1024  # bytes of one reply, over all its lines
STAGES = {
    "": Stage.CONNECT,
    "ehlo": Stage.EHLO,
    "helo": Stage.EHLO,
    "starttls": Stage.EHLO,
    "auth": Stage.AUTH,
    "mail": Stage.MAIL,
    "rcpt": Stage.RCPT,
    "data": Stage.DATA,
}
"""The last command -> the step in which a submission failed."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a submission, up to the server's last word."""

    reply: str  # the last reply, "250 2.0.0 Ok: queued as ..."; "" when there was none
    failed: str | None  # why nobody's copy was taken, a sentence or the server's words; None when it was
    refused: dict[str, str] = field(default_factory=dict)  # recipient -> reply
    dialogue: tuple[str, ...] = ()  # "   0.012 C: EHLO ..." seconds, who, line; secrets masked
    stage: Stage | None = None  # where it failed


class _Dialogue:
    """What was said and when: bounded, and without the password in any of its forms, whoever says it."""

    def __init__(self, user: str | None, secret: str | None) -> None:
        self.lines: list[str] = []
        self.verb = ""  # of the last command
        self._began = time.monotonic()
        plain = [f"\0{user or ''}\0{secret}".encode(), secret.encode()] if secret else []
        self._secrets = [base64.b64encode(p).decode().rstrip("=") for p in plain] + ([secret] if secret else [])

    def note(self, who: str, text: str) -> None:
        """Writes a line down."""
        if len(self.lines) < MOST_LINES:
            self.lines.append(f"{time.monotonic() - self._began:8.3f} {who}: {self.clean(text)[:MOST_LINE]}")

    def clean(self, text: str) -> str:
        """A text without the password: servers have been seen to repeat what they did not understand."""
        for secret in self._secrets:
            text = text.replace(secret, "(secret)")
        return text

    def failure(self, reply: str, failed: str, refused: dict[str, str] | None = None) -> Submission:
        """A submission that came to nothing."""
        replies = {a: self.clean(r) for a, r in (refused or {}).items()}
        stage = STAGES.get(self.verb, Stage.DATA)
        return Submission(self.clean(reply), self.clean(failed), replies, tuple(self.lines), stage)


class _Bounded:
    """The server's replies as a file, at most MOST_REPLY bytes of each."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, MOST_REPLY
        self.close = file.close

    def next(self) -> None:
        """A new reply begins."""
        self._left = MOST_REPLY

    def readline(self, most: int) -> bytes:
        """As of a file. Raises OSError when the reply has become too long."""
        line: bytes = self._file.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise OSError(f"the server's reply is longer than {MOST_REPLY:,} bytes")
        return line


class _Recorded(smtplib.SMTP):
    """An SMTP client that writes down what is said."""

    def __init__(self, dialogue: _Dialogue, **options: Any) -> None:
        self._dialogue = dialogue
        self._secret = self._body = False
        super().__init__(**options)

    def send(self, s: Any) -> None:
        text = s.decode("utf-8", "replace") if isinstance(s, bytes) else str(s)
        if self._body:
            self._dialogue.note("C", f"({len(s):,} bytes of message)")
        elif self._secret:
            words = text.split()
            self._dialogue.note("C", " ".join([*words[:2], "(secret)"]) if words[0].upper() == "AUTH" else "(secret)")
        else:
            self._dialogue.note("C", text.rstrip("\r\n"))
        super().send(s)

    def putcmd(self, cmd: str, args: str = "") -> None:
        # what follows AUTH, and what answers a 334, is a secret
        answer = self._secret
        self._secret = answer or cmd.upper().startswith("AUTH")
        if not answer and cmd.lower() not in {"quit", "rset", "noop"}:
            self._dialogue.verb = cmd.lower()
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = _Bounded(self.sock.makefile("rb"))  # type: ignore[union-attr]
        self.file.next()
        code, text = super().getreply()
        for line in text.decode("utf-8", "replace").split("\n"):
            self._dialogue.note("S", f"{code} {line}")
        self._secret, self._body = code == 334, code == 354
        return code, text


class _RecordedTls(_Recorded, smtplib.SMTP_SSL):
    """The same over TLS from the start."""


def submit(provider: SmtpProvider, sender: str, recipients: Sequence[str], message: bytes) -> Submission:
    """Hands a message over, its line ends made CRLF; without recipients it only logs in. Whatever goes wrong is in the answer. Raises ConfigError for a password or a file of
    authorities that is missing, and for nothing else."""
    secret, context = provider.secret(), trust(provider.ca_file)
    said = _Dialogue(provider.user, secret)
    where = f"{provider.host}:{provider.port}"
    for address in (sender, *recipients):
        # smtplib would take something else for the address, and mail that
        if any(c in "<>" or c.isspace() or not c.isprintable() for c in address):
            return said.failure("", f"{address!r:.200} is no mail address")
    try:
        return _submit(provider, context, secret, said, sender, recipients, message)
    except smtplib.SMTPRecipientsRefused as e:
        replies = {a: _words(r) for a, r in e.recipients.items()}
        words = list(dict.fromkeys(replies.values()))
        # one recipient needs no name before the words; several replies do
        told = words[0] if len(words) == 1 else "; ".join(f"{a}: {r}" for a, r in replies.items())
        return said.failure(words[0] if words else "", told, replies)
    except smtplib.SMTPResponseException as e:
        words_ = _words((e.smtp_code, e.smtp_error))
        return said.failure(words_, words_, dict.fromkeys(recipients, words_))
    except ssl.SSLCertVerificationError as e:
        return said.failure(
            "", f"the certificate of {where} is not trusted ({e.verify_message}); if it is your own authority, name it in `ca_file`"
        )
    except UnicodeError:
        return said.failure("", f"{where}: the user, the password or an address has characters that its SMTP does not take")
    except (OSError, ValueError, smtplib.SMTPException) as e:
        return said.failure("", f"{where}: {e}; check host, port and tls = {provider.tls!r}")


def _submit(
    provider: SmtpProvider, context: ssl.SSLContext, secret: str | None, said: _Dialogue, sender: str, recipients: Sequence[str], message: bytes
) -> Submission:  # fmt: skip
    at = {"host": provider.host, "port": provider.port, "timeout": TIMEOUT}
    client: smtplib.SMTP = _RecordedTls(said, context=context, **at) if provider.tls == "tls" else _Recorded(said, **at)
    try:
        if provider.tls == "starttls":
            client.starttls(context=context)
        if isinstance(client.sock, ssl.SSLSocket):
            said.note("-", f"{client.sock.version()} {(client.sock.cipher() or ('',))[0]}")
        if provider.user and secret is not None:
            client.login(provider.user, secret)
        client.ehlo_or_helo_if_needed()
        if not recipients:
            return Submission("", None, {}, tuple(said.lines))
        data = re.sub(rb"\r\n?|\n", b"\r\n", message)  # RFC 5321 §2.3.8: a bare CR or LF is refused by careful servers
        options = []
        if not data.isascii() and client.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if not all(a.isascii() for a in (sender, *recipients)):
            options.append("SMTPUTF8")
        refused = client.sendmail(sender, list(recipients), data, options)
        last = said.lines[-1].partition("S: ")[2] if said.lines else ""
        return Submission(last, None, {a: said.clean(_words(r)) for a, r in refused.items()}, tuple(said.lines))
    finally:
        # whatever it answers to this, the mail was taken or refused before
        with contextlib.suppress(OSError, smtplib.SMTPException):
            client.quit()
        client.close()


def _words(reply: tuple[int, bytes | str]) -> str:
    code, text = reply
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"{code} {' '.join(said.split())}"[:MOST_LINE]
