"""A door of IMAP on the loopback, in the test's own event loop, over mailboxes in memory or on the disk, and clients that call it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mailer.accounts.logins import digest_of
from mailer.accounts.password import key_pair, record
from mailer.accounts.sessions.memory import MemorySessions
from mailer.accounts.sessions.register import SessionRegister
from mailer.accounts.users.api import AppPassword, User
from mailer.accounts.users.memory import MemoryUsers
from mailer.events import Event
from mailer.imap.server import ImapSettings
from mailer.imapd.converse import converse
from mailer.imapd.handlers import HANDLERS
from mailer.imapd.session import Handler
from mailer.imapd.terms import ImapPace, ImapTerms
from mailer.limits.users import UserLimits
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from mailer.mailbox.owners.api import Owner
from mailer.net.listening import tcp_sockets
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop, streams
from mailer.net.stream import Stream
from mailer.serving.boxes import BoxUse, News
from mailer.serving.common import Common
from mailer.serving.login import LoginDesk
from mailer.serving.threads import BoxThreads
from tests.fakes import waiting
from tests.mailbox.premises import Premises

from .talking import ImapTalk

HOST = "127.0.0.1"
SECRET, PHONE = "correct-horse", "abcdefghjkmnpqrstuvw"
SALT = b"0123456789abcdef"
APPS = (AppPassword("phone", digest_of(PHONE), frozenset({"imap"}), key_pair(PHONE, SALT, 4096)),)
ANN = User("ann@example.com", record(SECRET, SALT, cost=4), key_pair(SECRET, SALT, 4096), SALT, 4096, APPS)
BOB = User("bob@example.com", record("battery staple", SALT, cost=4))


class ImapHouse:
    """The door, what it has told, and the mailboxes behind it, in files where `home` says so. `options` are of the accept loop."""

    def __init__(
        self,
        home: Path | None = None,
        *,
        settings: ImapSettings | None = None,
        users: tuple[User, ...] = (ANN, BOB),
        pace: ImapPace | None = None,
        context: ssl.SSLContext | None = None,
        implicit: bool = False,
        handlers: Mapping[type, Handler] = HANDLERS,
        common: Common | None = None,
        **options: Any,
    ) -> None:
        self.premises = Premises() if home is None else in_files(home)
        self.told: list[Event] = []
        self.common = common or Common()
        self.sessions = MemorySessions()
        self.register = SessionRegister(self.sessions, "test", lambda: self.premises.now, self.told.append)
        self.limits = UserLimits.of(100, 1000, 0, 0, secret=b"a secret")
        self.desk = LoginDesk(MemoryUsers([*users]), self.limits, self.told.append, lambda: self.premises.now, self._sleep, self.register)
        self._settings = settings
        self._pace = pace or ImapPace()
        self._context = context
        self._implicit = implicit
        self._handlers = handlers
        self._options = options
        self._stack = AsyncExitStack()

    async def _sleep(self, _: float) -> None:
        return

    async def __aenter__(self) -> Self:
        news = News(asyncio.get_running_loop())
        self.premises.boxes.close()
        self.premises.boxes = self.premises.another(tell=news.told)
        self._threads = BoxThreads()
        self.terms = ImapTerms(self.desk, self._hold, news, self.told.append, lambda: self.premises.now, self._pace)
        settings = self._settings or ImapSettings("mail.example.com", known=self.desk.known(b"", "imap"), clear_auth=True)

        async def serve(stream: Stream, peer: Peer) -> None:
            await converse(stream, peer, settings, self.terms, self._handlers, self.loop, self._context, self.common)

        context = self._context if self._implicit else None
        self.loop = AcceptLoop(streams(serve, context, handshakes=self.common.handshakes), bug=self._bug, **self._options)
        self.loop.listen(*await tcp_sockets(HOST, 0))
        self.port = self.loop.port
        return self

    def _bug(self, error: Exception) -> None:
        raise error

    @staticmethod
    async def nothing() -> None:
        """Let all others have their turn."""
        await asyncio.sleep(0.01)

    def _hold(self, address: str) -> BoxUse:
        return BoxUse(lambda: nullcontext(self.premises.boxes), address, self._threads)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()
        await self.loop.close()
        await self.desk.close()
        self._threads.shutdown()
        self.premises.boxes.close()
        assert self.common.room.taken == 0

    async def client(self, user: str = "ann@example.com", password: str = SECRET, *, greeted: bool = True, **options: Any) -> ImapTalk:
        """A client that has logged in, unless `user` is empty."""
        talk = ImapTalk(*await asyncio.open_connection(HOST, self.port, **options))
        self._stack.callback(talk.leave)
        if greeted:
            assert (await talk.hear()).startswith("* OK ")
        if user:
            await talk.ok(f'LOGIN {user} "{password}"')
        return talk

    async def selected(self, folder: str = "INBOX", *more: str) -> ImapTalk:
        """A client that has said `more`, and has opened a folder."""
        talk = await self.client()
        for each in more:
            await talk.ok(each)
        await talk.ok(f"SELECT {folder}")
        return talk


def in_files(home: Path) -> Premises:
    """Mailboxes in files."""
    layout = Layout(str(home / "mailboxes"))

    def engine(owner: Owner) -> Engine:
        layout.have(layout.home(owner.id))
        return SqliteEngine(layout.index(owner.id))

    return Premises(engine, FileBodies(layout))


def in_house(test: Callable[[ImapHouse], Awaitable[None]], home: Path | None = None, **options: Any) -> None:
    """Run `test` with a house; time passes only while nobody has anything to do."""

    async def run() -> None:
        async with asyncio.timeout(1e6), ImapHouse(home, **options) as house:
            await test(house)

    waiting.run(run())
