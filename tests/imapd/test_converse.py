"""A session at a door: who is let in, what a client may take of time and memory, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import ssl

import pytest
import trustme

from mailer.events import Alarm, ClientIdentified, LoggedIn, LoginFailed
from mailer.imap.answer import Answer
from mailer.imap.command import NoOperation
from mailer.imapd.handlers import HANDLERS
from mailer.mail.problem import Problem
from mailer.mailbox.api import BodyLost, Frozen, NewMail, NoKey
from mailer.serving.common import Common
from mailer.serving.room import MessageRoom
from tests.mailbox.premises import put
from tests.net.accepting import heard

from .house import PHONE, SECRET, ImapHouse, in_house


def now() -> float:
    """Seconds that were waited."""
    return asyncio.get_running_loop().time()


# -- who is let in


@pytest.mark.parametrize(
    ("name", "password"), [("ann@example.com", SECRET), ("Ann@Example.com", PHONE), ("bob@example.com", "battery staple")]
)
def test_users_log_in(name: str, password: str) -> None:
    """By LOGIN and by AUTHENTICATE, with the password of their own or that of a program; and it is told."""

    async def test(house: ImapHouse) -> None:
        plain = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        for command in (f'LOGIN "{name}" "{password}"', f"AUTHENTICATE PLAIN {plain}"):
            client = await house.client("")
            assert (await client.do(command))[-1].startswith("OK")
            await client.ok("SELECT INBOX")
        told = [event for event in house.told if isinstance(event, LoggedIn)]
        assert [(each.arrival.door, each.arrival.user, each.app) for each in told] == [
            ("imap", name.lower(), "phone" if password == PHONE else "")
        ] * 2
        assert house.register.occupied == 2

    in_house(test)


@pytest.mark.parametrize("name", ["ann@example.com", "nobody@example.com", "", "%", "a'--", 'x"'])
def test_who_is_not_let_in_hears_one_thing(name: str) -> None:
    """Whoever he says he is."""

    async def test(house: ImapHouse) -> None:
        client = await house.client("")
        said = name.replace('"', '\\"')
        assert (await client.do(f'LOGIN "{said}" "wrong"'))[-1] == "NO [AUTHENTICATIONFAILED] name or password are wrong"
        assert [type(event) for event in house.told] == [LoginFailed]
        assert house.register.occupied == 0

    in_house(test)


def test_who_is_shown_out_hears_a_last_word() -> None:
    """At once, where he is waited for; in IDLE too."""

    async def test(house: ImapHouse) -> None:
        one, other = await house.client(), await house.selected()
        await other.begin("IDLE")
        assert (await other.hear()).startswith("+")
        await house.sessions.end("ann@example.com", at=house.premises.now + 1)
        await house.register.look()
        assert await one.hear() == await other.hear() == "* BYE you have to log in again"
        assert await one.hear() == ""

    in_house(test)


def test_where_nobody_can_log_in_nobody_is_greeted() -> None:
    """A network from which too many logins have failed."""

    async def test(house: ImapHouse) -> None:
        for _ in range(101):
            house.limits.failures.failed("127.0.0.1", house.premises.now)
        client = await house.client("", greeted=False)
        assert (await client.hear()).startswith("* BYE [UNAVAILABLE] too many logins")
        assert await client.hear() == ""

    in_house(test)


def test_a_mailbox_that_cannot_be_opened_lets_nobody_in() -> None:
    """For now; and a person here is told."""

    async def test(house: ImapHouse) -> None:
        class Closed:
            def __init__(self, problem: Problem) -> None:
                self.problem = problem

            async def owner_id(self) -> str:
                raise self.problem

            def close(self) -> None:
                return

        for problem, alarms in ((NoKey("no key"), 0), (Problem("it is broken", "io-error"), 1)):
            house.terms.hold = lambda _, problem=problem: Closed(problem)  # type: ignore[misc, assignment]
            house.told.clear()
            client = await house.client("")
            assert (await client.do(f'LOGIN ann@example.com "{SECRET}"'))[-1].startswith("NO [UNAVAILABLE]")
            assert len([event for event in house.told if isinstance(event, Alarm)]) == alarms

    in_house(test)


# -- TLS


def test_what_came_with_starttls_is_thrown_away() -> None:
    """And what was said before does not count, RFC 9051 §11.1; CVE-2021-33515."""
    authority = trustme.CA()
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(trusting)

    async def test(house: ImapHouse) -> None:
        client = await house.client("")
        client.writer.write(b"a STARTTLS\r\nb NOOP\r\n")
        assert (await client.hear()).startswith("a OK")
        await client.writer.start_tls(trusting, server_hostname="localhost")
        assert (await client.do("NOOP"))[0].startswith("OK")

    from mailer.imap.server import ImapSettings

    in_house(test, context=context, settings=ImapSettings("mail.example.com", starttls=True))


# -- time


def test_a_stranger_has_a_minute() -> None:
    """Whatever he says meanwhile."""

    async def test(house: ImapHouse) -> None:
        for said in ("", "NOOP"):
            client, began = await house.client(""), now()
            while said and (await client.do(said))[-1].startswith("OK") and now() - began < 100:
                await asyncio.sleep(20)
            assert (await client.hear() if not said else "* BYE").startswith("* BYE")
            assert 59 < now() - began < 81

    in_house(test)


def test_a_client_has_half_an_hour_between_commands() -> None:
    """RFC 9051 §5.4."""

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        for _ in range(3):
            await asyncio.sleep(1790)
            await client.ok("NOOP")
        began = now()
        assert await client.hear() == "* BYE nothing was said for too long"
        assert 1799 < now() - began < 1802

    in_house(test)


def test_a_command_that_drips_is_cut_off() -> None:
    """As a message is."""

    async def test(house: ImapHouse) -> None:
        for begin in (b"a NOOP", b"a APPEND INBOX {100000}\r\n"):
            client, began = await house.client(), now()
            client.writer.write(begin)
            heard = asyncio.ensure_future(client.hear())
            if b"APPEND" in begin:
                assert (await heard).startswith("+")
                heard = asyncio.ensure_future(client.hear())
            while not heard.done():
                client.writer.write(b"x")
                await asyncio.wait((heard,), timeout=5)
            assert await heard == "* BYE that comes too slowly"
            assert 119 < now() - began < 130

    in_house(test)


# -- memory


def test_where_there_is_no_room_a_message_waits_and_is_refused() -> None:
    """Others go on."""

    async def test(house: ImapHouse) -> None:
        one, other = await house.client(), await house.client()
        one.writer.write(b"a APPEND INBOX {200000}\r\n")
        assert (await one.hear()).startswith("+")
        one.writer.write(b"x" * 150_000)
        await other.ok("NOOP")
        other.writer.write(b"a APPEND INBOX {200000}\r\n")
        assert (await other.hear()).startswith("+")
        other.writer.write(b"x" * 150_000)
        heard = [asyncio.ensure_future(each.hear()) for each in (one, other)]
        await asyncio.wait(heard, return_when="FIRST_COMPLETED")
        assert next(each.result() for each in heard if each.done()).startswith("* BYE")

    in_house(test, common=Common(MessageRoom(300_000)))


# -- trouble


@pytest.mark.parametrize(
    ("error", "code", "alarms"),
    [
        (Frozen("it moves"), "UNAVAILABLE", 0),
        (BodyLost("its file is gone"), "SERVERBUG", 1),
        (Problem("the disk is broken", "io-error"), "SERVERBUG", 1),
        (Problem("somebody else writes", "try-again"), "UNAVAILABLE", 0),
        (ZeroDivisionError("a bug"), "SERVERBUG", 1),
        (MemoryError(), "SERVERBUG", 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_command_that_fails_ends_alone(error: Exception, code: str, alarms: int) -> None:
    """The session goes on; what is ours is told to a person here, and not to the client."""

    async def fail(*_: object) -> Answer:
        raise error

    async def test(house: ImapHouse) -> None:
        client = await house.client()
        house.told.clear()
        [last] = await client.do("NOOP")
        assert last.startswith(f"NO [{code}] ")
        assert not str(error) or str(error) not in last
        assert len([event for event in house.told if isinstance(event, Alarm)]) == alarms
        await client.ok("SELECT INBOX")

    in_house(test, handlers={**HANDLERS, NoOperation: fail})


def test_a_client_that_leaves_is_heard_to_the_end() -> None:
    """What it said before counts."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            put(box, many=3)
        client = await house.selected()
        client.writer.write(b"a STORE 1:3 +FLAGS (\\Deleted)\r\nb EXPUNGE\r\nc LOGOUT\r\n")
        client.leave()
        while house.loop.occupied:
            await house.nothing()
        with house.premises.ann() as box:
            assert box.opened("INBOX").uids.tolist() == []

    in_house(test)


