"""``mailer send --batch``: many messages, a line for each, and one bad one stops no other."""

from __future__ import annotations

import base64
import json
import os
import pty
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mailer.cli.batch import bar
from mailer.spool import is_id
from tests.fakes.processes import wait_until
from tests.journey.world import World
from tests.operate.test_bundle import lines, mbox, message, payload

from .home import Home
from .terminal import unwarned


def batch(home: Home, *arguments: str | Path, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return home.mailer("send", "--batch", *arguments, input=input)


def recipients(home: Home) -> list[str]:
    return [recipient.address for id in home.queued() for recipient in home.spool.read(id).envelope.recipients]


# The three forms


def test_an_mbox_from_standard_input(home: Home) -> None:
    """One ID a line, in the order of the messages, and each is in the queue."""
    done = batch(home, input=mbox(*map(message, range(300))))
    assert (done.returncode, done.stderr) == (0, b"")
    ids = done.stdout.decode().split()
    assert ids == home.queued()
    assert [home.spool.read(id).envelope.subject for id in ids] == [f"number {at}" for at in range(300)]
    assert home.spool.content(ids[7]).endswith(b"\r\n\r\nbody 7\r\n")


@pytest.mark.parametrize("form", ["mbox", "maildir", "json"])
@pytest.mark.parametrize("how", ["--batch=PATH", "--batch PATH"])
def test_a_path_in_each_form(home: Home, form: str, how: str) -> None:
    """Which one it is, is seen."""
    path = home.path / "many"
    if form == "mbox":
        path.write_bytes(mbox(*map(message, range(3))))
    elif form == "json":
        path.write_bytes(b"\n" + lines(*map(payload, range(3))) + b"\n")
    else:
        for name in ("cur", "new", "tmp"):
            (path / name).mkdir(parents=True)
        for at in range(3):
            (path / ("cur" if at == 1 else "new") / f"{at}.host:2,S").write_bytes(message(at))
        (path / "new" / ".hidden").write_bytes(b"x")
    words = [f"--batch={path}"] if how == "--batch=PATH" else ["--batch", str(path)]
    done = home.mailer("send", *words)
    assert done.returncode == 0, done.stderr
    assert recipients(home) == ["0@example.net", "1@example.net", "2@example.net"]


def test_a_payload_is_composed(home: Home) -> None:
    """Text, HTML, files, Bcc, priority and its own request id."""
    file = {"filename": "a.txt", "content_type": "text/plain", "data_base64": base64.b64encode(b"attached").decode()}
    bcc = "Hidden <bcc@example.net>"
    whole = payload(1, bcc_addresses=[bcc], body_html="<p>x</p>", attachments=[file], priority="high")
    for _ in range(2):
        done = batch(home, "--json", input=lines(whole))
        assert done.returncode == 0, done.stderr
    (id,) = home.queued()
    assert json.loads(done.stdout) == {"number": 1, "id": id, "request_id": "k1", "repeat": True, "error": None}
    envelope = home.spool.read(id).envelope
    assert [(one.address, one.type) for one in envelope.recipients] == [("1@example.net", "to"), ("bcc@example.net", "bcc")]
    assert (envelope.priority, envelope.request_id) == ("high", "k1")
    assert b"bcc@" not in home.spool.content(id)


def test_recipients_of_the_command_line_are_for_all(home: Home) -> None:
    """Instead of those of the header, or with -t besides them; so is the sender."""
    assert batch(home, "-f", "bounce@example.com", "all@example.org", input=mbox(message(1))).returncode == 0
    assert recipients(home) == ["all@example.org"]
    assert home.spool.read(home.queued()[0]).envelope.sender == "bounce@example.com"
    assert batch(home, "-t", "all@example.org", input=mbox(message(2))).returncode == 0
    assert recipients(home)[1:] == ["all@example.org", "2@example.net"]


def test_nothing_is_a_batch_of_none(home: Home) -> None:
    """An empty file has no message, and none failed."""
    assert batch(home, input=b"").returncode == 0
    assert batch(home, input=b"\n\n").returncode == 0


# What is wrong with one


def test_one_bad_message_stops_no_other(home: Home) -> None:
    """65, a line in its place that says why, and another one on standard error."""
    done = batch(home, input=mbox(message(1), message(2, To="no address"), b"", message(4)))
    assert done.returncode == 65
    told = done.stdout.decode().splitlines()
    assert [is_id(line) for line in told] == [True, False, False, True]
    assert told[1].startswith("- ")
    assert told[2] == "- the message is empty"
    said = done.stderr.decode().splitlines()
    assert [line.split(":")[1] for line in said[:2]] == [" message 2", " message 3"]
    assert said[2] == "mailer: 2 queued, 2 refused"
    assert recipients(home) == ["1@example.net", "4@example.net"]


def test_odd_octets_and_halves_of_characters_stop_no_line(home: Home) -> None:
    """As with ``--from-json``: mended, or refused where nothing is to be; a byte order mark is no part of the first line."""
    data = lines(payload(1, body_plain="a \ud83d")) + lines(payload(2, body_plain="CAF")).replace(b"CAF", b"caf\xe9")
    assert batch(home, "--strict", input=data).returncode == 65
    assert home.queued() == []
    assert batch(home, input=b"\xef\xbb\xbf" + data).returncode == 0
    bodies = [home.spool.content(id).partition(b"\r\n\r\n")[2] for id in home.queued()]
    assert bodies == [b"a =EF=BF=BD\r\n", b"caf=C3=A9\r\n"]
    assert batch(home, "-t", input=b"\xef\xbb\xbf" + mbox(message(3), message(4))).returncode == 0
    assert len(home.queued()) == 4


def test_lines_that_are_no_payload(home: Home) -> None:
    """No JSON, no object, an unknown member, no recipient: each in its place."""
    data = lines(payload(1)) + b"{\n[]\n" + lines(payload(2, bcc_adresses=[]), payload(3, to_addresses=[]), payload(4))
    done = batch(home, "--json", input=data)
    assert done.returncode == 65
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["number"] for one in told] == [1, 2, 3, 4, 5, 6]
    assert [one["id"] is None for one in told] == [False, True, True, True, True, False]
    assert "did you mean bcc_addresses?" in told[3]["error"]
    assert recipients(home) == ["1@example.net", "4@example.net"]


