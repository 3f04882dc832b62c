"""The keywords of a folder: compared without regard to case, spelled as they were first, a hundred at most (RFC 9051 §2.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem

from .api import MOST_KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .engine.api import Rows
    from .ledger import Ledger

KNOWN: Final = "SELECT word, name FROM keyword WHERE owner = ? AND folder = ?"
ADD: Final = "INSERT INTO keyword (owner, folder, word, name) VALUES (?, ?, ?, ?)"
DROP: Final = "DELETE FROM keyword WHERE owner = ? AND folder = ? AND word = ?"
USED: Final = "SELECT DISTINCT keywords FROM entry WHERE owner = ? AND folder = ? AND keywords <> ''"

LONGEST: Final = 100  # octets
_NOT_IN_ATOM: Final = frozenset('(){ %*"\\]')  # RFC 9051 §9, atom-specials
_ATOM: Final = frozenset(map(chr, range(0x21, 0x7F))) - _NOT_IN_ATOM

JUNK: Final = "$junk"  # of the registry of IMAP keywords, in small letters
NOT_JUNK: Final = "$notjunk"


def known(rows: Rows, owner: int, folder: int) -> dict[str, str]:
    """The keywords of a folder: how each is spelled, by its small letters."""
    return {row[0]: row[1] for row in rows.run(KNOWN, (owner, folder))}


def spelled(ledger: Ledger, folder: int, wanted: Iterable[str]) -> Sequence[str]:
    """Keywords as the folder spells them, each once, in order; new ones are made known. Raises `Problem` (usage) for what is none, or one
    too many."""
    words = {name.lower(): checked(name) for name in reversed(tuple(wanted))}
    if not words:
        return ()
    there = known(ledger.rows, ledger.owner, folder)
    new = [word for word in words if word not in there]
    if new and len(there) + len(new) > MOST_KEYWORDS:
        there = _kept(ledger, folder, there)
    if new and len(there) + len(new) > MOST_KEYWORDS:
        raise Problem(f"a folder has {MOST_KEYWORDS} keywords at most; take one off the messages that have it first", "usage")
    for word in new:
        there[word] = words[word]
        ledger.rows.change(ADD, (ledger.owner, folder, word, words[word]))
    return sorted(there[word] for word in words)


def checked(name: str) -> str:
    """The keyword. Raises `Problem` (usage) for what is none."""
    if not name or len(name) > LONGEST or not _ATOM.issuperset(name):
        raise Problem(
            f'a keyword has 1 to {LONGEST} letters, digits and signs of ASCII, no blank and none of (){{%*"\\]: {name[:40]!r}', "usage"
        )
    return name


def _kept(ledger: Ledger, folder: int, there: dict[str, str]) -> dict[str, str]:
    """Those that a message has; of others nothing is known from now on."""
    used = {name for (text,) in ledger.rows.run(USED, (ledger.owner, folder)) for name in text.split(" ")}
    for word, name in there.items():
        if name not in used:
            ledger.rows.change(DROP, (ledger.owner, folder, word))
    return {word: name for word, name in there.items() if name in used}
