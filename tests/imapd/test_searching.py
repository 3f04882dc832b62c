"""A client looks for messages, has them sorted and threaded, and names what he found."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from mailer.imap.searching import MOST_FIELDS, MOST_KEYS, MOST_TEXTS
from mailer.imap.sorting import KEYS
from mailer.imapd import searching
from mailer.mail.flags import PLAIN, Flag
from mailer.mailbox.api import NewMail
from tests.fakes.chance import examples
from tests.imap.letters import letter as shaped
from tests.mime.test_bombs import BOMBS

from .house import ImapHouse, in_house
from .talking import ImapTalk

DAY = 86400.0


def letter(subject: str, sender: str = "bob", *, text: str = "words", more: str = "") -> bytes:
    """A message."""
    return f"From: {sender}@example.net\r\nSubject: {subject}\r\n{more}\r\n{text}\r\n".encode()


def fill(house: ImapHouse, *letters: bytes) -> None:
    """Put messages, one a day from now back, the oldest first."""
    with house.premises.ann() as box:
        now = house.premises.now
        box.put([NewMail("INBOX", each, b"", PLAIN, (), now - (len(letters) - nth) * DAY) for nth, each in enumerate(letters)])


SOME = tuple(letter(f"number {nth}", "abc"[nth % 3], text="needle" if nth == 4 else "hay") for nth in range(1, 6))


async def last(talk: ImapTalk, command: str) -> str:
    """The line that ends a command that cannot be done."""
    return (await talk.do(command))[-1]


def test_what_is_found_is_told_as_it_is_asked_for() -> None:
    """RFC 9051 §6.4.4, RFC 3501 §6.4.4: by number or UID, in the old answer or in the new one."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        with house.premises.ann() as box:
            box.expunge(1, [(1, 1)], marked=False)
        ann = await house.selected()
        assert await ann.ok("SEARCH BODY needle") == ["* SEARCH 3"]
        assert await ann.ok("UID SEARCH BODY needle") == ["* SEARCH 4"]
        assert await ann.ok("SEARCH BODY nowhere") == ["* SEARCH"]
        assert await ann.ok("SEARCH 2:* NOT SUBJECT 3") == ["* SEARCH 3 4"]
        assert await ann.ok("UID SEARCH UID 1:3,5 2:*") == ["* SEARCH 3 5"]
        assert await ann.ok("UID SEARCH RETURN (MIN MAX COUNT ALL) ALL") == ['* ESEARCH (TAG "a8") UID MIN 2 MAX 5 ALL 2:5 COUNT 4']
        assert await ann.ok("SEARCH RETURN () OR SUBJECT 2 SUBJECT 5") == ['* ESEARCH (TAG "a9") ALL 1,4']
        assert await ann.ok("SEARCH RETURN (MIN) BODY nowhere") == ['* ESEARCH (TAG "a10")']

    in_house(talk)


def test_revision_two_gets_the_new_answer() -> None:
    """RFC 9051 §7.3.4: whether something was found or not."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.client()
        await ann.ok("ENABLE IMAP4rev2")
        await ann.ok("SELECT INBOX")
        assert await ann.ok("SEARCH ALL") == ['* ESEARCH (TAG "a4") ALL 1:5']
        assert await ann.ok("UID SEARCH BODY nowhere") == ['* ESEARCH (TAG "a5") UID']

    in_house(talk)


def test_what_was_saved_is_named_by_a_sign() -> None:
    """RFC 5182 §2: until something else is saved; and what went is not in it any more."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        assert await ann.ok("SEARCH $") == ["* SEARCH"]
        assert await ann.ok("SEARCH RETURN (SAVE) NOT SUBJECT 3") == []
        assert await ann.ok("SEARCH $ 1:4") == ["* SEARCH 1 2 4"]
        assert await ann.ok("UID SEARCH UID $ FROM c@") == ["* SEARCH 2 5"]
        await ann.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        await ann.ok("EXPUNGE")
        assert await ann.ok("UID SEARCH $") == ["* SEARCH 1 4 5"]
        assert await ann.ok("SEARCH RETURN (SAVE COUNT) $ FROM a@") == ['* ESEARCH (TAG "a10") COUNT 0']
        assert await ann.ok("SEARCH $") == ["* SEARCH"]

    in_house(talk)


