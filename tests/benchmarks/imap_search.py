"""SEARCH, SORT and THREAD in a folder of 10,000 messages: our door beside Dovecot's, on the same mail in the same run.

    python -m tests.benchmarks.imap_search [-n 10000] [--rounds 5] [--large]

Both have a client who has logged in and opened the folder, ours over a socket of the loopback with a process of its own, Dovecot over a
pipe. Counted is the processor's time of all threads of that process, by the nanosecond (schedstat of proc(5)), best of `--rounds`; what the
first one took, with nothing read, stands in brackets. They take turns, and have to give the same answer. Messages are 2 KB of words by
chance, most of them in conversations; `--large` takes those of mailbox_search, which have 22 KB in the mean.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.mail.flags import PLAIN, Flag
from mailer.mailbox.api import NewMail
from tests.benchmarks import mailbox_search
from tests.imapd.house import SECRET, ImapHouse
from tests.peers.dovecot_imap import PROGRAM, DovecotImap

SINCE = 1_700_000_000
PORTION = 500


class AskedOfBoth(NamedTuple):
    """A command, and how many milliseconds of the processor or times Dovecot's it may cost."""

    command: str
    at_most: float | None = None
    ratio: float | None = None


ASKED = (
    AskedOfBoth("SEARCH UNSEEN", at_most=5),
    AskedOfBoth("SEARCH SUBJECT etao", at_most=5),
    AskedOfBoth("SEARCH 2:* SEEN"),
    AskedOfBoth("UID SEARCH RETURN (COUNT) ALL"),
    AskedOfBoth("SEARCH TEXT quixotically", at_most=300),
    AskedOfBoth("UID SORT (ARRIVAL) UTF-8 ALL", ratio=2),
    AskedOfBoth("UID SORT (REVERSE DATE) UTF-8 ALL", ratio=2),
    AskedOfBoth("UID SORT (SUBJECT) UTF-8 ALL", ratio=2),
    AskedOfBoth("UID SORT (FROM) UTF-8 ALL", ratio=2),
    AskedOfBoth("UID SORT (SIZE) UTF-8 ALL", ratio=2),
    AskedOfBoth("SORT (TO SUBJECT REVERSE DATE) UTF-8 UNSEEN", ratio=2),
    AskedOfBoth("UID THREAD REFERENCES UTF-8 ALL", ratio=2),
    AskedOfBoth("UID THREAD ORDEREDSUBJECT UTF-8 ALL", ratio=2),
)


