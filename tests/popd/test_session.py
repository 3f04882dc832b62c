"""Sessions at a door of the kind pop3, over the loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Iterator

import pytest

from mailer.events import Alarm, LoggedIn, LoginFailed, MailFetched, Mended
from mailer.mail.problem import Problem
from mailer.mailbox.box import OwnMailbox
from mailer.pop3.maildrop import Maildrop
from mailer.popd.reading import PIECE
from mailer.popd.session import PopTimes
from tests.mailbox.premises import message

from .house import ANN, PHONE, SECRET, PopHouse, PopTalker, played


def test_mail_is_fetched_and_removed() -> None:
    """As it lies there, octet by octet; what was marked is gone behind QUIT."""
    house = PopHouse()
    contents = [message(f"number {number}", text=f".dot {number}") for number in range(5)]
    house.put(*contents)

    async def play(house: PopHouse) -> None:
        async with house.client() as client:
            assert await client("STAT") == f"+OK 5 {sum(map(len, contents))}"
            for number, content in enumerate(contents, 1):
                assert await client.asked(f"RETR {number}") == content
            assert (await client.asked("TOP 3 0")) == contents[2].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            await client("DELE 1")
            await client("DELE 4")
            assert house.left() == [1, 2, 3, 4, 5]
            assert house.register.occupied == 1
            assert await client("QUIT") == "+OK bye, 2 removed"
            assert await client.line() == ""
        assert house.left() == [2, 3, 5]
        while not (told := house.heard(MailFetched)):
            await asyncio.sleep(0.01)
        assert house.register.occupied == 0
        assert [(event.arrival.user, event.messages, event.octets, event.removed, event.failed) for event in told] == [
            (ANN, 5, sum(map(len, contents)), 2, False)
        ]

    played(house, play)


def test_a_lost_connection_removes_nothing() -> None:
    """Wherever it is cut on the way from DELE to QUIT."""
    said = b"DELE 1\r\nDELE 2\r\nQUIT\r\n"
    house = PopHouse()
    house.put(*map(message, "abc"))

    async def play(house: PopHouse) -> None:
        for end in range(len(said)):
            async with house.client(PHONE) as client:
                await client.say(said[:end])
                client.writer.write_eof()
                await client.reader.read()
            assert house.left() == [1, 2, 3], said[:end]
        async with house.client(PHONE) as client:
            await client.say(said)
            client.writer.write_eof()
            await client.reader.read()
        while house.left() != [3]:  # QUIT was heard whole, and nobody is there any more to wait for it
            await asyncio.sleep(0.01)

    played(house, play)


@pytest.mark.parametrize("mechanism", ["USER", "PLAIN", "LOGIN"])
def test_users_log_in(mechanism: str) -> None:
    """By name and password, and by SASL; an app password is for what it was made for."""
    house = PopHouse()

    async def log_in(house: PopHouse, password: str) -> str:
        async with house.client("") as client:
            if mechanism == "USER":
                await client(f"USER {ANN}")
                return await client(f"PASS {password}")
            if mechanism == "PLAIN":
                return await client("AUTH PLAIN " + base64.b64encode(f"\0{ANN}\0{password}".encode()).decode())
            await client("AUTH LOGIN")
            await client(base64.b64encode(ANN.encode()).decode())
            return await client(base64.b64encode(password.encode()).decode())

    async def play(house: PopHouse) -> None:
        assert (await log_in(house, SECRET)).startswith("+OK logged in")
        assert (await log_in(house, PHONE)).startswith("+OK logged in")
        assert await log_in(house, "z" + PHONE) == "-ERR [AUTH] wrong name or password"
        assert await log_in(house, "guess") == "-ERR [AUTH] wrong name or password"
        told = [(event.arrival.door, event.mechanism, event.app) for event in house.heard(LoggedIn)]
        assert told == [("pop3", mechanism, ""), ("pop3", mechanism, "phone")]
        assert len(house.heard(LoginFailed)) == 2
        assert house.slept == [1.0, 1.0]

    played(house, play)


def test_failures_close_the_door() -> None:
    """Behind many from one network, nobody is greeted from there; and that is no matter of anybody's password."""
    house = PopHouse()

    async def play(house: PopHouse) -> None:
        while not house.desk.is_closed("127.0.0.1"):
            house.limits.failed("127.0.0.1", house.desk.now())
        async with PopTalker.of(house.port) as client:
            assert (await client.line()).startswith("-ERR [SYS/TEMP] too many logins from your network")
            assert await client.line() == ""

    played(house, play)


