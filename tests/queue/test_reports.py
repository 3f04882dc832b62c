"""Reports as the manager puts them: warned once, grouped, capped, as the sender asked, and not at all on a disk that is nearly full."""

from __future__ import annotations

import asyncio
import email
from pathlib import Path
from typing import Any

import pytest

from mailer.bounces import OwnReports
from mailer.events import Alarm
from mailer.mail.outcome import Cause, Outcome
from mailer.queue import settle
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import Machine, outcome, put

from .post import DAY, HOP, NOW, Post, play

pytestmark = pytest.mark.usefixtures("short_pauses")

HOUR = 3600.0


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return warning(Post(tmp_path))


def warning(post: Post, after: float = 4 * HOUR, **more: object) -> Post:
    """Senders are warned `after` so many seconds. Reports wait at a gate, where they can be looked at."""
    post.change(reports=OwnReports("host.example", "postmaster@host.example", delay_warning=after, **more))  # type: ignore[arg-type]
    post.courier.script["a@example.com"] = ["defer"]
    return post


def reports(post: Post, sender: str = "me@example.org") -> list[str]:
    """The messages in the spool that are for the sender of others."""
    found = []
    for state in ("queued", "deferred", "failed"):
        for id in post.spool.ids(state):
            envelope = post.spool.read(id).envelope
            if not envelope.sender and [r.address for r in envelope.recipients] == [sender]:
                found.append(id)
    return found


def subject(post: Post, id: str) -> str:
    return str(email.message_from_bytes(post.spool.content(id))["Subject"])


async def tried_until(post: Post, id: str, until: float, step: float = 600.0) -> None:
    """Time passes, and the message is tried whenever it is due."""
    while post.clock.now() < until:
        post.advance(step)
        await asyncio.sleep(0.003)
        await post.until("settled", lambda: id not in post.scheduler.active)


def held_back(post: Post) -> None:
    """What goes to the sender waits under way, and so can be counted."""
    post.courier.gates["example.org"] = asyncio.Event()


def test_a_sender_is_warned_once(post: Post) -> None:
    """After four hours, however often the message is tried then: what is late, since when, how long it is still tried."""

    async def scenario() -> None:
        async with post.running():
            held_back(post)
            id = post.put("a@example.com", sender="me@example.org", subject="Report")
            await tried_until(post, id, NOW + 4 * HOUR - 900)
            assert reports(post) == []
            await tried_until(post, id, NOW + 8 * HOUR)
            (report,) = reports(post)
            assert subject(post, report) == "Not delivered yet: Report"
            text = post.spool.content(report).decode()
            assert "Action: delayed" in text
            assert "Will-Retry-Until:" in text
            assert "Status: 4.3.0" in text
            assert "Final-Recipient: rfc822; a@example.com" in text
            assert "need not send" in text
            assert "The body." not in text
            post.courier.gates["example.org"].set()
        assert post.spool.find(id) == "deferred"

    play(scenario())


def test_passes_a_few_hours_apart_warn_as_a_daemon_does(tmp_path: Path) -> None:
    """Of what waits for something of ours: the file knows how long that is."""

    async def scenario() -> None:
        refused = outcome(0, "defer", scope="us", cause=Cause.SENDER_REFUSED)
        id, warned = put(SpoolDirectory(str(tmp_path / "spool")), "a@example.com", sender="me@example.org", at=NOW), 0
        for nth in range(14):
            at = NOW + nth * 4 * HOUR
            await one_pass(post := warning(Post(tmp_path, clock=Machine(at).clock), 0.0), id, at, refused)
            warned += post.courier.order.count("example.org")
        assert warned == 1

    async def one_pass(post: Post, id: str, at: float, said: Outcome) -> None:
        post.clock.time = at
        post.courier.script["a@example.com"] = [said]
        async with post.running():
            await post.until("tried", lambda: post.tries(id) and id not in post.scheduler.active)
            await post.until("all is sent", lambda: not post.scheduler.active and reports(post) == [])

    play(scenario())


