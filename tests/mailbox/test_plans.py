"""No question reads all of a mailbox where an index tells: what takes a moment with ten messages takes one with a million."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Iterator

import pytest

from mailer.mailbox import collating, fetched, schema

WHOLE = {
    "FOLDERS",
    "WANTED",
    "UNEVEN",
    "EVERYTHING",
    "MARKS",
    "WEIGHT",
    "BY_ROLE",
    "COUNT",
    "NUMBERS",
    "FORGET_FOLDERS",
    "ACCOUNT",
    "KEEP_ACCOUNT",
    "OPEN",
    "SEARCHED_AT",
    "SEARCH",
    "USED",
    "FORGET_DELIVERED",
}
"""What is asked about all folders, about the account, which is one row, or once in a while."""

ASKED = (
    "claiming", "collating", "copying", "entries", "expunging", "flagging", "folders", "keywords", "ledger", "maildrop", "mails", "noting",
    "opening", "putting", "subscriptions", "sweeping", "threads", "twins",
)  # fmt: skip
"""What delivery and clients ask. Others count everything, or look for something in everything."""


def statements() -> Iterator[tuple[str, str]]:
    for module in ASKED:
        for name, value in vars(importlib.import_module(f"mailer.mailbox.{module}")).items():
            if name.isupper() and isinstance(value, str) and value.split(" ")[0] in ("SELECT", "UPDATE", "DELETE", "INSERT"):
                yield f"{module}.{name}", value


STATEMENTS = dict(statements()) | {f"collated: {column}": collating.question((column,)).STATEMENT for column in collating.SORTED}
STATEMENTS |= {
    f"fetched of {' '.join(columns)}": fetched.question(columns).STATEMENT
    for columns in ((), ("flags", "keywords"), ("envelope",), ("header",), (*fetched.OF_ENTRY, *fetched.OF_MAIL))
}


def test_there_are_statements() -> None:
    """They are found by what they look like."""
    assert {"entries.NEWER", "threads.KNOWN", "sweeping.DUE", "mails.BY_IDS"} <= STATEMENTS.keys()


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_is_answered_by_an_index(name: str) -> None:
    """By more of it than whose mailbox it is."""
    if name.rpartition(".")[2] in WHOLE:
        return
    db = sqlite3.connect(":memory:")
    for step in schema.STEPS:
        db.executescript(step)
    statement = STATEMENTS[name]
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?"))]
    assert not [line for line in plan if line.startswith("SCAN") or line.endswith("(owner=?)") or "TEMP B-TREE" in line]
