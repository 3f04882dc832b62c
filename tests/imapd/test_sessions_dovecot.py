"""Two or three sessions with one folder open, by chance: each is told what Dovecot tells it, and knows afterwards what is there.
Where we do otherwise, the reason stands here.

- While a session has not heard of what another did, the answers are free (RFC 9051 §5.2, §5.5): what is compared then is what each client
  has in the end. Where all have heard of all, the answers have to be the same.
- Dovecot counts MODSEQ otherwise, also where STORE changes nothing (RFC 7162 §3.1.11): ours is compared with what was told before.
- EXPUNGE takes out all that is marked as deleted, with us also where the session has not heard of that (RFC 9051 §6.4.3).
- In an empty folder no message has a number, and * is none: we say BAD (RFC 9051 §9, seq-number), Dovecot finds nothing.
- Of a part that is not there Dovecot has BINARY with no octets, and we NIL. BINARY is not asked for what has parts (RFC 9051 §6.4.5).
- Dovecot says nothing of a message that STORE has not changed; we say its flags (RFC 9051 §6.4.6).
"""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from mailer.imap.lexer import Tokens
from mailer.mailbox.api import NewMail
from tests.mailbox.premises import message
from tests.peers import dovecot_imap
from tests.peers.dovecot_imap import DovecotImap

from .house import ImapHouse, in_house
from .mirror import Mirror, Told
from .talking import ImapTalk

pytestmark = pytest.mark.peer(dovecot_imap.PROGRAM)

STEPS = 60
SEEDS = int(os.environ.get("SESSIONS_TRIED", "40"))
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "$one", "two", "\\Deleted \\Seen", "\\Deleted $one", "")
ENABLED = ("", "ENABLE CONDSTORE", "ENABLE QRESYNC")
ENCODED = (
    b"From: a@x.example\r\nSubject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nna=C3=AFve=\r\n soft\r\n"
    b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQFBgcICQ==\r\n--b--\r\n"
)
KEYS = (
    "ALL", "SEEN", "UNSEEN", "DELETED", "NOT FLAGGED", "KEYWORD $one", "UNKEYWORD two", "{some}", "UID {some}", "OR SEEN {some}", "NOT $",
    "$", "SUBJECT 3", "(FLAGGED {some})", "LARGER 300", "NOT UID {some} UNDELETED",
)  # fmt: skip
ITEMS = (
    "FLAGS", "(FLAGS UID)", "(UID FLAGS BODY.PEEK[TEXT])", "(FLAGS BODY[TEXT]<2.5>)", "BODY[]", "(RFC822.SIZE UID)", "BODY.PEEK[1.MIME]",
    "BINARY.SIZE[1]", "BINARY.PEEK[2]", "(BINARY[1]<1.4> FLAGS)", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
)  # fmt: skip
BY_NUMBER = re.compile(r"(FETCH|STORE|SEARCH)\b")


class Pair:
    """A session with us and one with Dovecot, of a client that says the same to both."""

    def __init__(self, ours: ImapTalk, theirs: DovecotImap, mode: str) -> None:
        self.ours, self.theirs, self.mode = ours, theirs, mode
        self.here, self.there = Mirror(), Mirror()

    async def do(self, command: str) -> tuple[tuple[str, list[bytes], Told], tuple[str, list[bytes], Told]]:
        """How each ends a command, what it says before, and what was fetched. ``{modseq}`` is one of the server's own."""
        here, there = (command.replace("{modseq}", str(max(mirror.modseqs.values(), default=1))) for mirror in (self.here, self.there))
        ours = [line.encode("utf-8", "surrogateescape") for line in await self.ours.do(here)]
        theirs = self.theirs.do(there.replace("{5}", "{5+}").encode())
        theirs[-1] = theirs[-1].split(b" ", 1)[1]
        if command.startswith(("SELECT", "CLOSE")):
            self.here.begin()
            self.there.begin()
        holds = BY_NUMBER.match(command) is not None
        found = [
            (mirror.hear(said[:-1], holds=holds and mirror is self.here)) for mirror, said in ((self.here, ours), (self.there, theirs))
        ]
        return (_kind(ours[-1]), ours, found[0]), (_kind(theirs[-1]), theirs, found[1])


def _kind(line: bytes) -> str:
    return line.split(b" ")[0].decode()


