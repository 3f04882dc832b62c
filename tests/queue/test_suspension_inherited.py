"""What a daemon takes up at its start of what the one before had put off."""

from __future__ import annotations

from asyncio import run
from contextlib import closing
from pathlib import Path

import pytest

from mailer.config import load
from mailer.mail.outcome import Cause
from mailer.queue.suspension import inherited
from mailer.status import sqlite
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office

RELAY = '[relay.out]\nhost = "127.0.0.1"\ntls = "none"\n[[route]]\nmatch = "relayed.example"\nvia = "relay:out"\n'


@pytest.mark.parametrize(
    ("address", "cause", "taken"),
    [
        ("a@relayed.example", Cause.BREAKER, True),
        ("a@example.net", Cause.BREAKER, False),
        ("a@relayed.example", Cause.LOGIN_REFUSED, True),
        ("a@example.net", Cause.UNSIGNED, True),
        ("a@relayed.example", Cause.PAUSED, False),
        ("a@relayed.example", Cause.FUSED, False),
        ("a@relayed.example", Cause.GREYLISTED, False),
        ("a@relayed.example", None, False),
    ],
)
def test_what_waits_for_a_relay_or_for_something_of_ours_is_taken_up(
    tmp_path: Path, address: str, cause: Cause | None, taken: bool
) -> None:
    """The hosts of others are not called before their time; nor is anybody who said himself when."""
    config = tmp_path / "config.toml"
    config.write_text(RELAY)
    with closing(Office(tmp_path)) as office:
        id = office.put(address)
        office.settle(id, outcome(0, "defer", due=NOW + 900, counts=False, cause=cause))
        found = run(inherited(office.recorder, load(str(config), office.spool.root)))
        assert found == ([id] if taken else [], [id] if cause is Cause.FUSED else [])
    assert run(inherited(sqlite.recorder(f"{tmp_path}/none"), load(str(config), None))) == ([], [])
