#!/usr/bin/env python3
"""What taking mail from a queue costs: `mailer amqp` against bare `submit` in 16 threads.

    python tests/benchmarks/amqp.py [--messages 2000] [--size 2048] [--rounds 3] [--prefetch 64]

RabbitMQ runs beside it, as in the tests. In each round its queue is filled, and `mailer amqp` is started; the time begins when it says
that it is ready, and ends when the last message is in the spool and acknowledged. The floor is the same mail, composed before, with the
same request ids: 16 threads of one process call `submit`, each message durable when it returns. Both run in turns; the ratio is that of
the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.compose import Composition
from mailer.config import load
from mailer.submit import Submission, submit
from tests.amqp.house import House, letter
from tests.benchmarks.measure import figure, ratio
from tests.fakes.processes import Usage
from tests.peers.postfix import scratch
from tests.peers.rabbitmq import RabbitMQ

FLOOR, OURS = "submit in 16 threads", "mailer amqp"
THREADS = 16


def main() -> None:
    """Measure and print."""
    given = arguments()
    rates: dict[str, list[float]] = {}
    costs: list[float] = []
    with scratch("rabbit") as home, RabbitMQ(home) as rabbit:
        for round in range(given.rounds):
            with tempfile.TemporaryDirectory(prefix="mailer-bench-") as place:
                rates.setdefault(FLOOR, []).append(given.messages / floor(Path(place), given))
            with tempfile.TemporaryDirectory(prefix="mailer-bench-") as place:
                seconds, cpu = ours(Path(place), rabbit, given, round)
                rates.setdefault(OURS, []).append(given.messages / seconds)
                costs.append(cpu / given.messages * 1000)
    middle = {name: figure(name, values, "/s") for name, values in rates.items()}
    figure(f"{OURS}, processor", costs, "ms/message")
    ratio(f"{OURS} / {FLOOR}", middle[OURS], middle[FLOOR], "must be at least 0.7")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000, help="messages of a round (default %(default)s)")
    parser.add_argument("--size", type=int, default=2048, help="characters of the text of one (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default %(default)s)")
    parser.add_argument("--prefetch", type=int, default=64, help="messages under way (default %(default)s)")
    return parser.parse_args()


def floor(place: Path, given: argparse.Namespace) -> float:
    """The seconds that the threads take."""
    config = place / "config.toml"
    config.write_text(f'[mailer]\nhostname = "m.example.com"\nspool = "{place}/spool"\n')
    settings = load(str(config)).submitting
    emails = [Composition.from_payload(payload(n, given.size)) for n in range(given.messages)]
    asked = [Submission(one.encode(), from_header=True, request_id=one.request_id) for one in emails]
    begin = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda each: submit(each, settings, time.time()), asked):
            pass
    return time.perf_counter() - begin


def payload(number: int, size: int) -> dict[str, object]:
    """A message of so many characters, in lines."""
    return letter(number, body_plain=("x" * 70 + "\n") * (size // 71))


def ours(place: Path, rabbit: RabbitMQ, given: argparse.Namespace, round: int) -> tuple[float, float]:
    """The seconds that the process takes, and those of its processor."""
    house = House(place, rabbit)
    house.configure(amqp=f"prefetch = {given.prefetch}")
    try:
        house.start().stop()  # declares
        asyncio.run(fill(house, given))
        program = house.start()
        begin, cpu = time.perf_counter(), Usage(program.pid).cpu
        house.has(given.messages, seconds=300)
        seconds, cpu = time.perf_counter() - begin, Usage(program.pid).cpu - cpu
        asyncio.run(house.settled())
    finally:
        house.close()
        asyncio.run(house.sweep())
    return seconds, cpu


async def fill(house: House, given: argparse.Namespace) -> None:
    """Publish all of them."""
    for begin in range(0, given.messages, 500):
        await house.publish(*(payload(n, given.size) for n in range(begin, min(begin + 500, given.messages))))


if __name__ == "__main__":
    main()
