"""Who lives here: what becomes of mail for an address, decided from domains, users and aliases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.accounts.residence import CIRCLE, CROWD, NOBODY, NOT_NOW, RELAYING, OwnDomain, Registry, Residence, expanding
from mailer.accounts.users.api import User
from mailer.config.kinds import Via
from mailer.config.sections.domain import LocalDomain
from mailer.rewriting.aliases import Alias
from mailer.srs import NotTurnedBack

MAILDIR, RELAY = (Via("maildir", "/srv/{user}"),), (Via("relay", "dovecot"),)

ALIASES = {
    "sales": ["ann", "bob@example.com", "carl@example.net"],
    "out": ["carl@example.net"],
    "ann": ["ann", "ann@example.net"],
    "tagged+x": ["out"],
    "two": ["sales", "out"],
    "round": ["about"],
    "about": ["round"],
    "gone": ["nobody"],
    "half": ["nobody", "bob"],
    "program": ["|/bin/sh"],
    "mine": ["|/bin/sh", "bob"],
    "discard": ["/dev/null"],
    "plain": ["\\bob"],
    "full@example.com": ["bob"],
    **{f"deep{nth}": [f"deep{nth + 1}"] for nth in range(11)},
    **{f"deeper{nth}": [f"deeper{nth + 1}"] for nth in range(9)},
    "deeper9": ["bob"],
    "crowd": [f"r{nth}@example.net" for nth in range(60)],
}


LONG = f"SRS0=good=AA=example.net={'c' * 80}"  # what many senders come to, RFC 5321 §4.5.3.1


def back(address: str) -> str:
    """The sender behind an address that we have rewritten."""
    if "good" not in address:
        raise NotTurnedBack("it was not made here")
    return "carl@example.net"


def domain(name: str, **more: object) -> LocalDomain:
    return LocalDomain(**{"name": name, "via": MAILDIR, **more})


REGISTRY = Registry(
    {
        "example.com": OwnDomain(domain("example.com"), {name: Alias(targets, f"aliases:{name}") for name, targets in ALIASES.items()}),
        "xn--bcher-kva.example": OwnDomain(domain("xn--bcher-kva.example", catch_all="bob@example.com")),
        "behind.example": OwnDomain(domain("behind.example", via=RELAY, catch_all="carl@example.net")),
        "broken.example": OwnDomain(domain("broken.example"), None),
        "aliases.example": OwnDomain(domain("aliases.example", via=(), aliases_file="/x"), {"a": Alias(["carl@example.net"], "x")}),
    },
    "mx.example.com",
    turned_back=back,
    most=50,
)
ANN = ["ann@example.com", "ann@example.net for ann@example.com"]
USERS = {name: User(name) for name in ("ann@example.com", "Bob@example.com", "a+b@example.com", "eve@xn--bcher-kva.example")}
KNOWN = {user.key: user for user in USERS.values()}


def resolved(address: str, registry: Registry = REGISTRY, *, denied: bool = False) -> Residence:
    asking = expanding(address, registry, denied=denied)
    try:
        wanted: Sequence[str] = next(asking)
        while True:
            wanted = asking.send([KNOWN.get(name) for name in wanted])
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


def people(found: Residence) -> list[str]:
    return [f"{one.address} for {one.behalf}" if one.behalf else one.address for one in found.recipients]


@pytest.mark.parametrize(
    ("address", "kind", "who"),
    [
        ("bob@example.com", "mailbox", ["Bob@example.com"]),
        ("BOB@EXAMPLE.COM", "mailbox", ["Bob@example.com"]),
        ('"bob"@example.com', "mailbox", ["Bob@example.com"]),
        ("bob+news@example.com", "mailbox", ["Bob+news@example.com"]),
        ("a+b@example.com", "mailbox", ["a+b@example.com"]),
        ("a+b+c@example.com", "unknown", []),
        ("ann@example.com", "group", ANN),
        ("ann+x@example.com", "group", ANN),
        ("sales@example.com", "group", ["Bob@example.com", "carl@example.net for sales@example.com", *ANN]),
        ("Sales+now@example.com", "group", ["Bob@example.com", "carl@example.net for sales@example.com", *ANN]),
        ("out@example.com", "forward", ["carl@example.net for out@example.com"]),
        ("tagged+x@example.com", "forward", ["carl@example.net for out@example.com"]),
        ("plain@example.com", "mailbox", ["Bob@example.com"]),
        ("full@example.com", "mailbox", ["Bob@example.com"]),
        ("half@example.com", "mailbox", ["Bob@example.com"]),
        ("mine@example.com", "mailbox", ["Bob@example.com"]),
        ("deeper0@example.com", "mailbox", ["Bob@example.com"]),
        ("discard@example.com", "mailbox", ["discard@example.com"]),
        ("anybody@b\u00fccher.example", "mailbox", ["Bob@example.com"]),
        ("anybody@bu\u0308cher.Example", "mailbox", ["Bob@example.com"]),
        ("eve@XN--BCHER-KVA.example", "mailbox", ["eve@xn--bcher-kva.example"]),
        ("who@behind.example", "mailbox", ["who@behind.example"]),
        ("a@aliases.example", "forward", ["carl@example.net for a@aliases.example"]),
        ("SRS0=good=AA=example.net=carl@example.com", "forward", ["carl@example.net for SRS0=good=AA=example.net=carl@example.com"]),
        (f"{LONG}@example.com", "forward", [f"carl@example.net for {LONG}@example.com"]),
        ("postmaster@example.com", "mailbox", ["postmaster@example.com"]),
        ("Abuse@example.com", "mailbox", ["abuse@example.com"]),
        ("postmaster@mx.example.com", "mailbox", ["postmaster@example.com"]),
        ("postmaster@behind.example", "mailbox", ["postmaster@behind.example"]),
    ],
)  # fmt: skip
def test_who_gets_it(address: str, kind: str, who: list[str]) -> None:
    """Users and aliases as they are written go before those without a tag; whoever is elsewhere is reached on somebody's behalf."""
    found = resolved(address)
    assert (found.kind, sorted(people(found))) == (kind, sorted(who))


