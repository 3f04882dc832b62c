"""A look at a server: how far a session with it comes, step by step, and what it shows of itself. No mail is sent.

A server that need not have a good certificate is asked all the same whether it has one, on a connection of its own: it is
of no use to know that TLS is there without knowing whom it is with. The login goes over what the server's requirement
allows and nowhere else, as it would with mail.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING

from mailer.mail.outcome import NOWHERE
from mailer.smtp.client import PHASE
from mailer.smtp.command import RSET, mail, rcpt
from mailer.smtp.extension import NONE
from mailer.smtp.handshake import HANDSHAKE
from mailer.smtp.reply import HIDDEN, Reply
from mailer.transport.connection import Connection
from mailer.transport.errors import SessionError
from mailer.transport.session import REACHED

from .errors import ErrorKind, SmtpTlsError
from .translate import from_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cryptography import x509

    from mailer.mail.outcome import Hop, Phase
    from mailer.smtp.command import Command
    from mailer.smtp.extension import Extensions
    from mailer.transport.route import Endpoint, Timeouts
    from mailer.transport.session import Session

    from .errors import SmtpError

NOT_OFFERED = ErrorKind.STARTTLS_NOT_SUPPORTED


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says about itself. Times are in seconds since the epoch; 0 and empty where nothing could be read."""

    fingerprint: str  # SHA-256, hexadecimal
    subject: str = ""  # RFC 4514
    names: tuple[str, ...] = ()  # the hosts and addresses it is for
    issuer: str = ""
    not_before: float = 0.0
    not_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Step:
    """What we said or did, the answer to it, and how long that took. Nothing in it is secret."""

    said: str  # "EHLO me.example.org", "connect", "TLS handshake", …; empty: the greeting
    reply: Reply
    seconds: float
    ours: bool = False  # no command and no reply went over the wire: the connection, the handshake


@dataclass(slots=True)
class ProbeFinding:
    """What a session showed, until it stood or failed with `error`."""

    endpoint: Endpoint
    address: str
    steps: list[Step] = field(default_factory=list)
    hop: Hop = NOWHERE
    greeting: str = ""
    extensions: Extensions = NONE
    certificates: list[Certificate] = field(default_factory=list)  # the server's own first
    logged_in: bool = False
    error: SmtpError | None = None
    ours: bool = False  # whether no host is at fault: what we log in with cannot be had, or a setting cannot be used
    sender: str = ""  # whom the server was asked about, as sender and as recipient
    taken: bool = False  # whether it would take mail from that address to that address
    refusal: tuple[Phase, Reply] | None = None  # the phase and the reply, where it would not
    unverified: str = ""  # why the certificate would not be accepted; empty if it was, or there is none

    @property
    def seconds(self) -> float:
        """The seconds that all steps took together."""
        return sum(step.seconds for step in self.steps)

    @property
    def encrypted(self) -> bool:
        """Whether TLS was on at the end."""
        return bool(self.hop.tls)


async def probe(endpoint: Endpoint, addresses: Sequence[str], timeouts: Timeouts, sender: str = "") -> ProbeFinding:
    """Open a session with the first address that answers, and close it. Raises nothing for what the server does.

    With a `sender` the server is asked whether it would take mail from that address to that address, which is then taken back.
    """
    for address in addresses:
        found = await _look(endpoint, address, timeouts, sender)
        if not (found.error and found.error.phase == "connect"):
            break
    return found


async def _look(endpoint: Endpoint, address: str, timeouts: Timeouts, sender: str) -> ProbeFinding:
    """First as if the certificate had to be good; what does not need that is looked at once more without."""
    requirement = endpoint.requirement
    if requirement.mode == "none":
        return await _session(endpoint, address, timeouts, sender)
    mode = "starttls" if requirement.mode == "opportunistic" else requirement.mode
    strict = await _session(replace(endpoint, requirement=replace(requirement, mode=mode, verify=True)), address, timeouts, sender)
    if not isinstance(strict.error, SmtpTlsError):
        return strict
    reason = "" if strict.error.kind is NOT_OFFERED else strict.error.reply.removeprefix(f"TLS with {endpoint.host}: ")
    if not requirement.verified:
        found = await _session(endpoint, address, timeouts, sender)
        found.unverified = reason
        return found
    strict.unverified = reason
    if reason:
        bare = replace(endpoint, requirement=replace(requirement, verify=False, fingerprints=()), login=None)
        strict.certificates = (await _session(bare, address, timeouts)).certificates
    return strict


