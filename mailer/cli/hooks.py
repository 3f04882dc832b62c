"""``mailer hooks``: webhooks; the process that posts events, and how far behind each endpoint is."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from mailer.mail.problem import Problem

from . import OK, TRY_AGAIN, UNAVAILABLE, show
from .options import JSON, Option, Subcommand, usage
from .run import HANGUP

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from typing import Any

    from mailer.config import Config
    from mailer.hooks.view import EndpointView

    from .options import Given


def run(given: Given) -> int:
    """Post events until told to stop."""
    from mailer.hooks.sender import HookProcess
    from mailer.io.loop import run_loop

    try:
        run_loop(HookProcess((given.text("--config"), given.text("--spool")), hangups=HANGUP.listen).run())
        return OK
    finally:
        HANGUP.ignore()


def listing(given: Given) -> int:
    """Show the endpoints."""
    from mailer.operate import hooks

    config, now = _config(given), time.time()
    found = asyncio.run(hooks.views(config))
    if given.flag("--json"):
        for each in found:
            show.json_line(each.as_json(now))
    elif not found:
        show.note(f"{config.path or 'the configuration'} has no [[webhook]]: nobody is told of events")
    elif not given.flag("--quiet"):
        names = ("NAME", "STATE", "BEHIND", "OLDEST", "DEAD", "LAST TAKEN")
        columns = [show.Column(name, right=name in ("BEHIND", "DEAD")) for name in names]
        show.show([show.Table(columns, [[*_row(each, now)] for each in found]), *_notes(config, found, now)])
    return OK


def _row(each: EndpointView, now: float) -> Iterable[show.Value]:
    state = each.state
    yield each.hook.name
    yield show.Cell(state, {"good": "good", "off": "bad", "waits": "wait", "behind": "wait"}.get(state, ""))
    yield str(each.behind)
    yield show.span(each.seconds) if each.behind else "-"
    yield str(each.dead)
    yield show.moment(each.kept.good_at or None, now)


def _notes(config: Config, found: Iterable[EndpointView], now: float) -> Iterable[show.Block]:
    from mailer.operate import hooks

    for each in found:
        waits, text = each.kept.waits(now), each.trouble(now)
        if waits:
            text = f"{each.kept.why}; tried again in {show.ahead(waits)}" + (f"; {text}" if text else "")
        if text:
            yield show.Line([f"{each.hook.name}: {text}"])
    if not hooks.is_running(config):
        yield show.Line(["nobody posts events now: mailer run starts mailer hooks run, or start it yourself"])


def test(given: Given) -> int:
    """Post a test event, and show what the endpoint answers."""
    from mailer.operate import hooks

    config, name = _config(given), _name(given)
    came = asyncio.run(hooks.test(config, name))
    if given.flag("--json"):
        show.json_line(
            {
                "name": name,
                "verdict": came.verdict.word,
                "why": came.verdict.why or None,
                "status": came.status or None,
                "address": came.address or None,
                "seconds": round(came.took, 3),
                "answer": came.said or None,
            }
        )
    elif not given.flag("--quiet"):
        rows: list[tuple[str, show.Piece]] = [("result", "it took the event" if came.verdict.word == "good" else came.verdict.why)]
        rows += [("address", came.address)] if came.address else []
        rows += [("seconds", f"{came.took:.3f}")]
        rows += [("answer", came.said)] if came.said else []
        show.show([show.Fields(rows)])
    return {"good": OK, "wait": TRY_AGAIN}.get(came.verdict.word, UNAVAILABLE)


def replay(given: Given) -> int:
    """Let events be posted again."""
    from mailer.operate import hooks

    from .selectors import since

    name, dead = _name(given), given.flag("--dead")
    if given.flag("--since") == dead:
        raise usage("say what is to be posted again: --since WHEN, or --dead", given.command.name)
    if dead:
        return _tell(given, "dead", hooks.exhume(_config(given), name), f"{name} gets its dead events again")
    return _tell(given, "since", hooks.since(_config(given), name, since(given, time.time())), f"{name} gets all events since then again")


def enable(given: Given) -> int:
    """Switch an endpoint on."""
    from mailer.operate import hooks

    name = _name(given)
    return _tell(given, "on", hooks.enable(_config(given), name), f"{name} is switched on, and gets what it has not had")


def disable(given: Given) -> int:
    """Switch an endpoint off."""
    from mailer.operate import hooks

    name, why = _name(given), given.text("--why") or "by hand"
    line = f"{name} is switched off; its events wait as long as the journal keeps them"
    return _tell(given, "off", hooks.disable(_config(given), name, why), line)


def rotate(given: Given) -> int:
    """Replace a secret in two steps."""
    from mailer.operate import hooks

    name = _name(given)
    made = hooks.rotate(_config(given), name, finish=given.flag("--finish"))
    if given.flag("--json"):
        show.json_line({"name": name, "secret": made.secret or None, "file": made.path, "signatures": made.number})
    elif made.secret:
        show.say(made.secret)
        if not given.flag("--quiet"):
            more = (
                f"the one before signs, too, until: mailer hooks rotate {name} --finish" if made.number > 1 else "give it to the endpoint"
            )
            show.note(f"this secret is in {made.path}; {more}")
    elif not given.flag("--quiet"):
        show.say(f"only the new secret signs events for {name} now")
    return OK


def _tell(given: Given, word: str, wish: Coroutine[Any, Any, bool], line: str) -> int:
    heard = asyncio.run(wish)
    if given.flag("--json"):
        show.json_line({"name": _name(given), "wish": word, "heard": heard})
    elif not given.flag("--quiet"):
        show.say(line if heard else f"{line}, as soon as mailer hooks run does")
    return OK


def _config(given: Given) -> Config:
    from mailer.config import load

    return load(given.text("--config"), given.text("--spool"))


def _name(given: Given) -> str:
    if len(given.operands) != 1:
        raise usage("it takes the name of one webhook", given.command.name)
    return given.operands[0]


def _names(given: Given) -> list[str]:
    try:
        return [hook.name for hook in _config(given).webhooks]
    except Problem:
        return []


SIGNED = (
    "Each post has three fields in its header, as Standard Webhooks (https://www.standardwebhooks.com) has them: webhook-id is the ID of "
    "the event and never changes, webhook-timestamp is when this try was made, in seconds since 1970, and webhook-signature is v1, and the "
    "base64 of HMAC-SHA256 of ID.TIMESTAMP.BODY; libraries for many languages check that. Refuse what is older than five minutes, and what "
    "you have had by its ID: an event may arrive more than once, under the same ID. examples/webhook_receiver.py and .mjs show both."
)

COMMANDS = {
    "run": Subcommand(
        "hooks run",
        run,
        summary="the process that posts events",
        about=(
            "Posts what the journal has to each [[webhook]] of the configuration until SIGTERM or SIGINT; stays in the foreground and logs "
            "to standard error. `mailer run` starts it where there is a webhook; mailer-hooks.service does so with more confinement. One "
            "runs on a spool. SIGHUP (`mailer reload` passes it on) reads the configuration again; secrets are read anew by themselves.\n\n"
            "The body is JSON: type, timestamp, and in data the event as `mailer events` prints it. It has no subject and no text of a "
            "message. " + SIGNED + "\n\n"
            "2xx: the event was taken. 5xx, 408, 425, 429, no answer in time, or trouble with DNS or TLS: the endpoint is left alone for 5 "
            "s, 1 m, 5 m, 30 m, 2 h, and then 4 h each time, for days; Retry-After may make that longer. Then one event is tried, and when "
            "it is taken all others follow. 410: it is switched off, with an alarm, until `mailer hooks enable`. Every other 3xx and 4xx "
            "is about that event: it is tried three times within about a minute, kept apart as dead, and passed over. Up to eight posts "
            "are under way at a time; those about one message are posted one after the other, in order.\n\n"
            "An endpoint is called by https at an address that everybody can reach, which is looked up for each call and called as it was "
            "found; redirects are not followed. private = true is for endpoints of your own."
        ),
        examples=("mailer hooks run", "mailer hooks run --config /etc/mailer/config.toml"),
        epilog="exit codes: 0 stopped · 75 another one runs on the spool · 77 no permission · 78 configuration, or no [[webhook]]",
    ),
    "list": Subcommand(
        "hooks list",
        listing,
        summary="how each endpoint does, and how far behind it is",
        about=(
            "Its state: good, new (never called), waits (after a failure), behind (by more than an hour), or off. Then how many events it "
            "has not had, how old the oldest of these is, how many it has refused for good, and when it last took one."
        ),
        options=(JSON,),
        examples=("mailer hooks list",),
    ),
    "test": Subcommand(
        "hooks test",
        test,
        summary="post a test event, and show the answer",
        about=(
            "Posts one event of type test, signed as others are, whatever the state of the endpoint, and shows what it answers. One of "
            "format listmonk gets a soft bounce of test@example.invalid."
        ),
        operands="NAME",
        words=_names,
        options=(JSON,),
        examples=("mailer hooks test shop",),
        epilog="exit codes: 0 it took the event · 67 no such webhook · 69 it refused · 75 it did not answer well · 78 configuration",
    ),
    "replay": Subcommand(
        "hooks replay",
        replay,
        summary="post events again",
        about="With the IDs that they had, so a receiver that knows them takes none twice. Events come from the journal, as far back as it "
        "goes; those that were given up from a file of their own.",
        operands="NAME",
        words=_names,
        options=(
            Option("--since", metavar="WHEN", help="all events since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z"),
            Option("--dead", help="those that it has refused for good"),
            JSON,
        ),
        examples=("mailer hooks replay shop --since 1d", "mailer hooks replay shop --dead"),
    ),
    "enable": Subcommand(
        "hooks enable",
        enable,
        summary="switch an endpoint on",
        about="One that was switched off, by hand or because it answered 410, gets what it has not had. One that waits is tried at once.",
        operands="NAME",
        words=_names,
        options=(JSON,),
        examples=("mailer hooks enable shop",),
    ),
    "disable": Subcommand(
        "hooks disable",
        disable,
        summary="switch an endpoint off",
        about="It gets nothing until it is switched on. Its events wait as long as the journal keeps them (journal.retention).",
        operands="NAME",
        words=_names,
        options=(Option("--why", metavar="TEXT", help="the reason, for whoever wonders"), JSON),
        examples=("mailer hooks disable shop --why 'they move house'",),
    ),
    "rotate": Subcommand(
        "hooks rotate",
        rotate,
        summary="make the secret of an endpoint, or replace it in two steps",
        about=(
            "Prints a new secret, and writes it into the secret_file of the webhook, mode 0600, for the user whom the daemon runs as. "
            "Where there was one, both sign events from now on, within a second, and the endpoint takes either. When it has the new one, "
            "--finish takes the old one away."
        ),
        operands="NAME",
        words=_names,
        options=(Option("--finish", help="let only the new secret sign"), JSON),
        examples=("mailer hooks rotate shop", "mailer hooks rotate shop --finish"),
    ),
}
