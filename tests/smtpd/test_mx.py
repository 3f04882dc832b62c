"""A door for the mail of strangers: who is taken, what is refused, and that a 250 says "on disk"."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mailer.accounts.users.memory import MemoryUsers
from mailer.auth.records import DnsRecords
from mailer.events import Alarm, LoginFailed, Mended, TakenIn, TurnedAway
from mailer.io import durable
from mailer.limits.users import UserLimits
from mailer.net import activation
from mailer.serving.login import LoginDesk
from mailer.smtpd import mx
from mailer.spool.files import layout
from tests.smtpd.house import Client
from tests.smtpd.mx_house import MxHouse

MAIL = b"From: carl@example.org\r\nSubject: hello\r\n\r\nbody\r\n"


def played(house: MxHouse, play: Callable[[MxHouse], Awaitable[None]]) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(60), house.open() as opened:
            await play(opened)

    asyncio.run(scenario())


async def brought(client: Client, content: bytes, *recipients: str, sender: str = "carl@example.org") -> list[str]:
    """The replies to a message: to each recipient, and to its end, where it got so far."""
    said = [await client(f"MAIL FROM:<{sender}>")]
    said += [await client(f"RCPT TO:<{recipient}>") for recipient in recipients]
    said.append(first := await client("DATA"))
    if first.startswith("354"):
        await client.say(content + b"\r\n.\r\n" if not content.endswith(b"\r\n") else content + b".\r\n")
        said.append(await client.hear())
    return said


def test_what_is_answered_with_250_is_in_the_spool(tmp_path: Path) -> None:
    """As it was written, below our trace field, for all whom it goes to, and told of."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port, hello="EHLO out.example.org") as client:
            *_, said = await brought(client, MAIL, "Sales@Example.com", "bob+x@example.com", "who@xn--bcher-kva.example")
        [entry] = house.entries()
        assert said == f"250 2.0.0 taken as {entry.id}"
        content = house.content(entry)
        assert content.startswith(
            b"Received: from out.example.org ([127.0.0.1])\r\n\tby mx.example.com (mailer) with ESMTP id " + entry.id.encode()
        )
        assert content.endswith(b" +0000\r\n" + MAIL)
        assert entry.envelope.sender == "carl@example.org"
        assert sorted((one.address, one.behalf) for one in entry.envelope.recipients) == [
            ("ann@example.com", ""), ("bob+x@example.com", ""), ("bob@example.com", ""), ("carl@example.net", "sales@example.com"),
        ]  # fmt: skip
        [taken] = house.heard(TakenIn)
        assert (taken.id, taken.sender, len(taken.recipients), taken.verdict) == (entry.id, "carl@example.org", 3, "accept")
        assert taken.arrival.ip == "127.0.0.1"

    played(MxHouse(tmp_path), play)


@pytest.mark.parametrize(
    "recipient",
    [
        "carl%example.net@example.com", "@example.com:carl@example.net", "example.net!carl@example.com", '"carl@example.net"@example.com',
        "carl@example.net@example.com", "ann@[127.0.0.1]", "ann@[192.0.2.1]", '"carl%example.net"', "carl@example.net@",
        "carl@example.net", "ann@mx.example.com", "nobody@example.com", "ann", "SRS0=AAAA=AA=example.net=carl@example.com",
        "|id@example.com", '"|id"@example.com', "$(id)@example.com", "`id`@example.com", "'OR1=1@example.com", '"../../x"@example.com',
    ],
)  # fmt: skip
@pytest.mark.parametrize("sender", ["carl@example.org", "ann@example.com", ""])
def test_nothing_is_passed_on_for_strangers(tmp_path: Path, recipient: str, sender: str) -> None:
    """However they write it, whoever they say that they are, and wherever they call from."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port, hello="EHLO mx.example.com") as client:
            await client(f"MAIL FROM:<{sender}>")
            assert (await client(f"RCPT TO:<{recipient}>"))[0] == "5"
            assert (await client("DATA")).startswith("554")

    played(house := MxHouse(tmp_path), play)
    assert house.entries() == []


@pytest.mark.parametrize(
    "recipient",
    [
        "ann@example.com",
        "ANN@EXAMPLE.COM",
        "postmaster@example.com",
        "postmaster",
        "Abuse@example.com",
        "x@XN--BCHER-KVA.example",
    ],
)
def test_who_lives_here_is_taken(tmp_path: Path, recipient: str) -> None:
    """However his address is written; and there is always a postmaster."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await brought(client, MAIL, recipient))[-1].startswith("250")

    played(house := MxHouse(tmp_path), play)
    assert len(house.entries()) == 1


