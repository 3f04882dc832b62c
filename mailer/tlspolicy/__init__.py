"""TLS policy: what must be true of a host before it gets mail.

A `Requirement` says how TLS begins, and whether the certificate of the host counts. It is decided before the connection is made (by the
route) and is part of what makes two sessions interchangeable. It is never lowered afterwards: where it cannot be met, mail waits.

=============  ============================================  =====================================================
mode           TLS                                           used for
=============  ============================================  =====================================================
none           never                                         a relay on the same host
opportunistic  if offered; else, or if it fails, without     MX hosts, RFC 7435: better than nothing, proves nothing
starttls       STARTTLS or no mail, RFC 3207                 relays, port 587
implicit       from the first byte, RFC 8314 §3.3            relays, port 465
=============  ============================================  =====================================================
"""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("none", "opportunistic", "starttls", "implicit")


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a session must have of TLS. `verify`: the certificate must be good and bear `server_name` (empty: the name of the host).

    `ca_file` names the authorities to trust (empty: the system's). `min_version` is the oldest TLS that will do, 1.2 or 1.3.

    `fingerprints` are SHA-256 digests of certificates, in hexadecimal: the host has to show one of these, and then it is
    verified, whoever has signed it and whatever name it bears. `client_certificate` is the PEM file with ours, and
    `client_key` the one with its key (empty: the same).
    """

    mode: str = "starttls"
    verify: bool = True
    ca_file: str = ""
    server_name: str = ""
    min_version: str = "1.2"
    fingerprints: tuple[str, ...] = ()
    client_certificate: str = ""
    client_key: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprints", tuple(map(fingerprint, self.fingerprints)))
        if self.mode not in MODES:
            raise ValueError(f"{self.mode!r} is no TLS mode; there are {', '.join(MODES)}")

    @property
    def required(self) -> bool:
        """Whether there is no mail without TLS."""
        return self.mode in ("starttls", "implicit")

    @property
    def verified(self) -> bool:
        """Whether TLS, once made, proves who the host is; opportunistic TLS never does."""
        return self.required and (self.verify or bool(self.fingerprints))


def fingerprint(text: str) -> str:
    """A SHA-256 digest as tools print it, with colons or without, in the form that is compared. Raises `ValueError`."""
    digits = text.replace(":", "").lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise ValueError(f"{text!r} is no SHA-256 fingerprint; write 64 hexadecimal digits, with colons between them or without")
    return digits


RELAY = Requirement()
"""What a relay gets unless the configuration says otherwise."""

MX = Requirement("opportunistic", verify=False)
"""What a host found by MX gets unless a policy says otherwise."""
