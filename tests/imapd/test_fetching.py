"""FETCH of a folder: octet by octet what was put, what is lost or gone is left out, and no message is too large."""

from __future__ import annotations

import base64
import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailer.imap.sections import HEADER
from mailer.imapd import portions
from mailer.imapd.streaming import PIECE, CutOff
from mailer.imapd.troubles import GONE
from mailer.mail.flags import Flag
from mailer.mail.problem import Problem
from mailer.mailbox.api import Frozen, NewMail, NoKey, StoredMail
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import SqliteEngine
from mailer.mailbox.heads import LONGEST
from mailer.mime.tree import every, parsed
from tests.fakes.chance import examples
from tests.imap.letters import letter
from tests.imap.trees import read, value
from tests.mailbox.premises import Premises, put
from tests.mime.test_bombs import BOMBS

from .teller import Teller

MIXED = (
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
    b"--a\r\nContent-Transfer-Encoding: base64\r\n\r\nAGhlbGxv\r\n"
    b"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntwo\r\n"
    b"--a\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc\r\n"
    b"--a\r\nContent-Transfer-Encoding: x-own\r\n\r\n?\r\n--a--\r\n"
)


@contextmanager
def box_of(*contents: bytes, **more: object) -> Iterator[OwnMailbox]:
    """A mailbox in memory with these messages in its inbox."""
    premises = Premises()
    with premises.ann() as box:
        box.put([NewMail("INBOX", content, **more) for content in contents])  # type: ignore[arg-type]
        yield box
    premises.boxes.close()


def literal(octets: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(octets), octets)


def test_what_was_put_comes_back_octet_by_octet(premises: Premises) -> None:
    """Of whatever octets it is, with a prefix of its owner; and RFC822.SIZE says how many they are."""
    contents = [
        b"Subject: x\r\n\r\nline\r\n",
        b"bare\nlf\n\n.\n",
        b"bare\rcr",
        b"\xff\xfe8bit\r\n\r\n\0nul",
        b"",
        b"\r\n",
        *map(letter, range(20)),
    ]
    with premises.ann() as box:
        box.put([NewMail("INBOX", content, b"Delivered-To: a\r\n" if nth % 2 else b"") for nth, content in enumerate(contents)])
        wanted = [b"Delivered-To: a\r\n" * (nth % 2) + content for nth, content in enumerate(contents)]
        for item in (b"BODY.PEEK[]", b"RFC822", b"BODY[]", b"BINARY.PEEK[]"):
            name = item.replace(b".PEEK", b"")
            said = Teller(box, readonly=True).told(b"1:* (RFC822.SIZE %b)" % item)
            assert said == b"".join(
                b"* %d FETCH (RFC822.SIZE %d %b %b%b)\r\n" % (
                    nth, len(octets), name, b"~" * (item.startswith(b"BINARY") and b"\0" in octets), literal(octets),
                )
                for nth, octets in enumerate(wanted, 1)
            )  # fmt: skip


@pytest.mark.parametrize(
    ("item", "answer"),
    [
        (b"BODY.PEEK[1]", b"BODY[1] {8}\r\nAGhlbGxv"),
        (b"BODY.PEEK[1.MIME]", b"BODY[1.MIME] {37}\r\nContent-Transfer-Encoding: base64\r\n\r\n"),
        (b"BODY.PEEK[1]<2.3>", b"BODY[1]<2> {3}\r\nhlb"),
        (b"BODY.PEEK[1]<8.3>", b"BODY[1]<8> {0}\r\n"),
        (b"BODY.PEEK[1]<900.3>", b"BODY[1]<900> {0}\r\n"),
        (b"BODY.PEEK[2.HEADER]", b"BODY[2.HEADER] {18}\r\nSubject: inner\r\n\r\n"),
        (b"BODY.PEEK[2.TEXT]", b"BODY[2.TEXT] {3}\r\ntwo"),
        (b"BODY.PEEK[2.1]", b"BODY[2.1] {3}\r\ntwo"),
        (b"BODY.PEEK[2.HEADER.FIELDS (subject)]<0.7>", b"BODY[2.HEADER.FIELDS (subject)]<0> {7}\r\nSubject"),
        (b"BODY.PEEK[9]", b"BODY[9] NIL"),
        (b"BODY.PEEK[1.HEADER]", b"BODY[1.HEADER] NIL"),
        (b"BODY.PEEK[9]<1.2>", b"BODY[9]<1> NIL"),
        (b"BINARY.PEEK[1]", b"BINARY[1] ~{6}\r\n\0hello"),
        (b"BINARY.PEEK[1]<1.9>", b"BINARY[1]<1> {5}\r\nhello"),
        (b"BINARY.SIZE[1]", b"BINARY.SIZE[1] 6"),
        (b"BINARY.PEEK[2]", b"BINARY[2] {21}\r\nSubject: inner\r\n\r\ntwo"),
        (b"BINARY.PEEK[3]", b"BINARY[3] {4}\r\na=bc"),
        (b"BINARY.SIZE[7]", b"BINARY.SIZE[7] 0"),
        (b"BINARY.PEEK[7]", b"BINARY[7] NIL"),
    ],
)
def test_sections(item: bytes, answer: bytes) -> None:
    """By the tree that is kept of the message; of a message that is sent in pieces the same."""
    with box_of(MIXED) as box:
        assert Teller(box).told(b"1 " + item) == b"* 1 FETCH (" + answer + b")\r\n"
    padded = MIXED.replace(b"--a\r\nContent-Type: message", b"--a\r\n\r\n" + b"x" * portions.ROOM + b"\r\n--a\r\nContent-Type: message")
    if not item.startswith((b"BODY.PEEK[1", b"BINARY.PEEK[1", b"BINARY.SIZE[1")):
        return
    with box_of(padded) as box:
        assert Teller(box).told(b"1 " + item) == b"* 1 FETCH (" + answer + b")\r\n"


