"""An entry of the suppression list, what two of one address come to, how long each lasts, and the interface of where entries are kept.

The rules are pure: `Terms` says until when, `stronger` which of two entries stays, `precedence` which entries an address is looked up
under. Where entries are kept follows them in one transaction, so that two processes that write at the same moment end where one after the
other would.

Each change has a number, and is in a log that is only appended: what was there before, what is there since, who did it. So `undo` can put
back what was, and nothing that was added twice by one report (a crash came between) is there twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from math import inf
from typing import Final, Literal, NamedTuple, Protocol

from mailer.mail.address import printable

from .address import domain_key_of

ALL: Final = "*"
"""The scope of an entry that holds for all mail."""

LONGEST_STREAM: Final = 255  # octets, as a List-Id has at most (RFC 2919 §2)
LONGEST_NOTE: Final = 500  # characters
LONGEST_EVIDENCE: Final = 998


class Reason(StrEnum):
    """Why an address is not to be mailed."""

    HARD = "hard"  # its mailbox or its domain is not there
    COMPLAINT = "complaint"  # it called our mail spam
    UNSUBSCRIBE = "unsubscribe"  # it asked for no more
    MANUAL = "manual"  # somebody of ours said so
    IMPORT = "import"  # it stood in a list that was taken over


REASONS: Final[dict[str, Reason]] = {reason.value: reason for reason in Reason}
"""By the word in a file or in a request."""


class SuppressionEntry(NamedTuple):
    """An entry: `address`, or with ``@domain`` all of a domain, is not to be mailed, in `scope`: with a stream, or `ALL`.

    `address` is a key (`mailer.mail.address_key`). `class_` is that of a refusal (`mailer.dsn.classes`), `source` where the word came
    from: ``report``, ``refusal``, ``page``, ``command``, ``api``, a file. `evidence` is what proves it, the ID of a report or of a message:
    an entry is added once for one evidence, address and scope. `at` is when it began, `until` when it ends, in seconds since the epoch;
    None for never. `by` is who did it.
    """

    address: str
    scope: str = ALL
    reason: Reason = Reason.MANUAL
    class_: str = ""
    source: str = ""
    evidence: str = ""
    at: float = 0.0
    until: float | None = None
    by: str = ""
    note: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What there is one entry of."""
        return self.address, self.scope

    def holds(self, at: float) -> bool:
        """Whether it says anything at that time."""
        return self.until is None or at < self.until

    @property
    def lasts(self) -> float:
        """`until`, to be compared."""
        return inf if self.until is None else self.until


class SuppressionTerms(NamedTuple):
    """How long entries last, in seconds: after a `hard` bounce, after one that comes when that has run out, after a `complaint`.

    None is for ever.

    Whoever has unsubscribed stays so until he is taken off the list by hand.
    """

    hard: float | None = 30 * 86400.0
    repeat: float | None = 180 * 86400.0
    complaint: float | None = None

    def until(self, reason: Reason, earlier: int, at: float) -> float | None:
        """When an entry ends that begins `at` for `reason`, where so many for the same have run out before; None for never.

        Two messages that bounce on one day are no repetition: only an address that was mailed again, and bounced again, is.
        """
        lasting: float | None = None
        if reason is Reason.HARD:
            lasting = self.repeat if earlier else self.hard
        elif reason is Reason.COMPLAINT:
            lasting = self.complaint
        return None if lasting is None else at + lasting


TERMS: Final = SuppressionTerms()

Act = Literal["add", "remove", "expire"]
"""What the log says was done: `add` also for an entry that stayed as it was, because it lasts longer than what was added to it."""


class SuppressionChange(NamedTuple):
    """A line of the log: number `serial`, one of those that one `change` made. `before` and `after` are the entry, None for none.

    `reason` and `evidence` are those of what was added, also where it changed nothing; of what expired, the reason.
    """

    serial: int
    change: int
    at: float
    act: Act
    address: str
    scope: str
    by: str
    note: str
    before: SuppressionEntry | None
    after: SuppressionEntry | None
    reason: str = ""
    evidence: str = ""


class SuppressionDone(NamedTuple):
    """What a change came to: its number (0: nothing changed), and of each thing that was asked for the entry that it was about.

    Of what was added, the entry that stands now; of what was removed, the one that was there, None where none was.
    """

    change: int
    entries: Sequence[SuppressionEntry | None]


