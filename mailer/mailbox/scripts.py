"""What the owner of a mailbox has said about mail that comes: scripts, rules, an answer while he is away, forwards; and what came of it.

Rules and the answer are kept as JSON, which `mailer.filing.rules` reads and nothing here does. An address that mail is forwarded to counts
only when it was confirmed: what confirms it is a code, of which the digest is kept. Remembered is who got which answer when, and what was
sent for a message, so that a second attempt sends nothing again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, TypeVar

from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from .engine.api import Engine, Rows

    ForwardKind: TypeAlias = Literal["copy", "move", "rules"]
    """Whether all mail is forwarded and a copy stays here, all and none stays, or only what a rule or a script says."""

T = TypeVar("T")

MOST_SCRIPTS: Final = 32
MOST_RULES: Final = 200
MOST_FORWARDS: Final = 20
LONGEST_NAME: Final = 128  # characters of a script's
MOST_TRIES: Final = 10  # at the code of a forward
LASTING: Final = 7 * 86400.0  # seconds that a code can be used
REMEMBERED: Final = 31 * 86400.0  # seconds; more than the longest time between two answers

SCRIPTS: Final = "SELECT name, source, active, at FROM script WHERE owner = ? ORDER BY name"
PUT_SCRIPT: Final = """INSERT INTO script (owner, name, source, active, at) VALUES (?, ?, ?, 0, ?)
    ON CONFLICT (owner, name) DO UPDATE SET source = excluded.source, at = excluded.at"""
DELETE_SCRIPT: Final = "DELETE FROM script WHERE owner = ? AND name = ?"
ACTIVATE: Final = "UPDATE script SET active = CASE WHEN name = ? THEN 1 ELSE 0 END WHERE owner = ?"
RULES: Final = "SELECT data FROM rule WHERE owner = ? ORDER BY place"
NO_RULES: Final = "DELETE FROM rule WHERE owner = ?"
PUT_RULE: Final = "INSERT INTO rule (owner, place, data) VALUES (?, ?, ?)"
VACATION: Final = "SELECT data FROM vacation WHERE owner = ?"
NO_VACATION: Final = "DELETE FROM vacation WHERE owner = ?"
PUT_VACATION: Final = "INSERT INTO vacation (owner, data) VALUES (?, ?)"
FORWARDS: Final = "SELECT address, kind, confirmed, asked FROM forward WHERE owner = ? ORDER BY target"
PUT_FORWARD: Final = """INSERT INTO forward (owner, target, address, kind, confirmed, code, asked, tries) VALUES (?, ?, ?, ?, ?, ?, ?, 0)
    ON CONFLICT (owner, target) DO UPDATE SET kind = excluded.kind, code = excluded.code, asked = excluded.asked, tries = 0,
    confirmed = CASE WHEN forward.confirmed > 0 THEN forward.confirmed ELSE excluded.confirmed END"""
CODE: Final = "SELECT code, asked, tries, confirmed FROM forward WHERE owner = ? AND target = ?"
TRIED: Final = "UPDATE forward SET tries = tries + 1 WHERE owner = ? AND target = ?"
CONFIRM: Final = "UPDATE forward SET confirmed = ?, code = '' WHERE owner = ? AND target = ?"
DELETE_FORWARD: Final = "DELETE FROM forward WHERE owner = ? AND target = ?"
ANSWERED: Final = "SELECT at FROM answered WHERE owner = ? AND handle = ? AND sender = ?"
ANSWERS: Final = "SELECT COUNT(*) FROM answered WHERE owner = ? AND at > ? AND sender <> ''"
TOLD: Final = "SELECT COUNT(*) FROM answered WHERE owner = ? AND at > ? AND sender = ''"
ANSWER: Final = """INSERT INTO answered (owner, handle, sender, at) VALUES (?, ?, ?, ?)
    ON CONFLICT (owner, handle, sender) DO UPDATE SET at = excluded.at"""
CARRIED: Final = "SELECT 1 FROM carried WHERE owner = ? AND id = ?"
CARRY: Final = "INSERT INTO carried (owner, id, at) VALUES (?, ?, ?) ON CONFLICT (owner, id) DO NOTHING"
FORGET_ANSWERED: Final = "DELETE FROM answered WHERE owner = ? AND at < ?"
FORGET_CARRIED: Final = "DELETE FROM carried WHERE owner = ? AND at < ?"


class OwnScript(NamedTuple):
    """A script in Sieve; one that is `active` is asked of each message."""

    name: str
    source: str
    active: bool
    at: float


class OwnForward(NamedTuple):
    """An address that mail is forwarded to. Times are in seconds since the epoch; `confirmed` is 0 for one that does not count yet."""

    address: str
    kind: ForwardKind
    confirmed: float
    asked: float


class Instructions(NamedTuple):
    """All that an owner has said: scripts, rules and the answer as they are kept, and forwards."""

    scripts: Sequence[OwnScript] = ()
    rules: Sequence[str] = ()
    vacation: str = ""
    forwards: Sequence[OwnForward] = ()

    @property
    def script(self) -> OwnScript | None:
        """The script that is active."""
        return next((each for each in self.scripts if each.active), None)


class RowChange(Protocol):
    """How rows are changed: as `Engine.change`."""

    def __call__(self, act: Callable[[Rows], T]) -> T:
        """Do `act` in one transaction. What fails raises `Problem`."""


class Scripts:
    """What the owner of the rows in `engine` has said. What fails raises `Problem`, as an `Engine` does."""

    def __init__(self, engine: Engine, change: RowChange | None = None) -> None:
        """`change` is how rows are changed, by whoever has the right to."""
        self._engine = engine
        self._change: RowChange = change or engine.change

    def ready(self) -> None:
        """Raises `Problem` if nothing can be changed now."""
        self._change(lambda _: None)

    def instructions(self) -> Instructions:
        """All that he has said, as it is at one moment."""
        return self._engine.read(lambda rows: _instructions(rows, self._engine.owner))

    def put_script(self, name: str, source: str, now: float) -> None:
        """Keep a script, in place of the one of that name. Raises `Problem` (usage) for a bad name, or one more than there may be."""
        if not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
            raise Problem(f"a script is called by 1 to {LONGEST_NAME} characters that can be seen", "usage")

        def act(rows: Rows) -> None:
            rows.change(PUT_SCRIPT, (self._engine.owner, name, source, now))
            if len(rows.run(SCRIPTS, (self._engine.owner,))) > MOST_SCRIPTS:
                raise Problem(f"there are {MOST_SCRIPTS} scripts, and no more; delete one", "usage")

        self._change(act)

    def delete_script(self, name: str) -> None:
        """Forget a script. Raises `Problem` (no-such)."""
        if not self._change(lambda rows: rows.change(DELETE_SCRIPT, (self._engine.owner, name))):
            raise _no_script(name)

    def activate(self, name: str) -> None:
        """Have this script asked, and no other; none at all where `name` is empty. Raises `Problem` (no-such)."""

        def act(rows: Rows) -> None:
            if name and name not in {row[0] for row in rows.run(SCRIPTS, (self._engine.owner,))}:
                raise _no_script(name)
            rows.change(ACTIVATE, (name, self._engine.owner))

        self._change(act)

    def set_rules(self, rules: Sequence[str]) -> None:
        """Have these rules, in this order, and no others. Raises `Problem` (usage) where there are too many."""
        if len(rules) > MOST_RULES:
            raise Problem(f"there are at most {MOST_RULES} rules", "usage")

        def act(rows: Rows) -> None:
            rows.change(NO_RULES, (self._engine.owner,))
            rows.many(PUT_RULE, [(self._engine.owner, place, data) for place, data in enumerate(rules)])

        self._change(act)

    def set_vacation(self, data: str) -> None:
        """Have this answer, or none where `data` is empty."""

        def act(rows: Rows) -> None:
            rows.change(NO_VACATION, (self._engine.owner,))
            if data:
                rows.change(PUT_VACATION, (self._engine.owner, data))

        self._change(act)

    def add_forward(self, address: str, kind: ForwardKind, now: float, *, code: str = "", confirmed: bool = False) -> OwnForward:
        """Have mail forwarded to `address`, when the code with the digest `code` confirms it, or at once where it is `confirmed`.

        One that was confirmed stays so. Raises `Problem` (usage) where there are too many.
        """

        def act(rows: Rows) -> Sequence[OwnForward]:
            rows.change(PUT_FORWARD, (self._engine.owner, key_of(address), address, kind, now if confirmed else 0.0, code, now))
            return _forwards(rows, self._engine.owner)

        found = self._change(lambda rows: _bounded(act(rows)))
        return next(each for each in found if key_of(each.address) == key_of(address))

    def confirm_forward(self, address: str, code: str, now: float) -> bool:
        """Have a forward count from now on, if `code` is the digest of its code; whether it does. Raises `Problem` (no-such)."""
        key = key_of(address)

        def act(rows: Rows) -> bool:
            found = rows.run(CODE, (self._engine.owner, key))
            if not found:
                raise Problem(f"there is no forward to {address}", "no-such")
            kept, asked, tries, confirmed = found[0]
            if confirmed:
                return True
            rows.change(TRIED, (self._engine.owner, key))
            if kept != code or not kept or tries >= MOST_TRIES or now > asked + LASTING:
                return False
            rows.change(CONFIRM, (now, self._engine.owner, key))
            return True

        return self._change(act)

    def delete_forward(self, address: str) -> None:
        """Forward no more to `address`. Raises `Problem` (no-such)."""
        if not self._change(lambda rows: rows.change(DELETE_FORWARD, (self._engine.owner, key_of(address)))):
            raise Problem(f"there is no forward to {address}", "no-such")

    def answered(self, handle: str, sender: str) -> float:
        """When `sender` got the answer `handle` last, 0 for never."""
        found = self._engine.read(lambda rows: rows.run(ANSWERED, (self._engine.owner, handle, sender)))
        return float(found[0][0]) if found else 0.0

    def answers(self, since: float) -> int:
        """How many answers people got since then."""
        return int(self._engine.read(lambda rows: rows.run(ANSWERS, (self._engine.owner, since)))[0][0])

    def told(self, since: float) -> int:
        """How many notices the owner got since then."""
        return int(self._engine.read(lambda rows: rows.run(TOLD, (self._engine.owner, since)))[0][0])

    def carried(self, id: str) -> bool:
        """Whether the message `id` was sent for a rule before."""
        return bool(self._engine.read(lambda rows: rows.run(CARRIED, (self._engine.owner, id))))

    def note(self, id: str, now: float, *, handle: str = "", sender: str = "") -> None:
        """Remember that the message `id` was sent, and, with a `handle`, that it was the answer to `sender`, empty for the owner."""

        def act(rows: Rows) -> None:
            rows.change(CARRY, (self._engine.owner, id, now))
            if handle:
                rows.change(ANSWER, (self._engine.owner, handle, sender, now))

        self._change(act)


def forget(rows: Rows, owner: int, now: float) -> None:
    """Forget what nobody asks about any more."""
    rows.change(FORGET_ANSWERED, (owner, now - REMEMBERED))
    rows.change(FORGET_CARRIED, (owner, now - REMEMBERED))


def _instructions(rows: Rows, owner: int) -> Instructions:
    vacation = rows.run(VACATION, (owner,))
    return Instructions(
        [OwnScript(name, source, bool(active), at) for name, source, active, at in rows.run(SCRIPTS, (owner,))],
        [data for (data,) in rows.run(RULES, (owner,))],
        vacation[0][0] if vacation else "",
        _forwards(rows, owner),
    )


def _forwards(rows: Rows, owner: int) -> Sequence[OwnForward]:
    return [OwnForward(*row) for row in rows.run(FORWARDS, (owner,))]


def _bounded(found: Sequence[OwnForward]) -> Sequence[OwnForward]:
    if len(found) > MOST_FORWARDS:
        raise Problem(f"there are {MOST_FORWARDS} forwards, and no more; remove one", "usage")
    return found


def _no_script(name: str) -> Problem:
    return Problem(f"there is no script {name!r}", "no-such")
