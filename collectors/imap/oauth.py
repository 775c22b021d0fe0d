"""Access tokens for a mailbox (RFC 6749): asked for when needed, held in memory until shortly before they expire.

The request is one form sent by HTTPS and one JSON object back, so no library beyond the standard one is asked to make it.
"""

from __future__ import annotations

import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

from analyzer.sources import OAuth
from collectors.base import SourceFailed, trust
from collectors.imap.advice import after_token_refusal

TIMEOUT = 30.0  # seconds without an answer
MOST_BYTES = 256 * 1024  # of an answer
EARLY = 300.0  # seconds before its end that a token is not used any more
USUAL_LIFE = 3600.0  # seconds, where the server does not say (RFC 6749 §5.1 only recommends it)

MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
PRESETS = {
    ("google", True): ("https://oauth2.googleapis.com/token", "https://mail.google.com/"),
    ("microsoft365", True): (MICROSOFT, "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"),
    ("microsoft365", False): (MICROSOFT, "https://outlook.office365.com/.default"),
}
"""Preset, in the name of a user? -> token URL, scope.

https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
"""


class AccessTokens:
    """Gets the access token of one mailbox, and anew when it is about to expire. `where` names the mailbox in errors."""

    def __init__(self, oauth: OAuth, where: str, ca_file: Path | None) -> None:
        self._oauth, self._where, self._ca_file = oauth, where, ca_file
        url, scope = PRESETS.get((oauth.preset or "", oauth.for_user), ("", ""))
        self._url = oauth.token_url or url.format(tenant=oauth.tenant)
        self._scope = oauth.scope or scope
        self._token, self._until = "", 0.0
        self._newer_refresh_token = ""

    @property
    def held(self) -> bool:
        """Is there a token from an earlier request that should still be good?"""
        return bool(self._token) and time.monotonic() < self._until

    def forget(self) -> None:
        """The next one is asked for: the server refused this one."""
        self._token = ""

    def get(self) -> str:
        """An access token. Raises SourceFailed, ConfigError."""
        if not self.held:
            self._renew()
        return self._token

    def _renew(self) -> None:
        form = {"client_id": self._oauth.client_id, "grant_type": "client_credentials"} | self._oauth.secrets()
        if self._oauth.for_user:
            form["grant_type"] = "refresh_token"
            # Microsoft hands out a new one each time, which lives longer than the one that is configured
            form["refresh_token"] = self._newer_refresh_token or form["refresh_token"]
        if self._scope:
            form["scope"] = self._scope
        answer = self._ask(form)
        token, life = answer.get("access_token"), _seconds(answer.get("expires_in"))
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SourceFailed(f"{self._where}: {self._url} answered without an access token; check token_url.")
        self._token, self._until = token, time.monotonic() + life - min(EARLY, life / 2)
        self._newer_refresh_token = str(answer.get("refresh_token") or self._newer_refresh_token)

    def _ask(self, form: dict[str, str]) -> dict[str, Any]:
        """The answer to a token request."""
        request = urllib.request.Request(self._url, urllib.parse.urlencode(form).encode(), {"Accept": "application/json"})  # noqa: S310 - the configuration takes https alone
        try:
            with _opened(request, trust(self._ca_file)) as answer:
                status, said = answer.status, _json(answer.read(MOST_BYTES))
        except OSError as e:  # urllib's URLError and every failure of TLS are of this kind
            why = _without(str(getattr(e, "reason", e)), form)
            raise SourceFailed(
                f"{self._where}: cannot reach {self._url} for an access token ({_short(why)}); check the network, a proxy (HTTPS_PROXY) and token_url."
            ) from None
        except (HTTPException, ValueError):
            raise SourceFailed(f"{self._where}: what answers at {self._url} does not speak HTTP; check token_url.") from None
        if status != HTTPStatus.OK:
            code, words = str(said.get("error") or f"HTTP {status}"), _without(str(said.get("error_description") or ""), form)
            raise SourceFailed(f"{self._where}: no access token ({_short(code, words)}): {after_token_refusal(code, words)}")
        return said


def _opened(request: urllib.request.Request, context: ssl.SSLContext) -> Any:
    """The answer, also where it is an error."""
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT, context=context)  # noqa: S310
    except urllib.error.HTTPError as e:
        return e


def _json(body: bytes) -> dict[str, Any]:
    """A JSON object; {} when it is something else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(life: object) -> float:
    """How long a token lives."""
    try:
        return max(0.0, min(float(str(life)), 86_400.0))
    except ValueError:
        return USUAL_LIFE


def _without(words: str, form: dict[str, str]) -> str:
    """Words of a server without the secrets that it was told."""
    for key in ("client_secret", "refresh_token"):
        if form.get(key):
            words = words.replace(form[key], "(secret)")
    return words


def _short(*words: str) -> str:
    return " ".join(": ".join(w for w in words if w).split())[:240]
