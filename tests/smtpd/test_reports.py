"""A door for reports: what it takes, what it refuses, and that a 250 says "on disk"."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from mailer.config.sections.doors import DoorPlace
from mailer.events import Alarm
from mailer.mail.problem import Problem
from mailer.reports.api import MAX_REPORT, report_id
from mailer.reports.files import FileReports
from mailer.reports.memory import MemoryReports
from mailer.smtpd import reports as rules
from mailer.smtpd.reports import MOST

from .house import Client, House, config

REPORT = b"Subject: gone\r\n\r\nnobody here\r\n"


def played(play: Callable[[House], Awaitable[None]], house: Callable[[], House] = House) -> None:
    async def scenario() -> None:
        async with house().open() as opened:
            await play(opened)

    asyncio.run(scenario())


def test_a_report_is_on_disk_when_250_is_said(tmp_path: Path) -> None:
    """Its octets as they came, with the address that it came to; the answer names it."""

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            (said,) = await client.send(REPORT, "Bounces+Token-1@Example.COM")
            assert said == f"250 2.0.0 taken as {report_id(REPORT)}"
            path = tmp_path / "spool" / "reports" / "new" / report_id(REPORT)
            assert path.read_bytes().endswith(REPORT)
            assert (await house.taken()).keys() == {"Bounces+Token-1@Example.COM"}
            assert house.arrivals == 1

    played(play, lambda: House(FileReports(f"{tmp_path}/spool")))


@pytest.mark.parametrize(
    "recipient",
    ["joe@example.com", "bounces@example.net", "bounces-x@example.com", "xbounces@example.com", "postmaster@example.com", '"bounces+x"@x'],
)
def test_nobody_else_gets_mail_here(recipient: str) -> None:
    """It is no relay, and no mailbox."""

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            await client("MAIL FROM:<x@example.net>")
            assert (await client(f"RCPT TO:<{recipient}>")).startswith("550 5.1.1")
            assert (await client("DATA")).startswith("554")
        assert await house.taken() == {}

    played(play)


def test_lmtp_answers_for_each_recipient() -> None:
    """Each has a report of its own; one that is not ours is refused at once."""

    async def play(house: House) -> None:
        async with Client.of(house.port, hello="LHLO me") as client:
            said = await client.send(REPORT, "bounces+a@example.com", "joe@example.com", "bounces+b@example.com", lmtp=True)
            assert [each[:3] for each in said] == ["250", "250"]
        found = await house.taken()
        assert found == {
            "bounces+a@example.com": REPORT,
            "bounces+b@example.com": b"Delivered-To: bounces+b@example.com\r\n" + REPORT,
        }

    played(play, lambda: House(protocol="lmtp"))


def test_smtp_takes_a_message_for_all_or_for_none() -> None:
    """One answer stands for all recipients."""

    class Second(MemoryReports):
        async def take(self, content: bytes, facts: object) -> str:
            if content.startswith(b"Delivered-To"):
                raise OSError(28, "No space left on device")
            return await super().take(content, facts)  # type: ignore[arg-type]

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            (said,) = await client.send(REPORT, "bounces+a@example.com", "bounces+b@example.com")
            assert said.startswith("451")

    played(play, lambda: House(Second()))


@pytest.mark.parametrize(("error", "said"), [(OSError(5, "I/O error"), "451 4.3.0"), (Problem("no room", "try-again"), "452 4.3.1")])
def test_trouble_of_ours_is_temporary(error: Exception, said: str) -> None:
    """And told: a report is never refused for good because of our disk."""

    class Broken(MemoryReports):
        async def take(self, content: bytes, facts: object) -> str:
            raise error

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            assert (await client.send(REPORT, "bounces@example.com"))[0].startswith(said)
            assert (await client("NOOP")).startswith("250")
        assert house.arrivals == 0
        assert bool([event for event in house.told if isinstance(event, Alarm)]) is isinstance(error, OSError)

    played(play, lambda: House(Broken()))


def test_what_is_too_large_is_refused_before_it_is_sent_and_behind_it() -> None:
    """And memory for it is not taken twice: the same session goes on."""

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            assert (await client(f"MAIL FROM:<> SIZE={MAX_REPORT + 1}")).startswith("552")
            await client("MAIL FROM:<>")
            await client("RCPT TO:<bounces@example.com>")
            assert (await client("DATA")).startswith("354")
            for _ in range(MAX_REPORT // 65536 + 2):
                await client.say(b"x" * 65534 + b"\r\n")
            await client.say(b".\r\n")
            assert (await client.hear()).startswith("552")
            assert (await client.send(REPORT, "bounces@example.com"))[0].startswith("250")

    played(play)


async def began(house: House, client: Client) -> None:
    """A message of this client is under way."""
    await client("MAIL FROM:<>")
    await client("RCPT TO:<bounces@example.com>")
    assert (await client("DATA")).startswith("354")


async def holds(house: House, octets: int) -> None:
    """Wait until all messages that are under way have so many octets in memory, and no more than their pieces cost beside."""
    async with asyncio.timeout(60):
        while not octets <= house.kind.counter._octets.total() < octets + 100_000:
            await asyncio.sleep(0.01)


def test_room_is_what_has_come_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that drip take what they dripped, and no place of others; what ends, in whatever way, gives its room back."""
    monkeypatch.setattr(rules, "OF_ONE", 1_000_000)

    async def play(house: House) -> None:
        async with contextlib.AsyncExitStack() as stack:
            dripping = [await stack.enter_async_context(Client.of(house.port)) for _ in range(12)]
            for each in dripping:
                await began(house, each)
                await each.say(b"Subject: drip\r\n")
            async with Client.of(house.port) as client:
                assert (await client.send(REPORT, "bounces@example.com"))[0].startswith("250")
            await dripping[0].say(b"x" * 900_000)
            await holds(house, 900_000)
            await dripping[1].say(b"x" * 200_000)
            assert (await dripping[1].hear()).startswith("421 4.3.2")
            dripping[0].writer.transport.abort()
            await holds(house, 0)
            await dripping[2].say(b"x" * 900_000 + b"\r\n.\r\n")
            assert (await dripping[2].hear()).startswith("250")

    played(play)


