#!/usr/bin/env python3
"""What handing mail in by HTTP costs: `mailer web` against bare `submit` in 16 threads, and against `mailer send --batch`.

    python tests/benchmarks/api.py [--messages 2000] [--size 2048] [--rounds 3] [--batch 1000] [--without-ids]

One by one: a process of its own has 16 connections, and posts a message on each as soon as the one before is answered; every message is
durable by then. The floor is the same mail, composed before: 16 threads of one process call `submit`. Each message has a request id on
both sides, unless --without-ids says otherwise.

Many at once: the same messages by one POST /send_emails after the other, and as one file by `mailer send --batch --json`, whose start is
part of its time. All take turns; the ratios are those of the medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.compose import Composition
from mailer.config import load
from mailer.operate.api_keys import KeyTerms, add, keys_of
from mailer.submit import Submission, submit
from tests.benchmarks.measure import figure, program, ratio
from tests.fakes.processes import Program, Usage, free_port

FLOOR, ONE, MANY, FILE = "submit in 16 threads", "POST /send_email", "POST /send_emails", "mailer send --batch"
AT_A_TIME = 16
SLOWEST = 50.0  # milliseconds, for the 99th percentile on a machine with nothing else to do


def main() -> None:
    """Measure and print."""
    given = arguments()
    rates: dict[str, list[float]] = {}
    slowest: list[float] = []
    costs: list[float] = []
    for _ in range(given.rounds):
        for name, measured in ((FLOOR, floor), (FILE, by_file)):
            with tempfile.TemporaryDirectory(prefix="mailer-bench-") as place:
                rates.setdefault(name, []).append(given.messages / measured(Path(place), given))
        with tempfile.TemporaryDirectory(prefix="mailer-bench-") as place, Door(Path(place)) as door:
            begin, cpu = time.perf_counter(), Usage(door.program.pid).cpu
            waits = client(door, "one", given)
            rates.setdefault(ONE, []).append(given.messages / (waits.pop() or time.perf_counter() - begin))
            costs.append((Usage(door.program.pid).cpu - cpu) / given.messages * 1000)
            slowest.append(sorted(waits)[int(len(waits) * 0.99)] * 1000)
            assert door.queued == given.messages
        with tempfile.TemporaryDirectory(prefix="mailer-bench-") as place, Door(Path(place)) as door:
            rates.setdefault(MANY, []).append(given.messages / client(door, "many", given).pop())
            assert door.queued == given.messages
    middle = {name: figure(name, values, "/s") for name, values in rates.items()}
    figure(f"{ONE}, processor", costs, "ms/message", 2)
    figure(f"{ONE}, 99th percentile", slowest, "ms", must_be_at_most=f"{SLOWEST:g} ms on a machine with nothing else to do")
    ratio(f"{ONE} / {FLOOR}", middle[ONE], middle[FLOOR], "must be at least 0.7")
    ratio(f"{MANY} / {FILE}", middle[MANY], middle[FILE], "must be at least 0.8")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000, help="messages of a round (default %(default)s)")
    parser.add_argument("--size", type=int, default=2048, help="characters of the text of one (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default %(default)s)")
    parser.add_argument("--batch", type=int, default=1000, help="messages of one POST /send_emails (default %(default)s)")
    parser.add_argument("--without-ids", action="store_true", help="messages have no request id")
    parser.add_argument("--client", nargs=3, metavar=("WHAT", "PORT", "KEY"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        what, port, key = given.client
        act = asyncio.run((one_by_one if what == "one" else many_at_once)(int(port), key, given))
        print(json.dumps(act))
        sys.exit()
    return given


def payload(number: int, given: argparse.Namespace) -> dict[str, object]:
    """A message of so many characters, in lines."""
    made = {
        "from_address": "shop@bench.example",
        "to_addresses": ["anna@sink.example"],
        "subject": f"Message {number}",
        "body_plain": ("x" * 70 + "\n") * (given.size // 71),
    }
    return made if given.without_ids else {**made, "request_id": f"r-{number}"}


def floor(place: Path, given: argparse.Namespace) -> float:
    """The seconds that the threads take."""
    settings = load(str(configured(place, 1))).submitting
    emails = [Composition.from_payload(payload(number, given)) for number in range(given.messages)]
    asked = [Submission(one.encode(), from_header=True, request_id=one.request_id) for one in emails]
    begin = time.perf_counter()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for _ in pool.map(lambda each: submit(each, settings, time.time()), asked):
            pass
    return time.perf_counter() - begin


def by_file(place: Path, given: argparse.Namespace) -> float:
    """The seconds that the command takes, for as many messages as a post has, one after the other."""
    config = configured(place, 1)
    seconds = 0.0
    for start in range(0, given.messages, given.batch):
        numbers = range(start, min(start + given.batch, given.messages))
        lines = "".join(json.dumps(payload(number, given)) + "\n" for number in numbers)
        begin = time.perf_counter()
        argv = [*program(), "send", "--batch", "--json", "--config", str(config)]
        done = subprocess.run(argv, input=lines.encode(), capture_output=True, check=True)
        seconds += time.perf_counter() - begin
        assert len(done.stdout.splitlines()) == len(numbers)
    return seconds


class Door:
    """`mailer web` below `place`, with a key."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.port = free_port()
        config = configured(place, self.port)
        keys = keys_of(load(str(config)))
        self.key = asyncio.run(add(keys, "bench", KeyTerms(), time.time())).key
        self.program = Program([*program(), "web", "--config", config], place / "log")

    def __enter__(self) -> Self:
        self.program.accepts(self.port)
        return self

    def __exit__(self, *_: object) -> None:
        self.program.stop()

    @property
    def queued(self) -> int:
        """The messages in the spool."""
        return sum(1 for _ in (self.place / "spool/queued").iterdir())


