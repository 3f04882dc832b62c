"""What a mailbox costs: putting, opening a large folder, flags, moves, a thousand folders.

    python tests/benchmarks/mailbox.py [--messages=100000] [--folders=1000]

Messages are put one at a time and a hundred at a time, on a disk, and then the inbox is filled with the rows of so many, whose bodies
nobody reads here: a million take some minutes and a gigabyte. What follows is asked of a mailbox that was opened anew, with the file in
the cache of the system. Figures are milliseconds of the processor, and on the clock where a disk is waited for.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.mail.flags import Flag
from mailer.mailbox import checking
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.api import Rows
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.layout import Layout
from mailer.mailbox.owners.api import Owner
from mailer.mime.rendered import render
from mailer.spool import first_id
from tests.benchmarks.measure import message

T = TypeVar("T")
OWNER = Owner("01KAHC00000000000000000001", 1, "ann@example.com", 1_796_000_000.0)
PORTION = 20_000


def opened(root: str) -> OwnMailbox:
    """The mailbox below `root`, opened anew."""
    layout = Layout(root)
    layout.have(layout.home(OWNER.id))
    return OwnMailbox(OWNER, SqliteEngine(layout.index(OWNER.id)), FileBodies(layout))


@contextmanager
def figure(what: str, many: int = 1) -> Iterator[None]:
    """Print what happens inside, for each of so many."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rate = f", {many / wall:.0f}/s" if many > 1 else ""
    print(f"FIGURE {what}: {cpu / many * 1000:.3f} ms cpu, {wall / many * 1000:.3f} ms{rate}", flush=True)


def timed(what: str, ask: Callable[[], T]) -> T:
    with figure(what):
        return ask()


def fill(box: OwnMailbox, many: int) -> None:
    """Have the rows of so many more messages in the inbox, like the one with the UID 1; counts are mended after it."""
    (entry,) = box.entries(1, [(1, 1)])
    names, found = {}, {}
    for table, key in (("mail", "id"), ("heading", "mail"), ("text", "mail")):
        names[table] = box.engine.read(lambda rows: [row[1] for row in rows.run(f"PRAGMA table_info({table})")])  # noqa: B023 - at once
        found[table] = box.engine.read(lambda rows: rows.run(f"SELECT * FROM {table} WHERE {key} = ?", (entry.mail,)))  # noqa: B023
    first = 10_000

    def act(rows: Rows, numbers: range) -> None:
        ids = [first_id(1_700_000_000 + number) for number in numbers]
        for table in [table for table in found if found[table]]:
            at = names[table].index("id" if table == "mail" else "mail")
            row = list(found[table][0])
            marks = ", ".join("?" * len(row))
            rows.many(f"INSERT INTO {table} VALUES ({marks})", ([*row[:at], id, *row[at + 1 :]] for id in ids))
        new = ((1, 1, first + number, id, number % 2, "", 3, 1.0) for number, id in zip(numbers, ids, strict=True))
        rows.many("INSERT INTO entry (owner, folder, uid, mail, flags, keywords, modseq, saved) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", new)

    for start in range(0, many, PORTION):
        numbers = range(start, min(start + PORTION, many))
        box.engine.change(lambda rows: act(rows, numbers))  # noqa: B023 - called at once
    box.change(checking.recount)


def put(root: str, many: int) -> None:
    """One at a time, and a hundred at a time."""
    box = opened(root)
    contents = [message(7 << 10) for _ in range(many)]
    with figure("read a message of 7 KiB", many):
        for content in contents:
            render(content, b"Delivered-To: ann@example.com\r\n")
    with figure("put one at a time", many):
        for number, content in enumerate(contents):
            box.put([NewMail("INBOX", content, once=(f"S{number}", OWNER.address))])
    with figure("put a hundred at a time", many):
        for start in range(0, many, 100):
            box.put([NewMail("INBOX", content) for content in contents[start : start + 100]])
    box.close()


def ask(root: str) -> None:
    """What clients ask of a large folder."""
    box = timed("open the mailbox", lambda: opened(root))
    folder = timed("the folder", lambda: box.folder("INBOX"))
    assert folder is not None
    uids = timed(f"UIDs of {folder.messages}", lambda: box.uids(1))
    last = uids[-1]
    some = box.entries(1, [(uids[-10_000 if len(uids) > 10_000 else 0], last)])
    timed(f"flags of {len(some)}", lambda: box.entries(1, [(some[0].uid, last)]))
    thousand = [(some[-min(1000, len(some))].uid, last)]
    ids = [entry.mail for entry in some[-1000:]]
    timed(f"{len(ids)} messages", lambda: box.mails(ids))
    done = timed("flag a thousand", lambda: box.flag(1, thousand, "add", Flag.FLAGGED))
    timed("what is new since then", lambda: box.changes(1, done.modseq))
    timed("what is new before that", lambda: box.changes(1, done.modseq - 1))
    timed("put one more", lambda: box.put([NewMail("INBOX", message(7 << 10))]))
    copied = timed("copy a thousand", lambda: box.copy(1, thousand, "Archive"))
    timed("move a thousand", lambda: box.move(1, thousand, "Trash"))
    timed("expunge a thousand", lambda: box.expunge(copied.folder, None, marked=False))
    timed("all counts, checked", box.check) if folder.messages <= 200_000 else None
    box.close()


def folders(root: str, many: int) -> None:
    """As many folders as some people have."""
    box = opened(root)
    with figure(f"make {many} folders", many):
        for number in range(many):
            box.create(f"lists/{number // 100}/{number}")
    timed(f"list {many} folders", box.folders)
    timed("rename them all", lambda: box.rename("lists", "old lists"))
    box.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--puts", type=int, default=500)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--below", help="where the mailbox is made; a directory for temporary files if not said")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.below) as below:
        root = str(Path(below) / "mailboxes")
        put(root, options.puts)
        box = opened(root)
        with figure(f"fill with {options.messages} rows"):
            fill(box, options.messages)
        box.close()
        size = os.path.getsize(Layout(root).index(OWNER.id))
        print(f"FIGURE the index: {size / (options.messages + 2 * options.puts):.0f} octets a message")
        ask(root)
        folders(root, options.folders)


if __name__ == "__main__":
    main()
