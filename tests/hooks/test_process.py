"""`mailer hooks run` and its commands, as processes, with an endpoint that checks signatures by a library that is not ours."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.hooks.api import DeadEvent
from tests.fakes.processes import PATIENCE
from tests.hooks.endpoints import START, event
from tests.hooks.processes import SenderWorld
from tests.hooks.receiver import Receiver

pytestmark = pytest.mark.slow


def until(holds: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_events_arrive_signed_and_the_cursor_moves(tmp_path: Path) -> None:
    """What was there, what comes, and what comes after a stop, each once."""
    with Receiver() as receiver, SenderWorld(tmp_path, receiver.port) as world:
        receiver.knows(world.secret)
        ids = world.write([event(number) for number in range(20)])
        world.start()
        receiver.until(lambda: len(receiver.requests) == 20)
        ids += world.write([event(20)])
        receiver.until(lambda: len(receiver.requests) == 21)
        told = world.stop()
        assert world.cursor() == ids[-1]
        ids += world.write([event(21)])
        world.start()
        receiver.until(lambda: len(receiver.requests) == 22)
        assert sorted(receiver.ids()) == ids
        assert not [request.flaw for request in receiver.requests if request.flaw]
        assert {request.data["id"] for request in receiver.requests} == {*ids}
        assert '"what":"ready","detail":"shop"' in told
        assert '"what":"stopped"' in told
        assert world.secret.removeprefix("whsec_") not in told


def test_kills_repeat_some_and_lose_none(tmp_path: Path) -> None:
    """At any moment; tests/long has a hundred."""
    kills(tmp_path, 4)


def kills(place: Path, times: int) -> None:
    """Kill the sender so many times while events come, and see that each arrives, with its ID."""
    chance = random.Random(times)
    ids: list[str] = []
    with Receiver(answer=lambda _: 503 if chance.random() < 0.002 else 204) as receiver, SenderWorld(place, receiver.port) as world:
        receiver.knows(world.secret)
        for burst in range(times):
            ids += world.write([event(50 * burst + number, message=f"01JDZ3N4T0000000000000000{number % 9}") for number in range(50)])
            before = len(receiver.requests)
            world.start()
            until(lambda before=before: len(receiver.requests) > before or {*receiver.ids()} >= {*ids})  # type: ignore[misc]  # noqa: B023
            time.sleep(chance.random() * 0.05)
            world.kill()
        world.start()
        receiver.until(lambda: {*ids} <= {*receiver.ids()}, seconds=120)
        assert {*receiver.ids()} == {*ids}
        assert not [request.flaw for request in receiver.requests if request.flaw]
        first = {id: at for at, id in reversed([*enumerate(receiver.ids())])}
        for lane in range(9):
            mine = [id for burst in range(times) for at, id in enumerate(ids[50 * burst : 50 * burst + 50]) if at % 9 == lane]
            assert sorted(mine, key=first.__getitem__) == mine


def test_a_dead_endpoint_holds_up_no_other(tmp_path: Path) -> None:
    """One hangs, one drips, one answers 500, one is not there: the fifth has all."""
    with (
        Receiver() as good,
        Receiver(answer=lambda _: "hang") as hang,
        Receiver(answer=lambda _: "drip") as drip,
        Receiver(answer=lambda _: 500) as ill,
    ):
        more = "".join(
            f'[[webhook]]\nname = "x{port}"\nurl = "http://127.0.0.1:{port}/"\nsecret_file = "{tmp_path}/shop.secret"\nprivate = true\n'
            for port in (hang.port, drip.port, ill.port, 9)
        )
        with SenderWorld(tmp_path, good.port, more) as world:
            ids = world.write([event(number) for number in range(300)])
            world.start()
            good.until(lambda: {*good.ids()} == {*ids})
            assert len(hang.requests) <= 8
            told = world.stop()
    assert told.count('"state":"begin"') >= 2


def test_without_a_secret_nothing_is_tried(tmp_path: Path) -> None:
    """The configuration is wrong, and the line says what makes one."""
    with SenderWorld(tmp_path, 9) as world:
        world.secret_file.unlink()
        code, _, told = world.mailer("test", "shop")
        assert code == 78
        assert "mailer hooks rotate shop makes it" in told


def test_410_switches_off_and_a_command_switches_on(tmp_path: Path) -> None:
    """`mailer hooks list` says so, the wish is granted within a second, and what came meanwhile arrives."""
    with Receiver(answer=lambda _: 410) as receiver, SenderWorld(tmp_path, receiver.port) as world:
        world.write([event(0)])
        world.start()
        until(lambda: world.listed()["state"] == "off")
        assert world.listed()["why"] == "it answered 410: there is no such endpoint any more"
        ids = world.write([event(1)])
        receiver.answer = lambda _: 204
        assert world.mailer("enable", "shop")[0] == 0
        receiver.until(lambda: ids[0] in receiver.ids())
        until(lambda: world.listed()["state"] == "good")


def test_what_was_refused_is_posted_again_by_a_command(tmp_path: Path) -> None:
    """It waits for its three tries, which take a minute; so the file of dead events is written as a sender leaves it."""
    with Receiver() as receiver, SenderWorld(tmp_path, receiver.port) as world:
        ids = world.write([event(number) for number in range(3)])
        world.start()
        receiver.until(lambda: len(receiver.requests) == 3)
        dead = [DeadEvent(event(7)._replace(id=each), START, "it answered 422") for each in ids[:2]]
        world.spool.joinpath("hooks").mkdir(mode=0o700, exist_ok=True)
        world.spool.joinpath("hooks", "shop.dead").write_text("".join(f"{json.dumps(each.as_json())}\n" for each in dead))
        assert world.listed()["dead"] == 2
        code, out, _ = world.mailer("replay", "shop", "--dead")
        assert (code, out) == (0, "shop gets its dead events again\n")
        receiver.until(lambda: len(receiver.requests) == 5)
        assert receiver.ids()[3:] == ids[:2]
        until(lambda: world.listed()["dead"] == 0)
        assert world.mailer("replay", "shop", "--since", "30d")[0] == 0
        receiver.until(lambda: len(receiver.requests) == 8)
        assert sorted(receiver.ids()[5:]) == ids


def test_a_secret_is_replaced_in_two_steps(tmp_path: Path) -> None:
    """Each event has both signatures meanwhile, and no post is lost to an endpoint that knows only one of them."""
    with Receiver() as receiver, SenderWorld(tmp_path, receiver.port) as world:
        old = world.secret
        code, out, note = world.mailer("rotate", "shop")
        new = out.strip()
        assert code == 0
        assert "--finish" in note
        assert world.secret_file.stat().st_mode & 0o777 == 0o600
        world.start()
        for known, fits in ((old, True), (new, True)):
            receiver.knows(known)
            before = len(receiver.requests)
            world.write([event(before)])
            receiver.until(lambda before=before: len(receiver.requests) > before)  # type: ignore[misc]
            assert (not receiver.requests[-1].flaw) is fits
        assert world.mailer("rotate", "shop")[0] == 64
        assert world.mailer("rotate", "shop", "--finish")[:2] == (0, "only the new secret signs events for shop now\n")
        time.sleep(1.2)
        receiver.knows(old)
        world.write([event(9)])
        receiver.until(lambda: len(receiver.requests) == 3)
        assert receiver.requests[-1].flaw


def test_a_test_shows_what_the_endpoint_answers(tmp_path: Path) -> None:
    """Signed as others are; a redirect to this machine is not followed, and said."""
    answers: list[object] = [204, (302, "Location: http://127.0.0.1:1/\r\n"), 500]
    with Receiver(answer=lambda _: answers.pop(0)) as receiver, SenderWorld(tmp_path, receiver.port) as world:  # type: ignore[arg-type,return-value]
        receiver.knows(world.secret)
        assert [world.mailer("test", "shop")[0] for _ in range(3)] == [0, 69, 75]
        assert len(receiver.requests) == 3
        assert not receiver.requests[0].flaw
        assert b'"type":"test"' in receiver.requests[0].body
        code, _, error = world.mailer("test", "nobody")
        assert code == 67
        assert "has shop" in error


def test_a_reload_takes_another_endpoint(tmp_path: Path) -> None:
    """A configuration with a mistake changes nothing, and is told."""
    with Receiver() as first, Receiver() as second, SenderWorld(tmp_path, first.port) as world:
        world.write([event(0)])
        world.start()
        first.until(lambda: len(first.requests) == 1)
        good = world.config.read_text()
        world.config.write_text(good.replace("[[webhook]]", "[[webhok]]"))
        world.reload()
        until(lambda: '"what":"reload-refused"' in world.told)
        world.configure(second.port)
        world.reload()
        until(lambda: bool(world.write([event(1)])) and bool(second.requests))
        assert '"what":"reloaded"' in world.stop()


def test_one_sender_runs_on_a_spool(tmp_path: Path) -> None:
    """A second one says so, and ends; so does one that nobody wants."""
    with Receiver() as receiver, SenderWorld(tmp_path, receiver.port) as world:
        world.write([event(0)])
        world.start()
        receiver.until(lambda: len(receiver.requests) == 1)
        code, _, error = world.mailer("run")
        assert code == 75
        assert "another mailer hooks run" in error
        world.stop()
        world.config.write_text(f'[mailer]\nspool = "{world.spool}"\n')
        code, _, error = world.mailer("run")
        assert code == 78
        assert "no [[webhook]]" in error


def test_a_secret_that_others_can_read_signs_nothing(tmp_path: Path) -> None:
    """It is trouble of the endpoint, in words, and no event is lost."""
    with Receiver() as receiver, SenderWorld(tmp_path, receiver.port) as world:
        world.secret_file.chmod(0o644)
        ids = world.write([event(0)])
        world.start()
        until(lambda: world.listed()["state"] == "waits")
        assert "chmod 600" in world.listed()["why"]
        world.secret_file.chmod(0o600)
        assert world.mailer("enable", "shop")[0] == 0  # which does not wait for the next time
        receiver.until(lambda: receiver.ids() == ids)