def configured(place: Path, port: int) -> Path:
    """A configuration with a door there."""
    text = f'[mailer]\nhostname = "m.example.com"\nspool = "{place}/spool"\n[log]\nlevel = "warning"\n'
    (place / "config.toml").write_text(f'{text}[[listen]]\nkind = "web"\naddress = "127.0.0.1:{port}"\n')
    return place / "config.toml"


def client(door: Door, what: str, given: argparse.Namespace) -> list[float]:
    """How long each answer took, and at last all of them, in seconds, as a process of its own has measured."""
    more = [f"--{name}={getattr(given, name)}" for name in ("messages", "size", "batch")] + ["--without-ids"] * given.without_ids
    argv = [sys.executable, __file__, "--client", what, str(door.port), door.key, *more]
    found: list[float] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return found


async def one_by_one(port: int, key: str, given: argparse.Namespace) -> list[float]:
    """Post the messages on so many connections."""
    requests = iter([request(key, "/send_email", payload(number, given)) for number in range(given.messages)])
    waits: list[float] = []
    begin = time.perf_counter()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        waits.extend([await answered(reader, writer, each) for each in requests])
        writer.close()

    await asyncio.gather(*(connection() for _ in range(AT_A_TIME)))
    return [*waits, time.perf_counter() - begin]


async def many_at_once(port: int, key: str, given: argparse.Namespace) -> list[float]:
    """Post them on one connection, as many as a batch has at a time."""
    numbers = range(given.messages)
    batches = [numbers[at : at + given.batch] for at in range(0, given.messages, given.batch)]
    requests = [request(key, "/send_emails", [payload(number, given) for number in batch]) for batch in batches]
    begin = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waits = [await answered(reader, writer, each) for each in requests]
    writer.close()
    return [*waits, time.perf_counter() - begin]


def request(key: str, path: str, document: object) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps(document).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> float:
    """The seconds until the answer is there. Raises `RuntimeError` where it is no 202."""
    begin = time.perf_counter()
    writer.write(data)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    body = await reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
    if " 202 " not in head.partition("\n")[0]:
        raise RuntimeError(body.decode())
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