@pytest.mark.parametrize(
    ("options", "saved"), [("MIN", "1"), ("MAX", "5"), ("MIN MAX", "1 5"), ("MIN COUNT", "1 2 3 4 5"), ("ALL MAX", "1 2 3 4 5")]
)
def test_what_is_saved_is_what_was_asked_for(options: str, saved: str) -> None:
    """RFC 5182 §2.4, table 1."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        await ann.ok(f"SEARCH RETURN (SAVE {options}) ALL")
        assert await ann.ok("SEARCH $") == [f"* SEARCH {saved}"]

    in_house(talk)


def test_a_search_that_fails_saves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5182 §2.1: NO empties it, BAD leaves it as it is. What takes too long ends with NO, and says so."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        await ann.ok("SEARCH RETURN (SAVE) SUBJECT 3")
        assert (await last(ann, "SEARCH RETURN (SAVE) NOSUCH")).startswith("BAD")
        assert (await last(ann, "SEARCH RETURN (SAVE) 0")).startswith("BAD")
        assert await ann.ok("SEARCH $") == ["* SEARCH 3"]
        assert (await last(ann, "SEARCH RETURN (SAVE) CHARSET KOI8-R TEXT x")).startswith("NO [BADCHARSET (US-ASCII UTF-8)]")
        assert await ann.ok("SEARCH $") == ["* SEARCH"]
        await ann.ok("SEARCH RETURN (SAVE) SUBJECT 3")
        monkeypatch.setattr(searching, "PATIENCE", -1.0)
        for command in ("SEARCH RETURN (SAVE) TEXT x", "SORT (DATE) UTF-8 TEXT x", "THREAD REFERENCES UTF-8 TEXT x"):
            assert (await last(ann, command)).startswith("NO [LIMIT]")
        monkeypatch.undo()
        assert await ann.ok("SEARCH $") == ["* SEARCH"]

    in_house(talk)


def test_numbers_are_those_that_the_session_knows() -> None:
    """RFC 9051 §7.5.1: while others take messages out and put some, nothing is told in between, and nothing new is found."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        with house.premises.ann() as box:
            box.expunge(1, [(2, 2)], marked=False)
        fill(house, letter("number 3 again"))
        assert [each for each in await ann.ok("SEARCH SUBJECT 3") if "SEARCH" in each] == ["* SEARCH 3"]
        found = [each for each in await ann.ok("SEARCH ALL") if "SEARCH" in each]
        assert found[0] in {"* SEARCH 1 3 4 5", "* SEARCH 1 3 4 5 6"}
        await ann.ok("NOOP")
        assert await ann.ok("SEARCH SUBJECT 3") == ["* SEARCH 2 5"]
        assert await ann.ok("UID SEARCH SUBJECT 3") == ["* SEARCH 3 6"]

    in_house(talk)


@pytest.mark.parametrize(
    "command", ["UID SEARCH SUBJECT 3", "SEARCH ALL", "UID SORT (ARRIVAL) UTF-8 ALL", "THREAD ORDEREDSUBJECT UTF-8 ALL"]
)
def test_what_came_and_was_not_told_is_not_found(command: str) -> None:
    """RFC 9051 §5.5: a client is never told a number or a UID of a message of which it has not heard; then it is."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        before = await ann.ok(command)
        fill(house, letter("number 3"))
        found, *news = await ann.ok(command)
        assert [found] == before
        await ann.ok("NOOP")
        assert await ann.ok(command) != before
        assert not [each for each in news if "6" in each and each not in ("* 6 EXISTS", "* 6 RECENT")]

    in_house(talk)


def test_a_modseq_is_told_of_what_was_found() -> None:
    """RFC 7162 §3.1.5, RFC 4731 §3.2: the highest of all, or of those that are named."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        with house.premises.ann() as box:
            marks = [box.flag(1, [(uid, uid)], "add", Flag.FLAGGED).modseq for uid in (5, 1, 3)]
        ann = await house.selected()
        assert (await ann.ok(f"SEARCH MODSEQ {marks[0]}"))[-1:] == [f"* SEARCH 1 3 5 (MODSEQ {marks[2]})"]
        assert await ann.ok(f"SEARCH MODSEQ {marks[2] + 9}") == ["* SEARCH"]
        tag = 'TAG "a5"'
        assert await ann.ok(f"SEARCH RETURN (MIN MAX) MODSEQ {marks[0]}") == [f"* ESEARCH ({tag}) MIN 1 MAX 5 MODSEQ {marks[1]}"]
        assert await ann.ok(f"SORT (SUBJECT) UTF-8 MODSEQ {marks[1]}") == [f"* SORT 1 3 (MODSEQ {marks[2]})"]

    in_house(talk)


