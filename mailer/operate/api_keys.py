"""What an operator does with keys of the HTTP API: add, list, switch off and on, give another secret, remove.

They are in a file beside the configuration, for the user whom the daemon runs as. A key is shown once, by `add` and `rotate`.
"""

from __future__ import annotations

import os
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple

from mailer.accounts.api import SCOPES, ApiKey, is_name, new_id, new_secret
from mailer.accounts.files import NAME, FileApiKeys, rate_of
from mailer.config.secret import keeper_of
from mailer.config.sections.daemon import SENDER
from mailer.config.values import find, new_file
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.accounts.api import ApiKeys
    from mailer.config import Config
    from mailer.config.kinds import Rate

LONGEST_STREAM = 64  # characters


class KeyTerms(NamedTuple):
    """What a key is to be for; members as those of `ApiKey`. `rate` is one of the configuration, `expires` in seconds since the epoch."""

    scopes: Sequence[str] = ("send", "status")
    senders: Sequence[str] = ("*",)
    networks: Sequence[str] = ()
    stream: str = ""
    rate: Rate | None = None
    expires: float = 0.0


class NewKey(NamedTuple):
    """A key `name` as its holder needs it, `key`: it is not to be had again."""

    name: str
    key: str

    def as_json(self) -> dict[str, object]:
        """As ``mailer api key add --json`` prints it."""
        return {"name": self.name, "key": self.key}


def place_of(config: Config) -> str:
    """Where the keys are that belong to `config`."""
    path = config.path or find(None)[0] or new_file()
    return f"{os.path.dirname(os.path.abspath(path))}/{NAME}"


def keys_of(config: Config) -> FileApiKeys:
    """The keys that belong to `config`."""
    return FileApiKeys(place_of(config), keeper_of(config.spool))


async def add(keys: ApiKeys, name: str, terms: KeyTerms, now: float) -> NewKey:
    """Make a key. Raises `Problem` (usage) for a name that is taken or none, and for terms that cannot hold."""
    if not is_name(name):
        raise Problem(f"{name[:80]!r} is no name of a key: it takes 1 to 64 letters, digits, dots, hyphens and underscores", "usage")
    if unknown := [scope for scope in terms.scopes if scope not in SCOPES]:
        raise Problem(f"there is no scope {unknown[0]!r}; there are {', '.join(SCOPES)}", "usage")
    if not terms.scopes:
        raise Problem(f"a key is for something: name a scope; there are {', '.join(SCOPES)}", "usage")
    if len(terms.stream) > LONGEST_STREAM or not terms.stream.isprintable():
        raise Problem(f"a stream takes one line of text, of at most {LONGEST_STREAM} characters", "usage")
    if terms.expires and terms.expires <= now:
        raise Problem("that time has passed: a key that has expired opens nothing", "usage")
    for pattern in terms.senders:
        _check_sender(pattern)
    networks = tuple(map(_network, terms.networks))
    shown, digest = new_secret(id := new_id())
    rate = terms.rate and (terms.rate.number, terms.rate.seconds)
    made = ApiKey(
        name, id, digest, frozenset(terms.scopes), tuple(terms.senders), networks, terms.stream, rate, created=now, expires=terms.expires
    )
    await keys.put([made], new=True)
    return NewKey(name, shown)


async def switch(keys: ApiKeys, name: str, *, disabled: bool) -> ApiKey:
    """Let the key open nothing any more, or again. Raises `Problem` (no-such)."""
    changed = (await named(keys, name))._replace(disabled=disabled)
    await keys.put([changed])
    return changed


async def rotate(keys: ApiKeys, name: str, until: float) -> NewKey:
    """Give the key another secret; the one before holds `until` then (seconds since the epoch, 0.0: no longer).

    Raises `Problem` (no-such).
    """
    key = await named(keys, name)
    shown, digest = new_secret(key.id)
    before = (key.digest, until) if until else ("", 0.0)
    await keys.put([key._replace(digest=digest, previous=before[0], previous_until=before[1])])
    return NewKey(name, shown)


async def remove(keys: ApiKeys, name: str) -> None:
    """Forget the key. Raises `Problem` (no-such)."""
    await named(keys, name)
    await keys.remove([name])


async def named(keys: ApiKeys, name: str) -> ApiKey:
    """The key of this name. Raises `Problem` (no-such)."""
    found = {key.name: key for key in await keys.all()}
    if name not in found:
        known = ", ".join(found) or "none; `mailer api key add` makes one"
        raise Problem(f"there is no key {name!r}; there is: {known}", "no-such")
    return found[name]


def as_json(key: ApiKey, now: float) -> dict[str, object]:
    """A line of ``mailer api key list --json``: all but what proves it."""
    return {
        "name": key.name,
        "id": key.id,
        "scopes": [scope for scope in SCOPES if scope in key.scopes],
        "senders": list(key.senders),
        "networks": list(key.networks),
        "stream": key.stream or None,
        "rate": str(rate_of(key)) or None,
        "created_at": rfc3339(key.created) if key.created else None,
        "expires_at": rfc3339(key.expires) if key.expires else None,
        "rotating_until": rfc3339(key.previous_until) if key.previous_until > now else None,
        "disabled": key.disabled,
        "usable": key.holds(now),
    }


def _check_sender(pattern: str) -> None:
    try:
        SENDER.read(pattern)
    except ValueError as error:
        raise Problem(f"--sender: {error}", "usage") from None


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError:
        raise Problem(f"{text[:80]!r} is no network: write 192.0.2.0/24, 2001:db8::/32 or one address", "usage") from None
