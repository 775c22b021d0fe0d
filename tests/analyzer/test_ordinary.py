"""Ordinary mail gives no event: 300 messages of ours (tests/corpus) and those with which Python tests its own mail reader."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from analyzer.model import Kind
from analyzer.parse import parse_message
from benchmarks.score import SHELVES

REPORTS = {"msg_16.txt", "msg_25.txt", "msg_43.txt"}
"""Those of Python's that are bounces indeed."""


def test_there_are_many_kinds_of_ordinary_mail() -> None:
    ordinary = [
        label for file in SHELVES.glob("*/labels.jsonl") for label in map(json.loads, file.read_text(encoding="utf-8").splitlines())
        if label["kind"] == "not-a-report"
    ]  # fmt: skip
    assert len(ordinary) > 250  # each is answered in test_corpus.py


def test_what_python_tests_its_mail_reader_with_reports_nothing() -> None:
    pytest.importorskip("test.test_email.data", reason="this Python comes without its tests")
    files = [f for f in resources.files("test.test_email.data").iterdir() if f.name.endswith(".txt")]
    assert len(files) > 40
    found = {f.name: parse_message(f.read_bytes()) for f in files}
    assert {name for name, report in found.items() if report.outcomes} == REPORTS
    assert all(found[name].kind is Kind.BOUNCED for name in REPORTS)
