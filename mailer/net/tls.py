"""A requirement as an `ssl.SSLContext`: TLS 1.2 or later, and whose certificates count.

Contexts are cached, since reading the system's authorities takes longer than a whole session. A changed CA file or client
certificate counts after `forget`.

A session that was made may be resumed (RFC 8446 §2.2), which saves the certificate and its check. So what was checked then
must be what would be checked now: sessions are kept by the context, that is by the requirement, and in it by the name that the
certificate had to bear. One that was made without verification is never resumed where there has to be one. Each is used
once (RFC 8446 §C.4), and none after `RESUMABLE` seconds.
"""

from __future__ import annotations

import ssl
import time
import warnings
from functools import lru_cache
from hashlib import sha256
from typing import Any

from mailer.mail.problem import Problem
from mailer.tlspolicy import Requirement

RESUMABLE = 3600.0  # seconds: a certificate that was revoked or has expired is noticed after an hour
SESSIONS = 1000  # for one requirement; the oldest are forgotten first


class OwnCertificate(OSError):
    """The certificate that we show, or its key, cannot be used."""


def serving(certificate: str, key: str, oldest: str = "1.2", *, tickets: bool = True) -> ssl.SSLContext:
    """A context that shows the `certificate` of a door of ours, as it is in the file now; `key` is the file with its key, or empty.

    `oldest` is the oldest version of TLS that is spoken: 1.0, which RFC 8996 has done with and some senders still need, 1.2 or 1.3. Without
    `tickets` nobody resumes a session. Nobody makes a second handshake within one. Each door has a context of its own, so that a ticket of
    one is worth nothing at another. Raises `Problem` (bad-config) for files that cannot be used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it is the operator's wish
        made.minimum_version = _VERSIONS[oldest]
    if oldest == "1.0":
        made.set_ciphers("DEFAULT:@SECLEVEL=0")  # its signatures are with SHA-1, which OpenSSL 3 refuses at any other level
    made.options |= ssl.OP_NO_RENEGOTIATION
    if not tickets:
        made.options |= ssl.OP_NO_TICKET
        made.num_tickets = 0
    try:
        made.load_cert_chain(certificate, key or None, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Problem(
            f"the certificate {certificate} and its key cannot be used: {reason}; listen.certificate_file and "
            "listen.key_file name PEM files that belong together, without a password",
            "bad-config",
        ) from None
    return made


class ClientContext(ssl.SSLContext):
    """A context that remembers its sessions."""

    _sessions: dict[str, tuple[float, ssl.SSLSession]]

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any) -> ssl.SSLObject:
        """What asyncio calls to begin TLS; the session that is known for the name goes along."""
        options.setdefault("session", self._known(options.get("server_hostname") or ""))
        return super().wrap_bio(incoming, outgoing, *args, **options)

    def remember(self, name: str, session: ssl.SSLSession | None) -> None:
        """Let `session` be resumed by the next one who asks for `name`. RFC 8446 §2.2"""
        if session is None or not session.has_ticket:
            return
        self._sessions.pop(name, None)
        if len(self._sessions) >= SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[name] = time.monotonic(), session

    def _known(self, name: str) -> ssl.SSLSession | None:
        made, session = self._sessions.pop(name, (0.0, None))
        return session if time.monotonic() - made < RESUMABLE else None


@lru_cache(64)
def context(requirement: Requirement) -> ClientContext:
    """The context for sessions under `requirement`. Raises `OSError` for a file that cannot be used."""
    made = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    made._sessions = {}
    if requirement.verified and not requirement.fingerprints:
        _trust(made, requirement.ca_file)
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if requirement.client_certificate:
        _introduce(made, requirement.client_certificate, requirement.client_key)
    made.minimum_version = _VERSIONS[requirement.min_version]
    return made


_VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def _trust(made: ClientContext, ca_file: str) -> None:
    try:
        if ca_file:
            made.load_verify_locations(ca_file)
        else:
            made.load_default_certs()
    except OSError as error:
        raise OSError(f"the CA file {ca_file} cannot be used: {error.strerror or error}") from None


def _introduce(made: ClientContext, certificate: str, key: str) -> None:
    """The certificate that we show, with its key, which has to be readable without a password: nobody is there to type it."""
    try:
        made.load_cert_chain(certificate, key or None, password=lambda: "")
    except OSError as error:
        raise OwnCertificate(f"the client certificate {certificate} cannot be used: {error.strerror or error}") from None


forget = context.cache_clear
"""Read the files again when they are next needed."""


def remember(made: ssl.SSLObject | None) -> None:
    """Let the session be resumed; to be called when the host has answered, since it sends behind the handshake what is needed."""
    if made is not None and isinstance(made.context, ClientContext):
        made.context.remember(made.server_hostname or "", made.session)


def check(requirement: Requirement, certificates: list[bytes]) -> None:
    """Raise `ssl.SSLCertVerificationError` unless the peer's own certificate (in DER, the first) is one of those that are pinned."""
    if not requirement.fingerprints:
        return
    found = sha256(certificates[0]).hexdigest() if certificates else "none"
    if found not in requirement.fingerprints:
        error = ssl.SSLCertVerificationError(1, "another certificate")
        error.verify_code = 28  # X509_V_ERR_CERT_REJECTED
        error.verify_message = f"its fingerprint is {found}, which is not the one that was written down"
        raise error


def server_name(requirement: Requirement, host: str) -> str:
    """The name that the certificate must bear and that the server is asked for (SNI)."""
    return (requirement.server_name or host).rstrip(".").strip("[]")


def achieved(version: str, requirement: Requirement) -> str:
    """What `Hop.tls` says: ``TLSv1.3 verified``."""
    return f"{version} {'verified' if requirement.verified else 'unverified'}"


NOT_ACCEPTED = "the certificate is not accepted"
"""What the reason begins with where that is it."""

NO_TLS = "what the host sent is no TLS"

_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"})
"""What OpenSSL calls it when words came in place of a record; an old version of TLS has another name."""


def reason(error: Exception) -> str:
    """Why a handshake failed, in one line without OpenSSL's source positions."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{NOT_ACCEPTED}: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return NO_TLS
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS failed").replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or "the host closed the connection"
