"""Endpoints of webhooks: how each does, one tried, events posted again, one switched on or off, a secret replaced.

What is wished of an endpoint is left for the sender, `mailer hooks run`, which grants it within a second, or when it runs. Only a test
is posted from here.
"""

from __future__ import annotations

import os
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

from mailer.config.secret import keeper_of, read_private
from mailer.hooks.api import HookWish
from mailer.hooks.files import LOCK, FileHookStore
from mailer.hooks.payload import payload
from mailer.hooks.post import LONGEST_SECRET, Poster, client_of, parsed
from mailer.hooks.signing import NEW, read_secrets, written
from mailer.hooks.view import EndpointView, views_of
from mailer.journal.api import JournalEvent
from mailer.journal.files import journal_of
from mailer.mail.problem import Problem
from mailer.mail.text import one_line
from mailer.spool import first_id, new_id
from mailer.spool.files import daemons
from mailer.spool.files.store import SpoolDirectory

from .private import keep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config
    from mailer.config.sections.webhook import Webhook
    from mailer.hooks.post import Posted
TEST_ADDRESS = "test@example.invalid"


def named(config: Config, name: str) -> Webhook:
    """The endpoint of that name. Raises `Problem` (no-such)."""
    found = next((hook for hook in config.webhooks if hook.name == name), None)
    if found is None:
        known = ", ".join(hook.name for hook in config.webhooks) or "no [[webhook]]"
        raise Problem(f"there is no webhook {name!r}; {config.path or 'the configuration'} has {known}", "no-such")
    return found


def is_running(config: Config) -> bool:
    """Whether a sender runs on the spool."""
    try:
        inode = os.stat(f"{config.spool}/{LOCK}").st_ino
    except OSError:
        return False
    return any(inode == held for _, held in daemons.locks())


async def views(config: Config) -> list[EndpointView]:
    """All endpoints of the configuration. Raises `Problem`, `OSError`."""
    directory = SpoolDirectory(config.spool)
    directory.check_readable()
    return await views_of(config, journal_of(directory), FileHookStore(config.spool))


async def test(config: Config, name: str) -> Posted:
    """Post a test to the endpoint, now, whatever its state. Raises `Problem`."""
    hook = named(config, name)
    read_private(hook.secret_file, "the secret file", LONGEST_SECRET, keeper_of(config.spool).uid, hook.maker)
    client = client_of(config)
    now = time.time()
    event = JournalEvent(new_id(now), now, "deferred", to=TEST_ADDRESS, reply="this is a test of the webhook", stream=hook.stream)
    try:
        body = payload(event._replace(type="expired"), "listmonk") if hook.format == "listmonk" else _test(event)
        assert body
        return await Poster(client, time.time, keeper_of(config.spool).uid).post(hook, event.id, body)
    finally:
        await client.close()


def _test(event: JournalEvent) -> bytes:
    """An event like others, of a type that there is not, so that nobody takes it for one."""
    made = payload(event, "standard")
    assert made
    return made.replace(b'"type":"deferred"', b'"type":"test"')


async def _wish(config: Config, name: str, wish: HookWish) -> bool:
    named(config, name)
    SpoolDirectory(config.spool).prepare()
    await FileHookStore(config.spool).wish(name, wish)
    return is_running(config)


async def since(config: Config, name: str, at: float) -> bool:
    """Let everything be posted again that the journal has since `at` (seconds since the epoch); whether a sender runs that will.

    Raises `Problem`, `OSError`; so do the others that leave a wish.
    """
    return await _wish(config, name, HookWish("since", first_id(at)))


async def exhume(config: Config, name: str) -> bool:
    """Let its dead events be posted again; whether a sender runs that will."""
    return await _wish(config, name, HookWish("dead"))


async def enable(config: Config, name: str) -> bool:
    """Switch the endpoint on; whether a sender runs that will."""
    return await _wish(config, name, HookWish("on"))


async def disable(config: Config, name: str, why: str) -> bool:
    """Switch the endpoint off, because of `why`; whether a sender runs that will."""
    return await _wish(config, name, HookWish("off", one_line(why, 200)))


class Rotated(NamedTuple):
    """A secret that was made (empty: none was), the file, and how many sign now."""

    secret: str
    path: str
    number: int


def rotate(config: Config, name: str, *, finish: bool = False) -> Rotated:
    """Make a secret that signs from now on beside the one before; with `finish`, that one goes. Raises `Problem`."""
    hook = named(config, name)
    if hook.format == "listmonk":
        raise Problem(f"{hook.secret_file} has a login, user:password, which listmonk gives out; write it there yourself", "usage")
    owner = keeper_of(config.spool)
    before: Sequence[bytes] = ()
    if os.path.lexists(hook.secret_file):
        data = read_private(hook.secret_file, "the secret file", LONGEST_SECRET, owner.uid)
        before = parsed(hook.secret_file, lambda: read_secrets(data.decode()))
    if finish:
        if not before:
            raise Problem(f"there is no {hook.secret_file} yet; mailer hooks rotate {name} makes it", "usage")
        keep(hook.secret_file, written(before[0]), owner)
        return Rotated("", hook.secret_file, 1)
    if len(before) > 1:
        raise Problem(f"the secret is being replaced; when the endpoint has the new one: mailer hooks rotate {name} --finish", "usage")
    made = written(secrets.token_bytes(NEW))
    keep(hook.secret_file, "\n".join([made, *map(written, before)]), owner)
    return Rotated(made, hook.secret_file, 1 + len(before))
