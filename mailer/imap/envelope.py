"""ENVELOPE: what the header of a message says, in the form in which IMAP sends it. RFC 9051 §7.5.2, RFC 3501 §7.4.2.

Field values are unfolded and otherwise as they are written, encoded words too: the client decodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mime.addresses import mailboxes

from .strings import NIL, nstring, ntext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.mime.addresses import Addressee
    from mailer.mime.header import Header

FIELDS = frozenset({
    b"date", b"subject", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"in-reply-to", b"message-id",
})  # fmt: skip


LISTS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")


def envelope(header: Header, lists: Mapping[bytes, Sequence[Addressee]] | None = None) -> bytes:
    """The ENVELOPE of a message of which `header` has those of `FIELDS` that there are, and `lists` its `LISTS` if they are read."""
    told = {name: address_list(found) for name, found in (lists or address_lists(header)).items()}
    for name in (b"sender", b"reply-to"):  # RFC 9051 §7.5.2: where one is absent or empty, the server gives From for it
        told[name] = told[b"from"] if told[name] is NIL else told[name]
    date, subject, reply, id = (nstring(_value(header, name)) for name in (b"date", b"subject", b"in-reply-to", b"message-id"))
    return b"(%b %b %b %b %b)" % (date, subject, b" ".join(told.values()), reply, id)


def _value(header: Header, name: bytes) -> bytes | None:
    values = header.fields.get(name)
    return values[0] if values else None


def address_lists(header: Header) -> dict[bytes, Sequence[Addressee]]:
    """The mailboxes of all `LISTS`; several fields of a name are read as one."""
    found = header.fields
    return {
        name: [*mailboxes(value.decode("utf-8", "surrogateescape") for value in found[name])] if name in found else () for name in LISTS
    }  # fmt: skip


def address_list(found: Sequence[Addressee]) -> bytes:
    """A list of addresses, or NIL for none."""
    return b"(%b)" % b"".join(map(_address, found)) if found else NIL


def _address(mailbox: Addressee) -> bytes:
    return b"(%b %b %b %b)" % (ntext(mailbox.name or None), ntext(mailbox.route or None), ntext(mailbox.local), ntext(mailbox.host))
