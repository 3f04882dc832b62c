"""The manual pages that lie beside the program, for machines without man(1).

A clone has them in ``man/``; a wheel puts them into ``share/man`` of the environment that it is installed in, and Debian's package into
``/usr/share/man``. All of these are below a directory that the program itself is in.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).resolve().parents[1]


def there(program: Path = PROGRAM) -> dict[str, Path]:
    """The file of each page by its title, such as ``mailer-send.1``; `program` is the directory of the package."""
    found: dict[str, Path] = {}
    for path in _files(program):
        found.setdefault(path.name.removesuffix(".gz"), path)
    return found


def _files(program: Path) -> Iterator[Path]:
    yield from sorted(program.parent.glob("man/mailer*.[1-8]"))
    for above in program.parents:
        yield from sorted(above.glob("share/man/man[1-8]/mailer*.[1-8]*"))


def find(topic: str, program: Path = PROGRAM) -> Path:
    """The page about `topic`: a command (``send``, ``queue list``), a page (``mailer-spool``) or what follows ``mailer-`` in its name,
    with or without the section (``config.5``); nothing is the overview.

    What is none of these may be a section of the configuration (``sandbox``, ``[relay]``), and is described with all of it.
    Raises `Problem` (no-such).
    """
    pages = there(program)
    names = [topic, f"mailer-{topic}", f"mailer-{topic.partition(' ')[0]}"] if topic else ["mailer"]
    if topic.strip("[]").partition(".")[0] in sections():
        names.append("mailer-config.5")
    for name in names:
        for title, path in sorted(pages.items(), key=lambda page: page[0].rpartition(".")[2]):
            if name in (title, title.rpartition(".")[0]):
                return path
    if not pages:
        raise Problem(f"the manual pages were not installed with {program}; `mailer COMMAND --help -v` says nearly as much", "no-such")
    raise Problem(f"there is no manual page about {topic!r}; there are {', '.join(words(program))}", "no-such")


def sections() -> set[str]:
    """The words of the sections of a configuration."""
    from mailer.config.model import SECTIONS

    return {section.word for section in SECTIONS}


def words(program: Path = PROGRAM) -> list[str]:
    """What `find` can be asked for, without the sections."""
    return sorted({title.rpartition(".")[0].removeprefix("mailer-") for title in there(program)})


def read(path: Path) -> str:
    """The text of a page, which may be compressed. Raises `OSError`."""
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