def test_who_takes_too_long_makes_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not before he has had the time that everybody has."""
    monkeypatch.setattr(rules, "ROOM", 1_000_000)

    async def play(house: House) -> None:
        counter, ahead = house.kind.counter, 0.0
        monkeypatch.setattr(counter, "_monotonic", lambda: time.monotonic() + ahead)
        async with Client.of(house.port) as slow, Client.of(house.port) as other, Client.of(house.port) as last:
            await began(house, slow)
            await slow.say(b"x" * 900_000)
            await holds(house, 900_000)
            await began(house, other)
            await other.say(b"x" * 300_000)
            assert (await other.hear()).startswith("421 4.3.2")
            ahead = rules.FAIR
            await began(house, last)
            await last.say(b"x" * 300_000 + b"\r\n.\r\n")
            assert (await last.hear()).startswith("250")
            assert (await slow.hear()).startswith("421 4.4.2")

    played(play)


def test_a_message_that_is_much_too_large_is_refused_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is kept, so it may not be told to come back."""
    monkeypatch.setattr(rules, "OF_ONE", MAX_REPORT + 1_000_000)

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            await began(house, client)
            for _ in range(3 * MAX_REPORT // 1_000_000):
                await client.say(b"x" * 999_998 + b"\r\n")
            await client.say(b".\r\n")
            assert (await client.hear()).startswith("552")

    played(play)


def test_a_peer_that_brings_too_many_has_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """At MAIL, before anything is held of it."""
    monkeypatch.setattr(rules, "PER_HOUR", 20)

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            said = [(await client.send(REPORT, "bounces@example.com"))[0][:3] for _ in range(2)]
            assert said == ["250", "250"]
            assert (await client("MAIL FROM:<>")).startswith("450 4.7.1")

    played(play)


def test_tls_is_made_where_it_is_asked_for(tmp_path: Path) -> None:
    """STARTTLS, with the version among the facts; what was said in the clear behind it is thrown away."""
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "mx.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            await client.secure(trusting)
            assert "STARTTLS" not in await client("EHLO me")
            assert (await client.send(REPORT, "bounces@example.com"))[0].startswith("250")
        (loaded,) = await house.reports.load(await house.reports.waiting(1))
        assert loaded.facts.tls.startswith("TLSv1.")
        async with Client.of(house.port) as client:
            await client.say(b"STARTTLS\r\nMAIL FROM:<>\r\nRCPT TO:<bounces@example.com>\r\n")
            assert (await client.hear()).startswith("220")
            await client.writer.start_tls(trusting, server_hostname="localhost")
            assert (await client("RCPT TO:<bounces@example.com>")).startswith("503")

    played(play, lambda: House(tls="starttls", certificate_file=str(tmp_path / "mx.pem")))


def test_bare_line_ends_end_no_message_and_refuse_no_report() -> None:
    """A look-alike of the end of a message is a part of it (CVE-2023-51764), which is kept as it came."""

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            smuggled = b"Subject: x\r\n\r\na\n.\nMAIL FROM:<x@y>\nRCPT TO:<joe@example.com>\nDATA\n\r.\r\r\n"
            (said,) = await client.send(smuggled, "bounces@example.com")
            assert said.startswith("250")
        assert [*(await house.taken()).values()] == [smuggled]

    played(play)


@pytest.mark.parametrize(
    "data",
    [b"\x00\xff" * 100 + b"\r\n", b"A" * 100_000 + b"\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"RCPT TO:<" + b"a" * 1900 + b"@x>\r\n"],
)
def test_noise_harms_nobody(data: bytes) -> None:
    """A refusal, or the end of the session; the next client is served."""

    async def play(house: House) -> None:
        async with Client.of(house.port) as client:
            await client.say(data)
            assert re.match(r"[45]\d\d ", await client.hear())
        async with Client.of(house.port) as client:
            assert (await client.send(REPORT, "bounces@example.com"))[0].startswith("250")
        assert not [event for event in house.told if isinstance(event, Alarm)]

    played(play)


def test_one_peer_does_not_take_all_places() -> None:
    """Beyond its share it hears why."""

    async def play(house: House) -> None:
        clients = [Client(*await asyncio.open_connection("127.0.0.1", house.port)) for _ in range(25)]
        said = [await client.hear() for client in clients]
        assert [each[:3] for each in said].count("220") == 20
        assert said[-1].startswith("421")
        for client in clients:
            client.writer.close()
        assert MOST > 20

    played(play)


def test_a_door_that_cannot_be_opened_is_an_alarm(tmp_path: Path) -> None:
    """And mail goes out meanwhile; when the place is free it opens."""

    async def scenario() -> None:
        place = DoorPlace(path=f"{tmp_path}/none/reports.sock")
        house = House(place=place)
        async with house.open():
            assert [event.what for event in house.told if isinstance(event, Alarm)] == ["door"]
            (tmp_path / "none").mkdir()
            await house.doors._open()
            assert (tmp_path / "none" / "reports.sock").is_socket()
        assert not (tmp_path / "none" / "reports.sock").exists()

    asyncio.run(scenario())


def test_a_new_configuration_holds_for_who_comes_next() -> None:
    """The address, and what is spoken; a door that stands where it stood is not closed."""

    async def play(house: House) -> None:
        port = house.port
        async with Client.of(port) as client:
            with house.doors.reload(config("returns@example.com")):
                pass
            assert house.port == port
            await client("MAIL FROM:<>")
            assert (await client("RCPT TO:<bounces@example.com>")).startswith("550")
            assert (await client("RCPT TO:<returns+x@example.com>")).startswith("250")
        with house.doors.reload(config("returns@example.com", protocol="lmtp")):
            pass
        await house.doors._opening
        async with Client.of(house.port, hello="LHLO me") as client:
            assert (await client.send(REPORT, "returns@example.com", lmtp=True))[0].startswith("250")

    played(play)


@pytest.mark.slow
@pytest.mark.parametrize("piece", [b"\n", b"\r", b"\0", b"..\r\n", b"x" * 76 + b"\r\n", b"a" * 1000])
def test_no_message_holds_the_loop(piece: bytes) -> None:
    """Whatever it is made of: no turn of the loop takes more than 50 ms of the processor."""
    content = (piece * (MAX_REPORT // len(piece)))[: MAX_REPORT - 1000] + b"\r\n"
    worst = 0.0

    async def watch() -> None:
        nonlocal worst
        before = time.thread_time()
        while True:
            await asyncio.sleep(0)
            before, spent = time.thread_time(), time.thread_time() - before
            worst = max(worst, spent)

    async def play(house: House) -> None:
        nonlocal worst
        async with Client.of(house.port) as client:
            for line in ("MAIL FROM:<>", "RCPT TO:<bounces@example.com>", "DATA"):
                await client(line)
            watching = asyncio.ensure_future(watch())
            for at in range(0, len(content), 65536):
                await client.say(content[at : at + 65536])
            await client.say(b".\r\n")
            assert (await client.hear()).startswith("250")
            await asyncio.sleep(0.05)
            watching.cancel()

    played(play)
    assert worst < 0.05
