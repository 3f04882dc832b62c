"""IMAP: what is a report is taken and then moved, all else stays; and servers that are hostile, or only wrong."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mailer.imap.names import modified_utf7
from mailer.reports.imap import ImapSource
from mailer.reports.memory import MemoryReports
from mailer.reports.sources import MailboxLooked, ReportTaker, SourceTrouble

from .servers import LETTER, FakeImap, listening, ndr, server, taken, taker

MOST = 1_000_000


async def look(
    fake: FakeImap, who: ReportTaker, *, move: str = "Handled", delete: bool = False, seconds: float = 20.0, **more: Any
) -> MailboxLooked:
    """One look at a server that does as `fake` says."""
    async with listening(fake.serve) as port:
        source = ImapSource(server(port, seconds=seconds, **more), "INBOX", move=move, delete=delete, most=MOST)
        return await source.look(who)


def trouble(fake: FakeImap, **more: Any) -> SourceTrouble:
    """What a look at it comes to; nothing was taken."""
    who = taker()
    with pytest.raises(SourceTrouble) as caught:
        asyncio.run(look(fake, who, **more))
    assert taken(who) == []
    return caught.value


MIXED = {3: LETTER, 5: ndr(1), 8: LETTER + b"x\r\n", 9: ndr(2)}


@pytest.mark.parametrize("capabilities", ["IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE", "IMAP4rev1 UIDPLUS", "IMAP4rev1"])
def test_reports_are_moved_and_letters_stay(capabilities: str) -> None:
    """By MOVE, or by copy and deletion; what a server without UIDPLUS cannot delete alone is marked. The next look finds nothing."""
    fake, who = FakeImap(MIXED, capabilities=capabilities), taker()
    assert asyncio.run(look(fake, who)) == MailboxLooked(taken=2, left=2)
    assert taken(who) == [ndr(1), ndr(2)]
    assert sorted(fake.moved) == [5, 9]
    if "UIDPLUS" in capabilities:
        assert fake.messages == {3: LETTER, 8: LETTER + b"x\r\n"}
    assert fake.flags[3] == fake.flags[8] == {"$MailerSeen"}
    fake.said.clear()
    assert asyncio.run(look(fake, who)) == MailboxLooked()
    assert not [said for said in fake.said if "FETCH" in said]
    assert not [said for said in fake.said if said == "EXPUNGE" or "BODY[]" in said]


def test_a_server_without_keywords_is_remembered_for() -> None:
    """What was left alone is not fetched again, until UIDVALIDITY is another."""
    fake, who = FakeImap(MIXED, keywords=False), taker()
    assert asyncio.run(look(fake, who)) == MailboxLooked(2, 2)
    assert asyncio.run(look(fake, who)) == MailboxLooked()
    fake.uidvalidity += 1
    assert asyncio.run(look(fake, who)) == MailboxLooked(left=2)


def test_what_is_kept_is_looked_at_once() -> None:
    """Behind the highest UID; with another UIDVALIDITY all comes again, to the same IDs."""
    fake, who = FakeImap(MIXED), taker()
    assert asyncio.run(look(fake, who, move="")) == MailboxLooked(2, 2)
    assert asyncio.run(look(fake, who, move="")) == MailboxLooked()
    fake.messages[12] = ndr(3)
    assert asyncio.run(look(fake, who, move="")) == MailboxLooked(taken=1)
    fake.uidvalidity += 1
    assert asyncio.run(look(fake, who, move="")) == MailboxLooked(3, 2)
    assert len(taken(who)) == 3
    assert len(fake.messages) == 5
    assert fake.flags == {}


def test_all_is_taken_from_a_mailbox_that_is_for_nothing_else() -> None:
    """With only_reports off."""
    fake, who = FakeImap(MIXED), taker(only_reports=False)
    assert asyncio.run(look(fake, who, move="", delete=True)) == MailboxLooked(taken=4)
    assert fake.messages == {}


def test_nothing_moves_before_it_is_taken() -> None:
    """A disk that fails leaves the mailbox as it was, and is no trouble of the server's."""

    class Broken(MemoryReports):
        async def take_all(self, came: object) -> list[str]:
            raise OSError(5, "Input/output error")

    fake = FakeImap(MIXED)
    with pytest.raises(OSError, match="Input/output") as caught:
        asyncio.run(look(fake, taker(Broken())))
    assert not isinstance(caught.value, SourceTrouble)
    assert fake.messages == MIXED
    assert fake.moved == {}