@pytest.mark.parametrize(
    ("arguments", "input", "code", "word"),
    [
        ([], b"Subject: x\n\nhello\n", 65, "is no batch"),
        (["/nonexistent"], b"", 67, "there is no /nonexistent"),
        (["--to", "a@example.com"], b"", 64, "--to is for one message"),
        (["--wait"], b"", 64, "--wait is for one message"),
        (["--dry-run"], mbox(message(1)), 64, "--dry-run is for one message"),
        (["--delay", "soon"], b"", 64, "--delay"),
    ],
)
def test_what_is_no_batch_is_refused(home: Home, arguments: list[str], input: bytes, code: int, word: str) -> None:
    """Before anything is queued."""
    done = batch(home, *arguments, input=input)
    assert (done.returncode, word in done.stderr.decode(), home.queued()) == (code, True, []), done.stderr


def test_a_directory_that_is_no_maildir_is_refused(home: Home) -> None:
    """Nobody sends the files of a directory by mistake."""
    (home.path / "notes").mkdir()
    (home.path / "notes" / "x").write_bytes(message(1))
    done = batch(home, home.path / "notes")
    assert (done.returncode, b"is no Maildir" in done.stderr) == (65, True)


def test_a_spool_that_takes_nothing_stops_the_batch(home: Home) -> None:
    """What would meet every message is said once, with its own code; nothing is said to be queued that is not."""
    assert batch(home, input=mbox(message(1))).returncode == 0
    os.rename(f"{home.spool.root}/queued", f"{home.spool.root}/gone")
    done = batch(home, input=mbox(*map(message, range(300))))
    assert (done.returncode, done.stdout) == (73, b"")
    assert done.stderr.decode().startswith("mailer: after 0 messages: ")
    assert done.stderr.count(b"\n") == 1
    assert os.listdir(f"{home.spool.root}/tmp") == []


def test_a_disk_without_room_takes_no_batch(home: Home) -> None:
    """75, however small it is."""
    home.configure('[submission]\nmin_free_space = "900000GB"\n')
    done = batch(home, input=mbox(message(1)))
    assert (done.returncode, b"of space left" in done.stderr, home.queued()) == (75, True, []), done.stderr


# Again


