"""Real servers for the tests: private, on loopback, gone when the session ends.

Their fixtures come to every test through `pytest_plugins` in tests/conftest.py: `dovecot`, `mailbox`, `postfix`, `chromium`.
`mtas` has five servers that report what they could not deliver, `cage` the roots they run in, `smtp` and `dns` what their mail meets.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import trustme


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def until(true: Callable[[], object], seconds: float = 10.0, what: str | Callable[[], str] = "it") -> None:
    """Waits until `true()`; fails the test when it does not come true in time. `what` may be a function, asked only then."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= end:
            raise AssertionError(f"waited {seconds} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.02)


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Does a server greet on this port?"""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1) as s:
        return bool(s.recv(1))
    return False


@contextlib.contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """A new folder that the servers' users may enter (pytest's own may not be entered by others)."""
    folder = Path(tempfile.mkdtemp(prefix=f"mailhealth-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def served(server: socketserver.BaseServer) -> Iterator[None]:
    """Has a server of ours answer while the context lasts."""
    thread = threading.Thread(target=server.serve_forever, args=(0.1,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)


def certificates(folder: Path) -> Path:
    """Writes server.pem and server.key for localhost, signed by an authority of our own; gives the authority's file."""
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    server.private_key_pem.write_to_path(str(folder / "server.key"))
    for n, blob in enumerate(server.cert_chain_pems):
        blob.write_to_path(str(folder / "server.pem"), append=n > 0)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder / "ca.pem"


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process that we started, the hard way if it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
