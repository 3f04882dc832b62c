"""The doors: where this machine is called by others, whatever they speak there, and the limits of those that speak HTTP."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from .. import values
from ..kinds import LISTEN, PERIOD, HostPort, choice, one_or_several, several
from . import COUNT, OPTIONAL_PATH, SIZE, SWITCH, Kind, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..places import Path
    from . import Validated

UNIX = "unix"
LOGIN_PORTS = {"submission": (465, 587), "imap": (993, 143), "pop3": (995, 110)}
"""Kinds of doors where users log in, with their ports for TLS from the first byte on and for STARTTLS, RFC 8314 §3."""


class DoorPlace(NamedTuple):
    """Where a door is: an address of ours and a port, or the `path` of a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def read(cls, value: object) -> DoorPlace:
        """The place that ``0.0.0.0:25``, ``[::]:25`` or ``/run/mailer/web.sock`` says. Raises `ValueError`."""
        text = values.text(value)
        if text.startswith("/"):
            if len(text.encode()) > 107:  # unix(7)
                raise ValueError(f"{values.written(text)} is too long for a socket, which may have 107 bytes")
            return cls(path=text)
        try:
            place = HostPort.read(text)
        except ValueError:
            place = HostPort("")
        if not place.port:
            raise ValueError(f'{values.written(text)} is no place to listen; write "127.0.0.1:8025", "[::1]:8025" or the path of a socket')
        return cls(*place)

    @property
    def public(self) -> bool:
        """Whether other machines get there, as far as the address tells."""
        if self.path or self.host == "localhost":
            return False
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return True

    def __str__(self) -> str:
        return self.path or str(HostPort(self.host, self.port))


class ProxyNetwork(NamedTuple):
    """A network of others, or, as ``unix``, whoever may open a unix socket of ours."""

    addresses: IPv4Network | IPv6Network | None

    @classmethod
    def read(cls, value: object) -> ProxyNetwork:
        """The network that ``192.0.2.0/24``, one address, or ``unix`` says. Raises `ValueError`."""
        text = values.text(value)
        if text == UNIX:
            return cls(None)
        try:
            return cls(ip_network(text))
        except ValueError:
            raise ValueError(
                f'{values.written(text)} is no network; write "192.0.2.0/24", "2001:db8::/32", an address, or "unix"'
            ) from None

    def has(self, address: IPv4Address | IPv6Address | None) -> bool:
        """Whether `address` is of it; None is a caller by a unix socket."""
        return self.addresses is None if address is None else self.addresses is not None and address in self.addresses

    def __str__(self) -> str:
        return UNIX if self.addresses is None else str(self.addresses)


def _mode(value: object) -> str:
    text = values.text(value)
    if not (3 <= len(text) <= 4 and set(text) <= set("01234567")) or int(text, 8) > 0o777:
        raise ValueError(f'{values.written(value)} is no mode; write "0660" or "0600"')
    return text


def _name_of_host(value: object) -> str:
    """A name as it stands in the Host field, without a port: a domain, or an address."""
    text = values.text(value)
    try:
        return str(ip_address(text.removeprefix("[").removesuffix("]")))
    except ValueError:
        return values.domain(text).lower()


PLACE = Kind("host:port | path", DoorPlace.read)
NETWORK = Kind("network | unix", ProxyNetwork.read)
MODE = Kind("mode", _mode)
HOST_NAME = Kind("domain or address", _name_of_host)


