"""The commands of IMAP, each as a value: what a client asks once its words are understood. RFC 9051 §6, RFC 3501 §6, and extensions.

The grammars make them, the machine hands them on, whoever keeps mailboxes does them. Names of folders are text (no modified UTF-7), with
``/`` between levels; INBOX is written so in whatever case it came. Times are seconds since the epoch. Numbers are as the client said them,
by UID where `uid` says so; the view of its session turns them into UIDs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from mailer.mail.flags import PLAIN, Flag
from mailer.mail.query import Query

STAR: Final = 0
"""What stands for ``*`` in a `NumberSet`, the highest number that there is: no number is 0."""

THREAD: Final = "T"
"""What a THREADID begins with, and no EMAILID does: a conversation is called as its first message here, and IMAP has no ID for two things
(RFC 8474 §5.2)."""


class NumberSet(NamedTuple):
    """A set of numbers as a client says it (RFC 9051 §9, sequence-set): ranges with both ends, in its order, either end may be `STAR`;
    `saved` is ``$``, what a search before has found (RFC 9051 §6.4.4.1)."""

    ranges: tuple[tuple[int, int], ...] = ()
    saved: bool = False


# -- in any state


class Capability(NamedTuple):
    """CAPABILITY, RFC 9051 §6.1.1."""


class NoOperation(NamedTuple):
    """NOOP, RFC 9051 §6.1.2."""


class Logout(NamedTuple):
    """LOGOUT, RFC 9051 §6.1.3."""


class Identify(NamedTuple):
    """ID, RFC 2971 §3.1: what the client says of itself, field by field; none for NIL."""

    fields: Mapping[str, str]


# -- before anybody is logged in


class BeginTls(NamedTuple):
    """STARTTLS, RFC 9051 §6.2.1."""


class Authenticate(NamedTuple):
    """AUTHENTICATE, RFC 9051 §6.2.2; `initial` is the first response (SASL-IR), None where there is none, empty for ``=``."""

    mechanism: str
    initial: bytes | None = None


class LogIn(NamedTuple):
    """LOGIN, RFC 9051 §6.2.3."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"LogIn({self.username!r})"


# -- for somebody who is logged in


class Enable(NamedTuple):
    """ENABLE, RFC 9051 §6.3.1: capabilities in capitals."""

    names: Sequence[str]


class KnownState(NamedTuple):
    """What a client knows of a folder from a session before, RFC 7162 §3.2.5: `known` UIDs, None for all, and the pairs of numbers and
    UIDs that it offers for comparison."""

    uidvalidity: int
    modseq: int
    known: NumberSet | None = None
    numbers: NumberSet | None = None
    uids: NumberSet | None = None


class Select(NamedTuple):
    """SELECT, and EXAMINE where it is `readonly`, RFC 9051 §6.3.2, §6.3.3, with (CONDSTORE) or (QRESYNC …), RFC 7162 §3.1.8, §3.2.5."""

    folder: str
    readonly: bool = False
    condstore: bool = False
    qresync: KnownState | None = None


class Create(NamedTuple):
    """CREATE, RFC 9051 §6.3.4; `use` is the special use that was asked for, such as ``\\Sent`` (RFC 6154 §3)."""

    folder: str
    use: Sequence[str] = ()


class Delete(NamedTuple):
    """DELETE, RFC 9051 §6.3.5."""

    folder: str


class Rename(NamedTuple):
    """RENAME, RFC 9051 §6.3.6."""

    folder: str
    to: str


class Subscribe(NamedTuple):
    """SUBSCRIBE, and UNSUBSCRIBE where `on` is False, RFC 9051 §6.3.7, §6.3.8."""

    folder: str
    on: bool = True


class Listing(NamedTuple):
    """LIST, RFC 9051 §6.3.9, RFC 5258; `lsub` for LSUB, RFC 3501 §6.3.9.

    `select` and `returns` are options in capitals; `status` are the items of STATUS in `returns`; `metadata` those of METADATA (RFC 9590).
    `extended` where the client used the extended syntax.
    """

    reference: str
    patterns: Sequence[str]
    select: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status: Sequence[str] = ()
    metadata: Sequence[str] = ()
    extended: bool = False
    lsub: bool = False


class Namespace(NamedTuple):
    """NAMESPACE, RFC 9051 §6.3.10."""


class Status(NamedTuple):
    """STATUS, RFC 9051 §6.3.11, with items in capitals."""

    folder: str
    items: Sequence[str]


class AppendedMessage(NamedTuple):
    """A message of APPEND; `received` is 0 where the client says no time. `binary` where it came as a literal8 (RFC 3516), `utf8` where in
    UTF8 (…) (RFC 6855 §4)."""

    content: bytes
    flags: Flag = PLAIN
    keywords: tuple[str, ...] = ()
    received: float = 0.0
    binary: bool = False
    utf8: bool = False


class Append(NamedTuple):
    """APPEND, RFC 9051 §6.3.12, of several messages at once by RFC 3502."""

    folder: str
    messages: Sequence[AppendedMessage]


class Idle(NamedTuple):
    """IDLE, RFC 9051 §6.3.13; it lasts until the machine has read DONE."""


class GetQuota(NamedTuple):
    """GETQUOTA, RFC 9208 §4.1.1."""

    root: str


class GetQuotaRoot(NamedTuple):
    """GETQUOTAROOT, RFC 9208 §4.1.2."""

    folder: str


class SetQuota(NamedTuple):
    """SETQUOTA, RFC 9208 §4.1.3: resources with their limits."""

    root: str
    limits: Mapping[str, int]


