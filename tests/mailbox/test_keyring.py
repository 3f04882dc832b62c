"""The keys of an owner: made once, kept wrapped, and never lost between two who change them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.api import NoKey
from mailer.mailbox.keyring import Keyring, OwnerKeys
from mailer.mailbox.keys import MasterKeys
from mailer.mailbox.owners.api import Owner
from mailer.mailbox.owners.memory import MemoryOwners
from mailer.mailbox.sealing import new_pair

ONE, TWO = b"\x01" * 32, b"\x02" * 32


@dataclasses.dataclass
class House:
    """Owners, the master keys that are there, and keyrings over them."""

    owners: MemoryOwners = dataclasses.field(default_factory=MemoryOwners)
    keys: dict[int, bytes] = dataclasses.field(default_factory=lambda: {1: ONE})

    def ring(self, *, encrypting: bool = True) -> Keyring:
        """The keys as one process knows them, which has just started."""
        return Keyring(self.owners, MasterKeys(lambda: self.keys, "keys"), encrypting=encrypting)

    def now(self, owner: Owner) -> Owner:
        """The owner as he is kept."""
        [found] = self.owners.by_id([owner.id])
        assert found is not None
        return found


@pytest.fixture
def house() -> House:
    """With one master key."""
    return House()


def test_an_owner_is_given_keys_when_they_are_needed_first(house: House) -> None:
    """They stay his in every process, and nothing of them is readable in his row."""
    ann = house.owners.make("ann@example.com", 1.0)
    keys = house.ring().of(ann)
    assert keys is not None
    assert house.ring().of(ann) == keys == house.ring(encrypting=False).of(ann)
    row = house.now(ann)
    assert (row.key_number, row.public_key, keys.changing) == (1, keys.public, False)
    assert keys.index_keys[0] not in row.wrapped_index_key
    assert keys.identities[0].encode() not in row.wrapped_private


def test_nobody_is_given_keys_where_nothing_is_encrypted(house: House) -> None:
    """Nor a sealing, and his row stays as it was."""
    ann = house.owners.make("ann@example.com", 1.0)
    assert (house.ring(encrypting=False).of(ann), house.ring(encrypting=False).sealing(ann)) == (None, None)
    assert house.now(ann) == ann


def test_who_has_keys_can_read_when_new_mail_is_not_encrypted_any_more(house: House) -> None:
    """What was sealed is opened; what is new stays plain, and says so by its number."""
    ann = house.owners.make("ann@example.com", 1.0)
    before, after = house.ring().sealing(ann), house.ring(encrypting=False).sealing(ann)
    assert before is not None
    assert after is not None
    assert (before.number, after.number) == (1, 0)
    assert after.open(before.seal(b"text")) == b"text"
    assert after.seal(b"text") == b"text"


def test_without_the_master_key_there_is_no_key_and_none_is_made(house: House) -> None:
    """The one that is lost is named by its number; a new owner gets nothing, and is not half made."""
    ann, bob = (house.owners.make(f"{name}@example.com", 1.0) for name in ("ann", "bob"))
    house.ring().of(ann)
    house.keys = {2: TWO}
    with pytest.raises(NoKey, match=r"the master key 1 .* is lost"):
        house.ring().sealing(ann)
    house.keys = {}
    with pytest.raises(NoKey, match="no master key"):
        house.ring().sealing(bob)
    assert house.now(bob).key_number == 0
    house.keys = {1: TWO}
    with pytest.raises(NoKey, match=f"of owner {ann.id} does not open with the master key 1"):
        house.ring().of(ann)


def test_keys_of_one_do_not_open_in_the_row_of_another(house: House) -> None:
    """Whoever can write the owners cannot give somebody the mail of somebody else."""
    ann, bob = (house.owners.make(f"{name}@example.com", 1.0) for name in ("ann", "bob"))
    house.ring().of(ann)
    row = house.now(ann)
    house.owners.put(bob._replace(
        public_key=row.public_key, wrapped_private=row.wrapped_private, wrapped_index_key=row.wrapped_index_key, key_number=1
    ))  # fmt: skip
    with pytest.raises(NoKey, match=bob.id):
        house.ring().of(bob)


def test_each_master_key_that_is_needed_is_looked_for(house: House) -> None:
    """That of one who was removed too, and one for who comes next; where nothing is encrypted there is nothing to look for."""
    ann, bob = (house.owners.make(f"{name}@example.com", 1.0) for name in ("ann", "bob"))
    house.ring(encrypting=False).look()
    house.ring().of(ann)
    house.ring().of(bob)
    house.keys = {2: TWO}
    house.ring().put(house.now(bob), house_keys(bob, 2))
    house.owners.put(house.now(ann)._replace(state="removed"))
    assert house.ring().needed() == {1: 1, 2: 1}
    house.keys = {1: ONE, 2: TWO}
    house.ring().look()
    house.ring(encrypting=False).look()
    house.keys = {2: TWO}
    for encrypting in (True, False):
        with pytest.raises(NoKey, match="the master key 1"):
            house.ring(encrypting=encrypting).look()
    house.keys = {}
    with pytest.raises(NoKey, match=r"the master key 1 .* put it back"):
        house.ring().look()
    house.owners = MemoryOwners()
    house.ring(encrypting=False).look()
    with pytest.raises(NoKey, match="no master key"):
        house.ring().look()


def house_keys(owner: Owner, number: int) -> OwnerKeys:
    """New keys under a master key."""
    public, private = new_pair()
    return OwnerKeys(number, public, (private,), (owner.id.encode()[:16] * 2,))


class Racing(MemoryOwners):
    """Owners to whom another process gives keys between our look and our change."""

    meanwhile: Keyring | None = None

    def put(self, owner: Owner) -> Owner:
        """Keep him, after another did."""
        if (ring := self.meanwhile) is not None:
            self.meanwhile = None
            ring.of(owner)
        return super().put(owner)


def test_of_two_who_give_keys_at_once_both_use_the_same(house: House) -> None:
    """Or what the one sealed would be lost."""
    racing = house.owners = Racing()
    ann = racing.make("ann@example.com", 1.0)
    racing.meanwhile = house.ring()
    keys = house.ring().of(ann)
    assert keys is not None
    assert keys == house.ring().of(ann)


class Full(MemoryOwners):
    """Owners on a disk that is full."""

    def put(self, owner: Owner) -> Owner:
        """Fail."""
        raise Problem(f"cannot write {owner.id}; try again", "try-again")


def test_keys_that_could_not_be_kept_are_not_used(house: House) -> None:
    """Nothing is sealed with what a crash would have forgotten."""
    house.owners = Full()
    with pytest.raises(Problem, match="cannot write"):
        house.ring().sealing(house.owners.make("ann@example.com", 1.0))


def test_keys_are_not_printed(house: House) -> None:
    """Not where they are a part of something that is."""
    keys = house.ring().of(house.owners.make("ann@example.com", 1.0))
    assert keys is not None
    text = f"{[keys]}"
    assert keys.public in text
    assert not [each for each in (*keys.identities, *(str(key) for key in keys.index_keys)) if each in text]


def test_an_owner_who_is_gone_has_no_keys(house: House) -> None:
    """He is not made anew."""
    with pytest.raises(Problem, match="there is no owner") as caught:
        house.ring().of(Owner("01ARZ3NDEKTSV4RRFFQ69G5FAV", 9, "gone@example.com", 1.0))
    assert caught.value.kind == "no-such"


def test_older_keys_are_kept_beside_the_new_ones(house: House) -> None:
    """The newest first, under whatever master key; what they sealed is opened."""
    ann = house.owners.make("ann@example.com", 1.0)
    old = house.ring().of(ann)
    sealed = house.ring().sealing(ann)
    assert old is not None
    assert sealed is not None
    house.keys = {1: ONE, 2: TWO}
    public, private = new_pair()
    new = OwnerKeys(2, public, (private, *old.identities), (b"n" * 32, *old.index_keys))
    row = house.ring().put(house.now(ann), new)
    assert (house.ring().unwrapped(row), new.changing) == (new, True)
    now = house.ring().sealing(ann)
    assert now is not None
    assert (now.number, now.open(sealed.seal(b"text"))) == (2, b"text")
    assert_only(new.index_keys, 2)


def assert_only(keys: Sequence[bytes], many: int) -> None:
    assert len({*keys}) == many == len(keys)