def test_days_and_ages() -> None:
    """RFC 9051 §6.4.4, RFC 5032 §3, RFC 8514 §4.3: a day is that of INTERNALDATE as it is told; ages count in seconds."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        now = house.premises.now
        third = time.strftime("%d-%b-%Y", time.gmtime(now - 3 * DAY))
        today = time.strftime("%d-%b-%Y", time.gmtime(now))
        assert await ann.ok(f"SEARCH BEFORE {third}") == ["* SEARCH 1 2"]
        assert await ann.ok(f"SEARCH ON {third}") == ["* SEARCH 3"]
        assert await ann.ok(f'SEARCH SINCE "{third}"') == ["* SEARCH 3 4 5"]
        assert await ann.ok(f"SEARCH OLDER {int(3 * DAY)}") == ["* SEARCH 1 2 3"]
        assert await ann.ok(f"SEARCH YOUNGER {int(3 * DAY)}") == ["* SEARCH 3 4 5"]
        assert await ann.ok(f"SEARCH NOT (YOUNGER {int(3 * DAY)} OLDER 60)") == ["* SEARCH 1 2"]
        house.premises.now += 0.75
        assert await ann.ok(f"SEARCH OLDER {int(3 * DAY)} YOUNGER {int(3 * DAY)}") == ["* SEARCH 3"]
        assert await ann.ok(f"SEARCH SAVEDON {today}") == ["* SEARCH 1 2 3 4 5"]
        assert await ann.ok(f"SEARCH SAVEDBEFORE {today}") == ["* SEARCH"]

    in_house(talk)


def test_a_writer_has_a_day_of_his_own() -> None:
    """RFC 9051 §6.4.4: SENTON looks at the date as it is written, disregarding time and zone."""

    async def talk(house: ImapHouse) -> None:
        fill(house, letter("a", more="Date: Sat, 21 Nov 2026 23:15:29 -0500\r\n"), letter("b"))
        ann = await house.selected()
        assert await ann.ok("SEARCH SENTON 21-Nov-2026") == ["* SEARCH 1"]
        assert await ann.ok("SEARCH SENTON 22-Nov-2026") == ["* SEARCH"]
        assert await ann.ok("SEARCH SENTBEFORE 22-Nov-2026 SENTSINCE 21-Nov-2026") == ["* SEARCH 1"]

    in_house(talk)


def test_texts_are_found_in_any_script_and_case() -> None:
    """In headers that were decoded, and in bodies; in a literal, or a quoted string where UTF-8 was enabled."""

    async def talk(house: ImapHouse) -> None:
        fill(
            house, "From: =?utf-8?q?Zo=C3=8B?= <z@x>\r\nSubject: =?koi8-r?b?8NLJ18XU?=\r\n\r\nÜBERWEISUNG 東京都\r\n".encode(), letter("b")
        )
        ann = await house.selected()
        for key, text in (("FROM", "zoë"), ("SUBJECT", "ПРИВЕТ"), ("BODY", "überweisung"), ("TEXT", "京都"), ("HEADER SUBJECT", "ивет")):
            octets = text.encode()
            assert await ann.ok(b"SEARCH CHARSET UTF-8 %b {%d}\r\n%b" % (key.encode(), len(octets), octets)) == ["* SEARCH 1"]
        assert (await last(ann, 'SEARCH SUBJECT "ПРИВЕТ"')).startswith("BAD")
        await ann.ok("ENABLE UTF8=ACCEPT")
        await ann.ok("SELECT INBOX")
        assert await ann.ok('SEARCH SUBJECT "привет"') == ["* SEARCH 1"]
        assert await ann.ok('SEARCH HEADER X-Nowhere ""') == ["* SEARCH"]
        assert await ann.ok('SEARCH HEADER FROM ""') == ["* SEARCH 1 2"]

    in_house(talk)


def test_messages_are_sorted() -> None:
    """RFC 5256 §3, RFC 5957, RFC 5267: alike ones by their numbers, in both directions."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        assert await ann.ok("SORT (FROM) UTF-8 ALL") == ["* SORT 3 1 4 2 5"]
        assert await ann.ok("SORT (REVERSE FROM) UTF-8 ALL") == ["* SORT 2 5 1 4 3"]
        assert await ann.ok("UID SORT (FROM REVERSE ARRIVAL) US-ASCII 1:4") == ["* SORT 3 4 1 2"]
        assert await ann.ok("SORT (DISPLAYFROM REVERSE DATE) UTF-8 NOT 3") == ["* SORT 4 1 5 2"]
        assert await ann.ok("SORT (SUBJECT) UTF-8 BODY nowhere") == ["* SORT"]
        assert await ann.ok("UID SORT RETURN (MIN MAX ALL COUNT) (FROM) UTF-8 ALL") == [
            '* ESEARCH (TAG "a8") UID MIN 3 MAX 5 ALL 3,1,4,2,5 COUNT 5'
        ]
        assert (await last(ann, "SORT (DATE) KOI8-R ALL")).startswith("NO [BADCHARSET (US-ASCII UTF-8)]")

    in_house(talk)


