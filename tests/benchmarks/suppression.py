"""What it costs to ask whether somebody is to be mailed: of a million rows, of an empty list, and of none.

    python -m tests.benchmarks.suppression

The figures are microseconds of the processor for one recipient, as the queue asks for `--together` of them. Most are not on the list,
as in nearly all mail; `--hits` is the share of those that are. What it took to fill the list stands beside, how large its file is, how much
of that the entries are (the log has each once more, for `suppress.log_retention`, with two indexes), and what is resident in a process that
has only asked: the interpreter, and the pages that it has looked at, up to a limit.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing

from mailer.suppression.api import Reason, SuppressionEntry
from mailer.suppression.sqlite import NAME, SqliteSuppression

PORTION = 20_000


async def fill(entries: SqliteSuppression, rows: int) -> None:
    """So many entries, in portions."""
    change = 0
    for start in range(0, rows, PORTION):
        some = range(start, min(start + PORTION, rows))
        new = [SuppressionEntry(f"person{at}@domain{at % 5000}.example", "news", Reason.HARD, at=1.0) for at in some]
        done = await entries.add(new, change=change)
        change = change or done.change


async def ask(entries: SqliteSuppression, rows: int, many: int, together: int, hits: float) -> float:
    """Microseconds of the processor for one recipient."""
    every = round(1 / hits) if hits else 0
    wanted = []
    for at in range(many):
        nth = at * 7919 % rows
        other = "" if every and not at % every else "x"  # who is not on the list would stand beside one who is
        wanted.append((f"person{nth}{other}@domain{nth % 5000}.example", "news"))
    began = time.process_time()
    for start in range(0, many, together):
        await entries.look(wanted[start : start + together], 2.0)
    return (time.process_time() - began) / many * 1e6


async def measure(rows: int, many: int, together: int, hits: float) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as root:
        entries = SqliteSuppression(root)
        print(f"FIGURE no list: {await ask(entries, rows, many, together, hits):.2f} us a recipient")
        began = time.process_time()
        await fill(entries, rows)
        await entries.close()  # what is in the WAL goes into the file
        size, used = os.path.getsize(f"{root}/{NAME}"), time.process_time() - began
        entries_alone = bare(f"{root}/{NAME}")
        print(f"FIGURE filling {rows} rows: {used:.1f} s, {size / 1e6:.0f} MB, of which the entries are {entries_alone / 1e6:.0f} MB")
        entries, before = SqliteSuppression(root), resident()
        turns: Sequence[float] = [await ask(entries, rows, many, together, hits) for _ in range(3)]
        print(f"FIGURE {rows} rows, {hits:.0%} on the list: {sorted(turns)[1]:.2f} us a recipient")
        print(f"FIGURE resident before the first look-up {before / 1e6:.0f} MB, after {3 * many} {resident() / 1e6:.0f} MB")
        await entries.close()


def bare(path: str) -> int:
    """Bytes of the table of entries and its index, by a copy that has nothing else."""
    with tempfile.TemporaryDirectory() as place, closing(sqlite3.connect(f"{place}/copy")) as db:
        db.execute("ATTACH ? AS whole", (path,))
        for kind in ("table", "index"):
            made = "SELECT sql FROM whole.sqlite_master WHERE tbl_name = 'entries' AND type = ? AND sql IS NOT NULL"
            for (sql,) in db.execute(made, (kind,)).fetchall():
                db.execute(sql)
        db.execute("INSERT INTO entries SELECT * FROM whole.entries")
        db.commit()
        return os.path.getsize(f"{place}/copy")


def resident() -> int:
    """Bytes of memory of this process that are nobody else's."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:")) << 10


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--many", type=int, default=100_000, help="recipients that are asked about")
    parser.add_argument("--together", type=int, default=20)
    parser.add_argument("--hits", type=float, default=0.01)
    given = parser.parse_args()
    asyncio.run(measure(given.rows, given.many, given.together, given.hits))


if __name__ == "__main__":
    main()
