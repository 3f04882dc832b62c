"""``mailer web``: the process of HTTP, in the foreground."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailer.io.loop import run_loop
from mailer.mail.problem import Problem

from . import OK, show
from .options import JSON, Subcommand
from .run import HANGUP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .options import Given


def run(given: Given) -> int:
    """Serve until told to stop."""
    try:
        from mailer.web.process import WebProcess
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "h11"):
            raise
        raise Problem("mailer web needs the extra web: pip install 'mailer-mta[web]'", "unavailable") from None

    def listening(places: Sequence[tuple[str, bool]]) -> None:
        urls = [_url(place, tls=tls) for place, tls in places]
        if given.flag("--json"):
            print(json.dumps({"event": "listening", "urls": urls}), flush=True)
        elif not given.flag("--quiet"):
            show.show([show.Line([f"listening on {url}"]) for url in urls])

    try:
        run_loop(WebProcess((given.text("--config"), given.text("--spool")), hangups=HANGUP.listen, listening=listening).run())
        return OK
    finally:
        HANGUP.ignore()


def _url(place: str, *, tls: bool) -> str:
    return f"unix:{place}" if place.startswith("/") else f"{'https' if tls else 'http'}://{place}/"


COMMAND = Subcommand(
    "web",
    run,
    summary="the process of HTTP: the API for programs, and its page",
    about=(
        'Serves HTTP at the doors of the configuration ([[listen]] with kind = "web") until SIGTERM or SIGINT; stays in the foreground and '
        "logs to standard error, each request a line. The first lines of output say where it listens. `mailer run` starts it where such a "
        "door is configured; a service of its own, mailer-web.service, does so with more confinement.\n\n"
        "What it takes is in the spool before it says so, whether the daemon runs or not. SIGHUP (`mailer reload` passes it on) reads the "
        "configuration, the certificates and the keys again; connections that are open go on. A stop lets requests end within "
        "api.stop_timeout.\n\n"
        "`GET /health` says that it answers, `GET /ready` whether mail can be taken: the spool can be written, and its disk has room."
    ),
    options=(JSON,),
    examples=("mailer web", "mailer web --config /etc/mailer/config.toml"),
    epilog=(
        "exit codes: 0 stopped · 69 it cannot listen there, or the extra web is not installed · 77 no permission · "
        "78 configuration, no door, or no API key"
    ),
)
