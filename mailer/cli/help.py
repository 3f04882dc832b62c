"""``mailer help``: the manual on this terminal, without man(1)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import OK, TABLE, load, show
from .options import Option, Subcommand

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .options import Given

WIDEST = 80  # lines of prose that are longer are hard to read


def run(given: Given) -> int:
    """Print a page, page by page on a terminal; without a word, the list of commands."""
    if not given.operands:
        code: int = load("click_face").run(["--help"], TABLE, load)
        return code
    if given.flag("--schema"):
        from mailer.operate.schemas import schema

        show.document(schema(" ".join(given.operands)))
        return OK
    from mailer.operate import pages
    from mailer.roff.plain import render

    source = pages.read(pages.find(" ".join(given.operands)))
    if not sys.stdout.isatty():
        print(render(source, WIDEST), end="")
        return OK
    show.paged(render(source, min(show.width() - 1, WIDEST), styled=show.coloured()))
    return OK


def _topics(given: Given) -> Iterable[str]:
    from mailer.operate import pages

    return () if given.operands else pages.words()


COMMAND = Subcommand(
    "help",
    run,
    summary="the manual of a command or a topic, on this terminal",
    about=(
        "Prints the manual page of COMMAND, or of a TOPIC that has one: config.5 is the configuration, `spool`, `delivery`, `providers`, "
        "`deliverability` and others are named when there is no such page; a section of "
        "the configuration, such as sandbox, is found in config.5. It needs no man(1). On a terminal it is shown page by page "
        "by `PAGER`. Without a word it lists the commands."
    ),
    operands="[COMMAND|TOPIC]",
    words=_topics,
    options=(Option("--schema", help="print the JSON Schema of what COMMAND prints with --json, instead"),),
    examples=("mailer help send", "mailer help --schema queue list", "mailer help config.5", "mailer help delivery | less"),
    epilog="exit codes: 0 printed · 64 usage · 67 there is no such page",
)
