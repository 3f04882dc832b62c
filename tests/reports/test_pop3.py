"""POP3: what is a report is taken and then deleted, all else stays; and servers that are hostile, or only wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailer.reports import pop3
from mailer.reports.memory import MemoryReports
from mailer.reports.pop3 import SPARE, Pop3Source
from mailer.reports.sources import MailboxLooked, ReportTaker, SourceTrouble

from .servers import LETTER, FakePop3, listening, ndr, server, taken, taker

MOST = 200_000


async def look(fake: FakePop3, who: ReportTaker, *, delete: bool = True, **more: Any) -> MailboxLooked:
    """One look at a server that does as `fake` says."""
    async with listening(fake.serve) as port:
        return await Pop3Source(server(port, **more), delete=delete, most=MOST).look(who)


def trouble(fake: FakePop3, **more: Any) -> SourceTrouble:
    """What a look at it comes to; nothing was deleted."""
    before = dict(fake.messages)
    with pytest.raises(SourceTrouble) as caught:
        asyncio.run(look(fake, taker(), **more))
    assert fake.messages == before
    return caught.value


def test_reports_are_deleted_and_letters_stay() -> None:
    """And are not fetched again."""
    fake, who = FakePop3([LETTER, ndr(1), ndr(2), LETTER + b"x\r\n"]), taker()
    assert asyncio.run(look(fake, who)) == MailboxLooked(taken=2, left=2)
    assert taken(who) == [ndr(1), ndr(2)]
    assert sorted(fake.messages) == ["uid-1", "uid-4"]
    fake.said.clear()
    assert asyncio.run(look(fake, who)) == MailboxLooked()
    assert not [said for said in fake.said if said.startswith("RETR")]


def test_what_is_kept_is_remembered_by_its_name() -> None:
    """And nothing is deleted; a server without UIDL cannot keep."""
    fake, who = FakePop3([LETTER, ndr(1)]), taker()
    assert asyncio.run(look(fake, who, delete=False)) == MailboxLooked(1, 1)
    fake.messages["uid-9"] = ndr(2)
    assert asyncio.run(look(fake, who, delete=False)) == MailboxLooked(taken=1)
    assert len(fake.messages) == 3
    fake.odd = lambda said: b"-ERR what\r\n" if said == "UIDL" else None
    assert trouble(fake, delete=False).ours


def test_a_line_of_three_thousand_octets_blocks_nothing() -> None:
    """The standard library's client never gets past it."""
    report = ndr(1).replace(b"failed\r\n", b"y" * 3000 + b"\r\n", 1)
    fake, who = FakePop3([report, ndr(2)]), taker()
    assert asyncio.run(look(fake, who)) == MailboxLooked(taken=2)
    assert fake.messages == {}


def test_a_session_that_ends_before_quit_deletes_nothing_and_takes_nothing_twice() -> None:
    """All comes again, to the same IDs."""
    fake, who = FakePop3([ndr(1), ndr(2)]), taker()

    fake.breaks_at = "QUIT"
    with pytest.raises(SourceTrouble):
        asyncio.run(look(fake, who))
    assert len(fake.messages) == 2
    fake.breaks_at = ""
    assert asyncio.run(look(fake, who)) == MailboxLooked(taken=2)
    assert taken(who) == [ndr(1), ndr(2)]
    assert fake.messages == {}


def test_nothing_is_deleted_before_it_is_taken() -> None:
    """A disk that fails is no trouble of the server's."""

    class Broken(MemoryReports):
        async def take_all(self, came: object) -> list[str]:
            raise OSError(5, "Input/output error")

    fake = FakePop3([ndr(1)])
    with pytest.raises(OSError, match="Input/output"):
        asyncio.run(look(fake, taker(Broken())))
    assert not [said for said in fake.said if said.startswith(("DELE", "QUIT"))]


def test_what_is_larger_is_left_alone() -> None:
    """And not fetched."""
    fake, who = FakePop3([ndr(1) + b"x" * MOST + b"\r\n", ndr(2)]), taker()
    assert asyncio.run(look(fake, who)) == MailboxLooked(taken=1, larger=1)
    assert asyncio.run(look(fake, who)) == MailboxLooked()


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 8192)
        await writer.drain()


async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"+")
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(("serve", "said"), [(endless, "first line"), (dripping, "in time")])
def test_a_greeting_without_end_has_one(serve: Callable[..., Awaitable[None]], said: str) -> None:
    """In octets, and in time."""

    async def scenario() -> None:
        async with listening(serve) as port:
            with pytest.raises(SourceTrouble, match=said):
                await Pop3Source(server(port, seconds=0.6), delete=True, most=MOST).look(taker())

    asyncio.run(scenario())


