"""Sessions use mailboxes by threads, and hear of changes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from mailer.config.file import config_of
from mailer.mail.problem import Problem
from mailer.mailbox.api import Frozen, Mailbox
from mailer.mailbox.bell import BellListener
from mailer.mailbox.configured import mailboxes_of
from mailer.mailbox.fencing import fence
from mailer.serving.boxes import BoxUse, MailboxGone, News
from mailer.serving.threads import BoxThreads
from tests.mailbox.premises import ANN, Premises, number_of, put


async def heard_within(news: list[tuple[int, int]], many: int, seconds: float = 10.0) -> None:
    """Wait until so many news have come."""
    async with asyncio.timeout(seconds):
        while len(news) < many:
            await asyncio.sleep(0.001)


def used(test: Callable[[Premises, BoxUse], Awaitable[None]]) -> None:
    """Do `test` with the use of a mailbox."""

    async def scenario() -> None:
        premises = Premises()
        with BoxThreads() as threads:
            await test(premises, BoxUse(lambda: nullcontext(premises.boxes), ANN, threads))
        premises.boxes.close()

    asyncio.run(scenario())


def test_a_question_is_answered_in_a_thread() -> None:
    """The mailbox is made with the first one, and its owner is known from then on."""

    async def test(premises: Premises, use: BoxUse) -> None:
        assert "INBOX" in [folder.name for folder in await use.ask(lambda box: box.folders())]
        await use.ask(lambda box: put(box, "INBOX", 2))
        with premises.ann() as box:
            assert len(await use.ask(lambda box, folder: box.uids(folder), number_of(box, "INBOX"))) == 2
        assert await use.owner_id() == premises.owners.find([ANN])[0].id  # type: ignore[union-attr]

    used(test)


def test_a_mailbox_that_was_moved_is_found_where_it_is() -> None:
    """Who asks is told nothing of it; what goes wrong for good is told, and a mailbox that is frozen is not asked twice."""

    async def test(premises: Premises, use: BoxUse) -> None:
        await use.owner_id()
        asked = []

        def once_moved(box: Mailbox, error: Problem, times: int) -> int:
            asked.append(box)
            if len(asked) <= times:
                raise error
            return 7

        assert await use.ask(once_moved, Problem("it is not here any more", "try-again"), 1) == 7
        for error, times in ((Problem("x", "try-again"), 2), (Frozen("x"), 1), (Problem("x", "io-error"), 1)):
            asked.clear()
            with pytest.raises(Problem, match="x"):
                await use.ask(once_moved, error, 9)
            assert len(asked) == times
            await use.owner_id()

    used(test)


def test_a_mailbox_that_was_removed_is_never_another() -> None:
    """Also where its address has a new one: what a session says of the one is not done to the other."""

    async def test(premises: Premises, use: BoxUse) -> None:
        with premises.ann() as box:
            await use.ask(lambda box: put(box, "INBOX", 2))
            removed = premises.boxes.remove(ANN)
            fence(box.engine, removed.epoch + 1)
        with premises.ann() as box:
            put(box, "INBOX", 3)
        with pytest.raises(MailboxGone):
            await use.ask(lambda box: box.expunge(1, marked=False))
        with premises.ann() as box:
            assert len(box.uids(1)) == 3

    used(test)


def test_news_reach_who_listens() -> None:
    """Of his mailbox and no other, told together, from whatever thread; with nothing known, everybody is to ask."""

    async def scenario() -> None:
        news, ann, bob = News(asyncio.get_running_loop()), list[tuple[int, int]](), list[tuple[int, int]]()
        leave = news.listen("ann", lambda *said: ann.append(said))
        news.listen("bob", lambda *said: bob.append(said))

        def flood() -> None:
            for number in range(1000):
                news.told("ann", 1, number)
            news.told("nobody", 1, 1)

        flood()
        await heard_within(ann, 1)
        assert (ann, bob) == ([(1, 999)], [])
        await asyncio.to_thread(flood)
        await heard_within(ann, 2)
        assert ann[-1] == (1, 999)
        news.told("", 0, 0)
        await heard_within(bob, 1)
        assert (ann[-1], bob) == ((0, 0), [(0, 0)])
        leave()
        leave()
        many = len(ann)
        news.told("ann", 1, 5)
        news.told("bob", 1, 5)
        await heard_within(bob, 2)
        assert len(ann) == many

    asyncio.run(scenario())


CHANGER = """
import sys, time
from mailer.config.file import config_of
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
boxes = mailboxes_of(config_of("x", sys.argv[1].encode()))
with boxes.of("ann@example.com", make=True) as box:
    print("ready", flush=True)
    for line in sys.stdin:
        box.put([NewMail("INBOX", b"Subject: x\\r\\n\\r\\nx\\r\\n")])
        print(time.monotonic_ns(), flush=True)
boxes.close()
"""


def test_a_change_in_another_process_is_news_here(tmp_path: Path) -> None:
    """Whoever makes it, by whatever program of ours, and within a tenth of a second; one of this process within half of that."""
    text = f'[mailer]\nspool = "{tmp_path}/spool"\n[mailboxes]\npath = "{tmp_path}/mailboxes"\n'

    async def scenario() -> None:
        loop, said = asyncio.get_running_loop(), list[tuple[int, int]]()
        news = News(loop)
        listener = BellListener(f"{tmp_path}/mailboxes", news.told, loop)
        boxes = mailboxes_of(config_of("x", text.encode()), tell=news.told, own=listener.name)
        with (
            BoxThreads() as threads,
            subprocess.Popen([sys.executable, "-c", CHANGER, text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
        ):
            assert other.stdin is not None
            assert other.stdout is not None
            await asyncio.to_thread(other.stdout.readline)
            use = BoxUse(lambda: nullcontext(boxes), ANN, threads)
            news.listen(await use.owner_id(), lambda *each: said.append(each))
            waits = []
            for turn in range(10):
                other.stdin.write("\n")
                other.stdin.flush()
                done = int(await asyncio.to_thread(other.stdout.readline))
                await heard_within(said, turn + 1)
                waits.append((time.monotonic_ns() - done) / 1e9)
            assert sorted(waits)[5] < 0.1
            began = time.monotonic()
            await use.ask(put)
            await heard_within(said, 11)
            assert time.monotonic() - began < 1
            assert len(said) == 11  # once, and not by the bell as well
            other.stdin.close()
        boxes.close()
        listener.close()

    asyncio.run(scenario())
