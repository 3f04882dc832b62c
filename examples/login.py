"""Log in over TLS, with a password that is fetched each time one is needed:  python login.py smtp.example.com 587 ca.pem."""

import asyncio
import os
import sys

from mailer import Email, Requirement, SmtpClient


async def main(host: str, port: str, ca_file: str) -> None:
    tls = Requirement("starttls", ca_file=ca_file)  # without a CA of your own: tls="starttls"
    credentials = ("anna", lambda: os.environ["SMTP_PASSWORD"])
    async with SmtpClient(host, int(port), tls=tls, credentials=credentials) as client:
        info = await client.test_connection()
        print(info.banner, info.tls, info.authenticated_as, sorted(info.extensions.mechanisms))
        result = await client.send(Email(from_="anna@example.org", to="bob@example.net", subject="Hello", text="Safe on its way."))
        print(result.tls)


asyncio.run(main(*sys.argv[1:]))
