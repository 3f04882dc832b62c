"""One change of a suppression list between two marks, for `injected.py` to interrupt.

    python -B leaver.py ACT ROOT

Prints ``ok`` once the change has returned, and then only. What goes to threads elsewhere is done in the one that there is, for the calls
of each are counted apart.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.operate.suppression import take_over
from mailer.suppression.api import Reason, SuppressionEntry, SuppressionTerms
from mailer.suppression.sqlite import SqliteSuppression
from tests.crash.injected import BEGIN, END

ANN, BOB = "ann@example.org", "bob@example.org"
AT = 1_800_000_000.0
PROVED = [SuppressionEntry(name, "news", Reason.HARD, source="report", evidence="proof", at=AT) for name in (ANN, BOB)]
FILE = [f"{name}@example.net\n" for name in ("eve", "ian", "una")]


def before(root: Path, act: str) -> None:
    """What there is before `act`: nothing where it makes the list, and else one entry, which has its place in the file by then."""
    if act != "make":
        entries = SqliteSuppression(str(root))
        asyncio.run(entries.add([SuppressionEntry(ANN, source="command", at=AT)]))
        entries.close_now()


async def change(entries: SqliteSuppression, act: str) -> None:
    """Do it; also once more after a crash."""
    if act in ("make", "add"):
        await entries.add(PROVED, terms=SuppressionTerms())
    elif act == "remove":
        await entries.remove([(ANN, "*")], by="me", at=AT)
    else:
        await take_over(entries, FILE, SuppressionEntry("", reason=Reason.IMPORT, source="list.csv", at=AT))


async def _here(act: Callable[..., Any], *given: Any) -> Any:
    return act(*given)


async def main(act: str, root: str) -> None:
    """Do it between the marks."""
    entries = SqliteSuppression(root)
    os.access(BEGIN, os.F_OK)
    await change(entries, act)
    os.write(1, b"ok")
    os.access(END, os.F_OK)


if __name__ == "__main__":
    asyncio.to_thread = _here  # type: ignore[assignment]
    asyncio.run(main(sys.argv[1], sys.argv[2]))
