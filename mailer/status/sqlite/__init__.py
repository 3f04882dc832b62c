"""What became of mail, in SQLite: one file beside the spool. A view: the spool is the truth, and no mail waits for a database.

`schema` has the tables, `rows` what an event comes to in them, `writer` the one writer, `reader` the statements of those who look,
`others` what it writes that is about no message on its way, `sums` what others report in sums, `received` what came by the doors,
`values` what rows say; `file` opens the database, `damage` whether it can be used. Here is said where that is; nobody else knows, and
nobody else imports `sqlite3`.
"""

from __future__ import annotations

from mailer.io.system import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.spool.files.store import SpoolDirectory

    from ..api import StatusReader
    from ..view import View
    from .damage import DatabaseHealth
    from .writer import SqliteRecorder

NAME = "status.sqlite3"


def recorder(root: str, report: Callable[[str], None] = lambda _: None) -> SqliteRecorder:
    """The recorder of the spool at `root`, for the daemon that has its lock; `report` is told in one line what is wrong with the file."""
    from .writer import SqliteRecorder

    return SqliteRecorder(f"{root}/{NAME}", report)


def view(spool: SpoolDirectory) -> View:
    """`spool` and its status together, for whoever may read both. Raises `Problem` (no-permission)."""
    from ..view import View
    from .reader import Reader

    spool.check_readable()
    return View(spool, Reader(spool.beside(NAME)))


def open_reader(root: str) -> StatusReader:
    """What reads the status of the spool at `root`, beside the daemon that writes it; for one thread."""
    from .reader import Reader

    return Reader(f"{root}/{NAME}")


def health(root: str) -> DatabaseHealth:
    """How it stands with the database of the spool at `root`."""
    from .damage import health

    return health(f"{root}/{NAME}")


async def rebuild(spool: SpoolDirectory) -> list[str]:
    """Begin a new database from what is in `spool`, whose lock the caller has; one that is there is kept aside.

    Returns what was done, line by line. Raises `StatusError`, `OSError`.
    """
    from .damage import filled
    from .file import move_aside

    path = spool.beside(NAME)
    done = [f"kept the database aside as {move_aside(path)}"] if os.path.lexists(path) else []
    return done + await filled(path, spool)
