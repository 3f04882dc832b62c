"""The folders of another IMAP server as a source (RFC 3501). Nothing changes there: folders are opened by EXAMINE, messages peeked at.

The session is that of `mailer.reports.imap_session`, which bounds what a server may say. A message is known by the server, the account,
the folder, UIDVALIDITY and UID: what was taken is not fetched again, whenever an import is begun anew. A connection that breaks is made
again, and the import goes on where it was; a message over which it breaks twice is passed over.

Folders go where their special use says (RFC 6154): what is called Sent Messages there may be Sent here. Below INBOX, where some servers
have all folders, they have none. Folders that only show what is in others are told apart: flagged and important ones are passed over; of
"all mail" what no other folder has is taken, which is where Gmail keeps what was archived.
"""

from __future__ import annotations

import imaplib
import re
import time
from calendar import timegm
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mailer.imap.names import from_modified_utf7
from mailer.mail.flags import PLAIN, Flag
from mailer.mail.problem import Problem
from mailer.mail.text import human_size
from mailer.mailbox.api import INBOX
from mailer.reports.imap_session import SMALL, UID, ImapVisit, quoted
from mailer.reports.sources import SourceTrouble

from .api import MOST, SourceFolder, SourceMessage
from .from_line import MONTHS
from .regular import passed, with_crlf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from mailer.mailbox.api import Role
    from mailer.reports.sources import MailboxServer

    from .api import PassedOver

    T = TypeVar("T")

FOLDERS: Final = 10_000
FOLDER_NAME: Final = 2000
"""Octets of a folder's name."""
LISTED: Final = 200
"""Octets that a server may say of one folder, on the average."""
AT_ONCE: Final = 500
"""UIDs of one command."""
ABOUT: Final = 2000
"""Octets that a server may say of one message besides its text: it can have a hundred keywords."""
KEYWORDS: Final = 100
TWICE: Final = 2
"""Times the size that it tells: some count as they store."""
PAUSES: Final = (0.0, 1.0, 5.0, 30.0)
"""Seconds before each attempt to connect again."""

ROLES: Final[dict[str, Role]] = {
    "\\drafts": "drafts", "\\sent": "sent", "\\junk": "junk", "\\spam": "junk", "\\trash": "trash", "\\archive": "archive",
}  # fmt: skip
SHOWS_OTHERS: Final = frozenset({"\\flagged", "\\important"})
NO_FOLDER: Final = frozenset({"\\noselect", "\\nonexistent"})
FLAGS: Final = {
    "\\seen": Flag.SEEN, "\\answered": Flag.ANSWERED, "\\flagged": Flag.FLAGGED, "\\deleted": Flag.DELETED, "\\draft": Flag.DRAFT,
}  # fmt: skip

_LIST: Final = re.compile(rb'\(([^()]*)\) (NIL|"(?:\\)?[^"]") (.*)', re.DOTALL)
_SIZE: Final = re.compile(rb"\bRFC822\.SIZE (\d{1,15})\b")
_FLAGS: Final = re.compile(rb"\bFLAGS \(([^()]*)\)")
_DATE: Final = re.compile(rb'\bINTERNALDATE "([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"')


class _Listed(NamedTuple):
    """A folder as the server lists it: its attributes in small letters, what is between levels, and its name as it is said."""

    attributes: frozenset[str]
    separator: str
    said: str


