"""What is asked besides the DNS: an MX host by port 25, a web server for the policy, a time server; and which addresses are ours."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from pathlib import Path
from typing import Self

import pytest
import trustme

from mailer.check.examine import sources
from mailer.check.rules.host import public
from mailer.config.model import Delivery
from mailer.net import tls
from tests.fakes.processes import free_port
from tests.fakes.script import Hang, Script

from .conftest import CONFIG, Look
from .zones import HOME, HOME6

pytestmark = [pytest.mark.peer("nsd"), pytest.mark.xdist_group("check-outside")]

BIG = CONFIG.replace("nowhere.example", "big.example")
PRIVATE = "[delivery]\nmx_port = {port}\nallow_private = true\n"
GREETS = """
    S: 220 mx.big.example ESMTP
    C: EHLO mail.good.example
    S: 250-mx.big.example at your service, [{seen}]
    S: 250 SIZE
    C: QUIT
"""


# Port 25


def test_the_way_out_is_open(look: Look) -> None:
    """An MX host greets; nothing is said to it but EHLO and QUIT."""
    with Script(GREETS.format(seen=HOME)) as script:
        look.configure(PRIVATE.format(port=script.port), BIG)
        found = look.one("port 25", "good.example")
    assert (found.result, "mx.big.example at 127.0.0.1 says 220 mx.big.example ESMTP" in found.evidence) == ("pass", True)
    assert script.wrong == ""


def test_a_long_greeting_is_one(look: Look) -> None:
    """Of what a host says, however long it is, the beginning is shown."""
    with Script(GREETS.format(seen=HOME).replace(" ESMTP", "\n    S: 220 ".join(["x" * 5000] * 20)).replace("220 ", "220-", 19)) as script:
        look.configure(PRIVATE.format(port=script.port), BIG)
        found = look.one("port 25", "good.example")
    assert (found.result, "xxx…" in found.evidence, len(found.evidence) < 300) == ("pass", True, True)


@pytest.mark.parametrize(
    ("greeting", "evidence"),
    [
        ("S: 554 go away\nEND", "554 go away"),
        ("S: SSH-2.0\nEND", "this is no reply: 'SSH-2.0"),
        ("END", "closed the connection while we waited for the greeting"),
    ],
)
def test_what_else_answers(look: Look, greeting: str, evidence: str) -> None:
    """One who greets in order to refuse is somebody; one who speaks another language is not the way out."""
    with Script(greeting) as script:
        look.configure(PRIVATE.format(port=script.port), BIG)
        found = look.one("port 25", "good.example")
    assert (found.result, evidence in found.evidence) == ("fail", True), found


@pytest.mark.parametrize("more", ['source4 = "127.0.0.9"\n', '[[source]]\nname = "a"\naddresses = ["127.0.0.9"]\n'])
def test_from_the_address_that_is_configured(look: Look, more: str) -> None:
    """Where an address to call from is configured, that is the one that calls, as it does with mail."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        look.configure(PRIVATE.format(port=door.getsockname()[1]) + more, BIG)
        callers: list[str] = []

        def answer() -> None:
            peer, (caller, _) = door.accept()
            callers.append(caller)
            with peer:
                peer.sendall(b"220 mx\r\n")
                peer.recv(100)
                peer.sendall(b"250 mx\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        found = look.one("port 25", "good.example")
        thread.join()
    assert (found.result, callers) == ("pass", ["127.0.0.9"])


def test_only_families_that_this_host_has(look: Look) -> None:
    """Who has no IPv6 address calls nobody by IPv6; who has one is told where that does not work."""
    with Script(GREETS.format(seen=HOME)) as script:
        look.configure(PRIVATE.format(port=script.port), CONFIG.replace("nowhere.example", "both.example"))
        assert look.one("port 25", "good.example").result == "pass"
        both = look.one("port 25", "good.example", from_ips=(HOME, HOME6))
    assert (both.result, "but not at ::1" in both.evidence, "prefer4" in both.advice) == ("warn", True, True)


def test_nobody_is_there(look: Look) -> None:
    """A refused connection and silence are told apart, and say what to do."""
    look.configure(PRIVATE.format(port=free_port()), BIG)
    found = look.one("port 25", "good.example")
    assert (found.result, "refused" in found.evidence.lower()) == ("fail", True)
    assert "relay" in found.advice
    with Hang() as silent:
        look.configure(PRIVATE.format(port=silent.port), BIG.replace('"60s"', '"3s"'))
        found = look.one("port 25", "good.example")
    assert (found.result, "no answer" in found.evidence) == ("fail", True)


@pytest.mark.parametrize(
    ("domain", "evidence"),
    [("silent.big.example", "no address that may be called"), ("broken.example", "SERVFAIL"), ("good.example.x", "no MX")],
)
def test_nobody_to_call(look: Look, domain: str, evidence: str) -> None:
    """Private addresses are not called, and trouble says nothing about the way out."""
    look.configure(head=CONFIG.replace("nowhere.example", domain))
    found = look.one("port 25", "good.example")
    assert (found.result, evidence in found.evidence) == ("warn", True)


def test_what_others_see(look: Look) -> None:
    """Behind a translator of addresses, the address is the one that an MX host says it sees; and that is looked at."""
    with Script(GREETS.format(seen=HOME)) as script:
        look.configure(PRIVATE.format(port=script.port), BIG)
        found = look("good.example", from_ips=("10.0.0.7",))
    egress = [one for one in found if one.check == "egress"]
    assert [(one.result, one.subject, one.evidence) for one in egress] == [
        ("pass", HOME, "mail comes from there: that is what mx.big.example sees")
    ]
    assert [one.result for one in found if one.check in ("PTR", "SPF")] == ["pass", "pass"]


@pytest.mark.parametrize("seen", ["10.0.0.9", "127.0.0.1", "999.1.1.1", "nonsense"])
def test_what_others_claim_to_see(look: Look, seen: str) -> None:
    """A host that sees us at an address that cannot be public is not believed."""
    with Script(GREETS.format(seen=seen)) as script:
        look.configure(PRIVATE.format(port=script.port), BIG)
        found = look("good.example", from_ips=("10.0.0.7",))
    assert [one.result for one in found if one.check == "egress"] == ["warn"]


# The policy of MTA-STS


class Web:
    """A web server with TLS that gives the same answer to everybody; the requests are kept."""

    def __init__(self, context: ssl.SSLContext, answer: bytes) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self._context = context
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            peer, _ = self._door.accept()
            with peer:
                peer.settimeout(60)
                try:
                    with self._context.wrap_socket(peer, server_side=True) as stream:
                        self.requests.append(stream.recv(65536))
                        stream.sendall(self.answer)
                except OSError:
                    if not self.answer:
                        return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer = b""
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._door.close()


def policy(mode: str = "enforce", mx: str = "mx.tls.example", age: str = "604800") -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + f"version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {age}\n".encode()


class Place(Look):
    """A world in which the policy of tls.example can be served."""

    def serve(self, answer: bytes, name: str = "mta-sts.tls.example") -> str:
        """The result and the evidence."""
        ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(name).configure_cert(context)
        authority = self.file.parent / "ca.pem"
        ca.cert_pem.write_to_path(str(authority))
        tls.forget()  # another authority is in that file now
        self.configure(f'[delivery]\nallow_private = true\n[tls]\nca_file = "{authority}"\n')
        with Web(context, answer) as web:
            found = self.one("MTA-STS", "tls.example", https_port=web.port)
            self.requests = web.requests[:]
        return f"{found.result} {found.evidence}"


@pytest.fixture
def place(look: Look, tmp_path: Path) -> Place:
    return Place(look.nsd, tmp_path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (policy(), "pass mode enforce for 604800 s; it names mx.tls.example"),
        (policy(mx="*.tls.example"), "pass mode enforce"),
        (policy("none"), "pass mode none"),
        (policy("testing", "mx.other.example"), "warn mode testing, but it does not name mx.tls.example"),
        (policy(mx="mx.other.example"), "fail mode enforce, but it does not name mx.tls.example"),
        (policy(mx="*.example"), "fail mode enforce, but"),  # the star is one label
        (policy(age="60"), "warn mode enforce, for 60 seconds only"),
        (policy(age="99999999999"), "fail the policy needs"),
        (policy(age="\u00b2"), "fail the policy needs"),
        (policy("maybe"), "fail the policy needs"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "the web server says 404 Not Found"),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://127.0.0.1/\r\n\r\n", "the web server says 301 Moved"),
        (b"220 mx.example ESMTP\r\n", "127.0.0.1 sent no whole answer"),
        (policy() + b"x" * 70_000, "longer than a policy can be"),
    ],
)
def test_policy(place: Place, answer: bytes, said: str) -> None:
    """The policy is fetched from its one place, and has to name the MX hosts of the domain; a redirect is not followed."""
    assert said in place.serve(answer)
    (request,) = place.requests
    assert request.startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.tls.example:")


