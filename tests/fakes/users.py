"""Doing things as another user of the machine, where the tests are started as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

NOBODY = 65534


_BECOME = f"""
import _json, _socket, errno, os, pwd, sys, traceback, mailer.cli.options, mailer.cli.send, mailer.mail.text, mailer.spool.files.idempotency
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
"""


def as_nobody(code: str, *arguments: str | Path, input: bytes = b"", umask: int = -1) -> subprocess.CompletedProcess[bytes]:
    """Run `code` in an interpreter that becomes the user nobody; skips the test where that cannot be.

    It may be that nobody can read the interpreter's files, so what ``mailer send`` needs is imported before that.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    argv = [sys.executable, "-c", _BECOME + code, *map(str, arguments)]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    return subprocess.run(argv, input=input, capture_output=True, umask=umask, cwd="/", env=env, timeout=60)


SEND = "from mailer.cli import main; sys.exit(main(['mailer', 'send', *sys.argv[1:]]))"
"""``mailer send`` with the arguments that follow."""


@contextmanager
def public_directory() -> Iterator[Path]:
    """A directory that other users can pass through; pytest's own are closed to them."""
    path = Path(tempfile.mkdtemp(prefix="mailer-test-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def as_somebody_else(holds: Callable[[], object]) -> bool:
    """Whether it holds for a user who may write nothing here, in a process of its own."""
    child = os.fork()
    if not child:
        with suppress(BaseException):
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os._exit(0 if holds() else 1)
        os._exit(2)
    return os.waitpid(child, 0)[1] == 0
