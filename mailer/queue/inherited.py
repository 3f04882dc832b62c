"""Inherited: mail that an earlier daemon put off for a reason that this one has to find out anew.

A daemon that starts knows nothing of any destination: no breaker is open, and whoever restarts it may have mended what a relay refused.
What waits behind an outage of a relay, and was not tried, or for something of ours, would otherwise wait for the time that the daemon
before had in mind, with the relay up. The first of it finds out; if nothing has changed, the rest is put off again without a session.

What waits for the hosts of others keeps its time: a backlog must not hit them at one moment. Used by the service, at its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.cause import Cause
from mailer.status.sqlite.reader import Reader

from ..routing.table import RouteTable
from ..shaping.blame import BLAME

if TYPE_CHECKING:
    from mailer.config import Config


def inherited(path: str, config: Config) -> list[str]:
    """The messages, by the status database at `path`; none where it cannot be read."""
    routes = RouteTable(config.routes)
    found: dict[str, None] = {}
    with Reader(path) as reader:
        for id, domain, cause in reader.put_off():
            if cause in BLAME or (cause is Cause.BREAKER and all(via.kind == "relay" for via in routes.find(domain).via)):
                found[id] = None
    return [*found]
