"""Writing to a Maildir: a directory with ``tmp/``, ``new/`` and ``cur/`` and a file a message, which any mail program reads.

A file is written under ``tmp/`` and then renamed, so that no reader sees half of a message. Its name is unique on all machines that share
the directory: the time, the process, a number within it, and the host (https://cr.yp.to/proto/maildir.html).
"""

from __future__ import annotations

import itertools
import os

from . import durable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_count = itertools.count(1)


def make_maildir(root: str) -> None:
    """Make the directory and the three within it that are not there, for its owner alone. Raises `OSError`."""
    for path in (root, f"{root}/tmp", f"{root}/new", f"{root}/cur"):
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)


def write_message(root: str, parts: Iterable[bytes], at: float, *, seen: bool = False, synced: bool = True) -> str:
    """Write a message that came `at` (seconds since the epoch) to ``new/``, or `seen` to ``cur/``; returns its path. Raises `OSError`.

    It survives a power failure, unless `synced` is off.
    """
    host = os.uname().nodename.replace("/", "\\057").replace(":", "\\072")
    moment = f"{at:.6f}".replace(".", ".M")
    name = f"{moment}P{os.getpid()}Q{next(_count)}.{host}"
    hidden, kept = f"{root}/tmp/{name}", f"{root}/cur/{name}:2,S" if seen else f"{root}/new/{name}"
    if synced:
        durable.write_new(hidden, parts)
        durable.publish(hidden, kept)
        return kept
    try:
        with open(hidden, "xb", buffering=0) as file:
            file.writelines(parts)
        os.rename(hidden, kept)
    except OSError:
        if os.path.lexists(hidden):
            os.unlink(hidden)
        raise
    return kept
