"""The message broker of the configuration: whether it lets us in, whether the queues are there, and whether somebody takes from them.

Nothing is declared, and no message is taken. Used by `visit`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.problem import Problem
from mailer.net import broker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aio_pika.abc import AbstractConnection

    from mailer.config import Config

CHECK = "broker"
PATIENCE = 10.0  # seconds for the questions


def preload() -> None:
    """Import what is imported only when it is asked for; where it is not installed, the check says so."""
    with suppress(Problem):
        broker.require()
        broker.errors()


async def queues(config: Config) -> list[Finding]:
    """What comes of a login, and of a look at each queue."""
    try:
        where = str(await asyncio.to_thread(broker.place, config.amqp))
        connection = await broker.connect(config.amqp, config.tls.ca_file, "mailer doctor")
    except Problem as problem:
        text, _, hint = str(problem).partition("; ")
        return [Finding(CHECK, "", FAIL, text, hint or "the broker, or amqp.url_file; `mailer amqp` says what it meets")]
    try:
        async with asyncio.timeout(PATIENCE):
            return [Finding(CHECK, where, PASS, "it lets us in"), *[finding async for finding in _looked_at(connection, config)]]
    except broker.errors():
        return [Finding(CHECK, where, FAIL, "it has hung up", "its log says why")]
    finally:
        with suppress(*broker.errors()):
            async with asyncio.timeout(PATIENCE):
                await connection.close()


async def _looked_at(connection: AbstractConnection, config: Config) -> AsyncIterator[Finding]:
    from aio_pika.exceptions import ChannelClosed

    section = config.amqp
    for name in section.queues:
        try:
            async with connection.channel() as channel:
                found = (await channel.declare_queue(name, passive=True)).declaration_result
        except ChannelClosed:
            yield Finding(
                CHECK, name, FAIL, "there is no such queue, or it may not be read", "mailer amqp makes it; or amqp.declare = true"
            )
            continue
        waiting = f"{found.message_count or 0} messages wait"
        if found.consumer_count:
            yield Finding(CHECK, name, PASS, f"{waiting}, and {found.consumer_count} take from it")
        else:
            yield Finding(CHECK, name, WARN, f"{waiting}, and nobody takes from it", "mailer run, or systemctl start mailer-amqp")
    async for finding in _dead(connection, section.dead_letter, section.reasons):
        yield finding


async def _dead(connection: AbstractConnection, name: str, reasons: str) -> AsyncIterator[Finding]:
    """Dead letters that wait for a person; a queue for them that is elsewhere is none of our business."""
    from aio_pika.exceptions import ChannelClosed

    try:
        async with connection.channel() as channel:
            count = (await channel.declare_queue(name, passive=True)).declaration_result.message_count
    except ChannelClosed:
        return
    if count:
        yield Finding(CHECK, name, WARN, f"{count} dead letters wait", f"the queue {reasons} says why each was refused")
