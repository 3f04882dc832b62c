"""The client for code without an event loop."""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import AuthResult

from mailer import Email, Login, Request, SmtpCancelledError, SmtpClient, SmtpMessageError, SyncSmtpClient, Wanted
from mailer.sink import Moods, SinkThread
from mailer.smtp.command import NOOP
from mailer.testing import Script
from tests.fakes.processes import free_port, wait_until

from .letters import QUICK, SHORT, mail


def test_it_does_what_the_other_one_does() -> None:
    """Send, send many, test, look, and end; more than once."""
    with SinkThread() as sink, SyncSmtpClient("127.0.0.1", sink.port, tls="none", retry=QUICK) as sending:
        assert sending.send(mail()).accepted == ("bob@example.net",)
        assert sending.send(b"Subject: x\n\nhi\n", sender="a@example.org", recipients=["b@example.net"]).accepted == ("b@example.net",)
        assert sending.send_batch([mail(), mail("550@example.net")]).succeeded == 1
        assert sending.test_connection().banner == "sink.localhost ESMTP"
        assert sending.ask(NOOP).code == 250
        assert sending.pool_status().in_use == 0
        with pytest.raises(SmtpMessageError):
            sending.send(mail("550@example.net"))
        assert repr(sending).startswith("<SyncSmtpClient 127.0.0.1:")
        assert sink.count == 3
    sending.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        sending.send(mail())
    assert not [thread for thread in threading.enumerate() if thread.name == "mailer-client"]


def test_what_is_asked_besides() -> None:
    """A request goes along as it does with the other one."""
    text = """
        S: 220 mx.example.com
        C: EHLO *
        S: 250-mx.example.com
        S: 250 DSN
        C: MAIL FROM:<anna@example.org> ENVID=42
        S: 250 ok
        C: RCPT TO:<bob@example.net> NOTIFY=NEVER
        S: 250 ok
        C: DATA
        S: 354 go
        MESSAGE
        S: 250 ok
    """
    with Script(text) as script, SyncSmtpClient("127.0.0.1", script.port, tls="none", retry=QUICK) as sending:
        assert sending.send(mail(), request=Request(envid="42", everybody=Wanted("NEVER"))).accepted == ("bob@example.net",)


def test_from_many_threads_at_once() -> None:
    """They share its connections."""
    with SinkThread(Moods(delays={"body": 0.01})) as sink, SyncSmtpClient("127.0.0.1", sink.port, tls="none") as sending:
        with ThreadPoolExecutor(10) as threads:
            results = list(threads.map(lambda number: sending.send(mail(f"user{number}@example.net")), range(40)))
        assert len(results) == sink.count == 40
        assert sending.pool_status().total <= 5


def test_shutdown_while_others_send() -> None:
    """What is under way finishes, what comes later is refused; nobody hangs."""
    with SinkThread(Moods(delays={"body": 0.05})) as sink:
        sending = SyncSmtpClient("127.0.0.1", sink.port, tls="none")

        def send() -> str:
            try:
                return str(len(sending.send(mail()).accepted))
            except (SmtpCancelledError, RuntimeError):
                return "refused"

        with ThreadPoolExecutor(10) as threads:
            results = [threads.submit(send) for _ in range(20)]
            sink.received(1)
            sending.shutdown()
            outcomes = [result.result(60) for result in results]
        assert set(outcomes) <= {"1", "refused"}
        assert outcomes.count("1") == sink.count


def test_an_interrupted_call_cancels_its_send() -> None:
    """Ctrl-C leaves no send behind that goes on in the other thread."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def under_way() -> None:
        wait_until("the send has its connection", lambda: sending.pool_status().in_use)
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with SinkThread(Moods(delays={"body": 3600})) as sink, SyncSmtpClient("127.0.0.1", sink.port, tls="none") as sending:
            watching = threading.Thread(target=under_way)
            watching.start()
            with pytest.raises(KeyboardInterrupt):
                sending.send(mail())
            watching.join()
            wait_until("the send is cancelled", lambda: sending.pool_status().in_use == 0)
    finally:
        signal.signal(signal.SIGALRM, before)


class Keep(MessageHandler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[email.message.Message] = []

    def handle_message(self, message: email.message.Message) -> None:
        """Keep it."""
        self.messages.append(message)


def test_a_server_that_others_have_written() -> None:
    """aiosmtpd takes what we send, with a login, and reads in it what we meant."""
    handler = Keep()

    def check(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"anna", b"s3cret"))  # type: ignore[attr-defined]

    controller = Controller(handler, hostname="127.0.0.1", port=0, authenticator=check, auth_require_tls=False, ready_timeout=60)
    controller.port = free_port()
    controller.start()
    try:
        login = Login("anna", lambda: "s3cret", allow_plain=True)

        async def run() -> None:
            async with SmtpClient("127.0.0.1", controller.port, tls="none", credentials=login, timeouts=SHORT) as sending:
                mails = [
                    Email(
                        from_="Jörg <anna@example.org>", to=f"user{number}@example.net", subject=f"Grüße {number}", text=".\n..\nFrom me\n"
                    ).attach(bytes(range(256)), "ä.bin")
                    for number in range(10)
                ]
                assert (await sending.send_batch(mails)).succeeded == 10

        asyncio.run(run())
    finally:
        controller.stop()
    read = [email.message_from_bytes(message.as_bytes(), policy=email.policy.default) for message in handler.messages]
    assert sorted(str(message["Subject"]) for message in read) == sorted(f"Grüße {number}" for number in range(10))
    assert all(next(message.iter_attachments()).get_content() == bytes(range(256)) for message in read)  # type: ignore[attr-defined]
    assert all(message.get_body().get_content() == ".\n..\nFrom me\n" for message in read)  # type: ignore[attr-defined]
