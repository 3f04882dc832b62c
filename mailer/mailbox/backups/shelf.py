"""What is where in a directory of backups: names that we gave, and none that a person or a stranger did.

    u/QZ/OWNER/mail/4F/MAIL       a message, as in `mailer.mailbox.layout`
    u/QZ/OWNER/states/STATE/      a state, whose ID tells when it was made
        index.sqlite3             all rows of the mailbox
        messages                  the IDs of its messages, a line each
        owner.json                whose it was, and how much

A state is made beside, synced, and renamed; what ends with ``.part`` was never finished.
"""

from __future__ import annotations

import json
import os
import shutil
from base64 import b64decode, b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.io.durable import NEW, PRIVATE, sync_directory, write_all
from mailer.io.lock import sole
from mailer.mail.address_key import key_of
from mailer.mail.problem import Problem, from_os
from mailer.mailbox.layout import Layout
from mailer.mailbox.owners.api import Owner
from mailer.spool import is_id, put_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

INDEX: Final = "index.sqlite3"
MESSAGES: Final = "messages"
OWNER: Final = "owner.json"
PART: Final = ".part"


class BackupState(NamedTuple):
    """A state of a mailbox: its ID, where it is, and whose mailbox it was then."""

    id: str
    path: str
    owner: Owner

    @property
    def at(self) -> float:
        """When it was made, in seconds since the epoch."""
        return put_at(self.id)

    def messages(self) -> list[str]:
        """The IDs of its messages. Raises `Problem`."""
        try:
            with open(f"{self.path}/{MESSAGES}", encoding="ascii") as file:
                return [line for line in file.read().split("\n") if is_id(line)]
        except (OSError, ValueError) as error:
            raise Problem(f"the state {self.path} has no list of its messages ({error}); take an older one", "io-error") from None


class BackupShelf:
    """The directory of backups at `root`."""

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.layout = Layout(self.root)

    def states(self, owner: str) -> Sequence[BackupState]:
        """The states of an owner's mailbox, the oldest first; those of which nobody can say whose they were are passed over.

        Raises `Problem`.
        """
        try:
            names = sorted(name for name in os.listdir(self._states(owner)) if is_id(name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise from_os("cannot look into the backup", self._states(owner), error) from None
        found = [(name, _owner(f"{self._states(owner)}/{name}/{OWNER}")) for name in names]
        return [BackupState(name, f"{self._states(owner)}/{name}", whose) for name, whose in found if whose is not None]

    def newest(self, address: str, state: str = "") -> BackupState:
        """The last state of the mailbox that had this address then, or the one with the ID `state`. Raises `Problem` (no-such)."""
        every = [each for owner in self.owners() for each in self.states(owner) if key_of(each.owner.address) == key_of(address)]
        found = [each for each in every if state in ("", each.id)]
        if not found:
            what = f"no state {state} of the mailbox" if state else "no mailbox"
            raise Problem(f"the backup {self.root} has {what} of {address}", "no-such")
        return max(found)

    def owners(self) -> Iterator[str]:
        """The IDs of all who have something here."""
        for some in _names(self.layout.homes):
            yield from (name for name in _names(f"{self.layout.homes}/{some}") if is_id(name))

    @contextmanager
    def alone(self, owner: Owner) -> Iterator[None]:
        """Have nobody else at work on what is here of an owner. Raises `Problem`: try-again where somebody is."""
        home = self.layout.home(owner.id)
        self.layout.have(home)
        with sole(f"{home}/lock", f"the backup of {owner.address} is used by another process; try again", "cannot lock the backup"):
            yield

    @contextmanager
    def beginning(self, owner: Owner, id: str) -> Iterator[str]:
        """A directory that becomes the state `id` when all is well, and else goes, as does what others left. Raises `Problem`."""
        place = self._states(owner.id)
        draft = f"{place}/{id}{PART}"
        self.layout.have(place)
        try:
            for name in os.listdir(place):
                if name.endswith(PART):
                    shutil.rmtree(f"{place}/{name}", ignore_errors=True)
            os.mkdir(draft, 0o700)
            yield draft
            sync_directory(draft)
            os.rename(draft, f"{place}/{id}")
            sync_directory(place)
        except OSError as error:
            raise from_os("cannot write the backup", error.filename or draft, error) from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def remove(self, state: BackupState) -> None:
        """Forget a state. Raises `Problem`."""
        try:
            aside = f"{state.path}{PART}"
            os.rename(state.path, aside)
            shutil.rmtree(aside)
        except OSError as error:
            raise from_os("cannot remove a state of the backup", state.path, error) from None

    def _states(self, owner: str) -> str:
        return f"{self.layout.home(owner)}/states"


def write_owner(path: str, owner: Owner, counts: dict[str, int]) -> None:
    """Write whose mailbox it is, with the keys that his row has, which are wrapped. Raises `OSError`."""
    found = {name: b64encode(value).decode() if isinstance(value, bytes) else value for name, value in owner._asdict().items()}
    write(path, [json.dumps({"owner": found, **counts}, indent=1), "\n"])


def write(path: str, texts: Iterable[str]) -> None:
    """Write a file of a state, durably. Raises `OSError`."""
    fd = os.open(path, NEW, PRIVATE)
    try:
        write_all(fd, "".join(texts).encode())
        os.fsync(fd)
    finally:
        os.close(fd)


def _owner(path: str) -> Owner | None:
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read(1 << 20))["owner"]
        for name in ("wrapped_private", "wrapped_index_key"):
            found[name] = b64decode(found[name])
        return Owner(**{name: value for name, value in found.items() if name in Owner._fields})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _names(path: str) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os("cannot look into the backup", path, error) from None