def test_messages_are_threaded() -> None:
    """RFC 5256 §3: by what they answer, and by their subjects."""

    async def talk(house: ImapHouse) -> None:
        fill(
            house,
            letter("a", more="Message-ID: <a@x>\r\n"),
            letter("b", more="Message-ID: <b@x>\r\n"),
            letter("Re: a", more="Message-ID: <c@x>\r\nReferences: <a@x>\r\n"),
            letter("c", more="Message-ID: <d@x>\r\nIn-Reply-To: <a@x>\r\n"),
        )
        ann = await house.selected()
        assert await ann.ok("THREAD REFERENCES UTF-8 ALL") == ["* THREAD (1 (3)(4))(2)"]
        assert await ann.ok("UID THREAD ORDEREDSUBJECT UTF-8 ALL") == ["* THREAD (1 3)(2)(4)"]
        assert await ann.ok("THREAD REFERENCES UTF-8 SUBJECT nowhere") == ["* THREAD"]

    in_house(talk)


def test_a_message_has_one_id_wherever_it_is() -> None:
    """RFC 8474 §5: that which FETCH tells, by which it is found in other folders."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        await ann.ok("COPY 2 Archive")
        (line,) = await ann.ok("FETCH 2 (EMAILID THREADID)")
        found = re.fullmatch(r"\* 2 FETCH \(EMAILID \((\S+)\) THREADID \((\S+)\)\)", line)
        assert found is not None
        assert found[1] != found[2]  # RFC 8474 §5.2
        for folder, number in (("INBOX", 2), ("Archive", 1)):
            await ann.ok(f"SELECT {folder}")
            assert await ann.ok(f"SEARCH EMAILID {found[1]}") == [f"* SEARCH {number}"]
            assert await ann.ok(f"SEARCH THREADID {found[2]}") == [f"* SEARCH {number}"]
            assert await ann.ok(f"SEARCH EMAILID {found[1].lower()}") == ["* SEARCH"]

    in_house(talk)


@pytest.mark.parametrize("numbers", ["1:4294967295", "*:1", "4294967295:*", ",".join(str(nth) for nth in range(1, 12_000))])
def test_sets_are_as_large_as_the_folder(numbers: str) -> None:
    """RFC 9051 §6.4.9: UIDs that are not there are none, however many are named."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *SOME)
        ann = await house.selected()
        began = time.process_time()
        found = await ann.ok(f"UID SEARCH UID {numbers}")
        assert time.process_time() - began < 0.5
        assert found == (["* SEARCH 5"] if numbers.startswith("4") else ["* SEARCH 1 2 3 4 5"])

    in_house(talk)