def test_an_encoding_that_is_not_known() -> None:
    """The message is left out, others come, and the answer says UNKNOWN-CTE (RFC 9051 §6.4.5)."""
    with box_of(MIXED, MIXED.replace(b"x-own", b"8bit"), MIXED + b"x" * portions.ROOM) as box:
        said, answer = Teller(box).fetch(b"1:3 (UID BINARY.PEEK[4])")
        assert said == b"* 2 FETCH (UID 2 BINARY[4] {1}\r\n?)\r\n"
        assert (answer.kind, answer.code) == ("NO", "UNKNOWN-CTE")
        assert "1, 3" in answer.text
        assert Teller(box).told(b"1 (BODY.PEEK[4])") == b"* 1 FETCH (BODY[4] {1}\r\n?)\r\n"


# -- \\Seen


@pytest.mark.parametrize("item", [b"BODY[]", b"BODY[TEXT]", b"BODY[1]<0.1>", b"RFC822", b"RFC822.TEXT", b"BINARY[1]", b"BODY[HEADER]"])
def test_a_message_that_is_read_is_seen(item: bytes) -> None:
    """And the client hears that, of each that was not before (RFC 9051 §6.4.5)."""
    with box_of(*[b"Subject: x\r\n\r\ny"] * 3) as box:
        box.flag(1, [(2, 2)], "add", Flag.SEEN)
        teller = Teller(box)
        lines = teller.told(b"1:3 " + item).split(b"* ")[1:]
        assert [line.endswith(b" FLAGS (\\Seen))\r\n") for line in lines] == [True, False, True]
        assert [entry.flags for entry in box.entries(1)] == [Flag.SEEN] * 3
        assert b"FLAGS" not in teller.told(b"1:3 " + item)


@pytest.mark.parametrize(
    "item", [b"BODY.PEEK[]", b"BINARY.PEEK[1]", b"BINARY.SIZE[1]", b"RFC822.HEADER", b"BODY.PEEK[HEADER]", b"FULL", b"PREVIEW"]
)
def test_what_peeks_leaves_it(item: bytes) -> None:
    """And so does whatever is asked in a folder that may only be read."""
    with box_of(b"Subject: x\r\n\r\ny") as box:
        Teller(box).told(b"1 " + item)
        Teller(box, readonly=True).told(b"1 (%b BODY[])" % item.replace(b"FULL", b"FLAGS"))
        assert [entry.flags for entry in box.entries(1)] == [Flag(0)]


