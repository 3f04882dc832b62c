"""All that a mailbox keeps of a message beside it, made once when the message comes.

Used by `mailer.mailbox` when a message is put. Pure, and for any octets: nothing raises. What is beyond the bounds of `tree`, `header`,
`addresses` and `text` is left out, and the message is kept all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mailer.imap.bodystructure import bodystructure
from mailer.imap.envelope import FIELDS, address_lists, envelope

from .date import written
from .header import header
from .packed import tree_bytes
from .subject import read_subject
from .text import all_text, file_names, preview
from .tree import parsed
from .words import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .addresses import Addressee
    from .header import Header

SHOWN = 4000  # characters of a subject, and of all senders or recipients
ID = 998  # characters of a Message-ID
REFERENCES = 100  # messages that a message answers, the last ones

_WANTED = FIELDS | {b"references", b"list-id"}


class Rendered(NamedTuple):
    """What is read from a message. `sent` is in seconds since the epoch and `day` in days, in the calendar of its writer; 0 for none.

    IDs are without their brackets. `sender` and `recipients` (To, Cc and Bcc) are as people read them, ``Anna <anna@example.org>, …``.
    Places in `tree` count from the first octet of the prefix. `header`, `body` and `names` are the text that is looked for. `answers`
    says whether the subject is that of a reply or a forward; `ancestors` are the references by which messages are threaded, and `first` the
    first addresses of From, To and Cc by which they are sorted (RFC 5256).
    """

    sent: float
    day: int
    message_id: str
    references: tuple[str, ...]
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
    header: str
    body: str
    names: str
    answers: bool
    ancestors: tuple[str, ...]
    first: tuple[Addressee | None, Addressee | None, Addressee | None]


def render(content: bytes, prefix: bytes = b"") -> Rendered:
    """What is kept of the message `content` with the fields `prefix` before it."""
    whole = prefix + content if prefix else content
    root = parsed(whole)
    head = header(whole, 0, root.header_end, _WANTED)
    sent = written(head.text(b"date"))
    subject = " ".join(shown(head.text(b"subject")).split())[:SHOWN]
    base, answers = read_subject(subject)
    lists = address_lists(head)
    names = file_names(root)
    return Rendered(
        sent.seconds if sent else 0.0,
        sent.day if sent else 0,
        next(iter(_ids(head.text(b"message-id"))), ""),
        _references(head),
        subject,
        base,
        _people(lists[b"from"]),
        _people(lists[b"to"], lists[b"cc"], lists[b"bcc"]),
        envelope(head, lists),
        bodystructure(whole, root),
        tree_bytes(root),
        preview(whole, root),
        names,
        _list_id(shown(head.text(b"list-id"))),
        *all_text(whole, root, names),
        answers,
        _ancestors(head),
        (_first(lists[b"from"]), _first(lists[b"to"]), _first(lists[b"cc"])),
    )


def _first(found: Sequence[Addressee]) -> Addressee | None:
    return found[0] if found else None


def _people(*lists: Sequence[Addressee]) -> str:
    room = SHOWN
    found: list[str] = []
    for mailbox in (mailbox for each in lists for mailbox in each if mailbox.host is not None):
        found.append(" ".join(str(mailbox).split()))
        room -= len(found[-1]) + 2
        if room < 0:
            break
    return ", ".join(found)[:SHOWN]


def _ids(value: str) -> list[str]:
    """The Message-IDs in a field, RFC 5322 §3.6.4."""
    if "<" not in value:
        return [value.strip()[:ID]] if value.strip() and " " not in value.strip() else []
    pieces = (piece.partition(">")[0].strip() for piece in value.split("<")[1:])
    return [piece[:ID] for piece in pieces if piece]


def _ancestors(head: Header) -> tuple[str, ...]:
    """RFC 5256 §3 (REFERENCES): those of References, else the first of In-Reply-To."""
    return tuple(_ids(head.text(b"references"))[-REFERENCES:] or _ids(head.text(b"in-reply-to"))[:1])


def _references(head: Header) -> tuple[str, ...]:
    """Those of References, and the first of In-Reply-To."""
    found = dict.fromkeys(_ids(head.text(b"references")))
    for id in _ids(head.text(b"in-reply-to"))[:1]:
        found.setdefault(id)
    return tuple(found)[-REFERENCES:]


def _list_id(value: str) -> str:
    """RFC 2919 §2"""
    inner = value.rpartition("<")[2].partition(">")[0] if "<" in value else value
    return "".join(inner.split()).lower()[:ID]
