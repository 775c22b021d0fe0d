"""The same report in another shape is the same report: gateways fold, encode, wrap and re-word headers on its way."""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analyzer.explain import answer
from analyzer.model import MESSAGE, Capture
from analyzer.parse.mime import Message, Part, read

FILES = sorted((Path(__file__).parents[1] / "corpus").glob("*/*.eml"))
NOW = datetime(2026, 11, 26, tzinfo=UTC)
FOOTER = b"\nContent-Type: text/plain\n\nThis e-mail is confidential and meant for its addressee alone.\n"
TRACE = b"Received: from mx7.relay.example by in.shop.example with ESMTPS id 4XYZ;\n\tThu, 26 Nov 2026 09:00:00 +0000\nX-Spam-Status: No, score=-1.2\n"
NOT_YET = {"mix2/postmark-json-01.eml"}  # JSON: with a footer it is none


def lines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def headed(data: bytes) -> tuple[bytes, bytes]:
    head, _, body = lines(data).partition(b"\n\n")
    return head, b"\n\n" + body


def encoded(data: bytes, encoding: bytes, encode: Callable[[bytes], bytes]) -> bytes:
    """The message with its texts and fields in a transfer encoding."""
    message: Message = read(data)
    data = message.data

    def plain(part: Part) -> bool:
        wanted = part.type.startswith("text/") or part.type in {"message/delivery-status", "message/feedback-report"}
        return (
            wanted
            and not part.inside
            and "content-transfer-encoding" not in part.headers
            and part.body[0] < part.body[1]
            and part.head[0] < part.head[1]
        )

    for part in reversed(message.parts):
        if plain(part) and not (part is message.top and len(message.parts) > 1):
            said = encode(data[slice(*part.body)])
            head = data[part.head[1] : part.body[0]]
            data = data[: part.head[1]] + b"Content-Transfer-Encoding: " + encoding + b"\n" + head + said + data[part.body[1] :]
    return data


def in_base64(data: bytes) -> bytes:
    """Lines that end with CRLF come to light only when it is decoded."""
    return encoded(data, b"base64", lambda body: base64.encodebytes(body.replace(b"\n", b"\r\n")))


def in_quoted_printable(data: bytes) -> bytes:
    return encoded(data, b"quoted-printable", quopri.encodestring)


def with_names_in_capitals(data: bytes) -> bytes:
    head, body = headed(data)
    return re.sub(rb"(?m)^[!-9;-~]+(?=:)", lambda m: m[0].upper(), head) + body


def with_folded_headers(data: bytes) -> bytes:
    head, body = headed(data)
    return re.sub(rb"(?m)^([!-9;-~]+): (?=\S)", rb"\1:\n ", head) + body


def with_a_trace_more(data: bytes) -> bytes:
    return lines(data) if data.startswith((b"From ", b">From ")) else TRACE + lines(data)


def after_blank_lines(data: bytes) -> bytes:
    return b"\n\n" + lines(data)


def from_an_mbox(data: bytes) -> bytes:
    return b"From MAILER-DAEMON Thu Nov 26 09:00:00 2026\n" + lines(data)


def with_a_footer(data: bytes) -> bytes:
    head, body = headed(data)
    if head.startswith((b"From ", b">From ")):
        return data
    fields = re.split(rb"\n(?![ \t])", head)
    of_content = [f for f in fields if re.match(rb"(?i)content-", f)]
    if not any(re.match(rb"(?i)content-type", f) for f in of_content):
        of_content.append(b"Content-Type: text/plain")
    outer = [f for f in fields if not re.match(rb"(?i)content-|mime-version", f)]
    return (
        b"\n".join(outer) + b'\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="f=o=o"\n\n--f=o=o\n'
        + b"\n".join(of_content) + body + b"\n--f=o=o" + FOOTER + b"\n--f=o=o--\n"
    )  # fmt: skip


SHAPES = (
    in_base64, in_quoted_printable, with_names_in_capitals, with_folded_headers, with_a_trace_more, after_blank_lines, from_an_mbox, with_a_footer,
)  # fmt: skip


def gist(data: bytes) -> tuple[Any, ...]:
    """What a message says: of whom, why, with which codes."""
    told = answer("it", Capture(data, MESSAGE, "test", NOW))
    return told["kind"], [tuple(e[k] for k in ("recipient", "final", "kind", "reason", "status", "reply_code")) for e in told["events"]]


@pytest.fixture(scope="module")
def plain() -> dict[Path, tuple[bytes, tuple[Any, ...]]]:
    return {file: (data, gist(data)) for file in FILES for data in [file.read_bytes()]}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_report_in_another_shape_says_the_same(shape: Callable[[bytes], bytes], plain: dict[Path, tuple[bytes, tuple[Any, ...]]]) -> None:
    assert len(plain) > 2800
    other = [f"{file.parent.name}/{file.name}" for file, (data, said) in plain.items() if gist(shape(data)) != said]
    assert set(other) <= NOT_YET


def test_a_wrong_boundary_hides_no_recipient(plain: dict[Path, tuple[bytes, tuple[Any, ...]]]) -> None:
    lost = []
    for file, (data, said) in plain.items():
        mistaken = re.sub(rb'(?i)(boundary="?)([A-Za-z0-9_.=+/-]{3,})', rb"\1x\2x", lines(data), count=1)
        if {e[0] for e in said[1]} - {e[0] for e in gist(mistaken)[1]}:
            lost.append(f"{file.parent.name}/{file.name}")
    assert len(lost) <= 2, lost
