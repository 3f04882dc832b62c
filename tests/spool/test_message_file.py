"""A spool file as bytes: what is damaged, torn or hostile."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.envelope import Envelope
from mailer.mail.history import History
from mailer.mail.outcome import Hop, Outcome
from mailer.spool.api import CorruptMessage, LaterMessage
from mailer.spool.files.message_file import MAX_RECORD, parse, parse_records, render_records, seal, settled, skim
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, NOW, envelope, outcome, put, spool_file

ID = "01M7XZE2ZPFN5M9C7PXGDNNSF8"
GOOD = spool_file(envelope("a@example.com", "b@example.com", id=ID))

TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
OUTCOMES = st.lists(
    st.builds(
        Outcome,
        to=st.integers(0, 20),
        verdict=st.sampled_from(["delivered", "defer", "fail", "expire", "cancel"]),
        scope=st.sampled_from(["recipient", "message", "host", "destination", "us"]),
        code=st.integers(0, 599),
        enhanced=st.sampled_from(["", "5.1.1"]),
        text=TEXT,
        phase=st.sampled_from(["", "rcpt"]),
        hop=st.builds(Hop, host=TEXT, ip=TEXT, port=st.integers(0, 65535)),
        trace=st.none(),
        source=TEXT,
        waited=st.sampled_from([None, 0.0, 86_400.5]),
        moved=st.booleans(),
        at=st.integers(0, 10**6).map(lambda micros: NOW + micros / 1e6),
        seconds=st.integers(0, 1000).map(float),
        due=st.sampled_from([0.0, NOW + 60.5]),
        counts=st.booleans(),
    ),
    max_size=6,
)


def with_envelope(line: bytes, body: bytes = BODY) -> bytes:
    """A file whose first line is right for whatever `line` is."""
    return b"mailer/1 %d %d %08x\n" % (len(line), len(body), zlib.crc32(line + body)) + line + body


def test_a_good_file_is_read() -> None:
    """Envelope, and where the body begins and ends; what follows is no part of it."""
    letter, start, end = parse(GOOD + b"\n{}", ID)
    assert [recipient.address for recipient in letter.recipients] == ["a@example.com", "b@example.com"]
    assert (GOOD + b"\n{}")[start:end] == BODY


@given(st.binary(max_size=3), st.integers(0, len(GOOD)), st.integers(0, len(GOOD)))
def test_a_file_whose_body_is_passed_over_is_judged_alike(other: bytes, start: int, end: int) -> None:
    """Whatever stands or is missing there: the same envelope, or the same objection."""
    data = GOOD[:start] + other + GOOD[end:]
    with pytest.MonkeyPatch.context() as pieces:
        pieces.setattr("mailer.spool.files.message_file.PIECE", 7)
        assert judged(lambda: skim(lambda start, end: data[start:end], len(data), ID)) == judged(lambda: parse(data, ID))


def judged(look: Callable[[], tuple[Envelope, int, int]]) -> tuple[object, ...]:
    """What is found, or what is said against it."""
    try:
        letter, *places = look()
    except CorruptMessage as error:
        return type(error), str(error)
    return letter.to_line(), *places


@pytest.mark.parametrize("bit", [0x01, 0x10, 0x20, 0x80])
def test_no_byte_can_change_unnoticed(bit: int) -> None:
    """Each byte of the first line, the envelope and the body: damaged, it makes the file corrupt."""
    for at in range(len(GOOD)):
        damaged = bytearray(GOOD)
        damaged[at] ^= bit
        with pytest.raises(CorruptMessage):
            parse(bytes(damaged), ID)


def test_a_file_cut_short_anywhere_is_corrupt() -> None:
    """No part of a message is ever taken for the message."""
    for length in range(len(GOOD)):
        with pytest.raises(CorruptMessage):
            parse(GOOD[:length], ID)


@pytest.mark.parametrize(
    "line",
    [
        b"mailer/2 1 1 00000000\n", b"mailer/1 -1 1 00000000\n", b"mailer/1 1 1 0\n", b"mailer/1 1 1\n", b"mailer/1  1 1 00000000\n",
        b"mailer/1 1 1 0x000000\n", b"mailer/1 1 1 +0000000\n", b"mailer/1 1 1 0_0_0_00\n", b"mailer/1 1 1 zzzzzzzz\n",
        b"mailer/1 99999999999999999999 1 00000000\n", b"mailer/1 0 0 00000000\n", b"mailer/1 \xd9\xa1 1 00000000\n",
        b"\n", b"x" * 100, b"",
    ],
)  # fmt: skip
def test_a_first_line_that_is_none(line: bytes) -> None:
    """Another version, signs, missing and doubled blanks, numbers of another kind or without end."""
    with pytest.raises(CorruptMessage):
        parse(line, ID)


def test_the_checksum_is_written_in_one_way() -> None:
    """Eight lower-case hexadecimal digits, not whatever means the same number."""
    line = envelope("a@example.com", id=ID).to_line()
    for nth in range(10_000):
        data = with_envelope(line, b"%d\r\n" % nth)
        crc = data[: data.index(b"\n")][-8:]
        if crc.startswith(b"0") and crc[1:] != crc[1:].upper():
            break
    parse(data, ID)
    for other in (crc.upper(), b"+" + crc[1:], b"0x" + crc[2:]):
        with pytest.raises(CorruptMessage):
            parse(data.replace(crc, other), ID)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "0" * 26}, {"id": None}, {"recipients": []}, {"recipients": [{"address": "a\r\nDATA"}]}, {"sender": None}, {"options": 1},
    ],
)  # fmt: skip
def test_a_tampered_envelope_is_corrupt_even_with_a_right_checksum(changes: dict[str, Any]) -> None:
    """Another message's ID, no recipient, a recipient that would break out of its command, wrong types."""
    good = {"id": ID, "created": "2026-11-21T02:37:14Z", "sender": "", "recipients": [{"address": "a@example.com"}]}
    parse(with_envelope(json.dumps(good).encode() + b"\n"), ID)
    with pytest.raises(CorruptMessage):
        parse(with_envelope(json.dumps(good | changes).encode() + b"\n"), ID)


