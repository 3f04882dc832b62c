"""What is done with a configuration besides reading it: a new file is made, and it is found out whether mail could be sent with one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from mailer.config import advice, file
from mailer.config.file import Mistake
from mailer.config.secret import owner_of
from mailer.config.values import find
from mailer.mail.problem import Problem, from_os

from .route import reports_lead_nowhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.config import Config


def create(path: str, text: str) -> None:
    """Write a new file that all may read, for it holds no secrets. Raises `Problem` (cannot-create, try-again, no-permission)."""
    directory = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
    except OSError as error:
        raise from_os("cannot make the directory", directory, error) from None
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        raise Problem(f"{path} exists already; it stays as it is", "cannot-create") from None
    except OSError as error:
        raise from_os("cannot write the configuration", path, error) from None
    with open(fd, "w", encoding="utf-8") as made:
        os.fchmod(fd, 0o644)  # whatever the umask says: every user who sends mail reads it
        made.write(text)


def warnings(config: Config) -> Iterator[Mistake]:
    """What is allowed and seldom meant; the DNS is asked whether reports about mail that fails would find their way."""
    yield from advice.warnings(config)
    yield from reports_lead_nowhere(config)


class Missing(NamedTuple):
    """What mail would fail on, as the user `seen_by` sees it whom root became for that; or who alone could know, the `owner`."""

    mistakes: list[Mistake]
    seen_by: str = ""
    owner: str = ""


def missing(path: str, config: Config) -> Missing:
    """Look for what mail would fail on with the eyes of the user whom the daemon runs as; from then on root is that user."""
    owner = owner_of(config.spool)
    import subprocess  # noqa: F401 - as all that is loaded here: the library may be closed to him whom we become

    import mailer.rewriting

    if config.dkim:
        import mailer.dkim.key  # noqa: F401
    if owner.become():
        if path and not os.access(path, os.R_OK):
            return Missing([Mistake(0, f"{owner.name}, whom the daemon runs as, cannot read this file; run: chmod 644 {path}")], owner.name)
        return Missing([*advice.missing(_again(path, config))], owner.name)
    return Missing([], owner=owner.name) if owner.is_foreign else Missing([*advice.missing(config)])


def _again(path: str, config: Config) -> Config:
    """The same file as the daemon's user reads it, whose home ``~`` is then; of the spool he asks nobody."""
    again, _ = file.examine(*find(path)) if path else (None, [])
    return again.but(mailer=again.mailer.but(spool=config.spool)) if again else config
