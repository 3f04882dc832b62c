"""Keys as ``mailer dkim`` handles them: made, found in the configuration, shown as records, looked up in the DNS."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mailer.config.kinds import SELECTOR
from mailer.config.owner import keeper_of
from mailer.config.secret import read_key
from mailer.config.values import find, new_file
from mailer.dkim import key as keys
from mailer.durable import sync_directory, write_new
from mailer.mail.domain import ascii_domain
from mailer.mail.failure import CANNOT_CREATE, NO_SUCH, Failure, from_os
from mailer.mail.when import rfc3339

from . import show
from .options import usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config import Config
    from mailer.config.owner import Owner
    from mailer.config.sections.dkim import Dkim
    from mailer.dkim.key import PrivateKey

    from .options import Given

BITS = (2048, 3072, 4096)
"""Of a new RSA key. 2048 is what all verify; the record of a longer one is too long for some tools that edit the DNS."""


class Order(NamedTuple):
    """What key is to be made."""

    kind: str
    bits: int
    selector: str


@dataclass(frozen=True, slots=True)
class Published:
    """A key and where its record is, or is to be."""

    domain: str
    selector: str
    path: str
    key: PrivateKey
    state: str = ""
    """What the configuration says of it: signs, waiting, retired; empty for a key that is not in it."""
    needed_until: float = 0.0
    """Of a retired key: when no signature by it holds any more, in seconds since the epoch."""

    @property
    def name(self) -> str:
        """The name of the record."""
        return keys.name(self.selector, self.domain)

    @property
    def text(self) -> str:
        """The record in one piece."""
        return self.key.record

    def zone(self) -> str:
        """The record as a zone file has it."""
        first, *rest = (f'"{string}"' for string in keys.strings(self.text))
        if not rest:
            return f"{self.name}. IN TXT {first}"
        lines = "".join(f"\n    {string}" for string in (first, *rest))
        return f"{self.name}. IN TXT ({lines} )"

    def facts(self) -> dict[str, object]:
        """For programs."""
        return {
            "domain": self.domain,
            "selector": self.selector,
            "type": self.key.kind,
            "bits": self.key.bits,
            "key_file": self.path,
            "state": self.state or None,
            "needed_until": rfc3339(self.needed_until) if self.needed_until else None,
            "name": self.name,
            "record": self.text,
            "strings": keys.strings(self.text),
            "zone": self.zone(),
        }

    def blocks(self) -> Iterator[show.Block]:
        """For people: what it is, and where the record goes."""
        rows: list[tuple[str, show.Piece]] = [("key", f"{self.key.kind}, {self.key.bits} bits, in {self.path}")]
        if self.state:
            rows.append(("state", self._state()))
        yield show.Fields([*rows, ("name", self.name), ("type", "TXT")])

    def forms(self) -> Iterator[str]:
        """The record in the forms that people copy, which stand alone on their lines, whole."""
        yield from ("", "in one piece, for forms that ask for the value:", "", self.text)
        yield from ("", "for a zone file:", "", *self.zone().split("\n"))

    def _state(self) -> show.Cell:
        if self.state == "retired":
            return show.Cell(f"retired; its record is needed until {rfc3339(self.needed_until)}", "quiet")
        return show.Cell(*{"signs": ("signs mail", "good"), "waiting": ("waits until its record is published", "wait")}[self.state])


def domain_of(text: str) -> str:
    """A domain from the command line as the DNS has it. Raises `Failure` (64)."""
    try:
        return ascii_domain(text)
    except ValueError as error:
        raise usage(str(error), "dkim") from None


def selector_of(text: str) -> str:
    """A selector from the command line. Raises `Failure` (64)."""
    try:
        return str(SELECTOR.read(text))
    except ValueError as error:
        raise usage(str(error), "dkim") from None


def ordered(given: Given, kind: str = "rsa", bits: int = BITS[0]) -> Order:
    """The key that the command line asks for; `kind` and `bits` are what it is if it does not say."""
    kind = given.text("--type") or kind
    if kind not in keys.ALGORITHMS:
        raise usage(f"--type is {' or '.join(keys.ALGORITHMS)}", given.command.name)
    if kind == "ed25519" and given.flag("--bits"):
        raise usage("an Ed25519 key has 256 bits, always; --bits is for RSA", given.command.name)
    bits = given.number("--bits", bits if bits in BITS else BITS[0])
    if bits not in BITS:
        raise usage(f"--bits is one of {', '.join(map(str, BITS))}", given.command.name)
    return Order(kind, bits, selector_of(given.text("--selector") or f"{kind}-{rfc3339(int(time.time()))[:10].replace('-', '')}"))


def place(config: str | None, domain: str, selector: str) -> str:
    """Where a new key belongs that nobody gave a place: beside the configuration."""
    path = find(config)[0] or new_file()
    return f"{os.path.dirname(os.path.abspath(path))}/dkim/{domain}.{selector}.pem"


def make(domain: str, order: Order, path: str, keeper: Owner) -> Published:
    """A new key in a file that only `keeper` may read. Raises `Failure` (73) where there is a file already."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        write_new(path, [_pem(order)])
        keeper.give(path)
        sync_directory(os.path.dirname(path))
    except FileExistsError:
        raise Failure(f"{path} exists already; it stays as it is, for mail may be signed with it", CANNOT_CREATE) from None
    except OSError as error:
        raise from_os("cannot write the key", path, error) from None
    return published(domain, order.selector, path, keeper)


