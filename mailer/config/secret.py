"""Passwords: where one is, and how it is read when it is needed.

A secret stands in a file, comes from a command or from an environment variable; never in the
configuration, on a command line, in a log or in an error. A `Secret` is only its place. Calling it
reads it each time, so that a password that was changed works without a restart.

A file that others can read is refused: whoever has left it like that should know. What this does not
cover: the environment of a process can be read by the same user, and by root.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from mailer.mail.failure import BAD_CONFIG, NO_PERMISSION, TRY_AGAIN, Failure

LONGEST = 4096  # bytes; an OAuth token may have 2000
PATIENCE = 30.0  # seconds for a command; a password manager may ask its agent


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A secret in a ``file``, from a ``command`` or an ``env`` variable. Two are equal if their place is."""

    kind: str
    place: tuple[str, ...]

    def __call__(self) -> str:
        """The secret itself. Raises `Failure`: 78 if it has to be set up better, 77 if it may not be read, 75 for now."""
        readers = {"file": _from_file, "command": _from_command, "env": _from_environment}
        return _checked(readers[self.kind](self.place), str(self))

    def __str__(self) -> str:
        names = {"file": "the file", "command": "the command", "env": "the environment variable"}
        return f"{names[self.kind]} {self.shown}"

    def __repr__(self) -> str:
        return f"Secret({self.kind} {self.shown})"

    @property
    def shown(self) -> str:
        """The place without what may itself be secret: of a command its first word only."""
        return self.place[0] if len(self.place) == 1 else f"{self.place[0]} …"


def _from_file(place: tuple[str, ...]) -> bytes:
    return read_private(place[0], "the password file", LONGEST)


def read_private(path: str, what: str, longest: int) -> bytes:
    """What is in a file that nobody else may read: `longest` bytes and one more, to tell that there are more.

    `what` is what errors call it. Raises `Failure`: 78 if it has to be set up better, 77 if it may not be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not make us wait
    except OSError as error:
        code = NO_PERMISSION if isinstance(error, PermissionError) else BAD_CONFIG
        raise Failure(f"cannot read {what} {path}: {error.strerror}", code) from None
    try:
        _refuse_public(path, what, os.fstat(fd))
        return os.read(fd, longest + 1)
    finally:
        os.close(fd)


def _refuse_public(path: str, what: str, about: os.stat_result) -> None:
    """Others may neither read a secret nor put theirs in its place."""
    if not stat.S_ISREG(about.st_mode):
        raise Failure(f"{what} {path} is no file", BAD_CONFIG)
    if about.st_uid not in (0, os.geteuid()):
        raise Failure(f"{what} {path} belongs to somebody else; chown it to the user that mailer runs as", BAD_CONFIG)
    if about.st_mode & 0o077:
        raise Failure(f"others can read {what} {path}; run: chmod 600 {path}", BAD_CONFIG)


def _from_command(place: tuple[str, ...]) -> bytes:
    """What the command prints. Its own complaints are not passed on: they could hold the secret."""
    import subprocess

    name = place[0]
    try:
        done = subprocess.run(place, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f"the password command {name} took longer than {PATIENCE:.0f} seconds", TRY_AGAIN) from None
    except OSError as error:
        raise Failure(f"cannot run the password command {name}: {error.strerror}", BAD_CONFIG) from None
    if done.returncode:
        raise Failure(f"the password command {name} failed with exit code {done.returncode}; run it by hand to see why", BAD_CONFIG)
    return done.stdout


def _from_environment(place: tuple[str, ...]) -> bytes:
    value = os.environb.get(place[0].encode())
    if value is None:
        raise Failure(f"the environment variable {place[0]}, which should hold a password, is not set", BAD_CONFIG)
    return value


def _checked(data: bytes, place: str) -> str:
    """One line of text, without the newline that editors leave at its end."""
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        secret = data.decode()
    except UnicodeDecodeError:
        raise Failure(f"the password in {place} is not text in UTF-8", BAD_CONFIG) from None
    if not secret:
        raise Failure(f"the password in {place} is empty", BAD_CONFIG)
    if len(data) > LONGEST or any(char in secret for char in "\r\n\0"):
        raise Failure(f"the password in {place} has to be one line of at most {LONGEST} bytes", BAD_CONFIG)
    return secret
