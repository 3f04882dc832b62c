"""What mailboxes do to their files, one act between two marks, for `injected.py` to interrupt.

    python -B sealer.py ACT ROOT

``on`` and ``off`` write an index anew, ``renew`` gives it another key, ``put`` keeps two bodies, ``replace`` keeps others in their place.
Prints ``ok`` once it is done, and then only.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.mailbox.bodies.api import NewBody
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.engine import sealed
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from tests.crash.injected import BEGIN, END

FIRST, SECOND = b"\x01" * 32, b"\x02" * 32
OWNER = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
IDS = ("01BX5ZZKBKACTAV9WEVGEMMVS0", "01BX5ZZKBKACTAV9WEVGEMMVS1")
OLD, NEW = (b"old" * 1000, b"older" * 1000), (b"new" * 2000, b"newer" * 2000)
ADD = "INSERT INTO keyword (owner, folder, word, name) VALUES (1, ?, ?, 'x')"
WORDS = [(number, "w" * 200) for number in range(60)]
ALL = "SELECT folder, word FROM keyword WHERE owner = 1 ORDER BY folder"


def engine(path: str, *keys: bytes) -> SqliteEngine:
    """The rows, with these keys or none."""
    return SqliteEngine(path, connect=(lambda path, patience: sealed.opened(path, patience, keys)) if keys else None)


def kept(root: str) -> FileBodies:
    """The bodies."""
    return FileBodies(Layout(root))


def before(act: str, root: str) -> None:
    """What there is before it."""
    if act in ("on", "off", "renew"):
        rows = engine(f"{root}/index", *([] if act == "on" else [FIRST]))
        rows.change(lambda rows: rows.many(ADD, WORDS))
        rows.close()
    elif act == "replace":
        kept(root).put([NewBody(OWNER, id, (body,)) for id, body in zip(IDS, OLD, strict=True)])


def act(name: str, root: str) -> None:
    """Do it."""
    news = [NewBody(OWNER, id, (body,)) for id, body in zip(IDS, NEW, strict=True)]
    match name:
        case "on":
            sealed.convert(f"{root}/index", [], FIRST)
        case "off":
            sealed.convert(f"{root}/index", [FIRST], None)
        case "renew":
            sealed.renew(f"{root}/index", [SECOND, FIRST])
        case "put":
            kept(root).put(news)
        case "replace":
            kept(root).replace(news)


def main(name: str, root: str) -> None:
    """Do it between the marks."""
    os.access(BEGIN, os.F_OK)
    act(name, root)
    os.access(END, os.F_OK)
    os.write(1, b"ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
