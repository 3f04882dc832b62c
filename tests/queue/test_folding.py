"""Folding in the queue: the first goes, the others become one message, and each of them says into which; a crash loses none."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailer.config.sections import Sandbox
from mailer.config.sections.daemon import Fold
from mailer.mail.message import Message
from mailer.queue import digest
from mailer.queue.digest import Folded, digest_id
from mailer.queue.folding import GRACE
from mailer.routing.resolve import Router
from mailer.routing.sandbox import Diversion
from mailer.spool.api import at_once

from .post import Post, on_both, play

WINDOW = 600.0
FOLD = Fold(window=WINDOW, senders=("cron@*",), most=1000, enclosed=2)
CRON = {"sender": "cron@example.com", "submitter": {"uid": 33, "principal": "unix:33"}}


def body(nth: int, subject: bytes = b"Backup %d failed") -> bytes:
    return b"From: cron@example.com\r\nTo: a@a.example\r\nSubject: " + subject % nth + b"\r\n\r\nLine %d\r\n" % nth


def put(post: Post, nth: int, **more: Any) -> str:
    """A message of a program, about something that has a number."""
    return post.put("a@a.example", **{"body": body(nth), "subject": f"Backup {nth} failed", **CRON, **more})


def read(content: bytes) -> EmailMessage:
    found = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def reasons(post: Post, ids: list[str]) -> set[str]:
    """What the records of these messages say in the end."""
    found = [post.spool.read(id) for id in ids]
    assert {(entry.state, entry.status) for entry in found} == {("failed", "cancelled")}
    return {entry.history.last[0].text for entry in found}


async def gathered(post: Post, many: int, **more: Any) -> list[str]:
    """So many equal messages, of which all but the first wait to be folded."""
    ids = [put(post, nth, **more) for nth in range(many)]
    for id in ids[1:]:
        await post.settled(id, "deferred")
    return ids


async def until_folded(post: Post, ids: list[str], seconds: float = WINDOW + 1) -> None:
    """The window is over, and what waited is folded."""
    for id in ids:
        await post.settled(id, "deferred")
    post.advance(seconds)
    post.manager.folding.look(post.clock.now())
    for id in ids:
        await post.settled(id, "failed")


@on_both
def test_equal_mail_becomes_one_message(post: Post) -> None:
    """The first at once, as it is; then one with how many, the first two and the last two; what is not equal is not touched."""
    post.manager.folding.change(FOLD)

    async def scenario() -> None:
        async with post.running():
            ids = [put(post, nth) for nth in range(8)]
            others = [
                put(post, 1, subject="Backup of web failed"),
                put(post, 1, sender="ann@example.com"),
                put(post, 1, submitter={"uid": 34, "principal": "unix:34"}),
                put(post, 1, options={"notify": "SUCCESS"}),
                put(post, 1, sender=""),
                post.put("b@a.example", subject="Backup 9 failed", **CRON),
            ]
            for id in [ids[0], *others]:
                await post.settled(id, None)
            assert "waits" not in str(post.spool.read(ids[1]).history.last[0].cause)
            await until_folded(post, ids[1:])
            [reason] = reasons(post, ids[1:])
            into = reason.removeprefix("folded into ")
            await post.settled(into, None)
        assert into == digest_id(ids[1:])
        found = read(post.courier.contents[-1])
        assert (found["From"], found["To"], found["Subject"]) == ("cron@example.com", "a@a.example", "[7 messages] Backup 7 failed")
        text, *enclosed = list(found.iter_parts())
        assert all(id in text.get_content() for id in ids[1:])
        assert ids[0] not in text.get_content()
        assert [each.get_content()["Subject"] for each in enclosed] == [f"Backup {nth} failed" for nth in (1, 2, 6, 7)]
        assert len(post.courier.tried) == 1 + 6 + 1

    play(scenario())


def test_one_alone_goes_as_it_is(post: Post) -> None:
    """There is nothing to fold; after a quiet window the next one is a first one again."""
    post.manager.folding.change(FOLD)

    async def scenario() -> None:
        async with post.running():
            first, second = put(post, 1), put(post, 2)
            await post.settled(first, None)
            await post.settled(second, "deferred")
            post.advance(WINDOW + 1)
            post.manager.folding.look(post.clock.now())
            await post.settled(second, None)
            post.advance(WINDOW + 1)
            post.manager.folding.look(post.clock.now())
            await post.settled(put(post, 3), None)
        assert [b"Subject: Backup %d" % nth in content for nth, content in enumerate(post.courier.contents, 1)] == [True] * 3

    play(scenario())


def test_too_many_leave_before_the_window_is_over(post: Post) -> None:
    """And what comes then is gathered anew."""
    post.manager.folding.change(FOLD.but(most=3))

    async def scenario() -> None:
        async with post.running():
            ids = [put(post, nth) for nth in range(4)]
            await until_folded(post, ids[1:], 1.0)
            late = put(post, 9)
            await post.settled(late, "deferred")
            assert len(reasons(post, ids[1:])) == 1

    play(scenario())


def test_an_operator_is_heard(post: Post) -> None:
    """Who waits to be folded can be sent at once, and can be cancelled; the others are folded without him."""
    post.manager.folding.change(FOLD)

    async def scenario() -> None:
        async with post.running():
            ids = await gathered(post, 6)
            at_once(post.kept.act("retry", [ids[1]], post.clock.now()))
            at_once(post.kept.act("cancel", [ids[2]], post.clock.now()))
            post.look(ids[1:3])
            await post.settled(ids[1], None)
            await until_folded(post, ids[3:])
            assert reasons(post, ids[3:]) == {f"folded into {digest_id(ids[3:])}"}
            assert reasons(post, [ids[2]]) == {"cancelled by an operator"}

    play(scenario())


@pytest.mark.parametrize("settled", [0, 1, 3], ids=lambda count: f"{count} given up")
def test_a_crash_loses_none(tmp_path: Path, settled: int) -> None:
    """After the message was put and some were given up, the rest is folded by the next daemon; the same ones are put once."""
    before = Post(tmp_path)
    before.manager.folding.change(FOLD)
    ids: list[str] = []
    known: list[str] = []

    async def first() -> None:
        async with before.running():
            ids.extend(put(before, nth) for nth in range(6))
            for id in ids[1:]:
                await before.settled(id, "deferred")
            folding, context = before.manager.folding, before.context
            entries = [before.spool.read(id) for id in ids[1:]]
            known.append(await folding._put(context, entries, FOLD))
            await folding._given_up(context, ids[1 : 1 + settled], known[0])
            await before.settled(known[0], "queued")

    play(first())
    after = Post(tmp_path)
    after.clock.time = before.clock.time
    after.manager.folding.change(FOLD)
    left = ids[1 + settled :]

    async def second() -> None:
        async with after.running():
            await after.settled(known[0], None)
            after.manager.settler.known = known.__contains__
            after.advance(WINDOW + GRACE + 1)
            await after.until("they come due", lambda: all(after.spool.read(id).due > after.clock.now() for id in left))
            await until_folded(after, left, 3.0)
            for id in ids[1:]:
                assert after.spool.find(id) == "failed"
            if settled:
                assert reasons(after, left) == {f"folded into {digest_id(left)}"}
                await after.settled(digest_id(left), None)
            else:
                assert reasons(after, left) == {f"folded into {known[0]}"}
        assert len(after.courier.tried) == (2 if settled else 1)

    play(second())


def test_what_cannot_be_put_waits(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: none is given up, and when there is room they are folded."""
    post.manager.folding.change(FOLD)

    async def scenario() -> None:
        async with post.running():
            ids = await gathered(post, 4)
            with monkeypatch.context() as full:
                full.setattr(type(post.kept), "put", _full)
                post.advance(WINDOW + 1)
                post.manager.folding.look(post.clock.now())
                await post.until("told", lambda: any("cannot be folded" in getattr(event, "detail", "") for event in post.events))
            assert {post.spool.find(id) for id in ids[1:]} == {"deferred"}
            post.advance(GRACE)
            await post.until("they come due", lambda: all(post.spool.read(id).due > post.clock.now() for id in ids[1:]))
            await until_folded(post, ids[1:])

    play(scenario())


