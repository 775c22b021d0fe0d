"""What a mail collector may meet instead of a good IMAP server: an impostor, and a connection that dies in silence."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

from analyzer.sources import ImapSource


class Notes:
    """A Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, done: int, total: int | None, note: str = "") -> None:
        if note:
            self.said.append(note)


@contextlib.contextmanager
def impostor(
    heard: list[bytes] | None = None, changes: dict[str, Any] | None = None, answers: dict[str, bytes] | None = None, **more: bytes
) -> Iterator[ImapSource]:
    """Something that is not quite an IMAP server: for the commands named it answers so and nothing more, and hangs up after an empty answer.

    In an answer %s stands for the tag, then for the command. What it `heard` is written down; `changes` are made to the source that it gives.
    """
    answers = more if answers is None else answers
    usual = {"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n", "SEARCH": b"* SEARCH 1\r\n", "SELECT": b"* OK [UIDVALIDITY 7] ok\r\n"}

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines, contextlib.suppress(OSError):
            connection.sendall(b"* OK ready\r\n")
            for line in lines:
                if heard is not None:
                    heard.append(line.strip())
                tag, _, command = line.strip().partition(b" ")
                verb = command.upper().replace(b"UID ", b"").replace(b"EXAMINE", b"SELECT").partition(b" ")[0].decode()
                if verb not in answers:
                    connection.sendall(usual.get(verb, b"") + b"%s OK done\r\n" % tag)
                elif not answers[verb]:
                    return
                else:
                    connection.sendall(answers[verb].replace(b"%s", tag, 1).replace(b"%s", command))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        given = {
            "type": "imap",
            "host": "127.0.0.1",
            "port": listener.getsockname()[1],
            "tls": "none",
            "user": "u",
            "password": "open sesame",
        }
        yield ImapSource.model_validate(given | (changes or {}))
        thread.join(10)
    assert not thread.is_alive()


class Proxy:
    """A way to a server on loopback that can die without a word (nothing goes through any more, and nobody hangs up), or break off in the middle."""

    def __init__(self, target: int) -> None:
        self._target, self.connections, self._dead = target, 0, 0
        self._limit: int | None = None
        self._open: list[socket.socket] = []
        self.asked: dict[int, bytes] = {}  # the number of a connection -> what the client has asked last
        self.cuts: list[bytes] = []  # as that, of the connections that were broken off
        self.bodies = 0  # messages that the server has given

    def __enter__(self) -> Proxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for one in (self._listener, *self._open):
            one.close()

    def swallow(self) -> None:
        """Lets nothing through on the connections that there are; later ones are good."""
        self._dead = self.connections

    def cut_after(self, size: int | None) -> None:
        """Resets each later connection once the server has said so many bytes; None: no more."""
        self._limit = size

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self.connections += 1
                self._open = [one for one in self._open if one.fileno() >= 0] + [client, server]
                self._threads.append(threading.Thread(target=self._carry, args=(self.connections, client, server)))
                self._threads[-1].start()

    def _carry(self, number: int, client: socket.socket, server: socket.socket) -> None:
        limit, said, heard = self._limit, 0, [client, server]
        with contextlib.suppress(OSError), client, server:
            while heard:
                for one in select.select(heard, [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        if number > self._dead:
                            return
                        heard.remove(one)
                    elif number <= self._dead:
                        continue
                    elif one is client:
                        self.asked[number] = data
                        server.sendall(data)
                    else:
                        said += len(data)
                        self.bodies += data.count(b"BODY[]")
                        if limit is not None and said > limit:
                            client.sendall(data[: len(data) - (said - limit)])
                            self.cuts.append(self.asked.get(number, b""))
                            reset(client)
                            return
                        client.sendall(data)


def reset(connection: socket.socket) -> None:
    """Hangs up without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
