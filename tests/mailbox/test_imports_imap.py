"""Importing from a server: honest, breaking off, or out to harm whoever asks it."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.sqlite import MemoryEngine
from mailer.mailbox.imports.api import PassedOver
from mailer.mailbox.imports.imap import ImapImport
from mailer.mailbox.imports.taking import MailImported, Taking
from tests.reports.servers import FakeImap, listening, server

from .test_imports_taking import ANN, has, letter

DATE = '"17-Jul-2020 02:44:25 -0700"'


class Account(FakeImap):
    """An account with folders: name as it is said → UID → content. `listed` are the lines of LIST, and flags are those of `marks`."""

    def __init__(self, shelves: dict[str, dict[int, bytes]], listed: str = "", marks: str = r"\Seen $Forwarded") -> None:
        super().__init__({}, capabilities="IMAP4rev1 AUTH=PLAIN SPECIAL-USE LIST-EXTENDED")
        self.shelves = shelves
        self.listed = listed or "".join(f'() "/" "{name}"\n' for name in shelves)
        self.marks = marks
        self.fetches = 0

    def answer(self, command: str) -> bytes:
        """What comes before the OK."""
        words = command.split(" ")
        if words[0] in ("LIST", "LSUB"):
            return "".join(f"* {words[0]} {line}\r\n" for line in self.listed.splitlines()).encode()
        if words[0] == "EXAMINE":
            self.messages = self.shelves[command.partition(" ")[2].strip('"')]
            return (
                f"* {len(self.messages)} EXISTS\r\n* OK [UIDVALIDITY {self.uidvalidity}] x\r\n"
                f"* OK [UIDNEXT {max(self.messages, default=0) + 1}] x\r\n"
            ).encode()
        if words[:2] == ["UID", "FETCH"]:
            spans = (span.partition(":") for span in words[2].split(","))
            wanted = [uid for low, _, high in spans for uid in range(int(low), int(high or low) + 1) if uid in self.messages]
            return b"".join(self._told(uid, whole="BODY" in command) for uid in wanted)
        return super().answer(command)

    def _told(self, uid: int, *, whole: bool) -> bytes:
        content = self.messages[uid]
        if whole:
            self.fetches += 1
            return b"* %d FETCH (UID %d BODY[] {%d}\r\n%s)\r\n" % (uid, uid, len(content), content)
        return f"* {uid} FETCH (UID {uid} FLAGS ({self.marks}) INTERNALDATE {DATE} RFC822.SIZE {len(content)})\r\n".encode()


@pytest.fixture
def box() -> Iterator[OwnMailbox]:
    made = OwnMailbox(ANN, MemoryEngine(), MemoryBodies())
    yield made
    made.close()


def imported(account: FakeImap, box: OwnMailbox, **terms: Any) -> tuple[MailImported, list[PassedOver]]:
    """What comes of an import; nobody waits between two attempts."""
    passed: list[PassedOver] = []

    async def run() -> MailImported:
        async with listening(account.serve) as port:
            source = ImapImport(server(port, seconds=terms.pop("seconds", 10.0)), pause=lambda _: None, **terms)

            def take() -> MailImported:
                try:
                    return Taking(source, box, lambda _: None, passed.append).run()
                finally:
                    source.close()

            return await asyncio.to_thread(take)

    return asyncio.run(run()), passed


def test_folders_flags_and_times_come(box: OwnMailbox) -> None:
    """By their special use, or their name; what shows others is left, but for what nothing else has."""
    listed = (
        '(\\HasNoChildren) "/" INBOX\n(\\Noselect) "/" "[Gmail]"\n(\\All) "/" "[Gmail]/All"\n(\\Sent) "/" "[Gmail]/Sent Mail"\n'
        '(\\Flagged) "/" "[Gmail]/Starred"\n() "/" "Entw&APw-rfe"\n() NIL "a/b"\n(\\Bad "/" x\n'
    )
    shelves = {
        "INBOX": {5: letter(1)},
        "[Gmail]/Sent Mail": {2: letter(2)},
        "[Gmail]/All": {1: letter(1), 2: letter(2), 3: letter(3)},
        "[Gmail]/Starred": {1: letter(1)},
        "Entw&APw-rfe": {9: letter(4)},
        "a/b": {1: letter(5)},
    }
    done, passed = imported(Account(shelves, listed), box)
    assert (done.put, [each.where for each in passed]) == (5, ["[Gmail]/Starred"])
    assert has(box, "INBOX") == [(5, letter(1))]
    assert [has(box, name)[0][1] for name in ("Sent", "Entwürfe", "a_b", "Archive")] == [letter(2), letter(4), letter(5), letter(3)]
    inbox = box.folder("INBOX")
    assert inbox is not None
    assert inbox.uidvalidity == 7
    [entry] = box.entries(inbox.id)
    mail = box.mails([entry.mail])[0]
    assert (int(entry.flags), entry.keywords) == (1, ("$Forwarded",))
    assert mail is not None
    assert mail.received == 1_594_979_065


def test_what_is_here_is_not_fetched_again(box: OwnMailbox) -> None:
    """By its UID."""
    account = Account({"INBOX": {uid: letter(uid) for uid in range(1, 30)}})
    assert imported(account, box)[0].put == 29
    account.shelves["INBOX"][40] = letter(40)
    assert imported(account, box)[0][0:3:2] == (1, 29)
    assert account.fetches == 30


def test_folders_below_the_inbox_have_names_of_their_own(box: OwnMailbox) -> None:
    """As Courier has all of them; chosen ones alone are taken, and those that are to be left are left."""
    account = Account(
        {"INBOX": {1: letter(1)}, "INBOX.Work": {1: letter(2)}, "INBOX.Old": {1: letter(3)}},
        '() "." "INBOX"\n() "." "INBOX.Work"\n() "." "INBOX.Old"\n',
    )
    assert imported(account, box, leave=("Old",))[0].put == 2
    assert has(box, "Work") == [(1, letter(2))]
    assert imported(account, box, only=("Old",))[0].put == 1
    with pytest.raises(Problem, match="no folder 'New'"):
        imported(account, box, only=("New",))


@pytest.mark.parametrize("at", range(1, 12))
def test_a_session_that_breaks_is_made_again(box: OwnMailbox, at: int) -> None:
    """At any command: the import goes on, with nothing twice and nothing missing."""
    account = Account({"INBOX": {uid: letter(uid) for uid in range(1, 6)}})
    commands = 0

    def odd(command: str) -> bytes | None:
        nonlocal commands
        commands += 1
        return b"* BYE for now\r\n" if commands == at else None

    account.odd, account.breaks = odd, True
    done, passed = imported(account, box)
    assert passed == []
    assert done.put + done.there == 5
    assert has(box, "INBOX") == [(uid, letter(uid)) for uid in range(1, 6)]


def test_a_message_that_kills_the_session_is_passed_over(box: OwnMailbox) -> None:
    """After two attempts alone; the others are taken."""
    account = Account({"INBOX": {uid: letter(uid) for uid in range(1, 6)}})
    kills: Callable[[str], bytes | None] = lambda said: b"* BYE\r\n" if "BODY" in said and ("3" in said or ":" in said) else None  # noqa: E731
    account.odd, account.breaks = kills, True
    done, passed = imported(account, box)
    assert (done.put, [each.where for each in passed]) == (4, ["INBOX, UID 3"])


def test_another_folder_of_the_same_name_ends_it(box: OwnMailbox) -> None:
    """UIDs of one UIDVALIDITY say nothing of another's."""
    account = Account({"INBOX": {1: letter(1)}})
    broken: list[str] = []

    def odd(command: str) -> bytes | None:
        if "BODY" in command and not broken:
            broken.append(command)
            account.uidvalidity = 8
            return b"* BYE\r\n"
        return None

    account.odd, account.breaks = odd, True
    with pytest.raises(Problem, match="another one by now"):
        imported(account, box)
    assert box.usage().messages == 0