def test_the_same_batch_again_queues_nothing_twice(home: Home) -> None:
    """With a request id for each message, out of its header; those that are new are queued."""
    first = batch(home, "--request-id-from", "X-Key", input=mbox(*map(message, range(20))))
    again = batch(home, "--request-id-from", "x-key", "--json", input=mbox(*map(message, range(25))))
    assert (first.returncode, again.returncode) == (0, 0)
    told = [json.loads(line) for line in again.stdout.splitlines()]
    assert [one["id"] for one in told[:20]] == first.stdout.decode().split()
    assert [one["repeat"] for one in told] == [True] * 20 + [False] * 5
    assert len(home.queued()) == 25


def test_a_message_without_its_request_id_is_refused(home: Home) -> None:
    """It could not be sent again safely. One whose id was another message is refused too."""
    other = message(3, Subject="other")
    done = batch(home, "--request-id-from", "X-Key", input=mbox(message(1), message(2, **{"X-Key": ""}), message(3), other))
    assert done.returncode == 65
    told = done.stdout.decode().splitlines()
    assert [is_id(line) for line in told] == [True, False, True, False]
    assert "there is no X-Key in it" in told[1]
    assert "was used for another message" in told[3]


def test_of_two_messages_with_one_request_id_the_first_is_queued(home: Home) -> None:
    """However many are written side by side."""
    both = [one for at in range(60) for one in (message(at), message(at, Subject="the second"))]
    done = batch(home, "-q", "--request-id-from", "X-Key", input=mbox(*both))
    assert (done.returncode, done.stderr.count(b"was used for another message")) == (65, 60)
    assert {home.spool.read(id).envelope.subject for id in home.queued()} == {f"number {at}" for at in range(60)}


def test_a_member_of_a_line_that_is_no_part_of_the_mail_can_be_its_request_id(home: Home) -> None:
    """``--request-id-from order`` of the program's own records."""
    data = lines(payload(1, order=4711, request_id=None), payload(2, order="x", request_id=None))
    for _ in range(2):
        assert batch(home, "--request-id-from", "order", input=data).returncode == 0
    assert [home.spool.read(id).envelope.request_id for id in home.queued()] == ["4711", "x"]


def test_a_batch_that_is_killed_is_finished_by_the_next(home: Home) -> None:
    """What was said is durable, and what was not is queued once by the run that comes after."""
    whole = mbox(*map(message, range(2000)))
    path = home.path / "mbox"
    path.write_bytes(whole)
    running = home.start("send", "--request-id-from", "X-Key", "--batch", path)
    assert running.stdout is not None
    first = running.stdout.readline()
    running.kill()
    rest, _ = running.communicate()
    said = (first + rest).decode().split("\n")[:-1]
    assert set(said) <= set(os.listdir(f"{home.spool.root}/queued"))
    done = batch(home, "--request-id-from", "X-Key", path)
    ids = done.stdout.decode().split()
    assert (done.returncode, ids[: len(said)]) == (0, said)
    assert sorted(ids) == home.spool.ids("queued")
    assert len(ids) == 2000


def test_a_batch_that_is_interrupted_says_how_far_it_came(home: Home) -> None:
    """75; what was said is queued, and nothing else is left over."""
    running = home.start("send", "--batch")
    assert running.stdin is not None
    running.stdin.write(mbox(*map(message, range(400))))
    running.stdin.flush()
    wait_until("some are queued", lambda: os.path.isdir(f"{home.spool.root}/queued") and home.spool.ids("queued"))
    running.send_signal(signal.SIGTERM)
    out, error = running.communicate()
    said = out.decode().split()
    assert (running.returncode, error.decode()) == (75, f"mailer: after {len(said)} messages: SIGTERM while the batch was read\n")
    assert said == home.queued()


@pytest.mark.slow
def test_a_daemon_that_runs_delivers_all_of_it_at_once(tmp_path: Path) -> None:
    """It is told that there is much to do; more than the doorbell holds, and long before it would look by itself."""
    world = World(tmp_path)
    try:
        sink = world.sink()
        world.configure(sink, more='[delivery]\nrescan = "1h"\n')
        world.daemon()
        assert world.mailer("send", "--batch", input=mbox(*map(message, range(300)))).code == 0
        assert len(sink.received(300, 30)) == 300
        world.until("the spool is empty", lambda: not world.in_spool())
    finally:
        world.close()


# What is asked of all, and what is shown