def test_a_domain_beyond_ascii_is_ours_in_each_of_its_forms(tmp_path: Path) -> None:
    """As the DNS has it, as people write it, and in letters that are composed."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<carl@example.org> SMTPUTF8")
            for domain in ("b\u00fccher.example", "bu\u0308cher.Example", "B\u00dcCHER.example"):
                assert (await client(f"RCPT TO:<who@{domain}>")).startswith("250")

    played(MxHouse(tmp_path), play)


def test_one_transaction_is_one_message(tmp_path: Path) -> None:
    """Who is not known is refused by himself; all others share a file."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(client, MAIL, "ann@example.com", "nobody@example.com", "out@example.com", "x@example.net")
            assert [each[:9] for each in said[1:5]] == ["250 2.1.5", "550 5.1.1", "250 2.1.5", "550 5.7.1"]
        [entry] = house.entries()
        assert [one.address for one in entry.envelope.recipients] == ["ann@example.com", "carl@example.net"]
        assert [(away.phase, away.reason, away.recipient) for away in house.heard(TurnedAway)] == [
            ("rcpt", "unknown", "nobody@example.com"),
            ("rcpt", "relay", "x@example.net"),
        ]

    played(MxHouse(tmp_path), play)


def test_who_tries_names_is_slowed_down_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of them are free; then each costs time, and then it is over. An address with a tag is no other."""
    waits: list[float] = []

    async def slept(seconds: float) -> None:
        waits.append(seconds)

    async def play(house: MxHouse) -> None:
        monkeypatch.setattr(mx.asyncio, "sleep", slept)
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<carl@example.org>")
            for nth in range(5):
                assert (await client(f"RCPT TO:<x{nth}+tag@example.com>")).startswith("550 5.1.1")
            assert (await client("RCPT TO:<y@example.com>")).startswith("421 4.7.0")
            assert await client.hear() == ""
        assert [each for each in waits if each] == [mx.DAWDLE] * 3  # a stream gives others their turn by sleeping for nothing

    played(MxHouse(tmp_path, receiving="max_unknown = 6"), play)


def test_a_report_is_for_one(tmp_path: Path) -> None:
    """A null sender has one recipient, and it is not passed on to those of a list who are elsewhere."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(client, MAIL, "sales@example.com", "ann@example.com", sender="")
            assert said[2].startswith("452 4.5.3")
            assert said[-1].startswith("250")
        [entry] = house.entries()
        assert sorted(one.address for one in entry.envelope.recipients) == ["ann@example.com", "bob@example.com"]
        assert entry.envelope.sender == ""

    played(MxHouse(tmp_path), play)


def test_nothing_is_passed_on_to_who_wrote_it(tmp_path: Path) -> None:
    """A member of a list who writes to it gets no copy elsewhere; one who writes to himself does."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            await brought(client, MAIL, "sales@example.com", sender="Carl@example.net")
            await brought(client, MAIL, "out@example.com", sender="carl@example.net")
        first, second = ([one.address for one in entry.envelope.recipients] for entry in house.entries())
        assert sorted(first) == ["ann@example.com", "bob@example.com"]
        assert second == ["carl@example.net"]

    played(MxHouse(tmp_path), play)


def test_an_alias_that_leads_in_circles_is_refused(tmp_path: Path) -> None:
    """Before there is a message."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(client, MAIL, "round@example.com")
            assert said[1].startswith("550 5.4.6")
        assert house.heard(TurnedAway)[0].reason == "unknown"

    played(MxHouse(tmp_path), play)


