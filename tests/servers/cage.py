"""Mail servers that Debian lets nobody install side by side: each runs in a root of its own, with users, hosts and a DNS of its own.

`.ci/mtas` fetches the roots; a server works in a copy. Names mean there what the tests' DNS says, so no mail finds its way out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import socketserver
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.conftest import lacking
from tests.servers import end, open_folder, served, until

ROOTS = "MAILHEALTH_MTAS"  # the environment variable that names the folder of roots
PLACE = "~/.cache/mailhealth-mtas"
NAME = "mx.shop.example"  # what every server calls itself
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C"}
DEVICES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9)}
FILES = {
    "etc/hosts": f"127.0.0.1 localhost {NAME}\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    "etc/services": "smtp 25/tcp mail\ndomain 53/udp\n",
    "etc/protocols": "tcp 6 TCP\nudp 17 UDP\n",
    "etc/mailname": f"{NAME}\n",
}


@dataclass
class Cage:
    """A root, and what runs in it."""

    dir: Path
    users: Mapping[str, int]  # name -> uid and gid
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def write(self, path: str, text: str) -> None:
        """Writes a file."""
        (self.dir / path).parent.mkdir(parents=True, exist_ok=True)
        (self.dir / path).write_text(text)

    def folder(self, path: str, owner: str = "root", mode: int = 0o755) -> None:
        """Makes a folder, or gives one to its owner."""
        (self.dir / path).mkdir(parents=True, exist_ok=True)
        self.own(path, owner, mode)

    def own(self, path: str, owner: str, mode: int, group: str = "") -> None:
        """Gives a file to a user and a group of the cage."""
        os.chown(self.dir / path, self.users[owner], self.users[group or owner])
        (self.dir / path).chmod(mode)

    def run(self, *command: str) -> bytes:
        """What a command in the cage prints; it fails the test when it fails."""
        done = subprocess.run(["chroot", self.dir, *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=ENVIRONMENT)
        assert done.returncode == 0, f"{command}: {done.stderr.decode(errors='replace')}"
        return done.stdout

    def start(self, *command: str, **environment: str) -> None:
        """Starts a program that stays."""
        inside, variables = ["chroot", str(self.dir), *command], ENVIRONMENT | environment
        with (self.dir / "output").open("ab") as output:
            self.processes.append(
                subprocess.Popen(inside, start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables)
            )

    def said(self) -> str:
        """The end of what its programs printed or logged."""
        return (self.dir / "output").read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """Ends what we started, and all that it left behind in the cage."""
        for process in reversed(self.processes):
            end(process)
        until(self._empty, 20, f"the end of all in {self.dir}")

    def _empty(self) -> bool:
        """Kills what has the cage for its root; True when there was nothing."""
        left = [pid for pid in psutil.pids() if self._holds(pid)]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    def _holds(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{pid}/root").readlink() == self.dir
        return False


class _Note(socketserver.BaseRequestHandler):
    """A line for the system's log: it goes where the cage's programs print."""

    def handle(self) -> None:
        with self.server.place.open("ab") as output:  # type: ignore[attr-defined]
            output.write(self.request[0].rstrip(b"\0\n") + b"\n")


@contextlib.contextmanager
def _log(cage: Cage) -> Iterator[None]:
    """The system's log of a cage."""
    with socketserver.UnixDatagramServer(str(cage.dir / "dev" / "log"), _Note) as server:
        cage.own("dev/log", "root", 0o666)
        server.place = cage.dir / "output"  # type: ignore[attr-defined]
        with served(server):
            yield


@contextlib.contextmanager
def caged(name: str, users: Mapping[str, int], nameserver: str) -> Iterator[Cage]:
    """A copy of a server's root, furnished; all that runs in it ends with the context."""
    pristine = Path(os.environ.get(ROOTS) or PLACE).expanduser() / name
    if not pristine.is_dir():
        lacking(f"needs {name} in {pristine}: run .ci/mtas")
    with open_folder(name) as folder:
        folder.chmod(0o700)  # the programs inside do not see it, and nobody else need start them
        cage = Cage(folder.resolve() / "root", {"root": 0, "nobody": 65534, **users})
        shutil.copytree(pristine, cage.dir, symlinks=True)
        _furnish(cage, nameserver)
        with _log(cage):
            try:
                yield cage
            finally:
                cage.stop()


def _furnish(cage: Cage, nameserver: str) -> None:
    for path, text in FILES.items():
        cage.write(path, text)
    cage.write("etc/resolv.conf", f"nameserver {nameserver}\n")
    cage.write("etc/passwd", "".join(f"{name}:x:{n}:{n}::/:/bin/false\n" for name, n in cage.users.items()))
    cage.write("etc/group", "".join(f"{name}:x:{n}:\n" for name, n in cage.users.items()))
    cage.write("output", "")
    cage.folder("tmp", mode=0o1777)
    cage.folder("dev")
    for device, (major, minor) in DEVICES.items():
        try:
            os.mknod(cage.dir / "dev" / device, stat.S_IFCHR, os.makedev(major, minor))
        except PermissionError:  # within some containers; the servers read few bytes of them
            cage.write(f"dev/{device}", os.urandom(2048).hex() if device.endswith("random") else "")
        cage.own(f"dev/{device}", "root", 0o666)


def need_network(network: str) -> None:
    """Cages need the superuser, and the ports for DNS and SMTP on the addresses of a network of the loopback, such as "127.9.9"."""
    if os.geteuid() != 0:
        lacking("mail servers can be started in roots of their own by the superuser alone")
    for kind, port in ((socket.SOCK_DGRAM, 53), (socket.SOCK_STREAM, 25)):
        with socket.socket(socket.AF_INET, kind) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)  # connections that ended do not matter
            try:
                s.bind((f"{network}.1", port))
            except OSError as e:
                lacking(f"needs port {port} of {network}.1 ({e.strerror}): stop what listens on port {port} of all addresses")
