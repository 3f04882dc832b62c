"""Mailbox servers by script: what each command is answered with, honest or not, over loopback in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from mailer.reports.api import Reports
from mailer.reports.memory import MemoryReports
from mailer.reports.sources import MailboxLogin, MailboxServer, ReportTaker
from mailer.tlspolicy import Requirement

NDR = (
    b"From: MAILER-DAEMON@mx.example.net\r\nTo: bounces+%s@example.com\r\nSubject: failed\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nfailed\r\n--b\r\n"
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"
    b"Final-Recipient: rfc822; ann@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
)
LETTER = b"From: mum@example.org\r\nTo: me@example.com\r\nSubject: hello\r\n\r\nHow are you?\r\n"


def ndr(number: int) -> bytes:
    """A bounce like no other."""
    return NDR % b"%d" % number


def server(port: int, mode: str = "none", ca_file: str = "", seconds: float = 20.0, secret: str = "word") -> MailboxServer:
    """The server at `port` of this machine."""
    login = MailboxLogin("me", lambda: secret)
    return MailboxServer("localhost", port, Requirement(mode, mode != "none", ca_file), login, seconds, mode == "none")


def taker(reports: Reports | None = None, *, only_reports: bool = True) -> ReportTaker:
    """Takes into `reports`, or into memory, what came to bounces@example.com."""
    return ReportTaker(reports or MemoryReports(), "box", "bounces@example.com", lambda: 1_700_000_000.0, only_reports=only_reports)


def taken(who: ReportTaker) -> list[bytes]:
    """What it took, sorted."""
    assert isinstance(who.reports, MemoryReports)
    return sorted(who.reports._contents.values())


@contextlib.asynccontextmanager
async def listening(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> AsyncIterator[int]:
    """A server whose connections `serve` has; its port. A client that hangs up is no error."""
    tasks = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        try:
            await serve(reader, writer)  # type: ignore[misc]
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    made = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()
        for task in [*tasks]:
            if task is not None:
                task.cancel()
        await asyncio.sleep(0)


class FakeImap:
    """An IMAP server with one folder: messages by UID, and what happened to them.

    `odd` may answer a command in its own way: it is given the command without its tag, and returns octets in which ``TAG`` stands for that,
    or None.
    """

    def __init__(
        self, messages: dict[int, bytes], *, capabilities: str = "IMAP4rev1 AUTH=PLAIN UIDPLUS MOVE", keywords: bool = True
    ) -> None:
        self.messages = dict(messages)
        self.capabilities = capabilities
        self.keywords = keywords
        self.flags: dict[int, set[str]] = {}
        self.moved: dict[int, bytes] = {}
        self.folders: set[str] = set()
        self.said: list[str] = []
        self.uidvalidity = 7
        self.greeting = b"* OK hello\r\n"
        self.odd: Callable[[str], bytes | None] = lambda _: None
        self.breaks = False  # whether the session ends behind an odd answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        writer.write(self.greeting)
        while line := await reader.readline():
            tag, _, command = line.decode().rstrip("\r\n").partition(" ")
            self.said.append(command)
            if (odd := self.odd(command)) is not None:
                writer.write(odd.replace(b"TAG", tag.encode()))
                await writer.drain()
                if self.breaks:
                    return
                continue
            if command.startswith("AUTHENTICATE"):
                writer.write(b"+ \r\n")
                self.said.append((await reader.readline()).decode())
            writer.write(self.answer(command) + f"{tag} OK done\r\n".encode())
            await writer.drain()
            if command == "LOGOUT":
                return

    def answer(self, command: str) -> bytes:
        """What comes before the OK."""
        words = command.split(" ")
        if words[0] == "CAPABILITY":
            return f"* CAPABILITY {self.capabilities}\r\n".encode()
        if words[0] in ("SELECT", "EXAMINE"):
            star = r" \*" if self.keywords else ""
            return (
                f"* {len(self.messages)} EXISTS\r\n* OK [UIDVALIDITY {self.uidvalidity}] x\r\n* OK [PERMANENTFLAGS (\\Deleted{star})] x\r\n"
            ).encode()
        if words[0] == "CREATE":
            self.folders.add(words[1])
        if words[:2] == ["UID", "SEARCH"]:
            hidden = {uid for uid, flags in self.flags.items() if r"\Deleted" in flags or ("UNKEYWORD" in words and "$MailerSeen" in flags)}
            low = int(words[words.index("UID", 1) + 1].partition(":")[0]) if "UID" in words[2:] else 0
            found = [uid for uid in sorted(self.messages) if uid not in hidden and uid >= min(low, max(self.messages))]
            return f"* SEARCH {' '.join(map(str, found))}\r\n".encode()
        if words[:2] == ["UID", "FETCH"]:
            return b"".join(self.fetched(int(uid), "SIZE" in command) for uid in words[2].split(",") if int(uid) in self.messages)
        if words[:2] == ["UID", "STORE"]:
            for uid in words[2].split(","):
                self.flags.setdefault(int(uid), set()).add(words[4].strip("()"))
        if words[:2] == ["UID", "EXPUNGE"]:
            for uid in words[2].split(","):
                assert r"\Deleted" in self.flags[int(uid)]
                self.messages.pop(int(uid), None)
        if words[:2] in (["UID", "MOVE"], ["UID", "COPY"]):
            for uid in words[2].split(","):
                self.moved[int(uid)] = self.messages[int(uid)]
                if words[1] == "MOVE":
                    del self.messages[int(uid)]
        return b""

    def fetched(self, uid: int, size: bool) -> bytes:
        """A message, or its size."""
        content = self.messages[uid]
        if size:
            return b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % (uid, uid, len(content))
        return b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, uid, len(content), content)


class FakePop3:
    """A POP3 server: messages by number, and what was deleted when the session said QUIT. `odd` as for `FakeImap`."""

    def __init__(self, messages: list[bytes], capabilities: str = "UIDL\r\nUSER\r\n") -> None:
        self.messages = {f"uid-{number}": content for number, content in enumerate(messages, 1)}
        self.capabilities = capabilities
        self.said: list[str] = []
        self.odd: Callable[[str], bytes | None] = lambda _: None
        self.greeting = b"+OK hello\r\n"
        self.breaks_at = ""  # the command that the session ends at

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session."""
        writer.write(self.greeting)
        names = [*self.messages]
        marked: set[str] = set()
        while line := await reader.readline():
            command = line.decode().rstrip("\r\n")
            self.said.append(command)
            if command == self.breaks_at:
                return
            odd = self.odd(command)
            writer.write(odd if odd is not None else self.answer(command, names, marked))
            await writer.drain()
            if command == "QUIT" and odd is None:
                for name in marked:
                    self.messages.pop(name, None)
                return

    def answer(self, command: str, names: list[str], marked: set[str]) -> bytes:
        """The whole answer."""
        verb, _, rest = command.partition(" ")
        if verb == "CAPA":
            return f"+OK\r\n{self.capabilities}.\r\n".encode()
        if verb == "STAT":
            return b"+OK %d 1000\r\n" % len(names)
        if verb == "LIST":
            return b"+OK\r\n" + b"".join(b"%d %d\r\n" % (at, len(self.messages[name])) for at, name in enumerate(names, 1)) + b".\r\n"
        if verb == "UIDL":
            return b"+OK\r\n" + b"".join(b"%d %s\r\n" % (at, name.encode()) for at, name in enumerate(names, 1)) + b".\r\n"
        if verb == "RETR":
            content = self.messages[names[int(rest) - 1]]
            return b"+OK\r\n" + content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        if verb == "DELE":
            marked.add(names[int(rest) - 1])
        return b"+OK\r\n"


def make_maildir(path: Path, *contents: bytes) -> Path:
    """A Maildir with these messages, new."""
    for name in ("new", "cur", "tmp"):
        (path / name).mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents):
        (path / "new" / f"{number}.host").write_bytes(content)
    return path