def test_flags_are_told_as_they_are_then() -> None:
    """Where they were asked for, in their place; with UID and MODSEQ where the session has enabled that (RFC 7162 §3.2)."""
    with box_of(b"Subject: x\r\n\r\ny", flags=Flag.FLAGGED, keywords=("k",)) as box:
        teller = Teller(box, "CONDSTORE", "QRESYNC")
        said = teller.told(b"1 (BODY[TEXT])")
        modseq = box.entries(1)[0].modseq
        assert said == b"* 1 FETCH (BODY[TEXT] {1}\r\ny UID 1 FLAGS (\\Flagged \\Seen k) MODSEQ (%d))\r\n" % modseq
        box.flag(1, None, "remove", Flag.SEEN)
        assert Teller(box).told(b"1 (FLAGS BODY[TEXT] UID)") == b"* 1 FETCH (FLAGS (\\Flagged \\Seen k) BODY[TEXT] {1}\r\ny UID 1)\r\n"
        assert teller.view.news(expunges=False) == []


def test_a_message_that_is_large_is_seen_too() -> None:
    """Its flags are told behind its octets."""
    content = b"Subject: x\r\n\r\n" + b"y" * portions.ROOM
    with box_of(content) as box:
        assert Teller(box).told(b"1 BODY[]") == b"* 1 FETCH (BODY[] " + literal(content) + b" FLAGS (\\Seen))\r\n"
        assert Teller(box).told(b"1 BODY[]") == b"* 1 FETCH (BODY[] " + literal(content) + b")\r\n"


def test_a_mailbox_that_is_being_moved_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing becomes \\Seen in it."""

    def frozen(*_: object, **__: object) -> None:
        raise Frozen("it is being moved")

    with box_of(b"Subject: x\r\n\r\ny") as box:
        monkeypatch.setattr(box, "flag", frozen)
        assert Teller(box).told(b"1 BODY[TEXT]") == b"* 1 FETCH (BODY[TEXT] {1}\r\ny)\r\n"


# -- what is gone, and what is lost


@pytest.mark.parametrize("items", [b"(UID FLAGS)", b"(UID BODY.PEEK[])"])
def test_what_another_session_has_expunged_is_left_out(items: bytes) -> None:
    """The others come, with the numbers that the client knows, and the answer is NO [EXPUNGEISSUED] (RFC 5530 §3); by UID it is none."""
    with box_of(*[b"x\r\n"] * 100) as box:
        teller = Teller(box)
        box.expunge(1, [(2, 2), (40, 98)], marked=False)
        said, answer = teller.fetch(b"1:* " + items)
        assert answer == GONE
        there = [1, *range(3, 40), 99, 100]
        assert [line.split(b" ")[1:5:3] for line in said.split(b"\r\n") if line.startswith(b"* ")] == [[b"%d" % uid] * 2 for uid in there]
        assert teller.told(b"1:* " + items, uid=True) == said
        assert teller.told(b"40:98 " + items, uid=True) == b""


@pytest.mark.parametrize("kind", ["io-error", "no-permission"])
@pytest.mark.parametrize("large", [False, True])
def test_a_body_that_is_lost_costs_its_message_alone(monkeypatch: pytest.MonkeyPatch, kind: str, large: bool) -> None:
    """The others come, that one does not become \\Seen, and the answer is NO [SERVERBUG]; what is kept beside it can be fetched."""
    contents = [b"Subject: %d\r\n\r\n" % nth + b"y" * (portions.ROOM * large) for nth in range(3)]
    with box_of(*contents) as box:
        (lost,) = [entry.mail for entry in box.entries(1, [(2, 2)])]
        whole = box.read

        def broken(mail: StoredMail, start: int = 0, length: int | None = None) -> bytes:
            if mail.id == lost:
                raise Problem("it cannot be read", kind)  # type: ignore[arg-type]
            return whole(mail, start, length)

        monkeypatch.setattr(box, "read", broken)
        teller = Teller(box)
        said, answer = teller.fetch(b"1:3 BODY[]")
        assert (answer.kind, answer.code) == ("NO", "SERVERBUG")
        assert [getattr(alarm, "detail", "") for alarm in teller.alarms] == ["ann@example.com: it cannot be read"]
        assert said == b"".join(b"* %d FETCH (BODY[] %b FLAGS (\\Seen))\r\n" % (nth + 1, literal(contents[nth])) for nth in (0, 2))
        assert [entry.flags for entry in box.entries(1)] == [Flag.SEEN, Flag(0), Flag.SEEN]
        assert Teller(box).told(b"2 (RFC822.SIZE)") == b"* 2 FETCH (RFC822.SIZE %d)\r\n" % len(contents[1])


def test_a_file_that_is_gone_or_was_changed_is_lost(premises: Premises) -> None:
    """However its message is kept: it is not told as if it were what was put."""
    with premises.ann() as box:
        put(box, many=3)
        ids = [entry.mail for entry in box.entries(1)]
        premises.bodies.remove(box.owner.id, ids[:1])
        said, answer = Teller(box).fetch(b"1:* (UID BODY.PEEK[])")
        assert answer.code == "SERVERBUG"
        assert said.count(b"FETCH") == 2


def test_what_keeps_all_messages_from_being_read_is_no_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is not there, and what passes, ends the command."""

    def refusing(problem: Problem) -> object:
        def read(*_: object) -> bytes:
            raise problem

        return read

    with box_of(b"x\r\n") as box:
        for problem in (NoKey("no key"), Problem("busy", "try-again")):
            monkeypatch.setattr(box, "read", refusing(problem))
            with pytest.raises(type(problem)):
                Teller(box).fetch(b"1 BODY[]")