def letters(many: int) -> Iterator[bytes]:
    """Messages by chance, the same each time: seven of ten answer another."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlubcfgmpwy", k=chance.randint(2, 10))) for _ in range(3000)]
    known: list[tuple[list[str], str]] = []
    for nth in range(many):
        if known and chance.random() < 0.7:
            ids, subject = chance.choice(known[-200:])
            ids, subject = ids[-10:], f"Re: {subject.removeprefix('Re: ')}"
        else:
            ids, subject = [], " ".join(chance.choices(words, k=5))
        own = f"<{nth}.{chance.random()}@example.org>"
        known.append(([*ids, own], subject))
        head = f"From: {chance.choice(words).title()} Person <p{nth % 300}@example.org>\r\nTo: Anna <anna@example.net>, t@example.org\r\n"
        head += f"Cc: c{nth % 50}@example.org\r\nSubject: {subject}\r\nMessage-ID: {own}\r\n"
        head += f"Date: {formatdate(SINCE + nth * 60 + chance.randint(-5000, 5000))}\r\n"
        head += "References: " + "\r\n ".join(ids) + "\r\n" if ids else ""
        yield f"{head}\r\n{' '.join(chance.choices(words, k=300))}\r\n".encode()


def mail(many: int, *, large: bool) -> Iterator[bytes]:
    """The messages that both have."""
    return mailbox_search.letters(many) if large else letters(many)


async def serve(home: Path, many: int, *, large: bool) -> None:
    """Be our door, up to the end of the standard input."""
    async with ImapHouse(home) as house:
        some: list[NewMail] = []
        with house.premises.ann() as box:
            for nth, content in enumerate(mail(many, large=large)):
                some.append(NewMail("INBOX", content, b"", Flag.SEEN if nth % 20 else PLAIN, (), float(SINCE + nth)))
                if len(some) == PORTION or nth == many - 1:
                    box.put(some)
                    some = []
        print(house.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


class OurDoor:
    """A process with our door, and a client of it."""

    def __init__(self, home: Path, many: int, *, large: bool) -> None:
        options = ["--serve", str(home), "-n", str(many), *(["--large"] if large else [])]
        argv = [sys.executable, "-m", "tests.benchmarks.imap_search", *options]
        self.program = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
        assert self.program.stdout is not None
        self._socket = socket.create_connection(("127.0.0.1", int(self.program.stdout.readline())))
        self._file = self._socket.makefile("rb")
        self._file.readline()
        self.ask(f"LOGIN ann@example.com {SECRET}".encode())

    def ask(self, command: bytes) -> list[bytes]:
        """The untagged answers to a command."""
        self._socket.sendall(b"t " + command + b"\r\n")
        lines = []
        while not (line := self._file.readline()).startswith(b"t "):
            lines.append(line.removesuffix(b"\r\n"))
        assert line.startswith(b"t OK"), line
        return lines

    def close(self) -> None:
        """End the process."""
        self._file.close()
        self._socket.close()
        self.program.communicate()


def spent(pid: int) -> float:
    """Milliseconds of the processor that the threads of a process have had."""
    return sum(int((each / "schedstat").read_text().split()[0]) for each in Path(f"/proc/{pid}/task").iterdir()) / 1e6


def cost(ask: Callable[[bytes], list[bytes]], pid: int, command: str) -> tuple[float, bytes]:
    """Milliseconds, and the answer without its tag."""
    began = spent(pid)
    line = ask(command.encode())[0]
    return spent(pid) - began, line.partition(b") ")[2] if line.startswith(b"* ESEARCH") else line.rstrip()


def measure(many: int, rounds: int, *, large: bool) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="mailer-imap-search-") as root:
        home = Path(root)
        home.chmod(0o755)
        (home / "dovecot").mkdir()
        ours = OurDoor(home / "ours", many, large=large)
        with DovecotImap(home / "dovecot", mail(many, large=large), seen=lambda nth: nth % 20 != 0) as theirs:
            for nth, path in enumerate(sorted((home / "dovecot/Maildir/cur").iterdir())):
                os.utime(path, (SINCE + nth, SINCE + nth))
            ours.ask(b"SELECT INBOX")
            theirs.ask(b"SELECT INBOX")
            for asked in ASKED:
                pairs = [
                    (cost(ours.ask, ours.program.pid, asked.command), cost(theirs.ask, theirs.program.pid, asked.command))
                    for _ in range(rounds)
                ]
                assert all(one[1] == other[1] for one, other in pairs), asked.command
                own, their = (min(pair[which][0] for pair in pairs) for which in (0, 1))
                missed = (asked.at_most and own > asked.at_most) or (asked.ratio and own > asked.ratio * their)
                wanted = f", at most {asked.at_most:g} ms" if asked.at_most else f", at most {asked.ratio:g}" if asked.ratio else ""
                print(
                    f"FIGURE {asked.command}: {own:.1f} ms ({pairs[0][0][0]:.1f}); Dovecot {their:.1f} ms ({pairs[0][1][0]:.1f}); "
                    f"ratio {own / their:.2f}{wanted}{' MISSED' if missed else ''}",
                    flush=True,
                )
        ours.close()


def main() -> None:
    """Read the options, and measure, or be what is measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="many", type=int, default=10_000, help="messages in the folder (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="times that each is asked (default %(default)s)")
    parser.add_argument("--large", action="store_true", help="messages of 22 KB")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.serve, given.many, large=given.large))
    elif not os.path.exists(PROGRAM):
        sys.exit("Dovecot's imap is not here")
    else:
        measure(given.many, given.rounds, large=given.large)


if __name__ == "__main__":
    main()