@pytest.mark.slow
def test_letters_of_all_shapes_are_sorted_and_threaded() -> None:
    """Hostile ones, too: each of them is in each answer, once."""
    bombs = [bomb for name, made in BOMBS.items() if "50 MB" not in name and len(bomb := made()) < 400_000]

    async def talk(house: ImapHouse) -> None:
        fill(house, *bombs, *(shaped(seed) for seed in range(examples(100))))
        ann = await house.selected()
        everything = [*range(1, len(bombs) + examples(100) + 1)]
        for name in KEYS:
            (line,) = await ann.ok(f"SORT ({name}) UTF-8 ALL")
            (backwards,) = await ann.ok(f"SORT (REVERSE {name} SIZE) UTF-8 ALL")
            assert sorted(map(int, line.split()[2:])) == sorted(map(int, backwards.split()[2:])) == everything
        for algorithm in ("REFERENCES", "ORDEREDSUBJECT"):
            (line,) = await ann.ok(f"THREAD {algorithm} UTF-8 ALL")
            assert sorted(map(int, re.findall(r"[0-9]+", line))) == everything
        (line,) = await ann.ok("SEARCH OR TEXT a NOT TEXT a")
        assert [*map(int, line.split()[2:])] == everything

    in_house(talk)


def test_an_empty_folder_is_searched() -> None:
    """There is no number in it, RFC 9051 §9, and nothing is found."""

    async def talk(house: ImapHouse) -> None:
        ann = await house.selected()
        assert await ann.ok("SEARCH ALL") == ["* SEARCH"]
        assert await ann.ok("UID SEARCH UID 1:*") == ["* SEARCH"]
        assert await ann.ok("SORT (DATE) UTF-8 ALL") == ["* SORT"]
        assert await ann.ok("THREAD REFERENCES UTF-8 ALL") == ["* THREAD"]

    in_house(talk)


DEAREST = " ".join([f"OR TEXT nowhere{nth}" for nth in range(MOST_TEXTS)] + [f"OR HEADER x-{nth} no" for nth in range(MOST_FIELDS)])
DEAREST += "".join(f" OR SUBJECT nowhere{nth}" for nth in range((MOST_KEYS - 1) // 2 - MOST_TEXTS - MOST_FIELDS)) + " SUBJECT no"
"""The dearest search that is no bad command."""


def test_the_dearest_search_has_an_end() -> None:
    """It takes milliseconds for each message: seconds for 10,000 of them, and never more than its patience."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *[letter(f"number {nth}", text="hay " * 500) for nth in range(100)])
        ann = await house.selected()
        began = time.process_time()
        assert await ann.ok(f"SEARCH {DEAREST}") == ["* SEARCH"]
        assert time.process_time() - began < 2
        assert (await last(ann, f"SEARCH {DEAREST} OR SEEN SEEN")).startswith("BAD")

    in_house(talk)


def test_others_have_their_turn_while_somebody_searches() -> None:
    """A search of seconds is done in a thread: whoever asks something else is answered in 50 milliseconds."""

    async def talk(house: ImapHouse) -> None:
        fill(house, *[letter(f"number {nth}", text="hay " * 20_000) for nth in range(100)])
        ann, other = await house.selected(), await house.client()
        searching_ = asyncio.ensure_future(ann.ok(f"SEARCH {DEAREST}"))
        waited = []
        while not searching_.done():
            began = time.monotonic()
            await other.ok("NOOP")
            waited.append(time.monotonic() - began)
        assert await searching_ == ["* SEARCH"]
        assert sorted(waited)[len(waited) // 2] < 0.05
        assert len(waited) > 5

    asyncio.run(with_house(talk))


async def with_house(talk: object) -> None:
    """As `in_house`, in real time."""
    async with ImapHouse() as house:
        await talk(house)  # type: ignore[operator]
