"""The residents as a command asks about them: by the configuration, the files of aliases and the users as they are now."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from mailer.accounts.residents import Residents
from mailer.accounts.users.configured import users_of
from mailer.io.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mailer.config import Config


@asynccontextmanager
async def residents_of(config: Config) -> AsyncIterator[Residents]:
    """The residents of `config`; nobody is told of what is wrong with their files. Raises `Problem` where users cannot be looked up."""
    residents = Residents(config, users_of(config), lambda _: None, SystemClock())
    try:
        await residents.refresh()
        yield residents
    finally:
        await residents.users.close()
