"""Keys in a file, ``api-keys.toml`` beside the configuration: TOML, mode 0600, its owner root or the user whom mailer runs as.

It is read when a key is asked for and the file has changed, so what is done to a key holds for the next request. A change is made under
a lock, to a copy that then takes the file's place, so that a reader sees all of it, or what was before; it is synced before the one who
made it is told. A file that others can read is refused, as every secret is.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import tomllib
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from mailer.config.kinds import RATE
from mailer.config.secret import read_private
from mailer.io import durable
from mailer.mail.problem import Problem, from_os

from .api import ID, SCOPES, ApiKey, is_name
from .memory import merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailer.config.secret import FileOwner

NAME: Final = "api-keys.toml"
LARGEST: Final = 4 << 20  # bytes: some ten thousand keys
HEAD: Final = "# Keys of the HTTP API. `mailer api key` writes this file; of each secret it has the SHA-256.\n"


class FileApiKeys:
    """The keys in the file at `path`, which is for `owner`: an `ApiKeys`. No file means no keys."""

    def __init__(self, path: str, owner: FileOwner) -> None:
        self.path = path
        self.owner = owner
        self._known: dict[str, ApiKey] = {}
        self._by_id: dict[str, ApiKey] = {}
        self._seen: tuple[int, ...] | None = None
        self._turn = Lock()

    async def all(self) -> Sequence[ApiKey]:
        """All keys, by name."""
        await self._look()
        return [self._known[name] for name in sorted(self._known)]

    async def find(self, ids: Sequence[str]) -> Sequence[ApiKey | None]:
        """The keys with these public parts."""
        await self._look()
        return [self._by_id.get(id) for id in ids]

    async def put(self, keys: Sequence[ApiKey], *, new: bool = False) -> None:
        """Keep each in place of the one of its name."""

        def change() -> None:
            with self._changing():
                self._write(merged(self._read(), keys, new=new))

        await asyncio.to_thread(change)

    async def remove(self, names: Sequence[str]) -> Sequence[bool]:
        """Forget the keys of these names."""

        def change() -> Sequence[bool]:
            with self._changing():
                known = self._read()
                found = [known.pop(name, None) is not None for name in names]
                if any(found):
                    self._write(known)
                return found

        return await asyncio.to_thread(change)

    async def _look(self) -> None:
        """Read the file, if it is another than the one that was read."""
        if self._signature() != self._seen:
            await asyncio.to_thread(self._refresh)

    def _refresh(self) -> None:
        with self._turn:
            seen = self._signature()
            if seen != self._seen:
                known = self._read()
                self._known, self._by_id, self._seen = known, {key.id: key for key in known.values()}, seen

    def _signature(self) -> tuple[int, ...]:
        """What changes with the file; () without one. Who may read it belongs to that."""
        try:
            about = os.stat(self.path)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise from_os("cannot read the keys", self.path, error) from None
        return about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns

    def _read(self) -> dict[str, ApiKey]:
        if not os.path.lexists(self.path):
            return {}
        data = read_private(self.path, "the file of API keys", LARGEST, self.owner.uid)
        if len(data) > LARGEST:
            raise Problem(f"the file of API keys {self.path} is larger than {LARGEST} bytes", "bad-config")
        try:
            tables = tomllib.loads(data.decode()).get("key", [])
            keys = [_key(table) for table in tables]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise Problem(f"the file of API keys {self.path} cannot be used: {why}", "bad-config") from None
        found = {key.name: key for key in keys}
        if len(found) != len(keys) or len({key.id for key in keys}) != len(keys):
            raise Problem(f"the file of API keys {self.path} has two keys of one name or id; leave one of them", "bad-config")
        return found

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile: the lock is that of its directory, so that it needs no file."""
        directory = os.path.dirname(os.path.realpath(self.path))
        try:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise from_os("cannot keep the keys", self.path, error) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _write(self, keys: dict[str, ApiKey]) -> None:
        import tomli_w

        target = os.path.realpath(self.path)
        scratch = f"{target}.{os.getpid()}.new"
        text = HEAD + tomli_w.dumps({"key": [_table(keys[name]) for name in sorted(keys)]})
        try:
            durable.forget(scratch)  # of a process of the same number, which died
            durable.write_new(scratch, [text.encode()])
            try:
                self.owner.give(scratch)
                os.rename(scratch, target)
            except BaseException:
                durable.forget(scratch)
                raise
            durable.sync_directory(os.path.dirname(target))
        except OSError as error:
            raise from_os("cannot keep the keys", self.path, error) from None


