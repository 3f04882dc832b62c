"""The options that choose messages, shared by ``status``, ``bounces`` and ``queue``, and what they mean."""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mailer.config import values
from mailer.config.quick import submission
from mailer.mail.dates import parse_rfc3339
from mailer.mail.history import DONE, LATER, PENDING, SCHEDULED
from mailer.mail.problem import Problem
from mailer.operate import selection
from mailer.spool.api import Reserve, at_once
from mailer.spool.files.store import SpoolDirectory
from mailer.status.api import Filter, every

from . import show
from .options import Option, usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.config.sections import Sandbox
    from mailer.mail.history import Word
    from mailer.status.api import MailView
    from mailer.status.record import Record

    from .options import Given
    from .show import Block

T = TypeVar("T")

OFFERED = 100
"""So many messages are looked at for what a shell offers: it is waited for at each Tab."""

TO = Option("--to", metavar="ADDRESS", help="only mail to this address; * stands for any text: '*@example.com'")
FROM = Option("--from", metavar="ADDRESS", help="only mail of this envelope sender; '<>' is the null sender")
DOMAIN = Option(
    "--domain",
    metavar="DOMAIN",
    words=lambda given: domains(given),  # noqa: PLW0108 - it stands below
    help="only mail with a recipient in this domain; '*.example.com' for those below it",
)
WORDS: tuple[Word, ...] = (*PENDING, SCHEDULED, *DONE)
STATE = Option(
    "--state", "--status", metavar="STATUS", repeat=True, words=WORDS, help="only mail that is " + ", ".join(WORDS) + "; may be repeated"
)
SUBJECT = Option("--subject", metavar="TEXT", help="only mail with this in its subject; with * it is all of it: 'disk * is full'")
SUBMITTER = Option("--submitter", metavar="USER", help="only mail that this user handed in: a name or number, smtp:ADDRESS or key:NAME")
SIZE = Option("--size", metavar="SIZE", help="only mail of that size and more: 1MB; up to it: ..10KB; between: 1MB..5MB")
SINCE = Option("--since", metavar="WHEN", help="only mail since then: 2h, 1d, 2026-11-21 or 2026-11-21T02:15:00Z")
OLDER = Option("--older", metavar="AGE", help="only mail that was queued longer ago than this: 30m, 2h, 1d")
YOUNGER = Option("--younger", metavar="AGE", help="only mail that was queued since this long ago: 30m, 2h, 1d")
LIMIT = Option("--limit", "-n", metavar="COUNT", help="show at most so many, the newest; 0 for all")


STREAM = Option("--stream", metavar="NAME", help="only mail of this stream; * stands for any text")
SELECTION = (TO, FROM, DOMAIN, STATE, SUBJECT, SUBMITTER, STREAM, SIZE, OLDER, YOUNGER)
"""What messages are selected by, wherever they are."""


def relays(given: Given) -> list[str]:
    """The names of the relays that are configured. Raises `Problem` (bad-config)."""
    from mailer.config import load

    return [*load(given.text("--config"), given.text("--spool")).relays]


def messages(given: Given) -> list[str]:
    """The IDs of the newest messages that the user may see. Raises `Problem` (bad-config, no-permission)."""
    return [record.id for record in _newest(given)]


def waiting(given: Given) -> list[str]:
    """The IDs of the newest messages that wait. Raises `Problem` (bad-config, no-permission)."""
    return [record.id for record in _newest(given, frozenset((*PENDING, SCHEDULED)))]


def domains(given: Given) -> list[str]:
    """The domains of the recipients of the newest messages. Raises `Problem` (bad-config, no-permission)."""
    return sorted({recipient.domain for record in _newest(given) for recipient in record.recipients if recipient.domain.isprintable()})


def _newest(given: Given, states: frozenset[Word] = frozenset()) -> list[Record]:
    from mailer.intake.view import view_of

    with view_of(spool_of(given)) as view:
        return list(every(partial(view.messages, Filter(states=states)), OFFERED))


def spool_of(given: Given, *, new: bool = False) -> SpoolDirectory:
    """The spool that is meant. A mistake in the daemon's part of the configuration keeps nobody from looking at it.

    One that was named has to be there, unless it may be a `new` one: that nothing waits in it is no answer. Raises `Problem` (bad-config).
    """
    root = submission(given.text("--config"), given.text("--spool")).spool
    if given.flag("--spool") and not new and not os.path.isdir(f"{root}/queued") and not _is_closed(root):
        problem = "is no spool: it has no queued/" if os.path.lexists(root) else "is not there"
        raise Problem(f"the spool {root} {problem}; a message, or `mailer run`, makes one", "bad-config")
    return SpoolDirectory(root)


def sandbox_of(given: Given) -> Sandbox:
    """The sandbox of the configuration, whether or not it holds. Raises `Problem` (bad-config)."""
    return submission(given.text("--config"), given.text("--spool")).sandbox


