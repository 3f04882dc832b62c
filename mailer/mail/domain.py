"""Domains as the DNS knows them: lower case, no dot at the end, A-labels for what is not ASCII.

Used by the route table and the resolver, so that a domain has one form wherever it is looked up. What is
shown to people stays as it was written.

IDNA 2008 (RFC 5891) as RFC 6531 §3.2 asks for it, without its tables of letters: a label is brought into the
form that the standard requires anyway, and Punycode (RFC 3492) does the rest. A label with letters that the
standard forbids so becomes the name of a domain that nobody can register. ``str.encode("idna")`` will not do: it
is the older IDNA 2003, which writes ß as ss, and that is somebody else's domain.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_DOTS = str.maketrans("。．｡", "...")  # as input methods write them, RFC 5895 §2
_LDH = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


LONGEST = 1000  # characters, however they are composed; Punycode takes the square of their number


@lru_cache(4096)
def ascii_domain(domain: str) -> str:
    """`domain` in the one form that is looked up; an address literal comes back in lower case.

    Raises `ValueError` for what cannot stand in the DNS (a label over 63 octets, a name over 253, an empty label).
    """
    if len(domain) > LONGEST:
        raise ValueError(f"the domain is too long: {domain[:60]}…")
    if domain.isascii():
        name = domain.lower().removesuffix(".")
    else:
        name = ".".join(_a_label(label) for label in domain.translate(_DOTS).removesuffix(".").split("."))
    if name.startswith("["):
        return name
    if len(name) > 253:  # RFC 1035 §2.3.4: 255 octets with the length bytes
        raise ValueError(f"the domain is too long: {name[:60]}…")
    if not all(0 < len(label) <= 63 and _LDH.issuperset(label) for label in name.split(".")):
        raise ValueError(f"this is no domain: {name}")
    return name


def compared(domain: str) -> str:
    """`domain` in the form in which domains are compared: as it is looked up. What cannot be looked up leads nowhere, in lower case."""
    try:
        return ascii_domain(domain)
    except ValueError:
        return domain.lower()


def _a_label(label: str) -> str:
    """RFC 5891 §5.5; the form before it is RFC 5895 §2: small letters, plain widths, composed."""
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", label).lower())
    if plain.isascii():
        return plain
    if plain[0] == "-" or plain[-1] == "-":  # RFC 5891 §4.2.3.1
        raise ValueError(f"the label {plain!r} of the domain begins or ends with a hyphen")
    return "xn--" + plain.encode("punycode").decode("ascii")
