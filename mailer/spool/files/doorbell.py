"""The doorbell: a sender wakes the daemon, so that mail leaves at once and nobody has to poll.

A unix datagram socket in the spool. A datagram is the ID of the message that changed. Nothing rests
on it: it may be lost, doubled or forged, since all it does is make the daemon look, and the daemon looks
from time to time anyway.

The kernel queues few datagrams (net.unix.max_dgram_qlen), and nobody who rings waits for a place. Between two moments at which the daemon
has heard all, the queue was full only if the daemon then hears at least as many as it holds: so many stand for `EVERYTHING`.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket  # `socket` alone costs 9 ms to import

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket as sockets

EVERYTHING = "*"
"""What is rung in place of an ID when there are many: the daemon looks at all that is there."""

REPORTS = "reports"
"""What is rung in place of an ID when a report of another host was taken (`mailer.reports`)."""

PORTION = 1000  # datagrams that are heard at once: the daemon has more to do
_LIMIT = 100  # a socket's path has 108 bytes, unix(7); longer ones go by way of /proc


def ring(root: str, *ids: str) -> bool:
    """Tell the daemon of the spool at `root` to look at `ids`. Whether one was there to hear it.

    Never raises: by now the messages are on disk, and no trouble with a bell may read as one with a message.
    """
    try:
        bell = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        try:
            for id in ids:
                _send(bell, root, id)
        finally:
            bell.close()
    except BlockingIOError:
        return True  # its queue is full: it is there, and sees that it was
    except OSError:
        return False
    return True


def _send(bell: socket, root: str, id: str) -> None:
    path = f"{root}/doorbell"
    if len(os.fsencode(path)) <= _LIMIT:
        bell.sendto(id.encode(), path)
        return
    directory = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        bell.sendto(id.encode(), f"/proc/self/fd/{directory}/doorbell")
    finally:
        os.close(directory)


def answers(root: str) -> bool:
    """Whether a daemon hangs on the doorbell of the spool at `root`. Nothing is sent. By way of /proc, for the path may be long."""
    bell = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    try:
        directory = os.open(root, os.O_PATH | os.O_CLOEXEC)
        try:
            bell.connect(f"/proc/self/fd/{directory}/doorbell")
        finally:
            os.close(directory)
    except OSError:
        return False
    finally:
        bell.close()
    return True


def hang(root: str) -> sockets.socket:
    """The daemon's end of the doorbell, bound and not blocking. An old one is replaced: the lock says that it has no owner.

    Raises `OSError` that names the file: not every file system takes sockets.
    """
    import socket as sockets

    bell = sockets.socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    path = f"{root}/doorbell"
    directory = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        if os.path.lexists(path):
            os.unlink(path)
        bell.bind(path if len(os.fsencode(path)) <= _LIMIT else f"/proc/self/fd/{directory}/doorbell")
        os.chmod(path, 0o622 if os.path.isdir(f"{root}/drop") else 0o600)
    except OSError as error:
        bell.close()
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(directory)
    return bell


def capacity(bell: sockets.socket, root: str) -> int:
    """How many datagrams the queue of `bell`, which hangs in the spool at `root`, takes at least; it is empty afterwards.

    It is tried out: a sandbox hides the kernel's settings. What others ring meanwhile is lost; the daemon looks at everything after this.
    """
    taken = 0
    sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    try:
        while taken < PORTION:
            _send(sender, root, "")
            taken += 1
    except BlockingIOError:
        pass
    finally:
        sender.close()
        listen(bell)
    return max(taken, 1)


def listen(bell: sockets.socket, most: int = PORTION + 1) -> list[str]:
    """What came in since the last call, without doubles, in order; `EVERYTHING` too if `most` or more came, the `capacity` of its queue."""
    heard: dict[str, None] = {}
    for nth in range(PORTION):
        try:
            heard[bell.recv(64).decode("ascii", "replace")] = None
        except BlockingIOError:
            break
        if nth + 1 >= most:
            heard[EVERYTHING] = None
    return list(heard)
