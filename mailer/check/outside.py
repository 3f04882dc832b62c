"""What hosts of others say besides the DNS: port 25 of a large receiver, the web server with a policy, a time server.

MX hosts are called, greet, and are left with QUIT; no mail is begun. Some say in their answer to EHLO whom they see calling: behind a
translator of addresses that is the only way to know.

The policy of MTA-STS is fetched as RFC 8461 §3.3 wants it: over HTTPS with a valid certificate, without redirects. Whose web server that
is, somebody else's DNS says, so the client is the one that calls only where everybody gets (`mailer.net.https`).

The clock of this machine is compared with that of a time server by one question of SNTP (RFC 4330); no clock is set.
"""

from __future__ import annotations

import asyncio
import re
import struct
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING

from mailer.mail.ip_filter import allowed
from mailer.mail.web_url import WebUrl
from mailer.net.dns import DnsTrouble, NotFound
from mailer.net.https import HttpsClient, HttpsTrouble
from mailer.tlspolicy import Requirement
from mailer.transport.errors import SessionError
from mailer.transport.route import Endpoint, Timeouts
from mailer.transport.session import Session

from .lookups import reason
from .rules.host import Call
from .rules.mta_sts import Fetched
from .rules.mx import hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from mailer.config.kinds import HostPort
    from mailer.net.https import HttpsAnswer
    from mailer.smtp.reply import Reply

    from .lookups import Lookups

PATIENCE = 2.5  # seconds for one MX host, in which a healthy one has greeted
FAREWELL = 0.5  # seconds for its answer to QUIT
SHOWN = 200  # characters of a reply
NO_TLS = Requirement("none")
_SEEN = re.compile(r"\[?([0-9A-Fa-f.:]{7,45})\]?")

LARGEST = 65536  # bytes of a policy; one has some hundred, RFC 8461 §3.3
PATH = "/.well-known/mta-sts.txt"

EPOCH = 2208988800  # seconds from 1900, when NTP begins to count, to 1970
PROMPT = 2.0  # seconds for a time server
_ASK_TIME = b"\x23" + bytes(47)  # version 4, client


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


async def fetch(lookups: Lookups, domain: str, *, ca_file: str = "", private: bool = False, port: int = 443) -> Fetched:
    """The policy of MTA-STS of `domain`; `private`: whether its web server may be at a private address."""

    async def look_up(host: str) -> Sequence[str]:
        answer = (await lookups.addresses([host]))[host]
        if answer.trouble:
            raise DnsTrouble(host, answer.trouble)
        if not answer.records:
            raise NotFound(host, "nodata")
        return answer.records

    client = HttpsClient(look_up, Requirement("implicit", ca_file=ca_file))
    url = WebUrl("https", f"mta-sts.{domain}", port, PATH)
    patience = max(lookups.until - asyncio.get_running_loop().time(), 0.1)
    try:
        return _policy(await client.ask("GET", url, [("Accept", "text/plain")], seconds=patience, most=LARGEST, private=private))
    except HttpsTrouble as trouble:
        return Fetched(trouble=str(trouble))
    finally:
        await client.close()


def _policy(answer: HttpsAnswer) -> Fetched:
    if answer.status != 200:  # a redirect would lead to whom the certificate says nothing about
        return Fetched(trouble=f"the web server says {answer.status} {answer.reason}".strip())
    if answer.cut:
        return Fetched(trouble="it is longer than a policy can be")
    return Fetched(answer.body.decode("utf-8", "replace"))


class _Answer(asyncio.DatagramProtocol):
    """Keeps the first datagram, and when it came."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.came: asyncio.Future[tuple[bytes, float]] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _: object) -> None:
        """It is here."""
        if not self.came.done():
            self.came.set_result((data, self.clock()))

    def error_received(self, error: Exception) -> None:
        """Nobody is there."""
        if not self.came.done():
            self.came.set_exception(error)


async def offset(lookups: Lookups, server: HostPort, clock: Callable[[], float] = time.time) -> tuple[float | None, str]:
    """How many seconds `clock` is ahead of `server`, whose usual port is 123; or why nobody can say."""
    address, trouble = await _address(lookups, server.host)
    if trouble:
        return None, trouble
    try:
        async with asyncio.timeout_at(min(lookups.until, asyncio.get_running_loop().time() + PROMPT)):
            return await _ask_time(address, server.port or 123, clock)
    except TimeoutError:
        return None, f"{server} did not answer in time"
    except OSError as error:
        return None, f"{server}: {reason(error)}"


async def _address(lookups: Lookups, host: str) -> tuple[str, str]:
    try:
        return str(ip_address(host)), ""
    except ValueError:
        found = (await lookups.addresses([host]))[host]
        return (found.records[0], "") if found.records else ("", found.trouble or f"{host} has no address")


async def _ask_time(address: str, port: int, clock: Callable[[], float]) -> tuple[float | None, str]:
    loop = asyncio.get_running_loop()
    transport, answer = await loop.create_datagram_endpoint(lambda: _Answer(clock), remote_addr=(address, port))
    try:
        sent = clock()
        transport.sendto(_ASK_TIME)
        data, came = await answer.came
    finally:
        transport.abort()
    if len(data) < 48 or data[0] & 7 != 4 or not 0 < data[1] < 16:  # not a server, or one that does not know the time itself
        return None, "what answers knows no time"
    received, replied = (seconds - EPOCH + part / 2**32 for seconds, part in struct.iter_unpack("!II", data[32:48]))
    return ((sent - received) + (came - replied)) / 2, ""
