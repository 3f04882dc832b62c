"""What ``mailer config`` does besides reading: a new file, whether mail could be sent with one, and the programs that others start to send.

Those are files below one directory:

====================  =========================================================
``sbin/sendmail``     a script of four lines, see `script`
``lib/sendmail``      a link to it; where sendmail was long ago, and is still called
``bin/mailq``         a link to it; its name tells the program what to do
``bin/newaliases``    the same
====================  =========================================================

A file that somebody else made is never replaced, nor is any other then: a sendmail belongs to a package that would put it back,
and whoever removes that package knows why. What this command made it replaces and removes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mailer.config import advice, file
from mailer.config.file import Mistake
from mailer.config.secret import owner_of
from mailer.config.values import find
from mailer.mail.problem import Problem, from_os

from .route import reports_lead_nowhere

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config import Config

PROGRAM = "sbin/sendmail"
LINKS = {"lib/sendmail": "../sbin/sendmail", "bin/mailq": "../sbin/sendmail", "bin/newaliases": "../sbin/sendmail"}
MARK = "# The sendmail of mailer. Made by `mailer config install-sendmail`, which also removes it."
START = """\
from mailer.io.compiled import first

first()
from mailer.cli import start

start(sys.argv)
"""
LONGEST = 120  # characters of a first line that every kernel reads, execve(2)


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


async def warnings(config: Config) -> list[Mistake]:
    """What is allowed and seldom meant; the DNS is asked whether reports about mail that fails would find their way."""
    return [*advice.warnings(config), *await reports_lead_nowhere(config)]


class Missing(NamedTuple):
    """What mail would fail on, as the user `seen_by` sees it whom root became for that; or who alone could know, the `owner`.

    `unmade`: root asks about what depends on who that is, and there is no spool yet whose owner could be known.
    """

    mistakes: list[Mistake]
    seen_by: str = ""
    owner: str = ""
    unmade: bool = False


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
    depends = config.relays or config.dkim or config.log.file
    unmade = bool(depends) and os.geteuid() == 0 and not os.path.lexists(config.spool)
    return Missing([], owner=owner.name) if owner.is_foreign else Missing([*advice.missing(config)], unmade=unmade)


def _again(path: str, config: Config) -> Config:
    """The same file as the daemon's user reads it, whose home ``~`` is then; of the spool he asks nobody."""
    again, _ = file.examine(*find(path)) if path else (None, [])
    return again.but(mailer=again.mailer.but(spool=config.spool)) if again else config


# The programs that others start


def script(executable: str, path: Sequence[str]) -> str:
    """What stands in ``sbin/sendmail``, for this interpreter with its path. Raises `Problem` (cannot-create) if it can start no script.

    The interpreter is started with ``-I``, so that no environment leads it to somebody's modules, and with ``-S``: what `site` would
    look for costs a quarter of the start of Python, and all that it would find is written down here.
    """
    first = f"#!{executable} -IS"
    if len(first) > LONGEST or len(first.split()) > 2:
        raise Problem(f"{executable} cannot start a script: its path is too long, or has a space", "cannot-create")
    home = str(Path(__file__).absolute().parents[2])
    packages = [each for each in path if os.path.basename(each) in ("site-packages", "dist-packages")]
    places = list(dict.fromkeys([home, *packages]))
    return f"{first}\n{MARK}\nimport sys\n\nsys.path += {places!r}\n{START}"


def install_programs(root: Path, executable: str, path: Sequence[str]) -> Iterator[str]:
    """Make the files below `root`, for this interpreter with its path; says of each what was done.

    Raises `Problem` (cannot-create, no-permission, io-error).
    """
    text = script(executable, path)
    foreign = [str(root / name) for name in (PROGRAM, *LINKS) if os.path.lexists(root / name) and not _ours(root, name)]
    if foreign:
        many = f"{' and '.join(foreign)} {'are' if len(foreign) > 1 else 'is'}"
        raise Problem(
            f"{many} not of mailer; nothing was changed (remove the package that has it, or choose another prefix)", "cannot-create"
        )
    yield from _put(root / PROGRAM, text)
    for name, target in LINKS.items():
        yield from _link(root / name, target)


def remove_programs(root: Path) -> Iterator[str]:
    """Remove what `install_programs` made; says of each what was done. Raises `Problem` (cannot-create) if that is not ours."""
    if not _ours(root, PROGRAM):
        raise Problem(f"{root / PROGRAM} is not of mailer; nothing was changed", "cannot-create")
    for name in (*LINKS, PROGRAM):  # the links first, since they are known by what they lead to
        path = root / name
        if _ours(root, name):
            try:
                path.unlink()
            except OSError as error:
                raise from_os("cannot remove", str(path), error) from None
            yield f"removed {path}"


def _ours(root: Path, name: str) -> bool:
    """Whether we made it: the script by its mark, a link by where it leads."""
    path = root / name
    try:
        if name in LINKS:
            return path.is_symlink() and os.readlink(path) == LINKS[name] and (_ours(root, PROGRAM) or not os.path.lexists(root / PROGRAM))
        return path.is_file() and not path.is_symlink() and MARK.encode() in path.read_bytes()[:1000]
    except OSError as error:
        raise from_os("cannot look at", str(path), error) from None


def _put(path: Path, text: str) -> Iterator[str]:
    """Write a program; whoever starts it meanwhile gets the old one or the new one."""
    try:
        if path.exists() and path.read_text() == text:
            yield f"{path} is there already"
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.write_text(text)
        new.chmod(0o755)
        new.replace(path)
    except OSError as error:
        raise from_os("cannot write", str(path), error) from None
    yield f"wrote {path}"


def _link(path: Path, target: str) -> Iterator[str]:
    if path.is_symlink():
        yield f"{path} is there already"
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)
    except OSError as error:
        raise from_os("cannot make the link", str(path), error) from None
    yield f"linked {path} to {target}"
