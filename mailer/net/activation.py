"""Sockets that the service manager has opened for us, sd_listen_fds(3): so a service may have a port below 1024 without any privilege, and
nobody who calls while it starts is refused."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from mailer.config.sections.doors import DoorPlace
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST = 3  # the descriptor that such sockets begin at


def inherited() -> list[socket.socket]:
    """The stream sockets that we were started with. Asked for once: who asks again, and our own children, get none."""
    wanted = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if wanted[0] != str(os.getpid()) or not wanted[1].isdecimal():
        return []
    found = []
    for descriptor in range(FIRST, FIRST + int(wanted[1])):
        os.set_inheritable(descriptor, False)
        made = socket.socket(fileno=descriptor)
        if made.type == socket.SOCK_STREAM and made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            found.append(made)
        else:
            made.close()
    return found


def opened_for(places: Iterable[DoorPlace]) -> dict[DoorPlace, socket.socket]:
    """The sockets that the service manager has opened, by those of `places`, of the configuration, that they are for.

    A place in another spelling, or one that only the unit says, gets one in the order of both. Raises `Problem` (bad-config) for a socket
    that no place is left for.
    """
    left, found = [*dict.fromkeys(places)], dict[DoorPlace, socket.socket]()
    for each in inherited():
        name = each.getsockname()
        here = DoorPlace(path=name) if isinstance(name, str) else DoorPlace(name[0], name[1])
        if not left:
            raise Problem(f"a socket was opened at {here}, and no listen.address is left for it", "bad-config")
        place = here if here in left else left[0]
        left.remove(place)
        found[place] = each
    return found
