"""Passwords and private keys: where one is, and how it is read when it is needed.

A secret stands in a file, comes from a command or from an environment variable; never in the
configuration, on a command line, in a log or in an error. A `Secret` is only its place. Calling it
reads it each time, so that a password that was changed works without a restart.

A file that others can read is refused: whoever has left it like that should know. What this does not
cover: the environment of a process can be read by the same user, and by root.

Secrets are for the user whom the daemon runs as, who has to be able to read them, whoever asks about them: the `FileOwner` of the spool,
for a daemon runs on no other's. Root can look with his eyes: `become` gives up all rights but his, for the rest of the process, so what he
could not read is not read, and a command for a password runs as it will. For others, `is_foreign` says that they cannot know.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
import time
from _thread import allocate_lock
from contextlib import suppress
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from subprocess import Popen

    from mailer.dkim.key import PrivateKey

LONGEST = 4096  # bytes; an OAuth token may have 2000
LONGEST_KEY = 16384  # bytes; RSA-4096 has 3300, and there may be remarks beside it
PATIENCE = 30.0  # seconds for a command; a password manager may ask its agent


class Secret:
    """A secret in a ``file``, from a ``command`` or an ``env`` variable. Two are equal if their place is."""

    __slots__ = ("kind", "place")

    def __init__(self, kind: str, place: tuple[str, ...]) -> None:
        self.kind = kind
        self.place = place

    def __call__(self, patience: float | None = None) -> str:
        """The secret, for whose command there are `patience` seconds, `PATIENCE` without them.

        Raises `Problem`: bad-config if it has to be set up better, no-permission if it may not be read, else try-again.
        """
        if self.kind == "command":
            return _checked(_from_command(self.place, PATIENCE if patience is None else patience), str(self))
        readers = {"file": _from_file, "env": _from_environment}
        return _checked(readers[self.kind](self.place), str(self))

    def __str__(self) -> str:
        names = {"file": "the file", "command": "the command", "env": "the environment variable"}
        return f"{names[self.kind]} {self.shown}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.kind, self.place) == (other.kind, other.place)

    def __hash__(self) -> int:
        return hash((self.kind, self.place))

    def __repr__(self) -> str:
        return f"Secret({self.kind} {self.shown})"

    @property
    def shown(self) -> str:
        """The place without what may itself be secret: of a command its first word only."""
        return self.place[0] if len(self.place) == 1 else f"{self.place[0]} …"


def _from_file(place: tuple[str, ...]) -> bytes:
    return read_private(place[0], "the password file", LONGEST)


def read_private(path: str, what: str, longest: int, owner: int | None = None, maker: str = "") -> bytes:
    """What is in a file that nobody else may read: `longest` bytes and one more, to tell that there are more.

    `what` is what errors call it, and `owner` the user whose it may be besides root's, by default the one who asks. `maker` says what
    makes a file that is not there. Raises `Problem`: bad-config if it has to be set up better, no-permission if it may not be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not make us wait
    except PermissionError as error:
        hint = f"it is to be that of the user whom mailer runs as: chown {os.geteuid()} {path}"
        raise Problem(f"cannot read {what} {path}: {error.strerror}; {hint}", "no-permission") from None
    except OSError as error:
        hint = f"; {maker}" if maker and isinstance(error, FileNotFoundError) else ""
        raise Problem(f"cannot read {what} {path}: {error.strerror}{hint}", "bad-config") from None
    try:
        _refuse_public(path, what, os.fstat(fd), os.geteuid() if owner is None else owner)
        return os.read(fd, longest + 1)
    finally:
        os.close(fd)


def read_key(path: str, owner: int | None = None) -> PrivateKey:
    """The private key in the PEM file at `path`; `owner` as for `read_private`.

    Raises `Problem`: bad-config if it has to be set up better, no-permission if it may not be read.
    """
    from mailer.dkim.key import KeyProblem, private_key

    pem = read_private(path, "the key file", LONGEST_KEY, owner)
    try:
        return private_key(pem)
    except KeyProblem as problem:
        raise Problem(f"the key file {path} cannot be used: {problem}", "bad-config") from None


def _refuse_public(path: str, what: str, about: os.stat_result, owner: int) -> None:
    """Others may neither read a secret nor put theirs in its place."""
    if not stat.S_ISREG(about.st_mode):
        raise Problem(f"{what} {path} is no file", "bad-config")
    if about.st_uid not in (0, owner):
        raise Problem(f"{what} {path} belongs to somebody else; chown it to the user that mailer runs as", "bad-config")
    if about.st_mode & 0o077:
        raise Problem(f"others can read {what} {path}; run: chmod 600 {path}", "bad-config")


def _from_command(place: tuple[str, ...], patience: float) -> bytes:
    """What the command prints. Its own complaints are not passed on: they could hold the secret.

    It is the head of a process group, which ends as a whole where it takes too long or prints without end, and with this program. Only at
    a terminal it stays in that of whoever called it, where it may ask for a passphrase.
    """
    import atexit
    import subprocess

    name, own = place[0], not os.isatty(0)
    until = time.monotonic() + patience
    atexit.unregister(_end)
    atexit.register(_end)
    try:
        with _starting:
            process = subprocess.Popen(
                place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, process_group=0 if own else None
            )
            _running[process] = own
    except OSError as error:
        raise Problem(f"cannot run the password command {name}: {error.strerror}", "bad-config") from None
    try:
        printed = _printed(process, until)
        if len(printed) > LONGEST + 2:
            _kill(process, own=own)
            return printed
        code = process.wait(max(until - time.monotonic(), 0))
    except (TimeoutError, subprocess.TimeoutExpired):
        _kill(process, own=own)
        raise Problem(f"the password command {name} took longer than {patience:.0f} seconds", "try-again") from None
    finally:
        _running.pop(process, None)
        assert process.stdout is not None
        process.stdout.close()
    if code:
        raise Problem(f"the password command {name} failed with exit code {code}; run it by hand to see why", "bad-config")
    return printed


