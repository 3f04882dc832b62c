"""Trace fields: what hosts write on top of a message that they take and deliver, and what of that was not theirs to write.

`received` says how a message came to us (RFC 5321 §4.4), `submitted` how one of a user of ours did. What the first says of the client is
what we saw ourselves, and the name that the client gave itself, which may be any text: one that is no name of a host stands in a comment,
without a character that could end it. So nobody can write a field of his own into ours by what he says. `return_path` and `delivered_to`
are for whoever puts a message into a mailbox.

`without_forged` takes out the fields that only we write, since readers and filters believe them: they go as they stand, folded lines and
all, and no other byte is touched. Authentication-Results fields are for `mailer.auth.results`, which knows whose they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .address import is_plain
from .address_key import key_of
from .dates import rfc5322
from .message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .arrival import Arrival

MOST_HELLO = 255  # octets, as long as a domain may be
FORGED = (b"x-spam-", b"x-virus-")
"""How the names of fields begin that filters write."""

OURS = frozenset({b"return-path"})
"""What the host that delivers a message writes, RFC 5321 §4.4, and nobody before."""

DELIVERED = b"delivered-to"

_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
_LITERAL = _HOST | frozenset("[]:")


def protocol_word(*, extended: bool, lmtp: bool = False, tls: bool = False, auth: bool = False, utf8: bool = False) -> str:
    """What was spoken, as the WITH clause has it: ``ESMTPSA``, ``UTF8LMTP``. RFC 3848, RFC 6531 §4.3"""
    if not extended:
        return "SMTP"
    return f"{'UTF8' if utf8 else '' if lmtp else 'E'}{'LMTP' if lmtp else 'SMTP'}{'S' if tls else ''}{'A' if auth else ''}"


def received(arrival: Arrival, host: str, id: str, recipient: str = "") -> bytes:
    """The Received field of our host `host` for a message that is called `id` here, with its line ends. RFC 5321 §4.4

    `recipient` is the only one who was named, where that is no secret.
    """
    person = f"\tfor <{recipient}>;" if is_plain(recipient) and recipient else ""
    by = f"\tby {host} (mailer) with {arrival.protocol} id {id}"
    lines = (f"Received: from {_client(arrival)}", f"{by}{'' if person else ';'}", person, f"\t{rfc5322(arrival.at)}")
    return "".join(f"{line}\r\n" for line in lines if line).encode("ascii")


def submitted(arrival: Arrival, host: str, id: str) -> bytes:
    """The Received field for a message that a user of ours hands in: it says when, and how, and not where he is. RFC 5321 §4.4"""
    return f"Received: by {host} (mailer) with {arrival.protocol} id {id};\r\n\t{rfc5322(arrival.at)}\r\n".encode("ascii")


def _client(arrival: Arrival) -> str:
    """The FROM clause: a name or an address literal, and what we know ourselves."""
    hello = arrival.hello[:MOST_HELLO]
    name = f"{arrival.name} " if _HOST.issuperset(arrival.name) and arrival.name else ""  # the DNS may hold any text, too
    seen = [f"{name}[{_literal(arrival.ip)}]"] if arrival.ip else ["this machine"]
    if not _is_host(hello):
        seen += [f"it says {''.join(char if char in _LITERAL else '?' for char in hello)}"] if hello else []
        hello = f"[{_literal(arrival.ip)}]" if arrival.ip else "localhost"
    if arrival.tls:
        seen.append(arrival.tls)
    return f"{hello} ({', '.join(seen)})"


def _is_host(text: str) -> bool:
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    return bool(inner) and (_HOST.issuperset(text) or (inner != text and (_HOST | {":"}).issuperset(inner)))


def _literal(ip: str) -> str:
    """An address as it stands in a literal, RFC 5321 §4.1.3."""
    return f"IPv6:{ip}" if ":" in ip else ip


def return_path(sender: str) -> bytes:
    """The field that says the reverse-path, in a mailbox; empty is the null one. RFC 5321 §4.4"""
    return f"Return-Path: <{sender}>\r\n".encode()


def delivered_to(recipient: str) -> bytes:
    """The field that says whose mailbox a message was put into, RFC 9228 §2."""
    return f"Delivered-To: {recipient}\r\n".encode()


def reached(content: bytes, addresses: Iterable[str]) -> set[str]:
    """Which of `addresses` the message `content` has reached before, by its Delivered-To fields: it goes round in circles. RFC 9228 §4"""
    if content[: content.find(b"\r\n\r\n")].lower().find(DELIVERED) < 0:  # as in nearly all mail, and sooner seen
        return set()
    known = {key_of(value.strip(" \t<>")) for value in Message.head(content).values(DELIVERED)}
    return {address for address in addresses if key_of(address) in known}


def is_junk(content: bytes) -> bool:
    """Whether filters of ours have marked a message as unwanted; whoever else did is not believed (`without_forged`)."""
    return (Message.head(content).value(b"x-spam-flag") or "").strip().upper() == "YES"


def hops(message: Message) -> int:
    """How many hosts say that they have had `message`. RFC 5321 §6.3"""
    return sum(1 for _ in message.places(b"received"))


def without_forged(header: bytes, *, relayed: bool = False) -> bytes:
    """The lines of a normalised `header` without the fields that only we write.

    What a server of ours hands on (`relayed`) was before a filter already, perhaps, whose marks stay: by them it is sorted.
    """
    low, marks = header.lower(), () if relayed else FORGED
    if not any(name in low for name in (*marks, *OURS)):
        return header
    return b"".join(field for name, field in Message(header, b"").fields() if name not in OURS and not name.startswith(marks))