def test_a_certificate_of_another(place: Place) -> None:
    """A policy without a valid certificate is none, and is not even asked for."""
    assert "the certificate is not accepted" in place.serve(policy(), "www.tls.example")
    assert place.requests == []


def test_no_web_server(place: Place) -> None:
    """Nobody there, and nobody who answers."""
    place.configure("[delivery]\nallow_private = true\n")
    assert "refused" in place.one("MTA-STS", "tls.example", https_port=free_port()).evidence.lower()
    with Hang() as silent:
        place.configure("[delivery]\nallow_private = true\n", CONFIG.replace('"60s"', '"3s"'))
        assert "no whole answer within" in place.one("MTA-STS", "tls.example", https_port=silent.port).evidence


# The clock


class TimeServer:
    """Says a time that is `ahead` of ours, or nothing, or nonsense."""

    def __init__(self, ahead: float = 0.0, stratum: int = 2, length: int = 48) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._say = (ahead, stratum, length)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(512)
            if not data:
                return
            ahead, stratum, length = self._say
            now = time.time() + ahead + 2208988800
            stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
            self._socket.sendto((bytes([0x24, stratum]) + bytes(30) + stamp + stamp)[:length], peer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


def clock(look: Look, server: str) -> tuple[str, str]:
    look.configure(head=CONFIG.replace('time_server = ""', f'time_server = "{server}"'))
    found = look.one("clock", "good.example")
    return found.result, found.evidence


@pytest.mark.parametrize(
    ("ahead", "result", "evidence"),
    [
        (0, "pass", "0.0 s"),
        (-3, "pass", "3.0 s ahead"),
        (20, "warn", "20.0 s behind"),
        (-90, "fail", "90.0 s ahead"),
        (86400, "fail", "behind"),
    ],
)
def test_clock(look: Look, ahead: float, result: str, evidence: str) -> None:
    """How far the clock is from the true time, and on which side."""
    with TimeServer(ahead) as server:
        said = clock(look, f"time.example:{server.port}")
    assert (said[0], evidence in said[1]) == (result, True), said


def test_no_time(look: Look) -> None:
    """A server that does not know the time, sends nonsense, or is not there says nothing about our clock."""
    for server in (TimeServer(stratum=0), TimeServer(length=20)):
        with server:
            assert clock(look, f"127.0.0.1:{server.port}") == ("warn", "not compared: what answers knows no time")
    assert clock(look, "ghost.example")[0] == "warn"
    assert clock(look, f"127.0.0.1:{free_port()}")[0] == "warn"
    look.configure()
    assert not look.many("clock", "good.example")


# Which addresses are ours


def test_sources() -> None:
    """What is said goes before what is configured, and that before the route to the world."""
    both = Delivery(source4="192.0.2.10", source6="2001:db8::10")
    assert [one.address for one in sources(["198.51.100.1"], both)] == ["198.51.100.1"]
    assert [one.known for one in sources([], both)] == ["delivery.source4", "delivery.source6"]
    assert [one.address for one in sources([], Delivery(source4="192.0.2.10", source6="2001:db8::10", family="only4"))] == ["192.0.2.10"]
    assert [one.address for one in sources([], Delivery(source4="192.0.2.10", source6="2001:db8::10", family="only6"))] == ["2001:db8::10"]
    assert all(one.known == "the route to the world begins there" for one in sources([], Delivery()))


def test_the_route_to_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any route has no address, and one with a private one has none that counts."""

    class Unplugged(socket.socket):
        def connect(self, _: object) -> None:
            raise OSError("no route")

    monkeypatch.setattr(socket, "socket", Unplugged)
    assert sources([], Delivery()) == []
    assert public(sources(["10.1.2.3", "2001:db8::1"], Delivery())) == ["2001:db8::1"]


def test_no_way_to_the_world(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is said, and is not taken for a fault of the domain."""
    monkeypatch.setattr("mailer.check.examine.routed", lambda *_: "")
    found = look.one("egress", "good.example", from_ips=())
    assert (found.result, found.evidence) == ("warn", "this host has no way to the world")
