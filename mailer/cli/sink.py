"""``mailer sink``: an SMTP server for development. `mailer.sink` does the work; this reads its orders and prints."""

from __future__ import annotations

import asyncio
import glob
import ipaddress
import json
import os
import shutil
import signal
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from mailer.io.extras import installing
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem, from_os
from mailer.mail.text import one_line
from mailer.sink import Moods, Received, Sink
from mailer.sink.certificate import context, self_signed
from mailer.sink.server import Refusal
from mailer.smtp.server_events import PHASES

from . import OK
from .options import JSON, Option, Subcommand, usage

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from mailer.sink.page import SinkPage

    from .options import Given

PORT = 1025
WEB_PORT = 8025
NAME = "sink.localhost"
DEFAULT_REFUSAL = "550 5.1.1 no such mailbox"
DEFAULT_DEFERRAL = "451 4.3.0 try again later"


def run(given: Given) -> int:
    """Serve until SIGTERM or SIGINT."""
    show = _as_json if given.flag("--json") else _as_lines
    scratch = _Scratch()
    try:
        asyncio.run(_serve(given, scratch, show))
    finally:
        scratch.tidy()
    return OK


class _Scratch:
    """A directory for what has no place of its own, made when it is asked for."""

    def __init__(self) -> None:
        self.path = ""

    def __str__(self) -> str:
        if not self.path:
            try:
                self.path = tempfile.mkdtemp(prefix="mailer-sink-")
            except OSError as error:
                raise from_os("no scratch directory can be made", tempfile.gettempdir(), error) from None
        return self.path

    def tidy(self) -> None:
        """Remove it, unless it holds messages."""
        if self.path and not any(glob.glob(f"{glob.escape(self.path)}/mail/{folder}/*") for folder in ("new", "cur")):
            shutil.rmtree(self.path, ignore_errors=True)


def _sink(given: Given, scratch: _Scratch, told: Callable[[Received | Refusal], None]) -> tuple[Sink, dict[str, object]]:
    """The sink that was ordered, whose news `told` hears, and what is worth saying about it at its start."""
    counting = given.flag("--count")
    if counting and given.flag("--web"):
        raise usage("--count keeps nothing that --web could show", given.command.name)
    notes: dict[str, object] = {}
    maildir = None if counting else given.path("--maildir") or f"{scratch}/mail"
    if maildir:
        notes["maildir"] = maildir
    sink = Sink(
        _moods(given),
        maildir=maildir,
        keep=False,
        host=_host(given),
        port=given.number("--port", PORT, most=65535),
        name=NAME,
        tls=_tls(given, scratch, notes),
        implicit_tls=given.flag("--implicit-tls"),
        users=_users(given),
        told=None if counting else told,
    )
    return sink, notes