def _table(key: ApiKey) -> dict[str, Any]:
    """A key as the file has it; what is not set is not there."""
    said = {
        "name": key.name,
        "id": key.id,
        "sha256": key.digest,
        "scopes": [scope for scope in SCOPES if scope in key.scopes],
        "senders": list(key.senders),
        "networks": list(key.networks),
        "stream": key.stream,
        "rate": str(rate_of(key)) if key.rate else "",
        "created": _moment(key.created),
        "expires": _moment(key.expires),
        "disabled": key.disabled,
        "previous_sha256": key.previous,
        "previous_until": _moment(key.previous_until),
    }
    return {name: value for name, value in said.items() if value or name in ("scopes", "senders")}


def rate_of(key: ApiKey) -> object:
    """The rate of a key as the configuration writes one."""
    from mailer.config.kinds import Rate

    return Rate(*key.rate) if key.rate else ""


def _key(table: dict[str, Any]) -> ApiKey:
    """The key of a table. Raises `ValueError`, `TypeError`, `KeyError`, `AttributeError` for what is none."""
    table = dict(table)
    name, id, digest = table.pop("name"), table.pop("id"), table.pop("sha256")
    if not isinstance(name, str) or not is_name(name):
        raise ValueError(f"{name!r} is no name of a key")
    if not isinstance(id, str) or len(id) != ID:
        raise ValueError(f"the id of the key {name!r} has not {ID} symbols")
    previous = table.pop("previous_sha256", "")
    for each in (digest, previous or digest):
        if not isinstance(each, str) or len(each) != 64 or not set(each) <= set("0123456789abcdef"):
            raise ValueError(f"the sha256 of the key {name!r} is none")
    scopes = _texts(table, "scopes", name)
    if unknown := set(scopes).difference(SCOPES):
        raise ValueError(f"the key {name!r} has the scope {unknown.pop()!r}; there are {', '.join(SCOPES)}")
    networks = tuple(str(ip_network(each)) for each in _texts(table, "networks", name))
    rate, disabled, stream = table.pop("rate", ""), table.pop("disabled", False), table.pop("stream", "")
    if not isinstance(disabled, bool) or not isinstance(stream, str):
        raise TypeError(f"disabled of the key {name!r} is true or false, and its stream a text")
    times = {each: table.pop(each, None) for each in ("created", "expires", "previous_until")}
    found = ApiKey(
        name,
        id,
        digest,
        frozenset(scopes),
        _texts(table, "senders", name),
        networks,
        stream,
        _rate(rate),
        disabled=disabled,
        previous=previous,
        **{each: 0.0 if at is None else at.timestamp() for each, at in times.items()},
    )
    if table:  # a limit that is misspelt would not hold
        raise ValueError(f"the key {name!r} has a member {next(iter(table))!r} that nobody knows")
    return found


def _rate(text: object) -> tuple[int, float] | None:
    if text == "":
        return None
    read = RATE.read(text)
    return read.number, read.seconds


def _texts(table: dict[str, Any], member: str, name: str) -> tuple[str, ...]:
    found = table.pop(member, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TypeError(f"{member} of the key {name!r} is no list of texts")
    return tuple(found)


def _moment(at: float) -> datetime | None:
    return datetime.fromtimestamp(int(at), UTC) if at else None