@pytest.mark.parametrize(
    "line", [b"[" * 60_000, b'{"id":' * 20_000, b'{"id":NaN}', b'{"a":1,"a":2}', b'{"n":' + b"9" * 5000 + b"}", b"\xff\n", b""]
)
def test_json_that_only_an_attacker_writes_is_corrupt(line: bytes) -> None:
    """Nesting without end, NaN, doubled members, numbers without end: one error, and no recursion that ends the program."""
    with pytest.raises(CorruptMessage):
        parse(with_envelope(line), ID)


def whole(tail: bytes) -> list[Outcome]:
    """The outcomes of records of which none is damaged."""
    outcomes, _, damaged = parse_records(tail)
    assert not damaged
    return outcomes


@given(st.binary(max_size=300))
def test_garbage_is_one_kind_of_error(data: bytes) -> None:
    """Whatever lies in the spool, reading it ends in a message or in CorruptMessage; records never fail."""
    for file in (data, b"mailer/1 " + data, with_envelope(data)):
        with pytest.raises(CorruptMessage):
            parse(file, ID)
    parse_records(data)
    assert parse_records(b"\n{" + data)[0] == []


# Records


@given(OUTCOMES)
def test_what_is_recorded_is_read(outcomes: list[Outcome]) -> None:
    """Every member of every outcome, in order; each record is one line of ASCII that begins with its newline."""
    data = render_records(outcomes)
    assert data.isascii()
    assert whole(data) == outcomes
    assert data[:1] in (b"", b"\n")
    assert not data.endswith(b"\n")


@given(OUTCOMES, OUTCOMES, st.integers(1, 400))
def test_a_torn_record_reads_as_not_written_and_spoils_no_other(before: list[Outcome], after: list[Outcome], lost: int) -> None:
    """Cut anywhere, what is whole is read; the next record starts on a fresh line."""
    data = render_records(before)
    torn = data[: max(0, len(data) - lost)]
    left = whole(torn)
    assert left == before[: len(left)]
    assert whole(torn + render_records(after)) == left + after


def test_recipients_with_the_same_outcome_share_a_record() -> None:
    """A reply to a message for a hundred is written once."""
    data = render_records([outcome(to, "defer", due=NOW + 60) for to in range(100)] + [outcome(100, "fail")])
    first, second = data.removeprefix(b"\n").split(b"\n")
    assert json.loads(first)["to"] == list(range(100))
    assert json.loads(second) == {
        "at": "2027-01-15T08:00:00Z", "to": [100], "verdict": "fail", "scope": "recipient", "code": 550, "enhanced": "5.1.1",
        "text": "a reply", "phase": "rcpt", "crc": f"{zlib.crc32(second[:-18]):08x}",
    }  # fmt: skip


def test_a_deferral_says_when_it_is_due() -> None:
    """In RFC 3339, like every time that people read."""
    record = json.loads(render_records([outcome(0, "defer", due=NOW + 0.25)]))
    assert record["due"] == "2027-01-15T08:00:00.250000Z"


