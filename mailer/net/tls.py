"""A requirement as an `ssl.SSLContext`: TLS 1.2 or later, and whose certificates count.

Contexts are cached, since reading the system's authorities takes longer than a whole session. A changed CA file
counts after `forget`.
"""

from __future__ import annotations

import ssl
from functools import lru_cache

from mailer.trust.requirement import Requirement


@lru_cache(64)
def context(requirement: Requirement) -> ssl.SSLContext:
    """The context for sessions under `requirement`. Raises `OSError` (with `ssl.SSLError`) for a CA file that is none."""
    if requirement.verified:
        made = _trusting(requirement.ca_file)
    else:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.minimum_version = _VERSIONS[requirement.min_version]
    return made


_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}  # older ones are gone, RFC 8996


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise OSError(f"the CA file {ca_file} cannot be used: {error.strerror or error}") from None


forget = context.cache_clear
"""Read CA files again when they are next needed."""


def server_name(requirement: Requirement, host: str) -> str:
    """The name that the certificate must bear and that the server is asked for (SNI)."""
    return (requirement.server_name or host).rstrip(".").strip("[]")


def achieved(version: str, requirement: Requirement) -> str:
    """What `Hop.tls` says: ``TLSv1.3 verified``."""
    return f"{version} {'verified' if requirement.verified else 'unverified'}"


def reason(error: Exception) -> str:
    """Why a handshake failed, in one line without OpenSSL's source positions."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS failed").replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or "the host closed the connection"
