"""`mailhealth serve` as a process, with its parts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.servers import answers, until


@dataclass
class Serving:
    """A running `mailhealth serve` over a store with an SMTP sink."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def family(self) -> list[psutil.Process]:
        """The supervisor and its parts."""
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def part(self, name: str) -> psutil.Process | None:
        """The process of one part."""
        for process in self.family():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if process.cmdline()[-1:] == [name]:  # of a process that has just ended there is none
                    return process
        return None

    def kill(self) -> None:
        """kill -9 of the supervisor and all its parts."""
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def said(self) -> str:
        """What it wrote to standard error."""
        return (self.folder / "said").read_text()


@contextmanager
def running(folder: Path, port: int, *options: str) -> Iterator[Serving]:
    """Starts it over the mailhealth.toml in a folder, and waits for the sink on `port`; leaves nothing running."""
    with (folder / "said").open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "analyzer", "serve", *options], cwd=folder, stderr=said, stdout=said, start_new_session=True
        )
    serve = Serving(folder, port, process)
    family: list[psutil.Process] = []
    try:
        until(lambda: answers(port), 60, "the sink")
        family = serve.family()
        yield serve
    finally:
        for one in {*family, *serve.family()}:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()
