"""The one form in which addresses are compared here, however they were written.

Hosts may tell ``Ann@`` from ``ann@`` (RFC 5321 §2.4), and none that people use does: who has asked not to be mailed is not to be mailed
under either. What is left apart: ``ann+x@`` and ``ann@``, dots in a name, and whatever else one operator takes for the same; nobody knows
those rules but him.
"""

from __future__ import annotations

import unicodedata

from mailer.mail.address import AddressError, dot_string, parse, printable
from mailer.mail.domain import ascii_domain, compared

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
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        local = dot_string(_unquoted(local[1:-1]))
    return f"{_small(local)}@{compared(domain)}"


def domain_key_of(key: str) -> str:
    """The key of the entry for all of its domain: ``@example.org``."""
    return key[key.rfind("@") :] if "@" in key else ""


def written(text: str) -> str:
    """The key that a person means by `text`: an address, or ``@domain`` for all of a domain. Raises `AddressError`."""
    text = text.strip(" \t")
    if text.startswith("@"):
        if not text[1:].strip(".") or not text.isprintable() or len(text) > LONGEST:
            raise AddressError(text, "write @example.org for all of a domain")
        try:
            return f"@{ascii_domain(text[1:])}"
        except ValueError as error:
            raise AddressError(text, str(error)) from None
    if not text.isprintable():
        raise AddressError(text, "it holds a control character")
    try:
        return key_of(str(parse(text)))
    except AddressError as error:
        if "domain" in error.problem and "@" not in text:
            raise AddressError(printable(text), "write user@example.org, or @example.org for all of a domain") from None
        raise


def _small(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def _unquoted(text: str) -> str:
    """What stands between quotes, without the backslashes that quote. RFC 5321 §4.1.2"""
    made, at = [], 0
    while at < len(text):
        at += text[at] == "\\" and at + 1 < len(text)
        made.append(text[at])
        at += 1
    return "".join(made)
