"""Mail for proofs, and a DNS in which some of it holds: legit.test wants all refused that proves nothing, attack.test is a stranger's."""

from __future__ import annotations

import asyncio

from mailer.dkim.sign import Seal, sign
from mailer.filtering.disposition import ProofSettings
from mailer.filtering.proof import Proof, prove
from mailer.mail.arrival import Arrival
from tests.auth.answers import World
from tests.dkim.keys import NOW, key

HOST = "mx.test"
THEIRS, STRANGERS = "192.0.2.1", "198.51.100.9"
"""Where legit.test sends from, and where the stranger does."""

RECORDS: dict[tuple[str, str], list[str]] = {
    ("legit.test", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("_dmarc.legit.test", "TXT"): ["v=DMARC1; p=reject"],
    ("s1._domainkey.legit.test", "TXT"): [key().record],
    ("soft.test", "TXT"): ["v=spf1 ip4:192.0.2.1 ~all"],
    ("_dmarc.soft.test", "TXT"): ["v=DMARC1; p=quarantine"],
    ("plain.test", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("ours.test", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("attack.test", "TXT"): ["v=spf1 ip4:198.51.100.9 -all"],
    ("_dmarc.attack.test", "TXT"): ["v=DMARC1; p=reject"],
    ("s1._domainkey.attack.test", "TXT"): [key("ed25519").record],
    ("open.test", "TXT"): ["v=spf1 +all"],
}

SETTINGS = ProofSettings(HOST, frozenset({"ours.test"}))


class At:
    """A clock that stands."""

    def __init__(self, now: float = NOW) -> None:
        self._now = now

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now


def letter(*header: str, body: str = "hello\r\n") -> bytes:
    """A message with these lines in its header."""
    return "\r\n".join([*header, "To: v@ours.test", "Subject: x", "", body]).encode()


def signed(content: bytes, domain: str, kind: str = "rsa") -> bytes:
    """`content` with a signature of `domain`."""
    return sign(content, [Seal(domain, "s1", key(kind), 86400.0)], NOW)


def proved(
    content: bytes,
    sender: str = "",
    ip: str = STRANGERS,
    *,
    hello: str = "host.test",
    name: str = "",
    world: World | None = None,
    settings: ProofSettings = SETTINGS,
    now: float = NOW,
    door: str = "mx",
) -> Proof:
    """What is found of `content` that comes so."""
    arrival = Arrival(door, ip, hello, name=name)
    return asyncio.run(prove(content, arrival, sender, world or World(RECORDS), At(now), settings))
