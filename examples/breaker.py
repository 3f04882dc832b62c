"""Leave a server alone that fails again and again, instead of making every user wait for it."""

import asyncio
import sys

from mailer import BreakerSettings, Email, RetrySettings, SmtpCircuitOpenError, SmtpClient, SmtpError


async def main(host: str, port: str, tls: str) -> None:
    breaker = BreakerSettings(failure_threshold=3, recovery_timeout=60)
    async with SmtpClient(host, int(port), tls=tls, breaker=breaker, retry=RetrySettings(max_attempts=1)) as client:
        for _ in range(5):
            try:
                await client.send(Email(from_="anna@example.org", to="bob@example.net", subject="Hello", text="Hello?"))
            except SmtpCircuitOpenError as error:
                print(f"not even tried; worth it again in {error.retry_after:.0f} s")
            except SmtpError as error:
                print("tried:", error.kind)


asyncio.run(main(*sys.argv[1:]))
