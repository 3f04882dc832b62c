#!/usr/bin/env python3
"""How long mail takes from a user of ours to another: from the first octet to the submission door until it is in the Maildir.

    python tests/benchmarks/internal.py [-n 50] [--size 1024] [--sessions 20] [--each 25]

A daemon has a door of kind submission with TLS from the first octet, and a domain whose mailboxes are Maildirs. At rest a client hands in
one message and waits until it has arrived before it brings the next. Under load so many clients hand in at the same time, each one message
after the other without a pause: once with a session and a login for each message, as mail programs do, and once in sessions that go on.
The clock of a message starts when its client begins to call, or, in a session that goes on, to say MAIL; it stops when the kernel tells of
its name in ``new/`` (inotify(7)). The clients are threads of one process on the same machine, and what they cost is in it. The
password is hashed for the first login only, for a daemon knows for ten minutes what was right. The figures say what the longest may be.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import smtplib
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import trustme

from tests.benchmarks.house import House
from tests.benchmarks.measure import RECIPIENT, SENDER, figure, message, program
from tests.fakes.processes import free_port, wait_until

MARK = b"X-Mark: "
CREATED, MOVED_TO, EVENT = 0x100, 0x80, struct.Struct("iIII")  # inotify(7)
REST, LOAD = 1, 10  # seconds that the longest may take
DOMAINS = "\n".join(
    f'[[domain]]\nname = "{address.partition("@")[2]}"\nvia = "maildir:{{home}}/mail/{{{{user}}}}"' for address in (SENDER, RECIPIENT)
)
CONFIGURATION = f"""
[accounts]
messages_per_day = 1000000
[receiving]
messages_per_session = 1000000
max_connections = 20000
connections_per_network = 20000
connections_per_neighbourhood = 20000
rate_per_network = "1000000/min"
rate_per_neighbourhood = "1000000/min"
[[listen]]
kind = "submission"
address = "127.0.0.1:{{port}}"
tls = "implicit"
certificate_file = "{{home}}/both.pem"
{DOMAINS}
"""


class Mailbox:
    """A Maildir, and when the kernel has told of each file in its ``new/``: by its path, by `time.perf_counter`."""

    def __init__(self, path: Path) -> None:
        for name in ("tmp", "new", "cur"):
            (path / name).mkdir(parents=True)
        self.path = path
        self.told: dict[Path, float] = {}
        libc = ctypes.CDLL(None, use_errno=True)
        self._watch = libc.inotify_init1(os.O_CLOEXEC)
        if self._watch < 0 or libc.inotify_add_watch(self._watch, os.fsencode(path / "new"), CREATED | MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "the mailbox cannot be watched")
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while events := os.read(self._watch, 65536):
            now = time.perf_counter()
            while events:
                length = EVENT.unpack_from(events)[3]
                name = events[EVENT.size : EVENT.size + length].rstrip(b"\0")
                self.told[self.path / "new" / os.fsdecode(name)] = now
                events = events[EVENT.size + length :]


class Post:
    """The door, and the mailbox behind it; `began` says of each message, by its mark, when its client did."""

    def __init__(self, home: Path, mailbox: Mailbox, port: int, password: str, size: int) -> None:
        self.mailbox = mailbox
        self.port = port
        self.password = password
        self.content = message(size)
        self.context = ssl.create_default_context(cafile=str(home / "ca.pem"))
        self.began: dict[str, float] = {}

    def bring(self, *marks: str) -> None:
        """These messages in one session, which begins with a login."""
        self.began[marks[0]] = time.perf_counter()
        with smtplib.SMTP_SSL("localhost", self.port, context=self.context, timeout=120) as client:
            client.login(SENDER, self.password)
            for mark in marks:
                self.began.setdefault(mark, time.perf_counter())
                client.sendmail(SENDER, [RECIPIENT], MARK + mark.encode() + b"\r\n" + self.content)

    def taken(self) -> dict[str, float]:
        """Wait until all have arrived; the seconds that each has taken, by its mark."""
        wait_until("the last one has arrived", lambda: len(self.mailbox.told) == len(self.began), 120, 0.002)
        arrived = {_mark(path.read_bytes()): when for path, when in self.mailbox.told.items()}
        return {mark: arrived[mark] - began for mark, began in self.began.items()}


def _mark(content: bytes) -> str:
    return content.partition(MARK)[2].partition(b"\n")[0].strip().decode()


def main() -> None:
    """Measure at rest, then under load, and print."""
    given = arguments()
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailer-bench-")))
        post = stack.enter_context(opened(home, given.size))
        for nth in range(given.count):
            post.bring(f"rest {nth}")
            post.taken()
        told(post, "one at a time", "rest", REST)
        for way, once in (("a login each", 1), ("sessions that go on", given.each)):
            load(post, way, given, once)
            told(post, f"{given.sessions} at a time, {way}", way, LOAD)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=50, help="messages at rest (default %(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a message (default %(default)s)")
    parser.add_argument("--sessions", type=int, default=20, help="clients at the same time (default %(default)s)")
    parser.add_argument("--each", type=int, default=25, help="messages of each of them (default %(default)s)")
    return parser.parse_args()


@contextlib.contextmanager
def opened(home: Path, size: int) -> Iterator[Post]:
    """The daemon, with the two users whom it knows."""
    authority, port = trustme.CA(), free_port()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(home / "both.pem"))
    authority.cert_pem.write_to_path(str(home / "ca.pem"))
    house = House(home, {"elsewhere": 1}, CONFIGURATION.format(home=home, port=port))
    words = [*program(), "user", "add", "--config", str(home / "config.toml")]
    password, _ = (subprocess.run([*words, who], check=True, capture_output=True, text=True).stdout.strip() for who in (SENDER, RECIPIENT))
    mailbox = Mailbox(home / "mail" / RECIPIENT.partition("@")[0])
    with house.running() as daemon:
        daemon.accepts(port)
        yield Post(home, mailbox, port, password, size)


def load(post: Post, way: str, given: argparse.Namespace, once: int) -> None:
    """Have so many clients bring their messages at the same time, each `once` so many in a session."""

    def client(number: int) -> None:
        marks = [f"{way} {number} {nth}" for nth in range(given.each)]
        for at in range(0, given.each, once):
            post.bring(*marks[at : at + once])

    with ThreadPoolExecutor(given.sessions) as clients:
        [*_] = clients.map(client, range(given.sessions))


def told(post: Post, label: str, marked: str, most: int) -> None:
    """Print what those have taken whose mark begins so, the longest beside what it may be."""
    times = sorted(1000 * seconds for mark, seconds in post.taken().items() if mark.startswith(marked))
    late = f"{times[len(times) * 95 // 100]:.0f}"
    figure(f"submission to Maildir, {label}", times, "ms", 0, **{"95th percentile": late}, the_longest_must_be_below=1000 * most)


if __name__ == "__main__":
    main()
