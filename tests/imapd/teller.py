"""A session that has selected a folder, without a connection: it asks a mailbox, and keeps what is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from mailer.accounts.users.api import User
from mailer.events import Event
from mailer.imap.answer import Answer
from mailer.imap.fetching import parse_fetch
from mailer.imap.lexer import Tokens
from mailer.imap.server import ImapServer, ImapSettings
from mailer.imap.view import FolderView
from mailer.imapd.fetching import fetch
from mailer.imapd.session import ImapSession
from mailer.mailbox.box import OwnMailbox


class Teller(ImapSession):
    """The session of whoever has selected the inbox of `box`, with what was enabled."""

    __slots__ = ("alarms", "keeps", "largest", "mailbox", "said", "turns")

    def __init__(self, box: OwnMailbox, *enabled: str, readonly: bool = False) -> None:
        folder = box.folder("INBOX")
        assert folder is not None
        self.mailbox = box
        self.alarms: list[Event] = []
        self.said: list[bytes] = []
        self.keeps = True  # what was said, and not only how much
        self.largest = self.turns = 0  # octets that were said before others had their turn, and how often they had it
        terms = SimpleNamespace(tell=self.alarms.append, now=lambda: 0.0)
        super().__init__(cast("Any", None), ImapServer(ImapSettings()), cast("Any", terms))
        self.machine.enabled.update(enabled)
        uids, known = box.uids(folder.id), {word for entry in box.entries(folder.id) for word in entry.keywords}
        self.open_folder(FolderView(folder.id, folder.name, folder.uidvalidity, uids, folder.modseq, readonly), known)

    @property
    def user(self) -> User:
        """Who has logged in."""
        return User(self.mailbox.owner.address, "")

    async def ask(self, function: Callable[..., Any], *args: object) -> Any:
        """What `function` says of the mailbox."""
        return function(self.mailbox, *args)

    async def flow(self) -> None:
        """Keep what was said, as if it was read."""
        said = self.machine.take()
        self.turns += 1
        self.largest = max(self.largest, len(said))
        if self.keeps:
            self.said.append(said)

    def fetch(self, said: bytes, *, uid: bool = False) -> tuple[bytes, Answer]:
        """All that is said to FETCH, and the answer."""
        self.said.clear()
        answer = asyncio.run(fetch(self, parse_fetch(Tokens([b" " + said]), uid)))
        return b"".join([*self.said, self.machine.take()]), answer

    def told(self, said: bytes, *, uid: bool = False) -> bytes:
        """All that is said, where the answer is OK."""
        octets, answer = self.fetch(said, uid=uid)
        assert answer.kind == "OK", answer
        return octets
