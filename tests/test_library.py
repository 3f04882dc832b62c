"""The library's public names: all there, each imported only when it is asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import mailer

ROOT = Path(mailer.__file__).parent.parent


def modules(code: str) -> set[str]:
    """The modules of a fresh interpreter after `code`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_nothing() -> None:
    """`import mailer` costs next to nothing, whatever the package holds."""
    ours = {name for name in modules("import mailer") if name.startswith("mailer")}
    assert ours == {"mailer"}
    assert modules("import mailer") - modules("import __future__") == {"mailer"}


def test_the_names_are_there() -> None:
    """`from mailer import …` finds each, `dir` knows them all, and each is what its own module calls so."""
    for home, names in mailer._HOMES.items():
        for name in names.split():
            assert name in dir(mailer)
            found = getattr(mailer, name)
            assert name == "Mail" or found.__module__.startswith("mailer."), "only a union has no home"
            there = getattr(sys.modules[f"mailer.{home}"], name) is found
            assert there or (name == "queue" and callable(found)), "once the room is there, that is called"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = mailer.Nothing  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        exec("from mailer import Nothing")
    with pytest.raises(AttributeError):
        _ = mailer.client.Nothing  # type: ignore[attr-defined]


def test_type_checkers_see_the_same_names() -> None:
    """What is imported for them is what is found at run time."""
    source = Path(mailer.__file__).read_text(encoding="utf-8")
    seen = re.findall(r"^    from mailer\.([\w.]+) import (\w+) as \2$", source, re.MULTILINE)
    assert sorted(seen) == sorted((home, name) for home, names in mailer._HOMES.items() for name in names.split())


def test_an_email_needs_no_network() -> None:
    """Whoever only composes does not import what connects."""
    assert not modules("from mailer import Email; Email(to='a@b.example').encode()") & {"asyncio", "ssl", "socket"}


def test_sending_into_the_spool_needs_no_client(tmp_path: Path) -> None:
    """`mailer send` pays for nothing of the library: not the client, not asyncio, not even the builder for a finished message."""
    code = (
        "import io, os, sys\n"
        "r, w = os.pipe(); os.write(w, b'Subject: x\\n\\nhello\\n'); os.close(w); os.dup2(r, 0)\n"
        "from mailer.cli import main\n"
        f"assert main(['mailer', 'send', '--spool', {str(tmp_path / 'spool')!r}, '-f', 'a@example.org', 'b@example.net']) == 0"
    )
    loaded = modules(code)
    assert not {name for name in loaded if name.startswith(("mailer.client", "mailer.compose", "mailer.net", "mailer.smtp"))}
    assert not loaded & {"asyncio", "ssl", "socket", "typing", "dataclasses", "re"} - modules("pass")
