"""What pip brings: the name under which it is asked for, and what lies beside the program."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from mailer import __version__

from .conftest import TREE

WRITTEN = ("README.md", "CHANGELOG.md", "config.example.toml", "man/*", "mailer/**/*.py", "examples/**/*", "packaging/**/*")

OTHERS = ("standardwebhooks",)
"""What an example is to be installed with, which is nothing of ours."""


def test_nobody_is_sent_to_another_distribution() -> None:
    """`mailer` on PyPI is something else: who is told to install it is told ``mailer-mta``, a path or a wheel."""
    asked = re.compile(r"""pip3? install (?:-\S+ )*["']?(\\?\(aq)?([\w.\\\[-]+)""")
    for pattern in WRITTEN:
        for path in filter(Path.is_file, TREE.glob(pattern)):
            for found in asked.finditer(path.read_text(errors="replace")):
                name = found[2].replace("\\-", "-").partition("[")[0]
                assert name in ("mailer-mta", ".", "", *OTHERS), f"{path.name}: {found[0]}"


@pytest.mark.xdist_group("packaging")
def test_what_is_in_the_wheel(wheel: Path) -> None:
    """Every page of the manual, the completions and the units, each where it is looked for."""
    assert wheel.name == f"mailer_mta-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as opened:
        shared = {name.partition(".data/data/share/")[2] for name in opened.namelist()}
    pages = {f"man/man{page.suffix[1:]}/{page.name}" for page in TREE.glob("man/*.[1-8]")}
    completions = {"bash-completion/completions/mailer", "zsh/site-functions/_mailer", "fish/vendor_completions.d/mailer.fish"}
    units = {f"mailer/systemd/{unit.name}" for unit in TREE.glob("packaging/systemd/*")}
    assert shared - {""} == pages | completions | units
