"""The API as its clients have it, in the process of a test: the application over a spool and a file of keys of its own, without sockets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx

from mailer.config.file import config_of
from mailer.io.clock import SystemClock
from mailer.mail.envelope import Envelope
from mailer.operate.api_keys import KeyTerms, add, keys_of
from mailer.spool.files.store import SpoolDirectory
from mailer.web.app import application
from mailer.web.asked import WebRequest
from mailer.web.desk import Desk

MAIL: dict[str, Any] = {
    "from_address": "shop@example.com",
    "to_addresses": ["anna@example.net"],
    "subject": "Your order",
    "body_plain": "It is on its way.",
}
EVERYTHING = ("send", "status", "manage")


class Api:
    """The API of the spool below `home`; `more` of the configuration, which is ``[submission]`` at its beginning."""

    def __init__(self, home: Path, more: str = "") -> None:
        text = f'[mailer]\nhostname = "mail.example.com"\nspool = "{home}/spool"\n[submission]\n{more}\n'
        self.config = config_of(f"{home}/config.toml", text.encode())
        self.spool = SpoolDirectory(f"{home}/spool")
        self.spool.prepare()
        self.keys = keys_of(self.config)
        self.clock = SystemClock()
        self.told: list[WebRequest] = []
        self.desk = Desk(self.config, self.clock)
        self.app = application(self.desk, self.told.append)
        self.shop = self.key("shop", *EVERYTHING)

    def key(self, name: str, *scopes: str, **terms: Any) -> str:
        """A new key."""
        made = asyncio.run(add(self.keys, name, KeyTerms(scopes or ("send", "status"), **terms), self.clock.now()))
        return made.key

    def ask(self, method: str, path: str, key: str | None = "", *, client: str = "127.0.0.1", **more: Any) -> httpx.Response:
        """The answer to a request with `key`: that of the shop, unless another is given, and none for None."""
        return asyncio.run(self.asked(method, path, key, client=client, **more))

    async def asked(self, method: str, path: str, key: str | None = "", *, client: str = "127.0.0.1", **more: Any) -> httpx.Response:
        """As `ask`, for several at a time."""
        headers = httpx.Headers(more.pop("headers", {}))
        if key is not None:
            headers.setdefault("Authorization", f"Bearer {key or self.shop}")
        way = httpx.ASGITransport(self.app, client=(client, 1))
        async with httpx.AsyncClient(transport=way, base_url="http://localhost") as caller:
            return await caller.request(method, path, headers=headers, **more)

    def send(self, key: str | None = "", *, fields: dict[str, str] | None = None, **members: Any) -> httpx.Response:
        """Hand in `MAIL` with other members; those that are ... are left out."""
        payload = {name: value for name, value in {**MAIL, **members}.items() if value is not ...}
        return self.ask("POST", "/send_email", key, json=payload, headers=fields or {})

    def sent(self, **members: Any) -> str:
        """The ID of a message that was taken."""
        answer = self.send(**members)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def posted(self, data: bytes, kind: str = "application/json", path: str = "/send_email", **more: Any) -> httpx.Response:
        """The answer to octets."""
        return self.ask("POST", path, content=data, headers={"Content-Type": kind}, **more)

    @property
    def ids(self) -> list[str]:
        """What lies in ``queued/``; nothing lies in ``tmp/``."""
        assert list(Path(self.spool.place).glob("tmp/*")) == []
        return sorted(self.spool.ids("queued"))

    def envelope(self, id: str) -> Envelope:
        """The envelope of a message in the spool."""
        return self.spool.read(id).envelope

    def content(self, id: str) -> bytes:
        """The message, as it lies in the spool."""
        return self.spool.content(id)

    def close(self) -> None:
        """End the threads."""
        self.desk.close()


def refused(answer: httpx.Response, status: int, code: str, *words: str, member: str = "") -> str:
    """How a request is refused: with this status, code and member, and words of the sentence, which is returned."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"] == code, error
    assert error.get("member", "") == member, error
    assert all(word in error["message"] for word in words), error
    assert "\n" not in error["message"]
    message: str = error["message"]
    return message


def lines_of(answer: httpx.Response) -> list[Any]:
    """The documents of an answer in NDJSON."""
    return [json.loads(line) for line in answer.text.splitlines()]
