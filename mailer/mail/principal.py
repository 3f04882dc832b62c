"""Principals: who hands mail in and asks for it, as a text that says how that was proved.

======================  ==================================================================
``unix:1000``           a user of this machine, by the kernel's word
``smtp:a@example.com``  whoever has logged in to SMTP as that, RFC 4954
``key:NAME``            a program with a key of that name
``amqp:QUEUE``          whoever may write the message queue of that name
======================  ==================================================================

The text stands in the envelope beside ``uid``, which older files have alone. Doors make principals; all below compare them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS = ("unix", "smtp", "key", "amqp")
LONGEST = 320  # characters
USERS = 1 << 32  # a user's number is less


class Principal(str):
    """A principal: two are the same if their texts are. Made by `unix` and `parse`, so that it is valid."""

    __slots__ = ()

    @property
    def kind(self) -> str:
        """The one of `KINDS` that it is of."""
        return self.partition(":")[0]

    @property
    def name(self) -> str:
        """The name among those of its kind."""
        return self.partition(":")[2]

    @property
    def uid(self) -> int | None:
        """The number of a user of this machine; None for others."""
        return int(self.name) if self.kind == "unix" else None

    @property
    def key(self) -> int | str:
        """The value that stands for it where formats from before principals have a user's number: that number, or the text of others."""
        return str(self) if self.uid is None else self.uid

    @property
    def words(self) -> str:
        """For a person: ``user 1000``; others as their text."""
        return str(self) if self.uid is None else f"user {self.uid}"

    def as_submitter(self) -> dict[str, object]:
        """The members of an envelope's ``submitter`` that say who it is."""
        return {"principal": str(self)} if self.uid is None else {"uid": self.uid, "principal": str(self)}


def unix(uid: int) -> Principal:
    """User `uid` of this machine."""
    return Principal(f"unix:{uid}")


def parse(text: str) -> Principal:
    """The principal that `text` writes, in the form in which it is compared. Raises `ValueError`."""
    kind, _, name = text.partition(":")
    if kind not in KINDS or not name or not name.isprintable() or len(text) > LONGEST:
        raise ValueError(f"{text[:40]!r} is no principal: write unix:NUMBER, smtp:ADDRESS, key:NAME or amqp:QUEUE")
    if kind == "unix":
        if not (name.isascii() and name.isdigit() and int(name) < USERS):
            raise ValueError(f"{name[:40]!r} is no number of a user")
        return unix(int(name))
    if kind == "smtp":
        from .address import parse as parse_address

        address = parse_address(name)
        return Principal(f"smtp:{address.local}@{address.host}")
    return Principal(text)


def of(submitter: Mapping[str, object]) -> Principal | None:
    """The principal who handed a message in, by the ``submitter`` of its envelope; None where that does not say, or says nonsense."""
    text = submitter.get("principal")
    return from_key(text if isinstance(text, str) else submitter.get("uid"))


def from_key(key: object) -> Principal | None:
    """The principal whose `Principal.key` this is; None for anything else."""
    if isinstance(key, str):
        try:
            return parse(key)
        except ValueError:
            return None
    return unix(key) if type(key) is int and 0 <= key < USERS else None
