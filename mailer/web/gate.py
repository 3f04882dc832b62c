"""The gate: who asks, by the key that a request has, and whether that key may do it.

``Authorization: Bearer KEY`` (RFC 6750 §2.1); a key in the address is refused, for addresses are written into logs. What is wrong with a
key is not told: one that there never was, one whose secret is another, one that is switched off and one that has expired have the same
answer, after the same work. Whoever presents ten of them in a minute is told to wait, and whoever has a good one is not.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from math import ceil
from typing import TYPE_CHECKING, Final

from mailer.accounts.api import PREFIX, divided, proves
from mailer.limits.rate import TokenBucket
from mailer.mail.ip_network import network

from .answer import ApiRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from ipaddress import IPv4Address, IPv6Address

    from mailer.accounts.api import ApiKey, ApiKeys

    Address = IPv4Address | IPv6Address | None

FAILURES: Final = 10  # of one address
WINDOW: Final = 60.0  # seconds in which those are counted
REMEMBERED: Final = 10_000  # addresses
FRESH: Final = 1.0  # seconds that a key is as it was found: to look at its file in between threads that work costs more than all else here
IN_QUERY: Final = ("key", "api_key", "apikey", "access_token", "token", "authorization")
"""Names under which people put a key into an address."""

REALM: Final = 'Bearer realm="mailer"'
UNKNOWN: Final = ApiRefusal(
    401,
    "unauthorized",
    "this needs a valid key: Authorization: Bearer KEY",
    headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
)


class Gate:
    """The gate before the endpoints, for the holders of `keys`. `now` and `waited` are the two clocks, in seconds."""

    def __init__(self, keys: ApiKeys, now: Callable[[], float] = time.time, waited: Callable[[], float] = time.monotonic) -> None:
        self.keys = keys
        self._now = now
        self._waited = waited
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._fresh: dict[str, tuple[ApiKey, float]] = {}
        self._rates: dict[str, tuple[tuple[int, float], TokenBucket]] = {}

    async def admit(self, scope: str, authorization: Sequence[str], query: Mapping[str, str], client: Address) -> ApiKey:
        """The key of a request from `client`, with these fields ``Authorization``, that is to be good for `scope`.

        Raises `ApiRefusal`, and `Problem` where the keys cannot be read.
        """
        if any(name.lower() in IN_QUERY or value.startswith(PREFIX) for name, value in query.items()):
            words = "a key has no place in an address, where logs keep it: send Authorization: Bearer KEY, and give this key another secret"
            raise ApiRefusal(400, "key_in_query", words)
        presented = _bearer(authorization)
        id, secret = divided(presented)
        key = await self._found(id)
        if not proves(key, secret, self._now()) or key is None:
            if presented:
                self._failed(client)
            raise UNKNOWN
        if key.networks and not key.is_from(str(client or "")):
            raise ApiRefusal(403, "wrong_network", "this key may not be used from this address")
        if scope not in key.scopes:
            raise ApiRefusal(403, "missing_scope", f"this key has no scope {scope}; its operator makes one that has: mailer api key add")
        self._count(key)
        return key

    async def _found(self, id: str) -> ApiKey | None:
        """The key with this public part, as it was less than `FRESH` seconds ago."""
        now = self._waited()
        key, until = self._fresh.get(id, (None, 0.0))
        if key is None or now >= until:
            [key] = await self.keys.find([id])
            if key is None:
                self._fresh.pop(id, None)
            else:
                self._fresh[id] = key, now + FRESH
        return key

    async def known(self, id: str, digest: str, scope: str, client: Address) -> ApiKey | None:
        """The key with the public part `id`, proved before by a secret of this digest, if that is still good for `scope`, from there.

        Raises `Problem`.
        """
        [key] = await self.keys.find([id])
        now = self._now()
        if key is None or not key.holds(now) or not key.is_from(str(client or "")) or scope not in key.scopes:
            return None
        return key if digest == key.digest or (digest == key.previous and now < key.previous_until) else None

    def _failed(self, client: Address) -> None:
        """Note a key that proved nothing. Raises `ApiRefusal` for one too many."""
        name = network(str(client))
        now = self._waited()
        failures = self._failures.setdefault(name, deque(maxlen=FAILURES + 1))
        self._failures.move_to_end(name)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        if len(failures) >= FAILURES:
            wait = max(1, ceil(failures[0] + WINDOW - now))
            raise ApiRefusal(429, "too_many_failures", "too many wrong keys came from this address", headers={"Retry-After": str(wait)})
        failures.append(now)

    def _count(self, key: ApiKey) -> None:
        """Take a turn of the key's rate. Raises `ApiRefusal` where none is left."""
        if key.rate is None:
            self._rates.pop(key.name, None)
            return
        rate, bucket = self._rates.get(key.name, (None, None))
        if bucket is None or rate != key.rate:
            bucket = TokenBucket(*key.rate)
            self._rates[key.name] = key.rate, bucket
        wait = bucket.wait(self._waited())
        if wait > 0:
            words = f"this key may make {key.rate[0]} requests in {key.rate[1]:g} seconds"
            raise ApiRefusal(429, "too_many_requests", words, headers={"Retry-After": str(max(1, ceil(wait)))})
        bucket.reserve(self._waited())


def _bearer(fields: Sequence[str]) -> str:
    """What is presented as a key; empty where nothing is."""
    if len(fields) != 1:
        return ""
    scheme, _, rest = fields[0].strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else ""