async def _session(endpoint: Endpoint, address: str, timeouts: Timeouts, sender: str = "") -> ProbeFinding:
    found = ProbeFinding(endpoint, address, sender=sender)
    write = _writer(found)
    try:
        connection = await Connection.open(endpoint, address, timeouts, watch=write)
    except SessionError as error:
        found.hop = error.hop
        found.error = from_session(error)
        found.ours = error.kind == "ours"
        return found
    found.hop = connection.hop
    found.logged_in = endpoint.login is not None
    if sender:
        await _ask(found, connection, write)
    await connection.close()
    return found


async def _ask(found: ProbeFinding, connection: Connection, write: Callable[[Session, Command, Reply], None]) -> None:
    """Whether mail would be taken from our sender: many servers judge our name, our address and our login only at RCPT."""
    try:
        for command in (mail(found.sender, utf8=not found.sender.isascii()), rcpt(found.sender)):
            reply = await connection.say(command)
            write(connection, command, reply)
            if not reply.positive:
                found.refusal = PHASE[command.verb], reply
                break
        else:
            found.taken = True
        if connection.usable:
            write(connection, RSET, await connection.say(RSET))
    except SessionError as error:
        found.error = from_session(error)


def _writer(found: ProbeFinding) -> Callable[[Session, Command, Reply], None]:
    """Writes each step of a session into `found`."""
    last = monotonic()

    def write(connection: Session, command: Command, reply: Reply) -> None:
        nonlocal last
        now = monotonic()
        if command is HANDSHAKE:
            found.certificates = [describe(der) for der in connection.peer_certificates]
            reply = Reply.own(220, "", connection.hop.tls)
        if command.verb == "CONNECT":
            found.greeting = reply.text
        if reply.positive:
            found.extensions = connection.extensions
        ours = command is HANDSHAKE or command is REACHED
        if reply.code == 334:  # a challenge of AUTH
            reply = reply._replace(lines=(HIDDEN,))
        found.steps.append(Step(_said(command), reply, now - last, ours))
        last = now

    return write


WORDS = {"REACHED": "connect", "CONNECT": "", "HANDSHAKE": "TLS handshake", "RESPONSE": HIDDEN}


def _said(command: Command) -> str:
    """A command as it may be shown: of AUTH the mechanism only."""
    if command.verb in WORDS:
        return WORDS[command.verb]
    text = command.line.decode("utf-8", "replace").strip()
    if command.verb != "AUTH":
        return text
    words = text.split(" ")
    return " ".join([*words[:2], *([HIDDEN] if words[2:] else [])])


def describe(der: bytes) -> Certificate:
    """What the certificate in `der` says. Raises nothing: one that cannot be read has a fingerprint too, and so has each where the package
    cryptography is not installed.
    """
    fingerprint = sha256(der).hexdigest()
    try:
        from cryptography import x509
    except ImportError:
        return Certificate(fingerprint)
    try:
        read = x509.load_der_x509_certificate(der)
        return Certificate(
            fingerprint,
            read.subject.rfc4514_string(),
            tuple(_names(read)),
            read.issuer.rfc4514_string(),
            read.not_valid_before_utc.timestamp(),
            read.not_valid_after_utc.timestamp(),
        )
    except (ValueError, TypeError):
        return Certificate(fingerprint)


def _names(read: x509.Certificate) -> Iterator[str]:
    from cryptography import x509

    try:
        names = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from names.get_values_for_type(x509.DNSName)
    yield from map(str, names.get_values_for_type(x509.IPAddress))
