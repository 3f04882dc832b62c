"""A later version of a package, for what an upgrade does."""

from __future__ import annotations

import subprocess
from pathlib import Path

from mailer import __version__


def newer(package: Path, place: Path) -> Path:
    """The same package, with a higher version and a line more in a module."""
    tree = place / "newer"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {__version__}", f"Version: {__version__}+1"))
    module = next(tree.glob("usr/lib/mailer/lib/python3.*/site-packages/mailer/__init__.py"))
    module.write_text(module.read_text().replace(f'__version__ = "{__version__}"', f'__version__ = "{__version__}+1"'))
    made = place / f"mailer-mta_{__version__}+1.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, made], check=True, capture_output=True)
    return made
