"""A machine with many users: the daemon runs as its own, everybody else hands in mail without any privilege.

Every command here runs under ``setpriv --no-new-privs``, as a hardened systemd service does; nothing is setuid or setgid.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import envelope, spool_file
from tests.fakes.processes import MAILER, Program, wait_until, which
from tests.fakes.users import public_directory

POST, ANNA, BOB = 64_001, 64_002, 64_003  # users that nobody has named
WHOLE = b"From: anna@example.com\nTo: you@example.net\nSubject: x\n\nhello\n"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")]

CONFIG = """
[mailer]
hostname = "host.example.com"
spool = "{spool}"
[submission]
default_domain = "example.com"
[intake]
enabled = true
[delivery]
rescan = "1h"
[relay.nowhere]
host = "127.0.0.1"
port = 9
tls = "none"
[[route]]
match = "*"
via = ["relay:nowhere"]
[retry]
schedule = ["1h"]
"""


class Machine:
    """A spool of the user `POST` below `home`, and its daemon if `start` was called."""

    def __init__(self, home: Path, more: str = "") -> None:
        self.home = home
        home.chmod(0o755)
        os.chown(home, POST, POST)
        self.spool = SpoolDirectory(str(home / "spool"))
        self.config = home / "config.toml"
        self.config.write_text(CONFIG.format(spool=self.spool.root) + more)
        self.config.chmod(0o644)
        self.daemon: Program | None = None

    def argv(self, uid: int, *words: str) -> list[str]:
        return ["setpriv", "--no-new-privs", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *MAILER, *words]

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "MAILER_CONFIG": str(self.config)}

    def start(self) -> Program:
        log = self.home / "log"
        log.touch()
        self.daemon = Program(self.argv(POST, "run"), log, env=self.env, cwd=Path("/"))
        self.daemon.says('"what":"ready"')
        return self.daemon

    def stop(self) -> None:
        if self.daemon:
            self.daemon.stop()

    def run(self, uid: int, *words: str, input: bytes = b"") -> subprocess.CompletedProcess[str]:
        argv, text = self.argv(uid, *words), input.decode()
        return subprocess.run(argv, input=text, capture_output=True, env=self.env, cwd="/", timeout=60, text=True)

    def send(self, uid: int, *words: str, input: bytes = WHOLE) -> str:
        """What ``mailer send`` prints."""
        done = self.run(uid, "send", *words, "you@example.net", input=input)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def owner(self, id: str) -> object:
        return self.spool.read(id).envelope.submitter["uid"]

    def tried(self, id: str) -> None:
        """Wait until the daemon has tried to deliver it."""
        wait_until(f"{id} is deferred", lambda: self.spool.find(id) == "deferred")


@pytest.fixture
def machine() -> Iterator[Machine]:
    which("setpriv")
    with public_directory() as home:
        made = Machine(home)
        yield made
        made.stop()


def test_a_user_sends_sees_and_cancels_his_own_mail_while_the_daemon_runs(machine: Machine) -> None:
    """The ID comes when the message is in the queue; the user needs no right in the spool, and has none."""
    machine.start()
    mine, theirs, roots = machine.send(ANNA), machine.send(BOB), machine.send(0)
    assert [machine.owner(id) for id in (mine, theirs, roots)] == [ANNA, BOB, 0]
    assert os.listdir(f"{machine.spool.root}/drop") == []
    for id in (mine, theirs, roots):
        machine.tried(id)
        known = os.stat(machine.spool.path("deferred", id))
        assert (known.st_uid, stat.S_IMODE(known.st_mode)) == (POST, 0o600)
    assert json.loads(machine.run(ANNA, "status", "--json", mine).stdout)["status"] == "deferred"
    assert machine.run(ANNA, "status", theirs).returncode == 67
    listed = machine.run(ANNA, "queue", "list", "--json")
    assert [json.loads(line)["id"] for line in listed.stdout.splitlines()] == [mine]
    assert machine.run(ANNA, "status").returncode == 0
    assert machine.run(ANNA, "bounces").returncode == 0
    story = json.loads(machine.run(ANNA, "explain", "--no-dns", "--json", mine).stdout)
    assert [attempt["verdict"] for attempt in story["tries"]] == ["defer"]
    assert machine.run(ANNA, "explain", mine).returncode == 0
    assert "hello" in machine.run(ANNA, "queue", "show", "--body", mine).stdout
    assert [machine.run(ANNA, *words, theirs).returncode for words in (("explain",), ("queue", "show"))] == [67, 67]
    assert machine.run(ANNA, "queue", "hold", mine).returncode == 77
    assert machine.run(ANNA, "queue", "cancel", theirs).returncode == 67
    assert machine.run(ANNA, "queue", "cancel", mine).returncode == 0
    assert machine.spool.find(theirs) == "deferred"
    assert machine.spool.read(mine).status == "cancelled"
    assert json.loads(machine.run(ANNA, "status", "--json", mine).stdout)["status"] == "cancelled"


def test_programs_that_call_sendmail_work_for_every_user(machine: Machine) -> None:
    """``sendmail -t`` queues, ``mailq`` lists what is the user's own."""
    machine.start()
    assert machine.run(ANNA, "sendmail", "-t", input=WHOLE).returncode == 0
    assert machine.run(BOB, "sendmail", "-i", "-f", "bob@example.com", "you@example.net", input=WHOLE).returncode == 0
    wait_until("both were tried", lambda: len(machine.spool.ids("deferred")) == 2)
    assert [machine.owner(id) for id in machine.spool.ids("deferred")] == [ANNA, BOB]
    listed = machine.run(BOB, "sendmail", "-bp")
    assert (listed.returncode, "bob@example.com" in listed.stdout, "anna@example.com" in listed.stdout) == (0, True, False), listed


