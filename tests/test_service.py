"""The order of the components, and a reload that changes all of them or none."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailer.config import Config
from mailer.mail.problem import Problem
from mailer.service import Service


class Part:
    """A component that writes down what happens to it in `book`, and refuses what it is told to."""

    def __init__(self, name: str, book: list[str], refuses: str = "") -> None:
        self.name = name
        self.book = book
        self.refuses = refuses

    async def start(self) -> None:
        self.book.append(f"{self.name} starts")
        if self.refuses == "start":
            raise Problem("it cannot be", "unavailable")

    @contextmanager
    def reload(self, _config: Config) -> Iterator[None]:
        if self.refuses == "reload":
            raise Problem(f"{self.name} cannot have that", "bad-config")
        try:
            yield
        except Problem:
            self.book.append(f"{self.name} lets go")
            raise
        self.book.append(f"{self.name} takes over")

    async def stop(self, grace: float) -> None:
        self.book.append(f"{self.name} stops in {grace:.0f} s")


class Running:
    """A daemon in this process, on a spool of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path / "mailer.toml"
        self.log = path / "log"
        self.hangup: Callable[[], object] | None = None
        self.path.write_text(self.text(60))
        self.service = Service((str(self.path), None), hangups=self._hangups)

    def text(self, seconds: int, log: str = "") -> str:
        spool = f'[mailer]\nspool = "{self.path.parent}/spool"\nhostname = "here.example"\n'
        return f'{spool}[log]\nfile = "{log or self.log}"\n[delivery]\nstop_timeout = "{seconds}s"\nmax_hops = {seconds}\n'

    def _hangups(self, listener: Callable[[], object] | None) -> None:
        self.hangup = listener

    def run(self, scenario: Callable[[Running], Coroutine[Any, Any, None]]) -> None:
        """Run `scenario` when the daemon is ready, then stop it."""

        async def both() -> None:
            task = asyncio.ensure_future(self.service._main())
            while not task.done() and self.hangup is None:
                await asyncio.sleep(0.001)
            if not task.done():
                try:
                    await scenario(self)
                finally:
                    self.service.stopping.set()
            await task

        self.service.directory.prepare()
        asyncio.run(both())

    @property
    def hops(self) -> int:
        """The setting by which the queue's configuration is told from another."""
        return self.service.queue.current.context.policy.max_hops


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path)


def test_components_stop_the_other_way_round(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has the time of the configuration that holds then; and a reload is taken over by all."""
    book: list[str] = []
    built = running.service._build
    monkeypatch.setattr(running.service, "_build", lambda: [built()[0], *(Part(name, book) for name in "abc")])

    async def reload(_: Running) -> None:
        running.path.write_text(running.text(7))
        running.service.reload()

    running.run(reload)
    assert book[:3] == ["a starts", "b starts", "c starts"]
    assert set(book[3:6]) == {"a takes over", "b takes over", "c takes over"}
    assert book[6:] == ["c stops in 7 s", "b stops in 7 s", "a stops in 7 s"]


def test_a_component_that_cannot_start_ends_those_before_it(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """And itself, which may have half begun; what comes after it is not touched."""
    book: list[str] = []
    built = running.service._build
    parts = [Part("a", book), Part("b", book, "start"), Part("c", book)]
    monkeypatch.setattr(running.service, "_build", lambda: [built()[0], *parts])

    async def nothing(_: Running) -> None:
        pass

    with pytest.raises(Problem, match="it cannot be"):
        running.run(nothing)
    assert book == ["a starts", "b starts", "b stops in 60 s", "a stops in 60 s"]
    assert '"what":"stopped"' in running.log.read_text()


@pytest.mark.parametrize("place", range(25))
def test_a_configuration_that_one_component_refuses_changes_none(running: Running, place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of them it is: all keep what they have, one line says why, and the same configuration is taken when nobody refuses it."""
    book: list[str] = []
    refusing, others = Part("it", book, "reload"), [Part("first", book), Part("last", book)]
    built = running.service._build

    def build() -> list[Any]:
        components = list(built())
        assert len(components) == 27
        return [others[0], *components[:place], refusing, *components[place:], others[1]]

    monkeypatch.setattr(running.service, "_build", build)

    async def reload(_: Running) -> None:
        service = running.service
        before = service.config
        book.clear()
        running.path.write_text(running.text(7))
        service.reload()
        assert service.config is before
        assert running.hops == 60
        assert book == ["first lets go"]
        refusing.refuses = ""
        service.reload()
        assert (service.config.delivery.stop_timeout, running.hops) == (7.0, 7)
        assert sorted(book[1:]) == ["first takes over", "it takes over", "last takes over"]

    running.run(reload)
    told = [line for line in running.log.read_text().splitlines() if '"alarm"' in line]
    begun, over = map(json.loads, told)
    assert (begun["what"], begun["detail"]) == ("config", "the configuration stays as it was: it cannot have that")
    assert (over["what"], over["state"]) == ("config", "end")


def test_a_start_ends_the_alarm_of_a_configuration_that_was_refused(running: Running, tmp_path: Path) -> None:
    """A daemon that was stopped and has started again goes by what is in the file now, whatever it was that took a start."""

    async def refused(_: Running) -> None:
        running.path.write_text("[mailer")
        running.service.reload()

    async def nothing(_: Running) -> None:
        pass

    running.run(refused)
    Running(tmp_path).run(nothing)
    told = [json.loads(line) for line in running.log.read_text().splitlines() if '"alarm"' in line]
    assert [(each["what"], each["state"]) for each in told] == [("config", "begin"), ("config", "end")]


def test_a_log_that_cannot_be_opened_is_refused(running: Running) -> None:
    """Its directory is not there: the log goes on where it was, and nothing else of that configuration holds either."""

    async def reload(_: Running) -> None:
        open_before = len(os.listdir("/proc/self/fd"))
        running.path.write_text(running.text(7, f"{running.log}.d/log"))
        running.service.reload()
        assert running.hops == 60
        running.path.write_text(running.text(8))
        running.service.reload()
        assert running.hops == 8
        assert len(os.listdir("/proc/self/fd")) == open_before

    running.run(reload)
    text = running.log.read_text()
    assert f"the configuration stays as it was: cannot open the log: {running.log}.d/log: No such file" in text
    assert text.count('"what":"reloaded"') == 1


def test_the_log_of_a_refused_configuration_is_let_go(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had been opened before somebody else refused."""
    refusing, built = Part("it", [], "reload"), running.service._build
    monkeypatch.setattr(running.service, "_build", lambda: [*built(), refusing])

    async def reload(_: Running) -> None:
        open_before = len(os.listdir("/proc/self/fd"))
        running.path.write_text(running.text(7, f"{running.log}.other"))
        running.service.reload()
        assert len(os.listdir("/proc/self/fd")) == open_before

    running.run(reload)
    assert Path(f"{running.log}.other").read_text() == ""
    assert '"what":"stopped"' in running.log.read_text()


def test_another_spool_is_refused(running: Running) -> None:
    """What is under way belongs to the one that is there."""

    async def reload(_: Running) -> None:
        running.path.write_text(running.text(7).replace("/spool", "/other"))
        running.service.reload()
        assert running.hops == 60

    running.run(reload)
    assert "the spool cannot change while the daemon runs" in running.log.read_text()
