"""Ask for more than delivery: reports when it has arrived or is late, and TLS on every hop, where the server can do that."""

import asyncio
import sys

from mailer import Email, ErrorKind, Request, SmtpClient, SmtpError, Wanted


async def main(host: str, port: str, tls: str) -> None:
    email = Email(from_="anna@example.org", to="bob@example.net", subject="Contract", text="See below.")
    reports = Request(ret="HDRS", envid="contract-17", everybody=Wanted("SUCCESS,FAILURE,DELAY"))
    async with SmtpClient(host, int(port), tls=tls) as client:
        result = await client.send(email, request=reports)
        print("known there as", result.server_id or "nothing that it would tell")
        try:
            await client.send(email, request=Request(require_tls=True))
        except SmtpError as error:
            print("not sent:" if error.kind is ErrorKind.CAPABILITY_MISMATCH else "failed:", error.text)


asyncio.run(main(*sys.argv[1:]))
