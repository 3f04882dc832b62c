"""Sockets that the service manager has opened for us, sd_listen_fds(3): so a service may have a port below 1024 without any privilege, and
nobody who calls while it starts is refused."""

from __future__ import annotations

import os
import socket

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
