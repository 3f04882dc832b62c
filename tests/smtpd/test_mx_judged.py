"""What becomes of the mail of strangers by the word of those who judge it, and of the next hop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mailer.events import TakenIn, TurnedAway
from mailer.filtering.api import Amendment, FilterStep, Ruling
from mailer.mail.arrival import Arrival
from mailer.smtp.reply import Reply
from tests.smtpd.house import Client
from tests.smtpd.mx_house import MxHouse
from tests.smtpd.test_mx import MAIL, brought

GOOD = Ruling("accept", None, b"Authentication-Results: mx.example.com; none\r\n", (), proven=True)


class Judge:
    """A panel and its only case, which says what a test says, and notes what it is asked."""

    def __init__(self, ruling: Ruling = GOOD, **replies: Reply) -> None:
        self.ruling = ruling
        self.replies = replies
        self.asked: list[tuple[Any, ...]] = []

    def case(self, ip: str) -> Judge:
        self.asked.append(("case", ip))
        return self

    async def greeted(self) -> Reply | None:
        return self.replies.get("greeting")

    def talked_early(self) -> None:
        self.asked.append(("early",))

    async def sender(self, arrival: Arrival, sender: str) -> Reply | None:
        self.asked.append(("sender", arrival.hello, sender))
        return self.replies.get("sender")

    async def recipient(self, _: Arrival, sender: str, recipient: str) -> Reply | None:
        self.asked.append(("recipient", sender, recipient))
        return self.replies.get("recipient")

    async def judge(self, arrival: Arrival, sender: str, recipients: Sequence[str], content: bytes) -> Ruling:
        self.asked.append(("judge", arrival.protocol, sender, tuple(recipients), content))
        return self.ruling

    async def ended(self) -> None:
        self.asked.append(("ended",))


def judged(tmp_path: Path, judge: Judge, play: Callable[[MxHouse, Client], Awaitable[None]], **more: Any) -> MxHouse:
    """Play a session, and let it end."""
    house: MxHouse

    async def scenario() -> None:
        async with asyncio.timeout(60), house.open(), Client.of(house.port, hello="EHLO out.example.org") as client:
            await play(house, client)

    house = MxHouse(tmp_path, panel=judge, **more)
    asyncio.run(scenario())
    return house


def test_who_judges_sees_the_message_as_it_came(tmp_path: Path) -> None:
    """Step by step, each recipient whom we know, the octets that were sent, and the end."""
    judge = Judge()

    async def play(_: MxHouse, client: Client) -> None:
        await brought(client, b"From: x@example.org\n\nb\n", "ann@example.com", "nobody@example.com", "sales@example.com")

    house = judged(tmp_path, judge, play)
    assert judge.asked == [
        ("case", "127.0.0.1"),
        ("sender", "out.example.org", "carl@example.org"),
        ("recipient", "carl@example.org", "ann@example.com"),
        ("recipient", "carl@example.org", "sales@example.com"),
        ("judge", "ESMTP", "carl@example.org", ("ann@example.com", "sales@example.com"), b"From: x@example.org\n\nb\n\r\n"),
        ("ended",),
    ]
    [entry] = house.entries()
    assert b"\r\nAuthentication-Results: mx.example.com; none\r\nFrom: x@example.org\r\n\r\nb\r\n" in house.content(entry)
    assert entry.envelope.answerable


@pytest.mark.parametrize(
    ("verdict", "reply", "where"),
    [
        ("refuse", Reply.own(550, "5.7.1", "it holds a virus"), None),
        ("tempfail", Reply.own(451, "4.3.0", "a filter does not answer"), None),
        ("hold", None, "held"),
        ("mark", None, "queued"),
    ],
)
def test_a_verdict_is_carried_out(tmp_path: Path, verdict: Any, reply: Reply | None, where: str | None) -> None:
    """What is refused is nowhere, what is held waits for an operator; the record says why."""

    async def play(_: MxHouse, client: Client) -> None:
        said = (await brought(client, MAIL, "ann@example.com"))[-1]
        assert said.startswith(f"{reply.code} {reply.enhanced}" if reply else "250")

    step = FilterStep("clamd", "refuse", "it holds a virus", 5.0)
    house = judged(tmp_path, Judge(Ruling(verdict, reply, b"", [step], reason="virus")), play)
    assert {state: len(house.entries(state)) for state in ("queued", "held")} == {
        "queued": int(where == "queued"),
        "held": int(where == "held"),
    }
    told: Any = house.heard(TurnedAway if reply else TakenIn)[0]
    assert "it holds a virus" in told.why
    assert not reply or told.reason == "virus"
    assert reply or told.verdict == verdict


@pytest.mark.parametrize("step", ["sender", "recipient"])
def test_a_step_may_refuse(tmp_path: Path, step: str) -> None:
    """Before there is a message; the session goes on."""

    async def play(_: MxHouse, client: Client) -> None:
        said = await brought(client, MAIL, "ann@example.com")
        assert said[0 if step == "sender" else 1].startswith("451 4.7.1")
        assert (await client("RSET")).startswith("250")

    house = judged(tmp_path, Judge(**{step: Reply.own(451, "4.7.1", "come back later")}), play)
    assert [away.phase for away in house.heard(TurnedAway)] == ["mail" if step == "sender" else "rcpt"]


def test_a_client_may_be_refused_at_once(tmp_path: Path) -> None:
    """It hears that instead of a greeting."""
    judge = Judge(greeting=Reply.own(554, "5.7.1", "no mail from you"))

    async def scenario() -> None:
        async with house.open():
            client = Client(*await asyncio.open_connection("127.0.0.1", house.port))
            assert (await client.hear()).startswith("554")
            client.writer.close()

    house = MxHouse(tmp_path, panel=judge)
    asyncio.run(scenario())
    assert [away.phase for away in house.heard(TurnedAway)] == ["greeting"]


def test_filters_may_change_what_is_taken(tmp_path: Path) -> None:
    """The message, its sender and whom it goes to; whoever is added elsewhere gets it on behalf of one of ours."""
    change = Amendment(b"A: changed\r\n\r\n", "new@example.org", added=["x@example.net"], removed=["bob@example.com"])
    judge = Judge(Ruling("accept", None, b"", (), amendment=change))

    async def play(_: MxHouse, client: Client) -> None:
        await brought(client, MAIL, "ann@example.com", "bob@example.com")

    house = judged(tmp_path, judge, play)
    [entry] = house.entries()
    assert entry.envelope.sender == "new@example.org"
    assert sorted((one.address, one.behalf) for one in entry.envelope.recipients) == [
        ("ann@example.com", ""),
        ("x@example.net", "ann@example.com"),
    ]
    assert house.content(entry).endswith(b"A: changed\r\n\r\n")


def test_nobody_is_left_for_a_message(tmp_path: Path) -> None:
    """Then it is refused, and not taken for nobody."""
    judge = Judge(Ruling("accept", None, b"", (), amendment=Amendment(removed=["ann@example.com"])))

    async def play(_: MxHouse, client: Client) -> None:
        assert (await brought(client, MAIL, "ann@example.com"))[-1].startswith("550 5.7.1")

    assert judged(tmp_path, judge, play).entries() == []


@pytest.mark.parametrize("strict", [True, False])
def test_who_does_not_wait_is_noted_or_refused(tmp_path: Path, strict: bool) -> None:
    """He said EHLO and more behind it in one breath."""
    judge = Judge()

    async def play(_: MxHouse, client: Client) -> None:
        await client.say(b"EHLO me\r\nMAIL FROM:<carl@example.org>\r\n")
        said = await client.hear()
        assert said.startswith("554" if strict else "250")

    judged(tmp_path, judge, play, receiving=f"strict_pipelining = {str(strict).lower()}")
    assert ("early",) in judge.asked


class NextHop:
    """A next hop that refuses some addresses."""

    def __init__(self, **refused: Reply) -> None:
        self.refused = refused

    async def refuses(self, address: str) -> Reply | None:
        return self.refused.get(address.partition("@")[0])

    async def close(self) -> None:
        """Nothing is open."""


FULL = Reply.own(452, "4.2.2", "the mailbox is full")
GONE = Reply.own(550, "5.1.1", "no such mailbox")
ASKING = '[relay.box]\nhost = "127.0.0.1"\nprotocol = "lmtp"\ntls = "none"\n[[domain]]\nname = "behind.example"\nvia = "relay:box"\n'


@pytest.mark.parametrize(
    ("who", "catch_all", "said", "reason"),
    [
        ("ann", "", "250", ""),
        ("full", "", "452 4.2.2", "full"),
        ("gone", "", "550 5.1.1", "unknown"),
        ("gone", "bob@example.com", "250", ""),
        ("later", "", "451 4.4.1", "next-hop"),
        ("postmaster", "", "250", ""),
    ],
)
def test_the_next_hop_has_the_last_word(tmp_path: Path, who: str, catch_all: str, said: str, reason: str) -> None:
    """Before a message is taken: so nothing is taken that bounces, and nobody is refused for good who cannot be asked about."""

    async def scenario() -> None:
        async with asyncio.timeout(60), house.open():
            await house.reception.next_hops.close()
            house.reception.next_hops = NextHop(full=FULL, gone=GONE, later=Reply.own(451, "4.4.1", "?"), postmaster=GONE)  # type: ignore[assignment]
            async with Client.of(house.port) as client:
                await client("MAIL FROM:<carl@example.org>")
                assert (await client(f"RCPT TO:<{who}@behind.example>")).startswith(said)

    more = ASKING + (f'catch_all = "{catch_all}"\n' if catch_all else "")
    house = MxHouse(tmp_path, more=more, receiving='postmaster = "ann@example.com"')
    asyncio.run(scenario())
    assert [away.reason for away in house.heard(TurnedAway)] == ([reason] if reason else [])
