"""Patience with servers that say "not now": who has the message gets no second one, the others are asked about again."""

import asyncio
import sys

from mailer import Email, RetrySettings, SmtpClient


async def main(host: str, port: str, tls: str) -> None:
    retry = RetrySettings(max_attempts=5, initial_delay=0.1, max_delay=10, multiplier=3)
    async with SmtpClient(host, int(port), tls=tls, retry=retry) as client:
        email = Email(from_="anna@example.org", to=["bob@example.net", "greylist@example.net"], subject="Hello", text="Again?")
        result = await client.send(email)
        print(result.accepted, "after", result.attempts, "attempts")


asyncio.run(main(*sys.argv[1:]))