def test_what_was_sent_while_no_daemon_ran_is_adopted_by_the_next(machine: Machine) -> None:
    """A daemon that is not root reads what others left for it, and they alone; nobody else can."""
    machine.start()
    machine.stop()
    mine, roots = machine.send(ANNA), machine.send(0)
    left = Path(machine.spool.root, "drop", mine)
    assert (left.stat().st_uid, left.stat().st_gid, stat.S_IMODE(left.stat().st_mode)) == (ANNA, POST, 0o640)
    for uid in (ANNA, BOB):
        assert subprocess.run(["setpriv", f"--reuid={uid}", "--clear-groups", "ls", left.parent], capture_output=True).returncode
    read = ["setpriv", f"--reuid={BOB}", f"--regid={BOB}", "--clear-groups", "cat", left]
    assert subprocess.run(read, capture_output=True).returncode
    refused = machine.run(ANNA, "status", mine)
    assert (refused.returncode, "you may not read the spool" in refused.stderr) == (77, True)
    machine.start()
    machine.tried(mine)
    machine.tried(roots)
    assert [machine.owner(id) for id in (mine, roots)] == [ANNA, 0]
    assert os.listdir(left.parent) == []
    assert machine.run(ANNA, "status", mine).returncode == 0


def test_mail_in_drop_is_delivered_at_once_when_its_sender_rings(machine: Machine) -> None:
    """Not after the next rescan, which here is in an hour."""
    machine.start()
    os.unlink(f"{machine.spool.root}/intake")
    id = machine.send(ANNA)
    machine.tried(id)
    assert machine.owner(id) == ANNA


def test_a_daemon_that_does_not_answer_loses_nothing(machine: Machine) -> None:
    """The message lies in drop/, and is one when the daemon goes on."""
    daemon = machine.start()
    code = "import sys, mailer.spool.files.handover as h; h.PATIENCE = 0.3; h.ask.__defaults__ = (b'', 0.3); sys.argv[0] = 'mailer'\n"
    code += "from mailer.cli import main; sys.exit(main(sys.argv))"
    argv = [word if word != MAILER[1] else "-c" for word in machine.argv(ANNA)]
    daemon.signal(signal.SIGSTOP)
    try:
        done = subprocess.run([*argv, code, "send", "you@example.net"], input=WHOLE, capture_output=True, env=machine.env, timeout=60)
    finally:
        daemon.signal(signal.SIGCONT)
    assert done.returncode == 0, done.stderr
    id = done.stdout.decode().strip()
    machine.tried(id)
    wait_until("drop/ is empty", lambda: os.listdir(f"{machine.spool.root}/drop") == [])
    assert [machine.spool.ids(state) for state in ("queued", "deferred")] == [[], [id]]


