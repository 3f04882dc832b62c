"""Owners are kept alike wherever they are."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.owners import schema
from mailer.mailbox.owners.api import Owner, Owners
from mailer.mailbox.owners.memory import MemoryOwners
from mailer.mailbox.owners.sqlite import SqliteOwners
from mailer.spool import is_id
from tests.peers.postgresql import NEEDED, PASSWORD

NOW = 1_796_127_000.25
SEALED = {"public_key": "age1xyz", "wrapped_private": b"\0\xff", "wrapped_index_key": b"'", "key_number": 3}


@pytest.fixture(params=["sqlite", "memory", pytest.param("postgresql", marks=NEEDED)])
def owners(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Owners]:
    connections = None
    kept: Owners = MemoryOwners()
    if request.param == "sqlite":
        kept = SqliteOwners(str(tmp_path / "owners.sqlite3"))
    elif request.param == "postgresql":
        from mailer.mailbox.engine.connections import Connections
        from mailer.mailbox.owners.postgres import PostgresOwners

        connections = Connections(request.getfixturevalue("postgresql").url(), {"owners": schema.POSTGRESQL}, PASSWORD)
        kept = PostgresOwners(connections)
    yield kept
    kept.close()
    if connections:
        connections.close()


def test_an_owner_is_found_however_his_address_is_written(owners: Owners) -> None:
    """And nobody is there at first."""
    assert owners.find(["ann@example.com"]) == [None]
    assert owners.listing() == []
    ann, eve = owners.make("Ann@example.com", NOW), owners.make('"eve x"@bücher.example', NOW, "north")
    assert is_id(ann.id)
    assert ann == Owner(ann.id, ann.number, "Ann@example.com", NOW)
    assert eve.store == "north"
    assert owners.find(["ANN@EXAMPLE.com", "nobody@example.com", '"eve x"@xn--bcher-kva.EXAMPLE', '"ann"@example.com']) == [
        ann, None, eve, ann,
    ]  # fmt: skip
    assert owners.by_id([eve.id, "0" * 26, ann.id, ""]) == [eve, None, ann, None]


def test_whoever_is_there_is_not_made_again(owners: Owners) -> None:
    """He stays as he is."""
    ann = owners.make("ann@example.com", NOW)
    assert owners.make("ANN@example.com", NOW + 5, "elsewhere") == ann
    assert owners.listing() == [ann]


def test_two_who_make_the_owner_of_one_address_at_once_get_the_same(owners: Owners) -> None:
    """From several threads, and each owner has a number of his own."""
    addresses = [f"u{number % 10}@example.com" for number in range(80)]
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda address: owners.make(address, NOW), addresses))
    assert made == owners.find(addresses)
    assert len({owner.number for owner in made}) == len({owner.id for owner in made}) == 10


def test_names_that_would_be_questions_elsewhere_are_only_names(owners: Owners) -> None:
    """Nothing in them means anything to whatever looks them up."""
    owners.make("bob@example.com", NOW)
    names = [
        "' OR 1=1 --", "../bob@example.com", "bob@example.com\0", "%@example.com", "", "@", "x" * 5000, "\ud800@example.com",
        "?@example.com",
    ]  # fmt: skip
    assert owners.find(names) == [None] * len(names)
    assert owners.by_id(names) == [None] * len(names)
    assert owners.find([]) == owners.by_id([]) == []


@pytest.mark.parametrize("address", ["", "x" * 1001, "a\0@example.com", "a\n@example.com", "\ud800@example.com"])
def test_what_cannot_be_an_address_gets_no_mailbox(owners: Owners, address: str) -> None:
    """It is said, and nobody is made."""
    with pytest.raises(Problem, match="cannot be the address of a mailbox") as caught:
        owners.make(address, NOW)
    assert caught.value.kind == "usage"
    assert owners.listing() == []


def test_many_are_asked_for_at_once(owners: Owners) -> None:
    """More than one statement takes."""
    made = [owners.make(f"u{number}@example.com", NOW) for number in range(3)]
    asked = [f"u{number}@example.com" for number in range(1200)]
    assert owners.find(asked) == [*made, *[None] * 1197]


def test_a_change_is_kept_with_the_next_epoch(owners: Owners) -> None:
    """All of it but the number and when he was created."""
    ann = owners.make("ann@example.com", NOW)
    wanted = ann._replace(address="Anna@example.org", state="frozen", until=NOW + 5, store="south", number=77, created=1.0, **SEALED)
    kept = owners.put(wanted)
    assert kept == wanted._replace(number=ann.number, created=NOW, epoch=2)
    assert owners.by_id([ann.id]) == owners.find(["anna@EXAMPLE.org"]) == [kept]
    assert owners.find(["ann@example.com"]) == [None]


def test_of_two_who_change_an_owner_at_once_one_is_told_to_look_again(owners: Owners) -> None:
    """The older epoch changes nothing."""
    ann = owners.make("ann@example.com", NOW)
    kept = owners.put(ann._replace(store="north"))
    with pytest.raises(Problem, match=r"mailbox of ann@example\.com was changed by another process") as caught:
        owners.put(ann._replace(store="south"))
    assert caught.value.kind == "try-again"
    assert owners.by_id([ann.id]) == [kept]

    def change(number: int) -> bool:
        try:
            owners.put(kept._replace(store=str(number)))
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(change, range(16))) == 1


def test_nobody_unknown_is_kept(owners: Owners) -> None:
    """Owners are made, not put."""
    with pytest.raises(Problem, match="there is no owner") as caught:
        owners.put(Owner("0" * 26, 1, "ann@example.com", NOW))
    assert caught.value.kind == "no-such"


def test_an_address_has_one_mailbox(owners: Owners) -> None:
    """It is not taken from another, but by whoever gave it up it is."""
    ann, bob = owners.make("ann@example.com", NOW), owners.make("bob@example.com", NOW)
    with pytest.raises(Problem, match=r"address ANN@example\.com has a mailbox already") as caught:
        owners.put(bob._replace(address="ANN@example.com"))
    assert caught.value.kind == "usage"
    owners.put(ann._replace(address="anna@example.com"))
    assert owners.put(bob._replace(address="ANN@example.com")).id == bob.id
    assert owners.find(["ann@example.com"])[0] == owners.by_id([bob.id])[0]


def test_whoever_is_removed_is_nobodys_and_may_come_back(owners: Owners) -> None:
    """Unless another has his address by then."""
    ann = owners.make("ann@example.com", NOW)
    gone = owners.put(ann._replace(state="removed", until=NOW + 30))
    assert owners.find(["ann@example.com"]) == [None]
    assert owners.listing() == []
    assert owners.listing(removed=True) == owners.by_id([ann.id]) == [gone]
    other = owners.make("ann@example.com", NOW)
    assert other.id != ann.id
    with pytest.raises(Problem, match="has a mailbox already"):
        owners.put(gone._replace(state="open"))
    owners.put(other._replace(state="removed"))
    assert owners.find([owners.put(gone._replace(state="open")).address])[0] == owners.by_id([ann.id])[0]


def test_one_owner_succeeds_another(owners: Owners) -> None:
    """At his address, in one step: both are changed, or neither."""
    ann, new = owners.make("ann@example.com", NOW), owners.make("new@example.com", NOW)
    with pytest.raises(Problem, match="has a mailbox already"):
        owners.succeed(new._replace(address="ann@example.com"), None)
    with pytest.raises(Problem, match="meanwhile"):
        owners.succeed(new._replace(address="ann@example.com", epoch=9), ann._replace(state="removed"))
    assert owners.find(["ann@example.com", "new@example.com"]) == [ann, new]
    done = owners.succeed(new._replace(address="ann@example.com"), ann._replace(state="removed"))
    assert owners.find(["ann@example.com", "new@example.com"]) == [done, None]
    assert done.id == new.id
    assert [each.id for each in owners.listing(removed=True)] == [ann.id]


def test_numbers_are_never_given_again(owners: Owners) -> None:
    """Rows of an owner who is forgotten are nobody's."""
    first = owners.make("ann@example.com", NOW)
    owners.put(first._replace(state="removed"))
    owners.forget(first.id)
    assert owners.by_id([first.id]) == [None]
    owners.forget(first.id)
    assert owners.make("ann@example.com", NOW).number > first.number


def test_whoever_is_there_is_not_forgotten(owners: Owners) -> None:
    """He is to be removed before."""
    ann = owners.make("ann@example.com", NOW)
    with pytest.raises(Problem, match="in use") as caught:
        owners.forget(ann.id)
    assert caught.value.kind == "usage"
    assert owners.by_id([ann.id]) == [ann]


def test_owners_are_listed_in_pages(owners: Owners) -> None:
    """In the order of their IDs, each once."""
    made = sorted(owners.make(f"u{number}@example.com", NOW + number).id for number in range(25))
    first = owners.listing(limit=10)
    rest = owners.listing(after=first[-1].id)
    assert [owner.id for owner in [*first, *rest]] == made
    assert len(first) == 10
