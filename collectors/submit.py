"""Submits a message to an SMTP provider and keeps the dialogue."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from analyzer.config import SmtpProvider

TIMEOUT = 60.0
MOST_LINES = 500


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of a submission, up to the server's last word."""

    reply: str  # the last reply, "250 2.0.0 Ok: queued as ..."
    failed: str | None  # why it was not taken, a sentence or the server's words; None when it was
    refused: dict[str, str] = field(default_factory=dict)  # recipient -> reply
    dialogue: tuple[str, ...] = ()  # "  0.012 C: EHLO ..." seconds, who, line; secrets masked


class _Recorded(smtplib.SMTP):
    """An SMTP client that writes down what is said."""

    def __init__(self, lines: list[str], **options: Any) -> None:
        self._lines, self._began = lines, time.monotonic()
        self._secret = self._body = False
        super().__init__(**options)

    def _note(self, who: str, text: str) -> None:
        if len(self._lines) < MOST_LINES:
            self._lines.append(f"{time.monotonic() - self._began:8.3f} {who}: {text[:1000]}")

    def send(self, s: Any) -> None:
        text = s.decode("utf-8", "replace") if isinstance(s, bytes) else str(s)
        if self._body:
            self._note("C", f"({len(text):,} bytes of message)")
        elif self._secret:
            self._note("C", "(secret)")
        else:
            self._note("C", text.rstrip("\r\n"))
        super().send(s)

    def putcmd(self, cmd: str, args: str = "") -> None:
        self._secret = cmd.upper().startswith("AUTH") or (self._secret and not args and " " not in cmd)
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()
        for line in text.decode("utf-8", "replace").split("\n"):
            self._note("S", f"{code} {line}")
        self._secret, self._body = code == 334, code == 354
        return code, text


class _RecordedTls(_Recorded, smtplib.SMTP_SSL):
    """The same over TLS from the start."""


def submit(provider: SmtpProvider, sender: str, recipients: Sequence[str], message: bytes) -> Submission:
    """Hands a message over. Whatever goes wrong is in the answer. Raises ConfigError for a missing password alone."""
    lines: list[str] = []
    context = ssl.create_default_context()
    if provider.ca_file:
        context.load_verify_locations(provider.ca_file)
    secret = provider.secret()
    try:
        if provider.tls == "tls":
            client: smtplib.SMTP = _RecordedTls(lines, host=provider.host, port=provider.port, timeout=TIMEOUT, context=context)
        else:
            client = _Recorded(lines, host=provider.host, port=provider.port, timeout=TIMEOUT)
        with client:
            if provider.tls == "starttls":
                client.starttls(context=context)
            if provider.user and secret is not None:
                client.login(provider.user, secret)
            refused = client.sendmail(sender, list(recipients), message)
            final = next((line.partition("S: ")[2] for line in reversed(lines) if "S: 2" in line), "")
            return Submission(final, None, {a: _words(r) for a, r in refused.items()}, tuple(lines))
    except smtplib.SMTPRecipientsRefused as e:
        replies = {a: _words(r) for a, r in e.recipients.items()}
        return Submission(next(iter(replies.values()), ""), "; ".join(f"{a}: {r}" for a, r in replies.items()), replies, tuple(lines))
    except smtplib.SMTPResponseException as e:
        words = _words((e.smtp_code, e.smtp_error))
        return Submission(words, words, dict.fromkeys(recipients, words), tuple(lines))
    except ssl.SSLCertVerificationError as e:
        why = f"the certificate of {provider.host} is not trusted ({e.verify_message}); if it is your own authority, name it in `ca_file`"
        return Submission("", why, {}, tuple(lines))
    except (OSError, smtplib.SMTPException) as e:
        return Submission("", f"{provider.host}:{provider.port}: {e}; check host, port and tls = {provider.tls!r}", {}, tuple(lines))


def _words(reply: tuple[int, bytes | str]) -> str:
    code, text = reply
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return f"{code} {' '.join(said.split())}"[:1000]
