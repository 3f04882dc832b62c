"""Sockets that listen: on every address of a host, and on a path of this machine. `AcceptLoop` takes them, and closes them in the end."""

from __future__ import annotations

import asyncio
import os
import socket

BACKLOG = 1024  # who waits in the kernel to be accepted


async def tcp_sockets(host: str, port: int, *, shared: bool = False) -> list[socket.socket]:
    """Sockets that listen on every address of `host`; port 0 is a free one. Raises `OSError`, and `UnicodeError` for what is no name.

    Where they are `shared`, other processes of the same user may listen there as well, who say so too; each caller comes to one of them.
    """
    try:  # an address is not looked up
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST)
    except OSError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            made.append(each := socket.socket(family, kind, protocol))
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            each.bind(address)
            each.listen(BACKLOG)
    except OSError:
        for each in made:
            each.close()
        raise
    return made


def unix_socket(directory: str, name: str, mode: int, backlog: int = BACKLOG) -> socket.socket:
    """A unix socket that listens as `name` in `directory`, with these permissions; what had the name is replaced. Raises `OSError`.

    The directory's path may be longer than a socket's, which has 108 bytes (unix(7)).
    """
    path = f"{directory}/{name}"
    if os.path.lexists(path):
        os.unlink(path)
    place = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(f"/proc/self/fd/{place}/{name}")
        os.chmod(path, mode)
        made.listen(backlog)
    except OSError as error:
        made.close()
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(place)
    return made
