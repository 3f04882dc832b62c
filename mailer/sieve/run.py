"""The interpreter: a script and the facts of one message in, actions out. RFC 5228

It touches nothing: what it has to know of the world comes in as `MailFacts`, and what is to be done goes out as values. It has budgets for
all that a script may do, and what goes beyond them is a `SieveError`; then nothing was done, and whoever called keeps the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from . import flags, meanings
from .actions import Discard, FileInto, Forward, Keep, Vacation
from .errors import SieveError
from .matching import Effort
from .state import MOST_FORWARDS, Run
from .tests import holds
from .variables import modified

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .actions import Action
    from .check import SieveScript
    from .grammar import Clause
    from .state import MailFacts

DAY: Final = 86_400
SHORTEST_PERIOD: Final = 3600  # seconds; RFC 6131 §2 lets a site say so
LONGEST_PERIOD: Final = 30 * DAY  # RFC 5230 §4.1


def run(script: SieveScript, facts: MailFacts, effort: Effort | None = None) -> Sequence[Action]:
    """What `script` does with the message of `facts`. Raises `SieveError`."""
    return run_in_turn([script], facts, effort)


def run_in_turn(
    scripts: Sequence[SieveScript], facts: MailFacts, effort: Effort | None = None, *, forwards: int = MOST_FORWARDS
) -> Sequence[Action]:
    """What several scripts do with one message: each is asked as long as those before it have left the implicit keep.

    They may redirect to so many `forwards`. Raises `SieveError`; its `script` is the number of the one that failed.
    """
    state = Run(facts, effort or Effort(), forwards)
    for nth, script in enumerate(scripts):
        if state.is_kept:
            state.begin()
            try:
                _run(script, state)
            except SieveError as error:
                error.script = nth
                raise
    if state.is_kept:
        state.act(Keep(tuple(state.flags)), 0, kept=True)
    return tuple(state.actions)


def _run(script: SieveScript, state: Run) -> None:
    blocks = [iter(script.commands)]
    passed = False  # whether the last if, or an elsif behind it, was true
    while blocks:
        command = next(blocks[-1], None)
        if command is None:
            blocks.pop()
            passed = True
        elif command.name == "stop":
            return
        elif command.block is not None:
            if command.name != "if" and passed:
                continue
            passed = command.name == "else" or holds(state, command.tests[0])
            if passed:
                blocks.append(iter(command.block))
        else:
            _COMMANDS[command.name](state, command)


def _flags(state: Run, command: Clause) -> tuple[str, ...]:
    """Those of the tag, or else those that were set. RFC 5232 §5"""
    if "flags" not in command.tags:
        return tuple(state.flags)
    return tuple(flags.flags_of(state.texts(command.tags["flags"][1], command.line)))


def _keep(state: Run, command: Clause) -> None:
    state.act(Keep(_flags(state, command)), command.line)


def _discard(state: Run, command: Clause) -> None:
    state.act(Discard(), command.line)


def _fileinto(state: Run, command: Clause) -> None:
    folder = meanings.check_folder(state.text(command.values[0], command.line), command.line)
    role = state.text(command.tags.get("specialuse", ("", ""))[1], command.line)
    action = FileInto(folder, _flags(state, command), "create" in command.tags, role)
    state.act(action, command.line, kept="copy" in command.tags)


def _redirect(state: Run, command: Clause) -> None:
    address = meanings.check_address(state.text(command.values[0], command.line), command.line)
    state.act(Forward(address), command.line, kept="copy" in command.tags)


def _vacation(state: Run, command: Clause) -> None:
    """RFC 5230 §4: it leaves the implicit keep, and is done once."""
    if any(isinstance(each, Vacation) for each in state.actions):
        raise SieveError(command.line, "the script answers twice")
    tags, line = command.tags, command.line
    name, period = tags.get("period", (":days", 7))
    seconds = period * (DAY if name == ":days" else 1)
    subject, author, handle = (state.text(tags.get(each, ("", ""))[1], line) for each in ("subject", "from", "handle"))
    subject, author = meanings.one_line(subject), meanings.one_line(author)
    if author:
        meanings.check_from(author, line)
    answer = Vacation(
        state.text(command.values[0], line),
        subject,
        author,
        tuple(state.texts(tags.get("addresses", ("", ()))[1], line)),
        min(max(seconds, DAY if name == ":days" else SHORTEST_PERIOD), LONGEST_PERIOD),
        handle,
        "mime" in tags,
    )
    state.act(answer, line, kept=True)


def _set(state: Run, command: Clause) -> None:
    name, value = command.values
    state.variables.set(name, modified(state.text(value, command.line), command.tags), command.line)


def _change_flags(state: Run, command: Clause) -> None:
    """``setflag``, ``addflag``, ``removeflag``, of a variable or of those that keep and fileinto take. RFC 5232 §3"""
    name, given = command.values
    new = flags.flags_of(state.texts(given, command.line))
    old = state.flags if name is None else flags.flags_of([state.variables.get(str(name))])
    if command.name == "setflag":
        found = new
    elif command.name == "addflag":
        found = flags.flags_of([*old, *new])
    else:
        found = flags.without(old, new)
    if name is None:
        state.flags = found
    else:
        state.variables.set(str(name).lower(), " ".join(found), command.line)


_COMMANDS: Final[dict[str, Callable[[Run, Clause], None]]] = {
    "keep": _keep,
    "discard": _discard,
    "fileinto": _fileinto,
    "redirect": _redirect,
    "vacation": _vacation,
    "set": _set,
    "setflag": _change_flags,
    "addflag": _change_flags,
    "removeflag": _change_flags,
}
