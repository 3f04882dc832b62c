"""The next envelope goes out with the end of the message before it, and what becomes of either is told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from mailer.smtp.transaction import RecipientAnswer
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.pool import Pool
from mailer.transport.route import Endpoint, Timeouts
from tests.fakes import waiting
from tests.fakes.dialog import Turn
from tests.fakes.script import Script

HELLO = [
    Turn("S", b"220 there\r\n"),
    Turn("C", b"EHLO here.example\r\n"),
    Turn("S", b"250-there\r\n250 PIPELINING\r\n"),
]
FIRST = Parcel("a@here.example", ["one@there.example"], b"Subject: 1\r\n\r\nfirst\r\n")
SECOND = Parcel("b@here.example", ["two@there.example"], b"Subject: 2\r\n\r\nsecond\r\n")
GONE = Turn("END", b"")


def envelope(mail: Parcel) -> bytes:
    """The envelope as it goes over the wire."""
    rcpts = "".join(f"RCPT TO:<{recipient}>\r\n" for recipient in mail.recipients)
    return f"MAIL FROM:<{mail.sender}>\r\n{rcpts}DATA\r\n".encode()


def dotted(mail: Parcel) -> bytes:
    """The content as it goes over the wire."""
    return mail.content + b".\r\n"


TOGETHER = [
    *HELLO,
    Turn("C", envelope(FIRST)),
    Turn("S", b"250 ok\r\n250 ok\r\n354 go\r\n"),
    Turn("C", dotted(FIRST) + envelope(SECOND)),  # no answer before all of it has come
]


def run(turns: Sequence[Turn], work: Callable[[Connection], object]) -> None:
    """`work` with a connection to a server that follows `turns`."""

    async def main() -> None:
        async with Script(turns) as server:
            endpoint = Endpoint("127.0.0.1", server.port, Requirement("none"), hello="here.example")
            connection = await Connection.open(endpoint, "127.0.0.1", Timeouts(*[60.0] * 9))
            try:
                await work(connection)  # type: ignore[misc]
            finally:
                connection.abandon()
            assert server.wrong == ""

    waiting.run(main())


async def both(connection: Connection) -> tuple[list[RecipientAnswer], list[RecipientAnswer]]:
    """Deliver `FIRST` with `SECOND` announced, then `SECOND`."""
    first = await connection.deliver(FIRST, lambda: SECOND)
    assert connection.expecting or not connection.usable
    return first, await connection.deliver(SECOND)


def codes(answers: Sequence[RecipientAnswer]) -> list[tuple[str, str, int]]:
    """What tells answers apart."""
    return [(answer.kind, answer.phase, answer.reply.code) for answer in answers]


@pytest.mark.parametrize(
    ("last", "then", "expected"),
    [
        (b"250 kept\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n", ("reply", "body", 250)),
        (b"451 not now\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n", ("reply", "body", 451)),
        (b"554 never\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n", ("reply", "body", 554)),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_the_next_envelope_needs_no_round_trip(last: bytes, then: bytes, expected: tuple[str, str, int], at_once: bool) -> None:
    """Whatever becomes of the first message, the second goes on where its envelope has led."""
    replies = [Turn("S", last + then)] if at_once else [Turn("S", last), Turn("S", then)]

    async def work(connection: Connection) -> None:
        first, second = await both(connection)
        assert codes(first) == [expected]
        assert codes(second) == [("reply", "body", 250)]
        assert connection.usable
        assert not connection.expecting

    run([*TOGETHER, *replies, Turn("C", dotted(SECOND)), Turn("S", b"250 kept too\r\n")], work)


def test_the_next_envelope_may_be_refused() -> None:
    """Its refusal is its own, and the connection stays good for a third."""

    async def work(connection: Connection) -> None:
        first, second = await both(connection)
        assert codes(first) == [("reply", "body", 250)]
        assert codes(second) == [("reply", "rcpt", 550)]
        assert connection.usable

    run([*TOGETHER, Turn("S", b"250 kept\r\n250 ok\r\n550 nobody\r\n503 no recipients\r\n")], work)


def test_a_server_that_asks_for_a_message_to_nobody_gets_an_empty_one() -> None:
    """354 after all recipients were refused is answered with a lone dot, also when it was asked ahead."""

    async def work(connection: Connection) -> None:
        _, second = await both(connection)
        assert codes(second) == [("reply", "rcpt", 550)]

    run([*TOGETHER, Turn("S", b"250 kept\r\n250 ok\r\n550 nobody\r\n354 go\r\n"), Turn("C", b".\r\n"), Turn("S", b"554 no\r\n")], work)


@pytest.mark.parametrize("end", [b"250 kept\r\n", b"250 kept\r\n421 enough\r\n", b"250 kept\r\n250 ok\r\n"])
def test_a_session_that_ends_behind_the_first_message_takes_nothing_of_the_second(end: bytes) -> None:
    """The first is delivered; of the second nothing was taken, so that it may be tried again at once."""

    async def work(connection: Connection) -> None:
        first, second = await both(connection)
        assert codes(first) == [("reply", "body", 250)]
        ((kind, phase, _),) = codes(second)
        assert kind == "lost" or (kind, phase) == ("reply", "mail")
        assert phase in ("mail", "rcpt")
        assert not connection.usable

    run([*TOGETHER, Turn("S", end), GONE], work)


def test_421_to_the_message_ends_it_for_both() -> None:
    """421 answers the first message; the second was never begun."""

    async def work(connection: Connection) -> None:
        first, second = await both(connection)
        assert codes(first) == [("reply", "body", 421)]
        assert codes(second) == [("lost", "mail", 451)]

    run([*TOGETHER, Turn("S", b"421 closing\r\n"), GONE], work)


def test_another_message_than_the_one_that_was_announced_is_a_bug() -> None:
    """Its envelope would be another's: the connection is abandoned instead."""

    async def work(connection: Connection) -> None:
        await connection.deliver(FIRST, lambda: SECOND)
        with pytest.raises(RuntimeError, match="another message"):
            await connection.deliver(FIRST)
        assert not connection.usable

    run([*TOGETHER, Turn("S", b"250 kept\r\n250 ok\r\n250 ok\r\n354 go\r\n"), GONE], work)


