"""Which messages somebody means: by names that another program gives, by what they are like, and in heaps of what belongs together.

All commands on messages read their selection with this, so that what ``status`` finds is what ``queue cancel`` cancels.
"""

from __future__ import annotations

import json
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mailer.config import values
from mailer.io.machine import called
from mailer.mail import principal
from mailer.mail.dates import rfc3339
from mailer.spool import ALPHABET, is_id, put_at
from mailer.status.api import Filter, every

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mailer.status.api import MailView
    from mailer.status.record import Record

RANGE = ".."
LENGTH = 26  # symbols of an ID
SHORTEST = 4  # of them, which a person may write in place of all
SEVERAL = 5  # that are named where it could be any


def subject_pattern(text: str) -> str:
    """The pattern for subjects that `text` means: a part of one, or with * the whole. Raises `ValueError` for nothing: who says that has
    lost a word, and does not mean all mail."""
    if not text.strip():
        raise ValueError(f"takes a part of a subject, or * for any, not {text!r}")
    return text if "*" in text else f"*{text}*"


def submitter(text: str) -> str:
    """The principal that `text` means: a user of this machine by name or number, or one as it is written. Raises `ValueError`."""
    if ":" in text:
        return principal.parse(text)
    if text.isascii() and text.isdigit():
        return principal.parse(f"unix:{text}")
    import pwd

    try:
        return principal.unix(pwd.getpwnam(text).pw_uid)
    except (KeyError, ValueError):
        raise ValueError(f"{text[:40]!r} is no user of this machine; write a name, a number, or smtp:ADDRESS or key:NAME") from None


def sizes(text: str) -> tuple[int, int]:
    """The least and the most bytes that `text` means: ``1MB`` from there on, ``..10KB`` up to it, ``1MB..5MB`` between; 0 is no limit.

    Raises `ValueError`.
    """
    least, dots, most = text.partition(RANGE)
    try:
        found = values.size(least) if least else 0, values.size(most) if most else 0
    except ValueError:
        found = 0, 0
    if found == (0, 0) or (dots and most and found[1] < max(found[0], 1)):
        raise ValueError(f'takes "1MB" for that and more, "..10KB" for that and less, or "1MB..5MB", not {text!r}')
    return found


def names(lines: Iterable[str]) -> Iterator[str]:
    """The names of messages that lines of another program give: the ID in each, else its one word. Raises `ValueError`.

    An object of JSON is named by its ``id``. The line above a list is left out.
    """
    for nth, line in enumerate(lines, 1):
        words = line.split()
        if not words or (nth == 1 and len(words) > 1 and line.isupper() and not any(map(is_id, words))):
            continue
        if line.lstrip().startswith("{"):
            words = [_id_in(line)]
        found = next(filter(is_id, words), words[0] if len(words) == 1 else "")
        if not found:
            raise ValueError(f"line {nth} of standard input names no message: {line.strip()[:60]!r}")
        yield found


def _id_in(line: str) -> str:
    try:
        id = json.loads(line).get("id")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return id if isinstance(id, str) else ""


def meant(view: MailView, name: str) -> tuple[list[Record], str]:
    """The messages that a person means by `name`, who only wants to look: as `MailView.find` has it, else the one whose ID begins so.

    Without any, the second says why not: nothing is known, or several IDs begin so.
    """
    if found := view.find(name):
        return found, ""
    text = name.upper()
    if not SHORTEST <= len(text) < LENGTH or text.strip(ALPHABET):
        return [], f"no message {name!r} is known here"
    since, before = (put_at(text.ljust(LENGTH, symbol)) for symbol in (ALPHABET[0], ALPHABET[-1]))
    likely = every(partial(view.messages, Filter(since=since, before=before + 0.001)))
    alike = list(islice((each for each in likely if each.id.startswith(text)), SEVERAL + 1))
    if len(alike) == 1:
        return view.find(alike[0].id) or alike, ""
    if not alike:
        return [], f"no message {name!r} is known here, and no ID begins so"
    more = " and others" if len(alike) > SEVERAL else ""
    return (
        [],
        f"{name!r} is how several IDs begin: {', '.join(each.id for each in alike[:SEVERAL])}{more}; write more of the one that is meant",
    )


class Heap(NamedTuple):
    """Messages that have `name` in common, by one of `HEAPS`: how many, their bytes, when the oldest was put, and one of them."""

    by: str
    name: str
    many: int
    size: int
    oldest: float
    example: str

    def as_json(self) -> dict[str, object]:
        """A line of ``mailer queue list --by … --json``."""
        said = {self.by: self.name, "count": self.many, "size": self.size, "oldest_at": rfc3339(self.oldest), "example": self.example}
        also = {"from": self.name} if self.by == "sender" else {}
        return {**said, **also, "oldest": rfc3339(self.oldest)}  # what it was called first


def _subject(record: Record) -> str:
    from mailer.mail.shape import shape  # its pattern takes a thirtieth of `mailer status` to compile

    return shape(record.subject) or "(none)"


def _submitter(record: Record) -> str:
    who = principal.from_key(record.submitter)
    if who is None:
        return "nobody"
    return str(who) if who.uid is None else called(who.uid)


HEAPS: dict[str, Callable[[Record], str]] = {
    "sender": lambda record: record.sender or "<>",
    "subject": _subject,
    "submitter": _submitter,
}
"""What messages are heaped by: the envelope sender, the subject without what is particular to one message, who handed them in."""


def heaps(records: Iterable[Record], by: str, most: int | None = None) -> list[Heap]:
    """The heaps of `records` by one of `HEAPS`, the largest first, and no more than `most`."""
    name_of = HEAPS[by]
    counts: dict[str, tuple[int, int, float, str]] = {}
    for record in records:
        name = name_of(record)
        many, size, oldest, example = counts.get(name, (0, 0, record.queued_at, record.id))
        counts[name] = many + 1, size + record.size, min(oldest, record.queued_at), example
    heaped = [Heap(by, name, *counted) for name, counted in counts.items()]
    return sorted(heaped, key=lambda heap: (-heap.many, heap.name))[:most]
