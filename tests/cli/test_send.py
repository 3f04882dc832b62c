"""``mailer send`` as a process: exit codes, one line for each mistake, and what lies in the spool afterwards."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from mailer.mail.message import normalise
from mailer.spool.files.doorbell import hang, listen
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import NOW, outcome
from tests.fakes.processes import wait_until
from tests.fakes.users import SEND, as_nobody, public_directory
from tests.mail.test_message import SMUGGLING

from .home import WHOLE, Home


def test_it_prints_the_id_of_what_it_queued(home: Home) -> None:
    """One line on standard output, nothing else, exit 0; there is no daemon and none is needed."""
    done = home.send("a@example.com")
    assert (done.returncode, done.stderr) == (0, b"")
    (id,) = home.queued()
    assert done.stdout.decode() == f"{id}\n"
    assert home.spool.content(id).endswith(b"\r\n\r\nhello\r\n")


def test_quiet_prints_nothing(home: Home) -> None:
    """Scripts that mail to cron want silence."""
    done = home.send("-q", "a@example.com")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(home.queued()) == 1


def test_json_is_what_status_says(home: Home) -> None:
    """Also of who can get nothing: the same members, and the same words, before anybody was asked."""
    done = home.send("--json", "a@example.com", "nodomain@")
    assert done.stderr.decode().splitlines()[0] == "mailer: undeliverable: nodomain@: nothing stands after the @"
    told = json.loads(done.stdout)
    known = json.loads(home.mailer("status", told["id"], "--json").stdout)
    for mine, theirs in zip(told["recipients"], known["recipients"], strict=True):
        assert {**mine, "updated_at": None} == {**theirs, "updated_at": None}
    assert [one["status"] for one in told["recipients"]] == ["queued", "failed"]


def test_json_is_a_message_of_the_contract(home: Home) -> None:
    """The members that `mailer status --json` has, with null for what is not known yet."""
    done = home.send("--json", "--request-id", "k", "-f", "s@example.com", "-t", "b@example.com", input=b"Cc: c@example.com\n" + WHOLE)
    (id,) = home.queued()
    shown = json.loads(done.stdout)
    envelope = home.spool.read(id).envelope
    unknown = dict.fromkeys(("code", "enhanced_code", "reply", "host", "cause", "besides"))
    pending = {"status": "queued", **unknown, "ours": False, "updated_at": envelope.created}
    assert shown == {
        "id": id,
        "message_id": envelope.message_id,
        "request_id": "k",
        "status": "queued",
        "from": "s@example.com",
        "subject": "x",
        "size": home.spool.read(id).size,
        "priority": "normal",
        "queued_at": envelope.created,
        "last_attempt_at": None,
        "next_attempt_at": None,
        "sent_at": None,
        "attempts": 0,
        "recipients": [
            {"address": "b@example.com", "type": "to", **pending},
            {"address": "you@example.net", "type": "to", **pending},
            {"address": "c@example.com", "type": "cc", **pending},
        ],
        "stream": None,
    }


@pytest.mark.parametrize(
    ("arguments", "input", "code", "words"),
    [
        ([], WHOLE, 64, ["no recipient: name one, or take them from the header with -t"]),
        (["-t"], b"Subject: x\n\n", 65, ["no To, Cc or Bcc"]),
        (["a b@example.com"], WHOLE, 65, ["'a b@example.com' is not an address"]),
        (["root"], WHOLE, 65, ["'root' is not an address: it has no domain", "submission.default_domain"]),
        (["-t"], b"To: root\n\n", 65, ["'root' is not an address: it has no domain"]),
        (["a@example.com", "a@example.com\n.\n"], WHOLE, 65, ["control character U+000A"]),
        ([b"\xff@example.com"], WHOLE, 65, ["control character U+DCFF"]),
        (["-f", "x y", "a@example.com"], WHOLE, 65, ["the sender"]),
        (["a@example.com"], b"x" * 2001, 65, ["larger than 2000 bytes (submission.max_message_size)"]),
        (["a@example.com"], b"\n" * 1500, 65, ["larger than 2000 bytes"]),
        ([f"{nth}@example.com" for nth in range(6)], WHOLE, 65, ["6 recipients are more than 5 (submission.max_recipients)"]),
        (["--request-id", "", "a@example.com"], WHOLE, 64, ["1 to 255 printable characters"]),
        (["--request-id", "a\nb", "a@example.com"], WHOLE, 64, ["printable"]),
        (["--request-id", "x" * 256, "a@example.com"], WHOLE, 64, ["1 to 255"]),
        (["--wait=soon", "a@example.com"], WHOLE, 64, ["--wait takes a number of seconds, not 'soon'"]),
        (["--wait=nan", "a@example.com"], WHOLE, 64, ["--wait"]),
        (["--wait=-1", "a@example.com"], WHOLE, 64, ["--wait"]),
        (["--nonsense", "a@example.com"], WHOLE, 64, ["unknown option --nonsense", "mailer send --help"]),
        (["-t", "--to", "a@example.com"], WHOLE, 64, ["-t takes the recipients from a message on standard input"]),
        (["--config", "/none.toml", "a@example.com"], WHOLE, 78, ["no configuration file /none.toml"]),
    ],
)
def test_a_mistake_is_one_line_and_the_right_code(
    home: Home, arguments: list[str | bytes], input: bytes, code: int, words: list[str]
) -> None:
    """What, where and what to do; nothing is queued."""
    home.configure("[submission]\nmax_message_size = 2000\nmax_recipients = 5\n")
    home.refused(home.send(*arguments, input=input), code, *words)


def test_a_recipient_may_begin_with_a_hyphen(home: Home) -> None:
    """After -- nothing is an option."""
    assert home.send("--", "-f@example.com").returncode == 0
    assert home.spool.read(*home.queued()).envelope.recipients[0].address == "-f@example.com"


def test_bcc_is_a_recipient_and_nobody_reads_it(home: Home) -> None:
    """With -t from the header; without, it is removed all the same."""
    data = b"To: a@example.com\nBcc: secret@example.com,\n other@example.com\nSubject: x\n\nhello\n"
    home.send("-t", input=data)
    home.send("a@example.com", input=data)
    with_header, without = (home.spool.read(id) for id in home.queued())
    assert [(r.address, r.type) for r in with_header.envelope.recipients] == [
        ("a@example.com", "to"), ("secret@example.com", "bcc"), ("other@example.com", "bcc"),
    ]  # fmt: skip
    assert len(without.envelope.recipients) == 1
    for id in home.queued():
        assert b"secret" not in home.spool.content(id)
        assert b"other" not in home.spool.content(id)


@pytest.mark.parametrize("sender", ["", "<>"])
def test_the_null_reverse_path_can_be_asked_for(home: Home, sender: str) -> None:
    """`-f ''` and `-f '<>'`: nobody gets a report."""
    home.send("-f", sender, "a@example.com")
    assert home.spool.read(*home.queued()).envelope.sender == ""


def test_any_bytes_are_a_message(home: Home) -> None:
    """Every byte there is, and every vector of SMTP smuggling: one file, CRLF line ends, no NUL."""
    data = b"Subject: x\n\n" + bytes(range(256)) * 3 + b"body".join(SMUGGLING) + b"MAIL FROM:<evil@example.com>\r\n"
    done = home.send("a@example.com", input=data)
    assert done.returncode == 0
    (id,) = home.queued()
    content = home.spool.content(id)
    assert normalise(content) == content
    body = message_from_bytes(content).get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.count(b"MAIL FROM") == 1


def test_no_input_at_all_is_an_empty_message(home: Home) -> None:
    """`mailer send a@example.com </dev/null` sends what it was given, as every sendmail does."""
    assert home.send("a@example.com", input=b"").returncode == 0
    assert home.spool.content(*home.queued()).endswith(b"\r\n\r\n")


def test_a_composed_message_needs_no_input(home: Home) -> None:
    """--to, --subject and --text; recipients on the command line stand in To."""
    options = ["--to", "a@example.com", "--cc", "b@example.com", "--bcc", "c@example.com", "--subject", "grüße", "--text", "hello"]
    done = home.send(*options, "d@example.com", input=None, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, b"")
    (id,) = home.queued()
    envelope = home.spool.read(id).envelope
    assert {(r.address[0], r.type) for r in envelope.recipients} == {("a", "to"), ("b", "cc"), ("c", "bcc"), ("d", "to")}
    assert envelope.subject == "grüße"
    assert b"c@example.com" not in home.spool.content(id)


# Standard input and output that are not what they should be


def test_a_closed_standard_input_is_a_mistake_of_the_caller(home: Home) -> None:
    """`mailer send a@example.com <&-`: one line, not a bug, and nothing queued."""
    done = home.send("a@example.com", input=None, preexec_fn=lambda: os.close(0))
    home.refused(done, 74, "standard input")


def test_a_closed_standard_output_does_not_make_queued_mail_look_refused(home: Home) -> None:
    """The message decides the exit code."""
    done = home.send("a@example.com", capture_output=False, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert done.returncode == 0
    assert len(home.queued()) == 1


def test_a_standard_output_that_takes_nothing_is_told(home: Home) -> None:
    """The ID is on standard error then."""
    with open("/dev/full", "wb") as full:
        done = home.send("a@example.com", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 0
    (id,) = home.queued()
    assert done.stderr.decode() == f"mailer: {id} is queued; standard output takes nothing (No space left on device)\n"


def test_a_closed_standard_error_changes_no_exit_code(home: Home) -> None:
    """There is nowhere to say it, but the code says it."""
    for recipient, code in (("root", 65), ("a@example.com", 0)):
        done = home.send(recipient, capture_output=False, stdout=subprocess.PIPE, preexec_fn=lambda: os.close(2))
        assert done.returncode == code
        with open("/dev/full", "wb") as full:
            assert home.send(recipient, capture_output=False, stdout=subprocess.PIPE, stderr=full).returncode == code


def test_a_standard_input_that_cannot_be_read_is_told(home: Home) -> None:
    """Here one that was opened for writing only."""
    with open(os.devnull, "wb") as wrong:
        done = home.send("a@example.com", input=None, stdin=wrong)
    home.refused(done, 74, "cannot read the message", "Bad file descriptor", "nothing was queued")


@pytest.mark.parametrize("arguments", [[], ["--subject", "x", "--text-file", "-"], ["--subject", "x", "--text-file", "/dev/zero"]])
def test_a_message_without_end_is_refused_without_reading_it_all(home: Home, arguments: list[str]) -> None:
    """However much comes in, no more than the limit is kept: 150 MB for the whole process are enough."""
    home.configure('[submission]\nmax_message_size = "5MB"\n')
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (150 << 20, 150 << 20))}
    with open("/dev/zero", "rb") as zeroes:
        done = home.send("a@example.com", *arguments, input=None, stdin=zeroes, **limit)
    home.refused(done, 65, "larger than 5000000 bytes")


# Signals


def stop_while_reading(home: Home, number: int, **more: Any) -> subprocess.Popen[bytes]:
    """A send that has read more than a pipe holds, and then gets the signal."""
    process = home.start("send", "a@example.com", **more)
    assert process.stdin
    process.stdin.write(b"Subject: x\n\n" + b"x" * 200_000)
    process.stdin.flush()
    process.send_signal(number)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_the_message_is_read_leaves_nothing(home: Home, number: signal.Signals) -> None:
    """Input that was cut short is no message: 75 and one line."""
    process = stop_while_reading(home, number)
    out, err = process.communicate()
    assert (process.returncode, out) == (75, b"")
    assert err.decode() == f"mailer: {number.name} while the message was read; nothing was queued\n"
    assert home.queued() == []


def test_nohup_is_obeyed(home: Home) -> None:
    """A signal that the caller had ignored stays ignored."""
    process = stop_while_reading(home, signal.SIGHUP, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.communicate()
    assert process.returncode == 0
    assert len(home.queued()) == 1


# Spools that take nothing


def test_a_spool_that_we_may_not_write_is_77(home: Home) -> None:
    """One line that names the directory."""
    with public_directory() as directory:
        spool = SpoolDirectory(str(directory / "spool"))
        spool.prepare()
        Path(spool.root).chmod(0o755)
        done = as_nobody(SEND, "--spool", spool.root, "a@example.com", input=WHOLE)
        home.refused(done, 77, f"{spool.root}/tmp/", "Permission denied")
        assert spool.ids("queued") == []


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", path], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_full_disk_is_75_and_leaves_nothing(home: Home, full_disk: Path) -> None:
    """Try again; when there is room, the same call works."""
    home.spool = SpoolDirectory(str(full_disk / "spool"))
    home.configure("[submission]\nmin_free_space = 1\nmin_free_inodes = 1\n")
    big = WHOLE + b"x" * 70_000
    home.refused(home.send("a@example.com", input=big), 75, "cannot queue the message", "No space left on device", "try again")
    assert home.send("a@example.com").returncode == 0


def test_a_file_size_limit_is_an_error_and_no_short_message(home: Home) -> None:
    """`ulimit -f`: the write is cut short."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # noqa: E731
    home.refused(home.send("a@example.com", input=WHOLE + b"x" * 5000, preexec_fn=limit), 74, "File too large")


