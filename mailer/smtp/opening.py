"""From the greeting to the first MAIL: what is said, in which order, and when we give up.

A generator: it yields what the driver is to do and is sent the reply. It reads as the session runs.

    greeting → EHLO (HELO if that is not known; LHLO in LMTP) → STARTTLS, handshake, EHLO again → AUTH

Laws:

1. Where TLS is required, a server that does not offer it, or fails at it, hears neither AUTH nor MAIL.
2. A secret that would go over the wire as it is goes only to a host whose certificate was verified, unless the
   configuration allows it otherwise by name.
3. A refused password is our mistake, not the message's: the kind is ``auth``, and no mail bounces for it.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Generator
from dataclasses import dataclass, field

from . import command, sasl
from .client import Client, State
from .command import Command
from .errors import CommandError, SessionRefused
from .redact import redacted
from .reply import Reply

HANDSHAKE = Command("HANDSHAKE", b"")
"""Make the TLS handshake now, tell the client (`Client.secured`), and answer with `SECURED`."""

SECURED = Reply.own(220, "", "TLS is on")

MAX_INITIAL = 500  # octets of an AUTH line, RFC 4954 §4 with RFC 5321 §4.5.3.1.4; a longer response waits for the 334

_STEP = Generator[Command, Reply, None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a session must become.

    `tls` is none, opportunistic, starttls or implicit; `verified` says that the driver's handshake fails without
    a good certificate. With a `username` there is AUTH; `allow_plain` lets the secret go where no
    certificate was verified.
    """

    hello: str
    tls: str = "none"
    verified: bool = False
    username: str = ""
    secret: str = field(default="", repr=False)
    allow_plain: bool = False


def opening(client: Client, wish: Wish) -> _STEP:
    """Lead `client` to READY. Raises `SessionRefused`."""
    greeting = yield command.CONNECT
    if not greeting.positive:
        raise SessionRefused("refused", "greeting", greeting)
    yield from _hello(client, wish)
    if wish.tls in ("starttls", "opportunistic"):
        yield from _starttls(client, wish)
    if wish.username:
        yield from _auth(client, wish)


def _hello(client: Client, wish: Wish) -> _STEP:
    reply = yield command.lhlo(wish.hello) if client.lmtp else command.ehlo(wish.hello)
    if reply.permanent and client.state is State.GREETED and not client.lmtp:  # RFC 5321 §3.2; RFC 2033 §4.1 has no HELO
        reply = yield command.helo(wish.hello)
    if not reply.positive:
        raise SessionRefused("refused", "ehlo", reply)


def _starttls(client: Client, wish: Wish) -> _STEP:
    if not client.extensions.starttls:
        if wish.tls == "opportunistic":
            return
        raise SessionRefused("tls", "starttls", Reply.own(454, "4.7.4", "TLS is required, and the host does not offer STARTTLS"))
    reply = yield command.STARTTLS
    if reply.positive:
        yield HANDSHAKE
        yield from _hello(client, wish)
    elif wish.tls != "opportunistic" or client.over:
        raise SessionRefused("tls", "starttls", reply)


def _auth(client: Client, wish: Wish) -> _STEP:
    mechanism = _mechanism(client, wish)
    initial = mechanism.initial()
    if initial is not None and len(initial) * 4 // 3 > MAX_INITIAL - len(mechanism.name):
        initial = None
    reply = yield command.auth(mechanism.name, initial)
    while reply.code // 100 == 3:
        answer = _answer(mechanism, reply)
        reply = yield command.CANCEL if answer is None else command.response(answer)
    if not reply.positive:
        raise SessionRefused("auth", "auth", redacted(reply, wish.secret))


def _mechanism(client: Client, wish: Wish) -> sasl.Mechanism:
    """The strongest that both sides have, if the wire is good enough for it."""
    kind = sasl.choose(client.extensions.mechanisms)
    if kind is None:
        offers = ", ".join(sorted(client.extensions.mechanisms)) or "no AUTH"
        ours = ", ".join(sasl.MECHANISMS)
        raise _refuse(504, "5.5.4", f"the host offers {offers}; we know {ours}")
    if kind.clear and not (client.secure and wish.verified) and not wish.allow_plain:
        wire = "a connection whose certificate is not verified" if client.secure else "a connection without TLS"
        raise _refuse(538, "5.7.11", f"the password is not sent over {wire} (require TLS with a certificate, or say allow_plaintext_auth)")
    try:
        return kind(wish.username, wish.secret)
    except CommandError as error:
        raise _refuse(535, "5.7.8", str(error)) from None


def _answer(mechanism: sasl.Mechanism, reply: Reply) -> bytes | None:
    try:
        return mechanism.answer(a2b_base64(reply.text.encode(), strict_mode=True))
    except Base64Error:
        return None  # RFC 4954 §4: cancel


def _refuse(code: int, enhanced: str, text: str) -> SessionRefused:
    return SessionRefused("auth", "auth", Reply.own(code, enhanced, text))