class ImapImport:
    """The account at `server`, as a source; only `folders` of it if some are named, without `leave`. A message may have `most` octets.

    What cannot be mended by connecting again raises `Problem`.
    """

    def __init__(
        self,
        server: MailboxServer,
        *,
        only: Sequence[str] = (),
        leave: Sequence[str] = (),
        most: int = MOST,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server
        self.only = frozenset(only)
        self.leave = frozenset(leave)
        self.most = most
        self._pause = pause
        self._session: ImapVisit | None = None
        self._open: SourceFolder | None = None

    def close(self) -> None:
        """See `ImportSource`."""
        if self._session is not None:
            self._session.leave()
            self._session = None

    def folders(self) -> Sequence[SourceFolder | PassedOver]:
        """See `ImportSource`. Raises `Problem`."""
        listed, subscribed = self._asked(self._listed)
        below = _all_below_inbox(listed)
        found: list[SourceFolder | PassedOver] = []
        for each in listed:
            name = _name(each, below=below)
            if each.attributes & NO_FOLDER or name in self.leave or (self.only and name not in self.only):
                continue
            if each.attributes & SHOWS_OTHERS:
                found.append(passed(name, "it shows what other folders have"))
                continue
            found.append(self._asked(partial(self._folder, each=each, name=name, subscribed=each.said in subscribed)))
        if missing := self.only - {_name(each, below=below) for each in listed}:
            raise Problem(f"{self.server.host} has no folder {min(missing)!r}", "no-such")
        return sorted(found, key=_order)

    def _listed(self, session: ImapVisit) -> tuple[list[_Listed], frozenset[str]]:
        """All folders, and the names of those that are subscribed. Raises `SourceTrouble`."""
        extended = {"LIST-EXTENDED", "SPECIAL-USE"} <= {*session.capabilities}
        session.do("LIST", '""', '"*"', *(["RETURN (SPECIAL-USE)"] if extended else []), most=FOLDERS * LISTED)
        listed = [_list(each) for each in _joined(session.told("LIST"))]
        if len(listed) > FOLDERS:
            raise SourceTrouble(f"{self.server.host} has more than {FOLDERS} folders", ours=True)
        session.do("LSUB", '""', '"*"', most=FOLDERS * LISTED)
        return [each for each in listed if each is not None], frozenset(
            each.said for each in map(_list, _joined(session.told("LSUB"))) if each is not None
        )

    def _folder(self, session: ImapVisit, each: _Listed, name: str, subscribed: bool) -> SourceFolder | PassedOver:
        try:
            session.do("EXAMINE", quoted(each.said))
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error:
            return passed(name, "the server does not open it")
        self._open = None
        numbers = [_number(session.told(word)) for word in ("UIDVALIDITY", "UIDNEXT", "EXISTS")]
        role: Role = next((ROLES[word] for word in sorted(each.attributes) if word in ROLES), "inbox" if name == INBOX else "")
        shows_all = "\\all" in each.attributes
        return SourceFolder(name, each.said, numbers[0], numbers[1], "archive" if shows_all else role, subscribed, numbers[2], shows_all)

    def waiting(self, folder: SourceFolder) -> Iterator[SourceMessage | PassedOver]:
        """See `ImportSource`. Raises `Problem`."""
        uids = self._asked(lambda session: self._uids(session, folder))
        for at in range(0, len(uids), AT_ONCE):
            some = uids[at : at + AT_ONCE]
            for message in self._asked(partial(self._about, folder=folder, uids=some)):
                if message.size > self.most:
                    yield passed(message.where, f"it has {human_size(message.size)}, and a message may have {human_size(self.most)}")
                else:
                    yield message

    def read(self, folder: SourceFolder, messages: Sequence[SourceMessage]) -> Iterator[tuple[SourceMessage, bytes] | PassedOver]:
        """See `ImportSource`. Raises `Problem`."""
        try:
            yield from self._asked(lambda session: self._fetched(session, folder, messages), attempts=1)
        except Problem:
            for message in messages:
                yield from self._alone(folder, message)

    def _alone(self, folder: SourceFolder, message: SourceMessage) -> Sequence[tuple[SourceMessage, bytes] | PassedOver]:
        """One message; what lets it fail again, while the folder can be opened, is the message. Raises `Problem`."""
        try:
            return self._asked(lambda session: self._fetched(session, folder, [message]), attempts=2)
        except Problem as problem:
            self._asked(lambda session: self._examine(session, folder))
            return [passed(message.where, str(problem))]

    def _uids(self, session: ImapVisit, folder: SourceFolder) -> list[int]:
        self._examine(session, folder)
        session.do("UID", "SEARCH", "ALL")
        words = [word for line in session.told("SEARCH") if isinstance(line, bytes) for word in line.split()]
        return sorted({int(word) for word in words if word.isdigit() and len(word) < 11 and 0 < int(word) < 1 << 32})

    def _about(self, session: ImapVisit, folder: SourceFolder, uids: Sequence[int]) -> list[SourceMessage]:
        self._examine(session, folder)
        items = "(UID FLAGS INTERNALDATE RFC822.SIZE)"
        session.do("UID", "FETCH", _set(uids), items, most=SMALL + len(uids) * ABOUT)
        wanted, found = {*uids}, {}
        for line in session.told("FETCH"):
            if isinstance(line, bytes) and (uid := UID.search(line[:ABOUT])) and int(uid[1]) in wanted:
                found[int(uid[1])] = self._message(folder, int(uid[1]), line[:ABOUT])
        return [found[uid] for uid in uids if uid in found]

    def _message(self, folder: SourceFolder, uid: int, line: bytes) -> SourceMessage:
        size, words = _SIZE.search(line), _FLAGS.search(line)
        flags, keywords = PLAIN, []
        for word in (words[1].decode("utf-8", "replace").split() if words else [])[:KEYWORDS]:
            if word.startswith("\\"):
                flags |= FLAGS.get(word.lower(), PLAIN)
            else:
                keywords.append(word)
        where = f"{folder.name}, UID {uid}"
        key = self._key(folder, uid)
        return SourceMessage(uid, where, int(size[1]) if size else 0, key, _moment(line), flags, tuple(keywords), uid)

    def _key(self, folder: SourceFolder, uid: int) -> str:
        words = (self.server.host.lower(), self.server.login.username, folder.place, folder.uidvalidity, uid)
        return "imap-" + sha256("\0".join(map(str, words)).encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def _fetched(
        self, session: ImapVisit, folder: SourceFolder, messages: Sequence[SourceMessage]
    ) -> list[tuple[SourceMessage, bytes] | PassedOver]:
        self._examine(session, folder)
        by_uid = {message.uid: message for message in messages}
        most = SMALL + sum(TWICE * message.size + ABOUT for message in messages)
        found = session.bodies(_set([*by_uid]), by_uid, most=most, about=ABOUT)
        return [(message, with_crlf(found[uid])) for uid, message in by_uid.items() if uid in found]

    def _examine(self, session: ImapVisit, folder: SourceFolder) -> None:
        """Have the folder open, and be sure that it is the one that it was. Raises `SourceTrouble`."""
        if self._open == folder:
            return
        session.do("EXAMINE", quoted(folder.place))
        session.state = "SELECTED"
        if _number(session.told("UIDVALIDITY")) != folder.uidvalidity:
            raise SourceTrouble(f"the folder {folder.name} at {self.server.host} is another one by now; begin anew", ours=True)
        self._open = folder

    def _asked(self, ask: Callable[[ImapVisit], T], attempts: int = len(PAUSES)) -> T:
        """What `ask` makes of the session, which is made if there is none, and again where it breaks. Raises `Problem`."""
        trouble = SourceTrouble("")
        for pause in PAUSES[:attempts]:
            if pause:
                self._pause(pause)
            try:
                return ask(self._connected())
            except SourceTrouble as error:
                trouble = error
            except (imaplib.IMAP4.error, OSError, ValueError) as error:
                trouble = SourceTrouble.of(self.server, error)
            self._let_go()
            if trouble.ours:
                break
        raise Problem(
            f"{trouble}; what was taken stays, and the same command goes on from there", "unavailable" if trouble.ours else "try-again"
        )

    def _connected(self) -> ImapVisit:
        if self._session is None:
            self._session = ImapVisit(self.server)
            self._open = None
            self._session.log_in()
        return self._session

    def _let_go(self) -> None:
        if self._session is not None:
            self._session.shutdown()
        self._session = self._open = None


def _order(each: SourceFolder | PassedOver) -> tuple[bool, list[str]]:
    """Parents first, and what shows all others last."""
    return (each.shows_all, each.name.split("/")) if isinstance(each, SourceFolder) else (False, [])


def _joined(told: list[Any]) -> Iterator[bytes]:
    """Lines of an answer, with a name that came as a literal in its place as a quoted string."""
    before = b""
    for each in told:
        if isinstance(each, tuple) and len(each) == 2:
            name = each[1].replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            before = each[0].rpartition(b"{")[0] + b'"' + name + b'"'
            yield before
        elif isinstance(each, bytes) and not (before and not each.strip()):
            yield each


def _list(line: bytes) -> _Listed | None:
    """A folder of a LIST; None for what is none that could be asked for."""
    found = _LIST.fullmatch(line.strip()) if len(line) <= FOLDER_NAME else None
    if found is None:
        return None
    name = found[3]
    if name.startswith(b'"') and name.endswith(b'"') and len(name) > 1:
        name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
    separator = "" if found[2] == b"NIL" else found[2][-2:-1].decode("ascii", "replace")
    try:
        said = name.decode()
    except UnicodeDecodeError:
        return None
    if not said or not said.isprintable():
        return None
    return _Listed(frozenset(found[1].decode("ascii", "replace").lower().split()), separator, said)


def _all_below_inbox(listed: Sequence[_Listed]) -> bool:
    others = [each for each in listed if each.said.upper() != INBOX]
    return bool(others) and all(each.separator and each.said.upper().startswith(INBOX + each.separator) for each in others)


def _name(each: _Listed, *, below: bool) -> str:
    """The name that it has here. A ``/`` which is none between levels becomes ``_``."""
    if each.said.upper() == INBOX:
        return INBOX
    said = each.said[len(INBOX) + 1 :] if below else each.said
    levels = said.split(each.separator) if each.separator else [said]
    return "/".join(_readable(level).replace("/", "_") for level in levels if level)


def _readable(level: str) -> str:
    try:
        return from_modified_utf7(level)
    except ValueError:
        return level


def _moment(line: bytes) -> float:
    """INTERNALDATE in seconds since the epoch; 0 where there is none that is one."""
    found = _DATE.search(line)
    month = found[2].decode().title() if found else ""
    if found is None or month not in MONTHS:
        return 0.0
    day, year, hour, minute, second = (int(found[at]) for at in (1, 3, 4, 5, 6))
    offset = (int(found[8]) * 60 + int(found[9])) * (-60 if found[7] == b"-" else 60)
    try:
        return float(max(timegm((year, MONTHS.index(month) + 1, day, hour, minute, second)) - offset, 0))
    except (ValueError, OverflowError):
        return 0.0


def _number(told: list[Any]) -> int:
    return next((int(word) for word in told if isinstance(word, bytes) and word.isdigit() and len(word) < 11), 0)


def _set(uids: Sequence[int]) -> str:
    """UIDs in ascending order as a set, with a colon where some follow each other. RFC 3501 §9"""
    runs: list[list[int]] = []
    for uid in uids:
        if runs and runs[-1][1] == uid - 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs)
