"""Keep to a provider's limit: so many messages in a window, and whoever comes too early waits for his turn."""

import asyncio
import sys

from mailer import Email, RateLimitSettings, SmtpClient


async def main(host: str, port: str, tls: str) -> None:
    limit = RateLimitSettings(max_emails=5, window=0.5, on_limit="wait")  # or "reject", or "wait_with_timeout"
    emails = [Email(from_="anna@example.org", to="bob@example.net", subject=f"Number {number}", text="…") for number in range(8)]
    async with SmtpClient(host, int(port), tls=tls, rate_limit=limit) as client:
        batch = await client.send_batch(emails)
    print(f"{batch.succeeded} sent in {batch.duration:.1f} s")


asyncio.run(main(*sys.argv[1:]))
