"""The residents as a part of the daemon: known from the start, and by what the configuration says after a reload."""

from __future__ import annotations

import asyncio
from pathlib import Path

from mailer.accounts.component import ResidentsComponent
from mailer.accounts.password import record
from mailer.accounts.users.sqlite import SqliteUsers
from mailer.config.file import config_of
from mailer.events import Alarm, Event, Mended
from mailer.io.component import Chores
from tests.fakes.mail import FakeClock

CONFIG = """
[mailer]
hostname = "mx.example.com"
[[domain]]
name = "example.com"
aliases_file = "{home}/aliases"
[accounts]
{accounts}
"""


def test_aliases_are_read_at_the_start_and_users_where_a_reload_says(tmp_path: Path) -> None:
    """The old users are closed, and none is needed where nobody asks."""
    (tmp_path / "aliases").write_text("sales: ann@example.net\n")
    (tmp_path / "users").touch(0o600)

    async def scenario() -> None:
        before, after = (
            config_of("c.toml", CONFIG.format(home=tmp_path, accounts=accounts).encode(), str(tmp_path))
            for accounts in ("", f'source = "file"\nusers_file = "{tmp_path}/users"')
        )
        component = ResidentsComponent(before, lambda _: None, FakeClock(), Chores(lambda _: None, lambda _: None))
        residents = component.residents
        assert (await residents.resolve("sales@example.com")).kind == "trouble"
        await component.start()
        assert (await residents.resolve("sales@example.com")).kind == "forward"
        assert isinstance(residents.users, SqliteUsers)
        with component.reload(after):
            assert isinstance(residents.users, SqliteUsers)
        assert not isinstance(residents.users, SqliteUsers)
        assert (await residents.resolve("sales@example.com")).kind == "forward"
        await component.stop(0.0)

    asyncio.run(scenario())


def test_a_file_that_a_reload_names_is_read_at_once(tmp_path: Path) -> None:
    """Nobody waits for the next look at files that have changed."""
    (tmp_path / "aliases").touch()
    (tmp_path / "others").write_text("sales: ann@example.net\n")

    async def scenario() -> None:
        text = CONFIG.format(home=tmp_path, accounts="")
        before, after = (config_of("c.toml", each.encode(), str(tmp_path)) for each in (text, text.replace("/aliases", "/others")))
        told: asyncio.Queue[Event] = asyncio.Queue()
        component = ResidentsComponent(before, told.put_nowait, FakeClock(), Chores(lambda _: None, lambda _: None))
        await component.start()
        with component.reload(after):
            pass
        while getattr(await told.get(), "key", "") != f"{tmp_path}/others":
            pass
        assert (await component.residents.resolve("sales@example.com")).kind == "forward"
        await component.stop(0.0)

    asyncio.run(scenario())


def test_a_file_of_users_that_is_wrong_is_an_alarm_until_it_is_right(tmp_path: Path) -> None:
    """Meanwhile those who were in it are users."""
    told: list[Event] = []
    file, ann = tmp_path / "users", f"ann@example.com:{record('correct horse', b'salt', cost=4)}\n"

    def write(text: str) -> None:
        (tmp_path / "new").write_text(text)
        (tmp_path / "new").chmod(0o600)
        (tmp_path / "new").rename(file)

    async def scenario() -> None:
        (tmp_path / "aliases").touch()
        config = config_of(
            "c.toml", CONFIG.format(home=tmp_path, accounts=f'source = "file"\nusers_file = "{file}"').encode(), str(tmp_path)
        )
        component = ResidentsComponent(config, told.append, FakeClock(), Chores(lambda _: None, lambda _: None))
        for text in (ann, "nonsense\n" + ann, ann):
            write(text)
            await component.start()
            [user] = await component.residents.users.find(["ann@example.com"])
            assert user is not None
        await component.stop(0.0)

    asyncio.run(scenario())
    about = [event for event in told if isinstance(event, Alarm | Mended) and event.key == "users"]
    assert [type(event) for event in about] == [Mended, Alarm, Mended]
    assert "line 1" in about[1].detail