def found(lines: list[bytes]) -> dict[str, object]:
    """What was found, or how a folder is."""
    said = dict[str, object]()
    for line in lines:
        if line.startswith((b"* SEARCH", b"* SORT")):
            said["SEARCH"] = re.sub(rb" \(MODSEQ \d+\)", b"", line).split()[2:]
        elif line.startswith(b"* ESEARCH"):
            words = re.sub(rb".*?\)( UID)? ?", b"", line, count=1).split()
            for name, value in zip(words[::2], words[1::2], strict=True):
                if name != b"MODSEQ":
                    said[name.decode()] = Tokens([value]).numbers().ranges if name == b"ALL" else value
        elif line.startswith(b"* STATUS"):
            said["STATUS"] = sorted(re.findall(rb"(MESSAGES|UNSEEN|UIDNEXT|SIZE) (\d+)", line))
    for code in re.findall(rb"\[(COPYUID|APPENDUID) \d+ (.*?)\]", b"\n".join(lines)):
        said[code[0].decode()] = code[1]
    if (modified := re.search(rb"\[MODIFIED (.*?)\]", lines[-1])) is not None:
        said["MODIFIED"] = Tokens([modified[1]]).numbers().ranges
    return said


def plain(told: Told) -> Told:
    """What was fetched, without UIDs and with no octets for what is not there."""
    return {
        number: {name: b"" if value == b"NIL" else value for name, value in items.items() if name != b"UID"}
        for number, items in told.items()
    }


def numbers(chance: random.Random, many: int, *, uid: bool) -> str:
    """A set of numbers; those of UIDs may be of nobody."""
    most = max(many, 1) + 3 * uid
    ends = [str(chance.randint(1, most)) for _ in range(2)]
    return chance.choice((ends[0], ":".join(ends), f"{ends[0]},{ends[1]}", "1:*", "*", f"{ends[0]}:*"))


def spoken(chance: random.Random, many: int, *, knows: bool, mode: str) -> str:
    """A command by chance; `many` are the messages of the folder, and `knows` says whether the client has heard of all."""
    uid = chance.choice(("", "UID "))
    some = numbers(chance, many, uid=bool(uid)) if many else "*"
    if knows and chance.random() < 0.1:
        some = "$"
    forms = [
        "{uid}STORE {some} {sign}FLAGS{silent} ({flags})", "{uid}STORE {some} {sign}FLAGS{silent} ({flags})", "{uid}FETCH {some} {items}",
        "{uid}FETCH {some} {items}", "{uid}SEARCH {keys}", "NOOP", "CHECK", "APPEND INBOX ({flags}) {{5}}\r\na:b\r\n",
        "{uid}SEARCH RETURN ({options}) {keys}",
    ]  # fmt: skip
    if knows:
        forms += [
            "EXPUNGE", "UID EXPUNGE {some}", "{uid}COPY {some} INBOX", "{uid}COPY {some} Work", "{uid}MOVE {some} Work",
            "STATUS Work (MESSAGES UNSEEN UIDNEXT SIZE)",
            "STATUS INBOX (MESSAGES UNSEEN UIDNEXT SIZE)", "{uid}SEARCH RETURN (SAVE) {keys}", "{uid}SEARCH RETURN (SAVE {options}) {keys}",
            "CLOSE", "SORT (REVERSE SIZE) UTF-8 {keys}",
        ]  # fmt: skip
    if knows and mode:
        forms += [
            "{uid}STORE {some} (UNCHANGEDSINCE {{modseq}}) {sign}FLAGS{silent} ({flags})",
            "{uid}FETCH {some} (FLAGS) (CHANGEDSINCE {{modseq}})",
            "{uid}FETCH {some} MODSEQ", "STATUS Work (HIGHESTMODSEQ MESSAGES)",
        ]  # fmt: skip
    keys = " ".join(chance.choice(KEYS).format(some=numbers(chance, many, uid=False) if many else "*") for _ in range(chance.randint(1, 2)))
    options = " ".join(chance.sample(("MIN", "MAX", "COUNT", "ALL"), k=chance.randint(1, 3)))
    return chance.choice(forms).format(
        uid=uid, some=some, flags=chance.choice(FLAGS), items=chance.choice(ITEMS), keys=keys, options=options,
        sign=chance.choice("+-") if chance.random() < 0.8 else "", silent=chance.choice(("", ".SILENT")),
    )  # fmt: skip


