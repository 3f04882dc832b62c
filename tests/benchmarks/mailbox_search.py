"""What a search costs in a folder of 10,000 messages, beside Dovecot's on the same mail in the same run.

    python -m tests.benchmarks.mailbox_search

The messages are 22 KB in the mean, 15 of a hundred have an attachment; their words are by chance, as frequent as words are. The figures are
milliseconds of the processor for one search, the best of `--runs` (the first one of each, with nothing read, stands in brackets), for us
and for Dovecot's process, and the ratio. Dovecot keeps subjects and sizes in its cache from the second search on, and reads messages for
their text each time; it stands over a pipe, where it takes no time of the clock to speak of. Without a Dovecot only ours are printed.
"""

from __future__ import annotations

import argparse
import base64
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mailer.mail.flags import Flag
from mailer.mail.query import Contains, Every, Has, Not, Query, Within
from mailer.mailbox import texts
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.owners.api import Owner
from tests.peers import dovecot_imap

SINCE = 1_700_000_000.0
PORTION = 500


class Asked(NamedTuple):
    """A search, for us and for Dovecot."""

    name: str
    query: Query
    imap: bytes


ASKED = (
    Asked("TEXT, nowhere", Contains("text", "quixotically"), b"TEXT quixotically"),
    Asked("TEXT, in some", Contains("text", "Straßenbahn"), "TEXT {12+}\r\nStraßenbahn".encode()),
    Asked("BODY, in some", Contains("body", "rareword"), b"BODY rareword"),
    Asked("UNSEEN", Not(Has(Flag.SEEN)), b"UNSEEN"),
    Asked("SUBJECT", Contains("header", "rareword", "subject"), b"SUBJECT rareword"),
    Asked("FROM", Contains("header", "person77@", "from"), b"FROM person77@"),
    Asked("HEADER X-Mailer", Contains("header", "client 7", "x-mailer"), b'HEADER X-Mailer "client 7"'),
    Asked("LARGER", Within("size", 60_000, None), b"LARGER 59999"),
    Asked("UNSEEN TEXT", Every((Not(Has(Flag.SEEN)), Contains("text", "quixotically"))), b"UNSEEN TEXT quixotically"),
    Asked("words", Contains("words", "rarew stra"), b""),
)


def letters(many: int) -> Iterator[bytes]:
    """Messages by chance, the same each time."""
    chance = random.Random(1)
    words = ["".join(chance.choices("etaoinshrdlubcfgmpwy", k=chance.randint(2, 10))) for _ in range(30_000)]
    weights = [1 / (nth + 1) for nth in range(len(words))]
    for nth in range(many):
        said = chance.choices(words, weights, k=chance.randint(100, 1900))
        said[50] = chance.choice(("rareword", "Straßenbahn")) if nth % 100 == 0 else said[50]
        subject = " ".join(said[:7]) + (" rareword" if nth % 500 == 0 else "")
        head = f"From: Person {nth % 300} <person{nth % 300}@example.org>\r\nTo: anna@example.net\r\nSubject: {subject}\r\n"
        head += f"Date: Sat, 21 Nov 2026 02:15:29 +0000\r\nMessage-ID: <{nth}@example.org>\r\nX-Mailer: client {nth % 9}\r\n"
        head += "MIME-Version: 1.0\r\n"
        lines = "\r\n".join(" ".join(said[at : at + 12]) for at in range(0, len(said), 12))
        text = f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{lines}\r\n"
        if nth % 20 < 3:
            file = base64.encodebytes(chance.randbytes(75_000)).decode().replace("\n", "\r\n")
            name = f"Content-Type: application/pdf; name=file{nth}.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            text = f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n{text}\r\n--b\r\n{name}{file}\r\n--b--\r\n"
        yield (head + text).encode()


def spent(pid: int) -> float:
    """Milliseconds of the processor that a process has had."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def best(act: Callable[[], int], clock: Callable[[], float], runs: int) -> tuple[float, float, int]:
    """Of the first run and of the best of the others, milliseconds; and how many were found."""
    took = []
    for _ in range(runs + 1):
        began = clock()
        found = act()
        took.append(clock() - began)
    return took[0], min(took[1:]), found


def own(home: Path, many: int) -> OwnMailbox:
    """Our mailbox with the messages."""
    box = OwnMailbox(
        Owner("01J00000000000000000000000", 1, "anna@example.net", time.time()), SqliteEngine(str(home / "index")), MemoryBodies()
    )
    some: list[NewMail] = []
    began = time.process_time()
    octets = 0
    for nth, content in enumerate(letters(many)):
        octets += len(content)
        some.append(NewMail("INBOX", content, b"", Flag(0) if nth % 20 == 0 else Flag.SEEN, (), SINCE + nth))
        if len(some) == PORTION or nth == many - 1:
            box.put(some)
            some = []
    print(f"# {many} messages, {octets / many / 1000:.1f} KB in the mean, put in {time.process_time() - began:.1f} s of the processor")
    print(f"# the index has {os.path.getsize(home / 'index') / 1e6:.0f} MB")
    return box


def theirs(home: Path, many: int) -> dovecot_imap.DovecotImap:
    """Dovecot's mailbox with the messages, not yet started."""
    return dovecot_imap.DovecotImap(home, letters(many), seen=lambda nth: nth % 20 != 0)


def measure(many: int, runs: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="mailer-search-") as root:
        home = Path(root)
        home.chmod(0o755)
        box = own(home, many)
        folder = box.folder("INBOX")
        assert folder is not None
        ours = {
            each.name: best(lambda each=each: len(box.search(each.query, folder.id)), lambda: time.process_time() * 1e3, runs)
            for each in ASKED
        }  # type: ignore[misc]
        ours["words, ranked"] = best(lambda: len(box.ranked("rarew stra", folder.id)), lambda: time.process_time() * 1e3, runs)
        ours["words, ranked, of undivided scripts"] = best(
            lambda: len(box.ranked("東京", folder.id)), lambda: time.process_time() * 1e3, runs
        )
        box.close()
        print(f"# the index has {os.path.getsize(home / 'index') / 1e6:.0f} MB with the words")
        found = {}
        if os.path.exists(dovecot_imap.PROGRAM):
            (home / "dovecot").mkdir()
            with theirs(home / "dovecot", many) as dovecot:
                dovecot.ask(b"SELECT INBOX")
                pid = dovecot.program.pid

                def ask(command: bytes) -> int:
                    return len(dovecot.ask(b"SEARCH CHARSET UTF-8 " + command)[0].split()) - 2

                found = {each.name: best(lambda each=each: ask(each.imap), lambda: spent(pid), runs) for each in ASKED if each.imap}  # type: ignore[misc]
            shutil.rmtree(home / "dovecot")
        for name, (first, again, count) in ours.items():
            line = f"FIGURE {name}: {again:.1f} ms ({first:.1f}), {count} found"
            if name in found:
                theirs_first, theirs_again, theirs_count = found[name]
                line += f"; Dovecot {theirs_again:.1f} ms ({theirs_first:.1f}), {theirs_count} found"
                line += f"; ratio {again / max(theirs_again, 0.01):.2f}"
            print(line)


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--zlib", action="store_true", help="as where zstandard is not installed")
    given = parser.parse_args()
    if given.zlib:
        texts._zstandard = lambda: None
    measure(given.messages, given.runs)


if __name__ == "__main__":
    main()
