"""One Postfix and one smtp-sink for all tests of the session; each test marks its own messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from .postfix import Postfix, scratch
from .smtpsink import SmtpSink

GREYLISTED = "mallory@peer.example = 451 4.7.1 Come back later"


class Peer(NamedTuple):
    """A Postfix that takes mail for ann, bob and mallory (who is greylisted) at peer.example, and who vouches for it."""

    postfix: Postfix
    ca_file: str


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    """See `Peer`. Its certificate is for ``localhost``, by an authority of our own."""
    with scratch("postfix") as home:
        authority = trustme.CA()
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(home / "chain.pem"))
        authority.cert_pem.write_to_path(str(home / "ca.pem"))
        home.joinpath("chain.pem").chmod(0o600)
        postfix = Postfix(
            home,
            {
                "smtpd_tls_chain_files": home / "chain.pem",
                "smtpd_tls_security_level": "may",
                "smtpd_tls_received_header": "yes",
                "smtpd_recipient_restrictions": f"check_recipient_access inline:{{{{{GREYLISTED}}}}}, permit_mynetworks, reject",
                "smtpd_peername_lookup": "no",
            },
        )
        postfix.receives("ann", "bob", "mallory")
        with postfix:
            yield Peer(postfix, str(home / "ca.pem"))


@pytest.fixture(scope="session")
def smtpsink() -> Iterator[SmtpSink]:
    """smtp-sink, keeping what it takes."""
    with scratch("sink") as home:
        dump = Path(home, "dump")
        dump.mkdir()
        with SmtpSink(dump=dump) as sink:
            yield sink
