"""The messages that words say best, best first: for people who type some words, not for IMAP, which asks for all that match.

A word in the subject weighs more than one in the names of people and files, and those more than one in the body; a rare word more than a
frequent one. The database has an index of words for it: FTS5 in SQLite (`WORD`), a GIN index over ``tsvector`` in PostgreSQL. Nothing of it
is written when a message comes: whoever asks first has what came since put into the index, from the rows of ``text``. So deleting it loses
time, and a mailbox that nobody searches so has none. Words of undivided scripts are in no such index; they are looked for in texts.

Of messages that are erased the index of SQLite keeps the words, without the message that they were of, until it is made anew: when half of
what is in it is gone. In PostgreSQL they go with the message; a word there begins with the number of its owner, for all have one index.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from . import entries
from .finding import EVERY_FOLDER
from .hundreds import HUNDRED, hundreds
from .texts import COLUMNS, Unpacking
from .words import Words, divided_in, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .api import FolderEntry
    from .engine.api import Engine, Rows
    from .texts import Searched

PORTION: Final = 100  # messages that are put into the index in one transaction: others wait for it who write
BODY: Final = 200_000  # octets of a body whose words are ranked
POSITIONS: Final = 16_000  # that PostgreSQL tells apart
LONGEST: Final = 100  # characters of a word
LOOKED_THROUGH: Final = 10_000  # messages that are looked through for words of undivided scripts, of those that have the others

HAS_FTS5: Final = "SELECT 1 FROM pragma_compile_options WHERE compile_options = 'ENABLE_FTS5'"
IS_MADE: Final = "SELECT 1 FROM sqlite_master WHERE name = 'word'"
RANKED: Final = "CREATE TABLE IF NOT EXISTS ranked (number INTEGER PRIMARY KEY, mail TEXT NOT NULL UNIQUE)"
WORD: Final = """CREATE VIRTUAL TABLE word USING fts5(subject, names, body, content='', tokenize="unicode61 remove_diacritics 0")"""
DROP: Final = ("DROP TABLE IF EXISTS ranked", "DROP TABLE IF EXISTS word")
HALF_GONE: Final = """SELECT 1 FROM (SELECT count(*) AS left_over FROM ranked WHERE NOT EXISTS
    (SELECT 1 FROM text WHERE owner = ? AND text.mail = ranked.mail))
    WHERE left_over > 100 AND left_over * 2 > (SELECT count(*) FROM ranked)"""
TO_RANK: Final = """SELECT mail, body FROM text t WHERE owner = ? AND mail > ?
    AND NOT EXISTS (SELECT 1 FROM ranked r WHERE r.mail = t.mail) ORDER BY mail LIMIT ?"""
RANK: Final = "INSERT INTO ranked (mail) VALUES (?) RETURNING number"
ADD: Final = "INSERT INTO word (rowid, subject, names, body) VALUES (?, ?, ?, ?)"
BEST: Final = """SELECT e.folder, e.uid, e.mail, e.flags, e.keywords, e.modseq, e.saved
    FROM (SELECT rowid AS number, bm25(word, 8.0, 4.0, 1.0) AS weight FROM word WHERE word MATCH ?) w CROSS JOIN ranked r CROSS JOIN entry e
    WHERE r.number = w.number AND e.owner = ? AND e.mail = r.mail AND e.folder BETWEEN ? AND ?
    ORDER BY w.weight, e.mail DESC, e.folder, e.uid LIMIT ?"""

TO_RANK_SHARED: Final = """SELECT mail, body FROM text t WHERE owner = ? AND mail > ?
    AND NOT EXISTS (SELECT 1 FROM word w WHERE w.owner = t.owner AND w.mail = t.mail) ORDER BY mail LIMIT ?"""
ADD_SHARED: Final = "INSERT INTO word (owner, mail, words) VALUES (?, ?, CAST(? AS tsvector)) ON CONFLICT (owner, mail) DO NOTHING"
BEST_SHARED: Final = """SELECT e.folder, e.uid, e.mail, e.flags, e.keywords, e.modseq, e.saved
    FROM word w JOIN entry e ON e.owner = w.owner AND e.mail = w.mail
    WHERE w.words @@ CAST(? AS tsquery) AND w.owner = ? AND e.folder BETWEEN ? AND ?
    ORDER BY ts_rank(w.words, CAST(? AS tsquery)) DESC, e.mail DESC, e.folder, e.uid LIMIT ?"""
ERASE_SHARED: Final = f"DELETE FROM word WHERE owner = ? AND mail IN ({HUNDRED})"
RECENT: Final = """SELECT folder, uid, mail, flags, keywords, modseq, saved FROM entry
    WHERE owner = ? AND folder BETWEEN ? AND ? ORDER BY mail DESC, folder, uid"""
TEXTS: Final = f"SELECT mail, body FROM text WHERE owner = ? AND mail IN ({HUNDRED})"


class RankedWords(NamedTuple):
    """The words of a message by what they weigh, divided by what is no letter: its subject, the names of people and files, its body."""

    subject: str
    names: str
    body: str


def ranked(engine: Engine, words: str, folder: int | None, most: int) -> list[FolderEntry]:
    """The entries of one folder, None for all, whose messages have all `words` or their beginnings, best first; `most` at most."""
    divided, undivided = words_of(words)
    folders = EVERY_FOLDER if folder is None else (folder, folder)
    if divided and _have_index(engine):
        ask = _best_shared if engine.dialect == "postgresql" else _best
        found = engine.read(lambda rows: ask(rows, engine.owner, divided, folders, most if not undivided else LOOKED_THROUGH))
        left = " ".join(undivided)
    else:
        found = engine.read(lambda rows: [_entry(row) for row in rows.run(RECENT, (engine.owner, *folders))])
        left = words
    return engine.read(lambda rows: _having(rows, engine.owner, found, left, most)) if left.strip() else found[:most]


def erased(rows: Rows, owner: int, mails: Sequence[str]) -> None:
    """Forget the words of these messages, a hundred, in PostgreSQL."""
    rows.change(ERASE_SHARED, (owner, *mails))


def _have_index(engine: Engine) -> bool:
    """Have all messages in the index; whether there can be one."""
    if engine.dialect == "postgresql":
        _fill(engine, _add_shared)
        return True
    if not engine.read(lambda rows: rows.run(HAS_FTS5)):
        return False
    if not engine.read(lambda rows: _is_whole(rows, engine.owner)):
        _fill(engine, _add)
    return True


def _fill(engine: Engine, add: Callable[..., str]) -> None:
    """Put all messages into the index, some in each transaction, in the order of their IDs."""
    after = engine.change(partial(add, owner=engine.owner, after=""))
    while after:
        after = engine.change(partial(add, owner=engine.owner, after=after))


def _is_whole(rows: Rows, owner: int) -> bool:
    return bool(rows.run(IS_MADE)) and not rows.run(TO_RANK, (owner, "", 1)) and not rows.run(HALF_GONE, (owner,))


def _add(rows: Rows, owner: int, after: str) -> str:
    """Put some messages into the index of SQLite, which is made if there is none: those behind an ID; the last one, empty at the end."""
    if not after and (not rows.run(IS_MADE) or rows.run(HALF_GONE, (owner,))):
        for STATEMENT in (*DROP, RANKED, WORD):  # noqa: N806 - each is one
            rows.change(STATEMENT)
    unpacking = Unpacking()
    some = rows.run(TO_RANK, (owner, after, PORTION))
    for mail, body in some:
        number = rows.run(RANK, (mail,))[0][0]
        rows.change(ADD, (number, *ranked_words(unpacking.text(body))))
    return str(some[-1][0]) if len(some) == PORTION else ""


def _best(rows: Rows, owner: int, words: Sequence[str], folders: tuple[int, int], most: int) -> list[FolderEntry]:
    asked = " AND ".join(f'"{word[:LONGEST]}"*' for word in words)
    return [_entry(row) for row in rows.run(BEST, (asked, owner, *folders, most))]


def _add_shared(rows: Rows, owner: int, after: str) -> str:
    """Put some messages into the index of PostgreSQL: those behind an ID; the last one, empty at the end."""
    unpacking = Unpacking()
    some = rows.run(TO_RANK_SHARED, (owner, after, PORTION))
    for mail, body in some:
        rows.change(ADD_SHARED, (owner, mail, lexemes(owner, ranked_words(unpacking.text(body)))))
    return str(some[-1][0]) if len(some) == PORTION else ""


def lexemes(owner: int, words: RankedWords) -> str:
    """Words as PostgreSQL writes a ``tsvector``, each with its owner before it, its places and its weight."""
    found: dict[str, list[str]] = {}
    place = 0
    for weight, some in zip("ABD", words, strict=True):
        for word in (word[:LONGEST] for word in divided_in(some)[: POSITIONS - place]):
            place += 1
            places = found.setdefault(word, [])
            if len(places) < 200:
                places.append(f"{place}{weight}")
    return " ".join(f"'{owner}.{word}':{','.join(places)}" for word, places in found.items())


def _best_shared(rows: Rows, owner: int, words: Sequence[str], folders: tuple[int, int], most: int) -> list[FolderEntry]:
    asked = " & ".join(f"'{owner}.{word[:LONGEST]}':*" for word in words)
    return [_entry(row) for row in rows.run(BEST_SHARED, (asked, owner, *folders, asked, most))]


def _having(rows: Rows, owner: int, among: Sequence[FolderEntry], words: str, most: int) -> list[FolderEntry]:
    """The first `most` of these that have words which are in no index."""
    asks, unpacking = Words(words), Unpacking()
    found: list[FolderEntry] = []
    for start in range(0, len(among), 100):
        some = among[start : start + 100]
        rows_of = (row for mails in hundreds([each.mail for each in some]) for row in rows.run(TEXTS, (owner, *mails)))
        having = {mail for mail, body in rows_of if asks.true_of(unpacking.text(body))}
        found += [each for each in some if each.mail in having]
        if len(found) >= most:
            break
    return found[:most]


def ranked_words(text: Searched) -> RankedWords:
    """The words of a text that is searched."""
    people = [value for field in COLUMNS if field != "subject" for value in text.values(field.encode())]
    body = text.octets[text.body : min(text.names - 1, text.body + BODY)]
    return RankedWords(_words(text.values(b"subject")), _words([*people, text.octets[text.names :]]), _words([body]))


def _words(octets: Sequence[bytes]) -> str:
    text = b"\n".join(octets).decode("utf-8", "ignore")
    return text if text.isascii() else " ".join(divided_in(text))


def _entry(row: Sequence[object]) -> FolderEntry:
    folder, *rest = row
    assert isinstance(folder, int)
    return entries.entry_of(folder, rest)
