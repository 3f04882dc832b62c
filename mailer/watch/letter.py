"""The mail about alarms: one for all that began or ended together, taken to a host at once.

It does not wait in the queue, for the queue may be what the alarm is about, and is not written to the disk, which may be full. It has the
null sender and says that nobody wrote it (RFC 3834 §5), so that no answer comes and no report is written about it.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailer.mail.address_list import boxes
from mailer.net.dns import Resolver
from mailer.queue.component import pool_of, signer_of
from mailer.routing.resolve import Finder
from mailer.submit import Submission, prepare
from mailer.transport.courier import Load, SmtpCourier
from mailer.transport.route import Unroutable
from mailer.transport.verdict import Unsigned

from .notice import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config import Config
    from mailer.io.clock import SteadyClock
    from mailer.submit import Prepared
    from mailer.transport.route import Route

PATIENCE = 120.0  # seconds for one mail
WORST = 100  # characters of a subject


@dataclass(slots=True)
class _Parcel:
    route: Route
    recipients: Sequence[int]


def written(notices: Sequence[Notice], config: Config, now: float) -> Prepared:
    """The mail that says `notices`, to those of ``alarm.mail``. Raises `Problem`."""
    first = notices[0]
    more = f" and {len(notices) - 1} more" if len(notices) > 1 else ""
    subject = f"[{config.hostname}] {first.title}{more}"[:WORST]
    head = [
        f"From: Mail system of {config.hostname} <{config.postmaster}>",
        f"To: {', '.join(config.alarm.mail)}",
        f"Subject: {''.join(letter if letter.isascii() and letter.isprintable() else '?' for letter in subject)}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
    ]
    body = [line for notice in notices for line in (*notice.lines, "")]
    body += ["-- ", f"mailer on {config.hostname}, spool {config.spool}; what is open now: mailer status"]
    text = "\r\n".join([*head, *body, ""])
    recipients = [address for each in config.alarm.mail for address, *_ in boxes(each)]
    return prepare(Submission(text.encode(), sender="", recipients=recipients), config.submitting, now)


async def deliver(letter: Prepared, config: Config, clock: SteadyClock) -> str:
    """Take `letter` to its recipients; returns why somebody did not get it, empty if all did."""
    pool = pool_of(config)
    courier = SmtpCourier(pool, clock)
    try:
        async with asyncio.timeout(PATIENCE):
            return await _deliver(letter, config, courier)
    except TimeoutError:
        return f"nobody has taken it within {PATIENCE:.0f} s"
    except Unroutable as trouble:
        return trouble.text
    finally:
        await courier.close()


async def _deliver(letter: Prepared, config: Config, courier: SmtpCourier) -> str:
    finder = _finder(config)
    envelope, content = letter.envelope, _signed(letter.content, config, courier.clock.now())
    by_domain: dict[str, list[int]] = {}
    for number, recipient in enumerate(envelope.recipients):
        by_domain.setdefault(recipient.address.rpartition("@")[2].lower(), []).append(number)
    failed = []
    for domain, numbers in by_domain.items():
        route = await finder.find(domain)
        session = courier.session()
        outcomes = await session.deliver(Load(_Parcel(route, numbers), envelope, content), lambda: None)
        session.end()
        failed += [f"{envelope.recipients[each.to].address}: {each.told}" for each in outcomes if each.verdict != "delivered"]
    return "; ".join(failed)


def _signed(content: bytes, config: Config, now: float) -> bytes:
    """With the signature that other mail has, or without one: what cannot be signed is an alarm of its own, and told all the same."""
    signer = signer_of(config, lambda _: None, now)
    if signer is None:
        return content
    try:
        return signer.sign(content, now)
    except Unsigned:
        return content
    finally:
        signer.close()


def _finder(config: Config) -> Finder:
    """Where mail goes, or where that about alarms does."""
    from mailer.config.kinds import EVERYTHING
    from mailer.config.sections.relay import RouteRule

    dns = config.dns
    if config.alarm.via:
        config = config.but(routes=(RouteRule(match=EVERYTHING, via=config.alarm.via),))
    return Finder(config, Resolver(dns.nameservers, dns.timeout, dns.lifetime, family=config.delivery.family), random.shuffle)