def test_request_ids_are_each_users_own_by_both_ways(machine: Machine) -> None:
    """The same request is one message, whether it came by the socket or by drop/; another user's is another."""
    machine.start()
    first = machine.send(ANNA, "--request-id", "k")
    assert machine.send(ANNA, "--request-id", "k") == first
    theirs = machine.send(BOB, "--request-id", "k")
    conflict = machine.run(ANNA, "send", "--request-id", "k", "other@example.net", input=WHOLE)
    assert (conflict.returncode, theirs in conflict.stderr) == (65, False)
    machine.stop()
    for _ in range(2):
        machine.send(ANNA, "--request-id", "k")
        machine.send(ANNA, "--request-id", "new")
    machine.start()
    wait_until("drop/ is empty", lambda: os.listdir(f"{machine.spool.root}/drop") == [])
    wait_until("all were tried", lambda: not machine.spool.ids("queued"))
    requests = sorted((machine.owner(id), machine.spool.read(id).envelope.request_id) for id in machine.spool.ids("deferred"))
    assert requests == [(ANNA, "k"), (ANNA, "new"), (BOB, "k")]


@pytest.mark.parametrize("daemon", [True, False], ids=["socket", "drop"])
def test_fifty_at_once_with_one_key_are_one_message(machine: Machine, daemon: bool) -> None:
    """By both ways, from one user's many processes and threads."""
    code = (
        "import os, sys, threading, time\nfrom mailer.config.quick import submission\nfrom mailer.submit import Submission, submit\n"
        "settings = submission()\nprinted = []\n"
        "def one(): printed.append(submit(Submission(sys.argv[1].encode(), recipients=['you@example.net'], request_id='k'),"
        " settings, time.time()).envelope.id)\n"
        "threads = [threading.Thread(target=one) for _ in range(10)]\n"
        "[thread.start() for thread in threads]\n[thread.join() for thread in threads]\nprint(*printed)"
    )
    machine.start()
    if not daemon:
        machine.stop()
    argv = [word if word != MAILER[1] else "-c" for word in machine.argv(ANNA)]
    more = {"stdout": subprocess.PIPE, "env": machine.env, "cwd": "/", "text": True}
    running = [subprocess.Popen([*argv, code, WHOLE.decode()], **more) for _ in range(5)]
    told = [process.communicate(timeout=60)[0].split() for process in running]
    assert sum(map(len, told)) == 50
    if not daemon:
        machine.start()
    wait_until("drop/ is empty", lambda: os.listdir(f"{machine.spool.root}/drop") == [])
    wait_until("it was tried", lambda: not machine.spool.ids("queued"))
    (id,) = machine.spool.ids("deferred")
    if daemon:
        assert {one for some in told for one in some} == {id}


def test_who_may_send_as_whom_is_the_daemons_to_say(machine: Machine) -> None:
    """By the socket the sender is told; what comes by drop/ is set aside. No program of the user's own gets around it."""
    machine.config.write_text(
        machine.config.read_text() + f'[[submitter]]\nuser = "{ANNA}"\nsenders = ["*@example.com"]\n[[submitter]]\nuser = "root"\n'
    )
    machine.start()
    machine.send(ANNA)
    machine.send(0, input=WHOLE.replace(b"anna@example.com", b"anybody@example.org"))
    for uid, message in ((BOB, WHOLE), (ANNA, WHOLE.replace(b"anna@example.com", b"boss@example.org"))):
        refused = machine.run(uid, "send", "you@example.net", input=message)
        assert (refused.returncode, "may not send" in refused.stderr) == (77, True)
    forged = machine.run(ANNA, "send", "-f", "anna@example.com", "you@example.net", input=WHOLE.replace(b"anna@", b"boss@other."))
    assert forged.returncode == 77
    drop = Path(machine.spool.root, "drop")
    letter = envelope(sender="boss@example.org", at=time.time(), submitter={"uid": POST})
    (drop / letter.id).write_bytes(spool_file(letter))
    os.chown(drop / letter.id, ANNA, POST)
    machine.spool.ring(letter.id)
    wait_until("it is set aside", lambda: os.listdir(f"{machine.spool.root}/corrupt") == [letter.id])
    assert machine.daemon is not None
    machine.daemon.says("may not send as boss@example.org")


