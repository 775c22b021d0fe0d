"""Signing in to an IMAP server: by password, or by an access token with XOAUTH2 or OAUTHBEARER."""

from __future__ import annotations

import base64
from typing import Any

from imapclient.exceptions import LoginError


def with_password(client: Any, user: str, password: str) -> str:
    """Signs in and names the way. Raises LoginError."""
    if password.isascii() and user.isascii():
        client.login(user, password)
    else:
        client.plain_login(user, password)  # LOGIN has no way to say in which characters it speaks
    return "password"


def with_token(client: Any, user: str, token: str) -> str:
    """Signs in and names the mechanism. Raises LoginError with what the server thinks of the token."""
    # Google and Microsoft document XOAUTH2; the standard's way (RFC 7628) is taken where it is the only one
    only_standard = client.has_capability("AUTH=OAUTHBEARER") and not client.has_capability("AUTH=XOAUTH2")
    chosen, told = "OAUTHBEARER" if only_standard else "XOAUTH2", ""

    def answer(challenge: bytes) -> bytes:
        nonlocal told
        if not challenge:
            return _RESPONSE[chosen](user, token).encode()
        # a refusal comes as JSON, to be acknowledged before the server says NO (RFC 7628 §3.2.3)
        told = challenge.decode("utf-8", "replace")
        return b"\1" if chosen == "OAUTHBEARER" else b""

    try:
        client.sasl_login(chosen, answer)
    except LoginError as e:
        e.args = (f"{e} {told}".strip(),)
        raise
    return chosen


def spoken(user: str, secret: str) -> list[str]:
    """Every form in which a secret is told to a server, which may repeat it: plainly, and the base64 of each mechanism."""
    if not secret:
        return []
    responses = (f"\0{user}\0{secret}", *(response(user, secret) for response in _RESPONSE.values()))
    return [secret, *(base64.b64encode(response.encode()).decode() for response in responses)]


def _oauthbearer(user: str, token: str) -> str:
    name = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 §4
    return f"n,a={name},\1auth=Bearer {token}\1\1"


_RESPONSE = {"XOAUTH2": lambda user, token: f"user={user}\1auth=Bearer {token}\1\1", "OAUTHBEARER": _oauthbearer}
