"""One post: the body, signed now, to the endpoint's address, and what its answer means. Used by the sender and by `mailer hooks test`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mailer.config.secret import read_private
from mailer.mail.problem import Problem
from mailer.mail.text import safe
from mailer.net.dns import Resolver
from mailer.net.https import HttpsClient, HttpsTrouble
from mailer.tlspolicy import Requirement

from .endpoint import Verdict, judged
from .signing import basic, read_secrets, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.config import Config
    from mailer.config.sections.webhook import Webhook

    Keys = Sequence[bytes] | Sequence[tuple[str, str]]

T = TypeVar("T")

READ = 4096  # octets of an answer's body, for the operator alone
FRESH = 1.0  # seconds that a secret is remembered, so that one which was replaced counts at once
LONGEST_SECRET = 4096


class Posted(NamedTuple):
    """What came of a post: the verdict; the status (0: no answer), what was `said` as it may be shown, by which address; seconds."""

    verdict: Verdict
    status: int = 0
    said: str = ""
    address: str = ""
    took: float = 0.0


class Poster:
    """Posts by `client`; `now` tells seconds since the epoch. `owner` is the user whose the secrets are, by default the one who runs."""

    def __init__(self, client: HttpsClient, now: Callable[[], float], owner: int | None = None) -> None:
        self._client = client
        self._now = now
        self._owner = owner
        self._secrets: dict[str, tuple[float, Sequence[bytes]]] = {}

    async def post(self, hook: Webhook, id: str, body: bytes) -> Posted:
        """Post one event. Raises nothing: what goes wrong is a verdict."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            fields = await self._fields(hook, id, body)
            answer = await self._client.ask(
                "POST", hook.url, [*_PLAIN, *fields], body, seconds=hook.timeout, most=READ, private=hook.private
            )
        except (Problem, HttpsTrouble) as error:
            return Posted(Verdict("wait", str(error)), took=loop.time() - began)
        verdict = judged(answer.status, answer.header("retry-after"), self._now())
        return Posted(verdict, answer.status, shown(answer.body), answer.address, loop.time() - began)

    async def _fields(self, hook: Webhook, id: str, body: bytes) -> Sequence[tuple[str, str]]:
        """What proves who posts. Raises `Problem` where the secret cannot be used."""
        if hook.format == "listmonk":
            secret = await self._secret(hook)
            return parsed(hook.secret_file, lambda: basic(secret[0].decode("utf-8", "strict")))
        return signed(id, self._now(), body, await self._secret(hook, signs=True))

    async def _secret(self, hook: Webhook, *, signs: bool = False) -> Sequence[bytes]:
        path = hook.secret_file
        read, secret = self._secrets.get(path, (-FRESH, ()))
        now = asyncio.get_running_loop().time()
        if not secret or now - read >= FRESH:
            data = await asyncio.to_thread(read_private, path, "the secret file", LONGEST_SECRET, self._owner, hook.maker)
            secret = parsed(path, lambda: read_secrets(data.decode("utf-8", "strict"))) if signs else [data]
            self._secrets[path] = now, secret
        return secret


_PLAIN = (("Content-Type", "application/json"),)


def client_of(config: Config) -> HttpsClient:
    """What calls endpoints: with the name servers and authorities of `config`."""
    dns = config.dns
    resolver = Resolver(dns.nameservers, dns.timeout, dns.lifetime, dns.cache_size, config.delivery.family)
    return HttpsClient(resolver.addresses, Requirement("implicit", ca_file=config.tls.ca_file))


def parsed(path: str, read: Callable[[], T]) -> T:
    """What `read` makes of the file at `path`. Raises `Problem` (bad-config)."""
    try:
        return read()
    except UnicodeDecodeError:
        raise Problem(f"the secret file {path} is no text; mailer hooks rotate makes one", "bad-config") from None
    except ValueError as error:
        raise Problem(f"the secret file {path} cannot be used: {error}", "bad-config") from None


def shown(body: bytes) -> str:
    """What an endpoint answered, for a terminal: without anything that acts on it."""
    return safe(body.decode("utf-8", "replace").strip(), READ)
