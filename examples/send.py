"""Send one message, and see who has it:  python send.py smtp.example.com 587 starttls."""

import asyncio
import sys

from mailer import Email, SmtpClient


async def main(host: str, port: str, tls: str) -> None:
    async with SmtpClient(host, int(port), tls=tls) as client:
        email = Email(from_="Anna <anna@example.org>", to=["bob@example.net"], subject="Hello", text="It works.")
        result = await client.send(email)
        print(result.message_id, result.reply)
        for address in result.accepted:
            print("taken for", address)
        for address, code, enhanced_code, text in result.rejected:
            print("refused for", address, code, enhanced_code, text)


asyncio.run(main(*sys.argv[1:]))
