"""Send what is a message already: one of the standard library's, or finished bytes with an envelope."""

import asyncio
import sys
from email.message import EmailMessage

from mailer import SmtpClient


async def main(host: str, port: str, tls: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "anna@example.org", "bob@example.net", "Hello"
    message.set_content("Made by the standard library.")
    finished = b"From: anna@example.org\r\nSubject: Hello\r\n\r\nMade by hand.\r\n"
    async with SmtpClient(host, int(port), tls=tls) as client:
        print((await client.send(message)).accepted)
        print((await client.send(finished, sender="bounces@example.org", recipients=["bob@example.net"])).accepted)


asyncio.run(main(*sys.argv[1:]))
