"""What a script may know of a message, and one run of it: variables, flags, and the actions so far, within their limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .actions import FileInto, Forward, Keep
from .errors import SieveError
from .fields import SieveHeader
from .variables import Template, Variables

if TYPE_CHECKING:
    from .actions import Action
    from .matching import Effort

MOST_ACTIONS: Final = 32
MOST_FORWARDS: Final = 4  # where whoever runs a script says nothing else
LONGEST_STRING: Final = 65_536  # characters that a string has when its variables are filled in


class SievePart(NamedTuple):
    """A leaf of a message: its media type in small letters, its `content` as characters, and its `text`, which has no markup."""

    kind: str
    content: str
    text: str


def _nothing() -> Iterable[SievePart]:
    return ()


def _nowhere(_: str) -> bool:
    return False


def _greenwich(_: float) -> int:
    return 0


class MailFacts(NamedTuple):
    """What a script may know of a message.

    `words` reads the value of a field as people do; `zone` says the minutes that local time is ahead at a moment. `header` has CRLF line
    ends; `size` is that of the whole message. `parts` gives each leaf of the message; `raw` its body as it is. `has_folder` and
    `has_role` (a special use, as ``\\Junk``) tell of the mailbox.
    """

    header: bytes
    size: int
    sender: str
    recipient: str
    words: Callable[[str], str]
    now: float
    parts: Callable[[], Iterable[SievePart]] = _nothing
    raw: Callable[[], str] = str
    has_folder: Callable[[str], bool] = _nowhere
    has_role: Callable[[str], bool] = _nowhere
    zone: Callable[[float], int] = _greenwich
    environment: Mapping[str, str] = {}


class Run:
    """One run of a script."""

    def __init__(self, facts: MailFacts, effort: Effort, forwards: int = MOST_FORWARDS) -> None:
        self.facts = facts
        self.effort = effort
        self.most_forwards = forwards
        self.header = SieveHeader(facts.header, facts.words)
        self.variables = Variables()
        self.flags: list[str] = []
        self.actions: list[Action] = []
        self.is_kept = True  # the implicit keep, RFC 5228 §2.10.2
        self.body: list[SievePart] | None = None

    def begin(self) -> None:
        """Begin with a script: variables and flags are each script's own."""
        self.variables = Variables()
        self.flags = []

    def text(self, value: Any, line: int) -> str:
        """A string of the script as it is now. Raises `SieveError` where it has grown too long."""
        if not isinstance(value, Template):
            return str(value)
        found = self.variables.filled(value)
        self.effort.spend(len(found), line)
        if len(found) > LONGEST_STRING:
            raise SieveError(line, f"a string has more than {LONGEST_STRING} characters with its variables")
        return found

    def texts(self, values: Sequence[Any], line: int) -> list[str]:
        """Strings of the script as they are now. Raises `SieveError` as `text` does."""
        return [self.text(value, line) for value in values]

    def act(self, action: Action, line: int, *, kept: bool = False) -> None:
        """Note an action; but for those that leave the implicit keep, it is cancelled. Raises `SieveError` where there are too many."""
        self.is_kept = self.is_kept and kept
        if self._is_there(action):
            return
        self.actions.append(action)
        if len(self.actions) > MOST_ACTIONS:
            raise SieveError(line, f"the script takes more than {MOST_ACTIONS} actions")
        if isinstance(action, Forward) and sum(isinstance(each, Forward) for each in self.actions) > self.most_forwards:
            raise SieveError(line, f"the script redirects to more than {self.most_forwards} addresses")

    def _is_there(self, action: Action) -> bool:
        """Whether it, or one that does the same, was noted before: of two into one folder the second says with which flags."""
        for nth, each in enumerate(self.actions):
            if _place(each) == _place(action):
                self.actions[nth] = _merged(each, action)
                return True
        return False


def _place(action: Action) -> object:
    """What makes two actions one."""
    if isinstance(action, Forward):
        local, _, domain = action.address.rpartition("@")
        return "forward", local, domain.lower()
    if isinstance(action, FileInto):
        return "folder", "INBOX" if action.folder.upper() == "INBOX" else action.folder, action.role.lower()
    return ("folder", "INBOX", "") if isinstance(action, Keep) else type(action)


def _merged(before: Action, after: Action) -> Action:
    if isinstance(before, FileInto) and isinstance(after, FileInto):
        return after._replace(create=before.create or after.create)
    if isinstance(before, Keep | FileInto) and isinstance(after, Keep | FileInto):
        return before._replace(flags=after.flags)
    return before
