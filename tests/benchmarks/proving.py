#!/usr/bin/env python3
"""What it costs to judge what a message proves of its sender, by the clock of the processor, all answers of the DNS being remembered.

    python tests/benchmarks/proving.py [--seconds 2] [--rounds 3]

A message that a host of its domain brings, signed with RSA of 2048 bits, goes through SPF, DKIM, ARC and DMARC; one without a signature
does, too; and beside them dkimpy verifies the one signature and does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import dkim

from mailer.auth.records import DnsRecords
from mailer.dkim.sign import Seal, sign
from mailer.filtering.proof import prove
from mailer.mail.arrival import Arrival
from tests.auth.answers import World
from tests.benchmarks.measure import SENDER, figure, message, ratio
from tests.dkim.keys import NOW, key
from tests.filtering.letters import RECORDS, SETTINGS, THEIRS, At

SIZES = (1024, 10_240, 102_400)
YEARS = 1e9  # seconds that a signature holds, for one who looks at the clock of the machine
ARRIVAL = Arrival("mx", THEIRS, "mail.legit.test", name="mail.legit.test")


class Remembered(World):
    """A DNS that nobody has to be asked about."""

    def remembered(self, name: str, type: str) -> DnsRecords | None:
        """As a resolver that has looked it up before."""
        return DnsRecords(name, tuple(self.known.get((name, type), ())))


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of judging in a round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each, in turns (default %(default)s)")
    given = parser.parse_args()
    for size in SIZES:
        asyncio.run(measured(size, given.seconds, given.rounds))


async def measured(size: int, seconds: float, rounds: int) -> None:
    """The figures of one size."""
    world, plain = Remembered(RECORDS), message(size).replace(SENDER.encode(), b"ann@legit.test")
    content = sign(plain, [Seal("legit.test", "s1", key(), YEARS)], NOW)

    async def judge(what: bytes) -> None:
        proof = await prove(what, ARRIVAL, "ann@legit.test", world, At(), SETTINGS)
        assert proof.dmarc == "pass"

    async def verify() -> None:
        assert dkim.verify(content, dnsfunc=lambda *_, **__: key().record.encode())

    contenders: dict[str, Callable[[], Awaitable[None]]] = {
        "all, signed": lambda: judge(content),
        "all, not signed": lambda: judge(plain),
        "dkimpy, the signature alone": verify,
    }
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            found[name].append(await cost(contender, seconds))
    medians = {name: figure(f"prove {size} bytes, {name}", costs, "ms of CPU", 3) for name, costs in found.items()}
    bound = "must be at most 1" if size <= 10_240 else ""
    ratio(f"prove {size} bytes, all / dkimpy alone", medians["all, signed"], medians["dkimpy, the signature alone"], bound)


async def cost(contender: Callable[[], Awaitable[None]], seconds: float) -> float:
    """Milliseconds of the processor that one takes."""
    begin = time.process_time()
    count = 0
    while (spent := time.process_time() - begin) < seconds:
        await contender()
        count += 1
    return spent / count * 1000


if __name__ == "__main__":
    main()
