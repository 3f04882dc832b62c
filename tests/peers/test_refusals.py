"""What real servers refuse, as our relay and in their own words: whose fault it is, and what becomes of the mail."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mailer.config.file import config_of
from mailer.shaping.replies import Reactions
from mailer.shaping.table import TermsTable
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Timeouts
from mailer.transport.verdict import judge

from .letters import letter
from .matrix import ME, marks
from .servers import Servers

KNOWN = Reactions(TermsTable(config_of("", b"")))
ANN = "ann@peer.example"


def judged(port: int, name: str, sender: str, recipient: str) -> tuple[str, str, str | None]:
    """How a relay at `port`, to which we call ourselves `name`, is understood."""
    return understood(Endpoint("localhost", port, Requirement("none", verify=False), hello=name), sender, recipient)


def understood(endpoint: Endpoint, sender: str, recipient: str) -> tuple[str, str, str | None]:
    """What follows from the answer of a relay: the verdict, its scope, and the cause."""

    async def session() -> tuple[str, str, str | None]:
        try:
            connection = await Connection.open(endpoint, "127.0.0.1", Timeouts())
        except SessionError as error:
            phase, kind, reply = error.phase, error.kind, error.reply
        else:
            ((_, phase, kind, reply),) = await connection.deliver(Parcel(sender, [recipient], letter("plain")[1]))
            await connection.close()
        cause = KNOWN.meaning("relay:out", phase, reply)
        return *judge(phase, kind, reply, relay=True, cause=cause), cause

    return asyncio.run(session())


POSTFIX = {
    "our name": ("refusing names", "web1", ME, ANN, ("defer", "us", "name_refused")),
    "our address": ("refusing clients", "here.example", ME, ANN, ("defer", "us", "address_refused")),
    "a sender without a domain": ("refusing senders", "here.example", "root@web1", ANN, ("defer", "us", "sender_unknown")),
    "a sender that is nobody": ("refusing senders", "here.example", "x@peer.example", ANN, ("defer", "us", "sender_unknown")),
    "relaying": ("refusing others", "here.example", ME, "you@elsewhere.example", ("defer", "us", "relaying_denied")),
    "a session without TLS": ("refusing plain text", "here.example", ME, ANN, ("defer", "us", "tls_wanted")),
    "DATA, for no reason that is known": ("refusing content", "here.example", ME, ANN, ("fail", "message", None)),
    "a user who is unknown": ("plain", "here.example", ME, "nobody@peer.example", ("fail", "recipient", "no_mailbox")),
}


@pytest.mark.parametrize("what", [pytest.param(what, marks=marks("postfix")) for what in POSTFIX])
def test_what_postfix_refuses(servers: Servers, what: str) -> None:
    """Of ours it waits for us, whatever the code; else its code counts."""
    door, name, sender, recipient, expected = POSTFIX[what]
    assert judged(servers.postfix.ports[door], name, sender, recipient) == expected


@pytest.mark.parametrize("door", [pytest.param("PLAIN", marks=marks("postfix", "PLAIN"))])
def test_what_postfix_refuses_who_has_logged_in(servers: Servers, door: str) -> None:
    """A sender who belongs to another login."""
    endpoint = servers.endpoint("postfix", door)
    port = servers.postfix.ports["refusing senders of others"]
    assert understood(replace(endpoint, port=port), "bob@peer.example", ANN) == ("defer", "us", "sender_refused")


EXIM = {
    "our name": ("here!.example", ME, ANN, ("defer", "us", "name_refused")),
    "a sender whom it cannot verify": ("here.example", "x@nowhere.example", ANN, ("defer", "us", "sender_unknown")),
    "relaying": ("here.example", ME, "you@elsewhere.example", ("defer", "us", "relaying_denied")),
    "a user who is unknown": ("here.example", ME, "nobody@peer.example", ("fail", "recipient", "no_mailbox")),
    "a user who is to come later": ("here.example", ME, "later00@peer.example", ("defer", "recipient", None)),
}


@pytest.mark.parametrize("what", [pytest.param(what, marks=marks("exim")) for what in EXIM])
def test_what_exim_refuses(servers: Servers, what: str) -> None:
    """The same in the words of Exim and of its default configuration."""
    name, sender, recipient, expected = EXIM[what]
    assert judged(servers.exim.ports["plain"], name, sender, recipient) == expected
