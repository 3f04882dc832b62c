"""What it costs to ask whether somebody is to be mailed: of a million rows, of an empty list, and of none.

    python -m tests.benchmarks.suppression

The figures are microseconds of the processor for one recipient, as the queue asks for `--together` of them. Most are not on the list,
as in nearly all mail; `--hits` is the share of those that are. What it took to fill the list, and how large its file is, stand beside.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Sequence

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
        name = "person" if every and not at % every else "other"
        wanted.append((f"{name}{nth}@domain{nth % 5000}.example", "news"))
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
        print(f"FIGURE filling {rows} rows: {time.process_time() - began:.1f} s, {os.path.getsize(f'{root}/{NAME}') / 1e6:.0f} MB")
        turns: Sequence[float] = [await ask(entries, rows, many, together, hits) for _ in range(3)]
        print(f"FIGURE {rows} rows, {hits:.0%} on the list: {sorted(turns)[1]:.2f} us a recipient")
        await entries.close()


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
