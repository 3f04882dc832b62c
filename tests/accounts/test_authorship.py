"""As whom a user may write: what leads to him, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.accounts.authorship import belongs, untagged
from mailer.accounts.residents import Residents
from mailer.accounts.users.api import User
from mailer.accounts.users.memory import MemoryUsers
from mailer.config.file import config_of
from tests.fakes.mail import FakeClock

ANN, TAGGED = User("ann@example.com", sends_as=("*@shop.example",)), User("ann+robot@example.com")
CONFIG = """
[mailer]
hostname = "mx.example.com"
[[domain]]
name = "example.com"
via = "maildir:/mail/{user}"
aliases_file = "HOME/aliases"
[[domain]]
name = "next.example"
via = "relay:next"
[relay.next]
host = "127.0.0.1"
"""
ALIASES = "sales: ann, bob@example.net\nsupport: sales\nout: ann@example.net\ngone: /dev/null\nloop: loop2\nloop2: loop\n"


@pytest.mark.parametrize(
    ("address", "user", "good"),
    [
        ("ann@example.com", ANN, True),
        ("ann+x@example.com", ANN, True),
        ("sales@example.com", ANN, True),
        ("support+x@example.com", ANN, True),
        ("anybody@shop.example", ANN, True),
        ("ann+robot@example.com", ANN, False),  # who is somebody else
        ("ann+robot@example.com", TAGGED, True),
        ("ann@example.com", TAGGED, False),
        ("out@example.com", ANN, False),
        ("gone@example.com", ANN, False),
        ("loop@example.com", ANN, False),
        ("bob@example.net", ANN, False),
        ("ann@example.net", ANN, False),
        ("ann@example.net", User("ann@example.net"), True),
        ("ann+x@example.net", User("ann@example.net"), True),
        ("ann@next.example", User("ann@next.example"), True),
        ("ann+x@next.example", User("ann@next.example"), True),
        ("bob@next.example", User("ann@next.example"), False),
        ("", ANN, False),
        ("*@example.com", User("*@example.com"), False),
        ("no address", ANN, False),
    ],
)
def test_an_address_belongs_to_whom_it_leads(tmp_path: Path, address: str, user: User, good: bool) -> None:
    """Here by the rules of mail that comes in, elsewhere by itself alone."""
    (tmp_path / "aliases").write_text(ALIASES)

    async def scenario() -> bool:
        config = config_of("c.toml", CONFIG.replace("HOME", str(tmp_path)).encode(), str(tmp_path))
        residents = Residents(config, MemoryUsers([ANN, TAGGED]), lambda _: None, FakeClock())
        await residents.refresh()
        return await belongs(address, user, residents)

    assert asyncio.run(scenario()) is good


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Ann+x+y@Example.com", "ann@example.com"),
        ("+x@example.com", "+x@example.com"),
        ("ann@example.com", "ann@example.com"),
        ("ann+@example.com", "ann@example.com"),
    ],
)
def test_a_tag_is_what_stands_behind_the_first_plus(address: str, key: str) -> None:
    """As long as something is before it."""
    assert untagged(address) == key
