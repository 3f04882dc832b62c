"""The spool as the daemon and the operators use it: reading, locking, settling, moving."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.spool.api import Busy, CorruptMessage, NoSuchMessage
from mailer.spool.files.claim import FileEntry
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import BODY, NOW, envelope, outcome, put, spool_file
from tests.fakes.sockets import make_socket

ID = "01M7XZE2ZPFN5M9C7PXGDNNSF8"
STATES = ("queued", "deferred", "held", "failed")
DUE = NOW + 300.25


def at(spool: SpoolDirectory, state: str, id: str) -> Path:
    return Path(spool.root, state, id)


def in_state(spool: SpoolDirectory, state: str, *recipients: str) -> str:
    """A message that came into `state` the way messages do."""
    id = put(spool, *recipients)
    count = max(len(recipients), 1)
    if state == "held":
        spool.hold(id)
    elif state != "queued":
        with spool.claim(id) as claim:
            if state == "deferred":
                spool.defer(claim, [outcome(to, "defer", due=DUE) for to in range(count)], DUE)
            else:
                spool.fail(claim, [outcome(to, "fail") for to in range(count)])
    return id


# What is there


def test_ids_are_listed_oldest_first_and_strangers_apart(spool: SpoolDirectory) -> None:
    """Names that are no IDs, and those with a dot in front, are no messages."""
    ids = [put(spool, at=NOW + nth) for nth in (3, 1, 2)]
    for name in ("README", ".hidden", ID.lower()):
        at(spool, "queued", name).touch()
    assert spool.ids("queued") == sorted(ids)


def test_a_spool_that_is_not_there_is_empty(tmp_path: Path) -> None:
    """Looking makes nothing."""
    spool = SpoolDirectory(str(tmp_path / "none"))
    assert spool.ids("queued") == list(spool.dues()) == []
    assert spool.find(ID) is None
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("state", STATES)
def test_a_message_is_found_and_read_wherever_it_is(spool: SpoolDirectory, state: str) -> None:
    """Where it is, what it is, and its content."""
    id = in_state(spool, state)
    entry = spool.read(id)
    assert spool.find(id) == entry.state == state
    assert (entry.id, entry.size, entry.arrived) == (id, len(BODY), NOW)
    assert entry.envelope.sender == "me@example.com"
    assert spool.content(id) == BODY
    assert spool.load(id, state).content == BODY
    assert spool.read(id, state).state == state


def test_what_the_spool_knows_of_a_message_is_read_off_its_file_alone(spool: SpoolDirectory) -> None:
    """Invariant (d): without any database, every recipient's outcomes, the due time and the status are there."""
    id = put(spool, "a@example.com", "b@example.com")
    with spool.claim(id) as claim:
        spool.defer(claim, [outcome(0), outcome(1, "defer", due=DUE)], DUE)
    assert os.listdir(spool.root).count("status.sqlite3") == 0
    entry = SpoolDirectory(spool.root).read(id)
    assert (entry.status, entry.due) == ("deferred", pytest.approx(DUE, abs=1e-6))
    assert entry.history.last == {0: outcome(0), 1: outcome(1, "defer", due=DUE)}
    assert entry.history.pending() == [1]


def test_whoever_asks_what_a_message_is_does_not_hold_all_of_it(spool: SpoolDirectory) -> None:
    """Its content is checked and passed over: a list of large messages needs no memory, and neither does a start of the daemon."""
    id = put(spool, body=BODY + b"x" * 20_000_000)
    spool.hold(id)
    tracemalloc.start()
    try:
        entry = spool.read(id)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (entry.size, entry.state) == (len(BODY) + 20_000_000, "held")
    assert peak < 4_000_000


def test_the_status_of_a_held_message_is_held(spool: SpoolDirectory) -> None:
    """Whatever happened to it before."""
    id = in_state(spool, "deferred")
    assert spool.read(id).status == "deferred"
    assert spool.hold(id).status == "held"
    assert spool.read(in_state(spool, "failed")).status == "failed"
    assert spool.read(put(spool)).status == "queued"


def test_every_message_that_waits_has_a_due_time(spool: SpoolDirectory) -> None:
    """Invariant (c): what is queued is due now, what is deferred at its file's mtime, without opening a file."""
    queued, deferred = in_state(spool, "queued"), in_state(spool, "deferred")
    os.chmod(at(spool, "deferred", deferred), 0)
    assert spool.ids("queued") == [queued]
    assert list(spool.dues()) == [(pytest.approx(DUE, abs=1e-6), deferred)]


