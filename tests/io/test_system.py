"""`mailer.io.system`: the same functions under the same names, whether or not `os` is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mailer.io import system

ROOT = Path(__file__).parents[2]


def bare(code: str, **env: str) -> str:
    """What `code` prints in an interpreter that has loaded nothing."""
    begin = f"import sys; sys.path.append({str(ROOT)!r}); from mailer.io.system import os; "
    return subprocess.run([sys.executable, "-IS", "-c", begin + code], env=env, check=True, capture_output=True).stdout.decode()


def test_it_is_os_where_that_is_loaded() -> None:
    """So whoever replaces a function of `os` replaces it for all."""
    assert system.os is os


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("print(os.O_RDONLY, os.getuid())", f"0 {os.getuid()}"),
        ("print(ascii(os.environ['NAME']), os.environ.get('OTHER'))", ascii(os.fsdecode(b"\xc3\xa4\xff")) + " None"),
        ("os.stat('/')", ""),
    ],
    ids=["constants and functions", "environment", "nothing"],
)
def test_what_posix_has_needs_no_os(code: str, printed: str) -> None:
    """Also the environment, as it was when the program started, with octets that are no text."""
    found = bare(f"{code}; print('os' in sys.modules)", NAME=os.fsdecode(b"\xc3\xa4\xff"), LC_ALL="C.UTF-8")
    assert found == f"{printed}\nFalse\n".lstrip("\n")


def test_the_rest_is_there_too() -> None:
    """`os` is loaded for it, and from then on answers all: what it changes in the environment, everybody sees."""
    code = "a = os.path.join('/a', 'b'); import os as whole; whole.environ.pop('NAME'); print(a, os.environ is whole.environ, *os.environ)"
    assert bare(code, NAME="x", LC_ALL="C.UTF-8") == "/a/b True LC_ALL\n"
    assert bare("print(hasattr(os, 'no_such'))") == "False\n"
