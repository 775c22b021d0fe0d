"""An OAuth provider for the tests: gives access tokens over HTTPS, and tells Dovecot whose they are."""

from __future__ import annotations

import contextlib
import itertools
import json
import ssl
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.servers import served


@dataclass
class Provider:
    """What it was asked, what it answers, and which of its tokens hold."""

    token_url: str = ""
    introspection_url: str = ""
    life: int = 3600  # seconds that it says a token lives
    refusal: tuple[int, Any] | None = None  # HTTP status and body of the answer to token requests, instead of a token
    rotates: bool = False  # gives a new refresh token each time
    asked: list[dict[str, str]] = field(default_factory=list)
    holds: dict[str, str] = field(default_factory=dict)  # access token -> user
    _number: Any = field(default_factory=lambda: itertools.count(1))

    def reset(self) -> None:
        """As at the beginning."""
        self.life, self.refusal, self.rotates = 3600, None, False
        self.asked.clear()
        self.holds.clear()

    def token(self, form: dict[str, str]) -> tuple[int, Any]:
        """The answer to a token request: of the user that client_id names."""
        self.asked.append(form)
        if self.refusal:
            return self.refusal
        number = next(self._number)
        self.holds[f"ya29.access-token-{number}"] = form["client_id"]
        new = {"refresh_token": f"rotated-{number}"} if self.rotates else {}
        return 200, {"access_token": f"ya29.access-token-{number}", "token_type": "Bearer", "expires_in": self.life} | new

    def introspection(self, form: dict[str, str]) -> tuple[int, Any]:
        """Whose token it is (RFC 7662)."""
        user = self.holds.get(form.get("token", ""))
        return 200, {"active": True, "username": user} if user else {"active": False}


@contextlib.contextmanager
def provider(folder: Path) -> Iterator[Provider]:
    """A running provider, with the certificate that lies in `folder`."""
    one = Provider()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    plain = ThreadingHTTPServer(("127.0.0.1", 0), _handler(one.introspection))
    secure = ThreadingHTTPServer(("127.0.0.1", 0), _handler(one.token))
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    one.introspection_url = f"http://127.0.0.1:{plain.server_port}/introspect"
    one.token_url = f"https://localhost:{secure.server_port}/token"
    with plain, secure, served(plain), served(secure):
        yield one


def _handler(answer: Any) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, said = answer(dict(urllib.parse.parse_qsl(body)))
            said = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    return Handler
