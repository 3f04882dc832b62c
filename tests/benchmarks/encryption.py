#!/usr/bin/env python3
"""What encryption costs: a mailbox whose bodies and index are encrypted, beside the same one that is not, with the same mail.

    python tests/benchmarks/encryption.py [-n 1000] [--size 7168] [--rounds 3]

Put are messages one by one and in batches of 50, everything synced; read are all of them whole, and the rows of all; searched is a text
that is nowhere; opened is the mailbox of somebody else, by its address. Both take turns in one run, and the processor's time counts: in
microseconds a message (of `open`: a mailbox), and the ratio. Besides: the octets on the disk, of bodies and of the index.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.config.file import config_of
from mailer.mail.query import Contains
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
from mailer.mailbox.keys import KeyDirectory
from mailer.mailbox.mailboxes import Mailboxes
from tests.benchmarks.measure import figure, message, ratio

ADDRESS = "ann@example.com"
BATCH = 50


@contextmanager
def kept(home: Path, *, encrypting: bool) -> Iterator[Mailboxes]:
    """The mailboxes below `home`, as one process has them."""
    keys = home / "mailboxes" / "keys"
    if not keys.exists():
        keys.mkdir(parents=True)
        KeyDirectory(str(keys)).make()
    wish = "age" if encrypting else "off"
    text = f'[mailer]\nspool = "{home}/spool"\n[mailboxes]\npath = "{home}/mailboxes"\nencryption = "{wish}"\n'
    boxes = mailboxes_of(config_of("benchmark", text.encode()))
    try:
        yield boxes
    finally:
        boxes.close()


def spent(act: Callable[[], object], many: int) -> float:
    """Microseconds of the processor for each of so many."""
    gc.collect()
    began = time.process_time()
    act()
    return (time.process_time() - began) / many * 1e6


def measured(home: Path, number: int, size: int, *, encrypting: bool) -> dict[str, float]:
    """One round."""
    contents = [message(size) + b"%d\r\n" % nth for nth in range(number)]
    found: dict[str, float] = {}
    with kept(home, encrypting=encrypting) as boxes, boxes.of(ADDRESS, make=True) as box:
        single = contents[: number // 5]
        found["put one by one"] = spent(lambda: [box.put([NewMail("INBOX", each)]) for each in single], len(single))
        batches = [contents[at : at + BATCH] for at in range(0, number, BATCH)]
        found["put 50 at a time"] = spent(lambda: [box.put([NewMail("INBOX", each) for each in some]) for some in batches], number)
        inbox = box.folder("INBOX")
        assert inbox is not None
    with kept(home, encrypting=encrypting) as boxes, boxes.of(ADDRESS) as box:
        mails = [mail for mail in box.mails([entry.mail for entry in box.entries(inbox.id)]) if mail is not None]
        found["read whole"] = spent(lambda: [box.read(mail) for mail in mails], len(mails))
        found["rows"] = spent(lambda: [box.mails([mail.id for mail in mails]) for _ in range(5)], 5 * len(mails))
        found["search TEXT"] = spent(lambda: [box.search(Contains("text", "quixotically"), inbox.id) for _ in range(5)], 5 * len(mails))
    with kept(home, encrypting=encrypting) as boxes:
        for nth in range(50):
            with boxes.of(f"user{nth}@example.com", make=True):
                pass
    with kept(home, encrypting=encrypting) as boxes:
        found["open"] = spent(lambda: [_folders(boxes, f"user{nth}@example.com") for nth in range(50)], 50)
    return found


def _folders(boxes: Mailboxes, address: str) -> None:
    with boxes.of(address) as box:
        box.folders()


def octets(home: Path, pattern: str) -> int:
    """What files have."""
    return sum(path.stat().st_size for path in (home / "mailboxes").glob(pattern))


def main() -> None:
    """Measure, and print figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--number", type=int, default=1000)
    parser.add_argument("--size", type=int, default=7168)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    every: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for _ in range(given.rounds):
        for encrypting, rounds in every.items():
            with tempfile.TemporaryDirectory(prefix="mailer-encryption-") as root:
                rounds.append(measured(Path(root), given.number, given.size, encrypting=encrypting))
                disk = octets(Path(root), "u/*/*/mail/*/*"), octets(Path(root), "u/*/*/index.sqlite3*")
                print(f"# {'encrypted' if encrypting else 'plain'}: {disk[0] / 1e6:.1f} MB of bodies, {disk[1] / 1e6:.1f} MB of indexes")
    for name in every[False][0]:
        plain = figure(f"{name}, plain", [each[name] for each in every[False]], "µs")
        encrypted = figure(f"{name}, encrypted", [each[name] for each in every[True]], "µs")
        ratio(f"{name}, encrypted / plain", encrypted, plain)


if __name__ == "__main__":
    main()
