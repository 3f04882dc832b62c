"""Which addresses mail comes from: those that are said, those that are configured, or those that the route to the world has."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from mailer.net.happy_eyeballs import arranged

from .rules.host import OwnAddress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mailer.config.sections import shaping
    from mailer.config.sections.delivery import Delivery

ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that are nobody's, RFC 5737 §3 and RFC 3849 §2: only the kernel is asked, nothing is sent to them."""


def sources(given: list[str], delivery: Delivery, exits: Iterable[shaping.Source] = ()) -> list[OwnAddress]:
    """The addresses; `given` go before all others, and those of `exits`, the sections [[source]], before what remains."""
    written = {source.address: source for source in _written(exits, delivery.family)}
    if given:
        return [OwnAddress(address, "--from-ip", written[address].hello if address in written else "") for address in given]
    if written:
        return [*written.values()]
    found = []
    for (family, elsewhere), configured, only in zip(ELSEWHERE, (delivery.source4, delivery.source6), ("only6", "only4"), strict=True):
        if delivery.family == only:
            continue
        if configured:
            found.append(OwnAddress(configured, "delivery.source6" if ":" in configured else "delivery.source4"))
        elif address := _routed(family, elsewhere):
            found.append(OwnAddress(address, "the route to the world begins there"))
    return found


def _written(exits: Iterable[shaping.Source], family: str) -> Iterator[OwnAddress]:
    for each in exits:
        for address in arranged(each.addresses, family):
            yield OwnAddress(address, f"source {each.name}", each.hello)


def _routed(family: socket.AddressFamily, elsewhere: str) -> str:
    """Our address on the way to `elsewhere`; empty if there is no way."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((elsewhere, 25))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
