"""What to type for an extra of this installation: the libraries that some part of the program needs, and that are missing."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Final

PACKAGED: Final = "/usr/lib/mailer"
"""Where Debian's package and the image have the program, with all extras and without pip."""
OF_DEBIAN: Final = "/var/lib/dpkg/info/mailer-mta.list"


def installing(extra: str, *, newer: bool = False) -> str:
    """The command, or the words, that bring `extra`, by the way this program itself came: Debian's package, the image, or pip.

    `newer` is for libraries that are there, and too old.
    """
    if sys.prefix == PACKAGED:
        return "apt-get install --reinstall mailer-mta" if os.path.exists(OF_DEBIAN) else "build the image anew (packaging/Containerfile)"
    pip = f"{sys.prefix}/bin/pip"
    inside = sys.prefix != sys.base_prefix and os.access(pip, os.X_OK)  # a virtual environment, which a shell may not be in
    return f"{shlex.quote(pip) if inside else 'pip'} install{' -U' if newer else ''} 'mailer-mta[{extra}]'"
