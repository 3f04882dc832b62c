"""Our own people write to addresses of ours: a mailbox gets it, an alias leads on in a message of its own, nobody is told of."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.accounts.residents import Residents
from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from mailer.events import Tried
from mailer.mail.envelope import Recipient
from mailer.mail.outcome import Cause, Outcome
from mailer.mail.problem import Problem
from mailer.queue.residing import ResidentMail
from tests.fakes.mail import BODY

from .post import DAY, Post, on_both, play
from .test_passing import bring

CONFIG = """
[mailer]
hostname = "mx.example.com"
spool = "/srv/spool"
[[domain]]
name = "example.com"
via = "maildir:/srv/{{domain}}/{{user}}"
aliases_file = "{aliases}"
"""
ALIASES = """
root: ann
sales: ann, bob, carl@example.net
ann: ann, ann@example.net
gone: /dev/null
"""


class FailingUsers(MemoryUsers):
    """Users that cannot be asked while there is `trouble`."""

    trouble = ""

    async def find(self, addresses: object) -> object:  # type: ignore[override]
        if self.trouble:
            raise Problem(self.trouble, "io-error")
        return await super().find(addresses)  # type: ignore[arg-type]


@pytest.fixture
def users() -> FailingUsers:
    return FailingUsers([User("ann@example.com"), User("bob@example.com")])


@pytest.fixture
def post(post: Post, users: FailingUsers, tmp_path: Path) -> Post:
    """A post office that knows who lives at example.com."""
    aliases = tmp_path / "aliases"
    aliases.write_text(ALIASES)
    config = config_of("c.toml", CONFIG.format(aliases=aliases).encode())
    residents = Residents(config, users, post._tell, post.clock)
    asyncio.run(residents.refresh())
    residing = ResidentMail(post.manager.current, post.manager.settler, residents)
    post.manager.residing = post.manager.loader.residing = residing
    return post


def outcomes(post: Post, id: str) -> list[Outcome]:
    """What became of the recipients of a message."""
    return [each for event in post.events if isinstance(event, Tried) and event.entry.id == id for each in event.outcomes]


def got(post: Post) -> list[str]:
    """Who has got something."""
    return sorted(to for _, people in post.courier.tried for to in people)


@on_both
def test_a_mailbox_gets_it_and_an_alias_leads_on(post: Post) -> None:
    """Everybody it stands for has it once, from whom it is, as it is; who is named beside it, too."""

    async def scenario() -> None:
        async with post.running():
            id = post.put("bob@example.com", "sales@example.com", "eve@example.org", sender="me@example.com")
            await post.settled(id, None)
            await post.until("all have it", lambda: len(got(post)) == 6)
            [alias] = [each for each in outcomes(post, id) if each.to == 1]
            assert (alias.verdict, alias.reply[:9]) == ("delivered", "250 2.0.0")
            assert "an alias leads on, with the message " in alias.text

    play(scenario())
    people = ["ann@example.com", "ann@example.net", "bob@example.com", "bob@example.com", "carl@example.net", "eve@example.org"]
    assert got(post) == people
    assert {*post.courier.senders} == {"me@example.com"}
    assert {*post.courier.contents} == {BODY}


def test_an_alias_that_names_itself_ends_there(post: Post) -> None:
    """Its own mailbox beside others; one that names somebody of that kind stops at him."""

    async def scenario() -> None:
        async with post.running():
            for to in ("ann@example.com", "root@example.com"):
                await post.settled(post.put(to), None)
            await post.until("all have it", lambda: len(got(post)) == 4 and not post.scheduler.active)

    play(scenario())
    assert got(post) == ["ann@example.com", "ann@example.com", "ann@example.net", "ann@example.net"]


def test_nobody_is_told_to_the_sender(post: Post) -> None:
    """As a host would have said it; a tag makes nobody somebody else, and /dev/null is somebody."""

    async def scenario() -> None:
        async with post.running():
            id = post.put("eve@example.com", "bob+x@example.com", "gone@example.com", sender="me@example.org")
            await post.settled(id, "failed")
            await post.until("the report has left", lambda: "me@example.org" in got(post))
            [refused] = [each for each in outcomes(post, id) if each.verdict == "fail"]
            assert (refused.to, refused.reply, refused.cause) == (0, "550 5.1.1 nobody of that name lives here", Cause.NO_MAILBOX)

    play(scenario())
    assert [to for to in got(post) if to.endswith("example.com")] == ["bob+x@example.com"]


def test_where_nobody_can_say_it_waits(post: Post, users: FailingUsers) -> None:
    """However long: it is our trouble, and it is asked again."""
    users.trouble = "the users cannot be read"

    async def scenario() -> None:
        async with post.running():
            id = post.put("ann@example.com", "eve@example.org", at=post.clock.now() - 9 * DAY)
            await post.settled(id, "deferred")
            [waits] = [each for each in outcomes(post, id) if each.to == 0]
            assert (waits.verdict, waits.scope, waits.code) == ("defer", "us", 451)
            users.trouble = ""
            post.advance(121)
            await post.settled(id, None)

    play(scenario())
    assert {*got(post)} == {"ann@example.com", "ann@example.net", "eve@example.org"}


def test_what_is_written_again_after_a_crash_is_written_once(post: Post) -> None:
    """The message to those whom an alias stands for has the same ID, however often it is made."""

    async def scenario() -> None:
        async with post.running():
            post.courier.gates["example.net"] = asyncio.Event()
            ids = [post.put("ann@example.com", id="01JD6Q4Z8K0123456789ABCDEF")]
            await post.settled(ids[0], None)
            ids.append(post.put("ann@example.com", id="01JD6Q4Z8K0123456789ABCDEF"))  # as if nothing had been recorded
            await post.settled(ids[1], None)
            post.courier.gates["example.net"].set()
            await post.until("all have it", lambda: not post.scheduler.active and not post.spool.ids("queued"))

    play(scenario())
    assert got(post) == ["ann@example.com", "ann@example.net"]


def test_strangers_mail_was_looked_at_when_it_came(post: Post) -> None:
    """Nobody is asked again, and no alias is followed twice."""

    async def scenario() -> None:
        async with post.running():
            await post.settled(bring(post, Recipient("sales@example.com")), None)

    play(scenario())
    assert got(post) == ["sales@example.com"]
