"""What is remembered of each mailbox: a file of the spool's place of reports, one JSON object, replaced as a whole."""

from __future__ import annotations

import json
import os
from itertools import count
from typing import TYPE_CHECKING, Any

from mailer.io import durable

from .api import MARK_SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_MARK = 4 << 20  # octets of a bookmark
_count = count(1)


def bookmark(directory: str, source: str) -> dict[str, Any]:
    """What was remembered for `source`; nothing where that cannot be read."""
    try:
        with open(_path(directory, source), "rb", opener=durable.prompt) as file:
            found = json.loads(file.read(LONGEST_MARK))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def remember(directory: str, source: str, mark: Mapping[str, Any]) -> None:
    """Replace the bookmark as a whole: a crash leaves the old one or the new one. Raises `OSError`."""
    path = _path(directory, source)
    beside = f"{path}.{os.getpid()}.{next(_count)}"
    durable.write_new(beside, [json.dumps(dict(mark), separators=(",", ":")).encode(), b"\n"])
    os.rename(beside, path)


def _path(directory: str, source: str) -> str:
    if not source or source.startswith(".") or not MARK_SYMBOLS.issuperset(source):
        raise ValueError(f"{source!r} is no name of a source")
    return f"{directory}/{source}.state"