@pytest.mark.parametrize(
    "id",
    [
        "",
        "x",
        ID,
        "0" * 25,
        "../queued/x",
        "../../../../../../etc/passwd",
        "../corrupt/" + "0" * 15,
        "\0" * 26,
        "é" * 26,
    ],
)
def test_an_id_that_is_none_is_no_message(spool: SpoolDirectory, tmp_path: Path, id: str) -> None:
    """67 for what is not there and for what tries to be a path, even one that leads to a file."""
    for directory in (tmp_path, Path(spool.root)):
        (directory / ("0" * 15)).write_bytes(spool_file(envelope()))
    at(spool, "corrupt", "0" * 15).write_bytes(b"")
    assert spool.find(id) is None
    for act in (spool.read, spool.content, spool.claim, spool.hold, spool.release, spool.retry, lambda message: spool.cancel(message, NOW)):
        with pytest.raises(NoSuchMessage, match="no message") as caught:
            act(id)
        assert caught.value.kind == "no-such"
    for state in STATES:
        for read in (spool.read, spool.load, spool.claim):
            with pytest.raises(NoSuchMessage):
                read(id, state)


def test_a_message_in_another_state_is_not_the_one_asked_for(spool: SpoolDirectory) -> None:
    """Who names a state gets that state or nothing."""
    id = in_state(spool, "held")
    with pytest.raises(NoSuchMessage):
        spool.read(id, "queued")


# What is no message


def symlink(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def hard_link(path: Path) -> None:
    target = path.parent.parent / "elsewhere"
    target.write_bytes(spool_file(envelope(id=path.name)))
    os.link(target, path)


STRANGE: dict[str, Callable[[Path], object]] = {
    "symlink": symlink,
    "dangling symlink": lambda path: path.symlink_to("nowhere"),
    "hard link": hard_link,
    "FIFO": os.mkfifo,
    "socket": make_socket,
    "directory": lambda path: path.mkdir(),
    "0 bytes": lambda path: path.touch(),
    "another ID": lambda path: path.write_bytes(spool_file(envelope())),
    "no mail": lambda path: path.write_bytes(b"\x00" * 1000),
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_what_is_no_message_is_corrupt_and_makes_nobody_wait(spool: SpoolDirectory, strange: Callable[[Path], object]) -> None:
    """Links are not followed, a FIFO is not waited for; claiming it says the same as reading it."""
    strange(at(spool, "queued", ID))
    before = len(os.listdir("/proc/self/fd"))
    for act in (spool.read, spool.content, spool.claim, spool.hold):
        with pytest.raises(CorruptMessage):
            act(ID)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE)
def test_what_is_corrupt_is_set_aside_as_it_is(spool: SpoolDirectory, strange: Callable[[Path], object]) -> None:
    """It goes to corrupt/ under its own name, unread, and never over what is there already."""
    paths = []
    for _ in range(3):
        strange(at(spool, "queued", ID))
        paths.append(spool.set_aside("queued", ID))
        if os.path.exists(f"{spool.root}/elsewhere"):
            os.unlink(f"{spool.root}/elsewhere")
    assert [os.path.basename(path) for path in paths] == [ID, f"{ID}.1", f"{ID}.2"]
    assert all(map(os.path.lexists, paths))
    assert os.path.exists("/etc/passwd")
    assert spool.ids("queued") == []


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "..x", "-rf", "名" * 85, "x" * 255, os.fsdecode(b"\xff" * 255), "${IFS}"])
def test_a_strange_name_is_made_harmless_when_it_is_set_aside(spool: SpoolDirectory, name: str) -> None:
    """Nothing that a terminal or a shell would act on; twice in a row, and at the greatest length."""
    for _ in range(2):
        at(spool, "queued", name).touch()
        path = spool.set_aside("queued", name)
        assert os.path.dirname(path) == f"{spool.root}/corrupt"
        assert all(c.isascii() and (c.isalnum() or c in "._-") for c in os.path.basename(path))
    assert len(os.listdir(f"{spool.root}/corrupt")) == 2


# Locks


def test_a_message_that_is_claimed_is_busy_for_everybody_else(spool: SpoolDirectory) -> None:
    """Another claim, every operator's act, in this process too; reading goes on."""
    id = put(spool)
    with spool.claim(id):
        for act in (spool.claim, spool.hold, spool.release, spool.retry, lambda message: spool.cancel(message, NOW)):
            with pytest.raises(Busy, match="this moment; try again") as caught:
                act(id)
            assert caught.value.kind == "try-again"
        assert spool.content(id) == BODY
    spool.hold(id)


def test_a_lock_ends_with_its_process(spool: SpoolDirectory) -> None:
    """Another process that holds a message keeps us out; when it dies, however it dies, the message is free."""
    id = put(spool)
    claimed = f"c = SpoolDirectory({spool.root!r}).claim({id!r})"
    code = f"from mailer.spool.files.store import SpoolDirectory; {claimed}; print('mine', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(Busy):
            spool.claim(id)
        other.kill()
        other.wait()
        spool.claim(id).close()