def test_a_folder_that_is_missing_is_made() -> None:
    """And one that cannot be is an operator's to make."""
    fake = FakeImap({5: ndr(1)})
    fake.odd = lambda said: b"TAG NO [TRYCREATE] no\r\n" if said.startswith("UID MOVE") and not fake.folders else None
    assert asyncio.run(look(fake, taker(), move="Erledigt & gezählt")) == MailboxLooked(taken=1)
    assert [said for said in fake.said if said.startswith("CREATE")] == ['CREATE "Erledigt &- gez&AOQ-hlt"']
    fake = FakeImap({5: ndr(1)})
    fake.odd = lambda said: b"TAG NO no\r\n" if said.startswith(("UID MOVE", "CREATE")) else None
    with pytest.raises(SourceTrouble, match="moves nothing to the folder 'Handled'"):
        asyncio.run(look(fake, taker()))


def test_names_of_folders_are_said_in_their_own_alphabet() -> None:
    """RFC 3501 §5.1.3"""
    assert modified_utf7("~peter/mail/台北/日本語") == "~peter/mail/&U,BTFw-/&ZeVnLIqe-"
    assert modified_utf7("a & b") == "a &- b"
    assert modified_utf7("") == ""


# Hostile servers


def odd(answers: dict[str, bytes]) -> FakeImap:
    """A server that answers commands which begin so in its own way."""
    fake = FakeImap({5: ndr(1)})
    fake.odd = lambda said: next((answer for begin, answer in answers.items() if said.startswith(begin)), None)
    return fake


def test_a_literal_of_gigabytes_is_not_waited_for() -> None:
    """Nor is memory taken for it, in whatever answer it stands."""
    tracemalloc.start()
    try:
        for command in ("UID FETCH", "CAPABILITY", "SELECT", "UID SEARCH"):
            fake = odd({command: b"* 1 FETCH (UID 5 BODY[] {3000000000}\r\n"})
            assert "announces 3000000000 octets" in str(trouble(fake))
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_lines(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* OK hello\r\n")
    while True:
        writer.write(b"* 1 EXISTS\r\n" * 5000)
        await writer.drain()


@pytest.mark.slow
@pytest.mark.parametrize("serve", [endless, endless_lines])
def test_lines_and_answers_without_end_have_one(serve: Callable[..., Awaitable[None]]) -> None:
    """A greeting of one line, and one line after the other."""

    async def scenario() -> None:
        async with listening(serve) as port:
            with pytest.raises(SourceTrouble, match=r"without end|more than was asked for|not answer in time"):
                await ImapSource(server(port), "INBOX", most=MOST).look(taker())

    asyncio.run(scenario())


async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"*")
        await writer.drain()
        await asyncio.sleep(0.05)


def test_a_server_that_drips_has_its_time() -> None:
    """Each octet would be in time; the answer is not."""

    async def scenario() -> None:
        async with listening(dripping) as port:
            with pytest.raises(SourceTrouble, match="not answer in time"):
                await ImapSource(server(port, seconds=0.6), "INBOX", most=MOST).look(taker())

    asyncio.run(scenario())


def test_words_in_front_of_the_handshake_are_the_end() -> None:
    """CVE-2011-0411, from the side of the client."""
    fake = FakeImap(MIXED, capabilities="IMAP4rev1 STARTTLS")
    fake.odd = lambda said: b"TAG OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n" if said == "STARTTLS" else None
    found = trouble(fake, mode="starttls")
    assert "where the handshake of TLS begins" in str(found)
    assert not [said for said in fake.said if said.startswith(("LOGIN", "AUTHENTICATE"))]


