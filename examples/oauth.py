"""Log in with OAuth: the access token is fetched with the refresh token, and again before it expires. Gmail and Office 365 want this."""

import asyncio
import os
import sys

from mailer import Email, Login, OAuth, Requirement, SmtpClient


async def main(host: str, port: str, ca_file: str, token_endpoint: str, store: str) -> None:
    tokens = OAuth(
        token_endpoint,  # such as https://oauth2.googleapis.com/token
        client_id="the-client",
        client_secret=lambda: os.environ["OAUTH_CLIENT_SECRET"],
        refresh_token=lambda: os.environ["OAUTH_REFRESH_TOKEN"],
        store=store,  # a file of its own, which nobody else can read
        ca_file=ca_file,  # not for a provider that everybody trusts
    )
    login = Login("anna@example.org", tokens, mechanism="OAUTH", refused=tokens.forget)
    async with SmtpClient(host, int(port), tls=Requirement("starttls", ca_file=ca_file), credentials=login) as client:
        result = await client.send(Email(from_="anna@example.org", to="bob@example.net", subject="Hello", text="No password."))
        print(result.accepted)


asyncio.run(main(*sys.argv[1:]))
