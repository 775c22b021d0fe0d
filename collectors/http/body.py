"""The body of a request, within its limits."""

from __future__ import annotations

from starlette.requests import ClientDisconnect, Request

from collectors.http.guard import LATE
from collectors.http.signatures import Refused


async def read_body(request: Request, most: int) -> bytes:
    """The body, verbatim, of at most `most` bytes. Raises Refused where it is coded, too large, too slow or cut off."""
    headers = request.headers
    if any(coding.strip().lower() != "identity" for coding in headers.getlist("content-encoding")):
        raise Refused("content-encoding", 415)
    if "transfer-encoding" in headers and "content-length" in headers:  # the parser refuses it too (RFC 9112 §6.1)
        raise Refused("framing", 400)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 15 or int(length) > most:
        raise Refused("too-large", 413)
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most:
                raise Refused("too-large", 413)
    except ClientDisconnect:
        raise (Refused("too-slow", 408) if LATE in request.scope else Refused("cut-off", 400)) from None
    return bytes(body)