@pytest.mark.parametrize(
    ("content", "reply"),
    [
        (b"Received: x\r\n" * 51 + MAIL, "554 5.4.6"),
        (b" begins: with a blank\r\n\r\n", "550 5.6.0"),
        (b"From: x\r\nno field at all\r\n\r\nbody\r\n", "550 5.6.0"),
        (b"From " + b"x" * 60_000 + b"\r\n" + MAIL, "550 5.6.0"),
        (b"From\r\n : x@example.org\r\n\r\n", "550 5.6.0"),
        (b"A: b\r\n" * 2000 + b"\r\n", "550 5.6.0"),
        (b"A: " + b"x" * 3000 + b"\r\n\r\n", "550 5.6.0"),
        (b"A: b\r\n\r\n" + b"x" * 70_000 + b"\r\n", "552 5.3.4"),
    ],
)
def test_what_is_no_message_is_refused(tmp_path: Path, content: bytes, reply: str) -> None:
    """For good, for it would be no better later; the next one is taken."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await brought(client, content, "ann@example.com"))[-1].startswith(reply)
            assert (await client("RCPT TO:<ann@example.com>")).startswith("503")
            assert (await brought(client, b"__proto__: x\r\n\r\n", "ann@example.com"))[-1].startswith("250")

    settings = 'max_message_size = "70KB"\nmax_header_size = "100KB"\nmax_memory = "1MB"'
    if b"x" * 3000 in content and not content.startswith(b"From"):
        settings = settings.replace("100KB", "2KB")
    played(house := MxHouse(tmp_path, receiving=settings), play)
    assert len(house.entries()) == 1


@pytest.mark.parametrize("line_ends", ["mend", "refuse"])
def test_line_ends_are_put_right_or_refused(tmp_path: Path, line_ends: str) -> None:
    """Only CRLF.CRLF ends a message either way."""
    content = b"From: x@example.org\r\n\r\na\nb\rc\0d\n.\nMAIL FROM:<x@example.org>\r\n"

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(client, content, "ann@example.com")
            assert said[-1].startswith("250" if line_ends == "mend" else "554 5.6.0")
            assert (await client("NOOP")).startswith("250")

    played(house := MxHouse(tmp_path, receiving=f'line_ends = "{line_ends}"'), play)
    if line_ends == "mend":
        [entry] = house.entries()
        assert [taken.mended for taken in house.heard(TakenIn)] == [True]
        assert house.content(entry).endswith(b"\r\n\r\na\r\nb c d\r\n.\r\nMAIL FROM:<x@example.org>\r\n")


@pytest.mark.parametrize("size", [20, 100_000])
def test_nothing_is_said_before_the_disk_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Neither 250, nor that it was taken, while the directory is not synced; and others are served meanwhile."""
    go, plain = threading.Event(), durable.sync_directory

    def slow(path: str) -> None:
        go.wait()
        plain(path)

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client, Client.of(house.port) as other:
            monkeypatch.setattr(durable, "sync_directory", slow)
            bringing = asyncio.ensure_future(brought(client, MAIL + b"x" * size, "ann@example.com"))
            while not list(house.spool.ids("queued")):
                await asyncio.sleep(0.01)
            assert (await other("NOOP")).startswith("250")
            assert not bringing.done()
            assert house.heard(TakenIn) == []
            go.set()
            assert (await bringing)[-1].startswith("250")

    try:
        played(MxHouse(tmp_path), play)
    finally:
        go.set()


@pytest.mark.parametrize("size", [20, 100_000])
def test_a_disk_that_fails_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """The client comes again later, and nothing is left of what it brought; small or large."""

    def failing(path: str) -> None:
        raise OSError(28, "No space left on device", path)

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            monkeypatch.setattr(durable, "sync_directory", failing)
            assert (await brought(client, MAIL + b"x" * size, "ann@example.com"))[-1].startswith("452 4.3.1")
            monkeypatch.undo()
            assert house.entries() == []
            assert (await brought(client, MAIL + b"x" * size, "ann@example.com"))[-1].startswith("250")
        assert [event.what for event in house.told if isinstance(event, Alarm)] == ["spool"]

    played(house := MxHouse(tmp_path), play)
    assert len(house.entries()) == 1


def test_a_full_disk_is_said_before_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So nobody sends what cannot be kept; it is an alarm, which is over when there is room."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            monkeypatch.setattr(layout, "shortage", lambda *_: "no room")
            assert (await client("MAIL FROM:<carl@example.org> SIZE=1000")).startswith("452 4.3.1")
            monkeypatch.undo()
            assert (await client("MAIL FROM:<carl@example.org> SIZE=1000")).startswith("250")
        about = [event for event in house.told if isinstance(event, (Alarm, Mended)) and event.what == "disk"]
        assert [(type(event), event.key) for event in about] == [(Alarm, "doors"), (Mended, "doors")]

    played(MxHouse(tmp_path), play)


def test_reports_about_our_mail_are_taken_here_too(tmp_path: Path) -> None:
    """At the address that our mail leaves with, with a token or without; each by itself, and not among other mail."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            said = await brought(client, MAIL, "bounces+token@example.com", "ann@example.com", sender="")
            assert [each[:3] for each in said] == ["250", "250", "452", "354", "250"]
            said = await brought(client, MAIL + b"more\r\n", "Bounces@example.com", "ann@example.com")
            assert [each[:3] for each in said] == ["250", "250", "452", "354", "250"]
        [one, other] = await house.reports.load(await house.reports.waiting(10))
        assert {one.facts.recipient, other.facts.recipient} == {"bounces+token@example.com", "Bounces@example.com"}
        assert house.entries() == []

    played(MxHouse(tmp_path, more='[bounce]\naddress = "bounces@example.com"'), play)


class Naming:
    """A name server that knows the name of one address, and one that lies."""

    def __init__(self, name: str) -> None:
        self.known = {
            ("1.0.0.127.in-addr.arpa", "PTR"): name,
            ("out.example.org", "A"): "127.0.0.1",
            ("lies.example.org", "A"): "192.0.2.1",
        }

    async def __call__(self, name: str, type: str, /) -> DnsRecords:
        found = self.known.get((name, type))
        return DnsRecords(name, (found,) if found else ())


@pytest.mark.parametrize(("name", "shown"), [("out.example.org", b"out.example.org "), ("lies.example.org", b""), ("x) (y", b"")])
def test_a_client_has_a_name_that_leads_back_to_it(tmp_path: Path, name: str, shown: bytes) -> None:
    """Any other is none of his."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port, hello="EHLO me.example.org") as client:
            await brought(client, MAIL, "ann@example.com")
        [entry] = house.entries()
        assert house.content(entry).startswith(b"Received: from me.example.org (" + shown + b"[127.0.0.1])\r\n")

    played(MxHouse(tmp_path, records=Naming(name)), play)


