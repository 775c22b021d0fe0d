"""A connection to a configured mailbox: TLS, login, what its errors mean, and which folders are meant."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import imapclient
from imapclient.exceptions import CapabilityError, IMAPClientAbortError, IMAPClientError, LoginError, ProtocolError

from analyzer.sources import ImapSource
from collectors.base import SourceFailed, trust
from collectors.imap.advice import after_login_refusal
from collectors.imap.login import spoken, with_password, with_token
from collectors.imap.oauth import AccessTokens

TIMEOUT = 60.0  # seconds without an answer
PARTING = 2.0  # seconds without an answer to a farewell
LOST = (IMAPClientError, imaplib.IMAP4.abort, imaplib.IMAP4.error, OSError, EOFError)
"""What the libraries raise when the server refuses (IMAP4.error), and when the connection is gone (all others)."""
GARBLED = (ValueError, TypeError, KeyError, IndexError, AttributeError, ProtocolError)
"""What the libraries raise over answers that are no IMAP."""
NOT_FOR_PATTERNS = {b"\\noselect", b"\\nonexistent", b"\\all", b"\\flagged", b"\\important"}
"""Flags of folders that hold no mail, or views of mail that lies in another folder (RFC 6154)."""


class _Refused(SourceFailed):
    """The server does not take the password or the token."""


class Mailbox:
    """A configured mailbox, and the way into it."""

    def __init__(self, name: str, source: ImapSource) -> None:
        self.source = source
        self.where = f"mailbox {source.user} on {source.host} (sources.{name})"
        self.port = source.port or (993 if source.tls == "tls" else 143)
        self.method = ""  # how the last login was made
        self._tokens = AccessTokens(source.oauth, self.where, source.ca_file) if source.oauth else None

    def ready(self) -> None:
        """Are the secrets where they should be? Raises ConfigError."""
        if self.source.oauth:
            self.source.oauth.secrets()
        else:
            self.source.secret()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session that is logged in; closed in the end. Raises SourceFailed, ConfigError."""
        session = Session(self)
        try:
            yield session
        except (*LOST, *GARBLED) as e:
            raise SourceFailed(f"{self.where}: {reason(e)}") from (e if isinstance(e, GARBLED) else None)
        finally:
            session.close()

    def enter(self) -> Any:
        """A client that is logged in. Raises SourceFailed, ConfigError."""
        if self._tokens and self._tokens.held:
            with suppress(_Refused):
                return self._sign_in(self._connect())
            self._tokens.forget()  # it was withdrawn before it expired
        return self._sign_in(self._connect())

    def _connect(self) -> Any:
        s, context = self.source, trust(self.source.ca_file)
        try:
            client = imapclient.IMAPClient(
                s.host, self.port, ssl=s.tls == "tls", ssl_context=context if s.tls == "tls" else None, timeout=TIMEOUT
            )
            # it makes a text of everything that is received, in case somebody should want to log it
            client._imap.debug = 0
            if s.tls == "starttls":
                _start_tls(client, context)
        except ssl.SSLCertVerificationError as e:
            raise SourceFailed(
                f"{self.where}: its certificate is not trusted ({e.verify_message}); if it is your own authority, name it in `ca_file`."
            ) from None
        except (ssl.SSLError, CapabilityError, *LOST) as e:
            raise SourceFailed(
                f"{self.where}: cannot connect to port {self.port} ({short(e)}); check host, port and tls = {s.tls!r}."
            ) from None
        except GARBLED as e:
            raise SourceFailed(f"{self.where}: {reason(e)}") from e
        return client

    def _sign_in(self, client: Any) -> Any:
        """The client, logged in. Raises SourceFailed, ConfigError; then it is closed."""
        what, secret = "access token" if self._tokens else "password", ""
        try:
            secret = self._tokens.get() if self._tokens else self.source.secret()
            self.method = (with_token if self._tokens else with_password)(client, self.source.user, secret)
        except (*LOST, *GARBLED) as e:
            leave(client)
            words = short(e, *spoken(self.source.user, secret))
            if isinstance(e, LoginError) and not isinstance(e.__context__, IMAPClientAbortError):
                raise _Refused(f"{self.where}: the server refused the {what} ({words}); {after_login_refusal(what, words)}") from None
            raise SourceFailed(f"{self.where}: the connection was lost before the {what} was accepted ({words}).") from None
        except BaseException:
            leave(client)
            raise
        return client


class Session:
    """A client that is logged in, and is made anew when the connection was lost."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._client: Any = mailbox.enter()
        self._level = ""  # the server's mark between the levels of a folder's name, once it is known

    @property
    def client(self) -> Any:
        """The client. Raises SourceFailed, ConfigError when it cannot be made anew."""
        if self._client is None:
            self._client = self._mailbox.enter()
        return self._client

    def close(self) -> None:
        """Logs out. The next use connects anew."""
        if self._client is not None:
            leave(self._client)
        self._client = None

    def spelt(self, name: str) -> str:
        """A folder's name, or a pattern, with the server's mark between levels for each /."""
        if "/" in name and not self._level:
            # a LIST of nothing tells the mark alone (RFC 9051 §6.3.9)
            marks = [mark.decode("ascii", "replace") for _, mark, _ in self.client.list_folders("", "") if mark]
            self._level = marks[0] if marks else "/"
        return name.replace("/", self._level)

    def matching(self, pattern: str) -> list[str]:
        """The folders that a pattern means; a plain name is itself, there or not."""
        name = self.spelt(pattern)
        if "*" not in name:
            return [name]
        found = self.client.list_folders("", name)
        return [folder for flags, _, folder in found if not {bytes(f).lower() for f in flags} & NOT_FOR_PATTERNS]

    def there(self) -> str:
        """The folders that there are, for a sentence."""
        return ", ".join(name for _, _, name in self.client.list_folders())[:300] or "none"


def _start_tls(client: Any, context: ssl.SSLContext) -> None:
    try:
        client.starttls(context)
    except BaseException:
        leave(client)
        raise


def gone(e: BaseException) -> bool:
    """Is the connection of no more use after this?"""
    return not isinstance(e, IMAPClientError) or isinstance(e, (IMAPClientAbortError, ProtocolError))


def reason(e: BaseException) -> str:
    """Why a folder or a whole mailbox could not be read on."""
    if isinstance(e, GARBLED):
        return f"the server's answer cannot be read ({type(e).__name__}: {short(e)}); is that an IMAP server?"
    if gone(e):
        return f"the connection was lost ({short(e)}); what was kept stays, the next pass goes on from there."
    return f"the server refused ({short(e)})."


def leave(client: Any) -> None:
    """Logs out, or hangs up on a server that does not listen any more."""
    try:
        client.socket().settimeout(PARTING)
        client.logout()
    except (*GARBLED, *LOST):
        with suppress(OSError, AttributeError):  # it may be closed already
            client.shutdown()


def short(e: BaseException, *hidden: str) -> str:
    """What an error says, in one line, without what is to be hidden."""
    words = str(e)
    if words.startswith(("b'", 'b"')):
        words = words[2:-1]
    for one in filter(None, hidden):
        words = words.replace(one, "(secret)")
    return " ".join(words.split())[:200] or type(e).__name__
