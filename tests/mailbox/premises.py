"""Mailboxes for a test: a clock that is set, what was told, and messages to put."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mailer.mail.flags import PLAIN, Flag
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.api import Bodies
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.mailboxes import Mailboxes
from mailer.mailbox.owners.api import Owner
from mailer.mailbox.owners.memory import MemoryOwners

NOW = 1_796_127_000.0
DAY = 86400.0
ANN = "ann@example.com"


class Premises:
    """`Mailboxes` with owners in memory, at the time `now`; each engine is made by `engine` once, and kept as on a disk."""

    def __init__(self, engine: Callable[[Owner], Engine] | None = None, bodies: Bodies | None = None, **more: object) -> None:
        self.now = NOW
        self.told: list[tuple[str, int, int]] = []
        self.judged: list[tuple[str, str, str]] = []
        self.owners = MemoryOwners()
        self.bodies = bodies or MemoryBodies(lambda: self.now)
        self._engines: dict[str, Engine] = {}
        self._engine = engine or (lambda owner: self._engines.setdefault(owner.id, MemoryEngine(owner.number)))
        self._more = more
        self.encrypted = "opener" in more
        self.boxes = self.another()

    def another(self, **more: object) -> Mailboxes:
        """The same mailboxes, as another process has them."""
        return Mailboxes(
            self.owners,
            self._engine,
            self.bodies,
            clock=lambda: self.now,
            judged=lambda *news: self.judged.append(news),
            **({"tell": lambda *news: self.told.append(news)} | self._more | more),  # type: ignore[arg-type]
        )

    @contextmanager
    def ann(self) -> Iterator[OwnMailbox]:
        """Her mailbox, which is made."""
        with self.boxes.of(ANN, make=True) as box:
            yield box


def message(subject: str = "hello", *, id: str = "", answers: str = "", text: str = "Some words.") -> bytes:
    """A message with CRLF line ends."""
    fields = ["From: Bob <bob@example.net>", "To: ann@example.com", f"Subject: {subject}", "Date: Tue, 1 Dec 2026 10:00:00 +0100"]
    fields += [f"Message-ID: <{id}>"] if id else []
    fields += [f"References: {' '.join(f'<{each}>' for each in answers.split())}"] if answers else []
    return "\r\n".join([*fields, "", text, ""]).encode()


def put(box: OwnMailbox, folder: str = "INBOX", many: int = 1, flags: Flag = PLAIN, **more: object) -> list[str]:
    """So many messages in a folder; their IDs."""
    news = [NewMail(folder, message(f"number {number}"), flags=flags, **more) for number in range(many)]  # type: ignore[arg-type]
    return [each.mail for each in box.put(news)]


def told(box: OwnMailbox) -> None:
    """Have all messages told as recent to somebody, so that none is any more."""
    for folder in box.folders():
        box.claim(folder.id, folder.uidnext)


def number_of(box: OwnMailbox, name: str) -> int:
    """The number of a folder."""
    folder = box.folder(name)
    assert folder is not None
    return folder.id


def uids(box: OwnMailbox, name: str) -> list[int]:
    """The UIDs in a folder."""
    return list(box.uids(number_of(box, name)))
