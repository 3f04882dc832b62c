"""What every mailbox has in common: how a look into it goes, and what came of it.

A look (`MailboxSource.look`) finds what was not looked at yet, fetches it in batches, lets a `ReportTaker` take what is a report, and acts
upon what was taken: moves it, deletes it, or remembers that it was seen. The order is the law of this room: nothing happens to a message
in a mailbox before the report is on disk. What was taken and could not be acted upon comes again, to the same ID.

What a look remembers between two is a `Bookmark`: small, and kept with the reports. Losing it costs another look at what was left alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from mailer.mail.text import one_line
from mailer.sasl.client import OAuthBearer, Plain, XOAuth2
from mailer.sasl.mechanism import CredentialError

from .api import Facts
from .selecting import addressed, is_report

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mailer.sasl.mechanism import Mechanism
    from mailer.tlspolicy import Requirement

    from .api import Reports

SHOWN = 200  # characters of what a server says
BATCH = 50  # messages that are fetched and taken together
BATCH_OCTETS = 8 << 20  # octets of them, unless one alone has more
A_LOOK = 2000  # messages of one look: another follows at once
REMEMBERED = 50_000  # messages that were left alone and are not looked at again; their names have room in a bookmark (`LONGEST_MARK`)


class SourceTrouble(Exception):
    """A mailbox cannot be looked into, or not to its end: why, in one line that says what to do where that is known.

    It is `ours` where it is of no use to try again before somebody has changed something: a password, a certificate, a folder.
    """

    def __init__(self, text: str, *, ours: bool = False) -> None:
        super().__init__(text)
        self.ours = ours

    @classmethod
    def of(cls, server: MailboxServer, error: Exception) -> SourceTrouble:
        """What to say of a session with `server` that failed."""
        import ssl  # with the rest of TLS; whoever lists reports has no session

        from mailer.net import tls

        if isinstance(error, ssl.SSLError):
            return cls(f"TLS with {server.host} fails: {tls.reason(error)}", ours=isinstance(error, ssl.SSLCertVerificationError))
        if isinstance(error, TimeoutError):
            return cls(f"{server.host} does not answer in time")
        if isinstance(error, OSError):
            return cls(f"{server.host}:{server.port}: {error.strerror or error}")
        return cls(f"{server.host}: {words_of(error)}")


def words_of(error: Exception) -> str:
    """What a server said by the error that a library made of it."""
    said = error.args[0] if error.args else ""
    return one_line(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said))[:SHOWN]


class MailboxLogin(NamedTuple):
    """A login at a server: a name, and a password or, with `token`, an access token of OAuth.

    `secret` may take its time, and raise `Problem`; `refused` is told when it was not accepted.
    """

    username: str
    secret: Callable[[], str]
    token: bool = False
    refused: Callable[[], object] | None = None


class MailboxServer(NamedTuple):
    """A server with a mailbox: where it is, what TLS there has to be, and how many seconds it may take for one answer.

    With `clear_login` the password may travel unencrypted.
    """

    host: str
    port: int
    requirement: Requirement
    login: MailboxLogin
    seconds: float = 60.0
    clear_login: bool = False


class FetchedMessage(NamedTuple):
    """A message of a mailbox: its name there, and its octets."""

    key: str
    content: bytes


class MailboxLooked(NamedTuple):
    """What came of a look: how many reports were `taken`, how many messages were `left` alone, how many are `larger` than they may be.

    `more` says that there is more to look at. `note` is what an operator has to know though nothing failed.
    """

    taken: int = 0
    left: int = 0
    larger: int = 0
    more: bool = False
    note: str = ""


class MailboxProbed(NamedTuple):
    """What came of a probe: how many `messages` are in the mailbox, and the version of TLS; empty without."""

    messages: int
    tls: str = ""


class MailboxSource(Protocol):
    """A mailbox."""

    async def probe(self) -> MailboxProbed:
        """See whether it could be looked into, and change nothing. Raises `SourceTrouble`, and `Problem` of the secret."""

    async def look(self, taker: ReportTaker) -> MailboxLooked:
        """Look into it once. Raises `SourceTrouble`, `OSError` of our own disk, and `Problem` where there is no room on it."""


class ReportTaker:
    """Takes what is a report out of what was fetched from the source `name`.

    `address` is the bounce address, and with `only_reports` nothing else than a report is taken; `now` gives seconds since the epoch.
    """

    def __init__(self, reports: Reports, name: str, address: str, now: Callable[[], float], *, only_reports: bool = True) -> None:
        self.reports = reports
        self.name = name
        self.address = address
        self.now = now
        self.only_reports = only_reports

    async def take(self, fetched: Sequence[FetchedMessage], peer: str = "", tls: str = "") -> set[str]:
        """The names of those that are on disk now. Raises `OSError`, `Problem`."""
        chosen = await asyncio.to_thread(self._chosen, fetched, peer, tls)
        if chosen:
            await self.reports.take_all([(content, facts) for _, content, facts in chosen])
        return {key for key, _, _ in chosen}

    def _chosen(self, fetched: Sequence[FetchedMessage], peer: str, tls: str) -> list[tuple[str, bytes, Facts]]:
        at = self.now()
        return [
            (key, content, Facts(self.name, *addressed(content, self.address), peer, tls, at))
            for key, content in fetched
            if content and (not self.only_reports or self._is_report(content))
        ]

    def _is_report(self, content: bytes) -> bool:
        """Whether it is one; what the program stumbles over is taken, too, so that it is told when it is read and keeps up no other."""
        try:
            return is_report(content, self.address)
        except Exception:
            return True

    async def bookmark(self) -> Mapping[str, Any]:
        """What was remembered last."""
        return await self.reports.bookmark(self.name)

    async def remember(self, mark: Mapping[str, Any]) -> None:
        """Remember `mark` for the next look."""
        await self.reports.remember(self.name, mark)


def chosen(login: MailboxLogin, secret: str, offered: Collection[str]) -> Mechanism | None:
    """The mechanism of SASL for `login`, of those that are `offered`; None where a password is said by a command of the protocol's own.

    Raises `SourceTrouble` for a name or a secret that none can say.
    """
    try:
        if login.token:
            return (OAuthBearer if "OAUTHBEARER" in offered else XOAuth2)(login.username, secret)
        return Plain(login.username, secret) if "PLAIN" in offered else None
    except CredentialError as error:
        raise SourceTrouble(str(error), ours=True) from None


def batches(sizes: Sequence[tuple[str, int]]) -> list[list[str]]:
    """The names of messages with their sizes, in batches that are small enough to be held."""
    made: list[list[str]] = []
    room = 0
    for key, size in sizes:
        if not made or len(made[-1]) >= BATCH or size > room:
            made.append([])
            room = BATCH_OCTETS
        made[-1].append(key)
        room -= size
    return made


def names_in(mark: Mapping[str, Any], member: str) -> list[str]:
    """The names that a bookmark has there; what somebody's hand has put there is no name."""
    found = mark.get(member)
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []
