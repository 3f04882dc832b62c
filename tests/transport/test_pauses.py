"""What servers say, at its worst: nothing of it keeps the loop from other work for long."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from base64 import b64decode, b64encode
from secrets import token_urlsafe
from typing import Self

import pytest

from mailer.config.kinds import HostPort
from mailer.net.dns import Resolver
from mailer.sasl.scram import MOST
from mailer.testing import LoopbackServer
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Login, Timeouts
from tests.fakes.pauses import LONGEST, longest_turn

pytestmark = pytest.mark.slow

QUICK = Timeouts(60, 60, 60, 60, 60, 60, 60, 60, 1)
PEOPLE = [f"{at}@example.net" for at in range(1000)]
USUAL = {"": b"220 x\r\n", "EHLO": b"250-x\r\n250 PIPELINING\r\n", "MAIL": b"250 x\r\n", "RCPT": b"250 x\r\n", "DATA": b"354 x\r\n"}
SAID: dict[str, bytes] = {
    "empty lines": b"C-\n" * 200_000 + b"C x\n",
    "lines without end": b"C-\r\n" * 300_000,
    "short replies": b"C x\n" * 100_000,
    "replies that all differ": b"".join(b"C %d\n" % at for at in range(100_000)),
    "long lines": (b"C-" + b"\xff" * 5000 + b"\r\n") * 200 + b"C x\r\n",
    "no line end": b"C " + b"\x01" * 2_000_000,
}


class Loud(LoopbackServer):
    """Answers as usual, but for one command."""

    def __init__(self, verb: str, said: bytes) -> None:
        super().__init__()
        self.said = {**USUAL, verb: said}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        writer.write(self.said[""])
        while line := await reader.readline():
            writer.write(self.said.get(line[:4].decode().upper(), b"250 x\r\n"))


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
@pytest.mark.parametrize(("verb", "code"), [("", b"220"), ("EHLO", b"250"), ("RCPT", b"550")], ids=["greeting", "EHLO", "RCPT"])
def test_a_reply_holds_up_nothing(verb: str, code: bytes, said: bytes) -> None:
    """Whatever it looks like, and however much of it comes at once."""

    async def work() -> None:
        endpoint = Endpoint("mx.example.com", server.port, Requirement("none"))
        try:
            connection = await Connection.open(endpoint, "127.0.0.1", QUICK)
        except SessionError:
            return
        await connection.deliver(Parcel("a@example.com", PEOPLE[:10], b"Subject: x\r\n\r\nx\r\n"))
        connection.abandon()

    with Loud(verb, said.replace(b"C", code)) as server:
        assert longest_turn(lambda: work) < LONGEST


def test_answers_about_many_recipients_hold_up_nothing() -> None:
    """Each answer is as long as is kept of one."""

    async def work() -> None:
        connection = await Connection.open(Endpoint("mx.example.com", server.port, Requirement("none")), "127.0.0.1", QUICK)
        answers = await connection.deliver(Parcel("a@example.com", PEOPLE, b"Subject: x\r\n\r\nx\r\n"))
        assert [answer.reply.code for answer in answers] == [550] * len(PEOPLE)
        connection.abandon()

    with Loud("RCPT", b"550-" + b"x" * 500 + b"\r\n" + b"550-\n" * 1000 + b"550 y\r\n") as server:
        assert longest_turn(lambda: work) < LONGEST


class Parrot(LoopbackServer):
    """Repeats what it is told in AUTH."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One AUTH."""
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(b"250-x\r\n250 AUTH XOAUTH2\r\n")
        await reader.readline()
        writer.write(b"334 \r\n")
        told = (await reader.readline()).strip()
        writer.write(b"501 you said " + told + b"\r\n")