@pytest.mark.parametrize(
    ("address", "kind", "reply"),
    [
        ("nobody@example.com", "unknown", NOBODY),
        ("nobody+x@example.com", "unknown", NOBODY),
        ("gone@example.com", "unknown", NOBODY),
        ("program@example.com", "unknown", NOBODY),
        ("who@example.net", "elsewhere", RELAYING),
        ("who@sub.example.com", "elsewhere", RELAYING),
        ("who@[127.0.0.1]", "elsewhere", RELAYING),
        ("who@mx.example.com", "elsewhere", RELAYING),
        ("round@example.com", "unknown", CIRCLE),
        ("deep0@example.com", "unknown", CIRCLE),
        ("crowd@example.com", "unknown", CROWD),
        ("who@broken.example", "trouble", NOT_NOW),
        ("postmaster@broken.example", "trouble", NOT_NOW),
        ("SRS0=bad=AA=example.net=carl@example.com", "unknown", NOBODY),
        ("carl%example.net@example.com", "unknown", NOBODY),
        ("carl%example.net@behind.example", "forward", None),
        ('"carl@example.net"@example.com', "unknown", NOBODY),
        ("example.net!carl@example.com", "unknown", NOBODY),
        ('"|id"@example.com', "unknown", NOBODY),
        ('"../../etc/passwd"@example.com', "unknown", NOBODY),
        ("' OR 1=1", "unknown", NOBODY),
        ("*@example.com", "unknown", NOBODY),
    ],
)  # fmt: skip
def test_who_does_not(address: str, kind: str, reply: object) -> None:
    """Nobody here, not ours, or not to be said for now; a way to go on elsewhere is no name that the next hop is asked about."""
    found = resolved(address)
    assert (found.kind, found.reply) == (kind, reply)