async def all_hear(pairs: list[Pair], said: list[str]) -> None:
    """All sessions hear of all, and have the same in the end; ours know it by what they were told."""
    for pair in pairs:
        await pair.do("NOOP")
    for pair in pairs:
        told, silent = {**pair.here.flags}, {*pair.here.silent}
        await pair.do("UID FETCH 1:* (FLAGS MODSEQ)" if pair.mode else "UID FETCH 1:* (FLAGS)")
        assert 0 not in pair.here.uids, (said, pair.here.uids, pair.there.uids)
        here, there = ([(uid, mirror.flags[uid]) for uid in mirror.uids] for mirror in (pair.here, pair.there))
        assert here == there, said
        assert {uid: flags for uid, flags in told.items() if uid not in silent and uid in pair.here.uids} == {
            uid: flags for uid, flags in here if uid in told and uid not in silent
        }, said


async def changed_since(pair: Pair, said: list[str]) -> None:
    """Ours tells what has changed since a message in the middle did, as it has told the MODSEQ of each. RFC 7162 §3.1.4, §3.1.5"""
    mirror = pair.here
    since = mirror.middle()
    numbered = {number: mirror.modseqs[uid] for number, uid in enumerate(mirror.uids, 1)}
    told = mirror.hear([line.encode() for line in await pair.ours.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since})")])
    assert told.keys() == {number for number, modseq in numbered.items() if modseq > since}, said
    lines = await pair.ours.ok(f"SEARCH MODSEQ {since}")
    assert found([lines[0].encode()])["SEARCH"] == [b"%d" % number for number, modseq in numbered.items() if modseq >= since], said


async def same(pair: Pair, command: str, said: list[str]) -> None:
    """They answer the same."""
    nobody = not pair.here.uids
    (kind, lines, fetched), (their_kind, their_lines, theirs) = await pair.do(command)
    if nobody and (kind, their_kind) == ("BAD", "OK"):
        return
    assert kind == their_kind, (said, lines, their_lines)
    if kind == "OK":
        assert found(lines) == found(their_lines), (said, lines, their_lines)
        assert not command.startswith("UID") or all(items.pop(b"UID", None) for items in fetched.values()), (said, lines)  # RFC 9051 §6.4.9
        fetched, theirs = plain(fetched), plain(theirs)
        if "STORE" in command:
            fetched = {number: items for number, items in fetched.items() if number in theirs}
        if "FETCH" in command or "STORE" in command:
            assert fetched == theirs, (said, lines, their_lines)


async def talk(chance: random.Random, pairs: list[Pair]) -> None:
    """Commands by chance."""
    said = list[str]()
    for _ in range(STEPS):
        pair = chance.choice(pairs)
        if knows := chance.random() < 0.5:
            await all_hear(pairs, said)
            if pair.mode:
                await changed_since(pair, said)
        command = spoken(chance, len(pair.here.uids), knows=knows, mode=pair.mode)
        said.append(f"{pairs.index(pair)}: {command}")
        if ".SILENT" in command:
            pair.here.silent.update(pair.here.uids)
        await (same(pair, command, said) if knows else pair.do(command))
        if command == "CLOSE":
            await pair.do("SELECT INBOX")
    await all_hear(pairs, said)


def beside_dovecot(test: Callable[[list[Pair]], Awaitable[None]], modes: list[str]) -> None:
    """Run `test` with six messages in the INBOX on both sides, and a session of each of the `modes`, in which it is open."""

    async def begun(house: ImapHouse) -> None:
        messages = [*(message(f"number {number}") for number in range(5)), ENCODED]
        with ExitStack() as stack:
            home = stack.enter_context(tempfile.TemporaryDirectory())
            os.chmod(home, 0o755)
            with house.premises.ann() as box:
                box.create("Work")
                box.put([NewMail("INBOX", each) for each in messages])
            dovecot = stack.enter_context(DovecotImap(Path(home), messages))
            dovecot.ask(b"CREATE Work")
            pairs = []
            for mode in modes:
                pairs.append(Pair(await house.client(), stack.enter_context(dovecot.beside()), mode))
                if mode:
                    await pairs[-1].do(mode)
                await pairs[-1].do("SELECT INBOX")
            await test(pairs)

    in_house(begun)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_sessions_beside_each_other_know_what_those_of_dovecot_know(seed: int) -> None:
    """Whatever each does while the others look at the folder, by number, by UID, and by what was saved."""
    chance = random.Random(seed)
    modes = [chance.choice(ENABLED) for _ in range(chance.choice((2, 2, 3)))]
    beside_dovecot(lambda pairs: talk(chance, pairs), modes)
