"""``mailer dkim rotate``: a new key takes the place of the one in use, and no signature ever refers to a record that is not there.

Two steps, since the DNS lies between them; the same command does whichever is due, and what it did stands in the configuration:

1. There is no new key yet: one is made beside each that signs, of its kind, and goes into the configuration with
   ``waiting = true``. Its record is printed, to be published.
2. There are keys that wait: their records are looked up. Those that are published begin to sign (``waiting = false``), and the key
   of the same kind that signed so far is retired (``retired = "…"``). Its record and its file stay for what is in
   flight; until when is told now and from then on.

The daemon goes by the configuration that it has read: it takes each step on with SIGHUP.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from mailer.check.judge.dkim import difference
from mailer.config import edit, file
from mailer.config.kinds import PERIOD, write
from mailer.config.owner import keeper_of
from mailer.config.values import find
from mailer.mail.domain import ascii_domain
from mailer.mail.failure import CANNOT_CREATE, NO_SUCH, OK, TRY_AGAIN, USAGE, Failure
from mailer.mail.when import rfc3339

from . import dkim_keys, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.config import Config
    from mailer.config.owner import Owner
    from mailer.config.sections.dkim import Dkim

    from .dkim_keys import Published
    from .options import Given

NOW_RELOAD = "A running daemon takes this on with SIGHUP."


class Known(NamedTuple):
    """A key of the configuration: its number there, its section, the key itself."""

    number: int
    section: Dkim
    key: Published


def rotate(given: Given, domain: str) -> int:
    """Take the next step for the keys of `domain`; 0 if it was taken, 75 if a record is not published yet."""
    path, data = find(given.text("--config"))
    if not path:
        raise Failure("there is no configuration file, so no key in use; `mailer dkim keygen` makes one", USAGE)
    config = file.config_of(path, data, given.text("--spool"))
    domain = dkim_keys.domain_of(domain)
    keeper = keeper_of(config.spool)
    known = [
        Known(number, section, dkim_keys.in_use(section, keeper))
        for number, section in enumerate(config.dkim)
        if ascii_domain(section.domain) == domain
    ]
    kind = given.text("--type")
    waiting = [one for one in known if one.section.waiting and kind in (None, one.key.key.kind)]
    signing = [one for one in known if one.section.signs and kind in (None, one.key.key.kind)]
    if waiting:
        return _switch(given, config, data.decode(), waiting, [one for one in known if one.section.signs])
    if not signing:
        raise Failure(f"no {kind or ''} key of {domain} signs mail; `mailer dkim keygen {domain}` makes one".replace("  ", " "), NO_SUCH)
    return _prepare(given, path, data.decode(), signing, keeper, {one.key.selector for one in known})


# The first step


def _prepare(given: Given, path: str, text: str, signing: Iterable[Known], keeper: Owner, taken: set[str]) -> int:
    """Make a key beside each of `signing`, and let the configuration know them."""
    made = []
    for one in signing:
        order = dkim_keys.ordered(given, one.key.key.kind, one.key.key.bits)
        order = order._replace(selector=_free(order.selector, taken) if not given.flag("--selector") else order.selector)
        if order.selector in taken:
            raise Failure(f"the selector {order.selector} is taken already; choose another with --selector", CANNOT_CREATE)
        taken.add(order.selector)
        directory = os.path.dirname(one.section.key_file)
        made.append((one, dkim_keys.make(one.key.domain, order, f"{directory}/{one.key.domain}.{order.selector}.pem", keeper)))
    for one, new in made:
        more = {"expire": write(PERIOD, one.section.expire), "on_failure": one.section.on_failure, "waiting": True}
        text = "\n".join([text.rstrip("\n"), "", *dkim_keys.section(new, **more), ""])
    file.config_of(path, text.encode())  # what cannot be appended to is not written
    edit.save(path, text)
    if not given.flag("--quiet"):
        _ask_to_publish(new for _, new in made)
    return OK


def _free(selector: str, taken: set[str]) -> str:
    """`selector`, or one that begins so and is not taken: a key may be replaced twice a day."""
    number = 1
    free = selector
    while free in taken:
        number += 1
        free = f"{selector}-{number}"
    return free


def _ask_to_publish(made: Iterable[Published]) -> None:
    for key in made:
        show.show(key.blocks())
        for line in key.forms():
            show.say(line)
    show.say("")
    show.say("Publish this, and run the same command again: the new key signs as soon as its record is there.")


# The second step


def _switch(given: Given, config: Config, text: str, waiting: list[Known], signing: list[Known]) -> int:
    """Let those of `waiting` sign whose records are published, and retire whom they replace."""
    missing = {} if given.flag("--unchecked") else asyncio.run(_missing(config, waiting))
    now = int(time.time())
    lines = []
    for one in waiting:
        if one.number in missing:
            lines.append(f"{one.key.name} {missing[one.number]}; {one.key.selector} goes on waiting")
            continue
        text = edit.edited(text, ("dkim", one.number, "waiting"), value=False)
        lines.append(f"{one.key.selector} signs mail of {one.key.domain} now.")
        for old in (old for old in signing if old.key.key.kind == one.key.key.kind):
            text = edit.edited(text, ("dkim", old.number, "retired"), rfc3339(now))
            lines.append(_farewell(old, now))
    if len(missing) < len(waiting):
        file.config_of(config.path, text.encode())
        edit.save(config.path, text)
        lines.append(NOW_RELOAD)
    if not given.flag("--quiet"):
        for line in lines:
            show.say(line)
    return TRY_AGAIN if missing else OK


def _farewell(old: Known, now: int) -> str:
    until = rfc3339(now + int(old.section.expire))
    return f"{old.key.selector} has signed its last mail. Leave its record {old.key.name} where it is until {until}, for what is in flight."


async def _missing(config: Config, waiting: Iterable[Known]) -> dict[int, str]:
    """What is wrong with the records of `waiting`, by number; those that are right are not in it."""
    texts = dkim_keys.Texts(config)
    missing = {}
    for one in waiting:
        answer = await texts.of(one.key.name)
        problem = f"cannot be looked up: {answer}" if isinstance(answer, str) else difference(one.key.key, answer)
        if problem:
            missing[one.number] = problem
    return missing
