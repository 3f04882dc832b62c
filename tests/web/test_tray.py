"""The tray: messages that are handed in by themselves are put together, and each is told what became of it and of no other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from mailer.config.sections import SubmissionSettings
from mailer.io import durable
from mailer.mail.problem import Problem
from mailer.submit import Submission, prepare, tray
from mailer.submit.together import Ready
from mailer.web import desk
from tests.fakes.processes import wait_until
from tests.web.api import MAIL, Api


def at_once(api: Api, count: int, **members: Any) -> list[Any]:
    """The answers to so many messages, which are posted at a time; a member may be a function of the number."""

    async def scenario() -> list[Any]:
        payloads = [{**MAIL, **{name: value(nth) if callable(value) else value for name, value in members.items()}} for nth in range(count)]
        return await asyncio.gather(*(api.asked("POST", "/send_email", json=payload) for payload in payloads))

    return asyncio.run(scenario())


class Portions(list[int]):
    """How many messages were put together, each time; none is put before `coming` have been handed in."""

    def __init__(self) -> None:
        super().__init__()
        self.coming = 0


@pytest.fixture
def portions(monkeypatch: pytest.MonkeyPatch) -> Portions:
    """Which are closed when they are full, and not because the machine is busy."""
    found, handed = Portions(), 0
    plain, hand_in, lock = tray.put_together, tray.Tray.hand_in, threading.Lock()

    def counting(self: tray.Tray, *given: Any) -> Any:
        nonlocal handed
        handed += 1
        return hand_in(self, *given)

    def counted(messages: Sequence[Any], *more: Any) -> list[Problem | None]:
        wait_until("all are handed in", lambda: handed >= found.coming)
        with lock:
            found.append(len(messages))
        return plain(messages, *more)

    monkeypatch.setattr(tray, "MAKING", 60.0)
    monkeypatch.setattr(tray.Tray, "hand_in", counting)
    monkeypatch.setattr(tray, "put_together", counted)
    return found


def test_what_comes_meanwhile_is_put_together(api: Api, portions: Portions) -> None:
    """All of it is on the disk, each under the ID that its client was told, with the waits of a few."""
    portions.coming = 40
    answers = at_once(api, 40, subject=lambda nth: f"number {nth}", request_id=lambda nth: f"r{nth}" if nth % 2 else None)
    assert {answer.status_code for answer in answers} == {202}
    assert sorted(answer.json()["id"] for answer in answers) == api.ids
    for nth, answer in enumerate(answers):
        assert f"number {nth}\r\n".encode() in api.spool.content(answer.json()["id"])
    assert sum(portions) == 40
    assert len(portions) < 20


def test_one_that_is_wrong_stops_no_other(api: Api, portions: Portions) -> None:
    """A refusal and a conflict are of their own message; so is a fault of ours."""
    api.sent(request_id="r3", subject="another")
    portions.coming = 1 + 20
    answers = at_once(
        api,
        20,
        request_id=lambda nth: f"r{nth}",
        to_addresses=lambda nth: ["no address"] if nth == 5 else MAIL["to_addresses"],
    )
    wrong = {nth: answer.status_code for nth, answer in enumerate(answers) if answer.status_code != 202}
    assert wrong == {3: 409, 5: 400}
    assert len(api.ids) == 19
    assert sum(portions) == 1 + 19


def test_a_fault_of_ours_is_told_to_who_met_it(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are not to wait for ever."""
    plain = desk.prepare

    def broken(asked: Any, *more: Any) -> Any:
        if asked.request_id == "r2":
            raise ZeroDivisionError
        return plain(asked, *more)

    monkeypatch.setattr(desk, "prepare", broken)

    async def scenario() -> list[Any]:
        calls = [api.desk.put(lambda nth=nth: _asked(nth)) for nth in range(5)]  # type: ignore[misc]
        return await asyncio.gather(*calls, return_exceptions=True)

    found = asyncio.run(scenario())
    assert [type(one).__name__ for one in found] == ["Prepared", "Prepared", "ZeroDivisionError", "Prepared", "Prepared"]
    assert api.desk.waiting == 0


