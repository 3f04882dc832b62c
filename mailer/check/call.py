"""The way out: MX hosts of a large receiver are called by port 25, greet, and are left with QUIT. No mail is begun.

Some say in their answer to EHLO whom they see calling: behind a translator of addresses that is the only way to know.
"""

from __future__ import annotations

import asyncio
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.mail.ip_filter import allowed
from mailer.tlspolicy.requirement import Requirement
from mailer.transport.endpoint import Endpoint, Timeouts
from mailer.transport.errors import SessionError
from mailer.transport.session import Session

from .rules.host import Call
from .rules.mx import hosts

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mailer.smtp.reply import Reply

    from .lookups import Lookups

PATIENCE = 2.5  # seconds for one host, in which a healthy one has greeted
FAREWELL = 0.5  # seconds for its answer to QUIT
SHOWN = 200  # characters of a reply
NO_TLS = Requirement("none")
_SEEN = re.compile(r"\[?([0-9A-Fa-f.:]{7,45})\]?")


async def calls(
    lookups: Lookups, domain: str, hello: str, *, port: int, versions: Collection[int], sources: Sequence[str] = (), private: bool = False
) -> tuple[list[Call], str]:
    """What came of calling the best MX host of `domain`, once by each family; or why nobody was called.

    `versions` are those of IP that this host has; `sources` are addresses of ours to call from, if they are configured.
    """
    mx = await lookups.ask(domain, "MX")
    if not mx.records:
        return [], mx.trouble or f"{domain} has no MX records"
    host = hosts(mx)[0][1]
    answer = (await lookups.addresses([host]))[host]
    good = [address for address in answer.records if private or allowed(address)]
    chosen = {ip_address(address).version: address for address in reversed(good)}
    own = {ip_address(source).version: source for source in sources}
    wanted = [chosen[version] for version in sorted(chosen) if version in versions]
    if not wanted:
        return [], answer.trouble or f"{host} has no address that may be called"
    return [*await asyncio.gather(*(_call(lookups, host, each, port, hello, own.get(ip_address(each).version)) for each in wanted))], ""


async def _call(lookups: Lookups, host: str, address: str, port: int, hello: str, source: str | None) -> Call:
    endpoint = Endpoint(host, port, NO_TLS, source=source or "", hello=hello, source6=source or "")
    until = min(lookups.until, asyncio.get_running_loop().time() + PATIENCE)
    try:
        async with asyncio.timeout_at(until):
            session = await Session.open(endpoint, address, Timeouts(quit=FAREWELL))
    except TimeoutError:
        return Call(host, address, trouble="no answer")
    except SessionError as error:
        said = error.reply
        return Call(host, address, trouble=said.text if said.cause else f"it says {_shown(said)}")
    await session.close()
    _, _, offers = session.prologue.said[-1]
    return Call(host, address, _shown(session.greeting), seen=_seen(offers.lines[0]))


def _shown(reply: Reply) -> str:
    text = str(reply)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _seen(line: str) -> str:
    """The address that a host says it sees; empty if it says none."""
    for text in _SEEN.findall(line):
        try:
            return str(ip_address(text.removeprefix("IPv6:")))
        except ValueError:
            continue
    return ""
