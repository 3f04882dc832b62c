"""Handing over: how a user who may not write the spool gets a message into it, without any privilege.

Two ways lead in, and the first that works is taken:

==============  ===========================================================================================
``intake``      a unix stream socket of the daemon, which knows by the kernel who is calling. It answers with
                the ID once the message is durable, or says why it will not have it.
``drop/``       a directory where everybody may make files and nobody may list them. It works while the daemon
                is down; what is wrong with a message then shows in the daemon's log only.
==============  ===========================================================================================

A daemon that does not answer, or is too busy to, is no reason to refuse mail: the message then goes to ``drop/`` under
the same ID, so that the daemon, if it had taken it after all, finds it to be the same.

In ``drop/`` a file has a name with a dot until it is whole. Its sender cannot open the directory to sync it. The file is synced
once more after its rename, which commits the name too on ext4, XFS and Btrfs.

A frame is its length, four bytes with the highest first, and so many bytes. A question is one: a line of ASCII and what belongs to it.
An answer is one or several, the length of each but the last with its highest bit set; its line begins with ``ok`` or with ``no``
and a number for the kind of the problem. `mailer.intake` is the other end.
"""

from __future__ import annotations

import os
import stat
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, socket
from time import sleep

from mailer.io import durable
from mailer.mail.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.mail.problem import Kind

NAME = "intake"
"""The socket's name in the spool directory."""

ANSWER_CODES: dict[Kind, int] = {
    "usage": 64,
    "bad-message": 65,
    "no-such": 67,
    "unavailable": 69,
    "bug": 70,
    "cannot-create": 73,
    "io-error": 74,
    "try-again": 75,
    "no-permission": 77,
    "bad-config": 78,
}
"""What stands in an answer for each kind of problem. These stay: a program and a daemon may be of different versions."""

PATIENCE = 60.0  # seconds for the daemon to take a piece, or to answer; it answers in milliseconds
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds before a daemon that is busy is called again; then there is ``drop/``
MORE = 1 << 31  # in a frame's length: it is not the last of its answer
LARGEST_ANSWER = 1 << 30  # bytes
_LIMIT = 100  # a socket's path has 108 bytes, unix(7); longer ones go by way of /proc


class Unanswered(OSError):
    """No daemon took the question, or none answered it. It is `busy` if it hung up: it serves only so many at a time."""

    busy = False


class HungUp(Unanswered):
    """The daemon was there, and took nothing."""

    busy = True


def hand_over(root: str, id: str, parts: tuple[bytes, ...], request: tuple[str, str] | None) -> str:
    """Hand the spool file of `parts` over; returns the ID that the message has, or "" for root, who puts it as its owner where no daemon
    answers. `request` is as for `put`. Raises `Problem` with what the daemon says against it, `OSError` if ``drop/`` does not take it.
    """
    data = b"".join((*parts, _claim(request)))
    for pause in PAUSES:
        try:
            return ask(root, f"put {id}", data)[0]
        except Unanswered as trouble:
            if not trouble.busy:
                break
            sleep(pause)
    if os.geteuid() == 0:
        return ""
    drop(root, id, data)
    return id


def _claim(request: tuple[str, str] | None) -> bytes:
    """What was asked for, where the daemon has to compare it: a line after the message, which is no part of it."""
    return b'\n{"digest":"%s"}' % request[1].encode() if request else b""


def drop(root: str, id: str, data: bytes) -> None:
    """Put the file into ``drop/``, durably. Raises `OSError`.

    Where the directory gives its group to the file, that group may read it, which is the daemon's; nobody else may.
    """
    temporary, target = f"{root}/drop/.{id}", f"{root}/drop/{id}"
    shared = os.stat(f"{root}/drop").st_mode & stat.S_ISGID
    durable.write_new(temporary, (data,), 0o640 if shared else durable.PRIVATE)
    try:
        os.rename(temporary, target)
    except BaseException:
        durable.forget(temporary)
        raise
    try:
        fd = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except FileNotFoundError:
        pass  # adopted already
    except OSError:
        durable.forget(target)
        raise


def ask(root: str, line: str, data: bytes = b"", patience: float = PATIENCE) -> tuple[str, bytes]:
    """Ask the daemon of the spool at `root`; returns what follows ``ok``, and the rest of the answer.

    Raises `Problem` with the daemon's words if it says no, `Unanswered` if there is none that answers.
    """
    question = line.encode() + b"\n" + data
    peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    try:
        peer.settimeout(patience)
        _connect(peer, root)
        peer.sendall(len(question).to_bytes(4, "big") + question)
        answer = _answer(peer)
    except HungUp:
        raise
    except (BrokenPipeError, ConnectionResetError) as error:
        raise HungUp(error.errno, error.strerror, f"{root}/{NAME}") from None
    except OSError as error:
        raise Unanswered(error.errno, error.strerror or str(error), f"{root}/{NAME}") from None
    finally:
        peer.close()
    return _understood(answer)


def _answer(peer: socket) -> bytes:
    """All of its frames together."""
    answer, more = bytearray(), MORE
    while more:
        length = int.from_bytes(_read(peer, 4), "big")
        more = length & MORE
        if len(answer) + length - more > LARGEST_ANSWER:
            raise Unanswered(0, "the answer is too long")
        answer += _read(peer, length - more)
    return bytes(answer)


def _understood(answer: bytes) -> tuple[str, bytes]:
    head, _, rest = answer.partition(b"\n")
    word, _, text = head.decode("utf-8", "replace").partition(" ")
    if word == "ok":
        return text, rest
    code, _, reason = text.partition(" ")
    if word != "no" or not code.isdigit():
        raise Problem(f"the daemon answers what this version does not understand: {head[:60]!r}", "io-error")
    kinds = {number: kind for kind, number in ANSWER_CODES.items()}
    raise Problem(reason, kinds.get(int(code), "unavailable"))


def _connect(peer: socket, root: str) -> None:
    path = f"{root}/{NAME}"
    if len(os.fsencode(path)) <= _LIMIT:
        peer.connect(path)
        return
    directory = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        peer.connect(f"/proc/self/fd/{directory}/{NAME}")
    finally:
        os.close(directory)


def _read(peer: socket, count: int) -> bytes:
    """So many bytes, or `Unanswered`."""
    data = bytearray()
    while len(data) < count:
        part = peer.recv(min(count - len(data), 1 << 20))
        if not part:
            raise HungUp(0, "the daemon hung up")
        data += part
    return bytes(data)