@pytest.mark.slow
def test_a_record_is_never_too_long_to_be_read() -> None:
    """Ten thousands of recipients, and a reply as long as any server can make it, in the letters that cost most."""
    hop = Hop("h" * 255, "2001:db8:1111:2222:3333:4444:5555:6666", 25, "opportunistic", "TLSv1.3 unverified")
    for text in ("é" * 32_768, "\x1b" * 65_536, "\U0001f4a9" * 16_384, "\\" * 65_536):
        outcomes = [outcome(to, "fail", text=text, hop=hop, due=NOW + 0.1, queue_id="q" * 64) for to in range(20_000)]
        data = render_records(outcomes)
        assert max(map(len, data.split(b"\n"))) <= MAX_RECORD
        read = whole(data)
        assert [(o.to, o.verdict, o.hop, o.queue_id) for o in read] == [(o.to, o.verdict, o.hop, o.queue_id) for o in outcomes]
        assert text.startswith(read[0].text[:1000])


@pytest.mark.slow
def test_what_a_stranger_says_does_not_fill_a_file() -> None:
    """Five hundred recipients are put off thirty times, each with other words of 3,900 characters: what it comes to is all there."""
    data, history = b"", History(500)
    for turn in range(30):
        put_off = [outcome(to, "defer", text=f"{turn} {to} " + "ü" * 3900, at=NOW + turn, due=NOW + turn + 60) for to in range(500)]
        records = render_records(put_off, history.weight)
        data += records
        history.add(parse_records(records)[0])
    assert len(data) < 12_000_000, "that is 350 MB otherwise"
    read = History(500, parse_records(data)[0])
    assert (read.last, read.tries) == (history.last, dict.fromkeys(range(500), 30))
    words = [outcome(to, "fail", text=f"{to} " + "no" * 3900) for to in range(500)]
    assert [len(told.text) for told in parse_records(render_records(words, read.weight))[0]] == [262] * 500, "a refusal keeps its words"


def test_the_words_of_one_reply_are_kept() -> None:
    """A thousand characters of it, whether for one recipient or for all."""
    for count in (1, 100):
        read = parse_records(render_records([outcome(to, "defer", text="x" * 5000) for to in range(count)]))[0]
        assert {len(told.text) for told in read} == {1000}


def test_a_hostile_reply_stays_within_its_field(spool: SpoolDirectory) -> None:
    """Ten thousand lines with NUL, escapes and what looks like records: stored and read again, nothing else has changed."""
    hostile = '\r\n{"at":"2026-11-21T00:00:00Z","to":[1],"verdict":"delivered"}\n\x00\x1b[2J\u2028"}\n' * 10_000
    id = put(spool, "a@example.com", "b@example.com")
    with spool.claim(id) as claim:
        spool.record(claim, [outcome(0, "fail", text=hostile)])
        spool.record(claim, [outcome(0, "defer", text="later")])
    entry = spool.read(id)
    assert [recipient.address for recipient in entry.envelope.recipients] == ["a@example.com", "b@example.com"]
    assert [(o.to, o.verdict) for o in entry.history.outcomes] == [(0, "fail"), (0, "defer")]
    assert hostile.startswith(entry.history.outcomes[0].text[:1000])
    assert spool.content(id) == BODY


@pytest.mark.parametrize("record", [b"[]", b"1", b"null", b'"at"', b"[" * 60_000, b"{}", b'{"at":1,"to":[0],"verdict":"fail"}'])
def test_a_line_that_is_no_record_reads_as_not_written(record: bytes) -> None:
    """JSON of another kind, nesting without end, a time that is none; the records around it are read."""
    first, last = outcome(0, "defer"), outcome(1)
    assert whole(render_records([first]) + b"\n" + record + render_records([last])) == [first, last]


@pytest.mark.parametrize(
    "members",
    [
        '"to":[0]', '"verdict":"fail"', '"to":[0],"verdict":"sent"', '"to":5,"verdict":"fail"', '"to":["0",0.0,true,null],"verdict":"fail"',
        '"to":[0],"verdict":["fail"]', '"to":[0],"verdict":"fail","code":NaN', '"to":[0],"verdict":"fail","code":1e999',
        '"to":[0],"verdict":"fail","code":' + "9" * 5000, '"to":[0],"verdict":"fail","due":5', '"to":[0],"verdict":"fail","text":{}',
        '"to":[0],"verdict":"fail","text":"\\ud800"',
    ],
)  # fmt: skip
def test_a_tampered_record_reads_as_not_written(members: str) -> None:
    """Wrong types, unknown verdicts, missing members, numbers that are none, text that is none."""
    line = '\n{"at":"2026-11-21T00:00:00Z",' + members + "}"
    assert whole(line.encode() + render_records([outcome(1)])) == [outcome(1)]