@pytest.mark.parametrize(("limit", "sent"), [(1800, 1), (100, 3)])
def test_what_makes_no_message_goes_in_another_way(post: Post, limit: int, sent: int) -> None:
    """Too large with what is enclosed: nothing is; too large even so: each goes as it is."""
    post.manager.folding.change(FOLD)
    policy = post.context.policy
    post.manager.change(policy._replace(submission=policy.submission.but(max_message_size=limit)))

    async def scenario() -> None:
        async with post.running():
            ids = [put(post, nth, body=body(nth) + b"x\r\n" * 500) for nth in range(4)]
            for id in ids[1:]:
                await post.settled(id, "deferred")
            post.advance(WINDOW + 1)
            post.manager.folding.look(post.clock.now())
            for id in ids[1:]:
                await post.settled(id, "failed" if sent == 1 else None)
            await post.until("sent", lambda: len(post.courier.tried) == 1 + sent)

    play(scenario())


def test_what_stands_for_mail_of_a_sandbox_is_of_the_sandbox(post: Post) -> None:
    """It ends within the window: nothing of that mail leaves by itself, and live mail that is equal is not kept with it."""
    post.manager.folding.change(FOLD)
    diversion = Diversion(Sandbox(mode="trap"), post.finder.find)
    live = post.context.policy
    post.couriers["trap"] = post.courier
    post.manager.change(live._replace(sandbox=diversion, router=Router(diversion.find)))

    async def scenario() -> None:
        async with post.running():
            ids = await gathered(post, 4, options={"sandbox": "trap"})
            post.manager.change(live._replace(router=Router(post.finder.find)))
            await until_folded(post, ids[1:])
            await post.settled(digest_id(ids[1:]), "held")
            await post.settled(put(post, 9), None)
        assert post.courier.order == ["sandbox", "a.example"]

    play(scenario())


