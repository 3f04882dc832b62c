"""The fields that say whose a message has become: Return-Path and Delivered-To, put on top where it reaches a mailbox or is passed on.

Return-Path is the reverse-path with which it came, written at final delivery and nowhere else (RFC 5321 §4.4). Delivered-To names the
address that it has reached (RFC 9228 §2): a message that comes to an address for the second time goes round in circles, and that is seen
sooner than its Received fields are many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .address_key import key_of
from .message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = b"delivered-to"


def return_path(sender: str) -> bytes:
    """The field with the reverse-path `sender`; empty is the null one."""
    return b"Return-Path: <%b>\r\n" % sender.encode()


def delivered_to(address: str) -> bytes:
    """The field that says that the message has reached `address`."""
    return b"Delivered-To: %b\r\n" % address.encode()


def reached(content: bytes, addresses: Iterable[str]) -> set[str]:
    """Which of `addresses` the message `content` has reached before, by its fields."""
    if content[: content.find(b"\r\n\r\n")].lower().find(NAME) < 0:  # as in nearly all mail, and sooner seen
        return set()
    known = {key_of(value.strip(" \t<>")) for value in Message.head(content).values(NAME)}
    return {address for address in addresses if key_of(address) in known}