@pytest.mark.parametrize(("cause", "told"), [(Cause.SENDER_REFUSED, 1), (None, 0)])
def test_who_waits_for_something_of_ours_hears_when_his_time_would_be_up(post: Post, cause: Cause | None, told: int) -> None:
    """Once, without a date, for nothing is given up then; what a host puts off is, and is reported as that."""
    warning(post, 0.0)
    post.courier.script["a@example.com"] = [outcome(0, "defer", scope="us" if cause else "recipient", cause=cause)]

    async def scenario() -> None:
        async with post.running():
            held_back(post)
            id = post.put("a@example.com", sender="me@example.org")
            await tried_until(post, id, NOW + 2 * DAY - HOUR, HOUR)
            assert reports(post) == []
            await tried_until(post, id, NOW + 3 * DAY, DAY / 8)
            await post.until("a report", lambda: len(reports(post)) == 1)
            (report,) = reports(post)
            text = " ".join(post.spool.content(report).decode().split())
            assert ("Action: delayed" in text, "It is still tried;" in text, "Will-Retry-Until" in text) == (bool(told), bool(told), False)
            assert post.spool.find(id) == ("deferred" if told else "failed")
            post.courier.gates["example.org"].set()

    play(scenario())


def test_a_restart_does_not_warn_again(tmp_path: Path) -> None:
    """The message's own file remembers, when the warning is long delivered."""

    async def scenario() -> None:
        first = warning(Post(tmp_path))
        async with first.running():
            id = first.put("a@example.com", sender="me@example.org")
            await tried_until(first, id, NOW + 5 * HOUR)
            await first.until("warned", lambda: first.courier.order.count("example.org") == 1)
        second = warning(Post(tmp_path))
        second.clock.time = NOW + 5 * HOUR
        async with second.running():
            await tried_until(second, id, NOW + 10 * HOUR)
            assert second.tries(id) > 2
        assert second.courier.order.count("example.org") == 0

    play(scenario())


@pytest.mark.parametrize(
    ("options", "sender", "after", "warned"),
    [
        ({}, "me@example.org", 4 * HOUR, True),
        ({}, "me@example.org", 0.0, False),
        ({}, "", 4 * HOUR, False),
        ({"notify": "DELAY"}, "me@example.org", 0.0, True),
        ({"notify": "FAILURE,DELAY"}, "me@example.org", 4 * HOUR, True),
        ({"notify": "FAILURE"}, "me@example.org", 4 * HOUR, False),
        ({"notify": "SUCCESS"}, "me@example.org", 4 * HOUR, False),
        ({"notify": "NEVER"}, "me@example.org", 4 * HOUR, False),
        ({"recipients": {"a@example.com": {"notify": "NEVER"}}}, "me@example.org", 4 * HOUR, False),
        ({"by": 3600, "by_return": False}, "me@example.org", 0.0, True),
        ({"by": 3600, "by_return": False, "notify": "NEVER"}, "me@example.org", 0.0, False),
    ],
)
def test_who_is_warned(post: Post, options: dict[str, object], sender: str, after: float, warned: bool) -> None:
    """Whom the operator wants warned or who asked for it; nobody who asked for something else, and never nobody."""
    warning(post, after)

    async def scenario() -> None:
        async with post.running():
            held_back(post)
            id = post.put("a@example.com", sender=sender, options=options)
            await tried_until(post, id, NOW + 6 * HOUR, HOUR / 2)
            assert len(reports(post)) == warned
            post.courier.gates["example.org"].set()

    play(scenario())


@pytest.mark.parametrize(
    ("notify", "told"), [("", True), ("FAILURE", True), ("SUCCESS,FAILURE", True), ("NEVER", False), ("SUCCESS,DELAY", False)]
)
def test_who_is_told_of_a_failure(post: Post, notify: str, told: bool) -> None:
    """As the sender asked for each recipient, RFC 3461."""
    post.courier.script = {"a@example.com": ["fail"], "b@example.com": ["delivered"]}

    async def scenario() -> None:
        async with post.running():
            held_back(post)
            options = {"recipients": {"a@example.com": {"notify": notify}}} if notify else {}
            id = post.put("a@example.com", "b@example.com", sender="me@example.org", options=options)
            await post.settled(id, "failed")
            assert len(reports(post)) == told
            post.courier.gates["example.org"].set()

    play(scenario())


