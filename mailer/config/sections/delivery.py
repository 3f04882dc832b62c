"""How much is delivered at once, how long the other side may take, and what happens when it does not answer; TLS and the DNS.

Besides what ``mailer check`` asks of others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kinds import FRACTION, NAMESERVER, PERIOD, PORT, RATE, SERVER, SOURCE, Rate, choice, several
from . import COUNT, DOMAIN, DURATION, OPTIONAL_PATH, SWITCH, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator


class Delivery(Section, header="[delivery]"):
    """How much is done at once."""

    max_connections = Setting(COUNT, "The most connections that are open at a time.", 100)
    max_connections_per_destination = Setting(COUNT, "The most of them to one destination.", 20)
    initial_connections_mx = Setting(COUNT, "How many a destination found by MX gets before it has proved itself.", 2)
    initial_connections_relay = Setting(COUNT, "How many a relay gets before it has proved itself.", 5)
    message_rate: Setting[Rate | None] = Setting(
        RATE,
        "How many messages may begin in a time, to all destinations together. One counts once for each recipient.",
        None,
        shown="no limit",
        example="5000/min",
    )
    connection_rate: Setting[Rate | None] = Setting(
        RATE, "How many connections may be opened in a time, to all destinations together.", None, shown="no limit", example="100/s"
    )
    messages_per_connection: Setting[int | None] = Setting(
        COUNT, "After how many messages a connection is replaced.", None, shown="no limit", example="100"
    )
    recipients_per_message = Setting(COUNT, "How many recipients one transaction has at most. Every server takes 100 (RFC 5321).", 100)
    known_replies = Setting(
        SWITCH, "Whether what mailer knows about the replies of large mailbox operators is made use of; see [[reaction]].", True
    )
    active_limit = Setting(
        COUNT, "The most messages that are held in memory; the rest waits on disk. One with a long envelope counts for several.", 10_000
    )
    idle_timeout = Setting(DURATION, "How long a connection without work is kept open.", "10s")
    max_lifetime = Setting(PERIOD, "How long a connection is used before it is replaced.", "5m")
    family = Setting(
        choice("any", "prefer4", "prefer6", "only4", "only6"), "Which addresses of a host are called first, or alone: IPv4 or IPv6.", "any"
    )
    source4 = Setting(SOURCE, "The IPv4 address to call from.", "", shown="the system chooses", example="192.0.2.10")
    source6 = Setting(SOURCE, "The IPv6 address to call from.", "", shown="the system chooses", example="2001:db8::10")
    mx_port = Setting(PORT, "The port of MX hosts.", 25)
    allow_private = Setting(
        SWITCH, "Whether MX hosts may be at loopback, private or link-local addresses. For tests; a relay may always be.", False
    )
    attempt_limit = Setting(
        PERIOD,
        "How long one attempt at one message may take, whatever the timeouts allow. Then it is broken off, told, and made again later.",
        "4h",
    )
    max_hops = Setting(COUNT, "The most hosts (Received fields) that a message may have passed; one more is a loop.", 50)
    rescan = Setting(PERIOD, "How often the queue is looked through for what the doorbell did not announce.", "60s")
    stop_timeout = Setting(DURATION, "How long a daemon that is told to stop waits for deliveries under way.", "30s")


class TimeoutSection(Section, header="[timeouts]"):
    """How long the other side may take in each phase of a session; see RFC 5321 section 4.5.3.2."""

    connect = Setting(PERIOD, "For the connection, and for the TLS handshake.", "30s")
    greeting = Setting(PERIOD, "For the greeting.", "5m")
    ehlo = Setting(PERIOD, "For the answer to EHLO, HELO, STARTTLS and each step of AUTH.", "5m")
    mail = Setting(PERIOD, "For the answer to MAIL.", "5m")
    rcpt = Setting(PERIOD, "For the answer to RCPT.", "5m")
    data = Setting(PERIOD, "For the answer to DATA.", "2m")
    block = Setting(PERIOD, "For each piece of the message to be taken.", "3m")
    body = Setting(PERIOD, "For the answer to the end of the message.", "10m")
    quit = Setting(PERIOD, "For the answer to QUIT; nothing waits for it.", "5s")


class Retry(Section, header="[retry]"):
    """When mail that could not be delivered yet is tried again, and for how long."""

    schedule = Setting(
        several(PERIOD, least=1), "The waits between tries; the last one repeats.", ["1m", "5m", "15m", "30m", "1h", "2h", "4h"]
    )
    expire = Setting(PERIOD, "After this time the message is given up and its sender is told.", "2d")
    jitter = Setting(FRACTION, "The part of each wait by which it varies at random, so that mail does not move in a herd.", 0.2)


class BreakerSection(Section, header="[breaker]"):
    """When a destination is left alone because nobody answers there.

    After some attempts in a row that found no host which would talk, its mail waits without being tried; then one attempt decides.
    """

    threshold = Setting(COUNT, "How many attempts in a row may find nobody.", 3)
    first = Setting(PERIOD, "How long it is left alone the first time; twice as long each time after.", "1m")
    longest = Setting(PERIOD, "How long it is left alone at most.", "15m")

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the settings mean together and must not."""
        if self.first > self.longest:
            yield "longest", "this is shorter than first"


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
        several(NAMESERVER), "The name servers, in order.", (), shown="the system's, from /etc/resolv.conf", example="127.0.0.1:5353"
    )
    timeout = Setting(PERIOD, "How long one name server may take.", "5s")
    lifetime = Setting(PERIOD, "How long one look-up may take, with all servers, questions and repetitions.", "30s")
    cache_size = Setting(COUNT, "How many answers are kept in memory, each for as long as its TTL says.", 10_000)


class CheckSection(Section, header="[check]"):
    """What mailer-check(1) asks besides the DNS of our own domains."""

    blocklists = Setting(
        several(DOMAIN),
        "The DNS blocklists that are asked for our addresses. Some do not answer resolvers that many share.",
        ["zen.spamhaus.org", "bl.spamcop.net", "psbl.surriel.com"],
    )
    port_domain = Setting(DOMAIN, "A domain whose MX hosts are called to see whether port 25 is open.", "gmail.com")
    time_server = Setting(SERVER, "The NTP server that the clock is compared with; empty: it is not.", "time.cloudflare.com")
    deadline = Setting(PERIOD, "How long the whole may take; what is not known then is said to be unknown.", "10s")
