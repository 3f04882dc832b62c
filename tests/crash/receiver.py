"""A message of a stranger between the dot and its answer, for `injected.py` to interrupt.

    python -B receiver.py SIZE ROOT

Says what the client hears: the answer to the message. What goes to threads elsewhere is done in the one that there is, for the calls of
each are counted apart.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.accounts.residents import Residents
from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.io.clock import SystemClock
from mailer.net.peer import Peer
from mailer.reports.memory import MemoryReports
from mailer.smtp.server import Server
from mailer.smtpd import reception as room
from mailer.smtpd.mx import StrangerDoorKind
from mailer.smtpd.reception import Reception
from mailer.smtpd.reports import ReportDoorKind
from mailer.submit import tray
from tests.crash.injected import BEGIN, END
from tests.crash.victim import BODY

DOMAIN = '[mailer]\nhostname = "mx.example.com"\nspool = "{root}"\n[[domain]]\nname = "example.com"\nvia = "maildir:{root}/mail/{{user}}"\n'
DOOR = '[[listen]]\nkind = "mx"\naddress = "127.0.0.1:2525"\n'
BEFORE = b"EHLO me\r\nMAIL FROM:<me@example.com>\r\nRCPT TO:<ann@example.com>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"


class Here(Executor):
    """Threads that are none."""

    def __init__(self, *_: object) -> None:
        """However many are wanted."""

    def submit(self, act: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        """Do it at once."""
        done: Future[Any] = Future()
        done.set_result(act(*given, **named))
        return done


async def _here(act: Callable[..., Any], *given: Any) -> Any:
    return act(*given)


async def answered(server: Server, policy: Any, data: bytes) -> str:
    """The last line of what is said to `data`."""
    server.feed(data)
    while (question := server.next()) is not None:
        server.answer(await policy.answer(question))
    return server.take().decode().splitlines()[-1]


async def main(size: int, root: str) -> None:
    """Answer all that comes before the message, and then the message between the marks."""
    config = config_of("", (DOMAIN.format(root=root) + DOOR).encode())
    clock, told = SystemClock(), list[object]()
    residents = Residents(config, MemoryUsers([User("ann@example.com"), User("bob@example.com")]), told.append, clock)
    counter = ReportDoorKind(config, MemoryReports(), told.append, clock, lambda: None).counter
    kind = StrangerDoorKind("mx", reception := Reception(config, residents, counter, told.append, clock))
    [section] = config.listens
    server = Server(kind.settings(config, section))
    policy = kind.policy(section, "here", Peer("192.0.2.1"), SimpleNamespace(tls_version=""))  # type: ignore[arg-type]
    first = await answered(server, policy, BEFORE)
    assert first.startswith("354"), first
    os.access(BEGIN, os.F_OK)
    said = await answered(server, policy, b"A: b\r\n\r\n" + b"x" * size + b"\r\n" + BODY + b".\r\n")
    os.write(1, said.encode())
    os.access(END, os.F_OK)
    await reception.close()


if __name__ == "__main__":
    tray.ThreadPoolExecutor = Here  # type: ignore[misc, assignment]
    room.asyncio.to_thread = _here  # type: ignore[assignment]
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