def test_a_report_carries_the_senders_own_names(post: Post) -> None:
    """ENVID and ORCPT come back as they were given; RET says how much of the message does."""
    post.courier.script["a@example.com"] = ["fail"]

    async def scenario() -> None:
        async with post.running():
            held_back(post)
            for ret in ("FULL", "HDRS"):
                options = {"envid": "QQ314159", "ret": ret, "orcpt": "rfc822;first@example.edu"}
                id = post.put("a@example.com", sender="me@example.org", options=options)
                await post.settled(id, "failed")
            texts = sorted((post.spool.content(id).decode() for id in reports(post)), key=lambda text: "The body." in text)
            assert all("Original-Envelope-Id: QQ314159" in text for text in texts)
            assert all("Original-Recipient: rfc822; first@example.edu" in text for text in texts)
            assert ["The body." in text for text in texts] == [False, True]
            post.courier.gates["example.org"].set()

    play(scenario())


def test_one_report_for_all_causes_of_one_attempt(post: Post) -> None:
    """A hundred recipients with two causes are one report with two groups; the part for programs has each recipient."""
    post.courier.script = {
        f"{nth}@example.com": [outcome(0, "fail", text=f"no such user <{nth}@example.com>" if nth % 2 else "over quota", hop=HOP)]
        for nth in range(100)
    }  # fmt: skip

    async def scenario() -> None:
        async with post.running():
            held_back(post)
            id = post.put(*post.courier.script, sender="me@example.org")
            await post.settled(id, "failed")
            (report,) = reports(post)
            message = email.message_from_bytes(post.spool.content(report))
            letter = message.get_payload(0).get_payload(decode=True).decode()  # type: ignore[union-attr]
            assert letter.count("What happened") == 2
            assert "no such user <…>" in letter
            assert post.spool.content(report).count(b"Final-Recipient:") == 100
            post.courier.gates["example.org"].set()

    play(scenario())


@pytest.mark.slow
def test_ten_thousand_failures_are_no_storm(tmp_path: Path) -> None:
    """One sender gets a hundred reports in an hour; the rest are counted and told now and then; others get theirs."""

    async def scenario() -> None:
        post = warning(Post(tmp_path), max_per_hour=5)
        post.courier.script = {"x@example.com": ["fail"]}
        async with post.running():
            for _ in range(1200):
                put(post.spool, "x@example.com", sender="me@example.org", at=NOW)
            post.manager.expect_all((0.0, id) for id in post.spool.ids("queued"))
            other = post.put("x@example.com", sender="you@example.net")
            await post.settled(other, "failed")
            while len(post.spool.ids("failed")) < 1201:  # until `play` ends it
                await asyncio.sleep(0.1)
            assert post.courier.order.count("example.org") == 5
            await post.until("his own", lambda: post.courier.order.count("example.net") == 1)
            assert post.manager.settler.quota.refused == 1195
            (alarm,) = post.book.alarms
            assert alarm.times == 4  # 1, 10, 100, 1000
            assert "me@example.org has got 5 reports within an hour" in alarm.text
            post.advance(HOUR)
            await post.settled(post.put("x@example.com", sender="me@example.org"), "failed")
            await post.until("a new hour", lambda: post.courier.order.count("example.org") == 6)

    play(scenario())


def test_many_forged_senders_are_no_storm_either(post: Post) -> None:
    """Each has its own share, and all together have one; what is over it is told, and uses up nobody's own."""

    async def scenario() -> None:
        warning(post, max_per_hour=2, max_per_hour_in_all=4)
        post.courier.script = {"x@example.com": ["fail"]}
        async with post.running():
            for nth in range(8):
                await post.settled(post.put("x@example.com", sender=f"{nth}@forged{nth}.example"), "failed")
            await post.until("four reports", lambda: sum(".example" in route for route in post.courier.order if "forged" in route) == 4)
            (alarm,) = [event.detail for event in post.events if isinstance(event, Alarm)]
            assert alarm == "4 reports were written within an hour (bounce.max_per_hour_in_all): 1 more were not written"
            post.advance(HOUR)
            await post.settled(post.put("x@example.com", sender="7@forged7.example"), "failed")
            await post.until("a new hour", lambda: "forged7.example" in post.courier.order)

    play(scenario())