def test_no_password_without_the_tls_that_is_wanted() -> None:
    """PREAUTH, no STARTTLS, or a refusal of it: there is no way back to plain text."""
    fake = FakeImap(MIXED)
    fake.greeting = b"* PREAUTH welcome\r\n"
    assert "PREAUTH" in str(trouble(fake, mode="starttls"))
    plain = FakeImap(MIXED)
    assert "offers no STARTTLS" in str(trouble(plain, mode="starttls"))
    refusing = FakeImap(MIXED, capabilities="IMAP4rev1 STARTTLS")
    refusing.odd = lambda said: b"TAG NO not now\r\n" if said == "STARTTLS" else None
    trouble(refusing, mode="starttls")
    for each in (fake, plain, refusing):
        assert not [said for said in each.said if said.startswith(("LOGIN", "AUTHENTICATE"))]


@pytest.mark.parametrize("capabilities", ["IMAP4rev1", "IMAP4rev1 AUTH=PLAIN"])
def test_a_password_is_one_word_and_no_command(capabilities: str) -> None:
    """A line break in it would delete the mailbox."""
    fake = FakeImap(MIXED, capabilities=capabilities)
    found = trouble(fake, secret="x\r\nX1 DELETE INBOX")
    assert found.ours
    assert not [said for said in fake.said if "DELETE INBOX" in said]


def test_a_refused_login_says_so_and_asks_for_no_other() -> None:
    """It is ours to mend."""
    fake = odd({"AUTHENTICATE": b"TAG NO [AUTHENTICATIONFAILED] wrong\r\n"})
    found = trouble(fake)
    assert found.ours
    assert "does not let me in" in str(found)


@pytest.mark.parametrize(
    "answers",
    [
        {"UID SEARCH": b"* SEARCH 5 77 99999999999999999999 x -1\r\nTAG OK x\r\n"},
        {"SELECT": b"* 4294967295 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nTAG OK x\r\n"},
        {"UID SEARCH": b"TAG OK nothing\r\n"},
        {"UID FETCH 5 (UID BODY": b"TAG OK gone\r\n"},
        {"UID FETCH 5 (UID RFC": b"* 1 FETCH (UID 6 RFC822.SIZE 1)\r\n* 1 FETCH (RFC822.SIZE)\r\nTAG OK x\r\n"},
        {"UID FETCH 5 (UID BODY": b"* 1 FETCH (UID 4 BODY[] {3}\r\nabc)\r\n* 2 FETCH (BODY[] {3}\r\nabc)\r\nTAG OK x\r\n"},
        {"UID FETCH 5 (UID BODY": b'* 1 FETCH (UID 5 BODY[] "short")\r\n* 2 FETCH (UID 5 BODY[] NIL)\r\nTAG OK x\r\n'},
    ],
)
def test_what_a_server_gets_wrong_costs_nothing(answers: dict[str, bytes]) -> None:
    """Messages that are gone or were never there, numbers that are none, answers about others: at most the one that is there is taken."""
    fake, who = odd(answers), taker()
    looked = asyncio.run(look(fake, who))
    assert looked.taken == len(taken(who)) <= 1
    assert fake.messages.keys() | fake.moved.keys() == {5}


@pytest.mark.parametrize("command", ["CAPABILITY", "SELECT", "UID SEARCH", "UID FETCH 5 (UID BODY"])
@pytest.mark.parametrize(
    "said", [b"* BYE going down\r\n", b"\xff\xfe\r\n", b"A999 OK\r\n", b"TAG BAD what\r\n", b"* 1 FETCH (UID 5 BODY[] {9"]
)
def test_a_session_that_breaks_is_one_error(command: str, said: bytes) -> None:
    """And nothing is lost, nor taken twice: the next session takes it."""
    fake, who = odd({command: said}), taker()

    fake.breaks = True
    with pytest.raises(SourceTrouble):
        asyncio.run(look(fake, who))
    fake.odd = lambda _: None
    assert asyncio.run(look(fake, who)) == MailboxLooked(taken=1)
    assert taken(who) == [ndr(1)]


def test_what_is_larger_is_left_alone() -> None:
    """And told, once."""
    fake = FakeImap({5: ndr(1), 6: ndr(2) + b"x" * MOST})
    who = taker()
    assert asyncio.run(look(fake, who)) == MailboxLooked(taken=1, larger=1)
    assert asyncio.run(look(fake, who)) == MailboxLooked()
    assert sorted(fake.messages) == [6]