class GetMetadata(NamedTuple):
    """GETMETADATA, RFC 5464 §4.2; an empty `folder` is the server. `depth` is 0, 1 or infinity (-1)."""

    folder: str
    entries: Sequence[str]
    max_size: int | None = None
    depth: int = 0


class SetMetadata(NamedTuple):
    """SETMETADATA, RFC 5464 §4.3; None removes an entry."""

    folder: str
    values: Sequence[tuple[str, bytes | None]]


class EventGroup(NamedTuple):
    """A group of folders and the events that are asked for in them, RFC 5465 §5, §6. `which` is a filter in capitals: SELECTED,
    SELECTED-DELAYED, INBOXES, PERSONAL, SUBSCRIBED, SUBTREE, MAILBOXES; `events` are in capitals, `fetch` is what MESSAGENEW brings."""

    which: str
    folders: Sequence[str]
    events: Sequence[str]
    fetch: Sequence[FetchItem] = ()


class Notify(NamedTuple):
    """NOTIFY SET, RFC 5465 §3; without groups it is NONE. `status` where the present state is asked for first."""

    groups: Sequence[EventGroup]
    status: bool = False


# -- in a selected folder


class Check(NamedTuple):
    """CHECK, RFC 3501 §6.4.1."""


class Close(NamedTuple):
    """CLOSE, RFC 9051 §6.4.1."""


class Unselect(NamedTuple):
    """UNSELECT, RFC 9051 §6.4.2."""


class Expunge(NamedTuple):
    """EXPUNGE, and UID EXPUNGE with `uids`, RFC 9051 §6.4.3, §6.4.9."""

    uids: NumberSet | None = None


class NumberKey(NamedTuple):
    """A key of SEARCH that names messages: by number, or by UID. It stands in a query where `Among` will stand when the view of the session
    has found the UIDs."""

    numbers: NumberSet
    uid: bool


class RecentKey(NamedTuple):
    """A key of SEARCH that asks for what is recent, which the view of the session knows. RFC 3501 §6.4.4"""


class AgeKey(NamedTuple):
    """OLDER, and YOUNGER, RFC 5032 §3: so many seconds, or more, or less. It stands in a query where `Within` will stand when the session
    has looked at the clock."""

    seconds: int
    younger: bool


Key: TypeAlias = "Query | NumberKey | AgeKey | RecentKey"
"""A query that may have such keys in it, wherever a query may have another."""


class Search(NamedTuple):
    """SEARCH, RFC 9051 §6.4.4. `query` may have `NumberKey`, `AgeKey` and `RecentKey` in it. `returns` are options in capitals (MIN, MAX,
    ALL, COUNT, SAVE), None where the old answer is asked for; `modseq` where a MODSEQ key is among the keys (RFC 7162 §3.1.5). `needs` are
    the capabilities that its keys exist by; `numbered` where numbers of messages are among its keys."""

    query: Key
    uid: bool = False
    returns: frozenset[str] | None = None
    modseq: bool = False
    needs: frozenset[str] = frozenset()
    numbered: bool = False


class Sort(NamedTuple):
    """SORT, RFC 5256 §3: keys in capitals, each with whether it is reversed."""

    keys: Sequence[tuple[str, bool]]
    search: Search


class Thread(NamedTuple):
    """THREAD, RFC 5256 §3."""

    algorithm: str
    search: Search


class FetchItem(NamedTuple):
    """What is fetched of each message, RFC 9051 §6.4.5.

    `name` is in capitals: FLAGS, UID, ENVELOPE, INTERNALDATE, RFC822.SIZE, BODY (the structure without extension data), BODYSTRUCTURE,
    MODSEQ, EMAILID, THREADID, SAVEDATE, PREVIEW; RFC822, RFC822.HEADER, RFC822.TEXT; SECTION for BODY[…], BINARY, BINARY.SIZE.
    `part` is ``1.2`` or empty; `text` is HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME or empty; `fields` are as the client wrote
    them. `partial` is the first octet and how many. `peek` where it sets no \\Seen; `lazy` for PREVIEW (LAZY).
    """

    name: str
    part: str = ""
    text: str = ""
    fields: tuple[bytes, ...] = ()
    partial: tuple[int, int] | None = None
    peek: bool = False
    lazy: bool = False


class Fetch(NamedTuple):
    """FETCH, RFC 9051 §6.4.5, with CHANGEDSINCE and VANISHED, RFC 7162 §3.1.4, §3.2.6."""

    numbers: NumberSet
    uid: bool
    items: Sequence[FetchItem]
    changed_since: int | None = None
    vanished: bool = False


class Store(NamedTuple):
    """STORE, RFC 9051 §6.4.6, with UNCHANGEDSINCE, RFC 7162 §3.1.3."""

    numbers: NumberSet
    uid: bool
    how: Literal["add", "remove", "set"]
    flags: Flag
    keywords: tuple[str, ...] = ()
    silent: bool = False
    unchanged_since: int | None = None


class Copy(NamedTuple):
    """COPY, and MOVE where `move` says so, RFC 9051 §6.4.7, §6.4.8."""

    numbers: NumberSet
    uid: bool
    to: str
    move: bool = False


class Replace(NamedTuple):
    """REPLACE, RFC 8508 §3: one message is put, and `number` goes."""

    number: int
    uid: bool
    folder: str
    message: AppendedMessage


Command: TypeAlias = (
    Capability | NoOperation | Logout | Identify | BeginTls | Authenticate | LogIn | Enable | Select | Create | Delete | Rename | Subscribe
    | Listing | Namespace | Status | Append | Idle | GetQuota | GetQuotaRoot | SetQuota | GetMetadata | SetMetadata | Notify | Check
    | Close | Unselect | Expunge | Search | Sort | Thread | Fetch | Store | Copy | Replace
)  # fmt: skip
