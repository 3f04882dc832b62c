"""Every setting there is: one dataclass a section, one field a key, with its sentence, kind and default.

Used by everybody who needs a setting, as a frozen value with final types: durations are seconds, sizes
are bytes, paths are absolute, and what depends on other settings has been worked out. ``Config()`` is
what holds when nothing is configured.

`problems` of a section says what its keys mean together: pairs of a key and what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import defaults
from .check import Check
from .dkim import Dkim
from .intake import Intake, Submitter
from .kinds import (
    ADDRESS,
    ALIASES,
    AUTHORS,
    COUNT,
    DOMAINS,
    DURATION,
    FRACTION,
    HOP,
    HOSTNAME,
    KEPT,
    NAMESERVER,
    OPTIONAL_DOMAIN,
    OPTIONAL_PATH,
    PATH,
    PATTERN,
    PERIOD,
    PORT,
    SIZE,
    SOURCE,
    SWITCH,
    choice,
    one_or_several,
    several,
)
from .metrics import Metrics
from .relay import Relay
from .setting import setting
from .shape import RATE, Breaker, Reaction, Shape, Source

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailer:
    """Who this machine is, and where its queue lies."""

    hostname: str = setting(
        HOSTNAME,
        "The name that this machine gives itself in EHLO, in Message-ID fields and in reports.",
        factory=defaults.hostname,
        shown="the name of the machine, from hostname(1), /etc/hostname or /etc/hosts",
        example="mail.example.com",
    )
    spool: str = setting(
        PATH,
        "The directory of the queue. See mailer-spool(5).",
        factory=defaults.spool,
        shown="$XDG_STATE_HOME/mailer, which is ~/.local/state/mailer; /var/spool/mailer for root",
        example=defaults.SYSTEM_SPOOL,
    )
    postmaster: str = setting(
        ADDRESS,
        "The address in the From field of the reports about mail that could not be delivered.",
        "",
        shown="mailer-daemon at the hostname",
        example="postmaster@example.com",
    )

    def __post_init__(self) -> None:
        if not self.postmaster:
            object.__setattr__(self, "postmaster", f"mailer-daemon@{self.hostname}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is taken in, and how it is completed."""

    default_domain: str = setting(
        OPTIONAL_DOMAIN,
        "The domain of addresses that have none, such as root. Without it such addresses are refused.",
        defaults.DEFAULT_DOMAIN,
        example="example.com",
    )
    max_message_size: int = setting(SIZE, "The largest message that is taken.", defaults.MAX_MESSAGE_SIZE)
    max_recipients: int = setting(COUNT, "The most recipients that one message may have.", defaults.MAX_RECIPIENTS)
    from_address: str = setting(
        ADDRESS,
        "The sender of mail that names none.",
        defaults.FROM_ADDRESS,
        shown="the user's name at default_domain, or at the hostname",
        example="robot@example.com",
    )
    request_id_ttl: float = setting(
        DURATION,
        "How long a request id is remembered: the same id with the same message is queued once.",
        defaults.REQUEST_ID_TTL,
    )
    aliases: tuple[tuple[str, tuple[str, ...]], ...] = setting(
        ALIASES,
        "Who gets the mail for a name of this machine, such as root, or for an address: one address or a list, /dev/null to discard it. "
        "* is every other name.",
        (),
        example="root = you@example.com",
    )
    aliases_file: str = setting(
        OPTIONAL_PATH, "A file with more aliases, in the form of aliases(5); those above go before it.", "", example="/etc/aliases"
    )
    authors: tuple[tuple[str, str], ...] = setting(
        AUTHORS,
        "The author of the mail that a user of this machine sends, in header and envelope; * is every other user.",
        (),
        example="www-data = Our shop <shop@example.com>",
    )
    replace_every_author: bool = setting(
        SWITCH, "Whether that replaces all authors, or those only that have no domain or the name of this machine.", False
    )
    masquerade: tuple[str, ...] = setting(
        DOMAINS, "Domains that stand for those below them: an author at host.example.com is one at example.com.", (), example="example.com"
    )
    masquerade_except: tuple[str, ...] = setting(KEPT, "Users, addresses and domains that keep theirs.", (), example="lists.example.com")
    strict: bool = setting(
        SWITCH,
        "Whether a message is refused instead of mended: lines too long, octets that do not say what they are, fields that stand twice, "
        "addresses without a comma between them.",
        False,
    )
    max_header_size: int = setting(SIZE, "The largest header that a message may have.", defaults.MAX_HEADER_SIZE)
    min_free_space: int = setting(
        SIZE,
        "What has to stay free on the disk of the spool: mail that would take of it is refused for now (75), and no reports are written.",
        defaults.MIN_FREE_SPACE,
    )
    min_free_inodes: int = setting(COUNT, "The same for the number of files that the file system has room for.", defaults.MIN_FREE_INODES)
    max_attachments: int = setting(COUNT, "The most attachments that a message may be composed with.", defaults.MAX_ATTACHMENTS)
    max_attachment_size: int = setting(SIZE, "The largest of them.", defaults.MAX_ATTACHMENT_SIZE)
    max_subject_length: int = setting(
        COUNT, "The longest subject that a message may be composed with, in characters.", defaults.MAX_SUBJECT_LENGTH
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which way mail for a domain leaves.

    The first route that matches wins; where none does, mail goes to the MX hosts of the domain. With no
    route at all and one relay, everything goes to that relay.
    """

    match: str = setting(PATTERN, 'A domain, "*.domain" for everything below it, or "*".', example="*.example.net")
    via: tuple[str, ...] = setting(
        one_or_several(HOP),
        'Ways out in order of preference: "relay:NAME", or "mx" for the MX hosts of the domain.',
        example="relay:out",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How much is done at once."""

    max_connections: int = setting(COUNT, "The most connections that are open at a time.", 100)
    max_connections_per_destination: int = setting(COUNT, "The most of them to one destination.", 20)
    initial_connections_mx: int = setting(COUNT, "How many a destination found by MX gets before it has proved itself.", 2)
    initial_connections_relay: int = setting(COUNT, "How many a relay gets before it has proved itself.", 5)
    message_rate: str = setting(
        RATE,
        "How many messages may begin in a time, to all destinations together. One counts once for each recipient.",
        "",
        shown="no limit",
        example="5000/min",
    )
    connection_rate: str = setting(
        RATE, "How many connections may be opened in a time, to all destinations together.", "", shown="no limit", example="100/s"
    )
    messages_per_connection: int | None = setting(
        COUNT, "After how many messages a connection is replaced.", None, shown="no limit", example="100"
    )
    recipients_per_message: int = setting(COUNT, "How many recipients one transaction has at most. Every server takes 100 (RFC 5321).", 100)
    known_replies: bool = setting(
        SWITCH, "Whether what mailer knows about the replies of large mailbox operators is made use of; see [[reaction]].", True
    )
    active_limit: int = setting(
        COUNT, "The most messages that are held in memory; the rest waits on disk. One with a long envelope counts for several.", 10_000
    )
    idle_timeout: float = setting(DURATION, "How long a connection without work is kept open.", "10s")
    max_lifetime: float = setting(PERIOD, "How long a connection is used before it is replaced.", "5m")
    family: str = setting(
        choice("any", "prefer4", "prefer6", "only4", "only6"),
        "Which addresses of a host are called first, or alone: IPv4 or IPv6.",
        "any",
    )
    source4: str = setting(SOURCE, "The IPv4 address to call from.", "", shown="the system chooses", example="192.0.2.10")
    source6: str = setting(SOURCE, "The IPv6 address to call from.", "", shown="the system chooses", example="2001:db8::10")
    mx_port: int = setting(PORT, "The port of MX hosts.", 25)
    allow_private: bool = setting(
        SWITCH, "Whether MX hosts may be at loopback, private or link-local addresses. For tests; a relay may always be.", False
    )
    attempt_limit: float = setting(
        PERIOD,
        "How long one attempt at one message may take, whatever the timeouts allow. Then it is broken off, told, and made again later.",
        "4h",
    )
    max_hops: int = setting(COUNT, "The most hosts (Received fields) that a message may have passed; one more is a loop.", 50)
    rescan: float = setting(PERIOD, "How often the queue is looked through for what the doorbell did not announce.", "60s")
    stop_timeout: float = setting(DURATION, "How long a daemon that is told to stop waits for deliveries under way.", "30s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long the other side may take in each phase of a session; see RFC 5321 section 4.5.3.2."""

    connect: float = setting(PERIOD, "For the connection, and for the TLS handshake.", "30s")
    greeting: float = setting(PERIOD, "For the greeting.", "5m")
    ehlo: float = setting(PERIOD, "For the answer to EHLO, HELO, STARTTLS and each step of AUTH.", "5m")
    mail: float = setting(PERIOD, "For the answer to MAIL.", "5m")
    rcpt: float = setting(PERIOD, "For the answer to RCPT.", "5m")
    data: float = setting(PERIOD, "For the answer to DATA.", "2m")
    block: float = setting(PERIOD, "For each piece of the message to be taken.", "3m")
    body: float = setting(PERIOD, "For the answer to the end of the message.", "10m")
    quit: float = setting(PERIOD, "For the answer to QUIT; nothing waits for it.", "5s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When mail that could not be delivered yet is tried again, and for how long."""

    schedule: tuple[float, ...] = setting(
        several(PERIOD, least=1),
        "The waits between tries; the last one repeats.",
        ["1m", "5m", "15m", "30m", "1h", "2h", "4h"],
    )
    expire: float = setting(PERIOD, "After this time the message is given up and its sender is told.", "2d")
    jitter: float = setting(FRACTION, "The part of each wait by which it varies at random, so that mail does not move in a herd.", 0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Encryption of what is sent."""

    ca_file: str = setting(
        OPTIONAL_PATH,
        "A PEM file with the certificate authorities that are trusted.",
        "",
        shown="the system's",
        example="/etc/ssl/certs/ca-certificates.crt",
    )
    mx: str = setting(
        choice("none", "opportunistic", "starttls"),
        "Encryption towards MX hosts: never; where it is offered, whatever the certificate; only with a valid certificate.",
        "opportunistic",
    )
    min_version: str = setting(choice("1.2", "1.3"), "The oldest version of TLS that is used.", "1.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """Who is asked for MX and address records."""

    nameservers: tuple[str, ...] = setting(
        several(NAMESERVER),
        "The name servers, in order.",
        (),
        shown="the system's, from /etc/resolv.conf",
        example="127.0.0.1:5353",
    )
    timeout: float = setting(PERIOD, "How long one name server may take.", "5s")
    lifetime: float = setting(PERIOD, "How long one look-up may take, with all servers, questions and repetitions.", "30s")
    cache_size: int = setting(COUNT, "How many answers are kept in memory, each for as long as its TTL says.", 10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """What happens when mail is given up."""

    enabled: bool = setting(SWITCH, "Whether the sender gets a report.", True)
    content: str = setting(choice("headers", "full"), "How much of the message the report carries.", "headers")
    delay_warning: float = setting(
        DURATION,
        "After this time without delivery the sender is warned, once a message. With 0 only those are who asked for it, after 4 hours, and "
        "those whose mail waits for something of ours longer than retry.expire.",
        "0s",
    )
    max_per_hour: int = setting(COUNT, "The most reports that one sender gets in an hour. What is beyond that is told in the log.", 100)
    max_per_hour_in_all: int = setting(
        COUNT, "The most that all senders together get: whoever forges many addresses must not make reports to them all.", 2000
    )
    retention: float = setting(DURATION, "How long a message that was given up is kept, for inspection and replay.", "7d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The record of what became of messages."""

    retention: float = setting(DURATION, "How long the record of a finished message is kept.", "30d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What the daemon tells."""

    format: str = setting(choice("auto", "human", "json"), "How lines look: auto is human on a terminal and JSON elsewhere.", "auto")
    level: str = setting(choice("debug", "info", "warning", "error"), "The least important lines that are written.", "info")
    file: str = setting(OPTIONAL_PATH, "A file that the log is appended to.", "", shown="standard error", example="/var/log/mailer.log")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings, one member a section. `routes` ends with a route for ``*``, so that one always matches."""

    mailer: Mailer = field(default_factory=Mailer)
    submission: Submission = field(default_factory=Submission)
    relays: Mapping[str, Relay] = field(default_factory=dict)
    routes: tuple[Route, ...] = (Route(match="*", via=("mx",)),)
    dkim: tuple[Dkim, ...] = ()
    intake: Intake = field(default_factory=Intake)
    submitters: tuple[Submitter, ...] = ()
    delivery: Delivery = field(default_factory=Delivery)
    breaker: Breaker = field(default_factory=Breaker)
    shapes: tuple[Shape, ...] = ()
    sources: tuple[Source, ...] = ()
    reactions: tuple[Reaction, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: Retry = field(default_factory=Retry)
    tls: Tls = field(default_factory=Tls)
    dns: Dns = field(default_factory=Dns)
    check: Check = field(default_factory=Check)
    bounce: Bounce = field(default_factory=Bounce)
    status: Status = field(default_factory=Status)
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    path: str = ""
    """The file that it was read from; empty if there is none."""
    lines: Mapping[str, int] = field(default_factory=dict, repr=False, compare=False)
    """Where settings stand in that file: ``"relay.out.host"`` and its line. What is not here has its default."""

    @property
    def spool(self) -> str:
        """The directory of the queue."""
        return self.mailer.spool

    @property
    def hostname(self) -> str:
        """The EHLO name of this machine."""
        return self.mailer.hostname

    @property
    def postmaster(self) -> str:
        """The address that reports come from."""
        return self.mailer.postmaster


TABLES: Mapping[str, type] = {
    "mailer": Mailer, "submission": Submission, "intake": Intake, "delivery": Delivery, "breaker": Breaker,
    "timeouts": Timeouts, "retry": Retry, "tls": Tls, "dns": Dns, "check": Check, "bounce": Bounce, "status": Status, "log": Log,
    "metrics": Metrics,
}  # fmt: skip
"""The sections that stand in the file once, as ``[name]``; `Config` has a member of the same name for each."""

NAMED: Mapping[str, type] = {"relay": Relay}
"""The sections that stand there as ``[section.NAME]``."""

LISTED: Mapping[str, type] = {
    "route": Route, "dkim": Dkim, "submitter": Submitter, "shape": Shape, "source": Source, "reaction": Reaction,
}  # fmt: skip
"""The sections that stand there as ``[[section]]``, in order."""
