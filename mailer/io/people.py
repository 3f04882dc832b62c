"""Users of this machine, by the databases that it has of them, and the sections of a configuration that mean one."""

from __future__ import annotations

import grp
import os
import pwd
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mailer.mail.principal import Principal


class Person(NamedTuple):
    """A user of this machine: the name, and those of all groups. One that nobody has named has his number for a name."""

    name: str
    groups: frozenset[str]


def person(who: Principal) -> Person:
    """A user of this machine as its databases know him; any other principal by its name, in no group."""
    try:
        entry = pwd.getpwuid(int(who.name)) if who.uid is not None else None
    except KeyError:
        entry = None
    if entry is None:
        return Person(who.name, frozenset())
    groups = set()
    for gid in os.getgrouplist(entry.pw_name, entry.pw_gid):
        try:
            groups.add(grp.getgrgid(gid).gr_name)
        except KeyError:
            groups.add(str(gid))
    return Person(entry.pw_name, frozenset(groups))


def fits(user: str, person: Person) -> bool:
    """Whether the `user` of a section means this person."""
    if user.startswith("@"):
        return user[1:] in person.groups
    return user in ("*", person.name)
