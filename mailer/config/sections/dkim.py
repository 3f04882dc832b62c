"""A key that signs mail: whose it is, where it is, and what is to happen when it cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.mail.domain import ascii_domain

from ..kinds import MOMENT, PERIOD, SECRET_PATH, SELECTOR, choice
from . import DOMAIN, SWITCH, Section, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..places import Path
    from . import Validated


class Dkim(Section, header="[[dkim]]", member="dkim", plural="keys of DKIM"):
    """A key that signs mail (DKIM).

    Mail is signed by the keys of the domain of its From field, or of the nearest domain above it that has some; by all of
    them, so an RSA and an Ed25519 key are two sections. Mail from other domains is not signed. See mailer-dkim(1).
    """

    domain = Setting(DOMAIN, "The domain that answers for the mail.", example="example.com")
    selector = Setting(SELECTOR, "The name of the key in the DNS: its record is at SELECTOR._domainkey.DOMAIN.", example="s1")
    key_file = Setting(
        SECRET_PATH, "A PEM file with the private key, which nobody but its owner may read.", example="/etc/mailer/dkim/s1.pem"
    )
    expire = Setting(PERIOD, "How long a signature holds. It has to outlive all queues on the way.", "14d")
    on_failure = Setting(
        choice("defer", "unsigned"), "What becomes of mail that this key cannot sign: it waits, or it goes without this signature.", "defer"
    )
    waiting = Setting(SWITCH, "Whether the key does not sign yet, because its record has still to be published.", False)
    retired: Setting[float | None] = Setting(
        MOMENT,
        "When it stopped signing. Its record is needed for as long as signatures hold, and can then go.",
        None,
        example="2026-11-21T00:00:00Z",
    )

    @property
    def ascii_domain(self) -> str:
        """The domain in A-labels and in lower case, as the DNS has it."""
        return ascii_domain(self.domain)

    @property
    def signs(self) -> bool:
        """Whether mail is signed with it now."""
        return not self.waiting and self.retired is None

    @property
    def state(self) -> str:
        """The state in a word: signs, waiting or retired."""
        return "waiting" if self.waiting else "signs" if self.retired is None else "retired"

    @property
    def needed_until(self) -> float:
        """When no signature by a retired key holds any more, in seconds since the epoch; 0.0 for others."""
        return 0.0 if self.retired is None else self.retired + self.expire

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the keys mean together and must not."""
        if not self.key_file:
            yield "key_file", "this is empty; name the file with the private key"
        if self.waiting and self.retired is not None:
            yield "waiting", "a key that is retired waits for nothing; take one of the two away"

    @classmethod
    def conflicts(cls, validated: Validated) -> Iterator[tuple[Path, str]]:
        """Two keys with one record."""
        seen: dict[tuple[str, str], int] = {}
        for at, key in enumerate(validated.listed["dkim"]):
            if key:
                name, path = (key.selector, key.domain.lower()), ("dkim", at, "selector")
                if earlier := seen.get(name):
                    yield path, f"line {earlier} has the key {'._domainkey.'.join(name)} already"
                seen.setdefault(name, validated.line(path))
