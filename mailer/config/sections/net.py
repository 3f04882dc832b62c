"""Encryption, the DNS, and what ``mailer check`` asks of others."""

from __future__ import annotations

from ..kinds import NAMESERVER, PERIOD, SERVER, choice, several
from . import COUNT, DOMAIN, OPTIONAL_PATH, Section, Setting


class Tls(Section, header="[tls]"):
    """Encryption of what is sent."""

    ca_file = Setting(
        OPTIONAL_PATH,
        "A PEM file with the certificate authorities that are trusted.",
        "",
        shown="the system's",
        example="/etc/ssl/certs/ca-certificates.crt",
    )
    mx = Setting(
        choice("none", "opportunistic", "starttls"),
        "Encryption towards MX hosts: never; where it is offered, whatever the certificate; only with a valid certificate.",
        "opportunistic",
    )
    min_version = Setting(choice("1.2", "1.3"), "The oldest version of TLS that is used.", "1.2")


class Dns(Section, header="[dns]"):
    """The name servers that are asked for MX and address records."""

    nameservers = Setting(
        several(NAMESERVER),
        "The name servers, in order.",
        (),
        shown="the system's, from /etc/resolv.conf",
        example="127.0.0.1:5353",
    )
    timeout = Setting(PERIOD, "How long one name server may take.", "5s")
    lifetime = Setting(PERIOD, "How long one look-up may take, with all servers, questions and repetitions.", "30s")
    cache_size = Setting(COUNT, "How many answers are kept in memory, each for as long as its TTL says.", 10_000)


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
