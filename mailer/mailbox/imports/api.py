"""What a source of mail is, and the values that it tells: folders, messages that wait there, and what cannot be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from mailer.mail.flags import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.mail.flags import Flag
    from mailer.mailbox.api import Role

MOST: Final = 256 << 20
"""Octets of a message; it is in memory while it is put."""


class SourceFolder(NamedTuple):
    """A folder of a source: `name` with ``/`` between levels, `place` is what the source itself knows it by.

    `uidvalidity` and `uidnext` are 0 where it has no UIDs. `messages` is about how many there are, -1 where nobody knows before the end.
    One that `shows_all` shows what other folders have, too; it comes last.
    """

    name: str
    place: str
    uidvalidity: int = 0
    uidnext: int = 0
    role: Role = ""
    subscribed: bool = True
    messages: int = -1
    shows_all: bool = False


class SourceMessage(NamedTuple):
    """A message that waits in a folder of a source. `place` is what the source reads it by, `where` what people find it by.

    `key` names it for good at this source; empty where it is known by its content, and by which one of equals it is. `size` is about how
    many octets it has, and `uid` 0 where it has no UID.
    """

    place: object
    where: str
    size: int
    key: str = ""
    received: float = 0.0
    flags: Flag = PLAIN
    keywords: tuple[str, ...] = ()
    uid: int = 0
    uidl: str = ""


class PassedOver(NamedTuple):
    """Something that is not taken: where it is, and why."""

    where: str
    why: str


class ImportSource(Protocol):
    """A place that mail is imported from. What makes all of it unusable raises `Problem`."""

    def folders(self) -> Sequence[SourceFolder | PassedOver]:
        """Folders of the source, parents before what is below them."""

    def waiting(self, folder: SourceFolder) -> Iterator[SourceMessage | PassedOver]:
        """The messages of a folder, in the order of their UIDs, or of their age."""

    def read(self, folder: SourceFolder, messages: Sequence[SourceMessage]) -> Iterator[tuple[SourceMessage, bytes] | PassedOver]:
        """Read these messages, with CRLF line ends; one that is gone meanwhile is passed over without a word."""

    def close(self) -> None:
        """Let go of what is open."""
