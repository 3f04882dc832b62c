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
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
LENGTH = re.compile(rb"content-length: ([0-9]+)", re.IGNORECASE)
SLOWEST = 50.0  # milliseconds, for the 99th percentile on a machine with nothing else to do


def main() -> None:
    """Measure and print."""
    given = arguments()
    rates: dict[str, list[float]] = {}
    slowest: list[float] = []
    bare: list[float] = []
    costs: list[float] = []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory(prefix="mailer-bench-") as place:
            seconds, cpu = floor(Path(place), given)
            rates.setdefault(FLOOR, []).append(given.messages / seconds)
            bare.append(cpu / given.messages * 1000)
        with tempfile.TemporaryDirectory(prefix="mailer-bench-") as place:
            rates.setdefault(FILE, []).append(given.messages / by_file(Path(place), given))
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
    figure(f"{FLOOR}, processor", bare, "ms/message", 2)
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
        print(json.dumps((one_by_one if what == "one" else many_at_once)(int(port), key, given)))
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


def floor(place: Path, given: argparse.Namespace) -> tuple[float, float]:
    """The seconds that the threads take, on the clock and of the processor."""
    settings = load(str(configured(place, 1))).submitting
    emails = [Composition.from_payload(payload(number, given)) for number in range(given.messages)]
    asked = [Submission(one.encode(), from_header=True, request_id=one.request_id) for one in emails]
    begin, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for _ in pool.map(lambda each: submit(each, settings, time.time()), asked):
            pass
    return time.perf_counter() - begin, time.process_time() - cpu


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


def one_by_one(port: int, key: str, given: argparse.Namespace) -> list[float]:
    """Post the messages on so many connections; with plain sockets, so that this process takes little from the one that is measured."""
    requests = iter([request(key, "/send_email", payload(number, given)) for number in range(given.messages)])
    waits: list[float] = []
    sent: dict[socket.socket, float] = {}
    with selectors.DefaultSelector() as ready:
        for _ in range(AT_A_TIME):
            each = socket.create_connection(("127.0.0.1", port))
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(each, selectors.EVENT_READ)
        begin = time.perf_counter()
        for found in [*ready.get_map().values()]:
            go_on(ready, found.fileobj, requests, sent)
        while ready.get_map():
            for found, _ in ready.select():
                each = found.fileobj
                taken(each)
                waits.append(time.perf_counter() - sent[each])
                go_on(ready, each, requests, sent)
        return [*waits, time.perf_counter() - begin]


def go_on(ready: selectors.BaseSelector, each: socket.socket, requests: Iterator[bytes], sent: dict[socket.socket, float]) -> None:
    """Post the next message on a connection, or close it."""
    data = next(requests, None)
    if data is None:
        ready.unregister(each)
        each.close()
    else:
        sent[each] = time.perf_counter()
        each.sendall(data)


def taken(each: socket.socket) -> bytes:
    """The body of the answer that comes on a connection. Raises `RuntimeError` where it is no 202."""
    data = b""
    while True:
        part = each.recv(1 << 20)
        data += part
        head, end, body = data.partition(b"\r\n\r\n")
        if end and len(body) == int(LENGTH.search(head)[1]):  # type: ignore[index]
            break
        if not part:
            raise RuntimeError("the connection ended")
    if not head.startswith(b"HTTP/1.1 202 "):
        raise RuntimeError(body.decode())
    return body


def many_at_once(port: int, key: str, given: argparse.Namespace) -> list[float]:
    """Post them on one connection, as many as a batch has at a time."""
    numbers = range(given.messages)
    batches = [numbers[at : at + given.batch] for at in range(0, given.messages, given.batch)]
    requests = [request(key, "/send_emails", [payload(number, given) for number in batch]) for batch in batches]
    waits: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as each:
        begin = time.perf_counter()
        for data in requests:
            start = time.perf_counter()
            each.sendall(data)
            taken(each)
            waits.append(time.perf_counter() - start)
        return [*waits, time.perf_counter() - begin]


def request(key: str, path: str, document: object) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps(document).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    main()