def test_members_that_nobody_knows_are_ignored() -> None:
    """A record of a later version is still a record."""
    line = b'\n{"at":"2026-11-21T00:00:00Z","to":[0],"verdict":"delivered","scope":"galaxy","future":[1,{"x":null}]}'
    (read,) = whole(line)
    assert (read.verdict, read.scope) == ("delivered", "recipient")


def test_a_record_for_nobody_changes_nothing() -> None:
    """A recipient that the envelope does not have has no history."""
    assert History(1, whole(render_records([outcome(7), outcome(1)]))).pending() == [0]


def test_a_body_that_looks_like_records_is_a_body(spool: SpoolDirectory) -> None:
    """Only what stands after the body counts, and the first line says where that is."""
    body = BODY + b'{"at":"2026-11-21T00:00:00Z","to":[0],"verdict":"delivered"}\r\n' + GOOD.replace(b"\n", b"\r\n")
    id = put(spool, body=body)
    entry = spool.read(id)
    assert entry.history.outcomes == []
    assert spool.content(id) == body


def test_what_has_to_be_on_disk_at_once() -> None:
    """A final outcome, not a deferral."""
    assert settled([outcome(0, "defer"), outcome(1)])
    assert not settled([outcome(0, "defer")])
    assert not settled([])


# Seals


def test_a_record_ends_with_the_checksum_of_all_before_it() -> None:
    """Over the octets of the line, up to the comma before it."""
    line = render_records([outcome(0)])[1:]
    assert line[-18:] == b',"crc":"%08x"}' % zlib.crc32(line[:-18])


def test_a_record_without_a_checksum_is_an_older_one() -> None:
    """It counts."""
    line = render_records([outcome(0)])
    assert whole(line[:-18] + b"}") == [outcome(0)]


@pytest.mark.slow
def test_no_flipped_bit_of_a_record_goes_unnoticed() -> None:
    """Each bit of three records: what is read is what was written, or it is said that something is damaged."""
    known = [outcome(0, text='550 "quoted"} {'), outcome(1, "defer", due=NOW + 60, text='a\\"}'), outcome(2, "fail")]
    tail = render_records(known)
    unnoticed = []
    for at in range(len(tail) * 8):
        flipped = bytearray(tail)
        flipped[at // 8] ^= 1 << at % 8
        outcomes, _, damaged = parse_records(bytes(flipped))
        if not damaged and outcomes != known:
            unnoticed.append(at)
    assert unnoticed == []


def test_a_message_with_a_damaged_record_can_be_read_and_says_so(spool: SpoolDirectory) -> None:
    """Everything else of it is there; what an operator releases counts as damaged no more, and a crash between is none."""
    id = put(spool, "a@example.com", "b@example.com")
    with spool.claim(id) as claim:
        spool.record(claim, [outcome(0)])
        spool.record(claim, [outcome(1, "defer")])
    path = Path(spool.path("queued", id))
    path.write_bytes(path.read_bytes().replace(b'"delivered"', b'"deliwered"'))
    assert (spool.read(id).damaged, spool.read(id).history.pending()) == (True, [0, 1])
    spool.hold(id)
    assert spool.release(id).state == "queued"
    assert not spool.read(id).damaged


# What a later version wrote


@pytest.mark.parametrize(
    "data",
    [
        GOOD.replace(b"mailer/1 ", b"mailer/2 ", 1),
        b"mailer/12 whatever it says\n",
        spool_file(envelope("a@example.com", id=ID, priority="urgent")),
    ],
)
def test_a_file_of_a_later_version_is_not_called_damaged(data: bytes) -> None:
    """Another format, a priority that we do not know: told apart from what nobody can read."""
    with pytest.raises(LaterMessage, match="a later version of mailer wrote it"):
        parse(data, ID)


def test_a_whole_record_whose_verdict_is_unknown_is_of_a_later_version() -> None:
    """It would read as not written, and its recipient would get the message again."""
    record = seal(b'{"at":"2027-01-15T08:00:00Z","to":[0],"verdict":"relayed"}')
    with pytest.raises(LaterMessage, match="'relayed'"):
        parse_records(b"\n" + record)