def test_several_sessions_go_on_side_by_side() -> None:
    """Each has what it found; what another has removed is not there any more, and no other message comes in its place."""
    house = PopHouse()
    house.put(*map(message, "abc"))

    async def play(house: PopHouse) -> None:
        async with house.client() as first, house.client() as second:
            await first("DELE 1")
            await first("QUIT")
            house.put(message("d"))
            assert await second("STAT") == await second("STAT")
            assert (await second("RETR 1")) == "-ERR message 1 is gone, another session has removed it"
            assert await second("TOP 1 1") == "-ERR message 1 is gone, another session has removed it"
            assert b"Subject: b" in await second.asked("RETR 2")
            assert (await second("LIST 4")).startswith("-ERR")
            await second("DELE 1")
            await second("DELE 3")
            assert await second("QUIT") == "+OK bye, 2 removed"
        assert house.left() == [2, 4]

    played(house, play)


def test_a_large_message_comes_in_pieces() -> None:
    """Octet by octet as it lies there, with dots and line ends across the borders of pieces."""
    house = PopHouse()
    line = b".x\r\n..\r\nab\r\n\r\n"
    content = message("large") + line * (3 * PIECE // len(line)) + b"last"
    house.put(content, message("small"))

    async def play(house: PopHouse) -> None:
        async with house.client() as client:
            assert await client("LIST 1") == f"+OK 1 {len(content) + 2}"
            assert await client.asked("RETR 1") == content + b"\r\n"
            head, _, body = content.partition(b"\r\n\r\n")
            lines = body.split(b"\r\n")
            for count in (0, 1, 7, 40_000):
                top = head + b"\r\n\r\n" + b"".join(each + b"\r\n" for each in lines[:count])
                assert await client.asked(f"TOP 1 {count}") == top
            assert b"small" in await client.asked("RETR 2")

    played(house, play)


def test_a_message_that_breaks_off_is_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is cut without the dot, so that nobody takes a part for all of it."""
    house = PopHouse()
    house.put(message("large") + b"x" * 3 * PIECE, message("small"))
    read = OwnMailbox.read

    def breaking(self: OwnMailbox, mail: object, start: int = 0, length: int | None = None) -> bytes:
        if start:
            raise Problem("the disk has gone", "io-error")
        return read(self, mail, start, length)  # type: ignore[arg-type]

    monkeypatch.setattr(OwnMailbox, "read", breaking)

    async def play(house: PopHouse) -> None:
        async with house.client() as client:
            await client.say(b"RETR 1\r\nDELE 2\r\nQUIT\r\n")
            heard = b""
            try:
                while piece := await client.reader.read(1 << 20):
                    heard += piece
            except ConnectionResetError:
                pass
            assert heard.startswith(b"+OK")
            assert not heard.endswith(b"\r\n.\r\n")
        assert house.left() == [1, 2]
        assert [alarm.what for alarm in house.heard(Alarm)] == ["mailboxes"]

    played(house, play)


def test_a_removal_that_fails_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 1939 §6, RFC 3206: all of it is there, and the session is over."""
    house = PopHouse()
    house.put(*map(message, "abc"))

    def failing(self: OwnMailbox, folder: int, uids: object = None, *, marked: bool = True) -> None:
        raise Problem("the disk is full", "io-error")

    monkeypatch.setattr(OwnMailbox, "expunge", failing)

    async def play(house: PopHouse) -> None:
        async with house.client() as client:
            await client("DELE 1")
            await client("DELE 3")
            said = await client("QUIT")
            assert said == "-ERR [SYS/TEMP] 2 of 2 messages could not be removed, and are still there"
            assert await client.line() == ""
        assert house.left() == [1, 2, 3]
        monkeypatch.undo()
        async with house.client() as client:
            await client("DELE 1")
            assert await client("QUIT") == "+OK bye, 1 removed"
        assert [type(event) for event in house.told if isinstance(event, (Alarm, Mended)) and event.what == "mailboxes"] == [Alarm, Mended]

    played(house, play)


def test_who_does_not_log_in_is_hung_up_on() -> None:
    """After so many seconds, whatever he says in them; and who is in has his own."""
    house = PopHouse(times=PopTimes(login=0.2, idle=0.2))

    async def play(house: PopHouse) -> None:
        async with house.client("") as client:
            began = asyncio.get_running_loop().time()
            heard = ""
            while not heard.startswith("-ERR [SYS/TEMP]") and asyncio.get_running_loop().time() < began + 10:
                await client.say(b"C")
                try:
                    async with asyncio.timeout(0.02):
                        heard = await client.line()
                except TimeoutError:
                    continue
            assert heard == "-ERR [SYS/TEMP] nobody has logged in for too long"
        async with house.client(PHONE) as client:
            assert await client.line() == "-ERR [SYS/TEMP] nothing was said for too long"

    played(house, play)


def test_a_line_without_an_end_does_not_hold_the_time() -> None:
    """Also where its next octets are there already, whenever we look."""
    house = PopHouse(times=PopTimes(login=0.2))

    async def play(house: PopHouse) -> None:
        async with house.client("") as client:

            async def talk() -> None:
                with contextlib.suppress(ConnectionError):
                    while True:
                        await client.say(b"A" * 65536)

            talking = asyncio.ensure_future(talk())
            with contextlib.suppress(ConnectionError):
                assert await client.line() in ("-ERR [SYS/TEMP] nobody has logged in for too long", "")
            await talking

    played(house, play)


def test_a_session_ends_in_the_middle_of_a_message() -> None:
    """Without the dot: a user who was switched off does not get the rest of it."""
    house = PopHouse()
    house.put(message("large") + b"x" * 100 * PIECE)

    async def play(house: PopHouse) -> None:
        async with house.client() as client:
            await client.say(b"RETR 1\r\n")
            octets = len(await client.reader.readexactly(PIECE))
            await house.register.keep()
            await house.sessions.end(ANN, house.desk.now())
            await house.register.look()
            with contextlib.suppress(ConnectionError):
                while piece := await client.reader.read(1 << 20):
                    octets += len(piece)
            assert octets < 90 * PIECE

    played(house, play)


def test_a_session_ends_from_outside() -> None:
    """At once where the client is waited for; he has to log in again, and nothing was removed."""
    house = PopHouse()
    house.put(message("a"))

    async def play(house: PopHouse) -> None:
        async with house.client() as client:
            await client("DELE 1")
            await house.register.keep()
            await house.sessions.end(ANN, house.desk.now())
            await house.register.look()
            assert await client.line() == "-ERR [AUTH] you have to log in again"
        assert house.left() == [1]

    played(house, play)


def test_for_who_has_left_no_list_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many he has asked for; what he has said behind them counts."""
    house = PopHouse()
    house.put(*(message(str(number)) for number in range(300)))
    made: list[int] = []
    names = Maildrop.names

    def counted(self: Maildrop) -> Iterator[bytes]:
        for lines in names(self):
            made.append(len(lines))
            yield lines

    monkeypatch.setattr(Maildrop, "names", counted)

    async def play(house: PopHouse) -> None:
        async with house.client(PHONE) as client:
            await client.say(b"UIDL\r\n" * 2000 + b"DELE 1\r\nQUIT\r\n")
            client.writer.write_eof()
        while len(house.left()) == 300:
            await asyncio.sleep(0.001)
        assert len(made) < 500

    played(house, play)


def test_who_has_left_does_not_lose_the_message_that_he_has_not_got() -> None:
    """Whatever he has said behind RETR."""
    house = PopHouse()
    house.put(message("large") + b"x" * 100 * PIECE)

    async def play(house: PopHouse) -> None:
        async with house.client(PHONE) as client:
            await client.say(b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
            await client.reader.readexactly(PIECE)
            client.writer.transport.abort()
        await house.register.keep()
        while house.register.many_of(ANN):
            await asyncio.sleep(0.001)
        assert house.left() == [1]

    played(house, play)


@pytest.mark.slow
def test_what_is_piled_up_is_answered_in_order() -> None:
    """A thousand commands in one segment, each with an answer of many lines; nobody waits for ever, and memory is bounded."""
    house = PopHouse()
    house.put(*(message(str(number)) for number in range(300)))

    async def play(house: PopHouse) -> None:
        async with house.client() as client:
            client.writer.write(b"UIDL\r\nLIST\r\n" * 500 + b"QUIT\r\n")
            first = [await client.line(), await client.lines(), await client.line(), await client.lines()]
            for _ in range(499):
                assert [await client.line(), await client.lines(), await client.line(), await client.lines()] == first
            assert await client.line() == "+OK bye"

    played(house, play)
