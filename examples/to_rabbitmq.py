"""Hand a mail to `mailer amqp` by a queue of RabbitMQ, and hear what became of it. However often this runs, it is mailed once.

python examples/to_rabbitmq.py amqp://guest:guest@127.0.0.1/ mailer.in bob@example.net order-7"""

import asyncio
import json
import sys

from aio_pika import DeliveryMode, Message, connect, exceptions

url, queue, person, order = sys.argv[1:]
mail = {"request_id": order, "from": "shop@example.com", "to": [person], "subject": "Your order", "text": f"{order} is on its way."}


async def main() -> None:
    async with await connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)  # else a message that no queue takes is lost without a word
        answers = await channel.declare_queue(exclusive=True)
        message = Message(json.dumps(mail).encode(), delivery_mode=DeliveryMode.PERSISTENT, reply_to=answers.name, correlation_id=order)
        try:
            await channel.default_exchange.publish(message, queue, timeout=10)
        except exceptions.DeliveryError:  # the broker has given it back; one that mailer amqp is to read, it makes when it starts
            sys.exit(f"there is no queue {queue}: nobody has taken the mail; does mailer amqp run, with this name below [amqp]?")
        async with answers.iterator(timeout=60) as replies:
            said = json.loads((await anext(replies)).body)
    print(said["error"]["message"] if "error" in said else f"{said['id']} {'again' if said['repeat'] else 'new'}")


asyncio.run(main())
