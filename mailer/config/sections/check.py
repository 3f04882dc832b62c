"""What ``mailer check`` asks besides the DNS of our own domains."""

from __future__ import annotations

from ..kinds import PERIOD, SERVER, several
from . import DOMAIN, Section, Setting


class Check(Section, header="[check]"):
    """What mailer-check(1) asks besides the DNS of our own domains."""

    blocklists = Setting(
        several(DOMAIN),
        "The DNS blocklists that are asked for our addresses. Some do not answer resolvers that many share.",
        ["zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com"],
    )
    port_domain = Setting(DOMAIN, "A domain whose MX hosts are called to see whether port 25 is open.", "gmail.com")
    time_server = Setting(SERVER, "The NTP server that the clock is compared with; empty: it is not.", "time.cloudflare.com")
    deadline = Setting(PERIOD, "How long the whole may take; what is not known then is said to be unknown.", "10s")