def test_options_are_for_all(home: Home) -> None:
    """Sent later, with reports."""
    done = batch(home, "--delay", "1h", "--dsn", "success,full", input=mbox(message(1), message(2)))
    assert done.returncode == 0, done.stderr
    ids = home.spool.ids("deferred")
    assert done.stdout.decode().split() == ids
    options = home.spool.read(ids[0]).envelope.options
    assert (options["notify"], options["ret"]) == ("SUCCESS", "FULL")
    assert abs(home.spool.due(ids[1]) - time.time() - 3600) < 60


def test_all_of_a_stream_can_be_left_by_a_link(home: Home) -> None:
    """Whole messages and those of JSON; one of them that the list is not to hold up says so itself."""
    home.configure('[submission]\npublic_url = "https://leave.example.com"\n')
    every = ("--stream", "news", "--list-unsubscribe", "auto")
    own = {**payload(2), "ignore_suppression": True}
    for given in (mbox(message(1)), lines(own, {**payload(3), "list_unsubscribe": "yes"})):
        done = batch(home, *every, input=given)
    assert (done.returncode, done.stdout.splitlines()[1:]) == (65, [b'- list_unsubscribe is "auto", or is not there'])
    assert batch(home, "--ignore-suppression", input=mbox(message(4))).returncode == 0
    link, ignore = {"list_unsubscribe": "auto"}, {"ignore_suppression": True}
    queued = [home.spool.read(id).envelope for id in home.queued()]
    assert [(each.stream, each.options) for each in queued] == [("news", link), ("news", {**link, **ignore}), ("", ignore)]


def test_quiet_prints_nothing_but_what_is_wrong(home: Home) -> None:
    """For cron."""
    done = batch(home, "-q", input=mbox(message(1), message(2, To="x y")))
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (65, b"", 1)


def test_a_reader_who_leaves_stops_nothing(home: Home) -> None:
    """``mailer send --batch | head``: the messages are queued."""
    path = home.path / "mbox"
    path.write_bytes(mbox(*map(message, range(500))))
    running = home.start("send", "--batch", path)
    assert running.stdout is not None
    running.stdout.close()
    running.stdout = None
    running.communicate(timeout=60)
    assert len(home.queued()) == 500


def test_a_terminal_shows_how_far_it_is(home: Home) -> None:
    """On standard error, where standard output goes elsewhere; and takes it away at the end."""
    path = home.path / "mbox"
    path.write_bytes(mbox(*map(message, range(400))))
    ours, theirs = pty.openpty()
    try:
        running = home.start("send", "--batch", path, stderr=theirs)
        running.communicate(timeout=60)
        shown = unwarned(os.read(ours, 1 << 16).decode())
    finally:
        os.close(ours)
        os.close(theirs)
    assert "%" in shown
    assert shown.endswith("mailer: 400 queued\r\n")


def test_a_terminal_shows_the_lines_above_the_bar(home: Home) -> None:
    """Where both go to it: each line begins where the bar was, and that is the last thing to be taken away."""
    path = home.path / "mbox"
    path.write_bytes(mbox(*map(message, range(3))))
    ours, theirs = pty.openpty()
    try:
        running = home.start("send", "--batch", path, stdout=theirs, stderr=theirs)
        running.communicate(timeout=60)
        shown = unwarned(os.read(ours, 1 << 16).decode())
    finally:
        os.close(ours)
        os.close(theirs)
    assert "% 3 messages" in shown
    lines = shown.replace("\r\x1b[K", "\n").splitlines()
    assert [line for line in lines if line in home.queued()] == sorted(home.queued())
    assert lines[-1] == "mailer: 3 queued"


@pytest.mark.parametrize(("read", "total", "shown"), [(0, 0, ""), (0, 10, "[    ]   0%"), (5, 10, "[##  ]  50%"), (11, 10, "[####] 100%")])
def test_the_bar_is_as_long_as_what_is_done(read: int, total: int, shown: str) -> None:
    """And is not there where nobody knows how much there is."""
    assert bar(read, total, 4) == shown


def test_limits_hold_for_each_line(home: Home) -> None:
    """What is composed in a batch has those of any other."""
    home.configure("[submission]\nmax_subject_length = 5\n")
    lines = [{"to_addresses": ["a@example.com"], "subject": subject} for subject in ("short", "too long")]
    done = home.send("--batch", input="\n".join(map(json.dumps, lines)).encode())
    assert done.returncode == 65
    assert b"the subject is longer than 5 characters (submission.max_subject_length)" in done.stdout + done.stderr
    assert len(home.queued()) == 1