def test_a_message_that_goes_away_in_the_middle_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """No client takes half a literal for a whole one."""
    with box_of(b"x" * PIECE * 4) as box:
        whole = box.read

        def breaking(mail: StoredMail, start: int = 0, length: int | None = None) -> bytes:
            if PIECE <= start < PIECE * 3:
                raise Problem("it cannot be read", "io-error")
            return whole(mail, start, length)

        monkeypatch.setattr(box, "read", breaking)
        with pytest.raises(CutOff):
            Teller(box).fetch(b"1 BODY[]")


# -- headers


def test_headers_that_are_not_kept_are_read_and_kept(premises: Premises) -> None:
    """Those that somebody deleted, once; those that are too long each time; all in their order, and by what the mailbox keeps the same."""
    contents = [b"Subject: %d\r\nX: y\r\n\r\ntext" % nth for nth in range(300)]
    contents[7] = contents[250] = b"X-A: " + b"y" * LONGEST + b"\r\nSubject: 7\r\n\r\ntext"
    item = b"BODY[HEADER.FIELDS (subject)]"
    with premises.ann() as box:
        box.put([NewMail("INBOX", content) for content in contents])
        wanted = Teller(box, readonly=True).told(b"1:* " + item)
        assert wanted.count(b" FETCH (" + item + b" {") == 300
        box.engine.change(lambda rows: rows.change("DELETE FROM head WHERE owner = ? AND mail > ?", (box.engine.owner, "A")))
        assert Teller(box, readonly=True).told(b"1:* " + item) == wanted
        assert [uid for uid, header in box.fetched(1, None, ("header",)) if header is None] == [8, 251]
        assert Teller(box, readonly=True).told(b"1:* " + item) == wanted
        assert Teller(box).told(b"1:* " + item) == wanted.replace(b"\r\n)\r\n", b"\r\n FLAGS (\\Seen))\r\n")


def test_a_kept_header_needs_no_file(premises: Premises) -> None:
    """What most programs ask for of every message."""
    with premises.ann() as box:
        put(box, many=2)
        premises.bodies.remove(box.owner.id, [entry.mail for entry in box.entries(1)])
        said = Teller(box).told(b"1:* (BODY.PEEK[HEADER.FIELDS (subject)] BODY.PEEK[HEADER] RFC822.HEADER)")
        assert said.count(b"{21}\r\nSubject: number 0\r\n\r\n") == 1
        assert said.count(b"RFC822.HEADER {") == 2


# -- CHANGEDSINCE


def test_what_has_changed_since(premises: Premises) -> None:
    """With MODSEQ, and nothing of the others (RFC 7162 §3.1.4.1)."""
    with premises.ann() as box:
        put(box, many=10)
        before = box.folder("INBOX").modseq  # type: ignore[union-attr]
        modseq = box.flag(1, [(2, 3), (8, 8)], "add", Flag.FLAGGED).modseq
        said = Teller(box).told(b"3:9 (FLAGS) (CHANGEDSINCE %d)" % before)
        assert said == b"".join(b"* %d FETCH (FLAGS (\\Flagged) MODSEQ (%d))\r\n" % (number, modseq) for number in (3, 8))
        assert Teller(box).told(b"1:* (FLAGS) (CHANGEDSINCE %d)" % modseq) == b""