def test_a_user_waits_for_the_outcome_and_keeps_a_copy(machine: Machine) -> None:
    """``--wait`` asks the daemon; ``--fcc`` and ``--delay`` need nothing of it."""
    machine.start()
    copies = machine.home / "copies"
    copies.mkdir()
    os.chown(copies, ANNA, ANNA)
    done = machine.run(ANNA, "send", "--wait=20", "--fcc", str(copies / "sent"), "you@example.net", input=WHOLE)
    assert (done.returncode, "put off" in done.stderr) == (75, True)
    assert len(os.listdir(copies / "sent" / "cur")) == 1
    later = machine.send(ANNA, "--delay", "1h")
    assert machine.spool.find(later) == "deferred"
    assert machine.run(ANNA, "queue", "cancel", later).returncode == 0


def test_a_batch_of_another_user_goes_the_same_ways(machine: Machine) -> None:
    """One line for each message, whoever puts it."""
    mbox = b"".join(b"From a\n" + WHOLE.replace(b"Subject: x", b"Subject: %d" % at) + b"\n" for at in range(20))
    machine.start()
    for _ in range(2):
        done = machine.run(ANNA, "send", "--batch", "-", "--request-id-from", "Subject", input=mbox)
        assert done.returncode == 0, done.stderr
        wait_until("all were tried", lambda: len(machine.spool.ids("deferred")) == 20)
        assert machine.spool.ids("deferred") == sorted(done.stdout.split())
    machine.stop()
    done = machine.run(BOB, "send", "--batch", input=mbox)
    assert (done.returncode, sorted(os.listdir(f"{machine.spool.root}/drop"))) == (0, sorted(done.stdout.split()))


def test_root_writes_a_spool_that_is_another_users_in_that_users_name(machine: Machine) -> None:
    """While no daemon answers, and where there is no door: what root makes there is its owner's to move."""
    machine.start()
    machine.stop()
    once = machine.send(0, "--request-id", "k")
    assert machine.send(0, "--request-id", "k") == once
    later = machine.send(0, "--delay", "1h")
    assert (machine.spool.find(once), machine.owner(once), machine.spool.find(later)) == ("queued", 0, "deferred")
    for words in (("status",), ("queue", "list"), ("bounces",)):
        assert machine.run(0, *words).returncode == 0
    assert all(path.stat().st_uid == POST for path in Path(machine.spool.root).rglob("*"))
    machine.start()
    assert machine.send(0, "--request-id", "k") == once
    machine.tried(once)
    machine.stop()
    bound = ["--bounding-set", "-setuid", "--inh-caps", "-setuid"]
    argv = [word for at, word in enumerate(machine.argv(0, "send", "you@example.net")) if not 2 <= at <= 4]
    refused = subprocess.run([argv[0], *bound, *argv[1:]], input=WHOLE, capture_output=True, env=machine.env, cwd="/", timeout=60)
    assert (refused.returncode, b"may not act as its owner" in refused.stderr) == (75, True), refused
    os.rmdir(f"{machine.spool.root}/drop")
    assert machine.owner(machine.send(0)) == 0
    done = machine.run(0, "run", "--once")
    assert (done.returncode, f"user {POST}" in done.stderr.partition(" belongs to ")[2]) == (77, True)
    assert all(path.stat().st_uid == POST for path in Path(machine.spool.root).rglob("*"))