# One request


def test_fifty_calls_with_one_request_id_are_one_message(home: Home) -> None:
    """At the same time, from fifty processes: all exit 0 and print the same ID."""
    processes = [home.start("send", "--request-id", "order-4711", "a@example.com") for _ in range(50)]
    for process in processes:
        assert process.stdin
        process.stdin.write(WHOLE)
        process.stdin.close()
        process.stdin = None
    ids = {process.communicate()[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 50
    (id,) = home.queued()
    assert ids == {f"{id}\n".encode()}


def test_the_same_request_id_for_another_message_is_65(home: Home) -> None:
    """The first one stays, and is named."""
    first = home.send("--request-id", "k", "a@example.com").stdout.decode().strip()
    done = home.send("--request-id", "k", "b@example.com")
    assert done.returncode == 65
    assert f"used for another message ({first}); nothing was queued" in done.stderr.decode()
    assert home.queued() == [first]


# Waiting


def test_waiting_without_a_daemon_is_75_at_once(home: Home) -> None:
    """Nobody would ever deliver it; it stays queued, and its ID was printed."""
    done = home.send("--wait", "a@example.com")
    (id,) = home.queued()
    assert (done.returncode, done.stdout.decode()) == (75, f"{id}\n")
    assert f"{id} is queued, but no daemon runs" in done.stderr.decode()
    assert "mailer run" in done.stderr.decode()


@pytest.mark.parametrize("seconds", ["0", "0.2", "0.1s"])
def test_waiting_has_an_end(home: Home, seconds: str) -> None:
    """75: it is still queued, which is no failure of the message."""
    done = home.send(f"--wait={seconds}", "a@example.com")
    assert done.returncode == 75
    assert f"{home.queued()[0]} is still queued after {seconds.rstrip('s')} seconds" in done.stderr.decode()


def deliver(spool: SpoolDirectory, id: str) -> None:
    with spool.claim(id) as claim:
        spool.drop(claim)


def defer(spool: SpoolDirectory, id: str) -> None:
    with spool.claim(id) as claim:
        spool.defer(claim, [outcome(0, "defer", due=NOW)], NOW)


def fail(spool: SpoolDirectory, id: str) -> None:
    with spool.claim(id) as claim:
        spool.fail(claim, [outcome(0, "fail")])


def hold_and_fail(spool: SpoolDirectory, id: str) -> None:
    spool.hold(id)
    threading.Event().wait(0.1)
    spool.release(id)
    fail(spool, id)


@pytest.mark.parametrize(("act", "code", "status"), [(deliver, 0, "sent"), (defer, 75, "deferred"), (fail, 69, "failed")])
def test_waiting_with_json_prints_the_outcome(home: Home, act: Callable[[SpoolDirectory, str], None], code: int, status: str) -> None:
    """One object: the message as it is then, with the reply for each recipient."""
    home.spool.prepare()
    with hang(home.spool.root) as bell:
        process = home.start("send", "--wait", "--json", "a@example.com")
        assert process.stdin
        process.stdin.write(WHOLE)
        process.stdin.close()
        process.stdin = None
        (id,) = wait_until("the bell", lambda: listen(bell))
        act(home.spool, id)
        out, _ = process.communicate(timeout=60)
    told = json.loads(out)
    assert (process.returncode, told["id"], told["status"]) == (code, id, status)
    assert code == 0 or told["recipients"][0]["reply"]


def test_waiting_tells_of_who_waits_and_of_who_gets_nothing(home: Home) -> None:
    """Each with a reason of his own: neither is counted among the others."""
    home.spool.prepare()
    with hang(home.spool.root) as bell:
        process = home.start("send", "--wait", "a@example.com", "b@example.com", "c@example.com")
        assert process.stdin
        process.stdin.write(WHOLE)
        process.stdin.close()
        process.stdin = None
        (id,) = wait_until("the bell", lambda: listen(bell))
        with home.spool.claim(id) as claim:
            home.spool.defer(claim, [outcome(0), outcome(1, "fail"), outcome(2, "defer", due=NOW)], NOW)
        _, err = process.communicate(timeout=60)
    waits, lost = f"1 of 3 recipients, such as c@example.com: {outcome(2, 'defer').reply}", outcome(1, "fail").reply
    says = f"{id} was put off for now for {waits}, and given up for 1 of 3 recipients, such as b@example.com: {lost}; `mailer explain"
    assert (process.returncode, says in err.decode()) == (75, True), err


@pytest.mark.parametrize(
    ("act", "code", "says"),
    [
        (deliver, 0, ""),
        (defer, 75, "was put off for now: 451 4.3.0 "),
        (fail, 69, "failed: 550 5.1.1 "),
        (hold_and_fail, 69, "failed: 550 "),
    ],
)
def test_waiting_tells_what_became_of_it(home: Home, act: Callable[[SpoolDirectory, str], None], code: int, says: str) -> None:
    """0 sent, 75 deferred, 69 failed; while it is held it waits on."""
    home.spool.prepare()
    with hang(home.spool.root) as bell:
        process = home.start("send", "--wait", "a@example.com")
        assert process.stdin
        process.stdin.write(WHOLE)
        process.stdin.close()
        process.stdin = None
        (id,) = wait_until("the bell", lambda: listen(bell))
        act(home.spool, id)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out.decode()) == (code, f"{id}\n")
    assert says in err.decode()
    assert err.count(b"\n") == (1 if says else 0)