def test_what_has_vanished_since() -> None:
    """Is said first, of those UIDs that were asked for (RFC 7162 §3.2.6)."""
    with box_of(*[b"x\r\n"] * 20) as box:
        box.expunge(1, [(3, 5), (9, 9)], marked=False)
        modseq = box.expunge(1, [(12, 12), (15, 20)], marked=False)[0]
        teller = Teller(box, "QRESYNC", "CONDSTORE")
        assert teller.told(b"1:4294967295 UID (CHANGEDSINCE 3 VANISHED)", uid=True).startswith(b"* VANISHED (EARLIER) 3:5,9,12,15:20\r\n")
        assert teller.told(b"4:16 UID (CHANGEDSINCE %d VANISHED)" % (modseq - 1), uid=True).startswith(b"* VANISHED (EARLIER) 12,15:16\r\n")
        assert teller.told(b"1:2 UID (CHANGEDSINCE %d VANISHED)" % (modseq - 1), uid=True) == b""
        assert teller.told(b"1:* UID (CHANGEDSINCE %d VANISHED)" % modseq, uid=True) == b""


def test_what_has_vanished_longer_ago_than_anybody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was asked for and is not there is said, up to the last UID that ever was."""
    with box_of(*[b"x\r\n"] * 10) as box:
        box.expunge(1, [(1, 1), (4, 5), (9, 10)], marked=False)
        changes = box.changes
        monkeypatch.setattr(box, "changes", lambda folder, since: changes(folder, 0)._replace(entries=box.entries(folder), whole=True))
        teller = Teller(box, "QRESYNC", "CONDSTORE")
        for asked, gone in ((b"1:4294967295", b"1,4:5,9:10"), (b"2:4,10:20", b"4,10"), (b"2:3", b"")):
            said = teller.told(asked + b" UID (CHANGEDSINCE 1 VANISHED)", uid=True)
            assert said.partition(b"\r\n")[0] == b"* VANISHED (EARLIER) " + gone if gone else not said.startswith(b"* VANISHED")


# -- bounds


@pytest.mark.slow
def test_memory_is_flat_for_many_messages() -> None:
    """1,000 messages of 20 kB take no more than some portions of them."""
    content = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 1100
    with box_of(*[content] * 1000) as box:
        teller = Teller(box, readonly=True)
        assert most_memory(teller, b"1:* BODY[]") < 6 * portions.ROOM
        assert teller.largest < 2 * portions.ROOM
        assert teller.turns >= 31


@pytest.mark.slow
@pytest.mark.parametrize(
    "item", [b"BODY.PEEK[]", b"BODY.PEEK[TEXT]", b"BODY.PEEK[]<5.49000000>", b"BINARY.PEEK[2]", b"BINARY.SIZE[2]", b"RFC822.HEADER"]
)
def test_memory_is_flat_for_a_large_message(tmp_path: pytest.TempPathFactory, item: bytes) -> None:
    """50 MB are sent in pieces, of which each waits until the client has taken the one before; decoded or not."""
    from mailer.mailbox.bodies.files import FileBodies
    from mailer.mailbox.layout import Layout

    layout = Layout(str(tmp_path))

    def engine(owner: object) -> SqliteEngine:
        layout.have(layout.home(owner.id))  # type: ignore[attr-defined]
        return SqliteEngine(layout.index(owner.id))  # type: ignore[attr-defined]

    premises = Premises(engine, FileBodies(layout))
    line = base64.b64encode(bytes(range(57))) + b"\r\n"
    content = (
        b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n"
        b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + line * (50_000_000 // len(line)) + b"--b--\r\n"
    )
    with premises.ann() as box:
        box.put([NewMail("INBOX", content)])
        del content
        gc.collect()
        teller = Teller(box)
        assert most_memory(teller, b"1 " + item) < 24 * PIECE
        assert teller.largest < 3 * PIECE
    premises.boxes.close()


def most_memory(teller: Teller, said: bytes) -> int:
    """Octets that a FETCH holds at most, besides what was said and taken."""
    teller.keeps = False
    tracemalloc.start()
    try:
        teller.told(said)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_same_message_a_thousand_times_in_a_command() -> None:
    """Is sent item by item, however many there are."""
    with box_of(b"x" * 100_000) as box:
        teller = Teller(box, readonly=True)
        items = b" ".join(b"BODY[]<%d.100000>" % first for first in range(500))
        assert len(teller.told(b"1 (" + items + b")")) > 49_000_000
        assert teller.largest < 2 * PIECE


ITEMS = (
    b"FLAGS UID ENVELOPE INTERNALDATE RFC822.SIZE BODYSTRUCTURE BODY MODSEQ EMAILID THREADID SAVEDATE PREVIEW RFC822.HEADER"
    b" BODY.PEEK[]<0.99> BODY.PEEK[TEXT]<0.99> BODY.PEEK[HEADER]<3.99> BODY.PEEK[HEADER.FIELDS (to x subject)]"
    b" BODY.PEEK[HEADER.FIELDS.NOT (to)]<0.999> BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[1.1.1]<0.9> BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT]"
    b" BINARY.SIZE[1] BINARY.PEEK[1]<0.999> BINARY.SIZE[1.1] BINARY.PEEK[2]<0.9>"
)


def answered(content: bytes) -> None:
    """Every item is answered, or the encoding is not known, by one line that is well formed."""
    with box_of(content) as box:
        said, answer = Teller(box).fetch(b"1 (" + ITEMS + b")")
        if answer.code == "UNKNOWN-CTE":
            said = Teller(box).told(b"1 (" + ITEMS.partition(b" BINARY.SIZE")[0] + b")")
        assert said.startswith(b"* 1 FETCH (")
        assert said.endswith(b")\r\n")
        found, end = _parsed(said, 10)
        assert end == len(said) - 2
        assert len(found) % 2 == 0


def _parsed(said: bytes, at: int) -> tuple[list[object], int]:
    """The list of items at this place: names, which may have brackets with a list in them, and values."""
    found: list[object] = []
    assert said[at : at + 1] == b"("
    while said[at : at + 1] != b")":
        at += 1
        end = said.index(b" ", at)
        if b"[" in said[at:end] and b"]" not in said[at:end]:
            end = said.index(b"]", at)
            end = said.index(b" ", end)
        if said[end + 1 : end + 2] == b"~":
            end += 1
        value_, at = (None, end + 4) if said[end + 1 : end + 4] == b"NIL" else _value(said, end + 1)
        found += [said[:end], value_]
    return found, at + 1


def _value(said: bytes, at: int) -> tuple[object, int]:
    if said[at : at + 1] == b"{":
        end = said.index(b"\r\n", at)
        size = int(said[at + 1 : end - 1])
        return size, end + 2 + size
    if said[at : at + 1].isdigit():
        end = min(place for sign in (b" ", b")") if (place := said.find(sign, at)) >= 0)
        return int(said[at:end]), end
    if said[at : at + 2] == b"(\\" or said[at : at + 2] == b"()" or said[at : at + 3] in (b"(01", b"(T0"):
        return None, said.index(b")", at) + 1
    return read(said, at)


def test_letters_of_all_shapes_answer_every_item() -> None:
    """Well formed, whatever is in them."""
    for seed in range(examples(100)):
        answered(letter(seed))


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_hostile_letters_answer_every_item(name: str) -> None:
    """Well formed, and in bounds."""
    answered(BOMBS[name]())


def test_all_parts_of_a_letter_can_be_fetched() -> None:
    """What BODYSTRUCTURE tells of octets is what comes."""
    for seed in range(examples(60)):
        content = letter(seed)
        with box_of(content) as box:
            teller = Teller(box, readonly=True)
            said = teller.told(b"1 BODYSTRUCTURE")
            structure = value(said[len(b"* 1 FETCH (BODYSTRUCTURE ") : -3])
            for number, octets in leaves(structure):
                section = b"BODY[%b]" % number
                begun = teller.told(b"1 " + section).removeprefix(b"* 1 FETCH (%b " % section)
                assert begun.startswith(b"{%d}\r\n" % octets) or (octets == 0 and begun.startswith(b"NIL"))  # EMPTY


def leaves(structure: object, number: bytes = b"") -> Iterator[tuple[bytes, int]]:
    """The numbers of the parts of a structure, each with its octets."""
    assert isinstance(structure, list)
    if not isinstance(structure[0], list):
        yield number or b"1", structure[6]
        return
    for nth, part in enumerate(structure, 1):
        if not isinstance(part, list):  # the subtype; what is behind it is no part
            return
        yield from leaves(part, b"%b.%d" % (number, nth) if number else b"%d" % nth)


def test_every_part_has_a_number_by_which_it_comes() -> None:
    """A tree and its sections agree."""
    with box_of(MIXED) as box:
        teller = Teller(box, readonly=True)
        bodies = [MIXED[part.header_end : part.end] for part in every(parsed(MIXED)) if part.type != "multipart"]
        said = [teller.told(b"1 BODY[%b]" % number) for number in (b"1", b"2", b"2.1", b"3", b"4")]
        assert [each.partition(b"}\r\n")[2][:-3] for each in said] == bodies
    assert HEADER >= 1 << 20
