"""The relays of the configuration: whether each lets us in and would take our mail, and for how long its certificate, and ours, are good.

Each is asked as ``mailer probe`` asks, with the login that mail has; no mail is sent. Used by `visit`.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING

from mailer.check.finding import FAIL, PASS, WARN, Finding
from mailer.mail.dates import rfc3339
from mailer.mail.problem import Problem
from mailer.metrics.certificates import ends
from mailer.operate.probe import config_for, probe, reactions_of, sender_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailer.client.probe import ProbeFinding
    from mailer.config import Config

PATIENCE = 10.0  # seconds for each step
AT_ONCE = 10  # relays that are asked side by side
SOON = 14 * 86400.0  # seconds before a certificate ends in which somebody should get another


async def logins(config: Config, now: float) -> list[Finding]:
    """What comes of a session with each relay, `AT_ONCE` at a time."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> list[Finding]:
        async with turns:
            return await login(config, name, now)

    return [finding for part in await asyncio.gather(*map(one, spoken_to(config))) for finding in part]


def spoken_to(config: Config) -> list[str]:
    """The names of the relays that can be asked: those that speak SMTP."""
    return [name for name, relay in config.relays.items() if relay.protocol == "smtp"]


async def login(config: Config, name: str, now: float) -> list[Finding]:
    """What comes of a session with a relay of the configuration."""
    relay = config.relays[name]
    only, sender = config_for(config, name, None), sender_for(config, name)
    try:
        probed = await probe(only, name, PATIENCE, sender)
    except Problem as problem:
        return [Finding("relay", name, FAIL, str(problem), f"mailer probe {name}; host of [relay.{name}], or the DNS")]
    found = probed.found
    trouble = probed.problem(only, reactions_of(only))
    if trouble is None:
        how = f", logged in as {relay.username}" if found.logged_in and relay.username else ""
        answer = Finding("relay", name, PASS, f"{relay.host}:{relay.port} takes our mail{how}, {found.hop.tls or 'without encryption'}")
    else:
        answer = Finding("relay", name, FAIL, *_parted(trouble, name, found))
    return [answer, *_certificates(name, found, now)]


def _parted(problem: Problem, name: str, found: ProbeFinding) -> tuple[str, str]:
    """What is wrong, and what mends it."""
    error = found.error
    if error is None:  # it refuses our sender
        text, _, settings = str(problem).partition(", which this mends: ")
        return text, settings or f"author of [relay.{name}] or from_address of [submission]; mailer probe {name} shows what it says"
    if found.ours:  # what the check of files says, too
        text, _, hint = error.text.partition("; ")
        return f"was not asked: {text}", hint or f"username and password of [relay.{name}]"
    text = f"{found.endpoint.host}:{found.endpoint.port}: {error.text} ({error.phase})"
    if error.phase == "auth":
        return text, f"username and password of [relay.{name}], then: mailer probe {name}"
    if error.phase == "starttls":
        return text, f"mailer probe {name} --trust, or tls, ca_file, server_name of [relay.{name}]"
    return text, f"host, port and tls of [relay.{name}], or its operator; mailer probe {name} shows how far it comes"


def _certificates(name: str, found: ProbeFinding, now: float) -> Iterator[Finding]:
    for certificate in found.certificates[:1]:
        if certificate.not_after:
            whose = f"the one that relay {name} shows"
            yield until(whose, certificate.not_after, now, f"the operator of {found.endpoint.host} has to renew it")


def authorities(config: Config) -> list[Finding]:
    """Whether this machine knows authorities at all; without, no certificate of anybody is accepted."""
    if not config.relays or config.tls.ca_file:
        return []
    paths = ssl.get_default_verify_paths()
    known = [path for path in (paths.cafile, paths.capath) if path and _has_any(path)]
    if known:
        return [Finding("authorities", "of this machine", PASS, f"in {' and '.join(known)}")]
    text = "there are none, so that the certificate of no relay is accepted"
    return [
        Finding(
            "authorities", "of this machine", FAIL, text, "apt install ca-certificates (or whatever has them here), or ca_file of [tls]"
        )
    ]


def _has_any(path: str) -> bool:
    """Whether there is something in a file, or in a directory."""
    try:
        return bool(os.listdir(path)) if os.path.isdir(path) else os.path.getsize(path) > 0
    except OSError:
        return False


def own_certificates(config: Config, now: float) -> Iterator[Finding]:
    """How long the certificates are good that we show."""
    files = {name: relay.client_certificate for name, relay in config.relays.items() if relay.client_certificate}
    for name, _, end in ends({}, files):
        yield until(f"ours for relay {name}", end, now, f"renew {files[name]} (client_certificate of [relay.{name}])")


def until(whose: str, end: float, now: float, remedy: str) -> Finding:
    """Whether the certificate of `whose` is good at `now` and for a while; `end` and `now` in seconds since the epoch."""
    until = rfc3339(int(end))
    if end <= now:
        return Finding("certificate", whose, FAIL, f"ended at {until}", remedy)
    if end - now < SOON:
        return Finding("certificate", whose, WARN, f"ends at {until}, in {int((end - now) // 86400)} days", remedy)
    return Finding("certificate", whose, PASS, f"is good until {until}")
