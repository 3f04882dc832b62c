"""Encryption, and the DNS."""

from __future__ import annotations

from ..kinds import NAMESERVER, PERIOD, choice, several
from . import COUNT, OPTIONAL_PATH, Section, Setting


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
