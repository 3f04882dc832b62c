"""Users log in: over TLS, as themselves, and whoever guesses is held up alone."""

from __future__ import annotations

import asyncio
import base64
import ssl
from pathlib import Path

import pytest
import trustme

from mailer.accounts import logins
from mailer.accounts.users.memory import MemoryUsers
from mailer.events import LoggedIn, LoginFailed, TurnedAway
from mailer.sasl.mechanism import Channel, server_end_point
from mailer.sasl.scram import Scram, ScramPlus
from mailer.serving.login import DELAY
from tests.smtpd.house import Client
from tests.smtpd.submission_house import ANN, MAIL, PHONE, SECRET, SubmissionHouse, brought, plain, played


def test_before_tls_nobody_can_say_a_password(tmp_path: Path) -> None:
    """AUTH is not offered, and refused with the code that says why; behind it, it is offered. No trace of what was said is told."""
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "mx.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client:
            assert "AUTH" not in await client("EHLO me")
            assert (await client(plain("ann@example.com", SECRET))).startswith("538 5.7.11")
            assert (await client("MAIL FROM:<ann@example.com>")).startswith("530 5.7.0")
            await client.secure(context)
            assert "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN" in await client("EHLO me")
            assert (await client(plain("ann@example.com", SECRET))).startswith("235")
            assert (await brought(client, MAIL, "carl@example.net"))[-1].startswith("250")
        [entry] = house.entries()
        assert b"with ESMTPSA id" in house.spool.content(entry.id)
        assert base64.b64encode(SECRET.encode()).decode() not in repr(house.told)
        assert SECRET not in repr(house.told)

    played(SubmissionHouse(tmp_path, listen=f'tls = "starttls"\ncertificate_file = "{tmp_path}/mx.pem"'), play)