def test_a_door_that_closes_says_goodbye() -> None:
    """To whoever waits for nothing, and in IDLE."""

    async def test(house: ImapHouse) -> None:
        one, other = await house.client(), await house.selected()
        await other.begin("IDLE")
        assert (await other.hear()).startswith("+")
        await house.loop.close()
        assert await one.hear() == await other.hear() == "* BYE we are going down, come back later"

    in_house(test)


def test_what_a_client_says_of_itself_is_told_once() -> None:
    """RFC 2971: before it logs in, or after."""

    async def test(house: ImapHouse) -> None:
        for user, who in (("", ""), ("ann@example.com", "ann@example.com")):
            house.told.clear()
            client = await house.client(user)
            for _ in range(3):
                assert (await client.ok('ID ("name" "Phone Mail" "version" "7")'))[0].startswith("* ID ")
            told = [event for event in house.told if isinstance(event, ClientIdentified)]
            assert [(each.arrival.user, each.said) for each in told] == [(who, {"name": "Phone Mail", "version": "7"})]

    in_house(test)


def test_the_last_word_never_stands_in_a_literal() -> None:
    """A client that does not read on in the middle of a large message, and then does, takes nothing else for a part of it."""

    async def test(house: ImapHouse) -> None:
        with house.premises.ann() as box:
            box.put([NewMail("INBOX", b"Subject: large\r\n\r\n" + b"x" * 16_000_000)])
        client = await house.selected()
        client.writer.write(b"a FETCH 1 BODY.PEEK[]\r\n")
        assert (await client.reader.readline()).endswith(b"{16000018}\r\n")
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(61)
        client.writer.transport.resume_reading()  # type: ignore[attr-defined]
        said = await heard(client.reader)
        assert len(said) < 16_000_000
        assert not said.strip(b"x").removeprefix(b"Subject: large\r\n\r\n")

    in_house(test)
