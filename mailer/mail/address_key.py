"""The one form in which addresses of mailboxes are compared, however they were written.

Hosts may tell ``Ann@`` from ``ann@`` (RFC 5321 §2.4), and none that people use does: who has asked not to be mailed is not to be mailed
under either, and a user of ours is the same under both. What is left apart: ``ann+x@`` and ``ann@``, dots in a name, and whatever else one
operator takes for the same; nobody knows those rules but him.
"""

from __future__ import annotations

import unicodedata

from .address import dot_string, plain_local
from .domain import compared

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~.@")
LONGEST = 1000  # characters; no address that mail goes to has as many


def key_of(address: str) -> str:
    """`address` of an envelope, as it is compared: small letters, composed (NFC), no needless quotes, the domain in A-labels.

    Any text has one; what is no address is its own.
    """
    if _PLAIN.issuperset(address):
        return address.lower()
    if len(address) > LONGEST:
        return address
    local, at, domain = address.rpartition("@")
    if not at:
        return _small(address)
    if local.startswith('"'):
        local = dot_string(plain_local(local))
    return f"{_small(local)}@{compared(domain)}"


def split_tag(key: str) -> tuple[str, str]:
    """An address as `key_of` has it without its tag, and that, empty where there is none. RFC 5233 §2"""
    local, _, domain = key.rpartition("@")
    name, plus, tag = local.partition("+")
    return (f"{name}@{domain}", tag) if plus and name and key[0] != '"' else (key, "")


def _small(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
