"""What can go wrong, from the general to the particular."""

import asyncio
import sys

from mailer import Email, ErrorKind, SmtpAuthenticationError, SmtpClient, SmtpConnectionError, SmtpError, SmtpMessageError


async def main(host: str, port: str, tls: str) -> None:
    async with SmtpClient(host, int(port), tls=tls) as client:
        try:
            await client.send(Email(from_="anna@example.org", to="550@example.net", subject="Hello", text="Is anybody there?"))
        except SmtpAuthenticationError as error:
            print("our login is wrong; whoever keeps it must know at once:", error)
        except SmtpConnectionError as error:
            print("the server cannot be reached:", error.kind, error.host)
        except SmtpMessageError as error:
            if error.kind is ErrorKind.INVALID_RECIPIENT_ADDRESS:
                print("nobody there:", error.code, error.enhanced_code, error.text, [each.address for each in error.rejected])
        except SmtpError as error:
            print("worth another try later" if error.retryable else "not worth another try", error.severity, error.phase)


asyncio.run(main(*sys.argv[1:]))
