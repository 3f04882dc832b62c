"""Look at each message before it goes, and at what became of it: here a count, and a guard for test systems."""

import sys
from collections import Counter
from dataclasses import replace

from mailer import Email, Interceptor, Mail, SendResult, SmtpError, SyncSmtpClient


class Guard(Interceptor):
    def __init__(self) -> None:
        self.count: Counter[str] = Counter()

    async def before_send(self, mail: Mail) -> Mail:
        assert isinstance(mail, Email)
        return replace(mail, to="tester@example.org", subject=f"[for {mail.to}] {mail.subject}")

    async def after_send(self, mail: Mail, result: SendResult) -> None:
        self.count[f"sent {type(mail).__name__}"] += len(result.accepted)

    async def on_error(self, mail: Mail, error: SmtpError) -> None:
        self.count[f"{error.kind} {type(mail).__name__}"] += 1


host, port, tls = sys.argv[1:]
guard = Guard()
with SyncSmtpClient(host, int(port), tls=tls, interceptors=[guard]) as client:
    client.send(Email(from_="anna@example.org", to="customer@example.net", subject="Your bill", text="…"))
print(guard.count)
