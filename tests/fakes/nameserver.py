"""A small authoritative name server on 127.0.0.1, over UDP and TCP, in a thread; it misbehaves on order.

    with Nameserver("example.com. 60 IN MX 10 mx.example.com.") as server:
        Resolver([server.address])
        server.misbehave("example.com", "servfail")

The records are those of a zone file with full names. It knows all of the DNS: a name that is not there does not
exist, and one that only has names below it has no data. `asked` lists the questions in order, as (name, type, "udp"
or "tcp"). A mood holds for a name (or ``*``), a type (or all) and so many questions (or for good):

==========  ========================================================================================================
servfail    says SERVFAIL; likewise refused, formerr, notimp
nxdomain    says that the name does not exist; nodata: that it has no such records
silent      says nothing
truncate    says by UDP that the answer is too long for UDP
garbage     sends bytes that are no message
referral    says whom else to ask
alias-only  gives the CNAME record and not what it leads to
prove       answers as ever, and says that it has proved the answer, to whoever asks for that (DNSSEC)
invent      has the address 192.0.2.80 for each name that has none
==========  ========================================================================================================
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from dataclasses import dataclass
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

from mailer.config.kinds import HostPort

SOA = ". {ttl} IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 {ttl}"
CODES = {"servfail": dns.rcode.SERVFAIL, "refused": dns.rcode.REFUSED, "formerr": dns.rcode.FORMERR, "notimp": dns.rcode.NOTIMP}


@dataclass
class Mood:
    """How to misbehave, and for how many more questions (None: for good)."""

    mood: str
    left: int | None


class Nameserver:
    """Serves `records` until closed; absences are to be remembered for `negative_ttl` seconds."""

    def __init__(self, records: str = "", *, negative_ttl: int = 60, host: str = "127.0.0.1", port: int = 0) -> None:
        self.negative_ttl = negative_ttl
        self.asked: list[tuple[str, str, str]] = []
        self._moods: dict[tuple[str, str], Mood] = {}
        self._lock = threading.Lock()
        self.serve(records)
        self._udp, self._tcp = _pair(host, port)
        self.host, self.port = self._udp.getsockname()
        self._bell, self._rope = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> HostPort:
        """How the configuration writes it."""
        return HostPort(self.host, self.port)

    def serve(self, records: str) -> None:
        """Serve these records from now on."""
        text = f"{SOA.format(ttl=self.negative_ttl)}\n. 60 IN NS ns.invalid.\n{records}\n"
        zone = dns.zone.from_text(text, origin=".", relativize=False, check_origin=False)
        with self._lock:
            self._zone = zone

    def misbehave(self, name: str, mood: str, *, type: str = "*", times: int | None = None) -> None:
        """Answer questions for `name` in this mood."""
        with self._lock:
            self._moods[name.lower().rstrip("."), type] = Mood(mood, times)

    def behave(self) -> None:
        """Forget all moods."""
        with self._lock:
            self._moods.clear()

    def count(self, name: str, type: str = "*") -> int:
        """How many questions there were."""
        return sum(asked == name and type in ("*", kind) for asked, kind, _ in self.asked)

    def close(self) -> None:
        """Stop serving."""
        self._rope.send(b"!")
        self._thread.join()
        for each in (self._udp, self._tcp, self._bell, self._rope):
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in (self._udp, self._tcp, self._bell):
                selector.register(each, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._bell:
                        return
                    with contextlib.suppress(OSError, EOFError):
                        self._serve_udp() if key.fileobj is self._udp else self._serve_tcp()

    def _serve_udp(self) -> None:
        wire, peer = self._udp.recvfrom(65535)
        if (answer := self._answer(wire, "udp")) is not None:
            self._udp.sendto(answer, peer)

    def _serve_tcp(self) -> None:
        """One question a connection: all that a resolver with one question needs."""
        connection, _ = self._tcp.accept()
        with connection, connection.makefile("rb") as file:
            connection.settimeout(60)
            (length,) = struct.unpack("!H", _exactly(file.read(2), 2))
            if (answer := self._answer(_exactly(file.read(length), length), "tcp")) is not None:
                connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, wire: bytes, over: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, type = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        with self._lock:
            self.asked.append((name, type, over))
            mood = self._mood(name, type)
            response = dns.message.make_response(query, recursion_available=True)
            if mood == "prove" and query.ednsflags & dns.flags.DO:
                response.flags |= dns.flags.AD
            if mood == "silent":
                return None
            if mood == "garbage":
                return wire[:2] + b"\x80\x00garbage"
            if mood == "truncate" and over == "udp":
                response.flags |= dns.flags.TC
            else:
                self._fill(response, question.name, question.rdtype, mood)
            return response.to_wire(max_size=65535 if over == "tcp" else max(query.payload, 512), prefer_truncation=True)

    def _mood(self, name: str, type: str) -> str:
        for key in ((name, type), (name, "*"), ("*", type), ("*", "*")):
            found = self._moods.get(key)
            if found is not None and found.left != 0:
                if found.left is not None:
                    found.left -= 1
                return found.mood
        return ""

    def _fill(self, response: dns.message.Message, name: dns.name.Name, type: dns.rdatatype.RdataType, mood: str) -> None:
        if mood in CODES:
            response.set_rcode(CODES[mood])
        elif mood == "invent" and type == dns.rdatatype.A and self._rrset(name, type) is None:
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", "192.0.2.80"))
        elif mood == "referral":
            response.authority.append(self._rrset(dns.name.root, dns.rdatatype.NS))
        else:
            found = not mood.startswith("no") and mood != "nxdomain" and self._follow(response, name, type, mood)
            if not found and mood != "alias-only":
                response.authority.append(self._rrset(dns.name.root, dns.rdatatype.SOA))
            if mood == "nxdomain":
                response.set_rcode(dns.rcode.NXDOMAIN)

    def _follow(self, response: dns.message.Message, name: dns.name.Name, type: dns.rdatatype.RdataType, mood: str) -> bool:
        """Put the answer for `name` into `response`, along its aliases; whether there is one."""
        for _ in range(20):
            if (rrset := self._rrset(name, type)) is not None:
                response.answer.append(rrset)
                return True
            alias = self._rrset(name, dns.rdatatype.CNAME)
            if alias is None:
                if not any(known.is_subdomain(name) for known in self._zone.nodes):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                return False
            response.answer.append(alias)
            if mood == "alias-only":
                return False
            name = alias[0].target
        return False

    def _rrset(self, name: dns.name.Name, type: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        rdataset = self._zone.get_rdataset(name, type)
        return None if rdataset is None else dns.rrset.from_rdata_list(name, rdataset.ttl, list(rdataset))


def _pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket with the same port."""
    for _ in range(20):
        tcp = socket.create_server((host, port))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return udp, tcp
    raise OSError("no port is free for both UDP and TCP")


def _exactly(data: bytes, length: int) -> bytes:
    if len(data) < length:
        raise EOFError
    return data
