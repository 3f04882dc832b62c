"""A search finds what is in a message as a person reads it, and nothing else."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from email import message_from_bytes
from email.header import Header
from email.message import EmailMessage
from email.policy import default
from typing import NamedTuple
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.mail.flags import Flag
from mailer.mail.query import Among, Contains, Either, Every, Has, Is, Leaf, Not, Query, Within
from mailer.mailbox import texts
from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.finding import KeySearch
from mailer.mailbox.owners.api import Owner

ALPHABET = (
    "Straße",
    "STRASSE",
    "Ärger",
    "arger",
    "Ωmega",
    "ωΜΕΓΑ",
    "東京都",
    "京",
    "привет",
    "ПРИВЕТ",
    "a",
    "ab",
    "B",
    "%",
    "_",
    "\\",
    "é",
    "e\u0301",
    "İ",
)
CHARSETS = {"utf-8": "utf-8", "koi8-r": "koi8-r", "iso-2022-jp": "iso-2022-jp", "windows-1252": "windows-1252"}


class Letter(NamedTuple):
    """What a message says, as its reader sees it, and how it is kept."""

    subject: str
    sender: str
    text: str
    html: str
    file: str
    flags: Flag
    keywords: tuple[str, ...]
    received: float
    folder: str

    def content(self) -> bytes:
        """The message, in the encodings that the standard library chooses."""
        message = EmailMessage()
        message["From"] = f"{Header(self.sender, 'utf-8').encode()} <anna@example.org>"
        message["Subject"] = self.subject
        message["X-Tag"] = self.sender
        message["Date"] = "Sat, 21 Nov 2026 23:15:29 -0500"
        message.set_content(self.text)
        if self.html:
            message.add_alternative(f"<html><style>hidden</style><p>{self.html.replace('&', '&amp;')}</p></html>", subtype="html")
        if self.file:
            message.add_attachment(b"\0hidden", maintype="application", subtype="octet-stream", filename=self.file)
        return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def a_text(chance: random.Random, most: int = 4) -> str:
    """Some words of several scripts."""
    return " ".join(chance.choice(ALPHABET) for _ in range(chance.randint(1, most)))


def letters(seed: int, many: int) -> Sequence[Letter]:
    """Messages by chance."""
    chance = random.Random(seed)
    return [
        Letter(
            a_text(chance), a_text(chance, 2).replace("\\", ""), a_text(chance, 8), chance.choice(("", a_text(chance, 8))),
            chance.choice(("", f"{a_text(chance, 1).strip('%_')}.pdf")), Flag(chance.randint(0, 31)), ("$Junk",) * chance.randint(0, 1),
            86400.0 * chance.randint(1, 5) + chance.randint(0, 86399), chance.choice(("INBOX", "Archive")),
        )
        for _ in range(many)
    ]  # fmt: skip


def box() -> OwnMailbox:
    """An empty mailbox in memory."""
    return OwnMailbox(Owner("01J00000000000000000000000", 1, "anna@example.org", time.time()), MemoryEngine(), MemoryBodies())


class Filled(NamedTuple):
    """A mailbox, and what is in it by folder and UID."""

    box: OwnMailbox
    letters: dict[tuple[int, int], Letter]


def filled(seed: int = 1, many: int = 60) -> Filled:
    """A mailbox with messages by chance."""
    mailbox = box()
    found = {}
    for letter in letters(seed, many):
        put = mailbox.put([NewMail(letter.folder, letter.content(), b"", letter.flags, letter.keywords, letter.received)])[0]
        found[put.folder, put.uid] = letter
    return Filled(mailbox, found)


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Filled]:
    """One that no test changes."""
    made = filled()
    yield made
    made.box.close()


def contains(needle: str, text: str) -> bool:
    """Whether a text is in another as people compare them."""
    return texts.folded(needle) in texts.folded(text)


def naive(query: Query, letter: Letter, uid: int) -> bool:
    """Whether a query is true of a message, by what it says."""
    match query:
        case Has(flag, keyword):
            return bool(letter.flags & flag) if flag is not None else keyword.lower() in map(str.lower, letter.keywords)
        case Among(uids):
            return uids is None or any(first <= uid <= last for first, last in uids)
        case Within("received-day", least, most):
            return (least is None or least <= letter.received // 86400) and (most is None or letter.received // 86400 <= most)
        case Contains("header", text, name):
            return contains(text, {"subject": letter.subject, "x-tag": letter.sender, "from": f"{letter.sender} <anna@example.org>"}[name])
        case Contains("body", text):
            return contains(text, letter.text) or contains(text, letter.html)
        case Contains("text", text):
            header = message_from_bytes(letter.content(), policy=default).items()
            return any(contains(text, part) for part in (letter.text, letter.html, *(f"{name}: {value}" for name, value in header)))
        case Contains("attachment", text):
            return bool(letter.file) and contains(text, letter.file)
        case Every(queries):
            return all(naive(each, letter, uid) for each in queries)
        case Either(queries):
            return any(naive(each, letter, uid) for each in queries)
        case Not(inner):
            return not naive(inner, letter, uid)
    raise AssertionError(query)


NEEDLES = (
    st.sampled_from(ALPHABET)
    | st.sampled_from([f"{one} {other}" for one in ALPHABET for other in ALPHABET])
    | st.sampled_from(["ra", "ß", "Σ"])
)
LEAVES = st.one_of(
    st.builds(Has, st.sampled_from([*Flag])),
    st.just(Has(None, "$junk")),
    st.builds(lambda first, more: Among(((first, first + more),)), st.integers(1, 30), st.integers(0, 20)),
    st.builds(lambda least, most: Within("received-day", least, most), st.none() | st.integers(1, 5), st.none() | st.integers(1, 5)),
    st.builds(Contains, st.just("header"), NEEDLES, st.sampled_from(["subject", "from", "x-tag"])),
    st.builds(Contains, st.sampled_from(["body", "text", "attachment"]), NEEDLES),
)
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.builds(Every, st.lists(inner, max_size=3)) | st.builds(Either, st.lists(inner, max_size=3)) | st.builds(Not, inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(query=QUERIES, one=st.booleans())
def test_a_search_agrees_with_what_messages_say(mailbox: Filled, query: Query, one: bool) -> None:
    """Of any tree of keys, in one folder and in all."""
    folder = mailbox.box.folder("INBOX")
    assert folder is not None
    found = [(each.folder, each.uid) for each in mailbox.box.search(query, folder.id if one else None)]
    said = [place for place, letter in mailbox.letters.items() if naive(query, letter, place[1]) and (not one or place[0] == folder.id)]
    assert found == sorted(said)


def test_a_tree_of_any_depth_is_searched_without_recursion(mailbox: Filled) -> None:
    """Fifty thousand negations are none."""
    query: Query = Has(Flag.SEEN)
    for _ in range(25_000):
        query = Not(Every((Not(query),)))
    assert mailbox.box.search(query) == mailbox.box.search(Has(Flag.SEEN))


@pytest.mark.parametrize("kind", [Every, Either])
def test_what_is_within_its_own_kind_is_asked_once(mailbox: Filled, monkeypatch: pytest.MonkeyPatch, kind: type[Every | Either]) -> None:
    """A thousand of a kind in each other are one, in which a key that is there many times is asked once; two negations are none."""
    asked: list[Leaf] = []
    found = KeySearch.found

    def noted(self: KeySearch, leaf: Leaf, among: AbstractSet[int] | None) -> AbstractSet[int]:
        asked.append(leaf)
        return found(self, leaf, among)

    monkeypatch.setattr(KeySearch, "found", noted)
    seen, junk = Has(Flag.SEEN), Has(None, "$junk")
    query: Query = Not(Not(seen))
    for nth in range(1000):
        query = kind((query, junk if nth % 2 else Not(Not(junk))))
    assert mailbox.box.search(query) == mailbox.box.search(kind((seen, junk)))
    assert len(asked) <= 4


def test_without_the_rows_of_texts_the_same_is_found() -> None:
    """Whoever deletes what is made for searches loses time: it is made again from the messages."""
    made = filled(2, 20)
    queries = (Contains("text", "京"), Contains("header", "a", "subject"), Contains("attachment", ""), Within("size", 1, 900))
    before = [made.box.search(query) for query in queries]
    for query, expected in zip(queries, before, strict=True):
        made.box.engine.change(lambda rows: (rows.change("DELETE FROM text"), rows.change("DELETE FROM heading")))
        assert made.box.search(query) == expected
    assert made.box.engine.read(lambda rows: rows.run("SELECT count(*) FROM text")) == [(20,)]


def test_a_message_whose_body_is_lost_keeps_no_other_from_being_found() -> None:
    """Nothing is found in it where its text is gone as well."""
    made = filled(3, 5)
    first = made.box.search(Every(()))[0]
    made.box.bodies.remove([first.mail])
    made.box.engine.change(lambda rows: rows.change("DELETE FROM text"))
    assert len(made.box.search(Contains("text", "anna@example.org"))) == 4


def test_words_are_found_by_their_beginnings_and_in_undivided_text() -> None:
    """In any order; a word in the middle of Japanese is found, one in the middle of a Latin word is not."""
    mailbox = box()
    mailbox.put([NewMail("INBOX", "Subject: Quarterly figures\r\n\r\nDie Überweisung: 明日は東京都へ行きます\r\n".encode())])
    for words, found in (
        ("figu QUART", 1),
        ("über", 1),
        ("weisung", 0),
        ("東京", 1),
        ("京都", 1),
        ("figures 京都 die", 1),
        ("figures 大阪", 0),
    ):
        assert len(mailbox.search(Contains("words", words))) == found, words


@pytest.mark.parametrize("marks", ["\u0301\u0323" * 100_000, "e" + "\u0301" * 200_000, "\u1100\u1161" * 100_000, "か\u3099" * 100_000])
def test_a_letter_under_a_hundred_thousand_marks_takes_no_time(marks: str) -> None:
    """Composing takes the square of what is composed together, which has a bound; what is usual is composed whole."""
    began = time.process_time()
    made = texts.folded(marks)
    assert time.process_time() - began < 2
    assert made[:40] == normalize("NFC", marks[:400])[:40]


@pytest.mark.parametrize(
    "pair", ["\u09c7\u09be", "\u0bc6\u0bbe", "\u0d46\u0d3e", "\u1025\u102e", "\u0cc6\u0cc2\u0cd5", "\U00011131\U00011127"]
)
def test_a_vowel_is_composed_with_its_letter_wherever_they_are(pair: str) -> None:
    """Some that are no marks are composed with what is before them; a text is not cut between the two."""
    for before in range(120, 130):
        assert texts.folded("x" * before + pair) == "x" * before + normalize("NFC", pair)


@given(st.text(alphabet="aé\u0301か\u3099\u1100\u1161\u11a8Ω\u0323", max_size=400).map(lambda text: f"a{text}" * 3))
def test_text_is_composed_wherever_it_is_cut(text: str) -> None:
    """As a whole, where no letter has more marks than letters have."""
    text = re.sub("([\u0301\u0323\u3099]{30})[\u0301\u0323\u3099]+", r"\1", text)
    assert texts.folded(text) == normalize("NFC", text.casefold())


def test_no_octet_of_a_text_is_taken_for_what_divides_texts() -> None:
    """A zero is in no text and is found nowhere, and no field is found that a body only writes."""
    mailbox = box()
    mailbox.put([NewMail("INBOX", b"Subject: a\r\nX-A: b\r\n\r\nx-c: d\0e\r\nsubject: z\r\n")])
    assert not mailbox.search(Contains("text", "\0"))
    assert not mailbox.search(Contains("header", "", "x-c"))
    assert not mailbox.search(Contains("header", "z", "subject"))
    assert mailbox.search(Contains("header", "", "x-a"))
    assert mailbox.search(Contains("body", "d e"))


def test_a_date_that_is_not_there_is_on_no_day() -> None:
    """SENTBEFORE finds no message without a Date field; the day is that of its writer."""
    mailbox = box()
    mailbox.put([NewMail("INBOX", b"Subject: a\r\n\r\n"), NewMail("INBOX", b"Date: Sat, 21 Nov 2026 23:15:29 -0500\r\n\r\n")])
    assert [each.uid for each in mailbox.search(Within("day", None, 30_000))] == [2]
    assert [each.uid for each in mailbox.search(Within("day", 20_778, 20_778))] == [2]


def test_messages_of_a_conversation_are_found() -> None:
    """By its ID, and one by its own."""
    mailbox = box()
    first = mailbox.put([NewMail("INBOX", b"Message-ID: <1@x>\r\nSubject: a\r\n\r\n")])[0]
    mailbox.put(
        [NewMail("Sent", b"Message-ID: <2@x>\r\nReferences: <1@x>\r\nSubject: Re: a\r\n\r\n"), NewMail("INBOX", b"Subject: b\r\n\r\n")]
    )
    assert len(mailbox.search(Is("thread", first.mail))) == 2
    assert [each.mail for each in mailbox.search(Is("mail", first.mail))] == [first.mail]


@pytest.mark.parametrize("kept", [b"", b"x" * 100, "ü\n".encode() * 5000])
@pytest.mark.parametrize("zstandard", [True, False])
def test_a_text_is_kept_whatever_compresses_it(monkeypatch: pytest.MonkeyPatch, kept: bytes, zstandard: bool) -> None:
    """With zstandard and without it."""
    if zstandard:
        pytest.importorskip("zstandard")
    else:
        monkeypatch.setattr(texts, "_zstandard", lambda: None)
    octets = b"\nsubject: a\0" + kept + b"\0name"
    text = texts.Unpacking().text(texts.packed(octets))
    assert text.octets == octets
    assert text.octets[text.body : text.names - 1] == kept
