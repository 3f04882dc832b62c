"""The section about a domain whose mail comes to this machine: where its mailboxes are, and who has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import values
from ..kinds import HOME, choice, one_or_several
from . import ADDRESS, OPTIONAL_PATH, SWITCH, Kind, Section, Setting
from .relay import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..places import Path
    from . import Validated


def _compared(value: object) -> str:
    """A domain as domains are compared: in A-labels and lower case."""
    return values.domains([value])[0]


OWN_DOMAIN = Kind("domain", _compared)


class LocalDomain(Section, header="[[domain]]", member="domains", plural="domains"):
    """A domain whose mail this machine takes in, for the people who live there, and for nobody else.

    Doors of the kinds mx and lmtp take mail for these domains alone. Somebody lives there who is a user of `mailer user`, whom an alias
    names, or, with users = "any", whom the next hop takes. Mail for postmaster and abuse is always taken (RFC 5321 §4.5.1, RFC 2142 §4).
    """

    name = Setting(OWN_DOMAIN, "Its name; a domain below it has a section of its own.", example="example.com")
    via = Setting(
        one_or_several(HOME),
        "Where the mailboxes are: local for our own ([mailboxes]), relay:NAME for a server that keeps them, by LMTP or SMTP, or "
        "maildir:PATH for Maildirs of this machine, where {user}, {domain} and {address} stand for the address. Several relays are tried "
        "in order. Without it only aliases live here.",
        (),
        example="local",
    )
    users = Setting(
        choice("accounts", "any"),
        "Who has a mailbox: the users of `mailer user`, or anybody whom the next hop takes when it is asked (verify).",
        "",
        shown="any where via names a relay, accounts elsewhere",
        example="accounts",
    )
    aliases_file = Setting(
        OPTIONAL_PATH,
        "A file with aliases of this domain, in the form of aliases(5). A target may be anywhere; one that names no domain is of this one.",
        "",
        example="/etc/mailer/aliases",
    )
    catch_all = Setting(ADDRESS, "The address that gets the mail for everybody else in the domain.", "", example="ann@example.com")
    verify: Setting[bool] = Setting(
        SWITCH,
        "Whether the next hop is asked about a recipient before he is taken: it knows who lives there and whose mailbox is full. What it "
        "answers is remembered for a while.",
        None,
        shown='true with users = "any"',
        example="false",
    )

    def settle(self, values: dict[str, Any]) -> None:
        """Let the next hop say who lives there, where there is one and nothing else is said."""
        values["users"] = values["users"] or ("any" if any(way.kind == "relay" for way in self.via) else "accounts")
        values["verify"] = values["users"] == "any" if values["verify"] is None else values["verify"]

    def problems(self) -> Iterable[tuple[str, str]]:
        """A domain where nobody lives, and a question that nobody answers."""
        if not self.via and not self.aliases_file and not self.catch_all:
            yield "name", 'nobody lives there; write via = "local", or aliases_file or catch_all, below it'
        relays = any(way.kind == "relay" for way in self.via)
        if self.verify and not relays:
            yield "verify", 'there is no next hop to ask; write via = "relay:NAME"'
        if self.users == "any" and not self.verify:
            yield "users", 'whom the next hop takes, it has to be asked; write verify = true, or users = "accounts"'
        if len(set(self.via)) < len(self.via):
            yield "via", "via names the same way twice"
        elif len(self.via) > 1 and any(way.kind != "relay" for way in self.via):
            yield "via", "mailboxes of this machine are always there, and no other way is tried beside them; name one way"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """A domain that stands twice, and a way that there is not."""
        relays = validated.named["relay"]
        seen: dict[str, int] = {}
        for at, domain in enumerate(validated.listed[cls.word]):
            if domain is None:
                continue
            if earlier := seen.get(domain.name):
                yield (cls.word, at, "name"), f"line {earlier} has this domain already"
            seen.setdefault(domain.name, validated.line((cls.word, at, "name")))
            for text in unknown((way.name for way in domain.via if way.kind == "relay"), relays):
                yield (cls.word, at, "via"), text