def _printed(process: Popen[bytes], until: float) -> bytes:
    """What it prints until it closes its end, or a little more than a secret may have. Raises `TimeoutError`."""
    import select

    assert process.stdout is not None
    output, found = process.stdout.fileno(), b""
    poll = select.poll()
    poll.register(output, select.POLLIN)
    while len(found) <= LONGEST + 2:
        if not poll.poll(max(until - time.monotonic(), 0) * 1000):
            raise TimeoutError
        if not (data := os.read(output, LONGEST)):
            break
        found += data
    return found


_starting = allocate_lock()
_running: dict[Popen[bytes], bool] = {}
"""The commands that have been started and have not ended, and whether each heads a group."""


def _end() -> None:
    """This program ends, and whoever waited in a thread is not there to do it."""
    _starting.acquire()  # for good: none is started any more
    for process, own in [*_running.items()]:
        _kill(process, own=own)


def _kill(process: Popen[bytes], *, own: bool) -> None:
    """Nothing of it is left running, nor of what it has started."""
    if own:
        from signal import SIGKILL

        with suppress(ProcessLookupError):
            os.killpg(process.pid, SIGKILL)
    process.kill()
    process.wait()


def _from_environment(place: tuple[str, ...]) -> bytes:
    value = os.environb.get(place[0].encode())
    if value is None:
        raise Problem(f"the environment variable {place[0]}, which should hold a password, is not set", "bad-config")
    return value


def _checked(data: bytes, place: str) -> str:
    """One line of text, without the newline that editors leave at its end."""
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        secret = data.decode()
    except UnicodeDecodeError:
        raise Problem(f"the password in {place} is not text in UTF-8", "bad-config") from None
    if not secret:
        raise Problem(f"the password in {place} is empty", "bad-config")
    if len(data) > LONGEST or any(char in secret for char in "\r\n\0"):
        raise Problem(f"the password in {place} has to be one line of at most {LONGEST} bytes", "bad-config")
    return secret


class FileOwner:
    """The user `uid` with the group `gid`."""

    def __init__(self, uid: int, gid: int) -> None:
        self.uid = uid
        self.gid = gid
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:  # one that nobody has named
            self.name, self.home, self.groups = str(uid), "/", [gid]
        else:
            self.name, self.home, self.groups = entry.pw_name, entry.pw_dir, os.getgrouplist(entry.pw_name, gid)

    @property
    def is_foreign(self) -> bool:
        """Whether the one who asks is another, and not root."""
        return os.geteuid() not in (0, self.uid)

    def become(self) -> bool:
        """Be this user from now on, if that is a change and root asks for it; returns whether it was."""
        if os.geteuid() != 0 or self.uid == 0:
            return False
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        os.environ["HOME"] = self.home
        return True

    def give(self, path: str) -> None:
        """Make what root has made at `path` this user's, and nothing that somebody else has put there since. Raises `OSError`."""
        if os.geteuid() != 0 or self.uid == 0:
            return
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            known = os.fstat(fd)
            plain = stat.S_ISDIR(known.st_mode) or (stat.S_ISREG(known.st_mode) and known.st_nlink == 1)
            if not plain or known.st_uid not in (0, self.uid):
                raise PermissionError(errno.EPERM, "somebody has put something else there", path)
            os.fchown(fd, self.uid, self.gid)
        finally:
            os.close(fd)


def keeper_of(spool: str) -> FileOwner:
    """The user whose files the secrets are: the daemon's where root asks, else the one who asks."""
    return owner_of(spool) if os.geteuid() == 0 else FileOwner(os.geteuid(), os.getegid())


def owner_of(spool: str) -> FileOwner:
    """The owner of the spool; where there is none yet, the one who asks would make it his."""
    try:
        about = os.stat(spool)
    except OSError:
        return FileOwner(os.geteuid(), os.getegid())
    return FileOwner(about.st_uid, about.st_gid)


def check_ancestors(spool: str) -> None:
    """Refuse a spool that somebody else could swap for his own. Raises `Problem` (no-permission).

    Each directory above it must belong to us or to root, and others may write it only if it is sticky. Those that are still to be made
    will.
    """
    from mailer.io.machine import called

    path = os.path.dirname(os.path.realpath(spool))
    while True:
        try:
            known = os.stat(path)
        except FileNotFoundError:
            known = None
        if known and known.st_uid not in (0, os.geteuid()):
            raise Problem(f"{path}, above the spool, belongs to {called(known.st_uid)}, who could replace the spool", "no-permission")
        if known and known.st_mode & stat.S_IWOTH and not known.st_mode & stat.S_ISVTX:
            raise Problem(f"others can write {path}, above the spool, and could replace it: chmod go-w {path}", "no-permission")
        if path == "/":
            return
        path = os.path.dirname(path)