def test_a_file_of_another_user_that_is_moved_into_drop_is_not_his_mail(machine: Machine) -> None:
    """Nobody sends as root, or as anybody else, with what they once wrote into a directory of his."""
    machine.start()
    machine.stop()
    drop, his = Path(machine.spool.root, "drop"), machine.home / "bobs"
    his.mkdir()
    os.chown(his, BOB, BOB)
    letters = [envelope(sender="boss@example.com", at=time.time()) for _ in range(2)]
    for letter, uid in zip(letters, (0, ANNA), strict=True):
        (his / letter.id).write_bytes(spool_file(letter))
        os.chown(his / letter.id, uid, uid)
        (his / letter.id).chmod(0o644)
        move = ["setpriv", f"--reuid={BOB}", f"--regid={BOB}", "--clear-groups", "mv", his / letter.id, drop]
        subprocess.run(move, check=True)
    daemon = machine.start()
    daemon.says("of user 0: user 0 writes the spool itself, so somebody else put it here")
    daemon.says(f"of user {ANNA}: it was not made in drop/")
    assert sorted(os.listdir(f"{machine.spool.root}/corrupt")) == [letter.id for letter in letters]
    assert [machine.spool.ids(state) for state in ("queued", "deferred")] == [[], []]


def test_a_container_with_one_user_needs_no_door(machine: Machine) -> None:
    """Nobody else is there: the spool is the user's own, and so is the daemon."""
    machine.config.write_text(machine.config.read_text().replace("enabled = true", "enabled = false"))
    id = machine.send(POST)
    assert machine.spool.find(id) == "queued"
    machine.start()
    machine.tried(id)
    assert not os.path.lexists(f"{machine.spool.root}/intake")
    assert not os.path.lexists(f"{machine.spool.root}/drop")
    assert machine.run(ANNA, "send", "you@example.net", input=WHOLE).returncode == 77


def test_a_disk_without_room_keeps_the_daemon_running_and_the_mail_where_it_is(machine: Machine) -> None:
    """What others left in drop/ waits there, and it is told; whoever asks is told to try again."""
    machine.start()
    machine.stop()
    id = machine.send(ANNA)
    plain = machine.config.read_text()
    machine.config.write_text(plain.replace("[submission]", '[submission]\nmin_free_space = "900000GB"'))
    daemon = machine.start()
    daemon.says("cannot adopt what is in drop/")
    machine.config.write_text(plain)
    refused = machine.run(ANNA, "send", "you@example.net", input=WHOLE)
    assert (refused.returncode, "of space left" in refused.stderr) == (75, True)
    assert os.listdir(f"{machine.spool.root}/drop") == [id]
    machine.stop()
    machine.start()
    machine.tried(id)


def test_drop_full_of_what_is_no_mail_stops_nothing(machine: Machine) -> None:
    """Directories that the daemon may not remove, empty files, a FIFO, a link: a line for their user; and mail behind them."""
    machine.start()
    drop = Path(machine.spool.root, "drop")
    names = [f"0000000000000000000000000{at}" for at in (1, 2, 3)]
    script = f"cd $0 && mkdir -p {names[0]}/x && mkfifo {names[1]} && ln -s /etc/shadow {names[2]} && touch " + "{1..2000}"
    subprocess.run(["setpriv", f"--reuid={ANNA}", f"--regid={ANNA}", "--clear-groups", "bash", "-c", script, drop], check=True)
    os.unlink(f"{machine.spool.root}/intake")
    for name in names:
        machine.spool.ring(name)
    id = machine.send(BOB)
    machine.tried(id)
    machine.stop()
    daemon = machine.start()
    wait_until("it is cleared", lambda: os.listdir(drop) == names[:1])
    machine.stop()
    assert os.listdir(f"{machine.spool.root}/corrupt") == []
    told = [line for line in daemon.log.read_text().splitlines() if f"user {ANNA} left in drop/" in line]
    assert 1 <= len(told) <= 4
