"""From the greeting to the first MAIL: what is said, in which order, and when we give up.

A generator: it yields what the driver is to do and is sent the reply. It reads as the session runs.

    greeting → EHLO (HELO if that is not known; LHLO in LMTP) → STARTTLS, handshake, EHLO again → AUTH

Laws:

1. Where TLS is required, a server that does not offer it, or fails at it, hears neither AUTH nor MAIL.
2. A secret that would go over the wire as it is goes only to a host whose certificate was verified, unless the
   configuration allows it otherwise by name.
3. A mechanism that is offered and then refused is followed by the next; a password that is refused is not tried again. So what
   counts is whether the secret was used: a server that keeps passwords for PLAIN only refuses SCRAM before it is, with 535.
4. A refused password is our mistake, not the message's: the kind is ``auth``, and no mail bounces for it.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Generator
from dataclasses import dataclass, field

from mailer.mail.outcome import Cause
from mailer.sasl import client as sasl
from mailer.sasl.mechanism import Channel, CredentialError, Mechanism

from . import command
from .client import Client, ClientState
from .command import Command
from .reply import ProtocolError, Reply, SessionRefused

HANDSHAKE = Command("HANDSHAKE", b"")
"""Make the TLS handshake now, tell the client (`Client.secured`), and answer with `SECURED`."""

SECURED = Reply.own(220, "", "TLS is on")

MAX_INITIAL = 500  # octets of an AUTH line, RFC 4954 §4 with RFC 5321 §4.5.3.1.4; a longer response waits for the 334

NOT_THIS_ONE = frozenset({432, 502, 504, 534, 538})  # RFC 4954 §4, §6: it is the mechanism that is refused

_STEP = Generator[Command, Reply, None]


@dataclass(frozen=True, slots=True)
class Wish:
    """The session that is wanted.

    `tls` is none, opportunistic, starttls or implicit; `verified` says that the driver's handshake fails without
    a good certificate. With a `username` there is AUTH; `allow_plain` lets the secret go where no
    certificate was verified; `mechanism` is as `mailer.sasl.client.candidates` wants it, `nonce` is fresh. `authorization` is
    whom to act as. EXTERNAL needs no username: the driver's handshake shows a certificate.
    """

    hello: str
    tls: str = "none"
    verified: bool = False
    username: str = ""
    secret: str = field(default="", repr=False)
    allow_plain: bool = False
    mechanism: str | type[Mechanism] = ""
    nonce: str = ""
    authorization: str = ""

    @property
    def login(self) -> bool:
        """Whether there is AUTH."""
        return bool(self.username) or self.mechanism == "EXTERNAL" or isinstance(self.mechanism, type)


def handshake(client: Client, wish: Wish) -> _STEP:
    """Lead `client` to READY. Raises `SessionRefused`, and `ProtocolError` as `_exchange` does."""
    greeting = yield command.CONNECT
    if not greeting.positive:
        raise SessionRefused("refused", "greeting", greeting)
    yield from _hello(client, wish)
    if wish.tls in ("starttls", "opportunistic"):
        yield from _starttls(client, wish)
    if wish.login:
        yield from _auth(client, wish)


def _hello(client: Client, wish: Wish) -> _STEP:
    reply = yield command.lhlo(wish.hello) if client.lmtp else command.ehlo(wish.hello)
    if reply.permanent and client.state is ClientState.GREETED and not client.lmtp:  # RFC 5321 §3.2; RFC 2033 §4.1 has no HELO
        reply = yield command.helo(wish.hello)
    if not reply.positive:
        raise SessionRefused("refused", "ehlo", reply)


def _starttls(client: Client, wish: Wish) -> _STEP:
    if not client.extensions.starttls:
        if wish.tls == "opportunistic":
            return
        text = "TLS is required, and the host does not offer STARTTLS"
        raise SessionRefused("no_tls", "starttls", Reply.own(454, "4.7.4", text, Cause.TLS))
    reply = yield command.STARTTLS
    if reply.positive:
        yield HANDSHAKE
        yield from _hello(client, wish)
    elif wish.tls != "opportunistic" or client.over:
        raise SessionRefused("tls", "starttls", reply)


def _auth(client: Client, wish: Wish) -> _STEP:
    """One mechanism after the other, until one is no longer refused as a mechanism."""
    for kind in (kinds := _kinds(client, wish)):
        mechanism = _made(kind, client, wish)
        reply = yield from _exchange(mechanism)
        if reply.positive and mechanism.proved:
            return
        if reply.positive or (mechanism.trouble and not mechanism.token):
            trouble = mechanism.trouble or "the server says that we are in, and has not proved that it knows the password"
            raise _refuse(535, "5.7.8", f"{mechanism.name}: {trouble}")
        if client.over or kind is kinds[-1] or (reply.code not in NOT_THIS_ONE and mechanism.used):
            raise SessionRefused("auth", "auth", reply)


def _exchange(mechanism: Mechanism) -> Generator[Command, Reply, Reply]:
    """AUTH with one mechanism, to its last reply. Raises `ProtocolError` for a server that goes on asking."""
    initial = mechanism.initial()
    if initial is not None and len(initial) * 4 // 3 > MAX_INITIAL - len(mechanism.name):
        initial = None
    reply = yield command.auth(mechanism.name, initial)
    while reply.code // 100 == 3:
        answer = _answer(mechanism, reply)
        reply = yield command.CANCEL if answer is None else command.response(answer)
        if answer is None and reply.code // 100 == 3:  # RFC 4954 §4: it must refuse AUTH now
            raise ProtocolError("AUTH was taken back, and the host goes on with it")
    return reply


def _kinds(client: Client, wish: Wish) -> list[type[Mechanism]]:
    """Those that both sides have, strongest first, if the wire is good enough for one."""
    offered = client.extensions.mechanisms
    kinds = sasl.candidates(offered, wish.mechanism, binding=bool(client.binding), acts=bool(wish.authorization))
    if not kinds:
        offers = ", ".join(sorted(offered)) or "no AUTH"
        ours = ", ".join(kind.name for kind in sasl.known(wish.mechanism, acts=bool(wish.authorization)))
        raise _refuse(504, "5.5.4", f"the host offers {offers}; we know {ours}")
    fit = wish.allow_plain or (client.secure and wish.verified)
    if allowed := [kind for kind in kinds if fit or not kind.clear]:
        return allowed
    wire = "a connection whose certificate is not verified" if client.secure else "a connection without TLS"
    what = "token" if kinds[0].token else "password"
    raise _refuse(538, "5.7.11", f"the {what} is not sent over {wire} (require TLS with a certificate, or say allow_plaintext_auth)")


def _made(kind: type[Mechanism], client: Client, wish: Wish) -> Mechanism:
    bindings = any(name.endswith("-PLUS") for name in client.extensions.mechanisms)
    try:
        return kind(wish.username, wish.secret, Channel(wish.nonce, client.binding, bindings, wish.authorization))
    except CredentialError as error:
        raise _refuse(535, "5.7.8", str(error)) from None


def _answer(mechanism: Mechanism, reply: Reply) -> bytes | None:
    """The response to a challenge; None cancels, RFC 4954 §4. A lone ``=`` is an empty one, though it is not for servers to say."""
    try:
        challenge = a2b_base64(reply.text.encode() if reply.text != "=" else b"", strict_mode=True)
    except Base64Error:
        return mechanism.answer(b"") if mechanism.deaf else None
    return mechanism.answer(challenge)


def _refuse(code: int, enhanced: str, text: str) -> SessionRefused:
    return SessionRefused("auth", "auth", Reply.own(code, enhanced, text, Cause.LOGIN))