def test_a_deadline_of_the_senders_own(post: Post) -> None:
    """RFC 2852: after so many seconds the message comes back, and is tried when they are up, not a step later."""

    async def scenario() -> None:
        async with post.running():
            held_back(post)
            id = post.put("a@example.com", sender="me@example.org", options={"by": 200})
            await post.settled(id, "deferred")
            post.advance(60)
            await post.until("second try", lambda: post.tries(id) == 2)
            await post.settled(id, "deferred")
            assert SpoolDirectory(post.spool.root).read(id).due == pytest.approx(NOW + 200)
            post.advance(140)
            await post.settled(id, "failed")
            assert post.spool.read(id).status == "expired"
            assert len(reports(post)) == 1
            post.courier.gates["example.org"].set()

    play(scenario())


def test_what_comes_too_late_is_not_delivered(post: Post) -> None:
    """A daemon that did not run for a day returns what was to be there within the hour, and delivers the rest."""

    async def scenario() -> None:
        async with post.running():
            late = post.put("b@example.com", sender="me@example.org", options={"by": 3600}, at=NOW - DAY)
            slow = post.put("b@example.com", sender="me@example.org", options={"by": 3600, "by_return": False}, at=NOW - DAY)
            await post.settled(late, "failed")
            await post.settled(slow, None)
        assert post.spool.read(late).history.last[0].reply.startswith("554 5.4.7")
        assert post.tries(late) == 0

    play(scenario())


def test_what_expires_does_so_when_its_time_is_up(post: Post) -> None:
    """The last try is at the very end of its time, however long the step before it would have been."""
    post.courier.script["a@example.com"] = ["defer"]

    async def scenario() -> None:
        async with post.running():
            id = post.put("a@example.com", sender="", at=NOW - 2 * DAY + 100)
            await post.settled(id, "deferred")
            post.advance(60)
            await post.until("second try", lambda: post.tries(id) == 2)
            await post.settled(id, "deferred")
            post.advance(40)
            await post.settled(id, "failed")
        assert post.spool.read(id).status == "expired"

    play(scenario())


def test_a_disk_that_is_nearly_full_gets_no_reports(post: Post) -> None:
    """What would be given up waits, without growing; what can be delivered is; with room again the report goes out."""
    post.courier.script = {"a@example.com": ["fail"]}

    async def scenario() -> None:
        async with post.running():
            post.manager.settler.short = "5 MB of space left"
            id = post.put("a@example.com", "b@example.com", sender="me@example.org")
            nobody = post.put("a@example.com", sender="")
            await post.settled(id, "deferred")
            await post.settled(nobody, "failed")
            size = Path(post.spool.path("deferred", id)).stat().st_size
            entry = SpoolDirectory(post.spool.root).read(id)
            assert entry.history.pending() == [0]
            last = entry.history.last[0]
            assert (last.scope, last.cause, last.enhanced) == ("us", Cause.SHORT, "4.3.1")
            assert "no room for the report that is due: 550" in last.reply
            for _ in range(3):
                post.advance(settle.SHORT_PAUSE)
                await asyncio.sleep(0.02)
                await post.settled(id, "deferred")
            assert Path(post.spool.path("deferred", id)).stat().st_size == size
            assert reports(post) == []
            post.manager.settler.short = ""
            post.advance(settle.SHORT_PAUSE)
            await post.settled(id, "failed")
            await post.until("the report", lambda: "example.org" in post.courier.order)

    play(scenario())


@pytest.mark.parametrize(("sender", "told"), [("me@example.org", True), ("", False)])
def test_a_success_that_nobody_else_confirms_is_confirmed_here(post: Post, sender: str, told: bool) -> None:
    """Before the message leaves the spool: passed on, or delivered where the host was the last; never to nobody."""
    deliver = post.courier.deliver

    async def owing(load: Any, ahead: Any) -> Any:
        post.courier.unconfirmed = tuple((to, "relayed") for to in load.job.recipients if load.envelope.sender)
        return await deliver(load, ahead)

    post.courier.deliver = owing  # type: ignore[method-assign]

    async def scenario() -> None:
        async with post.running():
            held_back(post)
            id = post.put("b@example.com", sender=sender, options={"notify": "SUCCESS", "ret": "FULL"}, subject="Report")
            await post.settled(id, None)
            assert len(reports(post)) == told
            if told:
                text = post.spool.content(reports(post)[0]).decode()
                assert "Subject: Passed on: Report" in text
                assert "Action: relayed" in text
                assert "Status: 2.0.0" in text
                assert "What that means" not in text
                assert "The body." not in text
            post.courier.gates["example.org"].set()

    play(scenario())
