"""What crosses between a mailbox and whoever uses it (delivery, IMAP, POP3, web, import, command line), and its interface.

Folders are named by text with ``/`` between levels, and known by a number within a mailbox; messages are known by an ID, and in each folder
by a UID. One message may be in several folders, each a `FolderEntry` with flags of its own. Everything that is asked is asked in
batches, waits for the disk, and may be asked from several threads; whoever has an event loop asks in a thread.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from mailer.mail.flags import PLAIN, Flag
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Hashable, Sequence
    from typing import TypeAlias

    from mailer.mail.flags import Uids
    from mailer.mail.query import Query

    from .owners.api import Owner
    from .scripts import Scripts

Role: TypeAlias = Literal["", "inbox", "drafts", "sent", "junk", "trash", "archive"]
"""What a folder is for: the special uses of RFC 6154 §2, in the words of RFC 8621 §2."""

INBOX: Final = "INBOX"
ROLES: Final[dict[Role, str]] = {
    "inbox": INBOX,
    "drafts": "Drafts",
    "sent": "Sent",
    "junk": "Junk",
    "trash": "Trash",
    "archive": "Archive",
}
"""The folders that a new mailbox has, by their roles."""

IMPORTED: Final = "import"
"""In place of the recipient in `NewMail.once`: the other word is what a message is known by where it was imported from, for good."""
LAST_UID: Final = 2**32 - 2  # RFC 9051 §2.3.1.1 leaves one more, which the next UID of a full folder would need
MOST_KEYWORDS: Final = 100  # of a folder


class Folder(NamedTuple):
    """A folder as it is at one moment. `octets` are those of its messages; of changes up to `floor` it is not known any more what went.
    Messages with UIDs from `recent` on were told as recent to nobody (RFC 3501 §2.3.2)."""

    id: int
    name: str
    role: Role
    uidvalidity: int
    uidnext: int
    modseq: int
    floor: int
    subscribed: bool
    messages: int
    unseen: int
    deleted: int
    octets: int
    recent: int = 1


class FolderEntry(NamedTuple):
    """A message in a folder. `saved` is when it came there, in seconds since the epoch."""

    folder: int
    uid: int
    mail: str
    flags: Flag
    keywords: tuple[str, ...]
    modseq: int
    saved: float


class Mail(NamedTuple):
    """A message, whatever folders it is in: what is asked of it often, made once when it came.

    `size` is that of all that a reader gets (RFC822.SIZE): `prefix`, the fields that we put on top for this owner, and the body as it is
    kept. `envelope` and `structure` are ENVELOPE and BODYSTRUCTURE as IMAP sends them, `structure` with extension data; `tree` tells where
    each part is. `sent` is the time of its Date field, `received` when it came, both in seconds since the epoch, and
    `sent` 0 where there is none. `thread` is the ID of the first message of the conversation. `attachments` are names of files.
    `digest` is the SHA-256 of the body before it was encrypted. `key_number` is not 0 where the body is encrypted,
    and negative while that changes.
    """

    id: str
    size: int
    prefix: bytes
    received: float
    sent: float
    message_id: str
    thread: str
    subject: str
    subject_base: str
    sender: str
    recipients: str
    envelope: bytes
    structure: bytes
    tree: bytes
    preview: str
    attachments: tuple[str, ...]
    list_id: str
    key_number: int
    digest: bytes


MailColumn: TypeAlias = Literal[
    "mail", "flags", "keywords", "modseq", "saved", "size", "received", "thread", "envelope", "structure", "preview", "tree", "prefix",
    "key_number", "digest", "header",
]  # fmt: skip
"""What `Mailbox.fetched` can be asked for: of an entry (`flags` as a number, `keywords` with a blank between them), and of its message."""


SortColumn: TypeAlias = Literal[
    "sent", "received", "size", "subject", "sender", "recipient", "copied", "shown_sender", "shown_recipient", "answers", "ids",
]  # fmt: skip
"""What `Mailbox.collated` can be asked for, as `mailer.mailbox.collating` has it."""


class CollatedFolder(NamedTuple):
    """All messages of a folder: their UIDs, ascending, and each of the columns. Nobody changes them. `made` is for what is made of them; it
    lasts as long as they do. `uidnext` is the first UID that is not among them."""

    uids: array[int]
    columns: tuple[Sequence[Any], ...]
    uidnext: int
    made: dict[Hashable, Any]


class StoredMail(NamedTuple):
    """What has to be known of a message to read it, as `Mail` has it."""

    id: str
    size: int
    prefix: bytes
    key_number: int
    digest: bytes


class NewMail(NamedTuple):
    """A message that is to be put into `folder`, by its name.

    `content` has CRLF line ends where it was delivered; what a client appends is kept octet by octet. `prefix` are fields for this owner
    alone. `once` is what makes a second attempt known: (ID of the message in the spool, recipient). `uid`, `uidl` and `id` are given where
    it had them before, in an import; `made` keeps a missing folder from being trouble: it is made, with its parents.
    """

    folder: str
    content: bytes
    prefix: bytes = b""
    flags: Flag = PLAIN
    keywords: tuple[str, ...] = ()
    received: float = 0.0
    once: tuple[str, str] | None = None
    uid: int = 0
    uidl: str = ""
    made: bool = False


class PutMail(NamedTuple):
    """Where a message was put; `fresh` is False where an attempt before had put it. `usage` is that of the mailbox then."""

    folder: int
    uidvalidity: int
    uid: int
    mail: str
    modseq: int
    fresh: bool
    usage: Usage


class Quota(NamedTuple):
    """How much a mailbox may have: octets and messages, 0 for no limit."""

    octets: int = 0
    messages: int = 0


UNBOUNDED: Final = Quota()


class Usage(NamedTuple):
    """What a mailbox has: a message counts once, in however many folders it is."""

    octets: int
    messages: int

    def over(self, quota: Quota, octets: int = 0, messages: int = 0) -> bool:
        """Whether so much more would be too much."""
        return bool(
            (quota.octets and self.octets + octets > quota.octets) or (quota.messages and self.messages + messages > quota.messages)
        )  # fmt: skip


class Flagged(NamedTuple):
    """What became of a change of flags: the entries as they are now, and the UIDs that others had changed meanwhile (RFC 7162 §3.1.3).
    `modseq` is that of the folder then, `before` what it was."""

    modseq: int
    entries: Sequence[FolderEntry]
    refused: Sequence[int]
    before: int


class Copied(NamedTuple):
    """What was copied or moved: from which UID to which, in the folder `folder` (RFC 4315 §3)."""

    folder: int
    uidvalidity: int
    modseq: int
    pairs: Sequence[tuple[int, int]]


class Annotation(NamedTuple):
    """What is noted at a folder (0 for the mailbox as a whole) under `entry`, such as ``/private/comment`` (RFC 5464 §3)."""

    folder: int
    entry: str
    value: bytes
    modseq: int


class FolderChanges(NamedTuple):
    """What is new in a folder since a MODSEQ: entries that came or changed, and UIDs that went. `whole`: the floor is above it, so that
    `entries` are all that there are, and whoever asks compares himself (RFC 7162 §3.2.5.1)."""

    folder: Folder
    entries: Sequence[FolderEntry]
    vanished: Sequence[int]
    whole: bool


class OpenedFolder(NamedTuple):
    """A folder, all its UIDs, the keywords that it knows, the UID of its first message that is unseen (0 for none), and what is new in it
    since the MODSEQ that was asked about, if one was."""

    folder: Folder
    uids: array[int]
    keywords: Sequence[str]
    unseen: int
    changes: FolderChanges | None


class BoxFlaw(NamedTuple):
    """Something that is not as it has to be: `what` says it, `mail` and `folder` where, `mended` whether it is well now."""

    what: str
    mail: str = ""
    folder: str = ""
    mended: bool = False


class OverQuota(Problem):
    """The mailbox would get more than its quota."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "try-again")