async def _serve(given: Given, scratch: _Scratch, show: Callable[[dict[str, object]], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    page: SinkPage | None = None

    def told(news: Received | Refusal) -> None:
        if not given.flag("--quiet"):
            show(_told(news))
        if page is not None and isinstance(news, Received):
            page.changed()

    sink, notes = _sink(given, scratch, told)
    with _listening_on(sink.address, "--port"):
        await sink.start()
    try:
        if given.flag("--web"):
            page = _page(given, str(notes["maildir"]), sink)
            with _listening_on(page.address, "--web=PORT"):
                await page.start()
            notes["web"] = page.url
        show({"event": "listening", "host": sink.address[0], "port": sink.port, **notes})
        await stop.wait()
    finally:
        if page is not None:
            await page.close()
        await sink.close()
    show({"event": "stopped", "messages": sink.count, "octets": sink.octets})


@contextmanager
def _listening_on(address: tuple[str, int], option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        host, port = address
        raise Problem(f"cannot listen on {host}:{port}: {error.strerror or error}; choose another with {option}", "unavailable") from None


def _page(given: Given, maildir: str, sink: Sink) -> SinkPage:
    """The page of what came, on the address of the sink."""
    port = given.number("--web", WEB_PORT, most=65535) if given.text("--web") else WEB_PORT
    try:
        from mailer.sink.page import SinkPage
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "jinja2"):
            raise
        raise Problem(f"--web needs the extra web: {installing('web')}", "unavailable") from None
    host, smtp = sink.address[0], sink.port
    return SinkPage(maildir, host, port, f"[{host}]:{smtp}" if ":" in host else f"{host}:{smtp}")


# -- what was ordered


def _moods(given: Given) -> Moods:
    delays: dict[str, float] = {}
    for phase, seconds in _pairs(given, "--delay"):
        delays[phase] = _seconds(given, "--delay", seconds)
    greylist = given.text("--greylist")
    try:
        return Moods(
            replies=dict(_pairs(given, "--reply")),
            delays=delays,
            drops=given.texts("--drop"),
            refuse={**dict(_pairs(given, "--refuse", DEFAULT_REFUSAL)), **dict(_pairs(given, "--defer", DEFAULT_DEFERRAL))},
            greylist=None if greylist is None else _seconds(given, "--greylist", greylist),
            every=given.number("--every", 1, least=1),
            first=given.number("--first", 0),
            magic=not given.flag("--no-magic"),
            hide=given.texts("--hide"),
            offer=given.texts("--offer"),
            max_recipients=given.number("--max-recipients", 1000),
            max_connections=given.number("--max-connections", 0),
            max_size=given.number("--max-size", 0),
        )
    except ValueError as error:
        raise usage(str(error), given.command.name) from None


def _pairs(given: Given, option: str, default: str = "") -> list[tuple[str, str]]:
    """``NAME=VALUE`` for each time that `option` was given; without a default the value must be there."""
    pairs = []
    for text in given.texts(option):
        name, _, value = text.partition("=")
        if not name or not (value or default):
            raise usage(f"{option} takes NAME=VALUE, not {text!r}", given.command.name)
        pairs.append((name, value or default))
    return pairs


def _seconds(given: Given, option: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise usage(f"{option} takes seconds, not {text!r}", given.command.name)
    return seconds


def _host(given: Given) -> str:
    """The address to listen on; only ours, unless somebody insists."""
    host = given.text("--host") or "127.0.0.1"
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not given.flag("--public"):
        raise usage(f"{host} is not a loopback address: others could send to it; say --public if that is meant", given.command.name)
    return host


def _users(given: Given) -> dict[str, str]:
    name, path = given.text("--user"), given.text("--password-file")
    if not name and not path:
        return {}
    if not name or not path:
        raise usage("--user and --password-file go together", given.command.name)
    try:
        with open(path, encoding="utf-8") as file:
            password = file.readline().rstrip("\r\n")
    except OSError as error:
        raise from_os("the password cannot be read", path, error) from None
    except UnicodeDecodeError:
        password = ""
    if not password:
        raise Problem(f"{path}: there is no password in its first line", "bad-config")
    return {name: password}


def _tls(given: Given, scratch: _Scratch, notes: dict[str, object]) -> ssl.SSLContext | None:
    """The certificate that was named, or one of our own whose path is told, so that clients can trust it."""
    certificate, key = given.path("--cert"), given.path("--key")
    if certificate:
        return context(certificate, key)
    if key or not (given.flag("--tls") or given.flag("--implicit-tls")):
        if key:
            raise usage("--key goes with --cert", given.command.name)
        return None
    certificate, key = self_signed(str(scratch), [NAME, "localhost", "127.0.0.1", "::1"])
    notes["certificate"] = certificate
    return context(certificate, key)


# -- what is printed


def _told(news: Received | Refusal) -> dict[str, object]:
    """One event as JSON shows it."""
    if isinstance(news, Received):
        return {
            "event": "taken", "at": rfc3339(news.at), "from": news.sender, "recipients": list(news.recipients), "size": len(news.content),
            "to": list(news.recipients), "octets": len(news.content),
            "peer": news.peer, "hello": news.hello, "tls": news.tls or None, "user": news.user or None, "file": news.path or None,
        }  # fmt: skip
    return {
        "event": "refused" if news.code else "dropped", "at": rfc3339(news.at), "phase": news.phase, "code": news.code or None,
        "enhanced_code": news.enhanced or None, "reply": news.text, "from": news.sender, "to": news.recipient or None, "peer": news.peer,
        "enhanced": news.enhanced or None, "text": news.text,
    }  # fmt: skip


def _as_json(event: dict[str, object]) -> None:
    _print(json.dumps(event))


def _as_lines(event: dict[str, object]) -> None:
    """The same for people. Everything in it may have come from outside."""
    for line in _LINES[str(event["event"])](event):
        _print(one_line(line))


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except BrokenPipeError:  # whoever read our lines has left, and so do we
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)


def _listening(event: dict[str, object]) -> Iterator[str]:
    host = f"[{event['host']}]" if ":" in str(event["host"]) else event["host"]
    yield f"listening on {host}:{event['port']}"
    if page := event.get("web"):
        yield f"showing it on {page}"
    if maildir := event.get("maildir"):
        yield f"keeping messages in {maildir}"
    if certificate := event.get("certificate"):
        yield f"showing the certificate {certificate}"


def _taken(event: dict[str, object]) -> Iterator[str]:
    to = ", ".join(cast("list[str]", event["to"]))
    tls = f" {event['tls']}" if event["tls"] else ""
    user = f" as {event['user']}" if event["user"] else ""
    yield f"taken <{event['from']}> -> {to} ({event['octets']} octets from {event['peer']}{tls}{user})"


def _refused(event: dict[str, object]) -> Iterator[str]:
    reply = " ".join(str(part) for part in (event["code"], event["enhanced"], event["text"]) if part)
    yield f"{event['event']} at {event['phase']}: {reply}{_envelope(event)} (from {event['peer']})"


def _envelope(event: dict[str, object]) -> str:
    if event["to"]:
        return f", <{event['from']}> -> {event['to']}"
    return f", <{event['from']}>" if event["from"] else ""


def _stopped(event: dict[str, object]) -> Iterator[str]:
    yield f"stopped; messages: {event['messages']}, octets: {event['octets']}"


_LINES: dict[str, Callable[[dict[str, object]], Iterator[str]]] = {
    "listening": _listening,
    "taken": _taken,
    "refused": _refused,
    "dropped": _refused,
    "stopped": _stopped,
}

COMMAND = Subcommand(
    "sink",
    run,
    summary="an SMTP server for development: keeps what it gets, misbehaves on order",
    about=(
        "Takes mail on a loopback address and keeps it in a Maildir; nothing is ever sent on. The first line of output is "
        "`listening on ADDRESS:PORT`; then comes a line for each message taken and each command refused.\n\n"
        "A message is kept byte by byte below lines that tell its envelope: Return-Path, and Delivered-To for each recipient. "
        "A message with bare CR, LF or NUL is refused with 554.\n\n"
        "With --web (extra `web`) a page of this machine shows what came: live, each message as HTML in a frame that runs and loads "
        "nothing, as text, header and source, with its attachments; what is deleted there can come back until more is deleted. "
        "`GET /api/messages[?q=WORDS]`, `GET` and `DELETE /api/messages/ID` and `DELETE /api/messages` are for tests in any language.\n\n"
        "A REPLY is written as on the wire: `451 4.7.1 come back later`; enhanced code and text may be left out. "
        f"A PHASE is one of {', '.join(PHASES)}; body is the end of the message."
    ),
    options=(
        Option("--host", metavar="ADDRESS", help="listen on ADDRESS instead of 127.0.0.1"),
        Option("--port", metavar="PORT", help=f"listen on PORT instead of {PORT}; 0 picks a free one"),
        Option("--public", help="allow an address that others can reach"),
        Option(
            "--maildir",
            metavar="DIR",
            help="keep messages in DIR; default: a scratch directory, which is named, and removed at the end if no message came",
        ),
        Option(
            "--web",
            metavar="PORT",
            optional=True,
            help=f"show what came on a page of this machine, on PORT instead of {WEB_PORT}; 0 picks a free one",
        ),
        Option("--count", help="keep and print no messages, only count them"),
        Option("--refuse", metavar="ADDRESS[=REPLY]", help="refuse this recipient, or @DOMAIN, for good (550 5.1.1)", repeat=True),
        Option("--defer", metavar="ADDRESS[=REPLY]", help="refuse this recipient, or @DOMAIN, for now (451 4.3.0)", repeat=True),
        Option(
            "--greylist",
            metavar="SECONDS",
            help="refuse each pair of sender and recipient with 451 until SECONDS after its first try; 0: only that try",
        ),
        Option("--reply", metavar="PHASE=REPLY", help="give this answer", repeat=True),
        Option("--delay", metavar="PHASE=SECONDS", help="answer late", repeat=True),
        Option(
            "--drop",
            metavar="PHASE",
            help="close the connection instead of answering; also at `content` (the first bytes of a message), `kept` (after keeping a "
            "message, before saying so) or after-PHASE (behind the answer)",
            repeat=True,
        ),
        Option("--every", metavar="N", help="misbehave only every N-th time"),
        Option("--first", metavar="N", help="misbehave only N times"),
        Option("--hide", metavar="EXTENSION", help="do not offer this extension", repeat=True),
        Option("--offer", metavar="LINE", help="offer this extension too, such as `DSN` or `SIZE 1000`", repeat=True),
        Option("--max-size", metavar="OCTETS", help="refuse larger messages (552)"),
        Option("--max-recipients", metavar="N", help="refuse more recipients in one transaction (452); default 1000"),
        Option("--max-connections", metavar="N", help="refuse more connections at once (421)"),
        Option("--tls", help="offer STARTTLS, with a certificate made for the occasion, whose path is told"),
        Option("--implicit-tls", help="speak TLS from the first byte"),
        Option("--cert", metavar="FILE", help="do TLS with this certificate (PEM)"),
        Option("--key", metavar="FILE", help="its key, if that is in another file"),
        Option("--user", metavar="NAME", help="ask for authentication as NAME; over TLS only, if there is TLS"),
        Option("--password-file", metavar="FILE", help="NAME's password is the first line of FILE"),
        Option("--no-magic", help="treat magic recipients like others"),
        JSON,
    ),
    examples=(
        "mailer sink",
        "mailer sink --port 2525 --maildir ~/sink --greylist 60",
        "mailer sink --reply 'rcpt=450 4.2.1 slow down' --every 3",
    ),
    epilog=(
        "magic recipients, in any domain (what follows a + does not count):\n"
        "  550@ 451@ …                    RCPT is answered with this code\n"
        "  data-451@ body-550@ …          DATA, or the message, is answered with it\n"
        "  greylist@                      451 at the first try, then taken\n"
        "  slow@ slow-2@                  answered after 5 seconds, or 2\n"
        "  timeout@                       never answered\n"
        "  drop@ drop-body@ drop-kept@    the connection is dropped: at RCPT, after\n"
        "                                 the dot, or after the message was kept\n\n"
        "exit codes: 0 stopped · 64 usage · 69 cannot listen, or cannot make a certificate"
    ),
)
