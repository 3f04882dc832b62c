"""The configuration, the files that it names, and what it says about who gets mail at all. Used by `visit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.config import advice
from mailer.config.file import at
from mailer.operate.config import warnings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mailer.config import Config
    from mailer.config.file import Mistake

PLACE = ("above the spool", "in the spool", "no spool", "the spool ")
"""What is said of the spool itself, which `place` says."""

TO_DO = (
    "run",
    "make",
    "write",
    "set ",
    "put",
    "chown",
    "chmod",
    "while no daemon",
    "it is to be",
    "as root",
    "`ls",
    "take",
    "name ",
    "use ",
)
"""How the part of a mistake begins that says what to do about it."""


def file(path: str, mistakes: Sequence[Mistake], notes: Sequence[Mistake]) -> Iterator[Finding]:
    """The configuration file: mistakes, for which the daemon does not start, and what is allowed and seldom meant."""
    if not path:
        yield Finding("configuration", "none", PASS, "the defaults hold: mail goes to the MX hosts of its recipients", "")
    elif not (mistakes or notes):
        yield Finding("configuration", path, PASS, "is right")
    yield from _found("configuration", path, mistakes, FAIL, f"mend it in {path} (mailer-config(5) has each setting), then: mailer reload")
    yield from _found("configuration", path, notes, WARN, "mailer-config(5) has each setting")


async def surprising(config: Config) -> list[Mistake]:
    """What is allowed and seldom meant; the DNS is asked."""
    return await warnings(config)


def files(config: Config) -> Iterator[Finding]:
    """Secrets, keys, certificates, log and aliases, as the user of this process sees them."""
    missing = [each for each in advice.missing(config) if not any(words in each.text for words in PLACE)]
    yield from _found("files", config.path, missing, FAIL, "mend it, or what names it, for the user that the daemon runs as")
    if not missing:
        secrets = sum(bool(relay.secret or relay.oauth) for relay in config.relays.values())
        named = [f"{many} {what}" for many, what in ((secrets, "secrets"), (len(config.dkim), "keys")) if many]
        text = f"{' and '.join(named)} can be read, by nobody else" if named else "none is needed"
        yield Finding("files", config.path or "none", PASS, text)


def _found(check: str, path: str, mistakes: Iterable[Mistake], worth: str, remedy: str) -> Iterator[Finding]:
    for each in mistakes:
        text, _, hint = each.text.rpartition("; ")
        parted = text and hint.startswith(TO_DO)
        where = at(path, each).removesuffix(f": {each.text}")
        yield Finding(check, where or "the defaults", worth, text if parted else each.text, hint if parted else remedy)


def sandbox(config: Config) -> Iterator[Finding]:
    """Whether mail gets to whom it names."""
    if config.sandbox.holds:
        line = config.lines.get("sandbox.mode", 0)
        remedy = f'if this machine is to send mail: mode = "live" below [sandbox] ({config.path}:{line}), then mailer reload'
        yield Finding("sandbox", config.sandbox.mode, WARN, config.sandbox.words, remedy)


def closed_to(path: str) -> Finding:
    """What is said where the user whom the daemon runs as cannot read the configuration."""
    return Finding("configuration", path, FAIL, "the user whom the daemon runs as cannot read it", f"chmod 644 {path}")


def told(config: Config) -> Iterator[Finding]:
    """Whether somebody hears of an alarm besides the log, and how."""
    command, mail = config.alarm.command, config.alarm.mail
    line = config.lines.get("alarm.command", 0)
    if text := advice.mute(config).removeprefix("alarm.command: "):
        yield Finding("alarms", "told by", FAIL, text, f"a program that is there, as command of [alarm] ({config.path}:{line})")
        return
    ways = [*([f"a mail to {', '.join(mail)}"] if mail else []), *([f"the command {command[0]}"] if command else [])]
    yield Finding("alarms", "told by", PASS, " and ".join(["the log", "mailer status", *ways]))
