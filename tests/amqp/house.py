"""What tests of the message queue share: a configuration, the process that is tested, and programs on the other side of the broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from tests.fakes.processes import MAILER, PATIENCE, Program, wait_until
from tests.peers.rabbitmq import RabbitMQ


def letter(number: int | str = 0, **more: object) -> dict[str, object]:
    """A payload with a request id."""
    return {
        "request_id": f"r{number}",
        "from_address": "robot@example.com",
        "to_addresses": [f"a{number}@example.net"],
        "subject": f"letter {number}",
        "body_plain": "y" * 200,
        **more,
    }


class House:
    """A machine with a spool below `path`, whose queues at `rabbit` have names that nobody else uses."""

    def __init__(self, path: Path, rabbit: RabbitMQ) -> None:
        self.path = path
        self.rabbit = rabbit
        self.mark = uuid.uuid4().hex[:8]
        self.queue, self.dead, self.events, self.failed = (f"{self.mark}.{name}" for name in ("in", "dead", "events", "failed"))
        self.queues = [self.queue]
        self.spool = path / "spool"
        self.file = path / "config.toml"
        self.url_file = path / "amqp.url"
        self.programs: list[Program] = []
        self.say(rabbit.url)
        self.configure()

    def say(self, url: str) -> None:
        """Write where the broker is."""
        self.url_file.write_text(url + "\n")
        self.url_file.chmod(0o600)

    def configure(self, *, amqp: str = "", more: str = "") -> None:
        """Write the configuration, with `amqp` in its section."""
        self.file.write_text(
            f'[mailer]\nhostname = "m.example.com"\nspool = "{self.spool}"\n'
            f'[amqp]\nurl_file = "{self.url_file}"\nqueues = {json.dumps(self.queues)}\ndead_letter = "{self.dead}"\n'
            f'failed = "{self.failed}"\n{amqp}\n{more}\n'
        )

    def start(self, *, env: dict[str, str] | None = None, wrapper: Sequence[str] = (), until: str = "ready") -> Program:
        """``mailer amqp``, when it takes mail."""
        log = self.path / f"log{len(self.programs)}"
        program = Program([*wrapper, *MAILER, "amqp", "--config", self.file], log, env={**os.environ, **(env or {})})
        self.programs.append(program)
        if until:
            program.says(f'"what":"{until}"')
        return program

    def close(self) -> None:
        """End what runs."""
        for program in self.programs:
            if program.running:
                program.signal(signal.SIGCONT)
            program.stop()

    # The spool

    @property
    def files(self) -> list[Path]:
        """The messages that are queued."""
        return sorted((self.spool / "queued").glob("*"))

    def envelopes(self) -> list[dict[str, Any]]:
        """Their envelopes."""
        return [json.loads(path.read_bytes().split(b"\n", 2)[1]) for path in self.files]

    def has(self, count: int, seconds: float = PATIENCE) -> None:
        """Wait until so many are queued."""
        wait_until(f"{count} messages are in the spool", lambda: len(self.files) >= count, seconds)
        assert len(self.files) == count

    # The other side

    @contextlib.asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """A channel of somebody else."""
        async with await aio_pika.connect(self.rabbit.url) as connection, connection.channel(on_return_raises=True) as channel:
            yield channel

    async def publish(self, *bodies: object, queue: str = "", **properties: Any) -> None:
        """Publish payloads, or octets."""
        async with self.channel() as channel:
            for body in bodies:
                octets = body if isinstance(body, bytes) else json.dumps(body).encode()
                message = aio_pika.Message(octets, delivery_mode=2, **properties)
                await channel.default_exchange.publish(message, queue or self.queue)

    async def count(self, queue: str) -> int:
        """How many messages wait there; what is delivered and not acknowledged does not count."""
        async with self.channel() as channel:
            made = await channel.declare_queue(queue, passive=True)
            return made.declaration_result.message_count or 0

    async def take(self, queue: str, count: int = 1, seconds: float = PATIENCE) -> list[AbstractIncomingMessage]:
        """So many messages, when they are there; each is acknowledged."""
        found: list[AbstractIncomingMessage] = []
        async with self.channel() as channel:
            made = await channel.declare_queue(queue, passive=True)
            async with made.iterator(timeout=seconds) as messages:
                async for message in messages:
                    await message.ack()
                    found.append(message)
                    if len(found) == count:
                        break
        return found

    async def settled(self, seconds: float = PATIENCE) -> None:
        """Wait until nothing waits in the queues, and nothing is held of them."""

        def empty() -> bool:
            held = self.rabbit.messages()
            return all(held.get(name) == 0 for name in self.queues)

        await asyncio.to_thread(wait_until, f"nothing is left in {self.queues}", empty, seconds, 0.02)

    async def sweep(self) -> None:
        """Delete the queues and exchanges of this house."""
        async with self.channel() as channel:
            for name in (*self.queues, self.dead, f"{self.dead}.reasons", self.failed):
                await channel.queue_delete(name)
            for name in (self.dead, self.events):
                await channel.exchange_delete(name)
