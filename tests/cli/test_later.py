"""``mailer send``: later, with reports, with a copy, and waiting for the outcome."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailer.cli import send
from mailer.cli.later import asked
from mailer.cli.options import read
from mailer.mail.dates import parse_rfc3339
from mailer.mail.problem import Problem
from tests.fakes.users import NOBODY, public_directory
from tests.journey.world import World

from .home import WHOLE, Home

NOW = 1_795_255_200.0  # Sat 21 Nov 2026 10:00:00 UTC


@pytest.fixture
def berlin(zone: Callable[[str], None]) -> None:
    """One hour ahead in winter, on machines that have no names of zones."""
    zone("CET-1CEST,M3.5.0,M10.5.0/3")


def options(*words: str, now: float = NOW) -> dict[str, object]:
    given = read(send.COMMAND, words)
    assert given
    return asked(given, now)


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("words", "at"),
    [
        (["--at", "2026-11-22T08:00:00Z"], "2026-11-22T08:00:00Z"),
        (["--at", "2026-11-22T08:00:00+01:00"], "2026-11-22T07:00:00Z"),
        (["--at", "2026-11-22 08:00"], "2026-11-22T07:00:00Z"),
        (["--at", "2026-11-22T08:00:30"], "2026-11-22T07:00:30Z"),
        (["--at", "2027-07-01 08:00"], "2027-07-01T06:00:00Z"),
        (["--at", "12:30"], "2026-11-21T11:30:00Z"),
        (["--at", "11:00"], "2026-11-22T10:00:00Z"),
        (["--at", "08:00"], "2026-11-22T07:00:00Z"),
        (["--delay", "90s"], "2026-11-21T10:01:30Z"),
        (["--delay", "2d"], "2026-11-23T10:00:00Z"),
        (["--at", "2026-11-20T08:00:00Z"], None),
        (["--delay", "0s"], None),
        ([], None),
    ],
)
def test_a_moment_is_written_in_many_ways(words: list[str], at: str | None) -> None:
    """With a zone, in local time, or the next time that the clock shows it; what has passed is now."""
    assert options(*words).get("at") == at


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("success", {"notify": "SUCCESS"}),
        ("success,delay,full", {"notify": "SUCCESS,DELAY", "ret": "FULL"}),
        ("Never", {"notify": "NEVER"}),
        ("headers", {"ret": "HDRS"}),
    ],
)
def test_reports_are_asked_for_by_their_words(words: str, wanted: dict[str, object]) -> None:
    """As the envelope has them."""
    assert options("--dsn", words) == wanted


@pytest.mark.parametrize(
    "words",
    [
        ["--at", "soon"], ["--at", ""], ["--at", "25:00"], ["--at", "2026-02-30T00:00:00Z"], ["--at", "2028-01-01T00:00:00Z"],
        ["--delay", "x"],
        ["--delay", "-1s"], ["--delay", "400d"], ["--at", "12:00", "--delay", "1h"], ["--dsn", ""], ["--dsn", "sometimes"],
        ["--dsn", "never,failure"], ["--dsn", "full,headers"], ["--dsn", "delay,delay"],
    ],
)  # fmt: skip
def test_what_nobody_can_mean_is_refused(words: list[str]) -> None:
    """64, before anything is read."""
    with pytest.raises(Problem) as caught:
        options(*words)
    assert caught.value.kind == "usage"


def test_what_is_to_leave_later_lies_on_disk_with_its_time(home: Home) -> None:
    """Durable at once, shown with the time, and taken back until it leaves."""
    done = home.send("--delay", "2h", "--json", "you@example.net")
    told = json.loads(done.stdout)
    (id,) = home.spool.ids("deferred")
    assert (told["id"], told["status"], home.queued()) == (id, "deferred", [])
    due = parse_rfc3339(told["next_attempt_at"])
    assert abs(due - time.time() - 7200) < 60
    assert abs(home.spool.due(id) - due) < 0.001
    status = json.loads(home.mailer("status", "--json", id).stdout)
    assert (status["status"], status["next_attempt_at"], status["attempts"]) == ("deferred", told["next_attempt_at"], 0)
    assert home.mailer("run", "--once").returncode == 0
    assert home.spool.ids("deferred") == [id]
    assert home.mailer("queue", "cancel", id).returncode == 0
    assert home.spool.read(id).status == "cancelled"


def test_a_request_that_is_to_leave_later_is_one_message(home: Home) -> None:
    """The time is no part of what was asked: a script that runs again says another one."""
    ids = {home.send("--request-id", "k", "--delay", delay, "you@example.net").stdout for delay in ("1h", "2h")}
    assert len(ids) == 1
    assert len(home.spool.ids("deferred")) == 1


# A copy


def test_a_copy_is_kept_once_the_message_is_queued(home: Home) -> None:
    """In cur/ and seen, with LF, with those whom the others are not to see; and none of what was refused."""
    maildir = home.path / "sent"
    words = ["--fcc", str(maildir), "--from", "me@example.com", "--to", "a@example.net", "--bcc", "b@example.net", "--text", "hello"]
    assert home.send(*words, input=b"").returncode == 0
    (name,) = os.listdir(maildir / "cur")
    assert name.endswith(":2,S")
    kept = (maildir / "cur" / name).read_bytes()
    assert (b"\r" in kept, b"\nBcc: " in b"\n" + kept, b"Message-ID: " in kept) == (False, True, True)
    assert (os.listdir(maildir / "tmp"), os.listdir(maildir / "new")) == ([], [])
    assert home.send("--fcc", str(maildir), "no address at all").returncode == 65
    assert len(os.listdir(maildir / "cur")) == 1


def test_a_repeated_request_leaves_one_copy(home: Home) -> None:
    """It is one message."""
    for _ in range(2):
        assert home.send("--fcc", str(home.path / "sent"), "--request-id", "k", "you@example.net").returncode == 0
    assert len(os.listdir(home.path / "sent" / "cur")) == 1


def test_what_is_no_maildir_is_refused_before_anything_is_queued(home: Home) -> None:
    """A file, a directory of other things, a place where none can be made."""
    (home.path / "file").write_bytes(b"x")
    (home.path / "full").mkdir()
    (home.path / "full" / "x").write_bytes(b"x")
    for name in ("file", "full", "no/where"):
        home.refused(home.send("--fcc", str(home.path / name), "you@example.net"), 73, name)


def test_a_copy_that_cannot_be_kept_is_told_and_the_message_is_queued(home: Home) -> None:
    """Only the message decides the exit code."""
    for name in ("cur", "new"):
        (home.path / "sent" / name).mkdir(parents=True)
    (home.path / "sent" / "tmp").symlink_to("/proc/1")
    done = home.send("--fcc", str(home.path / "sent"), "you@example.net")
    assert (done.returncode, b"is queued, but no copy could be kept" in done.stderr) == (0, True)
    assert len(home.queued()) == 1


def test_mail_for_later_is_scheduled_and_not_put_off(home: Home) -> None:
    """Every list and page says until when, and it is chosen by that word; in JSON it is deferred, as the contract has it."""
    id = home.send("--delay", "2h", "you@example.net").stdout.decode().strip()
    at = json.loads(home.mailer("status", id, "--json").stdout)["next_attempt_at"][:19]
    shown = {words: home.mailer(*words).stdout.decode() for words in (("status", id), ("queue", "list"), ("explain", id, "--no-dns"))}
    assert f"{id}  scheduled  scheduled for {at}" in shown["status", id]
    assert f"{id}  scheduled  scheduled for {at}" in shown["explain", id, "--no-dns"]
    assert shown["queue", "list"].splitlines()[1].startswith("scheduled ")
    assert all("deferred" not in text and "next try" not in text.lower() for text in shown.values()), shown
    for list_ in (("queue", "list"), ("status",)):
        assert json.loads(home.mailer(*list_, "--state", "scheduled", "--json").stdout)["status"] == "deferred"
        assert home.mailer(*list_, "--state", "deferred", "--json").stdout == b""
    done = home.send("--delay", "2h", "--wait=0", "you@example.net")
    assert (done.returncode, "is scheduled for 20" in done.stderr.decode(), "no daemon runs" in done.stderr.decode()) == (75, True, True)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has the rights of others")
def test_root_keeps_a_copy_as_the_user_whose_maildir_it_is() -> None:
    """So the user can read it, and a link of his, in whatever place, leads nowhere that he could not write himself."""
    with public_directory() as path:
        _keep_copies(Home(path))


def _keep_copies(home: Home) -> None:
    bait, theirs = home.path / "bait", home.path / "anna"
    for path in (bait, bait / "cur", bait / "tmp", bait / "new", theirs):
        path.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    assert home.send("--fcc", str(theirs / "sent"), "you@example.net").returncode == 0
    (name,) = os.listdir(theirs / "sent" / "cur")
    assert (theirs / "sent" / "cur" / name).stat().st_uid == NOBODY
    shutil.rmtree(theirs / "sent" / "cur")
    (theirs / "sent" / "cur").symlink_to(bait / "cur")
    (theirs / "link").symlink_to(bait)
    for link in (theirs / "sent" / "cur", theirs / "link"):
        os.lchown(link, NOBODY, NOBODY)
    assert b"no copy could be kept" in home.send("--fcc", str(theirs / "sent"), "you@example.net").stderr
    assert b"no copy could be kept" in home.send("--fcc", str(theirs / "link"), "you@example.net").stderr
    (home.path / "roots").symlink_to(theirs / "link")
    assert b"no copy could be kept" in home.send("--fcc", str(home.path / "roots"), "you@example.net").stderr
    assert [*bait.rglob("*:2,S")] == []
    (home.path / "open").mkdir()
    (home.path / "open").chmod(0o777)
    assert b"everybody may write there" in home.send("--fcc", str(home.path / "open" / "sent"), "you@example.net").stderr


# With a daemon


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def test_the_daemon_sends_it_at_its_time_and_not_before(world: World) -> None:
    """Though the doorbell told of it at once; and whoever waits hears of the outcome."""
    sink = world.sink()
    world.configure(sink)
    world.daemon()
    begin = time.time()
    done = world.mailer("send", "--delay", "2s", "--wait=60", "you@example.net", input=WHOLE)
    assert done.code == 0, done.err
    assert time.time() - begin >= 2
    assert len(sink.received(1)) == 1


def test_who_waits_hears_what_happened(world: World) -> None:
    """That it was sent, too, on standard error, at a terminal or with -v; standard output is the ID and nothing else."""
    world.configure(world.sink())
    world.daemon()
    done = world.mailer("send", "-v", "--wait=60", "you@example.net", input=WHOLE)
    id = done.out.strip()
    assert (done.code, len(id)) == (0, 26)
    assert f"mailer: {id} was taken by 127.0.0.1: 250 " in done.err, done.err
    assert world.mailer("send", "--wait=60", "you@example.net", input=WHOLE).err == ""


def test_what_has_waited_for_its_time_can_be_put_off_as_ever(world: World) -> None:
    """Who waits hears of that, and why."""
    world.configure(9)  # nobody listens there
    world.daemon()
    done = world.mailer("send", "--delay", "1s", "--wait=60", "you@example.net", input=WHOLE)
    assert (done.code, "put off for now" in done.err, "Connection refused; `mailer explain" in done.err) == (75, True, True), done


@pytest.mark.parametrize("words", [("queue", "retry", "--all"), ("sendmail", "-q"), ("sendmail", "-qRexample.net")])
def test_mail_for_later_keeps_its_time_when_what_was_put_off_is_tried_again(home: Home, words: tuple[str, ...]) -> None:
    """The sender has said when: only who names it, by ID or by that state, lets it go before."""
    ids = [home.send("--delay", "2h", "you@example.net").stdout.decode().strip() for _ in range(2)]
    assert home.mailer(*words).returncode == 0
    assert (sorted(home.spool.ids("deferred")), home.queued()) == (sorted(ids), [])
    assert "(scheduled for " in home.mailer("sendmail", "-bp").stdout.decode()
    assert home.mailer("queue", "retry", ids[0]).returncode == 0
    assert home.queued() == ids[:1]
    assert home.mailer("queue", "retry", "--state", "scheduled").returncode == 0
    assert home.queued() == sorted(ids)