async def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_without_folding_what_waited_goes(post: Post) -> None:
    """A reload ends it: nothing waits any more, each goes as it is."""
    post.manager.folding.change(FOLD)

    async def scenario() -> None:
        async with post.running():
            ids = await gathered(post, 4)
            post.manager.folding.change(Fold())
            for id in ids:
                await post.settled(id, None)
        assert len(post.courier.tried) == 4

    play(scenario())


@pytest.mark.parametrize("make", [lambda nth: body(nth, b"caf\xc3\xa9 %d"), lambda nth: body(nth) + b"x" * (digest.LONGEST + 1)])
def test_a_message_of_any_kind_is_enclosed(make: Callable[[int], bytes]) -> None:
    """8-bit text says what it is; of a very long one the header is there; the lines are those of mail."""
    found = [Folded(f"01KAHGWV7J5ZQ0C9XK3M2T8B{nth:02}", 1000.0 * nth, f"cafe {nth}", make(nth)) for nth in range(3)]
    content = digest.digest("01KAHGWV7J5ZQ0C9XK3M2T8B99", found, make(2), "host.example", 5000.0)
    assert content.count(b"\n") == content.count(b"\r\n")
    parts = list(read(content).iter_parts())
    assert len(parts) == 4
    assert {part.get_content_type() for part in parts[1:]} <= {"message/rfc822", "text/rfc822-headers"}
    if not content.isascii():
        assert Message.split(content).value(b"content-transfer-encoding") == "8bit"
