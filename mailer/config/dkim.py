"""A key that signs mail: whose it is, where it is, and what is to happen when it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .kinds import DOMAIN, MOMENT, PERIOD, SECRET_PATH, SELECTOR, SWITCH, choice
from .setting import setting

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Dkim:
    """A key that signs mail (DKIM).

    Mail is signed by the keys of the domain of its From field, or of the nearest domain above it that has some; by all of
    them, so an RSA and an Ed25519 key are two sections. Mail from other domains is not signed. See mailer-dkim(1).
    """

    domain: str = setting(DOMAIN, "The domain that answers for the mail.", example="example.com")
    selector: str = setting(SELECTOR, "The name of the key in the DNS: its record is at SELECTOR._domainkey.DOMAIN.", example="s1")
    key_file: str = setting(
        SECRET_PATH, "A PEM file with the private key, which nobody but its owner may read.", example="/etc/mailer/dkim/s1.pem"
    )
    expire: float = setting(PERIOD, "How long a signature holds. It has to outlive all queues on the way.", "14d")
    on_failure: str = setting(
        choice("defer", "unsigned"), "What becomes of mail that this key cannot sign: it waits, or it goes without this signature.", "defer"
    )
    waiting: bool = setting(SWITCH, "Whether the key does not sign yet, because its record has still to be published.", False)
    retired: str = setting(
        MOMENT,
        "When it stopped signing. Its record is needed for as long as signatures hold, and can then go.",
        "",
        example="2026-11-21T00:00:00Z",
    )

    @property
    def signs(self) -> bool:
        """Whether mail is signed with it now."""
        return not self.waiting and not self.retired

    def problems(self) -> Iterator[tuple[str, str]]:
        """What the keys mean together and must not."""
        if not self.key_file:
            yield "key_file", "this is empty; name the file with the private key"
        if self.waiting and self.retired:
            yield "waiting", "a key that is retired waits for nothing; take one of the two away"