class TooMany(Problem):
    """A mailbox, or a folder, has as many of these as it may have."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "usage")


class HasFolders(Problem):
    """A folder has others in it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "usage")


class RoleTaken(Problem):
    """What a folder would be for, another is for."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "usage")


class Frozen(Problem):
    """The mailbox is being moved; it may be read, and not written for some seconds."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "try-again")


class NoKey(Problem):
    """The mailbox is encrypted, and the key that opens it is not there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "unavailable")


class SearchTooLong(Problem):
    """A search took longer than it may."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "try-again")


class NoFolder(Problem):
    """A folder was named that is not there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "no-such")


class BodyLost(Problem):
    """The file of a message is gone or is not what was put there; the rest of the mailbox is usable."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "io-error")


class Mailbox(Protocol):
    """One owner's mailbox. What fails raises `Problem`, and one of those above where it says so. A change is durable when it returns."""

    owner: Owner
    scripts: Scripts

    def folders(self) -> Sequence[Folder]:
        """All folders, in the order of their names."""

    def folder(self, name: str) -> Folder | None:
        """The folder of that name; INBOX in any case is the inbox (RFC 9051 §5.1)."""

    def with_role(self, role: Role) -> Folder | None:
        """The folder that is for this."""

    def create(self, name: str, *, role: Role = "", subscribed: bool = True) -> Folder:
        """Make a folder, and its parents. Raises `RoleTaken`, `TooMany`, `Problem`: usage for what cannot be a name, bad-message where
        there is one."""

    def rename(self, name: str, to: str) -> Folder:
        """Give it and what is below it another name. The inbox stays, and its messages go to the new folder (RFC 9051 §6.3.6)."""

    def delete(self, name: str) -> None:
        """Delete a folder with its messages; not the inbox, and not one with others below it. Raises `NoFolder`, `HasFolders`,
        `Problem` (usage)."""

    def subscribe(self, name: str, subscribed: bool) -> None:
        """Say whether clients show it, now or when there is such a folder. Raises `TooMany`, `Problem` (usage)."""

    def wanted(self) -> Sequence[str]:
        """The names that are subscribed, and that no folder has."""

    def numbered(self, folder: int) -> Folder | None:
        """The folder with that number, if it is still there."""

    def deleted_octets(self, folder: int) -> int:
        """The octets that an expunge of a folder would free: of messages marked as deleted that are nowhere else."""

    def annotations(self, folder: int | None = None) -> Sequence[Annotation]:
        """What is noted at a folder, 0 for the mailbox as a whole, or anywhere."""

    def annotation_marks(self) -> Sequence[tuple[int, str, int]]:
        """Folder, entry and MODSEQ of all that is noted anywhere."""

    def annotate(self, folder: int, values: Sequence[tuple[str, bytes | None]]) -> None:
        """Note all of these entries at a folder, or none; None removes one. Raises `NoFolder`, `TooMany`, `Problem` (usage)."""

    def number(self, name: str, uidvalidity: int, uidnext: int = 1) -> Folder:
        """Have the numbers of another store in a folder that never had a message. Raises `NoFolder`, `Problem` (usage)."""

    def renumber(self) -> None:
        """Give all folders a UIDVALIDITY above all that there were, after a restore: clients forget what they know."""

    def put(self, news: Sequence[NewMail], quota: Quota = UNBOUNDED, *, instead: tuple[int, int] | None = None) -> Sequence[PutMail]:
        """Put all of them, or none. With `instead`, a folder and a UID, they are there in place of that message (RFC 8508 §3). Raises
        `OverQuota`, `Frozen`, `NoKey`, `NoFolder`, `Problem` (no-such) where that is gone."""

    def delivered(self, onces: Sequence[tuple[str, str]]) -> Sequence[str]:
        """The ID of the message that was put with each `NewMail.once`, wherever it is by now; empty where none was."""

    def put_again(self, mail: str, folder: str, flags: Flag = PLAIN, keywords: Sequence[str] = ()) -> PutMail:
        """Have a message that is here in one more folder. Raises `NoFolder`."""

    def opened(self, name: str, since: int | None = None) -> OpenedFolder:
        """What a client is told that opens the folder of that name, with what is new since a MODSEQ. Raises `NoFolder`."""

    def recent(self, folder: int) -> int:
        """How many messages of a folder were told as recent to nobody (RFC 3501 §6.3.10). Raises `NoFolder`."""

    def claim(self, folder: int, until: int) -> int:
        """Tell messages with UIDs below `until` as recent; the UID from which on nobody else has. Raises `NoFolder`, `Frozen`."""

    def entries(self, folder: int, uids: Uids = None) -> Sequence[FolderEntry]:
        """The entries of a folder with these UIDs, in their order."""

    def uids(self, folder: int) -> array[int]:
        """All UIDs of a folder, ascending."""

    def uidls(self, folder: int) -> Sequence[tuple[int, str]]:
        """The names that POP3 has for the messages of a folder, by UID (RFC 1939 §7). Raises `NoFolder`."""

    def maildrop(self, folder: int) -> Sequence[tuple[int, int, str]]:
        """Of each message of a folder, in their order: the UID, the octets that POP3 sends (RFC 1939 §11), its name. Raises `NoFolder`."""

    def places(self, mails: Sequence[str]) -> Sequence[FolderEntry]:
        """All entries of these messages."""

    def mails(self, ids: Sequence[str]) -> Sequence[Mail | None]:
        """Messages by their IDs."""

    def fetched(self, folder: int, uids: Uids, columns: tuple[MailColumn, ...]) -> Sequence[tuple[Any, ...]]:
        """The UID and these columns of each message of a folder that has one of these UIDs, in their order."""

    def collated(self, folder: int, uids: Uids, columns: tuple[SortColumn, ...]) -> Sequence[tuple[Any, ...]]:
        """The UID of each message of a folder that has one of these UIDs, in their order, and what it is put in order by."""

    def collated_folder(self, folder: int, columns: tuple[SortColumn, ...]) -> CollatedFolder:
        """What all messages of a folder are put in order by, which is remembered while the mailbox is used."""

    def keep_headers(self, headers: Sequence[tuple[str, bytes]]) -> None:
        """Keep the headers of messages, which were read from them, by their IDs. Raises `Frozen`."""

    def read(self, mail: Mail | StoredMail, start: int = 0, length: int | None = None) -> bytes:
        """Octets of a message as a reader gets it, prefix and body. Raises `BodyLost`, `NoKey`."""

    def flag(
        self,
        folder: int,
        uids: Uids,
        how: Literal["add", "remove", "set"],
        flags: Flag = PLAIN,
        keywords: Sequence[str] = (),
        *,
        unchanged_since: int | None = None,
    ) -> Flagged:
        """Change flags and keywords of messages of a folder."""

    def copy(self, folder: int, uids: Uids, to: str) -> Copied:
        """Have them in another folder as well, with their flags. Raises `NoFolder`."""

    def move(self, folder: int, uids: Uids, to: str) -> Copied:
        """Have them in another folder instead. Raises `NoFolder`."""

    def expunge(self, folder: int, uids: Uids = None, *, marked: bool = True) -> tuple[int, Sequence[int]]:
        """Take those out of a folder that are marked as deleted, or all of `uids`; the MODSEQ, and the UIDs that went."""

    def changes(self, folder: int, since: int) -> FolderChanges:
        """What is new in a folder since the MODSEQ `since`."""

    def usage(self) -> Usage:
        """What the mailbox has."""

    def setting(self, name: str) -> str:
        """A text that is kept with the mailbox by this name, empty where there is none."""

    def keep_setting(self, name: str, value: str) -> None:
        """Keep it. Raises `Frozen`."""

    def search(self, query: Query, folder: int | None = None) -> Sequence[FolderEntry]:
        """The entries, of one folder or of all, that `query` is true of; exact, in the order of folders and UIDs."""

    def found(self, folder: int, query: Query, patience: float = inf) -> array[int]:
        """The UIDs of a folder, ascending, that `query` is true of; exact. Raises `SearchTooLong` where it takes so many seconds."""

    def ranked(self, words: str, folder: int | None = None, most: int = 100) -> Sequence[FolderEntry]:
        """The entries, of one folder or of all, whose messages have all `words` or their beginnings, best first; `most` at most."""

    def check(self, *, bodies: bool = False, repair: bool = False) -> Sequence[BoxFlaw]:
        """What is not as it has to be, of each body as well if asked; mended with `repair`."""

    def sweep(self, now: float) -> int:
        """Remove what was deleted long enough ago, and what was begun and never finished; how many files went."""

    def close(self) -> None:
        """Let go of what is open."""


Told: TypeAlias = "Callable[[str, int, int], None]"
"""What hears that a folder of an owner has changed: (ID of the owner, folder, MODSEQ), after the change is durable."""