def test_a_message_that_is_too_large_is_named(box: OwnMailbox) -> None:
    """By the size that the server tells; one that lies about it is cut off."""
    account = Account({"INBOX": {1: letter(1), 2: b"x" * 5000}})
    done, passed = imported(account, box, most=1000)
    assert (done.put, passed) == (1, [PassedOver("INBOX, UID 2", "it has 5.0 KB, and a message may have 1.0 KB")])


LISTED = b'* LIST (\r\n* LIST NIL\r\n* LIST () "//" x\r\n* LIST () "/" "\xff"\r\nTAG OK\r\n'
DATED = b'* 1 FETCH (UID 1 FLAGS (((( INTERNALDATE "99-Xxx-0000 99:99:99 +9999" RFC822.SIZE 53)\r\nTAG OK\r\n'
HOSTILE = {
    "a literal of 3 GB": ("BODY", b"* 1 FETCH (BODY[] {3000000000}\r\nabc"),
    "a line without end": ("LIST", b'* LIST () "/" ' + b"x" * (12 << 20)),
    "folders without end": ("LIST", b'* LIST () "/" "%s"\r\n' % (b"f" * 90) * 12_000),
    "a UID that was not asked for": ("BODY", b"* 1 FETCH (UID 99 BODY[] {3}\r\nabc)\r\nTAG OK\r\n"),
    "numbers that are none": ("SEARCH", b"* SEARCH 1 x 99999999999 -4 0 4294967299\r\nTAG OK\r\n"),
    "nonsense instead of a list": ("LIST", LISTED),
    "a date that is none": ("RFC822", DATED),
    "silence": ("SEARCH", b""),
}
"""What a command that has this word in it is answered with."""


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow if kind == "folders without end" else ()) for kind in HOSTILE])
def test_a_hostile_server_costs_little(box: OwnMailbox, kind: str) -> None:
    """Memory and time are bounded, and what is wrong is a `Problem`, or nothing."""
    account = Account({"INBOX": {1: letter(1)}})
    word, answer = HOSTILE[kind]
    account.odd, account.breaks = lambda said: answer if word in said else None, b"TAG" not in answer and bool(answer)
    tracemalloc.start()
    try:
        with contextlib.suppress(Problem):
            imported(account, box, seconds=0.3 if kind == "silence" else 10.0)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 160 << 20
    assert box.usage().messages <= 1
