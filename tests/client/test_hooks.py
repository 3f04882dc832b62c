"""Interceptors: what they may do before, and what they cannot do after."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from mailer import Email, ErrorKind, Interceptor, PoolSettings, SmtpError, SmtpMessageError
from mailer.sink import Sink
from tests.fakes import waiting

from .letters import client, mail


class Diary(Interceptor):
    """Writes down what it hears."""

    def __init__(self, name: str, lines: list[str]) -> None:
        self.name = name
        self.lines = lines

    async def before_send(self, mail: Any) -> Any:
        """Note it."""
        self.lines.append(f"{self.name} before {mail.subject}")
        return mail

    async def after_send(self, mail: Any, result: Any) -> None:
        """Note it."""
        self.lines.append(f"{self.name} after {mail.subject} {len(result.accepted)}")

    async def on_error(self, mail: Any, error: SmtpError) -> None:
        """Note it."""
        self.lines.append(f"{self.name} error {mail.subject} {error.kind}")


def test_they_hear_of_each_message() -> None:
    """In their order before it, in the reverse order after it or after its error."""

    async def run() -> None:
        lines: list[str] = []
        async with Sink() as sink, client(sink.port, interceptors=[Diary("a", lines), Diary("b", lines)]) as sending:
            await sending.send(mail())
            assert lines == ["a before hello", "b before hello", "b after hello 1", "a after hello 1"]
            lines.clear()
            with pytest.raises(SmtpMessageError):
                await sending.send(mail("550@example.net"))
            assert lines[2:] == ["b error hello invalid_recipient_address", "a error hello invalid_recipient_address"]

    waiting.run(run())


def test_they_hear_of_each_message_of_a_batch() -> None:
    """Before it is sent, also where one follows the other on one session."""

    async def run() -> None:
        lines: list[str] = []
        settings = PoolSettings(max_connections=1)
        async with Sink() as sink, client(sink.port, pool=settings, interceptors=[Diary("a", lines)]) as sending:
            await sending.send_batch([mail(subject=str(number)) for number in range(4)])
            assert lines == [f"a {when} {number}{end}" for number in range(4) for when, end in (("before", ""), ("after", " 1"))]

    waiting.run(run())


def test_they_may_change_a_message() -> None:
    """What the last one returns is sent."""

    class Stamp(Interceptor):
        async def before_send(self, mail: Any) -> Any:
            assert isinstance(mail, Email)
            return replace(mail, subject=f"[test] {mail.subject}").header("X-Stamp", "1")

    async def run() -> None:
        async with Sink() as sink, client(sink.port, interceptors=[Stamp(), Stamp()]) as sending:
            original = mail()
            await sending.send(original)
            assert b"Subject: [test] [test] hello\r\n" in sink.messages[0].content
            assert original.subject == "hello"

    waiting.run(run())


def test_they_may_refuse_a_message() -> None:
    """Then nothing is sent, and the others hear of the error."""

    class Never(Interceptor):
        async def before_send(self, mail: Any) -> Any:
            raise SmtpError(ErrorKind.MESSAGE, "not on a Sunday")

    async def run() -> None:
        lines: list[str] = []
        async with Sink() as sink, client(sink.port, interceptors=[Diary("a", lines), Never()]) as sending:
            with pytest.raises(SmtpMessageError, match="not on a Sunday"):
                await sending.send(mail())
            assert lines == ["a before hello", "a error hello message"]
            assert sink.count == 0

    waiting.run(run())


def test_what_they_raise_afterwards_changes_nothing() -> None:
    """The message is sent, or refused, all the same; the event loop's handler hears of the mistake."""

    class Broken(Interceptor):
        async def after_send(self, mail: Any, result: Any) -> None:
            raise ValueError("after")

        async def on_error(self, mail: Any, error: SmtpError) -> None:
            raise ValueError("error")

    async def run() -> None:
        heard: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(str(context["exception"])))
        async with Sink() as sink, client(sink.port, interceptors=[Broken()]) as sending:
            assert (await sending.send(mail())).accepted
            with pytest.raises(SmtpMessageError):
                await sending.send(mail("550@example.net"))
        assert heard == ["after", "error"]

    waiting.run(run())
