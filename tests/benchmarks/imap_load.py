#!/usr/bin/env python3
"""Ten clients of IMAP at once, messages that are appended, many folders, and a large STORE: our door beside Dovecot, with the same mail.

    python tests/benchmarks/imap_load.py [--messages 2000] [--clients 10] [--commands 200] [--appended 100] [--folders 10000] [--rounds 3]

Both are asked over TCP on the loopback by the same client: our door is one process, Dovecot has one for each client, logged in. Counted is
the processor's time of all threads of all processes (schedstat of proc(5)), and the clock; they take turns. What ten clients do is what
programs of users do: they list the newest, read, flag, search, look for news, and put what was sent. Appended messages are synced one by
one, and twenty in one command by MULTIAPPEND. Last, all messages of a folder are flagged silently, while another client says NOOP over
and over: its longest wait is how long the door did nothing else.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.imap import SMALL, Asking, OurDoor, SocketDovecot, letter
from tests.benchmarks.measure import figure, message, ratio

AT_ONCE = 20  # messages of one MULTIAPPEND
SIZE = 7168  # octets of a message that is appended


class Side(NamedTuple):
    """One of the two: clients who have opened the folder, and the seconds that its processes have worked."""

    clients: Sequence[Asking]
    processor: Callable[[], float]


class LoadCost(NamedTuple):
    """Of one thing of many that were done: milliseconds of the processor, and on the clock."""

    cpu: float
    wall: float


def cost(side: Side, act: Callable[[], object], times: int) -> LoadCost:
    """What it costs to do that, one of so many."""
    cpu, wall = side.processor(), time.perf_counter()
    act()
    return LoadCost(1e3 * (side.processor() - cpu) / times, 1e3 * (time.perf_counter() - wall) / times)


@contextmanager
def ours(home: Path, given: argparse.Namespace) -> Iterator[Side]:
    """Our door."""
    with closing(OurDoor(home, given.messages, SMALL, False, given.folders)) as door:
        clients = [door.client() for _ in range(given.clients)]
        for each in clients:
            each.ask(b"SELECT INBOX")
        yield Side(clients, clients[0].processor)
        for each in clients:
            each.close()


@contextmanager
def dovecot(home: Path, given: argparse.Namespace) -> Iterator[Side]:
    """Dovecot's processes, one a client."""
    home.mkdir()
    for number in range(given.folders):
        for name in ("cur", "new", "tmp"):
            (home / f"Maildir/.f{number}/{name}").mkdir(parents=True)
    mail = [letter(number, SMALL) for number in range(given.messages)]
    with ExitStack() as stack:
        programs = [stack.enter_context(SocketDovecot(home, mail if not nth else ())) for nth in range(given.clients)]
        clients = [Asking(each.connection, each.program.pid) for each in programs]
        for each in clients:
            each.greeted()
            each.ask(b"SELECT INBOX")
        yield Side(clients, lambda: sum(each.processor() for each in clients))


def mix(client: Asking, seed: int, commands: int, messages: int) -> None:
    """What one client does."""
    chance = random.Random(seed)
    for _ in range(commands):
        at = chance.randrange(1, messages - 20)
        doing = chance.randrange(20)
        if doing < 5:
            client.ask(b"UID FETCH %d:%d (UID FLAGS ENVELOPE RFC822.SIZE)" % (at, at + 20))
        elif doing < 9:
            client.ask(b"UID FETCH %d (UID BODY.PEEK[])" % at)
        elif doing < 12:
            client.ask(b"UID STORE %d %bFLAGS (\\Seen)" % (at, chance.choice((b"+", b"-"))))
        elif doing < 14:
            client.ask(b"UID SEARCH UNSEEN")
        elif doing < 15:
            client.ask(b"UID SEARCH SUBJECT liquor")
        elif doing < 17:
            client.ask(b"STATUS f1 (MESSAGES UNSEEN)")
        elif doing < 18:
            client.append([message(1024)], b"f1")
        else:
            client.ask(b"NOOP")


def together(side: Side, given: argparse.Namespace) -> None:
    """All clients at once."""
    threads = [threading.Thread(target=mix, args=(each, nth, given.commands, given.messages)) for nth, each in enumerate(side.clients)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def one_by_one(side: Side, many: int) -> None:
    """Messages are appended, each by a command."""
    for _ in range(many):
        side.clients[0].append([message(SIZE)], b"f2")


def at_once(side: Side, many: int) -> None:
    """Messages are appended, twenty by a command."""
    for _ in range(many // AT_ONCE):
        side.clients[0].append([message(SIZE) for _ in range(AT_ONCE)], b"f3")


def waits_beside(side: Side) -> float:
    """Milliseconds that one client waits at most for NOOP, while another flags all messages and takes the flags away."""
    longest, ended = 0.0, threading.Event()

    def store() -> None:
        side.clients[1].ask(rb"STORE 1:* +FLAGS.SILENT (\Flagged)")
        side.clients[1].ask(rb"STORE 1:* -FLAGS.SILENT (\Flagged)")
        ended.set()

    storing = threading.Thread(target=store)
    storing.start()
    while not ended.is_set():
        since = time.perf_counter()
        side.clients[0].ask(b"NOOP")
        longest = max(longest, time.perf_counter() - since)
    storing.join()
    return longest * 1e3


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000, help="messages in the folder (default %(default)s)")
    parser.add_argument("--clients", type=int, default=10, help="clients at once (default %(default)s)")
    parser.add_argument("--commands", type=int, default=200, help="commands of each (default %(default)s)")
    parser.add_argument("--appended", type=int, default=100, help="messages appended in a round (default %(default)s)")
    parser.add_argument("--folders", type=int, default=10_000, help="folders besides the inbox (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default %(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        Path(place).chmod(0o755)
        sides = {
            "ours": stack.enter_context(ours(Path(place, "ours"), given)),
            "dovecot": stack.enter_context(dovecot(Path(place, "dovecot"), given)),
        }
        cases: dict[str, tuple[Callable[[Side], object], int]] = {
            f"LIST of {given.folders}": (lambda side: side.clients[0].ask(b'LIST "" "*"'), 1),
            f"{given.clients} clients": (lambda side: together(side, given), given.clients * given.commands),
            "APPEND": (lambda side: one_by_one(side, given.appended), given.appended),
            f"APPEND of {AT_ONCE}": (lambda side: at_once(side, given.appended), given.appended),
        }
        measured(sides, cases, given.rounds)
        for who, side in sides.items():
            figure(f"longest NOOP beside STORE of {given.messages}, {who}", [waits_beside(side) for _ in range(given.rounds)], "ms", 1)


def measured(sides: dict[str, Side], cases: dict[str, tuple[Callable[[Side], object], int]], rounds: int) -> None:
    """Have each case done by both in turns, once before it counts, and print."""
    for name, (act, times) in cases.items():
        found: dict[str, list[LoadCost]] = {who: [] for who in sides}
        for nth, (who, side) in itertools.product(range(rounds + 1), sides.items()):
            done = cost(side, lambda side=side, act=act: act(side), times)  # type: ignore[misc]
            if nth:
                found[who].append(done)
        cpu = {who: figure(f"{name}, {who}, processor", [each.cpu for each in costs], "ms", 3) for who, costs in found.items()}
        rate = {who: figure(f"{name}, {who}", [1e3 / each.wall for each in costs], "a second", 0) for who, costs in found.items()}
        ratio(f"{name}, processor, ours / dovecot", cpu["ours"], cpu["dovecot"])
        ratio(f"{name}, a second, ours / dovecot", rate["ours"], rate["dovecot"])


if __name__ == "__main__":
    main()
