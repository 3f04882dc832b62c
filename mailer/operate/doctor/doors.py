"""The doors that speak HTTP: whether somebody could use them, whether each answers, how long its certificate is good. Used by `visit`."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.discovery.services import are_told
from mailer.mail.problem import Problem
from mailer.metrics.certificates import ends
from mailer.net.os_error import reason_of
from mailer.operate.api_keys import keys_of, place_of

from .relays import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from mailer.config import Config
    from mailer.config.sections.doors import DoorPlace, Listen

    from .serving import Running

PATIENCE = 5.0  # seconds for one door
LONGEST = 4096  # octets of an answer that are read
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- what it is called from here
START = "mailer run starts it; or mailer web, whose one line on standard error says why not"


async def doors(config: Config, now: Running) -> list[Finding]:
    """Whether each door is one; where no daemon runs, one that does not answer is no surprise."""
    if not config.web_doors:
        return []
    asked = [(section, place) for section in config.web_doors for place in section.address]
    return [*await _keys(config), *await asyncio.gather(*(_door(section, place, now) for section, place in asked))]


async def _keys(config: Config) -> list[Finding]:
    try:
        many = len(await keys_of(config).all())
    except Problem as problem:
        return [Finding("keys", place_of(config), FAIL, str(problem), "mailer api key list")]
    if not many and are_told(config):
        return [
            Finding(
                "keys", place_of(config), PASS, "has no API key: mail programs ask for their settings without one, and nobody else asks"
            )
        ]
    if not many:
        text = "there is no API key, and mailer web listens nowhere before there is one"
        return [Finding("keys", place_of(config), FAIL, text, "mailer api key add NAME --scope send,status")]
    return [Finding("keys", place_of(config), PASS, f"has {many} API key{'s'[: many != 1]}")]


async def _door(section: Listen, place: DoorPlace, now: Running) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            said = await _asked(section, place)
    except (OSError, ssl.SSLError) as error:  # with TimeoutError
        why = reason_of(error) or "no answer in time"
        return Finding("door", str(place), FAIL if now.running else WARN, f"does not answer: {why}", START)
    if b'{"status":"ready"}' in said:
        return Finding("door", str(place), PASS, f"takes mail by HTTP{'S' if section.tls != 'none' else ''}")
    _, _, body = said.partition(b"\r\n\r\n")
    words = body.decode("utf-8", "replace") or "nothing"
    return Finding("door", str(place), FAIL, f"answers that it takes no mail: {words[:200]}", "mailer web, and what the other checks say")


async def _asked(section: Listen, place: DoorPlace) -> bytes:
    """What a door says when it is asked whether it is ready. The certificate is looked at elsewhere, so it is not checked here."""
    async with called(place, tls=section.tls != "none") as (reader, writer):
        writer.write(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = b""
        while len(said) < LONGEST and (part := await reader.read(LONGEST)):
            said += part
        return said


@contextlib.asynccontextmanager
async def called(place: DoorPlace, *, tls: bool) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a door of this machine, whose certificate is not checked. Raises `OSError`."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if place.path:
        reader, writer = await asyncio.open_unix_connection(place.path, ssl=context, server_hostname="" if context else None)
    else:
        reader, writer = await asyncio.open_connection(EVERYWHERE.get(place.host, place.host), place.port, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()  # TLS would wait for the other side's farewell


def certificates(config: Config, now: float) -> Iterator[Finding]:
    """How long the certificates are good that doors show."""
    files = {str(section.address[0]): section.certificate_file for section in config.listens if section.certificate_file}
    for place, _, end in ends({}, files):
        yield until(f"that of the door at {place}", end, now, f"renew {files[place]} (certificate_file of [[listen]]), then: mailer reload")
