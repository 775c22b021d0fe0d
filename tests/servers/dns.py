"""A DNS server that knows what a test tells it."""

from __future__ import annotations

import contextlib
import socketserver
from collections.abc import Iterator, Mapping

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.servers import served

Zone = Mapping[str, Mapping[str, str] | None]
"""Name -> type -> data; None: the server cannot say. Any other name does not exist."""


class _Server(socketserver.ThreadingUDPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], zone: Zone) -> None:
        self.zone = zone
        super().__init__(address, _Answer)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The answer to one question."""
        reply, question = dns.message.make_response(query, recursion_available=True), query.question[0]
        reply.flags |= dns.flags.AA
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        if name not in self.zone:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif (known := self.zone[name]) is None:
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif kind in known:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, known[kind]))
        return reply


class _Answer(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        wire, socket = self.request
        with contextlib.suppress(dns.exception.DNSException, OSError):
            socket.sendto(self.server.answer(dns.message.from_wire(wire)).to_wire(), self.client_address)


@contextlib.contextmanager
def nameserver(address: str, zone: Zone) -> Iterator[None]:
    """Serves a zone on port 53 of an address."""
    with _Server((address, 53), zone) as server, served(server):
        yield