def _asked(nth: int) -> Submission:
    return Submission(b"To: anna@example.net\r\n\r\nhello\r\n", sender="shop@example.com", from_header=True, request_id=f"r{nth}")


@pytest.mark.parametrize("own", [True, False])
def test_a_disk_that_fails_is_told_to_all_of_a_portion(api: Api, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    """With request ids and without: nothing is queued, and all may come again."""

    def failing(_path: str) -> None:
        raise OSError(28, "No space left on device", api.spool.place)

    ids = {"request_id": lambda nth: f"r{nth}"} if own else {}
    monkeypatch.setattr(durable, "sync_directory", failing)
    assert {answer.status_code for answer in at_once(api, 12, **ids)} == {503}
    monkeypatch.undo()
    assert api.ids == []
    assert {answer.status_code for answer in at_once(api, 12, **ids)} == {202}
    assert len(api.ids) == 12


def test_what_is_dear_to_make_holds_up_those_behind_it_for_a_portion(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A portion is closed when making it has taken long."""
    monkeypatch.setattr(tray, "MAKING", -1.0)
    sizes: list[int] = []
    plain = tray.put_together

    def counted(messages: Sequence[Any], *more: Any) -> list[Problem | None]:
        sizes.append(len(messages))
        return plain(messages, *more)

    monkeypatch.setattr(tray, "put_together", counted)
    assert {answer.status_code for answer in at_once(api, 12)} == {202}
    assert max(sizes) == 1


def test_what_waits_for_another_goes_by_another_thread(api: Api) -> None:
    """However long one message is in the making."""
    held = threading.Event()

    def dear() -> Submission:
        held.wait()
        return _asked(1)

    async def scenario() -> None:
        first = asyncio.ensure_future(api.desk.put(dear))
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(60):
                for nth in range(2, 6):
                    await api.desk.put(lambda nth=nth: _asked(nth))  # type: ignore[misc]
            assert not first.done()
        finally:
            held.set()
            await first

    asyncio.run(scenario())
    assert len(api.ids) == 5


def test_one_thread_puts_all_that_nothing_holds_up(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several would each have a few, and take the interpreter from one another."""
    monkeypatch.setattr(tray, "HELD_UP", 600.0)
    plain, threads = tray.put_together, set[int]()

    def counted(*given: Any) -> list[Problem | None]:
        assert not threads
        threads.add(threading.get_ident())
        try:
            return plain(*given)
        finally:
            threads.clear()

    monkeypatch.setattr(tray, "put_together", counted)
    assert {answer.status_code for answer in at_once(api, 40)} == {202}


def test_who_leaves_is_not_told_and_the_message_is_put(api: Api) -> None:
    """What was begun is done."""

    async def scenario() -> None:
        leaving = asyncio.ensure_future(api.desk.put(lambda: _asked(1)))
        await asyncio.sleep(0)
        leaving.cancel()
        await api.desk.put(lambda: _asked(2))

    asyncio.run(scenario())
    api.desk.close()
    assert len(api.ids) == 2


def test_settings_that_are_none_are_told(api: Api) -> None:
    """Nobody waits for what cannot be."""

    def none() -> SubmissionSettings:
        raise Problem("there is no place for a spool", "bad-config")

    async def scenario() -> list[Any]:
        made = tray.Tray(none)
        ready = Ready(prepare(_asked(1), api.config.submitting, 0.0), None)
        found = await asyncio.gather(*(made.hand_in(lambda _: ready) for _ in range(3)), return_exceptions=True)
        made.close()
        return found

    assert [getattr(one, "kind", "") for one in asyncio.run(scenario())] == ["bad-config"] * 3