def test_what_the_next_hop_denies_is_for_who_catches_all() -> None:
    """It is asked about whom nobody else knows, and its word is the last one on him alone."""
    found = resolved("who@behind.example")
    assert [*found.asks] == ["who@behind.example"]
    assert people(resolved("who@behind.example", denied=True)) == ["carl@example.net for *@behind.example"]
    assert [*resolved("bob@example.com").asks] == []


def test_the_next_hop_is_asked_about_users_where_the_domain_says_so() -> None:
    """It knows whose mailbox is full; also of those whom an alias leads to, but not of who is elsewhere."""
    verified = domain("example.com", via=RELAY, users="accounts", verify=True)
    registry = REGISTRY._replace(domains={"example.com": REGISTRY.domains["example.com"]._replace(section=verified)})
    assert [*resolved("ann@example.com", registry).asks] == ["ann@example.com"]
    assert [*resolved("bob+x@example.com", registry).asks] == ["Bob+x@example.com"]
    assert [*resolved("out@example.com", registry).asks] == []


def test_a_sender_whom_we_have_rewritten_is_known_at_the_domain_for_that() -> None:
    """Nobody else is."""
    registry = REGISTRY._replace(forwarding="srs.example.com")
    assert people(resolved("SRS0=good=AA=x@srs.example.com", registry)) == ["carl@example.net for SRS0=good=AA=x@srs.example.com"]
    assert resolved("SRS0=bad=AA=x@srs.example.com", registry).reply == NOBODY
    assert resolved("ann@srs.example.com", registry).reply == RELAYING
    assert resolved("SRS0=good=AA=x@other.example", registry).reply == RELAYING
    assert resolved("SRS0=good=AA=x@example.com", registry._replace(turned_back=None)).reply == NOBODY


def test_postmaster_is_who_the_operator_says() -> None:
    """At each domain where nobody is called so, and for abuse, too."""
    registry = REGISTRY._replace(postmaster="bob@example.com")
    for address in ("postmaster@example.com", "abuse@example.com", "postmaster@aliases.example", "postmaster@mx.example.com"):
        assert people(resolved(address, registry)) == ["Bob@example.com"]
    nobody = REGISTRY._replace(postmaster="postmaster@example.com")
    assert people(resolved("postmaster@example.com", nobody)) == ["postmaster@example.com"]


def test_what_is_wrong_is_for_the_operator() -> None:
    """Who writes to an alias hears nothing of that."""
    assert "gone@example.com leads to nobody@example.com" in resolved("gone@example.com").problems[0]
    assert "leads to a command" in resolved("mine@example.com").problems[0]
    assert "leads on and on" in resolved("round@example.com").problems[0]


def test_an_alias_that_leads_to_too_many_is_not_read_to_its_end() -> None:
    """What is refused costs a stranger's question no more than what is taken."""
    followed: list[int] = []

    def crowd() -> Iterator[str]:
        for nth in range(10_000):
            followed.append(nth)
            yield f"r{nth}@example.net"

    class Crowd(list[str]):
        def __iter__(self) -> Iterator[str]:
            return crowd()

    aliases = {"all": Alias(Crowd(["more"]), "x")}
    registry = REGISTRY._replace(domains={"example.com": OwnDomain(domain("example.com"), aliases)})
    assert resolved("all@example.com", registry).reply == CROWD
    assert len(followed) < 100


@given(st.text(max_size=100), st.sampled_from(["@example.com", "@behind.example", "@example.net", "@xn--bcher-kva.example", ""]))
def test_nothing_is_passed_on_for_strangers(text: str, end: str) -> None:
    """Whatever a recipient is called: mail goes elsewhere only on behalf of somebody here."""
    found = resolved(text + end)
    assert bool(found.recipients) == (found.reply is None)
    for one in found.recipients:
        assert one.behalf or one.outcome or one.domain in REGISTRY.domains
