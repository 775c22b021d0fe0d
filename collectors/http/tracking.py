"""Links of our own: the open pixel, the signed redirect, the unsubscription of RFC 8058.

An unsubscription is answered when it is durable, or with 503. Opens and clicks wait for their commit too, as everything here does: it takes
milliseconds, and a click that we said nothing of would be lost by a crash. But whoever reads must not suffer from our disk: after PATIENCE, or when
keeping failed, the picture and the redirect are given all the same, and what was lost is counted.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import logging
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from analyzer.model import HIT, Capture, KeepFailed
from analyzer.sources import HttpSource
from analyzer.tokens import Keys, Token, Use, is_target
from collectors.base import Progress
from collectors.http.body import read_body
from collectors.http.counters import Counters
from collectors.http.page import page
from collectors.http.signatures import Refused
from collectors.writer import Writer

PATIENCE = 1.0  # seconds that a reader waits for our disk
MOST_WAITING = 10_000  # hits that wait for it
MOST_BODY = 16 * 1024  # bytes of an unsubscription
MOST_AGENT = 1_000  # characters of a user agent
MOST_VALUE = 200  # of another header
TELLING = ("sec-purpose", "purpose", "x-purpose", "x-moz", "accept", "accept-language")
"""The headers that tell machines from people."""
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")  # one transparent pixel, 43 bytes
_NOT_STORED = {"Cache-Control": "no-store"}
_UNREAD = {"Connection": "close"}  # the body, or the rest of it, is not read
log = logging.getLogger(__name__)


class Tracking:
    """Takes the hits of one source."""

    def __init__(self, name: str, source: HttpSource, keys: Keys, writer: Writer, counters: Counters, progress: Progress) -> None:
        self._name, self._source, self._keys, self._writer = name, source, keys, writer
        self._counters, self._progress = counters, progress
        self._keep_prefix = source.tracking is not None and source.tracking.keep_prefix
        self._waiting: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """What is answered: pixel, click, unsubscription. GET brings HEAD with it."""
        return [
            Route("/o/{token}.gif", self._open, methods=["GET"]),
            Route("/c/{token}", self._click, methods=["GET"]),
            Route("/u/{token}", self._ask, methods=["GET"]),
            Route("/u/{token}", self._unsubscribe, methods=["POST"]),
        ]

    async def _open(self, request: Request) -> Response:
        token = self._keys.read(request.path_params["token"], Use.OPEN)
        if not token:
            return self._wrong(request)
        await self._note(token, self._hit(request, token))
        return Response(GIF, media_type="image/gif", headers=_NOT_STORED)

    async def _click(self, request: Request) -> Response:
        urls = request.query_params.getlist("u")
        token = self._keys.read(request.path_params["token"], Use.CLICK, urls[0]) if len(urls) == 1 else None
        # signed by us it was fit already; what leads strangers somewhere is looked at twice
        if not token or not is_target(urls[0]):
            return self._wrong(request)
        await self._note(token, self._hit(request, token, urls[0]))
        # by hand: a redirect of Starlette's would quote the address anew
        return Response(status_code=302, headers=_NOT_STORED | {"Location": urls[0]})

    async def _ask(self, request: Request) -> Response:
        """Asks, and changes nothing: programs that look at links come here too."""
        if not self._keys.read(request.path_params["token"], Use.UNSUBSCRIBE):
            return self._wrong(request)
        return page(request.headers.get("accept-language", ""), "ask")

    async def _unsubscribe(self, request: Request) -> Response:
        accepted = request.headers.get("accept-language", "")
        token = self._keys.read(request.path_params["token"], Use.UNSUBSCRIBE)
        if not token:
            return self._wrong(request)
        try:
            if not _is_one_click(await read_body(request, MOST_BODY)):
                raise Refused("not-one-click", 400)
            await self._writer.keep(self._hit(request, token))
        except Refused as e:
            self._refused(e.reason)
            return page(accepted, "ask", e.status, _UNREAD)
        except Exception as e:
            self._tell(e)
            self._refused("not-kept")
            return page(accepted, "later", 503, {"Retry-After": "30"})
        self._counters.add("hits", use=token.use)
        return page(accepted, "done")

    def _hit(self, request: Request, token: Token, url: str | None = None) -> Capture:
        """A hit as it is kept. Its time is that of its second, so that the same one twice in a second is one."""
        now = datetime.now(UTC)
        headers = request.headers
        said: dict[str, object] = {
            "use": token.use, "message_id": token.message_id, "recipient": token.recipient, "at": now.isoformat(timespec="seconds"), "method": request.method,
            "user_agent": headers.get("user-agent", "")[:MOST_AGENT], "headers": {n: headers[n][:MOST_VALUE] for n in TELLING if n in headers},
        }  # fmt: skip
        if url is not None:
            said["url"] = url
        if client := client_address(request):
            said["client"] = self._keys.client(str(client), f"{now:%Y-%m-%d}")
            if self._keep_prefix:
                said["prefix"] = str(ipaddress.ip_network((client, 24 if client.version == 4 else 48), strict=False))
        return Capture(json.dumps(said).encode(), HIT, self._name, now)

    async def _note(self, token: Token, hit: Capture) -> None:
        """Keeps a hit; returns when it is durable, could not be kept, or has taken too long."""
        if len(self._waiting) >= MOST_WAITING:
            self._lost(token, KeepFailed(f"{MOST_WAITING:,} hits wait to be kept; further ones are lost."))
            return
        keeping = asyncio.create_task(self._keep(token, hit))
        self._waiting.add(keeping)
        keeping.add_done_callback(self._waiting.discard)
        await asyncio.wait([keeping], timeout=PATIENCE)

    async def _keep(self, token: Token, hit: Capture) -> None:
        try:
            await self._writer.keep(hit)
            self._counters.add("hits", use=token.use)
        except Exception as e:
            self._lost(token, e)

    def _lost(self, token: Token, why: Exception) -> None:
        self._counters.add("hits_lost", use=token.use)
        self._tell(why)

    def _tell(self, why: Exception) -> None:
        if isinstance(why, KeepFailed):
            self._progress(0, None, str(why))
        else:
            log.error("a hit could not be kept", exc_info=why)

    def _wrong(self, request: Request) -> Response:
        self._refused("token")
        return page(request.headers.get("accept-language", ""), "wrong", 404, _UNREAD if request.method == "POST" else None)

    def _refused(self, reason: str) -> None:
        self._counters.add("refused", provider="tracking", reason=reason)


def client_address(request: Request) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Who asks. Of a proxy in our own network, for whom: the last of X-Forwarded-For, which the proxy itself has written."""
    peer = _address(request.client.host if request.client else "")
    if peer is None or peer.is_global:
        return peer
    said = ",".join(request.headers.getlist("x-forwarded-for"))  # some proxies append to the field, some add another
    return _address(said.rpartition(",")[2].strip()) or peer


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _is_one_click(body: bytes) -> bool:
    """Whether a body says List-Unsubscribe=One-Click: urlencoded or multipart (RFC 8058 §3.2 allows both), and forgiving of how."""
    low = body.lower()
    return b"list-unsubscribe" in low and b"one-click" in low
