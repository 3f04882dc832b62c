"""Send many messages; one that fails stops no other, and each has its result in its place."""

import asyncio
import sys

from mailer import Email, PoolSettings, SendResult, SmtpClient


async def main(host: str, port: str, tls: str) -> None:
    people = ["bob@example.net", "no address", "carol@example.net", "550@example.net"]
    emails = [Email(from_="anna@example.org", to=person, subject="News", text=f"Dear {person}") for person in people]
    async with SmtpClient(host, int(port), tls=tls, pool=PoolSettings(max_connections=3)) as client:
        batch = await client.send_batch(emails)
    print(f"{batch.succeeded} sent, {batch.failed} not, in {batch.duration:.2f} s")
    for person, result in zip(people, batch, strict=True):
        print(person, "->", result.reply if isinstance(result, SendResult) else result)


asyncio.run(main(*sys.argv[1:]))