def test_a_message_without_end_has_one() -> None:
    """Whatever LIST has said of it."""
    fake = FakePop3([ndr(1)])
    fake.odd = lambda said: b"+OK\r\n" + b"x" * (SPARE + 100_000) + b"\r\n" if said == "RETR 1" else None
    assert "longer than" in str(trouble(fake))


def test_words_in_front_of_the_handshake_are_the_end() -> None:
    """And no password is said."""
    fake = FakePop3([ndr(1)], "STLS\r\nUIDL\r\n")
    fake.odd = lambda said: b"+OK begin\r\n+OK you are in\r\n" if said == "STLS" else None
    trouble(fake, mode="starttls")
    assert not [said for said in fake.said if said.startswith(("USER", "PASS", "AUTH"))]


def test_no_password_without_the_tls_that_is_wanted() -> None:
    """A server that offers none gets none."""
    fake = FakePop3([ndr(1)])
    assert "offers no STARTTLS" in str(trouble(fake, mode="starttls"))
    assert not [said for said in fake.said if said.startswith(("USER", "PASS", "AUTH"))]


@pytest.mark.parametrize("capabilities", ["UIDL\r\n", "SASL PLAIN\r\nUIDL\r\n"])
def test_a_password_is_one_word_and_no_command(capabilities: str) -> None:
    """A line break in it is refused before anything is said."""
    fake = FakePop3([ndr(1)], capabilities)
    assert trouble(fake, secret="x\r\nDELE 1").ours
    assert not [said for said in fake.said if said.startswith(("DELE", "PASS"))]


def test_sasl_is_taken_where_it_is_offered() -> None:
    """RFC 5034: it takes any letters."""
    fake, who = FakePop3([ndr(1)], "SASL PLAIN LOGIN\r\nUIDL\r\n"), taker()
    fake.odd = lambda said: b"+ \r\n" if said == "AUTH PLAIN" else None
    assert asyncio.run(look(fake, who, secret="pä ss")) == MailboxLooked(taken=1)
    assert "AG1lAHDDpCBzcw==" in fake.said


@pytest.mark.parametrize(
    ("command", "said", "ours"),
    [
        ("USER", b"-ERR who\r\n", True),
        ("PASS", b"-ERR [AUTH] wrong\r\n", True),
        ("STAT", b"nonsense\r\n", False),
        ("LIST", b"-ERR locked\r\n", False),
        ("RETR", b"+OK\r\nab\r\n.\r\n+OK more\r\n", False),
        ("QUIT", b"-ERR some were not deleted\r\n", False),
    ],
)
def test_what_a_server_refuses_is_one_line(command: str, said: bytes, ours: bool) -> None:
    """And it says whether somebody has to change something."""
    fake = FakePop3([ndr(1)])
    fake.odd = lambda line: said if line.startswith(command) else None
    assert trouble(fake).ours is ours


def test_numbers_that_lie_cost_nothing() -> None:
    """A list of messages that are not there, and of none."""
    fake, who = FakePop3([ndr(1)]), taker()
    fake.odd = {
        "LIST": b"+OK\r\n1 600\r\n2 5\r\n9999999999 1\r\nx\r\n.\r\n",
        "RETR 2": b"-ERR no\r\n",
        "RETR 9999999999": b"-ERR no\r\n",
    }.get
    looked = asyncio.run(look(fake, who))
    assert looked.taken == 1
    assert taken(who) == [ndr(1)]


def test_lists_of_hundreds_of_thousands_keep_nobody_waiting() -> None:
    """A server may say four megabytes of numbers: they are read beside the loop, which has others to serve."""
    fake, who = FakePop3([]), taker()
    lines = b"".join(b"%d 9999999999\r\n" % number for number in range(1, 200_000))
    fake.odd = {"STAT": b"+OK 200000 1\r\n", "LIST": b"+OK\r\n" + lines + b".\r\n", "UIDL": b"+OK\r\n" + lines + b".\r\n"}.get

    async def main() -> tuple[MailboxLooked, set[bool]]:
        loop, found, real = threading.get_ident(), set[bool](), pop3.names

        def names(content: bytes) -> dict[int, str]:
            found.add(threading.get_ident() != loop)
            return real(content)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pop3, "names", names)
            return await look(fake, who), found

    assert asyncio.run(main()) == (MailboxLooked(larger=199_999), {True})
