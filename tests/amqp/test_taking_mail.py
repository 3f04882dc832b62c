"""Mail from a queue: by the program, from a real broker."""

from __future__ import annotations

import asyncio
import json

import pytest

from mailer.mail.principal import Principal
from tests.fakes.processes import Usage, wait_until

from .house import House, letter

pytestmark = [pytest.mark.peer("rabbitmq"), pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_what_a_queue_has_is_queued_for_its_submitter(house: House) -> None:
    """Each message is in the spool once, with its request id, as the mail of the queue, in its stream, with the trace that caused it."""
    house.configure(more=f'[[amqp_queue]]\nname = "{house.queue}"\nstream = "invoices"\n')
    program = house.start()
    asyncio.run(house.publish(*(letter(n) for n in range(20)), headers={"traceparent": TRACE}))
    house.has(20)
    asyncio.run(house.settled())
    assert program.stop() == 0
    envelopes = house.envelopes()
    assert {one["request_id"] for one in envelopes} == {f"r{n}" for n in range(20)}
    assert [one["submitter"] for one in envelopes] == [{"principal": Principal(f"amqp:{house.queue}"), "stream": "invoices"}] * 20
    assert {one["options"]["traceparent"] for one in envelopes} == {TRACE}


def test_one_request_is_one_message(house: House) -> None:
    """By its request id, or else by the property message-id; another message under it is a dead letter, and says nothing of the first."""
    house.start()
    plain = {**letter(1), "request_id": None}
    asyncio.run(house.publish(letter(0), letter(0), message_id="other"))
    asyncio.run(house.publish(plain, plain, message_id="mine"))
    asyncio.run(house.settled())
    house.has(2)
    assert {one["request_id"] for one in house.envelopes()} == {"r0", "mine"}
    asyncio.run(house.publish(letter(0, subject="another")))
    (reason,) = asyncio.run(house.take(f"{house.dead}.reasons"))
    assert "was used for another message" in json.loads(reason.body)["reason"]
    house.has(2)


def test_queues_have_request_ids_of_their_own(house: House) -> None:
    """The same id in two queues is two messages."""
    house.queues.append(f"{house.mark}.second")
    house.configure()
    house.start()
    for queue in house.queues:
        asyncio.run(house.publish(letter(0), queue=queue))
    house.has(2)


async def _asked(house: House, *bodies: object) -> list[dict[str, object]]:
    """The replies to these."""
    async with house.channel() as channel:
        replies = await channel.declare_queue(exclusive=True)
        for at, body in enumerate(bodies):
            await house.publish(body, reply_to=replies.name, correlation_id=f"c{at}")
        found = {}
        async with replies.iterator(timeout=60) as messages:
            async for message in messages:
                await message.ack()
                found[message.correlation_id] = json.loads(message.body)
                if len(found) == len(bodies):
                    break
        return [found[f"c{at}"] for at in range(len(bodies))]


def test_a_reply_says_what_became_of_it(house: House) -> None:
    """The ID, whether it is a repeat, and each recipient; or what is wrong."""
    house.start()
    first, again, wrong = asyncio.run(_asked(house, letter(7), letter(7), {**letter(8), "to_adresses": []}))
    (envelope,) = house.envelopes()
    assert {first["id"], first["message_id"], again["id"]} == {envelope["id"]}
    assert sorted([first["repeat"], again["repeat"]]) == [False, True]
    assert (first["status"], first["request_id"]) == ("queued", "r7")
    assert first["recipients"] == [{"address": "a7@example.net", "type": "to", "status": "queued"}]
    repeat = first if first["repeat"] else again
    assert repeat["header_message_id"] is None, "what it was given then; another one stands in no message"
    assert "to_addresses" in str(wrong["error"])


def test_a_reply_that_reaches_nobody_costs_nothing(house: House) -> None:
    """The message is queued and acknowledged; an alarm says that nobody hears."""
    program = house.start()
    asyncio.run(house.publish(letter(0), reply_to="nobody.is.here"))
    house.has(1)
    asyncio.run(house.settled())
    program.says('"what":"unheard"')
    assert "nobody.is.here" in program.said
    assert asyncio.run(house.count(house.dead)) == 0


POISON: dict[str, object] = {
    "no JSON": b"{",
    "nested": b"[" * 200_000,
    "unknown member": {**letter(), "to_adresses": ["x@example.net"]},
    "forbidden sender": letter(1, from_address="boss@elsewhere.example"),
    "no recipient": {**letter(2), "to_addresses": []},
    "one bad address": letter(3, to_addresses=["a@example.net", "nonsense@"]),
    "line break": letter(4, subject="a\r\nBcc: x@example.net"),
}


def test_what_is_wrong_is_a_dead_letter_with_its_reason(house: House) -> None:
    """Once each, as it was; it never comes again, and the good ones beside it are queued."""
    house.configure(more=f'[[amqp_queue]]\nname = "{house.queue}"\nsenders = ["*@example.com"]\n')
    program = house.start()
    bodies = [*POISON.values()]
    for at, body in enumerate(bodies):
        asyncio.run(house.publish(letter(f"good{at}"), body, message_id=f"m{at}"))
    house.has(len(bodies))
    dead = asyncio.run(house.take(house.dead, len(bodies)))
    reasons = asyncio.run(house.take(f"{house.dead}.reasons", len(bodies)))
    assert sorted(message.body for message in dead) == sorted(
        body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies
    )
    assert {message.correlation_id for message in reasons} == {f"m{at}" for at in range(len(bodies))}
    said = {str(message.correlation_id): json.loads(message.body)["reason"] for message in reasons}
    assert "boss@elsewhere.example" in said["m3"]
    assert "to_addresses" in said["m2"]
    assert all(message.headers["x-mailer-reason"] == said[str(message.correlation_id)] for message in reasons)
    asyncio.run(house.settled())
    wait_until("all are told of", lambda: program.said.count('"event":"dead-letter"') >= len(bodies))
    assert program.said.count('"event":"dead-letter"') == len(bodies)


def test_a_body_that_is_too_large_is_refused_and_never_held(house: House) -> None:
    """32 MB, four times, become dead letters, and the process stays small; small ones beside them are taken."""
    house.configure(more='[submission]\nmax_message_size = "1MB"\n')
    program = house.start()
    before = Usage(program.pid).peak_kib
    for at in range(4):
        asyncio.run(house.publish(b"x" * (32 << 20), letter(at)))
    house.has(4, seconds=120)
    asyncio.run(house.settled())
    wait_until("all are dead letters", lambda: asyncio.run(house.count(house.dead)) == 4)
    reasons = asyncio.run(house.take(f"{house.dead}.reasons", 4))
    assert all("submission.max_message_size" in json.loads(one.body)["reason"] for one in reasons)
    assert Usage(program.pid).peak_kib - before < 24 << 10


def test_a_compressed_body_is_not_read(house: House) -> None:
    """So that no bomb can be in it."""
    house.start()
    asyncio.run(house.publish(letter(0), content_encoding="gzip"))
    (reason,) = asyncio.run(house.take(f"{house.dead}.reasons"))
    assert "content-encoding" in json.loads(reason.body)["reason"]