def test_lmtp_answers_for_each_recipient(tmp_path: Path) -> None:
    """Who is not known is refused at once, and the others share one message."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port, hello="LHLO me") as client:
            said = await client.send(MAIL, "ann@example.com", "nobody@example.com", lmtp=True)
            assert [each[:3] for each in said] == ["250"]
            await client("MAIL FROM:<carl@example.org>")
            for name in ("ann", "bob"):
                await client(f"RCPT TO:<{name}@example.com>")
            await client("DATA")
            await client.say(MAIL + b".\r\n")
            assert [(await client.hear())[:3] for _ in range(2)] == ["250", "250"]
        assert [len(entry.envelope.recipients) for entry in house.entries()] == [1, 2]
        assert house.entries()[0].envelope.submitter["via"] == "lmtp"
        assert b"with LMTP id" in house.content(house.entries()[0])

    played(MxHouse(tmp_path, door="lmtp"), play)


def test_a_client_that_leaves_before_the_answer_has_brought_its_message(tmp_path: Path) -> None:
    """It will come twice, and is not lost."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<carl@example.org>")
            await client("RCPT TO:<ann@example.com>")
            await client("DATA")
            await client.say(MAIL + b".\r\n")
        while not house.heard(TakenIn):
            await asyncio.sleep(0.01)

    played(house := MxHouse(tmp_path), play)
    assert len(house.entries()) == 1


def test_chunks_are_taken(tmp_path: Path) -> None:
    """As they come, dots and all."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<carl@example.org>")
            await client("RCPT TO:<ann@example.com>")
            await client.say(b"BDAT %d\r\n%s" % (len(MAIL), MAIL))
            assert (await client.hear()).startswith("250")
            await client.say(b"BDAT 5 LAST\r\n..x\r\n")
            assert (await client.hear()).startswith("250 2.0.0 taken as")
        assert house.content(house.entries()[0]).endswith(MAIL + b"..x\r\n")

    played(MxHouse(tmp_path), play)


def test_a_session_outlives_a_configuration(tmp_path: Path) -> None:
    """Rules change with it, and nobody is hung up on."""

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<carl@example.org>")
            config = house.config.but(domains=house.config.domains[1:])
            house.reception.residents.take(config)
            with house.doors.reload(config):
                pass
            assert (await client("RCPT TO:<ann@example.com>")).startswith("550 5.7.1")
            assert (await client("RCPT TO:<x@xn--bcher-kva.example>")).startswith("250")

    played(MxHouse(tmp_path), play)


def test_a_socket_that_the_service_manager_has_opened_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever port it has: so nobody needs rights for that, and who calls before we are there is served."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        port = made.getsockname()[1]
        monkeypatch.setattr(activation, "FIRST", os.dup(made.fileno()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))

    async def play(house: MxHouse) -> None:
        assert house.port == port
        async with Client.of(port) as client:
            assert (await brought(client, MAIL, "ann@example.com"))[-1].startswith("250")

    played(MxHouse(tmp_path), play)


def test_whoever_guesses_passwords_here_is_counted(tmp_path: Path) -> None:
    """AUTH is not offered, and each guess is one that failed."""
    house = MxHouse(tmp_path)

    async def play(house: MxHouse) -> None:
        async with Client.of(house.port) as client:
            assert (await client("AUTH PLAIN AGEAYg==")).startswith("502")
        [failed] = [event for event in house.told if isinstance(event, LoginFailed)]
        assert (failed.arrival.door, failed.arrival.ip) == ("mx", "127.0.0.1")
        assert limits.failures.wait("127.0.0.1", failed.at) > 0

    limits = UserLimits.of(1, 1, 1, 1)
    house.reception.desk = LoginDesk(MemoryUsers(), limits, house.told.append, house.reception.clock.now)
    played(house, play)
