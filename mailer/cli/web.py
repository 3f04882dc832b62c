"""``mailer web``: the process of HTTP, in the foreground."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailer.io.extras import installing
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
        raise Problem(f"mailer web needs the extra web: {installing('web')}", "unavailable") from None

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
        "Serves HTTP at the doors of the configuration, [[listen]] of the kind web, until SIGTERM or SIGINT; stays in the "
        "foreground and logs to standard error, each request a line (without keys, and without what stands behind a question "
        "mark). The first lines of output say where it listens. One serves a spool. Nobody listens before there is an API key "
        "(`mailer api key add`): that is waited for. Where users have doors of their own (kinds imap, pop3 and submission), it listens "
        "without one, for their programs ask here where these are: Thunderbird, Outlook, and phones by a profile; see mailer-access(7).\n\n"
        "`mailer run` starts it where such a door is configured, and again when it ends. As a service of its own, "
        "mailer-web.service, it may do less than the daemon and outlives it; with mailer-web.socket systemd opens the socket, "
        "also at a port below 1024, and the door whose address is the same takes it over.\n\n"
        "What it takes is in the spool before it says so, whether the daemon runs or not. SIGHUP (`mailer reload` passes it on) "
        "reads the configuration and the certificates again; connections that are open go on. A stop lets requests end within "
        "api.stop_timeout. The API is explained in mailer-api(7).\n\n"
        "`GET /health` says that it answers, `GET /ready` whether mail can be taken: the spool can be written, and its disk has "
        "room. `GET /` is a page for people, which changes nothing: what is queued and why it waits, destinations, what failed "
        "last, live. It asks once for a key with the scope status, and shows the mail of that key; with the scope operator "
        "besides, all mail. The browser keeps a cookie for 12 hours, and never the key.\n\n"
        "What is refused before anybody reads it: a header of more than 16 KiB or 100 fields (431), a body larger than "
        "api.max_body (413) or packed (415), a header, body or answer that takes too long (408, or the end), a host that is not "
        "in api.hosts (421), one connection too many (503), and whatever two readers of HTTP could understand differently (400, "
        "501). It speaks HTTP/1.1; HTTP/2, and the open network, are for a reverse proxy, which listen.proxies names. No page "
        "of another origin can read an answer."
    ),
    options=(JSON,),
    examples=("mailer web", "mailer web --config /etc/mailer/config.toml"),
    epilog=(
        "exit codes: 0 stopped · 69 it cannot listen there, or the extra web is not installed · 75 another one serves the spool · "
        "77 no permission · 78 configuration, or no door"
    ),
)
