"""What ``mailer check`` asks besides the DNS of our own domains."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import DOMAIN, PERIOD, SERVER, several
from .setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What mailer-check(1) asks besides the DNS of our own domains."""

    blocklists: tuple[str, ...] = setting(
        several(DOMAIN),
        "The DNS blocklists that are asked for our addresses. Some do not answer resolvers that many share.",
        ["zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com"],
    )
    port_domain: str = setting(DOMAIN, "A domain whose MX hosts are called to see whether port 25 is open.", "gmail.com")
    time_server: str = setting(SERVER, "The NTP server that the clock is compared with; empty: it is not.", "time.cloudflare.com")
    deadline: float = setting(PERIOD, "How long the whole may take; what is not known then is said to be unknown.", "10s")