def _pem(order: Order) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(65537, order.bits) if order.kind == "rsa" else Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def published(domain: str, selector: str, path: str, keeper: Owner) -> Published:
    """The key in the file at `path`, which `keeper` has. Raises `Failure`."""
    return Published(domain, selector, path, read_key(path, keeper.uid))


def configured(config: Config, domains: Sequence[str], selector: str | None) -> list[Published]:
    """The keys of the configuration, of one domain or selector if one is given. Raises `Failure` (67) if there is none."""
    wanted = [domain_of(text) for text in domains]
    chosen = [key for key in config.dkim if (not wanted or ascii_domain(key.domain) in wanted) and selector in (None, key.selector)]
    if not chosen:
        which = "".join([f" of {wanted[0]}" if wanted else "", f" with the selector {selector}" if selector else ""])
        raise Failure(f"the configuration has no key{which}; `mailer dkim keygen DOMAIN` makes one", NO_SUCH)
    keeper = keeper_of(config.spool)
    return [in_use(key, keeper) for key in chosen]


def in_use(key: Dkim, keeper: Owner) -> Published:
    """A key of the configuration, which `keeper` has. Raises `Failure`."""
    private = read_key(key.key_file, keeper.uid)
    return Published(ascii_domain(key.domain), key.selector, key.key_file, private, key.state, key.needed_until)


def section(made: Published, **more: object) -> list[str]:
    """The lines that put a key into the configuration."""
    facts = {"domain": made.domain, "selector": made.selector, "key_file": made.path, **more}
    import tomli_w

    return tomli_w.dumps({"dkim": [facts]}).splitlines()


class Texts:
    """TXT records, from the name servers of the configuration."""

    def __init__(self, config: Config) -> None:
        from mailer.net.query import Asker

        self._asker = Asker(config.dns.nameservers, config.dns.timeout, config.dns.lifetime)

    async def of(self, name: str) -> list[str] | str:
        """The records of `name`, the strings of each put together (RFC 6376 §3.6.2.2); or why nobody can say."""
        from mailer.net.query import DnsTrouble

        try:
            found = await self._asker.ask(name, "TXT")
        except DnsTrouble as trouble:
            return trouble.reason
        return [b"".join(record.strings).decode("utf-8", "replace") for record in found.records]
