"""The residents: who lives here, for as long as a daemon runs.

What becomes of mail for an address is decided by `residence`, from what is in memory: our domains, and the files of their aliases, which
are read again when they change. A file that could be read before and cannot be now is as it was, with an alarm; so nobody who lives here
is refused because a file is being edited. Users are asked where they are kept.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.events import Alarm, Mended
from mailer.mail.address_key import key_of
from mailer.mail.domain import compared
from mailer.mail.problem import Problem
from mailer.rewriting.aliases import read

from .residence import NOT_NOW, OwnDomain, Registry, Residence, expanding
from .srs_secrets import WayBack, srs_place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mailer.config import Config
    from mailer.events import Event
    from mailer.io.clock import Clock
    from mailer.rewriting.aliases import Alias

    from .users.api import Users

EVERY: Final = 5.0  # seconds after which files are looked at again


class _Signature(NamedTuple):
    """What tells that a file is another one than it was."""

    inode: int
    size: int
    changed: int

    @classmethod
    def of(cls, path: str) -> _Signature | None:
        try:
            found = os.stat(path)
        except OSError:
            return None
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class Residents:
    """All who live here, for as long as a daemon runs."""

    def __init__(self, config: Config, users: Users, tell: Callable[[Event], None], clock: Clock) -> None:
        self.users = users
        self._tell = tell
        self._clock = clock
        self._files: dict[str, Mapping[str, Alias]] = {}
        self._signatures: dict[str, _Signature | None] = {}
        self.registry = Registry({})
        self.take(config)

    def take(self, config: Config) -> None:
        """Go by another configuration. Files that were not read yet are read by `refresh`."""
        self._config = config
        self._make()

    def _make(self) -> None:
        config = self._config
        ours = config.postmaster if config.postmaster != f"mailer-daemon@{config.hostname}" else ""
        domains = {
            section.name: OwnDomain(section, self._files.get(section.aliases_file) if section.aliases_file else {})
            for section in config.domains
        }
        self.registry = Registry(
            domains,
            config.hostname.lower(),
            config.receiving.postmaster or ours,
            WayBack(srs_place(config), self._clock.now) if config.forwarding.srs else None,
            compared(config.forwarding.domain),
            config.receiving.max_recipients,
        )

    async def refresh(self) -> None:
        """Read files of aliases that have changed; to be called at the start, and every `EVERY` seconds."""
        wanted = {section.aliases_file for section in self._config.domains if section.aliases_file}
        if not wanted:
            return
        for path, found in (await asyncio.to_thread(self._read, wanted)).items():
            self._told(path, found)
        self._make()

    def _read(self, wanted: set[str]) -> Mapping[str, Mapping[str, Alias] | Problem]:
        files: dict[str, Mapping[str, Alias] | Problem] = {}
        for path in sorted(wanted):
            signature = _Signature.of(path)
            if path in self._files and signature is not None and signature == self._signatures.get(path):
                continue
            try:
                files[path] = {key_of(name): alias for name, alias in read(path, strict=True)}
                self._signatures[path] = signature
            except Problem as problem:
                files[path] = problem
        return files

    def _told(self, path: str, found: Mapping[str, Alias] | Problem) -> None:
        now = self._clock.now()
        if not isinstance(found, Problem):
            self._files[path] = found
            self._tell(Mended(now, "aliases", path, "it was read"))
            return
        kept = "mail goes by what was read before" if path in self._files else "mail for its domains has to wait"
        self._tell(Alarm(now, "aliases", f"{found}; {kept}", path))

    async def resolve(self, address: str, *, denied: bool = False) -> Residence:
        """What becomes of mail for `address`, from memory as far as users are. `denied` is as for `expanding`."""
        asking = expanding(address, self.registry, denied=denied)
        try:
            wanted = next(asking)
            while True:
                wanted = asking.send(await self.users.find(wanted))
        except StopIteration as done:
            residence: Residence = done.value
        except Problem as problem:
            self._tell(Alarm(self._clock.now(), "aliases", f"it cannot be said who lives here: {problem}", "users"))
            return Residence("trouble", reply=NOT_NOW)
        for text in residence.problems:
            self._tell(Alarm(self._clock.now(), "aliases", text, text[:80], severity="warning"))
        return residence
