"""One door with a policy that has nothing against anybody, in a loop whose time passes only while nobody has anything to do."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

from mailer.net.peer import Peer
from mailer.net.server import streams
from mailer.net.stream import Stream
from mailer.serving.common import Common
from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply
from mailer.smtp.server_state import ServerSettings
from mailer.smtpd.session import SessionPolicy, converse
from tests.fakes import waiting
from tests.net.accepting import Loop, looping
from tests.smtpd.house import Client

ENVELOPE = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"


class Content(SessionPolicy):
    """A policy that is content with everything; `answers` are what it says instead, by phase, after `seconds`."""

    def __init__(self) -> None:
        self.answers: dict[str, Reply] = {}
        self.seconds: dict[str, float] = {}
        self.dear: dict[str, float] = {}  # seconds of the processor for an answer, by phase
        self.bodies: list[ask.Body] = []
        self.haste: list[str] = []
        self.verdict: Reply | None = None  # about haste
        self.sessions = 0

    async def answer(self, question: ask.Question) -> Reply | None:
        if isinstance(question, ask.Body):
            self.bodies.append(question)
        if dear := self.dear.get(question.phase):
            time.sleep(dear)
        if seconds := self.seconds.get(question.phase, 0.0):
            await asyncio.sleep(seconds)
        return self.answers.get(question.phase)

    def hasty(self, during: str, /) -> Reply | None:
        self.haste.append(during)
        return self.verdict

    def ended(self) -> None:
        self.sessions += 1


class Door:
    """The door, what is common to its sessions, and the policy of all of them."""

    def __init__(self, loop: Loop, common: Common, policy: Content) -> None:
        self.loop = loop
        self.common = common
        self.policy = policy

    async def greeted(self, hello: str = "EHLO me") -> Client:
        """A client that has said EHLO."""
        client = await self.called()
        assert (await client.hear()).startswith("220")
        assert (await client(hello)).startswith("250")
        return client

    async def called(self) -> Client:
        """A client that has said nothing."""
        return Client(*await self.loop.call())


def now() -> float:
    """Seconds that were waited."""
    return asyncio.get_running_loop().time()


def at_a_door(
    test: Callable[[Door], Awaitable[None]],
    settings: ServerSettings | None = None,
    *,
    common: Common | None = None,
    context: ssl.SSLContext | None = None,
    implicit: bool = False,
    **options: Any,
) -> None:
    """Run `test` with a door of these `settings`, and `options` of its accept loop; with `implicit` TLS comes first."""
    policy, settings, common = Content(), settings or ServerSettings(), common or Common()

    async def run() -> None:
        async def serve(stream: Stream, peer: Peer) -> None:
            await converse(stream, settings, policy, door.loop.accepting, context, common, peer.share)

        serving = streams(serve, context if implicit else None, handshakes=common.handshakes)
        async with asyncio.timeout(1e6), looping(serving, **options) as loop:
            door = Door(loop, common, policy)
            await test(door)
        assert common.room.taken == 0

    waiting.run(run())
