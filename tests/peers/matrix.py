"""The table of which every row is a test: peers, the ways into each, what is sent through them.

A *door* is a way in:

==============================  ========================================================================================
``plain``                       no TLS
``DATA``                        the same, without BDAT to a peer that has it
``starttls``, ``implicit``      TLS with a certificate that is verified
a mechanism of AUTH, ``AUTH``   that mechanism, or the strongest; behind STARTTLS, and there is no mail without it
==============================  ========================================================================================

What is not in this table, the peer does not have.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from _pytest.mark import ParameterSet

from .letters import CROWD, LATER, STRANGERS

ME = "me@here.example"
TLS = ("plain", "starttls", "implicit")
OPEN = (*TLS, "DATA")
CYRUS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")
EXIM = (*CYRUS, "EXTERNAL")
DOVECOT = (*CYRUS, "XOAUTH2", "OAUTHBEARER")


class Peer(NamedTuple):
    """One kind of server. `needs`: programs, see `tests.conftest`; `offers`: keywords of `KEYWORDS` in its answer to EHLO."""

    needs: tuple[str, ...]
    doors: tuple[str, ...]
    offers: str
    root: bool = True
    protocol: str = "smtp"
    auth_needs: tuple[str, ...] = ()  # programs that its doors with AUTH need besides
    group: str = ""  # peers of one group run in one process of pytest-xdist, since one of them uses the other


KEYWORDS = frozenset(("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING"))

PEERS = {
    "postfix": Peer(
        ("postfix",),
        (*OPEN, *DOVECOT),
        "PIPELINING SIZE 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES DSN CHUNKING",
        auth_needs=("dovecot",),
    ),
    "exim": Peer(("exim",), (*OPEN, *EXIM), "PIPELINING SIZE 8BITMIME SMTPUTF8 DSN CHUNKING"),
    "opensmtpd": Peer(("opensmtpd",), TLS, "SIZE 8BITMIME ENHANCEDSTATUSCODES DSN"),
    "lmtp": Peer(("dovecot",), OPEN, "PIPELINING 8BITMIME ENHANCEDSTATUSCODES CHUNKING", protocol="lmtp", group="postfix"),
    "submission": Peer(
        ("dovecot", "postfix"), ("AUTH", *DOVECOT), "PIPELINING SIZE 8BITMIME ENHANCEDSTATUSCODES CHUNKING", group="postfix"
    ),
    "aiosmtpd": Peer((), (*TLS, "PLAIN", "LOGIN"), "SIZE 8BITMIME SMTPUTF8", root=False),
    "haraka": Peer(("haraka",), (*TLS, "PLAIN", "LOGIN", "CRAM-MD5"), "PIPELINING SIZE 8BITMIME SMTPUTF8", root=False),
    "smtp-server": Peer(
        ("smtp-server",),
        (*TLS, "PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"),
        "PIPELINING SIZE 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES DSN",
        root=False,
    ),
    "smtp-server-lmtp": Peer(
        ("smtp-server",),
        ("plain",),
        "PIPELINING SIZE 8BITMIME SMTPUTF8 ENHANCEDSTATUSCODES DSN",
        root=False,
        protocol="lmtp",
        group="smtp-server",
    ),
}


class Post(NamedTuple):
    """A letter and those it is for, with their local parts. `big` ones go through `TLS` and ``AUTH`` only: AUTH is over before them."""

    letter: str
    to: tuple[str, ...] = ("ann",)
    sender: str = ME
    big: bool = False


POSTS = {
    **{name: Post(name) for name in ("1 KB", "8 bit", "every octet", "dots", "the end of data, quoted", "long lines")},
    "lines of just the limit": Post("lines of just the limit"),
    "UTF-8 addresses": Post("UTF-8 header", ("jörg", "ann"), "jürgen@here.example"),
    "200 recipients": Post("1 KB", tuple(sorted([*CROWD, *LATER, *STRANGERS], key=lambda name: name[::-1])), big=True),
    "5 MB": Post("5 MB", big=True),
    "25 MB": Post("25 MB", big=True),
}


def marks(name: str, door: str = "plain") -> list[pytest.MarkDecorator]:
    """What `tests.conftest` and pytest-xdist are to know of tests with that peer."""
    peer = PEERS[name]
    needs = peer.needs if door in OPEN else (*peer.needs, *peer.auth_needs)
    return [pytest.mark.peer(*needs, root=peer.root), pytest.mark.xdist_group(f"peer {peer.group or name}")]


def _row(name: str, door: str, *more: str) -> ParameterSet:
    return pytest.param(name, door, *more, id="-".join((name, door, *more)), marks=marks(name, door))


def peers(*, offering: str = "", plain: bool = False) -> list[ParameterSet]:
    """Parameters: each peer, or each that offers something, or each that can be entered without more ado; and the first of its doors."""
    chosen = ((name, peer) for name, peer in PEERS.items() if offering in peer.offers and (not plain or peer.doors[0] == "plain"))
    return [_row(name, peer.doors[0]) for name, peer in chosen]


def auth() -> list[ParameterSet]:
    """Parameters: each door that asks who we are."""
    return [_row(name, door) for name, peer in PEERS.items() for door in peer.doors if door not in OPEN]


def rows() -> list[ParameterSet]:
    """Parameters: each post through each door of each peer."""
    return [
        _row(name, door, title)
        for name, peer in PEERS.items()
        for door in peer.doors
        for title, post in POSTS.items()
        if not post.big or door in TLS or door == "AUTH"
    ]
