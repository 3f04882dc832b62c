"""What is asked of a spool and its status together, and what may be done with its messages.

Two answer: `mailer.status.view.View` reads spool and database itself, `mailer.intake.client.RemoteView` asks the daemon for the mail
of one user. Who asks (`mailer.operate`, the command line) goes by `MailView` and `QueueActs`, and by neither class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.spool.api import Entry

    from .daemon import DaemonState
    from .destinations import Standing
    from .filter import Filter
    from .record import Record
    from .sqlite.reader import Undelivered, Waiting
    from .story import Story
    from .view import Summary


class QueueActs(Protocol):
    """The acts on single messages. Each raises `NoSuchMessage`, `Busy`, `CorruptMessage`, `OSError`, `Problem`."""

    @property
    def root(self) -> str:
        """The directory of the spool."""

    def read(self, id: str, /) -> Entry:
        """The envelope and the outcomes of message `id`."""

    def content(self, id: str, /) -> bytes:
        """Message `id` as RFC 5322 bytes."""

    def hold(self, id: str, /) -> object:
        """Take message `id` out of delivery."""

    def release(self, id: str, /) -> object:
        """Give message `id` back to delivery."""

    def retry(self, id: str, /) -> object:
        """Let message `id` be due now."""

    def cancel(self, id: str, at: float, /) -> object:
        """Give up what of message `id` has not left; `at` is now, in seconds since the epoch."""

    def ring(self, id: str, /) -> object:
        """Tell the daemon that something was done with message `id`."""


class MailView(Protocol):
    """Spool and database at one moment, or one user's part of them; a context manager. Every method raises `Problem`."""

    @property
    def notes(self) -> Sequence[str]:
        """What could not be read, a line each."""

    @property
    def spool(self) -> QueueActs:
        """The acts on the messages that are seen."""

    @property
    def daemon(self) -> DaemonState:
        """Whether a daemon runs, and what it has in hand."""

    def __enter__(self) -> Self:
        """The view, open."""

    def __exit__(self, *_: object) -> None:
        """Nothing is asked any more."""

    def message(self, id: str) -> Record | None:
        """What became of message `id`."""

    def find(self, name: str) -> list[Record]:
        """The messages that `name` means: an ID, else a Message-ID or a request id; oldest first."""

    def story(self, record: Record, most: int = -1) -> Story:
        """The whole story of the message of `record`, with all of its attempts or the last ones, so many at `most`."""

    def messages(self, wanted: Filter) -> Iterator[Record]:
        """The messages that are meant, newest first."""

    def queue(self, wanted: Filter) -> Iterator[Record]:
        """The messages of the spool that are meant, oldest first."""

    def undelivered(self, wanted: Filter) -> Iterator[Undelivered]:
        """The recipients that did not get their message, newest first."""

    def waiting(self) -> Iterator[Waiting]:
        """Each recipient who waits for his mail, in no order. Raises `Problem` (no-permission) where only the user's own mail is seen."""

    def standings(self) -> Sequence[Standing]:
        """What the daemon says of its destinations; nothing where only the user's own mail is seen."""

    def summary(self) -> Summary:
        """The spool at a glance."""
