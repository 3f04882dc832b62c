"""``mailer demo``: the whole way on this machine, in a scratch directory, while one looks on."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from mailer.demo import FATES, SENDER, Demo
from mailer.mail.problem import Problem

from . import OK, pages, show
from .options import Option, Subcommand
from .show import BLANK, Cell, Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailer.status.record import Record

    from .options import Given
    from .show import Block

EVERY = 0.1  # seconds between looks
LINES = 14  # of the report


class _Over(Exception):
    """There is nothing more to see."""


def run(given: Given) -> int:
    """Show the demonstration; 0 only if everything happened that was to happen."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # end as with Ctrl-C, and end what was started
        signal.signal(number, signal.default_int_handler)
    with Demo(given.path("--keep") or tempfile.mkdtemp(prefix="mailer-demo-")) as demo:
        try:
            _watch(demo)
            shortfalls, report = demo.shortfalls(demo.records()), demo.bounce()
        finally:
            demo.close()
            _leave(demo, clean=given.flag("--clean"))
    show.show(_end(demo, report, kept=not given.flag("--clean")))
    if shortfalls:
        raise Problem("; ".join(shortfalls), "unavailable")
    return OK


def _leave(demo: Demo, *, clean: bool) -> None:
    """Remove what the demo made, or say where it is, however it ended."""
    if clean:
        shutil.rmtree(demo.directory, ignore_errors=True)
    else:
        show.note(f"everything is in {demo.directory}")


def _watch(demo: Demo) -> None:
    """Look on until all fates are fulfilled, or it takes too long."""
    last: list[Record] = []

    def look() -> list[Record]:
        if demo.late or (last and not demo.shortfalls(last)):
            raise _Over
        demo.step()
        last[:] = demo.records()
        return last

    try:
        if show.terminal():
            show.watch(lambda: [*_begin(demo), pages.messages(look(), time.time())], EVERY)
        else:
            _tell(demo, look)
    except _Over:
        return
    raise KeyboardInterrupt  # after which `show.watch` simply returns


def _tell(demo: Demo, look: Callable[[], list[Record]]) -> None:
    """Without a terminal: a line for each thing that has changed."""
    show.show(_begin(demo))
    told: dict[str, str] = {}
    while True:
        for record in look():
            line = f"{pages.recipients(record)}, “{record.subject}”: {record.status}"
            if record.status != "sending" and (why := pages.why(record)):
                line += f", {why}"
            if told.get(record.id) != line:
                told[record.id] = line
                show.show([Line([line])])
        sys.stdout.flush()
        time.sleep(EVERY)


def _begin(demo: Demo) -> list[Block]:
    text = (
        f"A sink (an SMTP server that keeps what it gets) and a daemon run in {demo.directory}.",
        f"{SENDER} sends {len(FATES)} messages. The sink takes the first one, greylists the second,",
        "and refuses the third for good and the fourth for now.",
    )
    return [*(Line([line]) for line in text), BLANK]


def _end(demo: Demo, report: str, *, kept: bool) -> list[Block]:
    lines = [line for line in report.splitlines() if line.strip()]
    shown = lines if len(lines) <= LINES else [*lines[:LINES], "…"]
    blocks: list[Block] = [BLANK, Line([Cell(f"The report that {SENDER} got:", "strong")]), *map(_indented, shown)]
    if kept:
        config, mail = shlex.quote(str(demo.config)), shlex.quote(str(demo.mail))
        commands = [f"{_program()} {command} --config {config}" for command in ("status", "bounces", "queue list", "config show")]
        blocks += [BLANK, Line([Cell("Look around:", "strong")]), *map(_indented, [*commands, f"less {mail}/new/*"])]
    return blocks


def _program() -> str:
    """How this program is called here: a virtual environment's is seldom on the PATH."""
    called = sys.argv[0]
    if called.endswith(".py"):
        return f"{shlex.quote(sys.executable)} -m mailer"
    found = shutil.which("mailer")
    return "mailer" if found and os.path.realpath(found) == os.path.realpath(called) else shlex.quote(called)


def _indented(text: str) -> Line:
    return Line([f"    {text}"])


COMMAND = Subcommand(
    "demo",
    run,
    summary="the whole way on this machine, in a scratch directory",
    about=(
        "Starts a sink (what `mailer sink` is) and a daemon in a scratch directory, sends four messages, and shows what becomes of "
        "them: one is delivered, one is greylisted and then delivered, one is refused, which its sender is told in a report, and one "
        "has to wait. It needs no network, no root and no configuration, touches nothing outside its directory, and takes a few seconds."
    ),
    options=(
        Option("--keep", metavar="DIR", help="use DIR, which must be empty or not there yet, instead of a scratch directory"),
        Option("--clean", help="remove the directory at the end"),
    ),
    examples=("mailer demo", "mailer demo --keep ./demo"),
    epilog="exit codes: 0 all happened as it should · 64 usage · 69 something did not · 73 the directory cannot be used · 75 interrupted",
)
