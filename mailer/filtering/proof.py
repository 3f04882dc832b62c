"""What a message proves of its sender: the DNS is asked what it needs to be, and what follows from it is decided.

Used by `panel` and by ``mailer filter test``. The rules are those of `mailer.auth` and `mailer.dkim`; all that is asked is asked at once,
and ends within `PATIENCE`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mailer.auth import results, spf
from mailer.auth.results import MethodResult
from mailer.dkim.verify import claims
from mailer.mail.message import Message, is_clean, normalise
from mailer.net.aside import LARGE, aside
from mailer.net.records import answered

from .api import FilterStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.auth.spf import Evaluation
    from mailer.dkim.verify import SignatureClaim
    from mailer.io.clock import Clock
    from mailer.mail.arrival import Arrival
    from mailer.net.dns import Resolver
    from mailer.smtp.reply import Reply

    from .api import Verdict

PATIENCE = 10.0  # seconds for all questions to the DNS together; what is not answered by then is as if no name server could say


@dataclass(frozen=True, slots=True)
class ProofSettings:
    """What a proof is judged by: whose host it is, and how strictly.

    `host` is the name under which we write Authentication-Results. `own` are our domains, in A-labels. `obey` says whether p=reject of a
    domain refuses, `guard` whether mail from outside that names one of our own domains as its author needs proof whatever our record says.
    `trusted` are the domains whose seals (ARC) are believed.
    """

    host: str
    own: frozenset[str] = frozenset()
    obey: bool = True
    guard: bool = True
    trusted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found, and what follows.

    `verdict` is accept, mark, refuse or tempfail, and `reply` what the client hears for the last two. `field` is Authentication-Results
    with its line end. `proven`: SPF or DMARC proved the reverse-path. `domain` is the author's, where DMARC passed, else empty. `spf` and
    `dkim` are words of RFC 8601; of several signatures it is the best.
    """

    steps: Sequence[FilterStep]
    verdict: Verdict
    reply: Reply | None
    field: bytes
    proven: bool
    domain: str
    spf: str
    dkim: str


async def prove(content: bytes, arrival: Arrival, sender: str, resolver: Resolver, clock: Clock, settings: ProofSettings) -> Proof:
    """What `content`, which came so and from `sender`, proves: octets as the client sent them, with whatever line ends they have.

    Nothing of the DNS raises.
    """
    judged = content if is_clean(Message.head(content).header) else normalise(content)
    found, signatures = await asyncio.gather(
        answered(spf.evaluate(arrival.ip, sender, arrival.hello), resolver.records), _signatures(judged, resolver, clock.now())
    )
    said = [_iprev(arrival), _spf(found, sender), *map(_dkim, signatures)]
    words = [claim.result.word for claim in signatures if claim.result]
    steps = [FilterStep(one.method, one.word, one.reason) for one in said]
    best = next((word for word in ("pass", "temperror", "fail") if word in words), words[0] if words else "none")
    return Proof(steps, "accept", None, results.write(settings.host, said), found.result == "pass", "", found.result, best)


async def _signatures(content: bytes, resolver: Resolver, now: float) -> list[SignatureClaim]:
    """The signatures, each with its result."""
    found = list(claims(content, now))
    open = [claim for claim in found if claim.result is None]
    answers = await asyncio.gather(*(resolver.records(claim.name, "TXT") for claim in open))
    for claim, answer in zip(open, answers, strict=True):
        if answer.trouble:
            claim.trouble(answer.trouble)
        elif len(content) > LARGE:
            await aside(partial(claim.check, answer.records))
        else:
            claim.check(answer.records)
    return found


def _iprev(arrival: Arrival) -> MethodResult:
    """RFC 8601 §2.7.3: recorded, and no reason for anything."""
    return MethodResult("iprev", "pass" if arrival.name else "fail", "", (("policy.iprev", arrival.ip),))


def _spf(found: Evaluation, sender: str) -> MethodResult:
    about = ("smtp.mailfrom", sender) if found.identity == "mailfrom" else ("smtp.helo", found.domain)
    return MethodResult("spf", found.result, found.why, (about,))


def _dkim(claim: SignatureClaim) -> MethodResult:
    assert claim.result is not None
    return MethodResult("dkim", *claim.result, (("header.d", claim.domain), ("header.s", claim.selector), ("header.a", claim.algorithm)))
