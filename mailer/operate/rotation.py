"""A new key takes the place of the one in use, and no signature ever refers to a record that is not there.

Two steps, since the DNS lies between them; `rotate` does whichever is due, and what it did stands in the configuration:

1. There is no new key yet: one is made beside each that signs, of its kind, and goes into the configuration with
   ``waiting = true``. Its record is to be published.
2. There are keys that wait: their records are looked up. Those that are published begin to sign (``waiting = false``), and the key
   of the same kind that signed so far is retired (``retired = "…"``). Its record and its file stay for what is in
   flight; until when is told now and from then on.

The daemon goes by the configuration that it has read: it takes each step on with SIGHUP.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from mailer.check.rules.dkim import difference
from mailer.config import edit, file
from mailer.config.kinds import PERIOD, write
from mailer.config.secret import keeper_of
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem

from .dkim import Order, Texts, in_use, make

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.config import Config
    from mailer.config.secret import FileOwner
    from mailer.config.sections.dkim import Dkim

    from .dkim import KeyWish, Published


class KeyInUse(NamedTuple):
    """A key of the configuration: its number there, its section, the key itself."""

    number: int
    section: Dkim
    key: Published


class Switch(NamedTuple):
    """The switch of a key that waited: it signs now, and some were `retired`; or its record is not right, which is the `problem`.

    Each that is retired stands with when its record is not needed any more, in seconds since the epoch.
    """

    key: Published
    problem: str = ""
    retired: tuple[tuple[Published, int], ...] = ()


class Rotation(NamedTuple):
    """The step that was taken: keys that were `made`, whose records are to be published, or what became of those that waited."""

    made: list[Published]
    switched: list[Switch]

    @property
    def missing(self) -> bool:
        """Whether a record is not published yet."""
        return any(each.problem for each in self.switched)


async def rotate(path: str, data: bytes, config: Config, domain: str, wish: KeyWish, *, checked: bool = True) -> Rotation:
    """Take the next step for the keys of `domain` in the configuration at `path`, whose text is `data`; records are `checked`, or not.

    Raises `Problem`: no-such where no key signs, cannot-create, io-error, no-permission; `ValueError` for a wish that cannot be fulfilled.
    """
    keeper = keeper_of(config.spool)
    known = [
        KeyInUse(number, section, in_use(section, keeper)) for number, section in enumerate(config.dkim) if section.ascii_domain == domain
    ]
    waiting = [one for one in known if one.section.waiting and wish.kind in (None, one.key.key.kind)]
    signing = [one for one in known if one.section.signs and wish.kind in (None, one.key.key.kind)]
    if waiting:
        return await _switch(config, data.decode(), waiting, [one for one in known if one.section.signs], checked=checked)
    if not signing:
        which = f"no {wish.kind or ''} key of {domain} signs mail".replace("  ", " ")
        raise Problem(f"{which}; `mailer dkim keygen {domain}` makes one", "no-such")
    return _prepare(path, data.decode(), signing, keeper, {one.key.selector for one in known}, wish)


def _prepare(path: str, text: str, signing: Iterable[KeyInUse], keeper: FileOwner, taken: set[str], wish: KeyWish) -> Rotation:
    """Make a key beside each of `signing`, and let the configuration know them."""
    made = []
    for one in signing:
        order = Order.of(wish, one.key.key.kind, one.key.key.bits)
        order = order if wish.selector else order._replace(selector=_free(order.selector, taken))
        if order.selector in taken:
            raise Problem(f"the selector {order.selector} is taken already; choose another with --selector", "cannot-create")
        taken.add(order.selector)
        directory = os.path.dirname(one.section.key_file)
        made.append((one, make(one.key.domain, order, f"{directory}/{one.key.domain}.{order.selector}.pem", keeper)))
    for one, new in made:
        more = {"expire": write(PERIOD, one.section.expire), "on_failure": one.section.on_failure, "waiting": True}
        text = "\n".join([text.rstrip("\n"), "", *new.section(**more), ""])
    file.config_of(path, text.encode())  # what cannot be appended to is not written
    edit.save(path, text)
    return Rotation([new for _, new in made], [])


def _free(selector: str, taken: set[str]) -> str:
    """`selector`, or one that begins so and is not taken: a key may be replaced twice a day."""
    number = 1
    free = selector
    while free in taken:
        number += 1
        free = f"{selector}-{number}"
    return free


async def _switch(config: Config, text: str, waiting: list[KeyInUse], signing: list[KeyInUse], *, checked: bool) -> Rotation:
    """Let those of `waiting` sign whose records are published, and retire whom they replace."""
    missing = await _missing(config, waiting) if checked else {}
    now = int(time.time())
    switched = []
    for one in waiting:
        if one.number in missing:
            switched.append(Switch(one.key, missing[one.number]))
            continue
        text = edit.edited(text, ("dkim", one.number, "waiting"), value=False)
        replaced = [old for old in signing if old.key.key.kind == one.key.key.kind]
        for old in replaced:
            text = edit.edited(text, ("dkim", old.number, "retired"), rfc3339(now))
        switched.append(Switch(one.key, retired=tuple((old.key, now + int(old.section.expire)) for old in replaced)))
    if len(missing) < len(waiting):
        file.config_of(config.path, text.encode())
        edit.save(config.path, text)
    return Rotation([], switched)


async def _missing(config: Config, waiting: Iterable[KeyInUse]) -> dict[int, str]:
    """What is wrong with the records of `waiting`, by number; those that are right are not in it."""
    texts = Texts(config)
    missing = {}
    for one in waiting:
        answer = await texts.of(one.key.name)
        problem = f"cannot be looked up: {answer}" if isinstance(answer, str) else difference(one.key.key, answer)
        if problem:
            missing[one.number] = problem
    return missing
