"""Declaring: the queues and exchanges that have to be there, made where they are missing.

===========================  =======================================================================================
what                         how
===========================  =======================================================================================
each of ``amqp.queues``      durable, of ``amqp.type``, with the exchange of dead letters; a quorum queue with a limit, and `KEPT`
``amqp.dead_letter``         a fanout exchange, and a queue behind it
``….reasons``                a queue of bounded length: why each is a dead letter
``amqp.events``              a topic exchange
``amqp.failed``              a queue
===========================  =======================================================================================

One that is there with other properties is refused, and used by nobody: with a queue that has no exchange of dead letters a message that is
refused would be gone. Where nothing is declared, whoever keeps the broker has seen to that.

RabbitMQ hands a dead letter on once, without a confirmation, and one that dies before it is written has lost it: so does a classic queue
always. A quorum queue that is `KEPT` keeps it until those behind the exchange have it. Only RabbitMQ 3.10 and what came after it know that;
with an older one, and with a queue that was made without, a quorum queue is as good as a classic one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aio_pika.abc import AbstractConnection
    from pamqp.common import FieldTable

    from mailer.config.sections.amqp import Amqp

REASONS = 100_000
"""The most reasons that are kept; the oldest go first."""

KEPT: FieldTable = {"x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}
"""What has a quorum queue lose no dead letter. The second means nothing here, where no length has a limit, but the broker wants it with
the first.
"""


async def declare(connection: AbstractConnection, section: Amqp) -> None:
    """Have all that there is to be; without `declare`, look whether the queues are there.

    Raises `Problem` (bad-config), and what the library raises.
    """
    from aio_pika.exceptions import ChannelClosed

    what = ""
    try:
        async with connection.channel() as channel:
            if section.declare:
                what = f"the exchange {section.dead_letter}"
                await channel.declare_exchange(section.dead_letter, "fanout", durable=True)
                if section.events:
                    what = f"the exchange {section.events}"
                    await channel.declare_exchange(section.events, "topic", durable=True)
        for name, arguments in _queues(section):
            what = f"the queue {name}"
            await _queue(connection, section, name, arguments)
    except ChannelClosed as error:
        raise _refusal(what, error) from None


async def _queue(connection: AbstractConnection, section: Amqp, name: str, arguments: FieldTable) -> None:
    """Have one, if need be without `KEPT`. A refusal costs the channel."""
    from aio_pika.exceptions import ChannelPreconditionFailed

    try:
        async with connection.channel() as channel:
            made = await channel.declare_queue(name, durable=True, arguments=arguments, passive=not section.declare)
            if section.declare and name == section.dead_letter:
                await made.bind(section.dead_letter)
    except ChannelPreconditionFailed:
        if not KEPT.keys() <= arguments.keys():
            raise
        await _queue(connection, section, name, {key: value for key, value in arguments.items() if key not in KEPT})


def _queues(section: Amqp) -> Iterator[tuple[str, FieldTable]]:
    """Each queue with its arguments."""
    own: FieldTable = {"x-queue-type": section.type, "x-dead-letter-exchange": section.dead_letter}
    if section.type == "quorum":
        own |= {"x-delivery-limit": section.delivery_limit, **KEPT}
    else:
        own["x-max-priority"] = 10
    for name in section.queues:
        yield name, own
    if section.declare:
        yield section.dead_letter, {}
        yield section.reasons, {"x-max-length": REASONS}
    if section.declare and section.events and section.failed:
        yield section.failed, {}


def _refusal(what: str, error: Exception) -> Problem:
    from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

    if isinstance(error, ChannelNotFoundEntity):
        return Problem(f"the broker has no such thing as {what}; write amqp.declare = true, or make it", "bad-config")
    if isinstance(error, ChannelPreconditionFailed):
        hint = "delete it there when it is empty, or write amqp.declare = false and see to its dead letters yourself"
        return Problem(f"{what} is there with other properties than [amqp] has; {hint}", "bad-config")
    return Problem(f"the broker refuses {what}: the user of amqp.url_file may not configure or read it", "bad-config")
