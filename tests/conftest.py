"""What every test may ask for."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest
from hypothesis import settings

pytest_plugins = ["tests.month", "tests.servers.browser", "tests.servers.dovecot", "tests.servers.postfix"]

# no test asserts a time: the first example compiles the words of all languages
settings.register_profile("mailhealth", settings.get_profile("ci" if os.environ.get("CI") else "default"), deadline=None)
settings.load_profile("mailhealth")


def lacking(sentence: str) -> NoReturn:
    """Fails the test in CI and skips it elsewhere, with a sentence that says what it lacks and how to get it."""
    if os.environ.get("CI"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def need(program: str, package: str) -> str:
    """The path of a program that a test talks to. Missing, it fails the test in CI and skips it elsewhere, naming the Debian package."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin")
    return found or lacking(f"needs {program}: apt-get install {package}")
