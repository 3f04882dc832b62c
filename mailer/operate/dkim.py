"""DKIM keys and signatures as people ask of them: keys made, found in the configuration, shown with their records; signatures checked.

`rotation` puts a new key in the place of the one in use.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mailer.config.secret import keeper_of, read_key
from mailer.config.values import find, new_file
from mailer.dkim import key as keys
from mailer.io.durable import sync_directory, write_new
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem, from_os

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailer.config import Config
    from mailer.config.secret import FileOwner
    from mailer.config.sections.dkim import Dkim
    from mailer.dkim.key import PrivateKey
    from mailer.dkim.verify import SignatureClaim

BITS = (2048, 3072, 4096)
"""Of a new RSA key. 2048 is what all verify; the record of a longer one is too long for some tools that edit the DNS."""


class KeyWish(NamedTuple):
    """What is said of a key that is to be made; None where nothing is."""

    kind: str | None = None
    bits: int | None = None
    selector: str | None = None


class Order(NamedTuple):
    """An order for a key that is to be made."""

    kind: str
    bits: int
    selector: str

    @classmethod
    def of(cls, wish: KeyWish, kind: str = "rsa", bits: int = BITS[0]) -> Order:
        """The order for a wish; `kind` and `bits` hold where that does not say. Raises `ValueError` for what there is not."""
        kind = wish.kind or kind
        if kind not in keys.ALGORITHMS:
            raise ValueError(f"--type is {' or '.join(keys.ALGORITHMS)}")
        if kind == "ed25519" and wish.bits is not None:
            raise ValueError("an Ed25519 key has 256 bits, always; --bits is for RSA")
        if wish.bits is not None and wish.bits not in BITS:
            raise ValueError(f"--bits is one of {', '.join(map(str, BITS))}")
        length = wish.bits or (bits if bits in BITS else BITS[0])
        return cls(kind, length, wish.selector or f"{kind}-{rfc3339(int(time.time()))[:10].replace('-', '')}")


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

    def section(self, **more: object) -> list[str]:
        """The lines that put the key into the configuration."""
        import tomli_w

        facts = {"domain": self.domain, "selector": self.selector, "key_file": self.path, **more}
        return tomli_w.dumps({"dkim": [facts]}).splitlines()

    def as_json(self) -> dict[str, object]:
        """As ``mailer dkim record --json`` has it."""
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


# Keys


def keeper(config: str | None, spool: str | None) -> FileOwner:
    """The user whose keys are looked at, and who gets a new one, by the configuration and the spool that were named.

    A mistake in the daemon's part of the configuration does not matter, nor that it is written only when the key is there.
    """
    from mailer.config.quick import submission

    named = config or os.environ.get("MAILER_CONFIG", "")
    if os.geteuid() == 0 and (os.path.exists(named) or not named):  # others have their own keys
        spool = submission(config, spool).spool
    return keeper_of(spool or "")


def place(config: str | None, domain: str, selector: str) -> str:
    """Where a new key belongs for which no place was named: beside the configuration."""
    path = find(config)[0] or new_file()
    return f"{os.path.dirname(os.path.abspath(path))}/dkim/{domain}.{selector}.pem"


def make(domain: str, order: Order, path: str, keeper: FileOwner) -> Published:
    """A new key in a file that only `keeper` may read. Raises `Problem` (cannot-create) where there is a file already."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        write_new(path, [_pem(order)])
        keeper.give(path)
        sync_directory(os.path.dirname(path))
    except FileExistsError:
        raise Problem(f"{path} exists already; it stays as it is, for mail may be signed with it", "cannot-create") from None
    except OSError as error:
        raise from_os("cannot write the key", path, error) from None
    return published(domain, order.selector, path, keeper)


def _pem(order: Order) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = generate_private_key(65537, order.bits) if order.kind == "rsa" else Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def published(domain: str, selector: str, path: str, keeper: FileOwner) -> Published:
    """The key in the file at `path`, which `keeper` has. Raises `Problem`."""
    return Published(domain, selector, path, read_key(path, keeper.uid))


