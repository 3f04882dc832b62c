"""A sink with its page, on free ports; and mail for it."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from mailer.sink import Sink
from mailer.sink.page import SinkPage
from mailer.sink.server import LoopThread


class Served:
    """A sink and its page."""

    def __init__(self, maildir: Path) -> None:
        self.loop = LoopThread("page")
        self.loop.run(self._start(str(maildir)))

    async def _start(self, maildir: str) -> None:
        self.sink = Sink(maildir=maildir, keep=False, told=lambda _: self.page.changed())
        await self.sink.start()
        self.page = SinkPage(maildir, "127.0.0.1", 0, f"127.0.0.1:{self.sink.port}")
        await self.page.start()

    async def _stop(self) -> None:
        await self.page.close()
        await self.sink.close()

    def close(self) -> None:
        self.loop.run(self._stop())
        self.loop.close()

    def send(self, message: EmailMessage | bytes, sender: str = "me@example.com", *recipients: str) -> None:
        content = message if isinstance(message, bytes) else message.as_bytes(policy=SMTP)
        with smtplib.SMTP("127.0.0.1", self.sink.port, timeout=60) as client:
            client.sendmail(sender, recipients or ["you@example.net"], content)

    def ask(self, path: str, method: str = "GET", **header: str) -> tuple[HTTPResponse, str]:
        """One request; redirects are not followed."""
        connection = HTTPConnection(self.page.url.removeprefix("http://").rstrip("/"), timeout=60)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in header.items()})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        return answer, text

    def page_of(self, path: str = "/") -> str:
        answer, text = self.ask(path)
        assert answer.status == 200
        return text

    def listed(self, words: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.page_of(f"/api/messages?q={words}"))
        return found


def letter(subject: str = "hello", text: str = "hi\n", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Anna Müller <anna@example.com>"
    message["To"] = "you@example.net"
    message["Subject"] = subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    return message


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The page of what came, over an empty directory."""
    made = Served(tmp_path / "mail")
    try:
        yield made
    finally:
        made.close()