def test_a_password_that_is_repeated_holds_up_nothing() -> None:
    """It is looked for in whatever the server says, and a token of OAuth may be long."""

    async def work() -> None:
        login = Login("me@example.org", lambda: token_urlsafe(2000), allow_plain=True, mechanism="OAUTH")
        with pytest.raises(SessionError, match=r"\*\*\*"):
            await Connection.open(Endpoint("mx.example.com", server.port, Requirement("none"), login), "127.0.0.1", QUICK)

    with Parrot() as server:
        assert longest_turn(lambda: work) < LONGEST


class Costly(LoopbackServer):
    """Asks for as many iterations of SCRAM as it may, and refuses the proof; `proofs` are those that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.proofs: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One AUTH."""
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(b"250-x\r\n250 AUTH SCRAM-SHA-256\r\n")
        nonce = b64decode((await reader.readline()).split()[-1]).partition(b",r=")[2]
        writer.write(b"334 " + b64encode(b"r=" + nonce + b"x,s=c2FsdA==,i=%d" % MOST) + b"\r\n")
        self.proofs.append(b64decode(await reader.readline()))
        writer.write(b"535 5.7.8 no\r\n")


def test_a_password_that_takes_long_to_prove_holds_up_nothing() -> None:
    """The server says how many iterations it wants, RFC 5802 §5.1: they are computed beside the loop."""

    async def work() -> None:
        login = Login("me@example.org", lambda: "secret")
        with pytest.raises(SessionError, match=r"5\.7\.8"):
            await Connection.open(Endpoint("mx.example.com", server.port, Requirement("none"), login), "127.0.0.1", QUICK)

    with Costly() as server:
        assert longest_turn(lambda: work) < LONGEST
    assert all(proof.startswith(b"c=biws,r=") for proof in server.proofs)


def labels(at: int) -> bytes:
    """The data of an MX record with as many labels as a name may have."""
    return struct.pack(">H", at) + b"\1a" * 100 + b"\4%04d" % at + b"\xc0\x0c"


def plain(at: int) -> bytes:
    """That of one with a short name."""
    return struct.pack(">H", at) + b"\4%04d" % at + b"\xc0\x0c"


def large(question: bytes, at: int) -> bytes:
    """The answer to `question` that `ANSWERS` describes there: with as many records as it has room for."""
    name_and_type = question[12 : question.index(0, 12) + 5]
    made, most = ANSWERS[at]
    records: list[bytes] = []
    size = 12 + len(name_and_type)
    while True:
        data = made(len(records))
        record = b"\xc0\x0c" + struct.pack(">HHIH", 15, 1, 60, len(data)) + data
        if (size := size + len(record)) > most:
            break
        records.append(record)
    return question[:2] + struct.pack(">5H", 0x8180, 1, len(records), 0, 0) + name_and_type + b"".join(records)


ANSWERS = ((labels, 1200), (labels, 8000), (plain, 65_535))


class Wordy:
    """A name server, in a thread, whose answers come by TCP: of the kind and size that the first label of the question says."""

    def __init__(self) -> None:
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        """A datagram of no octets is the end."""
        while True:
            question, peer = self.udp.recvfrom(65_535)
            if not question:
                return
            self.udp.sendto(question[:2] + b"\x83\x80" + question[4:6] + b"\0" * 6 + question[12 : question.index(0, 12) + 5], peer)
            caller, _ = self.tcp.accept()
            with caller:
                question = caller.recv(65_535)[2:]
                answer = large(question, int(question[13 : 13 + question[12]]))
                caller.sendall(len(answer).to_bytes(2, "big") + answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.udp.sendto(b"", self.udp.getsockname())
        self._thread.join()
        self.udp.close()
        self.tcp.close()


def test_an_answer_of_the_dns_holds_up_nothing() -> None:
    """Names of a hundred labels, and as many records as an answer has room for."""

    async def work() -> None:
        for at in range(len(ANSWERS)):
            hosts = await Resolver([HostPort("127.0.0.1", server.port)]).mx(f"{at}.example")
            assert hosts[0][1].endswith(f"0000.{at}.example")

    with Wordy() as server:
        assert longest_turn(lambda: work) < LONGEST