def lack_of(given: Given, view: MailView) -> str:
    """What the disk of the spool lacks to take more mail; empty if nothing, or that cannot be asked."""
    settings = submission(given.text("--config"), given.text("--spool"))
    try:
        return at_once(view.spool.room(Reserve(settings.min_free_space, settings.min_free_inodes)))
    except (Problem, OSError):
        return ""


def banner(sandbox: Sandbox, *, listed: bool = False) -> list[Block]:
    """What stands above whatever is said of mail while a sandbox holds. Above a list for a program it is a word to the person beside it."""
    if not sandbox.holds:
        return []
    text = f"SANDBOX: {sandbox.words}"
    if listed and not show.terminal():
        show.note(text)
        return []
    return [show.Line([show.Cell(text, "wait")]), show.BLANK]


def beside(sandbox: Sandbox) -> None:
    """Say on standard error what a sandbox does, if one holds, beside what does not say it itself."""
    if sandbox.holds:
        show.note(f"SANDBOX: {sandbox.words}")


def _is_closed(root: str) -> bool:
    """Whether there may be a spool that this user cannot look into."""
    try:
        os.stat(f"{root}/queued")
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def filter_of(given: Given, states: Sequence[Word] = (*WORDS, *LATER), *, usual: Iterable[Word] = ()) -> Filter:
    """What the options select; without ``--state`` those in the `usual` states, if any. Raises `Problem` (usage)."""
    now = time.time()
    older, younger = given.text("--older"), given.text("--younger")
    subject, size, submitter = given.text("--subject"), given.text("--size"), given.text("--submitter")
    least, most = (0, 0) if size is None else _read(given, "--size", selection.sizes, size)
    return Filter(
        to=_address(given, "--to"),
        sender=_address(given, "--from"),
        domain=_domain(given),
        states=_states(given, states) or frozenset(usual),
        since=max(since(given, now), 0.0 if younger is None else max(now - _duration(given, "--younger", younger), 0.0)),
        before=0.0 if older is None else now - _duration(given, "--older", older),
        subject="" if subject is None else _read(given, "--subject", selection.subject_pattern, subject),
        submitter="" if submitter is None else _read(given, "--submitter", selection.submitter, submitter),
        least=least,
        most=most,
        stream=(given.text("--stream") or "").lower(),
    )


def whom(given: Given) -> tuple[str, str]:
    """What ``--to`` and ``--domain`` say, empty where they are not given. Raises `Problem` (usage)."""
    return _address(given, "--to"), _domain(given)


def _read(given: Given, name: str, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise usage(f"{name} {error}" if str(error).startswith("takes") else f"{name}: {error}", given.command.name) from None


def expanded(given: Given) -> Given | None:
    """What was given, with ``-`` among names of messages replaced by those that standard input names; None if that were all, and none is.

    Raises `Problem` (usage) for a line that names none.
    """
    if "-" not in given.operands:
        return given
    try:
        found = [*dict.fromkeys(selection.names(sys.stdin or ()))]
    except (ValueError, OSError) as error:
        raise usage(str(error), given.command.name) from None
    at = given.operands.index("-")
    operands = [*given.operands[:at], *found, *(name for name in given.operands[at + 1 :] if name != "-")]
    return type(given)(given.command, given.values, operands) if operands else None


def chosen(given: Given) -> bool:
    """Whether any of these options was given."""
    return any(given.flag(option.key) for option in (*SELECTION, SINCE))


def _address(given: Given, name: str) -> str:
    """An address or a pattern. Nothing at all is refused: it is a variable that somebody forgot to set."""
    text = given.text(name)
    if text is None or text == "<>":
        return text or ""
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    if "@" not in text and "*" not in text:
        raise usage(f"{name} takes an address, or a part of one with * such as '*@example.com', not {text!r}", given.command.name)
    return text


def _domain(given: Given) -> str:
    text = given.text("--domain")
    if text is None:
        return ""
    if not text or "@" in text:
        raise usage(f"--domain takes what stands after the @, such as example.com, not {text!r}", given.command.name)
    return text


def _states(given: Given, known: Sequence[Word]) -> frozenset[Word]:
    words = [word for text in given.texts("--state") for word in text.split(",")]
    for word in words:
        if word not in known:
            raise usage(f"--state takes {', '.join(known)}, not {word!r}", given.command.name)
    return frozenset(word for word in known if word in words)


def since(given: Given, now: float) -> float:
    """The moment that ``--since`` says, in seconds since the epoch; 0.0 without it. Raises `Problem` (usage)."""
    text = given.text("--since")
    if text is None:
        return 0.0
    try:
        return parse_rfc3339(text if len(text) > 10 else text + "T00:00:00Z")
    except ValueError:
        return max(now - _duration(given, "--since", text), 0.0)


def _duration(given: Given, name: str, text: str) -> float:
    try:
        return values.duration(text)
    except ValueError:
        day = "" if name != "--since" else ", or a day such as 2026-11-21"
        raise usage(f'{name} takes "90s", "5m", "4h" or "2d"{day}, not {text!r}', given.command.name) from None