class SuppressionList(Protocol):
    """Where entries are kept. What cannot be had raises `Problem`: no-permission, io-error, try-again, bad-config (it is not ours).

    Whatever changes something is durable when it returns. Times are in seconds since the epoch.
    """

    async def look(self, wanted: Sequence[tuple[str, str]], at: float) -> Sequence[SuppressionEntry | None]:
        """For each (address as in an envelope, stream or ``""``) the entry that keeps it from being mailed; see `precedence`."""

    async def add(self, entries: Sequence[SuppressionEntry], *, terms: SuppressionTerms | None = None, change: int = 0) -> SuppressionDone:
        """Add entries, in one change: a new one, or as a further part of `change`. Where one is there already, the `stronger` one stays.

        With `terms`, which is for what comes by itself, `until` of each is what they say, and what was added with the same evidence before
        is not added again, also where it was removed since. Without, it is somebody's word: it is as given.
        """

    async def remove(self, keys: Sequence[tuple[str, str]], *, by: str, at: float, note: str = "") -> SuppressionDone:
        """Take entries off the list, by key (address, scope), in one change."""

    async def undo(self, changes: Sequence[int], *, by: str, at: float) -> SuppressionDone:
        """Put back what was before these changes, in one change; entries that were changed again since stay as they are, and are None."""

    async def listing(
        self, *, after: tuple[str, str] = ("", ""), limit: int = 1000, wanted: SuppressionFilter | None = None
    ) -> Sequence[SuppressionEntry]:
        """Entries in the order of their keys, behind `after`."""

    async def log(self, address: str = "", *, since: float = 0.0, limit: int = 1000) -> Sequence[SuppressionChange]:
        """Lines of the log, the newest first: those about the address that has this key, and about its domain; "" is all."""

    async def is_empty(self) -> bool:
        """Whether there are no entries: quickly, for all mail asks."""

    async def newest(self) -> int:
        """The serial of the newest line of the log; 0 without one."""

    async def news(self, serial: int, limit: int = 1000) -> Sequence[SuppressionChange]:
        """Lines of the log behind that serial, the oldest first."""

    async def told(self) -> int:
        """The serial of the last line that was told to whoever hears of events; 0 before the first."""

    async def note_told(self, serial: int) -> None:
        """Note that all lines up to that one were told."""

    async def expire(self, at: float, *, keep_log: float = inf) -> int:
        """Let go of entries that hold no longer, with a line in the log for each; how many. Lines older than `keep_log` seconds go too."""

    async def count(self) -> int:
        """How many entries there are."""

    async def close(self) -> None:
        """Let go of what is open."""


class SuppressionFilter(NamedTuple):
    """Which entries are meant: those that hold `at` (None: also those that do not), and have what is not empty here.

    `to` is an address or ``@domain``, ``*`` for any text in it.
    """

    at: float | None = None
    to: str = ""
    scope: str = ""
    reason: str = ""
    class_: str = ""
    source: str = ""
    since: float = 0.0


def precedence(key: str, stream: str) -> list[tuple[str, str]]:
    """The keys of entries that keep `key` from being mailed with a message of `stream`, the nearest first."""
    of_domain = domain_key_of(key)
    scopes = [stream, ALL] if stream and stream != ALL else [ALL]
    return [(address, scope) for address in (key, of_domain) if address for scope in scopes]


def stronger(there: SuppressionEntry | None, new: SuppressionEntry) -> SuppressionEntry:
    """Which of two entries of one key stays when the second comes: what lasts longer, and of two that last alike the first.

    One that holds no longer when the other begins says nothing any more. So nothing that a stranger brings about ends what somebody asked
    for. What is said again for the same reason goes on since the first time.
    """
    if there is None or not there.holds(new.at):
        return new
    if there.lasts >= new.lasts:
        return there
    return new._replace(at=there.at) if there.reason is new.reason else new


def scope_of(text: str) -> str:
    """The scope that `text` writes: a stream, or ``*``. Raises `ValueError`."""
    scope = text.strip().lower()
    if not scope or not scope.isprintable() or len(scope.encode("utf-8", "replace")) > LONGEST_STREAM:
        raise ValueError(f"{printable(text)!r} is no scope: write the name of a stream, or * for all mail")
    return scope


@lru_cache(1024)
def stream_name(text: str) -> str:
    """A stream as it is compared, of a List-Id or a name; empty for what cannot be one. RFC 2919 §6: case does not matter"""
    stream = text.strip().lower()
    return stream if stream.isprintable() and len(stream.encode("utf-8", "replace")) <= LONGEST_STREAM else ""


def bounded(entry: SuppressionEntry) -> SuppressionEntry:
    """`entry` with its texts as long as they may be."""
    return entry._replace(note=entry.note[:LONGEST_NOTE], evidence=entry.evidence[:LONGEST_EVIDENCE], by=entry.by[:LONGEST_STREAM],
                          class_=entry.class_[:64], source=entry.source[:LONGEST_STREAM])  # fmt: skip


def keys_of(entries: Iterable[SuppressionEntry]) -> list[tuple[str, str]]:
    """The keys of `entries`."""
    return [entry.key for entry in entries]