@pytest.mark.parametrize("password", [SECRET, PHONE])
@pytest.mark.parametrize("bound", [False, True])
def test_a_password_need_not_travel(tmp_path: Path, password: str, bound: bool) -> None:
    """With SCRAM, bound to our certificate or not; also that of a program."""
    authority = trustme.CA()
    chain = authority.issue_cert("localhost").private_key_and_cert_chain_pem
    chain.write_to_path(str(tmp_path / "mx.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def play(house: SubmissionHouse) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port, ssl=context, server_hostname="localhost")
        client = Client(reader, writer)
        await client.hear()
        await client("EHLO me")
        end_point = server_end_point(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
        channel = Channel("nonce", end_point if bound else b"", bindings=True)
        mechanism = (ScramPlus if bound else Scram)("ann@example.com", password, channel)
        said = await client(f"AUTH {mechanism.name} {base64.b64encode(mechanism.initial() or b'').decode()}")
        while said.startswith("334"):
            said = await client(base64.b64encode(mechanism.answer(base64.b64decode(said[4:])) or b"").decode())
        assert said.startswith("235")
        assert mechanism.proved
        writer.transport.abort()
        [event] = house.heard(LoggedIn)
        assert (event.arrival.user, event.arrival.tls) == ("ann@example.com", "TLSv1.3")

    played(SubmissionHouse(tmp_path, listen=f'tls = "implicit"\ncertificate_file = "{tmp_path}/mx.pem"'), play)


def test_whoever_is_not_let_in_learns_nothing(tmp_path: Path) -> None:
    """The same words after the same wait, whatever was wrong: an unknown user, a password, a user who is switched off, another's name."""
    off = ANN._replace(address="off@example.com", disabled=True)

    async def play(house: SubmissionHouse) -> None:
        await house.users.put([off])
        tries = [
            plain("nobody@example.com", SECRET), plain("ann@example.com", "wrong"), plain("off@example.com", SECRET),
            plain("ann@example.com", SECRET, "bob@example.com"), plain("ann@example.com", ""), plain("bob@example.com", PHONE),
        ]  # fmt: skip
        said = []
        for line in tries:
            async with Client.of(house.port) as client:
                said.append(await client(line))
        assert said[4].startswith("501")
        assert {*said[:4], *said[5:]} == {"535 5.7.8 authentication failed"}
        assert house.slept == [DELAY] * 5
        assert [failed.user for failed in house.heard(LoginFailed)][:3] == ["nobody@example.com", "ann@example.com", "off@example.com"]
        assert house.heard(LoggedIn) == []

    played(SubmissionHouse(tmp_path), play)


def test_whoever_acts_as_himself_is_let_in(tmp_path: Path) -> None:
    """Some programs say the same name twice."""

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await client(plain("ann@example.com", SECRET, "ANN@example.com"))).startswith("235")
            assert (await client(plain("ann@example.com", SECRET))).startswith("503")

    played(SubmissionHouse(tmp_path), play)


def test_three_guesses_end_a_session(tmp_path: Path) -> None:
    """Whatever mechanism they come by."""

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client:
            for _ in range(2):
                assert (await client(plain("ann@example.com", "wrong"))).startswith("535")
            assert (await client("AUTH LOGIN")).startswith("334")
            await client(base64.b64encode(b"ann@example.com").decode())
            assert (await client(base64.b64encode(b"wrong").decode())).startswith("535")
            assert (await client(plain("ann@example.com", SECRET))).startswith("421")

    played(SubmissionHouse(tmp_path), play)


def test_a_network_that_guesses_is_not_greeted(tmp_path: Path) -> None:
    """When its guesses are used up; the right password comes too late then."""

    async def play(house: SubmissionHouse) -> None:
        for turn in range(10):
            async with Client.of(house.port) as client:
                assert (await client(plain("ann@example.com", f"wrong{turn}"))).startswith("535")
        client = Client(*await asyncio.open_connection("127.0.0.1", house.port))
        assert (await client.hear()).startswith("421 too many logins")
        client.writer.close()
        [turned] = house.heard(TurnedAway)
        assert (turned.phase, turned.reason) == ("greeting", "login")

    played(SubmissionHouse(tmp_path), play)


def test_a_guesser_locks_nobody_out(tmp_path: Path) -> None:
    """Who has logged in from there of late gets in all the same, as himself and as nobody else; and he may mistype once more."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client():
            pass
        for turn in range(10):
            async with Client.of(house.port) as client:
                await client(plain("bob@example.com", f"wrong{turn}"))
        async with Client.of(house.port) as client:
            assert (await client(plain("bob@example.com", "battery staple"))).startswith("421 4.7.0")
        async with Client.of(house.port) as client:
            assert (await client(plain("ann@example.com", "mistyped"))).startswith("535")
            assert (await client(plain("ann@example.com", SECRET))).startswith("235")

    played(SubmissionHouse(tmp_path), play)


@pytest.mark.parametrize(
    "line", ["AUTH PLAIN !", "AUTH PLAIN AGEAYg", f"AUTH PLAIN {'QUFB' * 500}", "AUTH PLAIN AGEKAGI=", "AUTH PLAIN YQ==", "AUTH PLAIN *"]
)
def test_what_is_no_answer_is_said_to_be_none(tmp_path: Path, line: str) -> None:
    """And nobody else notices."""

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client, Client.of(house.port) as other:
            assert (await client(line)).startswith("501")
            assert (await other(plain("ann@example.com", SECRET))).startswith("235")
            assert (await client(plain("ann@example.com", SECRET))).startswith("235")

    played(SubmissionHouse(tmp_path), play)


def test_a_line_that_never_ends_is_not_kept(tmp_path: Path) -> None:
    """Within AUTH it may have twelve thousand octets."""

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await client("AUTH PLAIN")).startswith("334")
            assert (await client("QUFB" * 4000)).startswith("500 5.5.6")
            assert (await client("AUTH PLAIN")).startswith("334")
            assert (await client("*")).startswith("501")

    played(SubmissionHouse(tmp_path), play)


@pytest.mark.parametrize("name", ["*)(uid=*", "' OR 1=1 --", "../ann@example.com", "%", "ann@example.com'", "ann"])
def test_names_are_only_names(tmp_path: Path, name: str) -> None:
    """Nothing in them means anything to whatever looks them up."""

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await client(plain(name, SECRET))).startswith("535")

    played(SubmissionHouse(tmp_path), play)


def test_where_too_many_log_in_at_once_they_come_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no failure, and counts for nothing."""
    monkeypatch.setattr(logins, "WAITING", -logins.THREADS)

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await client(plain("ann@example.com", SECRET))).startswith("454 4.7.0")
            assert (await client(plain("ann@example.com", PHONE))).startswith("235")  # which costs nothing
        assert not house.desk.is_closed("127.0.0.1")
        assert house.slept == []

    played(SubmissionHouse(tmp_path), play)


def test_only_what_is_configured_is_offered(tmp_path: Path) -> None:
    """And in that order."""

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client:
            assert "AUTH LOGIN SCRAM-SHA-256\r" in await client("EHLO me")
            assert (await client(plain("ann@example.com", SECRET))).startswith("504")

    played(SubmissionHouse(tmp_path, accounts='mechanisms = ["LOGIN", "SCRAM-SHA-256"]'), play)


def test_somebody_who_is_not_there_is_asked_like_anybody_else(tmp_path: Path) -> None:
    """With SCRAM: for the same salt each time, as often as they who are there are, and then he is refused in the same words."""

    async def play(house: SubmissionHouse) -> None:
        asked: dict[str, set[str]] = {}
        for name in ("ann@example.com", "nobody@example.com", "off@example.com") * 2:
            async with Client.of(house.port) as client:
                said = await client(f"AUTH SCRAM-SHA-256 {base64.b64encode(f'n,,n={name},r=x'.encode()).decode()}")
                nonce, salt, iterations = base64.b64decode(said[4:]).decode().split(",")
                asked.setdefault(name, set()).add(f"{len(salt)} {salt} {iterations}")
                final = f"c=biws,{nonce},p={base64.b64encode(bytes(32)).decode()}"
                assert await client(base64.b64encode(final.encode()).decode()) == "535 5.7.8 authentication failed"
        assert [len(each) for each in asked.values()] == [1, 1, 1]
        assert len({each.split()[0] for found in asked.values() for each in found}) == 1

    house = SubmissionHouse(tmp_path)
    asyncio.run(house.users.put([ANN._replace(address="off@example.com", disabled=True)]))
    played(house, play)


def test_users_may_be_kept_elsewhere_from_now_on(tmp_path: Path) -> None:
    """A session goes on, and who logs in next is looked up there; the parts of a daemon follow a configuration one after the other."""

    async def play(house: SubmissionHouse) -> None:
        async with house.client() as client:
            with house.doors.reload(house.config):
                pass
            house.reception.residents.users = MemoryUsers([ANN._replace(address="eve@example.com"), ANN])
            assert (await brought(client, MAIL, "carl@example.net"))[-1].startswith("250")
        async with house.client("eve@example.com"):
            pass
        async with Client.of(house.port) as client:
            assert (await client(plain("bob@example.com", "battery staple"))).startswith("535")

    played(SubmissionHouse(tmp_path), play)


@pytest.mark.parametrize("strict", [False, True])
def test_who_does_not_wait_is_refused_where_that_is_asked_for(tmp_path: Path, strict: bool) -> None:
    """Nobody may say more behind AUTH before it is answered, RFC 4954 §4; programs that do all the same are borne otherwise."""

    async def play(house: SubmissionHouse) -> None:
        async with Client.of(house.port) as client:
            await client.say(f"{plain('ann@example.com', SECRET)}\r\nNOOP\r\n".encode())
            assert (await client.hear()).startswith("554 5.5.0" if strict else "235")
        assert [turned.reason for turned in house.heard(TurnedAway)] == ["early"] * strict

    played(SubmissionHouse(tmp_path, more=f"[receiving]\nstrict_pipelining = {str(strict).lower()}"), play)
