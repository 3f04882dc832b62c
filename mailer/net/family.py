"""IPv4 and IPv6: in which order the addresses of a host are called, and from which address of ours.

Mail from an IPv6 address without a PTR record is refused by many, so an operator may want one family only, or one first.
"""

from __future__ import annotations

from collections.abc import Sequence

FAMILIES = ("any", "prefer4", "prefer6", "only4", "only6")
"""`any` keeps the order that there is."""


def arranged(addresses: Sequence[str], family: str) -> list[str]:
    """Those of `addresses` that may be called, the preferred family first."""
    if family == "any":
        return [*addresses]
    four = [address for address in addresses if not is_six(address)]
    six = [address for address in addresses if is_six(address)]
    return {"prefer4": four + six, "prefer6": six + four, "only4": four, "only6": six}[family]


def is_six(address: str) -> bool:
    """Whether this is an IPv6 address."""
    return ":" in address


def source(sources: Sequence[str], address: str) -> str:
    """That of `sources` which can call `address`; empty: the system chooses."""
    return next((own for own in sources if own and is_six(own) == is_six(address)), "")
