"""The routes: a request is read within its limits, held against the provider's scheme, kept, and answered, in this order."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router

from analyzer.model import ROWS, WEBHOOK, Capture, KeepFailed
from analyzer.sources import HttpSource
from analyzer.tokens import Keys
from collectors.base import Keep, Progress
from collectors.http.body import read_body
from collectors.http.counters import Counters
from collectors.http.signatures import Arrived, Refused, Scheme, Shown
from collectors.http.tracking import Tracking
from collectors.writer import Writer

EVENTS = "events"
"""The name under which `POST /v1/events` is counted."""
# what stands before the rows of a request, so that they are read as those of a table whose columns are named as ours
ROWS_HEAD = json.dumps({"kind": None, "format": "json", "columns": {}}).encode() + b"\n"
SAID = {
    400: "The request cannot be read.", 401: "The signature or secret is missing, wrong or too old.", 408: "The body took too long.",
    413: "The body is too large.", 415: "Send the body as it is, without Content-Encoding.", 503: "It cannot be kept just now; please try again.",
}  # fmt: skip
log = logging.getLogger(__name__)


class Receiver:
    """Takes requests for one source."""

    def __init__(
        self,
        name: str,
        source: HttpSource,
        schemes: Mapping[str, Scheme],
        keep: Keep,
        progress: Progress,
        unknown: Callable[[Capture], int],
        keys: Keys | None = None,
    ) -> None:
        self._name, self._source, self._schemes, self._progress, self._unknown = name, source, schemes, progress, unknown
        self._writer = Writer(keep, self._after)
        self._counters, self._count = Counters(), 0
        self._tracking = Tracking(name, source, keys, self._writer, self._counters, progress) if source.tracking and keys else None
        self._loop: asyncio.AbstractEventLoop | None = None

    def app(self) -> Router:
        """The ASGI application."""
        # no Starlette around it: its layers turn exceptions into answers, and here each handler answers for itself
        return Router(
            routes=[
                Route("/webhooks/{provider}", self._webhook, methods=["POST", "HEAD"]),
                Route("/webhooks/{provider}/{token}", self._webhook, methods=["POST", "HEAD"]),
                Route("/v1/events", self._events, methods=["POST"]),
                Route("/healthz", _healthy, methods=["GET"]),
                Route("/metrics", self._metrics, methods=["GET"]),
                *(self._tracking.routes() if self._tracking else []),
            ],
            lifespan=self._life,
            redirect_slashes=False,  # nobody is led anywhere but by a signed link
        )

    @asynccontextmanager
    async def _life(self, app: object) -> AsyncIterator[None]:
        self._loop = asyncio.get_running_loop()
        self._writer.start()
        yield
        await self._writer.stop()

    async def _webhook(self, request: Request) -> Response:
        provider = request.path_params["provider"]
        if provider not in self._schemes or provider == EVENTS:
            self._counters.add("refused", provider="", reason="no-such-provider")
            return PlainTextResponse("No such provider is configured here.", 404, {"Connection": "close"})
        if request.method == "HEAD":  # Mandrill looks whether somebody is there before it gives its key
            return Response()
        return await self._take(request, provider, f"{WEBHOOK}{provider}+json")

    async def _events(self, request: Request) -> Response:
        if EVENTS not in self._schemes:
            return PlainTextResponse("Not configured: add a table `events`.", 404, {"Connection": "close"})
        return await self._take(request, EVENTS, ROWS, ROWS_HEAD)

    async def _take(self, request: Request, provider: str, media_type: str, head: bytes = b"") -> Response:
        self._counters.add("received", provider=provider)
        scheme = self._schemes[provider]
        try:
            arrived = Arrived(
                request.headers,
                await read_body(request, self._source.max_body_bytes),
                request.path_params.get("token", ""),
            )
            await scheme.verify(arrived)
            await self._writer.keep(Capture(head + arrived.body, media_type, self._name, datetime.now(UTC)))
            await scheme.kept(arrived)
        except Refused as e:
            return self._refused(provider, e, isinstance(scheme, Shown))
        except KeepFailed as e:
            self._progress(self._count, None, str(e))
            return self._refused(provider, Refused("not-kept", 503))
        except Exception:
            log.exception("a request could not be kept")
            return self._refused(provider, Refused("fault", 503))
        self._counters.add("acknowledged", provider=provider)
        self._count += 1
        self._progress(self._count, None)
        return Response()  # a body would be a second write

    def _refused(self, provider: str, why: Refused, challenge: bool = False) -> Response:
        self._counters.add("refused", provider=provider, reason=why.reason)
        headers = {}
        if why.status == 401 and challenge:
            # some clients show the password of an address only when asked (RFC 9110 §11.6.1)
            headers["WWW-Authenticate"] = 'Bearer realm="mailhealth"' if provider == EVENTS else 'Basic realm="mailhealth"'
        elif why.status == 503:
            headers["Retry-After"] = "30"
        elif why.status != 401:
            headers["Connection"] = "close"  # the rest of the body is not read
        return PlainTextResponse(f"{SAID[why.status]}\n", why.status, headers)

    async def _metrics(self, request: Request) -> Response:
        return PlainTextResponse(self._counters.text(), media_type="text/plain; version=0.0.4")

    def _after(self, captures: list[Capture], new: int) -> None:
        """Counts what a commit brought: in the writer's thread, and adds it up in the loop's."""
        webhooks = [c for c in captures if c.media_type.startswith(WEBHOOK)]
        found = [(c.media_type.removeprefix(WEBHOOK).removesuffix("+json"), self._unknown(c)) for c in webhooks]
        if self._loop:
            self._loop.call_soon_threadsafe(self._add_up, found, new)

    def _add_up(self, found: list[tuple[str, int]], new: int) -> None:
        self._counters.add("kept", new)
        for provider, count in found:
            if count:
                self._counters.add("unknown_events", count, provider=provider)


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok\n")