def test_closing_a_claim_twice_is_harmless(spool: SpoolDirectory) -> None:
    """It gives nothing back that it does not have: the number may be somebody else's file by then."""
    claim = spool.claim(put(spool))
    claim.close()
    with open(os.devnull, "rb") as other:
        claim.close()
        os.fstat(other.fileno())


def test_who_waited_for_a_lock_looks_where_the_message_is_now(spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between open and lock its last owner may have moved it: then the file that was opened is not what its name says."""
    id = put(spool)
    flock = fcntl.flock

    def moved_meanwhile(fd: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        os.rename(at(spool, "queued", id), at(spool, "deferred", id))
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", moved_meanwhile)
    with pytest.raises(NoSuchMessage):
        spool.claim(id, "queued")
    os.rename(at(spool, "deferred", id), at(spool, "queued", id))
    monkeypatch.setattr(fcntl, "flock", moved_meanwhile)
    with spool.claim(id) as claim:  # no state asked for: found in its new place
        assert claim.entry.state == "deferred"


def test_a_message_is_found_while_others_move_it(spool: SpoolDirectory) -> None:
    """A rename between the look and the open is no absence."""
    id = put(spool)
    stop = threading.Event()

    def mover() -> None:
        while not stop.is_set():
            for source, target in (("queued", "held"), ("held", "queued")):
                os.rename(at(spool, source, id), at(spool, target, id))
                stop.wait(0.0005)

    thread = threading.Thread(target=mover)
    thread.start()
    try:
        assert all(spool.read(id).id == id for _ in range(300))
    finally:
        stop.set()
        thread.join()


def test_a_message_is_claimed_again_without_being_read_again(spool: SpoolDirectory) -> None:
    """What `load` gave is enough while nobody has touched the file; the claim shares its entry."""
    id = put(spool)
    entry = spool.load(id, "queued")
    content = entry.content
    with spool.claim_again(entry) as claim:
        assert claim.entry is entry
        assert claim.content is content
    entry.content = None
    with spool.claim_again(entry) as claim:
        assert claim.entry is entry
        assert claim.content == BODY


@pytest.mark.parametrize("content", [True, False])
def test_a_message_whose_file_stayed_open_is_claimed_without_opening_it(spool: SpoolDirectory, content: bool) -> None:
    """Its descriptor becomes the claim's; if the claim is refused, it is closed."""
    entry = spool.load(put(spool), "queued", keep=True)
    fd = entry.fd
    if not content:
        entry.content = None
    with spool.claim_again(entry) as claim:
        assert (claim.fd, claim.content) == (fd, BODY)
        with pytest.raises(Busy):
            spool.claim(entry.id)
        spool.defer(claim, [outcome(0, "defer")], NOW + 60)
    assert spool.read(entry.id).due == NOW + 60

    entry = spool.load(put(spool), "queued", keep=True)
    fd = entry.fd
    spool.hold(entry.id)
    with pytest.raises(NoSuchMessage):
        spool.claim_again(entry)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.parametrize("kept", [True, False])
def test_a_message_that_changed_since_it_was_read_is_not_claimed_again(spool: SpoolDirectory, kept: bool) -> None:
    """Held, gone, busy, or held and given back with news in between: what was read of it no longer holds."""

    def loaded() -> FileEntry:
        entry = spool.load(put(spool, "a@example.com", "b@example.com"), "queued")
        if not kept:
            entry.content = None
        return entry

    entry = loaded()
    spool.hold(entry.id)
    with pytest.raises(NoSuchMessage):
        spool.claim_again(entry)

    entry = loaded()
    with spool.claim(entry.id) as claim:
        with pytest.raises(Busy):
            spool.claim_again(entry)
        spool.drop(claim)
    with pytest.raises(NoSuchMessage):
        spool.claim_again(entry)

    entry = loaded()
    with spool.claim(entry.id) as claim:
        spool.record(claim, [outcome(0)])
    spool.hold(entry.id)
    spool.release(entry.id)
    with pytest.raises(NoSuchMessage):
        spool.claim_again(entry)


# Settling


def test_a_file_is_only_appended_to(spool: SpoolDirectory) -> None:
    """What was put stays to the byte through everything that happens to a message."""
    id = put(spool, "a@example.com", "b@example.com")
    was = at(spool, "queued", id).read_bytes()
    with spool.claim(id) as claim:
        spool.record(claim, [outcome(0)])
        spool.defer(claim, [outcome(1, "defer", due=DUE)], DUE)
    spool.hold(id)
    spool.release(id)
    with spool.claim(id) as claim:
        spool.fail(claim, [outcome(1, "fail")])
    now = at(spool, "failed", id).read_bytes()
    assert now.startswith(was + b"\n{")
    assert spool.read(id).history.outcomes == [outcome(0), outcome(1, "defer", due=DUE), outcome(1, "fail")]


def test_a_deferred_message_is_due_at_its_files_mtime(spool: SpoolDirectory) -> None:
    """`ls -l` shows when it is tried again; deferring it once more moves nothing but the time."""
    id = in_state(spool, "deferred")
    assert at(spool, "deferred", id).stat().st_mtime == pytest.approx(DUE, abs=1e-6)
    with spool.claim(id) as claim:
        spool.defer(claim, [outcome(0, "defer", due=DUE + 60)], DUE + 60)
        assert claim.entry.due == DUE + 60
    assert list(spool.dues()) == [(pytest.approx(DUE + 60, abs=1e-6), id)]
    assert len(spool.read(id).history.outcomes) == 2


def test_a_message_that_all_have_leaves_the_spool(spool: SpoolDirectory) -> None:
    """Nothing of it is left."""
    id = put(spool)
    with spool.claim(id) as claim:
        spool.drop(claim)
    assert spool.find(id) is None
    assert not any(os.listdir(f"{spool.root}/{state}") for state in STATES)


def test_a_torn_record_is_passed_over_when_the_next_is_written(spool: SpoolDirectory) -> None:
    """After a crash within a record the attempt is made again, and what it brings is read."""
    id = put(spool)
    with at(spool, "queued", id).open("ab") as file:
        file.write(b'\n{"at":"2026-11-21T00:00:00Z","to":[0],"verd')
    assert spool.read(id).history.outcomes == []
    with spool.claim(id) as claim:
        spool.fail(claim, [outcome(0, "fail")])
    assert spool.read(id).history.outcomes == [outcome(0, "fail")]


def test_an_envelope_without_a_time_of_arrival_is_corrupt(spool: SpoolDirectory) -> None:
    """Without it nobody could say when the message is too old, and it would be tried for ever."""
    letter = envelope(id=ID)
    letter.created = "the day before yesterday"
    at(spool, "queued", ID).write_bytes(spool_file(letter))
    with pytest.raises(CorruptMessage, match="no RFC 3339 time"):
        spool.read(ID)


# The operators' acts


@pytest.mark.parametrize(
    ("act", "moves"),
    [
        ("hold", {"queued": "held", "deferred": "held", "held": "held"}),
        ("release", {"queued": "queued", "held": "queued"}),
        ("retry", {"queued": "queued", "deferred": "queued", "held": "held"}),
        ("cancel", {"queued": "failed", "deferred": "failed", "held": "failed"}),
    ],
)
def test_an_operators_act_moves_a_message_that_waits(spool: SpoolDirectory, act: str, moves: dict[str, str]) -> None:
    """From wherever it is to where the act says; doing it twice is as good as once."""
    arguments = (NOW,) if act == "cancel" else ()
    for state, then in moves.items():
        id = in_state(spool, state)
        assert getattr(spool, act)(id, *arguments).state == then
        assert spool.find(id) == then
        assert spool.content(id) == BODY
        if then != "failed":
            assert getattr(spool, act)(id, *arguments).state == then


def test_a_deferred_message_is_retried_and_not_released(spool: SpoolDirectory) -> None:
    """Releasing one that nobody holds is a slip: it stays as it is, and its lock is free."""
    id = in_state(spool, "deferred")
    with pytest.raises(Problem, match="is not held") as caught:
        spool.release(id)
    assert caught.value.kind == "bad-message"
    assert spool.find(id) == "deferred"
    spool.claim(id).close()


@pytest.mark.parametrize("act", ["hold", "release", "retry", "cancel"])
def test_what_is_done_with_cannot_be_moved(spool: SpoolDirectory, act: str) -> None:
    """65, and the lock is free again."""
    id = in_state(spool, "failed")
    for _ in range(2):
        with pytest.raises(Problem, match=r"is done with \(failed\)") as caught:
            getattr(spool, act)(id, *((NOW,) if act == "cancel" else ()))
        assert caught.value.kind == "bad-message"
    spool.claim(id).close()


def test_cancelling_gives_up_those_who_wait_and_nobody_else(spool: SpoolDirectory) -> None:
    """Who has the message keeps it; the rest are cancelled, on record."""
    id = put(spool, "a@example.com", "b@example.com", "c@example.com")
    with spool.claim(id) as claim:
        spool.defer(claim, [outcome(0), outcome(1, "fail"), outcome(2, "defer", due=DUE)], DUE)
    entry = spool.cancel(id, NOW + 5)
    assert {to: last.verdict for to, last in entry.history.last.items()} == {0: "delivered", 1: "fail", 2: "cancel"}
    assert spool.read(id).history.last == entry.history.last
    assert entry.history.last[2].at == NOW + 5