def configured(config: Config, domain: str | None, selector: str | None) -> list[Published]:
    """The keys of the configuration, of one domain or selector if one is given. Raises `Problem` (no-such) if there is none."""
    chosen = [key for key in config.dkim if domain in (None, key.ascii_domain) and selector in (None, key.selector)]
    if not chosen:
        which = "".join([f" of {domain}" if domain else "", f" with the selector {selector}" if selector else ""])
        raise Problem(f"the configuration has no key{which}; `mailer dkim keygen DOMAIN` makes one", "no-such")
    keeper = keeper_of(config.spool)
    return [in_use(key, keeper) for key in chosen]


def in_use(key: Dkim, keeper: FileOwner) -> Published:
    """A key of the configuration, which `keeper` has. Raises `Problem`."""
    private = read_key(key.key_file, keeper.uid)
    return Published(key.ascii_domain, key.selector, key.key_file, private, key.state, key.needed_until)


class Texts:
    """TXT records, from the name servers of the configuration."""

    def __init__(self, config: Config) -> None:
        from mailer.net.query import Asker

        self._asker = Asker(config.dns.nameservers, config.dns.timeout, config.dns.lifetime)

    async def of(self, name: str) -> list[str] | str:
        """The records of `name`, the strings of each put together (RFC 6376 §3.6.2.2); or why they are not known."""
        from mailer.net.query import DnsTrouble

        try:
            found = await self._asker.ask(name, "TXT")
        except DnsTrouble as trouble:
            return trouble.reason
        return [b"".join(record.strings).decode("utf-8", "replace") for record in found.records]


# Signatures


class Signature(NamedTuple):
    """A signature of a message, judged; `number` counts from 1, `author` is the domain of the From field, empty where there is none."""

    number: int
    claim: SignatureClaim
    author: str

    @property
    def word(self) -> str:
        """The result, a word of RFC 8601 §2.7.1."""
        assert self.claim.result is not None
        return self.claim.result.word

    @property
    def why(self) -> str:
        """The reason; empty where it holds."""
        assert self.claim.result is not None
        return self.claim.result.why

    @property
    def aligned(self) -> bool:
        """Whether the domain that signed is the author's, or above or below it."""
        if not self.claim.domain or not self.author:
            return False
        shorter, longer = sorted((self.claim.domain, self.author), key=len)
        return longer == shorter or longer.endswith("." + shorter)

    def as_json(self) -> dict[str, object]:
        """As ``mailer dkim verify --json`` has it."""
        claim = self.claim
        return {
            "signature": self.number,
            "result": self.word,
            "reason": self.why or None,
            "domain": claim.domain or None,
            "selector": claim.selector or None,
            "algorithm": claim.algorithm or None,
            "bits": claim.bits or None,
            "aligned": self.aligned,
        }


async def verify(config: Config, data: bytes) -> list[Signature]:
    """The signatures of the message `data`, each judged, with the keys that the DNS has."""
    from mailer.dkim.sign import domains
    from mailer.dkim.verify import claims
    from mailer.mail.message import normalise

    content = normalise(data)
    found = list(claims(content, time.time()))
    await _ask(config, found)
    author = next(domains(content), "")
    return [Signature(number, claim, author) for number, claim in enumerate(found, 1)]


async def _ask(config: Config, found: Iterable[SignatureClaim]) -> None:
    """Ask the DNS for the keys, all at once: who wrote the message does not choose how long this takes."""
    import asyncio

    texts = Texts(config)
    open = [claim for claim in found if claim.result is None]
    for claim, answer in zip(open, await asyncio.gather(*(texts.of(claim.name) for claim in open)), strict=True):
        if isinstance(answer, str):
            claim.trouble(answer)
        else:
            claim.check(answer)