class Listen(Section, header="[[listen]]", member="listens", plural="doors"):
    """A door: where others call this machine, and what they speak there.

    The kind web is HTTP: the API for programs, and its page. It is a process of its own, `mailer web`, which `mailer run`
    starts, unless systemd does. It needs an API key, which `mailer api key add` makes, and the extra web:
    pip install 'mailer-mta[web]'.

    The kind reports takes bounces, complaints and other reports by SMTP or LMTP, for bounce.address and what has its name and a + in front;
    see mailer-bounces(1).

    The kind mx takes the mail of strangers, who bring it to port 25, for the domains of ``[[domain]]``, and reports as well. The kind
    submission takes mail to anywhere from users who log in: port 587 with tls = "starttls", 465 with "implicit". The kind lmtp takes mail
    for our domains from a mail server of ours, with an answer for each recipient.

    By the kinds imap and pop3 users read what is in our mailboxes: port 993 and 995 with tls = "implicit", 143 and 110 with "starttls".
    They are a process of their own, `mailer access`, which `mailer run` starts, unless systemd does; see mailer-access(7).
    """

    kind = Setting(
        choice("web", "reports", "mx", "submission", "lmtp", "imap", "pop3"),
        "What it is for: HTTP; reports about our mail, for bounce.address and its extensions, and for nobody else; the mail of strangers "
        "for our domains, by SMTP; the mail of users who log in; mail for our domains from a server of ours, by LMTP; or users who read "
        "their mail, by IMAP or POP3.",
        example="web",
    )
    address = Setting(
        one_or_several(PLACE),
        "An address of this machine with a port, or the path of a unix socket, or a list of such. A socket that systemd opened for it is "
        "taken over.",
        example="127.0.0.1:8025",
    )
    tls = Setting(
        choice("none", "starttls", "implicit"),
        "Whether TLS is spoken: from the first byte on, or, at a door that speaks SMTP or LMTP, where the client asks for it. Without it "
        "keys of the web can be read on their way: so leave it away there only at a loopback address, at a unix socket, or behind a proxy "
        "in the same network.",
        "none",
        example="implicit",
    )
    certificate_file = Setting(
        OPTIONAL_PATH, "The certificate that is shown, with those that are between it and an authority.", "", example="/etc/mailer/web.pem"
    )
    key_file = Setting(OPTIONAL_PATH, "Its key, if that is in another file.", "", example="/etc/mailer/web.key")
    tls_minimum = Setting(choice("1.0", "1.2", "1.3"), "The oldest version of TLS that is spoken with servers and mail programs.", "1.2")
    tls_tickets = Setting(
        SWITCH, "Whether servers and mail programs get tickets, by which they come back faster; some old ones cannot bear one.", True
    )
    proxies = Setting(
        several(NETWORK),
        "The networks of reverse proxies: what such a caller says of the client counts, in X-Forwarded-For at a door of kind web, and by "
        "the PROXY protocol, version 1 or 2, at a door of kind mx, submission, imap or pop3; such a one has to speak it. Many clients "
        "may come by one. "
        '"unix" stands for those who call by a unix socket.',
        (),
        example="10.0.0.0/8",
    )
    protocol = Setting(choice("smtp", "lmtp"), "What a door of kind reports speaks: SMTP, or LMTP to a mail server of ours.", "smtp")
    mode = Setting(MODE, "Who may call by a unix socket, as the mode of its file says.", "0660", example="0666")

    def problems(self) -> Iterable[tuple[str, str]]:
        """A certificate that is missing, or that nobody is shown."""
        if self.tls != "none" and not self.certificate_file:
            yield "tls", f'tls = "{self.tls}" needs a certificate; write certificate_file = "/etc/mailer/{self.kind}.pem" below it'
        if self.tls == "none" and (self.certificate_file or self.key_file):
            yield "tls" if self.certificate_file else "key_file", 'without TLS no certificate is shown; write tls = "implicit"'
        if self.protocol != "smtp" and self.kind != "reports":
            yield "protocol", "that is for a door of kind reports"
        if self.proxies and self.kind in ("reports", "lmtp"):
            yield "proxies", f"a door of kind {self.kind} is called without a proxy"
        yield from self._web_problems() if self.kind == "web" else self._mail_problems()

    def _mail_problems(self) -> Iterable[tuple[str, str]]:
        if self.kind == "mx" and self.tls == "implicit":
            yield "tls", 'servers ask for TLS when they have called; write tls = "starttls"'
        public = [place for place in self.address if place.public]
        if self.kind in LOGIN_PORTS and self.tls == "none" and public:
            implicit, starttls = LOGIN_PORTS[self.kind]
            text = f'nobody logs in there without TLS; write tls = "implicit" for port {implicit}, or "starttls" for {starttls}'
            yield "tls", f"{public[0]} is no loopback address: {text}"
        unix = [place for place in self.address if place.path]
        if self.kind not in {"reports", "lmtp"} and unix and ProxyNetwork(None) not in self.proxies:
            yield "address", f'who calls {unix[0]} has no address; write proxies = ["unix"] where a proxy says it, or a host and port'
        if self.kind == "lmtp" and any(place.port == 25 for place in self.address):
            yield "address", "LMTP is not spoken at port 25 (RFC 2033 §5); write another port, or the path of a socket"

    def _web_problems(self) -> Iterable[tuple[str, str]]:
        if self.tls == "starttls":
            yield "tls", 'HTTP has no STARTTLS; write tls = "implicit"'
        public = [place for place in self.address if place.public]
        if self.tls == "none" and public and not self.proxies:
            text = 'keys could be read on their way to it; write tls = "implicit", or with a proxy in front of it proxies = ["10.0.0.1"]'
            yield "address", f"{public[0]} is no loopback address, and {text}"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Two doors at one place, and doors that lead to nobody."""
        seen: dict[DoorPlace, int] = {}
        for at, door in enumerate(validated.listed[cls.word]):
            for place in door.address if door is not None else ():
                if place in seen:
                    yield (cls.word, at, "address"), f"{place} is the place of another door, too"
                seen.setdefault(place, at)
        bounce = validated.once.get("bounce")
        unnamed = "bounce" not in validated.once or (bounce is not None and not bounce.address)
        for at, door in enumerate(validated.listed[cls.word]):
            if door is not None and door.kind == "reports" and unnamed:
                yield (cls.word, at, "kind"), 'reports come to an address; write address = "bounces@example.com" in [bounce]'
        yield from cls._without_people(validated)

    @classmethod
    def _without_people(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        for at, door in enumerate(validated.listed[cls.word]):
            if door is None or door.kind not in ("mx", "lmtp"):
                continue
            if not validated.listed["domain"]:
                yield (cls.word, at, "kind"), 'mail is taken for our domains; write [[domain]] with name = "example.com"'


class Api(Section, header="[api]"):
    """Limits of HTTP, for each door of the kind web."""

    hosts = Setting(
        several(HOST_NAME),
        "The names that clients call this machine by, in the Host field; all others are refused (421). Names of the machine itself, such "
        "as localhost, and the address that a client has called, always are among them.",
        (),
        shown="mailer.hostname",
        example="mail.example.com",
    )
    max_body: Setting[int | None] = Setting(
        SIZE, "The largest body of a request.", None, shown="4/3 of submission.max_message_size, and 1MB", example="35MB"
    )
    max_connections = Setting(
        COUNT,
        "How many connections there may be at a time; a quarter of that from one address that is no proxy, and as many requests of one "
        "key. The next is refused.",
        256,
    )
    header_timeout = Setting(PERIOD, "How long the header of a request may take to come.", "10s")
    body_timeout = Setting(PERIOD, "How long its body may take to come.", "60s")
    idle_timeout = Setting(PERIOD, "How long a connection may be without a request, or a client not take what it is sent.", "60s")
    stop_timeout = Setting(PERIOD, "How long requests have to end when the process is stopped.", "10s")
    batch = Setting(COUNT, "The most messages of one POST /send_emails.", 1000)
    waiting = Setting(
        COUNT, "How many requests may wait for the disk; 16 are at work at a time. What comes then is told to come again (503).", 256
    )
    metrics: Setting[HostPort | None] = Setting(
        LISTEN,
        "Where the figures of this process are served for Prometheus; those of the daemon are at metrics.listen. Whoever gets there may "
        "read them. A change counts when the process is started anew.",
        None,
        example="127.0.0.1:9926",
    )
