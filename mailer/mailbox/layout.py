"""Where on the disk the mailboxes are, and what each of them has: names that we gave, and none that a person or a stranger did.

    owners.sqlite3                who has a mailbox
    keys/N.key                    the master keys, by number
    bell/…                        what is rung when one changes (`bell`)
    u/QZ/OWNER/index.sqlite3      all about the mailbox of that owner but the messages themselves; QZ are the last two symbols of his ID
    u/QZ/OWNER/mail/4F/MAIL       a message; 4F are the two symbols of its ID that change every half minute and every quarter of an hour
    u/QZ/OWNER/tmp/…              what is being written

Messages that come together lie in one directory, so that one sync makes all their names durable, and those of years are spread over 1,024.
Whoever writes below has a directory made by `have`: for its owner alone, and durable before anything is in it.
"""

from __future__ import annotations

import os
from contextlib import suppress

from mailer.io.durable import sync_directory
from mailer.mail.problem import from_os
from mailer.spool import is_id

OWN = 0o700


class Layout:
    """The paths below `root`, the directory of all mailboxes here."""

    def __init__(self, root: str) -> None:
        self.root = root

    @property
    def owners(self) -> str:
        """The file that says who has a mailbox."""
        return f"{self.root}/owners.sqlite3"

    @property
    def keys(self) -> str:
        """The directory of the master keys."""
        return f"{self.root}/keys"

    @property
    def bell(self) -> str:
        """The directory of what is rung when a mailbox changes."""
        return f"{self.root}/bell"

    @property
    def homes(self) -> str:
        """The directory of all homes."""
        return f"{self.root}/u"

    def home(self, owner: str) -> str:
        """The directory of the owner with that ID."""
        return f"{self.homes}/{checked(owner)[-2:]}/{owner}"

    def index(self, owner: str) -> str:
        """The file with all about his mailbox but the messages."""
        return f"{self.home(owner)}/index.sqlite3"

    def mail(self, owner: str) -> str:
        """The directory of his messages."""
        return f"{self.home(owner)}/mail"

    def drafts(self, owner: str) -> str:
        """The directory of what is being written."""
        return f"{self.home(owner)}/tmp"

    def body(self, owner: str, id: str) -> str:
        """The file of a message."""
        return f"{self.mail(owner)}/{checked(id)[5:7]}/{id}"

    def is_inhabited(self) -> bool:
        """Whether there is anybody's mailbox. Raises `OSError`."""
        try:
            some = [f"{self.homes}/{name}" for name in os.listdir(self.homes)]
        except FileNotFoundError:
            return False
        homes = (f"{path}/{owner}" for path in some for owner in os.listdir(path) if is_id(owner))
        return any(os.path.lexists(f"{home}/index.sqlite3") or os.path.isdir(f"{home}/mail") for home in homes)

    def have(self, path: str) -> None:
        """Make the directory `path`, which is the root or below it, with all above it that are missing. Raises `Problem`."""
        missing = []
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path) or "/"
        for each in reversed(missing):
            try:
                with suppress(FileExistsError):  # another process was first
                    os.mkdir(each, OWN)
                sync_directory(os.path.dirname(each) or "/")
            except OSError as error:
                raise from_os("cannot make the directory", each, error) from None


def checked(id: str) -> str:
    """The ID, which becomes part of a path. Raises `ValueError` for what is none."""
    if not is_id(id):
        raise ValueError(f"not an ID: {id!r}")
    return id
