"""The signer: puts DKIM signatures on mail right before it leaves, when nothing is changed any more.

The manager calls `Signer.sign` when it claims a job for a session. An RSA signature costs as much as all the rest of a
delivery, so it is drafted when the message is read (`Signer.ahead`), and may be made on another processor (`signing_process`).
Which keys sign is the From field's to say (`mailer.dkim.sign`); each key is read from its file once, when it is
needed first. A key that cannot be used is an alarm, and its mail waits, or goes without that signature, as ``on_failure``
of the key says. Mail that waits does not age: the mistake is ours, and it leaves within a minute after it has been mended.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mailer.config.secret import read_key
from mailer.dkim.sign import Seal, domains, draft, nearest, sign
from mailer.events import Alarm, Mended
from mailer.mail.problem import Problem
from mailer.net.aside import aside
from mailer.transport.verdict import Unsigned

from .signing_process import SignatureWanted, SigningProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailer.config.sections.dkim import Dkim
    from mailer.dkim.sign import UnsignedMessage
    from mailer.events import Event

STALE = 3600.0  # seconds after which what was signed ahead is signed anew: a signature says when it was made


class Signing(NamedTuple):
    """A message that is being signed with `keys`, since `at`; `wanted` are the values of the draft's signatures."""

    keys: Sequence[Dkim]
    at: float
    draft: UnsignedMessage
    wanted: Sequence[SignatureWanted]


class Signer:
    """A signer with `keys`, those of the configuration; tells of the ones that cannot be used."""

    def __init__(self, keys: Iterable[Dkim], tell: Callable[[Event], None]) -> None:
        self.tell = tell
        self._keys: dict[str, list[Dkim]] = {}
        self._seals: dict[Dkim, Seal] = {}
        self._agent = SigningProcess()
        for key in keys:
            if key.signs:
                self._keys.setdefault(key.ascii_domain, []).append(key)

    def ahead(self, content: bytes, at: float) -> Signing | None:
        """Begin to sign a message that will soon be delivered; None if there is nothing to sign with."""
        try:
            signing = self._signing(content, at)
        except Unsigned:
            return None  # `sign` will say so
        if signing is not None:
            for wanted in signing.wanted:
                self._agent.want(wanted, at)
        return signing

    def sign(self, content: bytes, at: float, ahead: Signing | None = None) -> bytes:
        """`content`, a message of the spool, as it is to leave `at` (seconds since the epoch). Raises `Unsigned`.

        `ahead` is what was begun for it before.
        """
        signing = ahead if ahead and at - ahead.at < STALE else self._signing(content, at)
        if signing is None:
            return content
        try:
            return signing.draft.signed([self._agent.signature(wanted) for wanted in signing.wanted])
        except Exception as error:
            self._without(signing.keys, f"{type(error).__name__}: {error}", at)
            return content

    async def sign_apart(self, content: bytes, at: float) -> bytes:
        """As `sign`, for a large message: in a thread, and nothing of it was begun before. Raises `Unsigned`."""
        keys = await aside(partial(self._chosen, content))
        seals = [seal for key in keys if (seal := self._usable(key, at))]
        if not seals:
            return content
        try:
            return await aside(partial(sign, content, seals, at))
        except Exception as error:
            self._without(keys, f"{type(error).__name__}: {error}", at)
            return content

    def _signing(self, content: bytes, at: float) -> Signing | None:
        keys = self._chosen(content)
        seals = [seal for key in keys if (seal := self._usable(key, at))]
        if not seals:
            return None
        try:
            drawn = draft(content, seals, at)
        except Exception as error:  # nothing that a message holds may stop the mail of others
            self._without(keys, f"{type(error).__name__}: {error}", at)
            return None
        return Signing(keys, at, drawn, [SignatureWanted(part.key, part.digest) for part in drawn.parts])

    def seal_of(self, domain: str, at: float) -> Seal | None:
        """The first key of `domain`, or of the nearest domain above it, that can be used; None if there is none. Raises `Unsigned`."""
        return next((seal for key in nearest(domain, self._keys) or () if (seal := self._usable(key, at))), None)

    def close(self) -> None:
        """End what signs ahead. What is signed from now on is signed here."""
        self._agent.close()

    def check(self, at: float) -> None:
        """Read all keys now, so that a mistake is told at the start and not with the first message."""
        for keys in self._keys.values():
            for key in keys:
                try:
                    self._usable(key, at)
                except Unsigned:
                    continue  # it has been told

    def _chosen(self, content: bytes) -> Sequence[Dkim]:
        """The keys of the first author whose domain has some."""
        return next((keys for domain in domains(content) if (keys := nearest(domain, self._keys))), ())

    def _usable(self, key: Dkim, at: float) -> Seal | None:
        """The key, ready to sign; None if it cannot be used and the mail goes without it. Raises `Unsigned`."""
        seal = self._seals.get(key)
        if seal is None:
            try:
                seal = self._seals[key] = Seal(key.ascii_domain, key.selector, read_key(key.key_file), key.expire)
            except Problem as problem:
                self._without([key], str(problem), at)
            else:
                self.tell(Mended(at, "dkim", _named(key), "the key can be used"))
        return seal

    def _without(self, keys: Iterable[Dkim], problem: str, at: float) -> None:
        """One of `keys` cannot sign: tell, and let the mail go if all of them may be missing. Raises `Unsigned` if not."""
        for key in keys:
            self.tell(Alarm(at, "dkim", f"cannot sign mail of {key.domain} with {key.selector}: {problem}", _named(key)))
        if any(key.on_failure == "defer" for key in keys):
            raise Unsigned(f"cannot sign mail of {next(iter(keys)).domain}; the log says why")


def _named(key: Dkim) -> str:
    return f"{key.selector}._domainkey.{key.domain}"
