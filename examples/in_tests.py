"""Test a program that sends mail: against a server that keeps what it gets, and one that follows a script."""

from mailer import Email, RetrySettings, SmtpError, SyncSmtpClient
from mailer.testing import Moods, Script, SinkThread

email = Email(from_="anna@example.org", to="bob@example.net", subject="Hello", text="Hello")

with SinkThread(Moods(refuse={"bob@example.net": "550 5.1.1 moved away"})) as sink:
    client = SyncSmtpClient("127.0.0.1", sink.port, tls="none")
    try:
        client.send(email)
    except SmtpError as error:
        print(error.code, error.text)
    sink.moods = Moods()
    client.send(email)
    client.shutdown()
    print(sink.messages[0].recipients)

with Script("S: 220 x\nC: EHLO *\nS: 250 x\nC: MAIL FROM:<anna@example.org>*\nS: 421 4.3.2 closing") as script:
    client = SyncSmtpClient("127.0.0.1", script.port, tls="none", retry=RetrySettings(max_attempts=1))
    try:
        client.send(email)
    except SmtpError as error:
        print(error.kind)
    client.shutdown()
