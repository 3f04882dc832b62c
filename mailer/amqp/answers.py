"""Answers: what is published about a message, confirmed by the broker before anybody goes on: replies, reasons of dead letters, results.

That a publication reaches no queue is an error here: the library says nothing of that unless it is told to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.mail.dates import rfc3339
from mailer.mail.envelope import dump_json
from mailer.mail.text import one_line

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel

    from mailer.mail.problem import Problem

    from .letter import Letter
    from .taking import Accepted

PATIENCE = 10.0  # seconds for a confirmation
LONGEST_REASON = 1000  # characters
LONGEST_PROPERTY = 255  # octets of a property or a routing key: AMQP 0-9-1 §4.2.5.3


class Publisher:
    """Publishes on `channel`, which confirms, and returns what reaches nobody as an error."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel

    async def publish(
        self,
        key: str,
        document: dict[str, object],
        *,
        exchange: str = "",
        message_id: str = "",
        correlation_id: str = "",
        type: str = "",
        headers: dict[str, str] | None = None,
        mandatory: bool = True,
    ) -> None:
        """Have the broker store `document`. Raises `Unheard` where it does not, and what the library raises where it is gone."""
        import aio_pika
        from aio_pika.exceptions import DeliveryError

        message = aio_pika.Message(
            dump_json(document).encode(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message_id or None,
            correlation_id=correlation_id or None,
            type=type or None,
            app_id="mailer",
            headers=dict(headers or {}),
        )
        to = await self._channel.get_exchange(exchange, ensure=False) if exchange else self._channel.default_exchange
        try:
            await to.publish(message, key, mandatory=mandatory, timeout=PATIENCE)
        except DeliveryError:
            raise Unheard(f"no queue takes what is published to {one_line(exchange or key, 80)}") from None
        except TimeoutError:
            raise Unheard(f"what is published to {one_line(exchange or key, 80)} is not confirmed within {PATIENCE:.0f} s") from None
        except (ValueError, TypeError) as error:  # a key that is too long
            raise Unheard(str(error)) from None

    async def tell(self, letter: Letter, document: dict[str, object]) -> str:
        """Give the reply that `letter` asks for; why nobody has it, or nothing."""
        try:
            await self.publish(letter.reply_to, document, correlation_id=letter.correlation_id or letter.message_id)
        except Unheard as error:
            return str(error)
        return ""


class Unheard(Exception):
    """What was published reaches nobody, or that is not known."""


def reply(accepted: Accepted) -> dict[str, object]:
    """The answer about a message that is in the spool: what `POST /send_email` of the API answers."""
    envelope = accepted.prepared.envelope
    return {
        "id": accepted.id,
        "message_id": accepted.id,
        "request_id": envelope.request_id or None,
        "status": "queued",
        "repeat": accepted.repeat,
        "header_message_id": envelope.message_id or None,
        "recipients": [{"address": one.address, "type": one.type, "status": "queued"} for one in envelope.recipients],
    }


def refusal(problem: Problem) -> dict[str, object]:
    """The answer about a message that is refused."""
    return {"error": {"code": problem.kind, "message": words(problem)}}


def reason(queue: str, letter: Letter, problem: Problem) -> dict[str, object]:
    """What is said of a dead letter."""
    return {
        "at": rfc3339(time.time()),
        "queue": queue,
        "message_id": letter.message_id or None,
        "correlation_id": letter.correlation_id or None,
        "size": letter.size,
        "code": problem.kind,
        "reason": words(problem),
    }


def property_of(*texts: str) -> str:
    """The first of `texts` that is there and fits into a property; empty if none does."""
    return next((text for text in texts if 0 < len(text.encode("utf-8", "replace")) <= LONGEST_PROPERTY), "")


def words(problem: Problem) -> str:
    """The problem on one line of bounded length."""
    return one_line(str(problem), LONGEST_REASON).removesuffix("; nothing was queued")
