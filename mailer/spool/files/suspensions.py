"""Pauses: where no mail goes for now, because an operator said so.

A small file, ``pauses``, in the spool: one JSON object with a list. It is written whole and renamed into place, so that a reader finds
the old list or the new one, and a crash leaves one of them. Two commands at a time wait for each other (a lock on the spool's directory).
The daemon reads it again when the doorbell says `NAME`, and whenever it looks through the queue; without a daemon the file waits.

What can be paused is what an operator can name:

==================  ==============================================================================================
``relay:NAME``      everything that would go by that relay
``mx:HOST``         everything whose MX hosts include HOST; also the whole key, ``mx:HOST,HOST``
``example.net``     the recipients in that domain, whichever way they go; ``*.example.net`` those in domains below it
==================  ==============================================================================================

Mail that meets a pause waits; that is no attempt, and its time to expire goes on.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
from typing import TYPE_CHECKING, NamedTuple

from mailer.io import durable
from mailer.mail.dates import parse_rfc3339, rfc3339
from mailer.mail.problem import Problem, from_os

from . import doorbell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

NAME = "pauses"
"""The file's name, and what the doorbell says when it has changed: no ID looks like that."""

SAME = 0.001  # seconds between what was said and what the file says of when, at most
LARGEST = 1 << 20  # bytes: some ten thousand pauses


class Pause(NamedTuple):
    """Mail for `target` waits until `until` (seconds since the epoch; infinity: until it is resumed). `at` is when that was said."""

    target: str
    until: float
    why: str
    at: float

    def holds(self, now: float) -> bool:
        """Whether it is still on."""
        return now < self.until

    def is_on(self, key: str) -> bool:
        """Whether it is about the destination `key`."""
        return self.target in _names(key)

    @property
    def reply(self) -> str:
        """What it says in an outcome."""
        return f"{self.target} is paused" + (f": {self.why}" if self.why else "")


class Pauses:
    """All pauses at one moment, by what they are about."""

    def __init__(self, pauses: Iterable[Pause] = ()) -> None:
        self.by_target = {pause.target: pause for pause in pauses}

    def __bool__(self) -> bool:
        return bool(self.by_target)

    def __iter__(self) -> Iterator[Pause]:
        return iter(self.by_target.values())

    def of_domain(self, domain: str, now: float) -> Pause | None:
        """The pause for the recipients in `domain` (lower case)."""
        names = [domain]
        while "." in domain:
            domain = domain.partition(".")[2]
            names.append("*." + domain)
        return self._first(names, now)

    def of_way(self, key: str, now: float) -> Pause | None:
        """The pause for the destination `key`; where mail has several ways out, one that is paused is enough."""
        return self._first(_names(key), now)

    def _first(self, names: Iterable[str], now: float) -> Pause | None:
        found = (self.by_target.get(name) for name in names)
        return next((pause for pause in found if pause is not None and pause.holds(now)), None)


def _names(key: str) -> list[str]:
    """What the destination `key` can be paused by."""
    names = [key]
    for part in key.split(" "):
        names.append(part)
        if part.startswith("mx:"):
            names += ["mx:" + host for host in part[3:].split(",")]
    return names


def target_of(text: str) -> str:
    """What an operator names, in its one form. Raises `ValueError` for what can be no destination."""
    kind, colon, name = text.strip().partition(":")
    if kind == "relay" and colon and name and name.isprintable() and " " not in name:
        return text.strip()
    hosts = name.lower().split(",") if kind == "mx" and colon else [text.strip().lower()]
    hosts = sorted(host.removesuffix(".") for host in hosts)
    if not all(map(_is_domain, hosts)):
        raise ValueError(f"{text!r} is no destination: name relay:NAME, mx:HOST, or a domain")
    return "mx:" + ",".join(hosts) if colon and kind == "mx" else hosts[0]


def _is_domain(text: str) -> bool:
    name = text.removeprefix("*.")
    return (
        all(name.split("."))
        and len(name) < 256
        and name.isprintable()
        and not set(name) & set(" @,;/*\"'<>")
        and (":" not in name or name.startswith("["))
    )


def read(root: str) -> Pauses:
    """The pauses of the spool at `root`. Raises `Problem` (bad-message) for a file that is none of ours, `OSError`."""
    try:
        with open(f"{root}/{NAME}", "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        return Pauses()
    try:
        return Pauses([_pause(item) for item in json.loads(data)["pauses"]])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Problem(f"{root}/{NAME} is no list of pauses; remove it, and pause again what is to be paused", "bad-message") from None


def _pause(item: dict[str, object]) -> Pause:
    until, why = item.get("until"), item.get("why", "")
    return Pause(target_of(str(item["target"])), parse_rfc3339(str(until)) if until else math.inf, str(why), parse_rfc3339(str(item["at"])))


def as_json(pause: Pause) -> dict[str, object]:
    """A pause as the file and ``--json`` have it; ``until`` is null for one that has no end."""
    until = None if math.isinf(pause.until) else rfc3339(pause.until)
    return {"target": pause.target, "until": until, "why": pause.why, "at": rfc3339(pause.at)}


def pause(root: str, target: str, until: float, why: str, now: float) -> bool:
    """Pause `target`, or say anew until when; whether a daemon heard. Raises `Problem`."""
    return _change(root, now, lambda known: known.update({target: Pause(target, until, why, now)}))


def resume(root: str, target: str, now: float) -> bool:
    """End the pause of `target`; whether a daemon heard. Raises `Problem` (no-such if it is not paused)."""

    def forget(known: dict[str, Pause]) -> None:
        if known.pop(target, None) is None:
            raise Problem(f"{target} is not paused; `mailer queue pauses` lists what is", "no-such")

    return _change(root, now, forget)


def move(root: str, before: Iterable[Pause], seconds: float, now: float) -> None:
    """The clock was set, and shows so many seconds more: the pauses `before`, which were said by the old one, last as long as they were to.

    One that was said anew since stays as it is. One that has gone since and is over by the new clock alone was taken for over by a
    command, and comes back; nobody can have resumed it. `now` is by the clock as it is. Raises `Problem`.
    """

    def later(known: dict[str, Pause]) -> None:
        for each in before:
            there = known.get(each.target)
            lost = each.holds(now - seconds) and not each.holds(now)
            if abs(there.at - each.at) < SAME if there else lost:
                known[each.target] = each._replace(until=each.until + seconds, at=each.at + seconds)

    _change(root, min(now, now - seconds), later)


def _change(root: str, now: float, change: Callable[[dict[str, Pause]], None]) -> bool:
    """Read, change, write; those that are over are left out. A crash before the rename leaves the old list."""
    try:
        directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            known = {each.target: each for each in read(root) if each.holds(now)}
            change(known)
            _write(root, known.values())
        finally:
            os.close(directory)
    except OSError as error:
        raise from_os("cannot write the list of pauses", error.filename or root, error) from None
    return doorbell.ring(root, NAME)


def _write(root: str, pauses: Iterable[Pause]) -> None:
    temporary = f"{root}/tmp/{NAME}"
    if os.path.lexists(temporary):  # of a command that was killed; the lock says that it is nobody's
        os.unlink(temporary)
    text = json.dumps({"pauses": [as_json(each) for each in pauses]}, indent=1) + "\n"
    fd = durable.begin_new(temporary, (text.encode(),))
    if os.geteuid() == 0:  # the daemon has to read it
        owner = os.stat(root)
        os.fchown(fd, owner.st_uid, owner.st_gid)
    durable.finish_new(temporary, fd)
    os.rename(temporary, f"{root}/{NAME}")
    durable.sync_directory(root)
