"""A Dovecot as the place where users are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailer.accounts.users.api import Proved, User
from mailer.accounts.users.dovecot import DovecotUsers

from .dovecot import Dovecot
from .letters import PASSWORD
from .servers import Servers

pytestmark = pytest.mark.peer("dovecot", root=True)


def test_dovecot_checks_passwords_and_knows_its_users(servers: Servers, tmp_path: Path) -> None:
    """By its own sockets; a wrong password is one, and so is that of nobody."""
    dovecot, run = servers["dovecot"], tmp_path / "run"
    assert isinstance(dovecot, Dovecot)
    run.symlink_to(dovecot.root.path / "run/dovecot")  # the path of a socket is short

    async def scenario() -> None:
        users = DovecotUsers(f"{run}/auth-client", f"{run}/auth-userdb", "dovecot.example")
        ann = User("ann@dovecot.example")
        checks = (("ann", PASSWORD), ("ann", "wrong"), ("nobody", PASSWORD), ("", PASSWORD), ("ann\0", PASSWORD))
        assert [await users.check(name, password, "submission") for name, password in checks] == [Proved(ann), None, None, None, None]
        assert await users.find(["ann@dovecot.example", "nobody@dovecot.example", "' OR 1=1", "*)(uid=*"]) == [ann, None, None, None]

    asyncio.run(scenario())
