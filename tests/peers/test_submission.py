"""Programs that hand in mail as people have them: each logs in over TLS in its own way, and what it hands in is in the spool."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme

from tests.smtpd.submission_house import SECRET, SubmissionHouse, played

from .install import CLIENTS, HERE, NODE, node
from .view import run_over

USER = "ann@example.com"


class Door:
    """A door with a certificate of an authority, whose file is `ca`, as a client finds it."""

    def __init__(self, house: SubmissionHouse, home: Path, ca: Path) -> None:
        self.house = house
        self.home = home
        self.ca = ca

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.house.port

    async def run(self, *words: str, over: bool = True, said: bytes = b"", **env: str) -> int:
        """How a program ends that is told `said`; `over` the machine lie the clients."""
        return await run_over(CLIENTS if over else None, self.home, *words, said=said, **env)


async def swaks(door: Door, password: str, *more: str) -> int:
    server = ("--server", "127.0.0.1", "--port", str(door.port), "--from", USER, "--to", "carl@example.net")
    login = ("--auth-user", USER, "--auth-password", password)
    return await door.run("swaks", *server, *login, *(more or ("--tls", "--auth", "PLAIN")))


async def swaks_by_login(door: Door, password: str) -> int:
    return await swaks(door, password, "--tls", "--auth", "LOGIN", "--pipeline")


async def snail(door: Door, password: str) -> int:
    place = f"mta=smtp://ann%40example.com:{password}@localhost:{door.port}"
    options = (
        "v15-compat",
        place,
        "smtp-use-starttls",
        f"tls-ca-file={door.ca}",
        "smtp-auth=plain",
        f"from={USER}",
        "hostname=me",
        "DEAD=/dev/null",
    )
    words = [word for option in options for word in ("-S", option)]
    return await door.run("s-nail", "-:/", *words, "-Sexpandaddr", "-s", "by s-nail", "carl@example.net", said=b"hello\n")


async def msmtp(door: Door, password: str, auth: str = "plain", *more: str) -> int:
    login = (f"--auth={auth}", f"--user={USER}", f"--passwordeval=echo {password}", f"--from={USER}")
    tls = ("--tls=on", f"--tls-trust-file={door.ca}", *more)
    return await door.run(
        "msmtp", "--host=localhost", f"--port={door.port}", *tls, *login, "carl@example.net", said=b"From: ann@example.com\n\nhello\n"
    )


async def msmtp_by_scram(door: Door, password: str) -> int:
    return await msmtp(door, password, "scram-sha-256")


async def nodemailer(door: Door, password: str) -> int:
    words = (str(HERE / "node/nodemailer.js"), str(door.port), str(door.ca), USER, password, "1")
    return await door.run(node(), *words, over=False, MODULES=str(NODE / "node_modules"))


def letter() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = USER, "carl@example.net", "by Python"
    made.set_content("hello\n")
    return made


async def standard(door: Door, password: str) -> int:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", door.port, local_hostname="[127.0.0.1]", timeout=60) as client:
            client._host = "localhost"  # type: ignore[attr-defined] # the name in the certificate
            client.starttls(context=ssl.create_default_context(cafile=str(door.ca)))
            client.login(USER, password)
            client.send_message(letter())

    try:
        await asyncio.to_thread(send)
    except smtplib.SMTPAuthenticationError:
        return 1
    return 0


async def aiosmtplib(door: Door, password: str) -> int:
    library = pytest.importorskip("aiosmtplib")
    place = {"hostname": "127.0.0.1", "port": door.port, "start_tls": True, "validate_certs": False}
    try:
        await library.send(letter(), username=USER, password=password, **place)
    except library.SMTPAuthenticationError:
        return 1
    return 0


Send = Callable[[Door, str], Awaitable[int]]
FOREIGN = {swaks: "swaks", swaks_by_login: "swaks", snail: "s-nail client", msmtp: "msmtp", msmtp_by_scram: "msmtp"}
CLIENT = [
    *(pytest.param(send, id=send.__name__, marks=pytest.mark.peer(name, "unshare", root=True)) for send, name in FOREIGN.items()),
    pytest.param(nodemailer, marks=pytest.mark.peer("nodemailer"), id="nodemailer"),
    pytest.param(standard, id="smtplib"),
    pytest.param(aiosmtplib, id="aiosmtplib"),
]


@contextlib.asynccontextmanager
async def shown(door: Door) -> AsyncIterator[Door]:
    """What the program said, where the test fails."""
    try:
        yield door
    except BaseException:
        said = door.home / "said"
        print(said.read_text(errors="replace") if said.exists() else "")
        raise


def at_a_door(home: Path, tls: str, test: Callable[[Door], Awaitable[None]]) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(home / "mx.pem"))
    authority.cert_pem.write_to_path(str(home / "ca.pem"))

    async def play(house: SubmissionHouse) -> None:
        async with shown(Door(house, home, home / "ca.pem")) as door:
            await test(door)

    played(SubmissionHouse(home, listen=f'tls = "{tls}"\ncertificate_file = "{home}/mx.pem"'), play)


@pytest.mark.parametrize("send", CLIENT)
def test_what_a_client_hands_in_is_in_the_spool(tmp_path: Path, send: Send) -> None:
    """From the user who has logged in; with a wrong password nothing is taken."""

    async def test(door: Door) -> None:
        assert await send(door, "wrong") != 0
        assert door.house.entries() == []
        assert await send(door, SECRET) == 0
        [entry] = door.house.entries()
        assert (entry.envelope.sender, [one.address for one in entry.envelope.recipients]) == (USER, ["carl@example.net"])
        content = door.house.spool.content(entry.id)
        assert b"with ESMTPSA id" in content
        assert content.count(b"\r\nMessage-I") == 1
        assert USER.encode() in content

    at_a_door(tmp_path, "starttls", test)


@pytest.mark.peer("swaks", "msmtp", "unshare", root=True)
def test_tls_from_the_first_octet_on(tmp_path: Path) -> None:
    """As at port 465, RFC 8314."""

    async def test(door: Door) -> None:
        assert await swaks(door, SECRET, "--tlsc", "--auth", "PLAIN") == 0
        assert await msmtp(door, SECRET, "scram-sha-256", "--tls-starttls=off") == 0
        assert len(door.house.entries()) == 2

    at_a_door(tmp_path, "implicit", test)
