"""The command line as an operator meets it: what it prints, and its exit code."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from analyzer.classify import RULES, use_rules
from analyzer.cli import main

BOUNCE = b"""From: MAILER-DAEMON@x.example
Subject: Undelivered
Message-ID: <n%d@x.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; x.example

Final-Recipient: rfc822; u%d@customer.example
Action: failed
Status: %s
Diagnostic-Code: smtp; %s
--b--
"""


def bounce(n: int, words: bytes = b"550 5.1.1 no such user", status: bytes = b"5.1.1") -> bytes:
    """A report of our own writing on recipient u<n>@customer.example."""
    return BOUNCE % (n, n, status, words)


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its output as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


Cli = Callable[..., Ran]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Runs `mailhealth ARGS...` in a folder of its own. No command may end in a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MAILHEALTH_CONFIG", raising=False)
    monkeypatch.delenv(RULES, raising=False)

    def run(*args: str | Path, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = 0
        try:
            main([str(a) for a in args])
        except SystemExit as e:
            code = int(e.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Ran(code, said.out, said.err)

    yield run
    if os.environ.get(RULES):
        use_rules(None)


@pytest.fixture
def config(tmp_path: Path) -> Callable[[str], Path]:
    """Writes mailhealth.toml."""

    def write(text: str) -> Path:
        path = tmp_path / "mailhealth.toml"
        path.write_text(text)
        return path

    return write
