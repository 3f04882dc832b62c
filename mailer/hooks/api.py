"""What is kept of endpoints beside their cursors in the journal: the interface, and the values that cross it.

One process sends (`mailer hooks run`), and writes states and dead events; others read, and leave a wish: switch it on or off, post again
from there on, post what is dead. A wish waits until the sender has granted it, also when none runs. There is neither a path nor a
descriptor in it: implementations are `mailer.hooks.files` and `mailer.hooks.memory`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Protocol

from mailer.journal.api import from_line
from mailer.mail.dates import parse_rfc3339, rfc3339

from .endpoint import EndpointState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal, Self

    from mailer.journal.api import JournalEvent

    HookWishWord = Literal["on", "off", "since", "dead"]

MOST_DEAD = 2 << 20
"""Octets of dead events that are kept of one endpoint at least; twice as many at most. The oldest go first."""

ABOUT: Mapping[str, str] = {"on": "switch", "off": "switch", "since": "replay", "dead": "replay"}
"""What a wish is about; of two about the same the later one holds."""


class DeadEvent(NamedTuple):
    """An event that an endpoint did not take, when it was given up (seconds since the epoch), and what the endpoint said."""

    event: JournalEvent
    at: float
    why: str

    def as_json(self) -> dict[str, object]:
        """As the file has it and ``--json`` prints it."""
        return {"given_up_at": rfc3339(self.at), "why": self.why, "event": self.event.as_json()}

    @classmethod
    def read(cls, line: bytes) -> Self | None:
        """What `line` says; None where that is nothing whole."""
        try:
            found = json.loads(line)
            event = from_line(json.dumps(found["event"]).encode())
            return cls(event, parse_rfc3339(found["given_up_at"]), str(found["why"])) if event else None
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


class HookWish(NamedTuple):
    """What somebody wants of an endpoint: ``on``, ``off`` (because of `to`), all ``since`` the event `to`, or its ``dead`` again."""

    word: HookWishWord
    to: str = ""


class HookStore(Protocol):
    """What is kept of endpoints, by their names. Methods raise `OSError` where the disk, or whatever keeps it, has trouble."""

    # The sender alone

    async def note(self, name: str, state: EndpointState) -> None:
        """Keep `state`, durably."""

    async def bury(self, name: str, dead: Sequence[DeadEvent]) -> None:
        """Keep events that were given up, durably; the oldest go where there are too many."""

    async def exhume(self, name: str, *, new: bool = True) -> Sequence[DeadEvent]:
        """The dead events that are to be posted again: all (`new`), or those that were already, and are not settled.

        They stay until `settled`, so that a crash costs none.
        """

    async def settled(self, name: str) -> None:
        """What was exhumed has been posted, or is buried anew."""

    async def granted(self, name: str, wish: HookWish) -> None:
        """Forget the wish, unless there is another one in its place."""

    # Whoever asks

    async def state(self, name: str) -> EndpointState:
        """How the endpoint did when it was noted last; that of a new one where it never was."""

    async def dead(self, name: str) -> Sequence[DeadEvent]:
        """The dead events of an endpoint, the oldest first."""

    async def wish(self, name: str, wish: HookWish) -> None:
        """Leave a wish, durably. One about the same that was not granted yet is replaced."""

    async def wishes(self, name: str) -> Sequence[HookWish]:
        """The wishes that are not granted yet."""


def state_as_json(state: EndpointState) -> dict[str, object]:
    """A state as it is kept."""
    return state._asdict()


def state_of(found: Any) -> EndpointState:
    """The state that was kept so; members that are unknown, or of another type, count as absent."""
    if not isinstance(found, dict):
        return EndpointState()
    plain = EndpointState()
    given = {name: found[name] for name in plain._fields if name in found and _fits(found[name], getattr(plain, name))}
    return plain._replace(**given)


def _fits(value: object, standard: object) -> bool:
    if isinstance(standard, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(standard)