def test_a_connection_that_expects_a_message_is_not_lent_again() -> None:
    """Who gives it back without that message has it closed."""

    async def work(connection: Connection) -> None:
        await connection.deliver(FIRST, lambda: SECOND)
        pool = Pool()
        pool.give_back(connection)
        assert len(pool) == 0
        assert not connection.usable

    run([*TOGETHER, Turn("S", b"250 kept\r\n250 ok\r\n250 ok\r\n354 go\r\n"), GONE], work)


def test_without_pipelining_nobody_is_asked_what_comes_next() -> None:
    """A server that does not offer it gets one command at a time."""
    turns = [
        Turn("S", b"220 there\r\n"), Turn("C", b"EHLO here.example\r\n"), Turn("S", b"250 there\r\n"),
        Turn("C", b"MAIL FROM:<a@here.example>\r\n"), Turn("S", b"250 ok\r\n"),
        Turn("C", b"RCPT TO:<one@there.example>\r\n"), Turn("S", b"250 ok\r\n"),
        Turn("C", b"DATA\r\n"), Turn("S", b"354 go\r\n"), Turn("C", dotted(FIRST)), Turn("S", b"250 kept\r\n"),
    ]  # fmt: skip

    async def work(connection: Connection) -> None:
        def asked() -> Parcel:
            raise AssertionError("asked")

        assert codes(await connection.deliver(FIRST, asked)) == [("reply", "body", 250)]

    run(turns, work)


def test_what_we_refuse_ourselves_is_refused_ahead_of_its_time_too() -> None:
    """A next message that this server cannot take says nothing over the wire, and is answered in its turn."""
    foreign = Parcel("b@here.example", ["zwölf@there.example"], b"Subject: 2\r\n\r\nsecond\r\n")

    async def work(connection: Connection) -> None:
        first = await connection.deliver(FIRST, lambda: foreign)
        assert codes(first) == [("reply", "body", 250)]
        ((kind, _, code),) = codes(await connection.deliver(foreign))
        assert (kind, code // 100) == ("local", 5)
        assert connection.usable

    run([*TOGETHER[:-1], Turn("C", dotted(FIRST)), Turn("S", b"250 kept\r\n")], work)


def test_a_host_that_hears_nothing_before_its_turn_is_asked_again_in_its_turn() -> None:
    """503 to each line of an early envelope refuses nobody: it is said again, and from then on nothing is said early."""
    third = Parcel("c@here.example", ["three@there.example"], b"Subject: 3\r\n\r\nthird\r\n")

    async def work(connection: Connection) -> None:
        assert codes(await connection.deliver(FIRST, lambda: SECOND)) == [("reply", "body", 250)]
        assert codes(await connection.deliver(SECOND, lambda: third)) == [("reply", "body", 250)]
        assert codes(await connection.deliver(third)) == [("reply", "body", 250)]

    early = b"503 pipelined after the end of a message\r\n" * 3
    turns = [*TOGETHER, Turn("S", b"250 kept\r\n" + early)]
    for mail in (SECOND, third):
        turns += [
            Turn("C", envelope(mail)), Turn("S", b"250 ok\r\n250 ok\r\n354 go\r\n"), Turn("C", dotted(mail)), Turn("S", b"250 kept\r\n"),
        ]  # fmt: skip
    run(turns, work)


def test_a_sender_who_is_refused_early_and_in_turn_is_refused() -> None:
    """The second refusal counts."""

    async def work(connection: Connection) -> None:
        first, second = await both(connection)
        assert codes(first) == [("reply", "body", 250)]
        assert [(answer.phase, answer.reply.text) for answer in second] == [("mail", "never you")]
        assert connection.usable

    turns = [*TOGETHER, Turn("S", b"250 kept\r\n550 not you\r\n503 no sender\r\n503 no sender\r\n")]
    run([*turns, Turn("C", envelope(SECOND)), Turn("S", b"550 never you\r\n503 no sender\r\n503 no sender\r\n")], work)


@pytest.mark.parametrize(
    ("extension", "recipients"), [(b"250-CHUNKING\r\n", ["two@there.example"]), (b"", [f"{number}@there.example" for number in range(200)])]
)
def test_what_some_hosts_do_not_survive_waits_for_its_turn(extension: bytes, recipients: list[str]) -> None:
    """Nothing goes out early to a host with CHUNKING, and no long envelope to any."""
    hello = [*HELLO[:2], Turn("S", b"250-there\r\n" + extension + b"250 PIPELINING\r\n")]
    large = Parcel("a@here.example", ["one@there.example"], b"\r\n" + b"0123456789\r\n" * 6000)  # too large for one chunk
    after = Parcel("b@here.example", recipients, SECOND.content)

    async def work(connection: Connection) -> None:
        assert codes(await connection.deliver(large, lambda: after)) == [("reply", "body", 250)]
        assert not connection.expecting

    turns = [*hello, Turn("C", envelope(large)), Turn("S", b"250 ok\r\n250 ok\r\n354 go\r\n")]
    run([*turns, Turn("C", dotted(large)), Turn("S", b"250 kept\r\n")], work)
