"""The sendmail face: what each option means, as sendmail(1) of Postfix and sendmail(8) have it."""

from __future__ import annotations

import os
import select
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.cli import EXIT_CODES, sendmail_argv
from mailer.mail.problem import Problem
from tests.fakes.mail import outcome
from tests.fakes.users import NOBODY

from .home import Home

PLAIN = b"From: me@example.com\nTo: to@example.net\nCc: Cc <cc@example.net>\nBcc: bcc@example.net\nSubject: x\n\nhello\n"

MEANINGS: dict[str, dict[str, Any]] = {
    # what the callers of README say, one by one
    "-i -t": {"dots": False, "from_header": True},
    "-i -t -f a@b.example": {"dots": False, "from_header": True, "sender": "a@b.example"},
    "-i -f a@b.example -- to@example.net": {"dots": False, "sender": "a@b.example", "recipients": ["to@example.net"]},
    "-oem -oi -f a@b.example -N failure,delay -R hdrs -- to@example.net": {
        "dots": False, "sender": "a@b.example", "notify": "FAILURE,DELAY", "ret": "HDRS", "recipients": ["to@example.net"],
    },
    "-t -i -fa@b.example": {"dots": False, "from_header": True, "sender": "a@b.example"},
    "-i root": {"dots": False, "recipients": ["root"]},
    "-FCronDaemon -i -B8BITMIME -oem to@example.net": {"full_name": "CronDaemon", "dots": False, "recipients": ["to@example.net"]},
    # where values stand, and where options end
    "to@example.net": {"recipients": ["to@example.net"]},
    "-ti": {"dots": False, "from_header": True},
    "-tifa@b.example": {"dots": False, "from_header": True, "sender": "a@b.example"},
    "-ti -f a@b.example": {"dots": False, "from_header": True, "sender": "a@b.example"},
    "-- -t -X/tmp/x@d.example": {"recipients": ["-t", "-X/tmp/x@d.example"]},
    "to@example.net -t -X/tmp/x": {"recipients": ["to@example.net", "-t", "-X/tmp/x"]},
    "to@example.net -- -f": {"recipients": ["to@example.net", "-f"]},
    "-": {"recipients": ["-"]},
    "-o i": {"dots": False},
    "-oiTrue": {"dots": False},
    "-f a@b.example -r c@d.example": {"sender": "c@d.example"},
    "-r c@d.example -f a@b.example": {"sender": "a@b.example"},
    "-f <>": {"sender": "<>"},
    "-f <a@b.example>": {"sender": "<a@b.example>"},
    # reports
    "-N never": {"notify": "NEVER"},
    "-Nsuccess,delay,failure": {"notify": "SUCCESS,DELAY,FAILURE"},
    "-Rfull -V QQ314159": {"ret": "FULL", "envid": "QQ314159"},
    "-N never,delay": {"warned": True},
    "-N delay,delay": {"warned": True},
    "-N sometimes": {"warned": True},
    "-R some": {"warned": True},
    "-V " + "x" * 101: {"warned": True},
    # other modes; the last one counts
    "-bm": {"mode": "m"},
    "-bs": {"mode": "s"},
    "-b s": {"mode": "s"},
    "-bp": {"mode": "p"},
    "-bp -v -Ac": {"mode": "p", "verbose": True},
    "-bi": {"mode": "i"},
    "-I": {"mode": "i"},
    "-bi -bp": {"mode": "p"},
    "-bh": {"mode": "i"},
    "-bH": {"mode": "i"},
    "-q": {"mode": "q"},
    "-q -v": {"mode": "q", "verbose": True},
    "-qf": {"mode": "q"},
    "-q15m": {"mode": "i"},
    "-qIABC": {"mode": "q", "flush": "IABC"},
    "-qRexample.net": {"mode": "q", "flush": "Rexample.net"},
    # what changes nothing
    "-Am -Ac -B7BIT": {},
    "-B8bitmime": {},
    "-C/tmp/c -D/tmp/d -d0.1 -G -h 9 -L tag -m -n -Onolines=1 -O x=y": {},
    "-o7 -o8 -om -oem -odb -odi -oQ/tmp -p smtp:x -s -U -X/tmp/x -XV -e m -c -T -M x": {},
}  # fmt: skip
"""Command line → what is not as it would be without any."""


@pytest.mark.parametrize("line", MEANINGS)
def test_what_an_option_means(line: str) -> None:
    """The whole of it: nothing else changes."""
    asked = sendmail_argv.read(line.split())
    plain = sendmail_argv.read([])
    wanted = dict(MEANINGS[line])
    assert bool(asked.warnings) is wanted.pop("warned", False)
    for name in set(sendmail_argv.Asked.__slots__) - {"warnings"}:
        assert getattr(asked, name) == wanted.get(name, getattr(plain, name)), name


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("-f", 64), ("-t -F", 64), ("-N", 64), ("-j", 64), ("-tj", 64), ("--config=/tmp/x", 64), ("--help", 64), ("-Bbinary", 64),
        ("-qS", 64), ("-qG", 64), ("-qI", 64), ("-bx", 64), ("-be", 64), ("-bspam", 64),
        ("-bd", 69), ("-bD", 69), ("-bl", 69), ("-bt", 69), ("-bv a@example.net", 69), ("-bd -q15m", 69), ("-ba", 69), ("-bP", 69),
        ("-bp a@example.net", 64), ("-q a@example.net", 64), ("-bs a@example.net", 64), ("-bi a@example.net", 64),
        ("-t -bs", 64), ("-t -q", 64),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(line: str, code: int) -> None:
    """64 for a mistake, 69 for what other programs of that name do; never something else instead."""
    with pytest.raises(Problem) as caught:
        sendmail_argv.read(line.split())
    assert EXIT_CODES[caught.value.kind] == code
    assert "\n" not in str(caught.value)


@given(st.lists(st.text(max_size=8).map(lambda text: "-" + text) | st.text(max_size=8), max_size=5))
def test_any_command_line_is_read_or_refused(words: list[str]) -> None:
    """Nothing else can come of it."""
    try:
        asked = sendmail_argv.read(words)
    except Problem as problem:
        assert problem.kind in ("usage", "unavailable")  # noqa: PT017
    else:
        assert asked.mode in "mspqi"


# As a process


def envelope(home: Home) -> Any:
    """The one message that is queued."""
    [id] = home.queued()
    return home.spool.read(id).envelope


def addresses(home: Home) -> list[str]:
    return [recipient.address for recipient in envelope(home).recipients]


def test_an_argument_can_be_a_list(home: Home) -> None:
    """Some programs give recipients, and the sender, as a header field has them."""
    home.mailer("sendmail", "-f", "Cron <cron@example.com>", '"Bell, Ann" <ann@example.net> b@example.net,c@example.net', input=PLAIN)
    assert addresses(home) == ["ann@example.net", "b@example.net", "c@example.net"]
    assert envelope(home).sender == "cron@example.com"


@pytest.mark.parametrize(
    "sender", ["a@example.com\nb@example.com", "A <a@example.com>\r\nB <b@example.com>", "a@example.com, b@example.com"]
)
def test_more_than_one_sender_is_none(home: Home, sender: str) -> None:
    """A line end or a list in -f is refused: nobody guesses which of them is meant."""
    home.refused(home.mailer("sendmail", "-f", sender, "to@example.net", input=PLAIN), 65, "the sender", "is not an address")


def test_recipients_of_the_header_come_behind_those_of_the_command_line(home: Home) -> None:
    """-t adds, as Postfix does; the blind copy is in the envelope only."""
    assert home.mailer("sendmail", "-t", "-f", "s@example.com", "--", "arg@example.net", input=PLAIN).returncode == 0
    assert addresses(home) == ["arg@example.net", "to@example.net", "cc@example.net", "bcc@example.net"]
    assert b"bcc@" not in home.spool.content(home.queued()[0])


def test_without_t_the_header_names_nobody(home: Home) -> None:
    """And without any recipient there is nothing to send."""
    assert home.mailer("sendmail", "arg@example.net", input=PLAIN).returncode == 0
    assert addresses(home) == ["arg@example.net"]


def test_nobody_to_send_to_is_a_mistake(home: Home) -> None:
    """64 without a recipient, 65 where the header names none; nothing is queued."""
    home.refused(home.mailer("sendmail", input=PLAIN), 64, "no recipient")
    home.refused(home.mailer("sendmail", "-t", input=b"Subject: x\n\nhello\n"), 65, "no recipient")


@pytest.mark.parametrize("null", [["-f", ""], ["-f", "<>"], ["-f<>"], ["-r", "<>"]])
def test_the_null_sender(home: Home, null: list[str]) -> None:
    """Nothing and <> are the reverse-path of reports; the author stays who he is."""
    assert home.mailer("sendmail", *null, "you@example.net", input=PLAIN).returncode == 0
    assert envelope(home).sender == ""
    assert b"From: me@example.com\r\n" in home.spool.content(home.queued()[0])


@pytest.mark.parametrize(
    ("variable", "option", "name"),
    [("Ann", [], b"Ann"), ("Ann", ["-F", "Bob Bell"], b"Bob Bell"), ("Ann", ["-FBob"], b"Bob"), ("", [], b"")],
)
def test_the_full_name(home: Home, variable: str, option: list[str], name: bytes) -> None:
    """-F, else $NAME, stands in a From field that has to be added."""
    home.env["NAME"] = variable
    assert home.mailer("sendmail", *option, "-f", "me@example.com", "you@example.net", input=b"Subject: x\n\nhello\n").returncode == 0
    wanted = b'From: "%s" <me@example.com>\r\n' % name if name else b"From: me@example.com\r\n"
    assert wanted in home.spool.content(home.queued()[0])


def test_a_name_does_not_replace_the_author(home: Home) -> None:
    """A message with a From field keeps it."""
    assert home.mailer("sendmail", "-F", "Bob", "you@example.net", input=PLAIN).returncode == 0
    assert b"Bob" not in home.spool.content(home.queued()[0])


def test_what_is_asked_of_reports_lies_in_the_envelope(home: Home) -> None:
    """-N, -R and -V."""
    assert home.mailer("sendmail", "-N", "success,delay", "-R", "hdrs", "-V", "id+1", "you@example.net", input=PLAIN).returncode == 0
    assert envelope(home).options == {"notify": "SUCCESS,DELAY", "ret": "HDRS", "envid": "id+1"}


def test_a_wrong_wish_for_reports_costs_no_mail(home: Home) -> None:
    """It is dropped with a warning, as by Postfix."""
    done = home.mailer("sendmail", "-N", "maybe", "you@example.net", input=PLAIN)
    assert (done.returncode, done.stderr.startswith(b"mailer: warning: -N")) == (0, True)
    assert not envelope(home).options


def test_v_says_what_became_of_it(home: Home) -> None:
    """The ID, on standard output; without -v nothing is said."""
    done = home.mailer("sendmail", "-v", "you@example.net", input=PLAIN)
    assert done.stdout.decode().startswith(home.queued()[0])
    assert home.mailer("sendmail", "you@example.net", input=PLAIN).stdout == b""


def test_what_cannot_be_said_is_queued_all_the_same(home: Home) -> None:
    """Else the caller would send it again."""
    with open("/dev/full", "wb") as full:
        done = home.mailer("sendmail", "-v", "you@example.net", input=PLAIN, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr, len(home.queued())) == (0, b"", 1)


@pytest.mark.parametrize("end", [b".\n", b".\r\n", b".\nlate\n", b".\r\nlate\n", b".", b".\r"])
def test_a_lone_dot_ends_the_message(home: Home, end: bytes) -> None:
    """Also as the last line, without its end; dots that are not alone are text."""
    assert home.mailer("sendmail", "you@example.net", input=b"Subject: x\n\n.one\ntwo.\n..\n" + end).returncode == 0
    assert home.spool.content(home.queued()[0]).endswith(b"\r\n\r\n.one\r\ntwo.\r\n..\r\n")


@pytest.mark.parametrize("option", ["-i", "-oi"])
def test_a_lone_dot_can_be_text(home: Home, option: str) -> None:
    """With -i or -oi only the end of the input ends the message."""
    assert home.mailer("sendmail", option, "you@example.net", input=b"Subject: x\n\none\n.\ntwo\n").returncode == 0
    assert home.spool.content(home.queued()[0]).endswith(b"\r\n\r\none\r\n.\r\ntwo\r\n")


@pytest.mark.parametrize("data", [b".\n", b".", b".\r\nSubject: late\n\n"])
def test_a_dot_at_the_beginning_leaves_nothing(home: Home, data: bytes) -> None:
    """An empty message is one."""
    assert home.mailer("sendmail", "you@example.net", input=data).returncode == 0
    assert b"late" not in home.spool.content(home.queued()[0])


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_dot_is_heard_while_the_writer_waits(home: Home, size: int) -> None:
    """Who writes the dot may keep the pipe open until sendmail is done; however the pieces fall."""
    process = home.start("sendmail", "you@example.net")
    assert process.stdin is not None
    text = b"Subject: x\n\nhello\n.\n"
    for at in range(0, len(text), size):
        process.stdin.write(text[at : at + size])
        process.stdin.flush()
        select.select([], [], [], 0.002)
    assert process.wait(60) == 0
    process.communicate()
    assert home.spool.content(home.queued()[0]).endswith(b"\r\n\r\nhello\r\n")


def test_what_is_too_large_is_refused_with_and_without_dots(home: Home) -> None:
    """Long before it has been read."""
    home.configure("[submission]\nmax_message_size = 1000\n")
    for options in ([], ["-i"]):
        home.refused(home.mailer("sendmail", *options, "you@example.net", input=PLAIN + b"x\n" * 1000), 65, "max_message_size")


def test_newaliases_and_hosts_do_nothing(home: Home) -> None:
    """There is no database."""
    for option in ("-bi", "-I", "-bh", "-q15m"):
        assert home.mailer("sendmail", option).returncode == 0
    assert home.queued() == []
    assert not Path(home.spool.root).exists()


def test_flush_makes_due_what_was_put_off(home: Home) -> None:
    """All of it, one message, or a domain."""
    for to in ("a@one.example", "b@two.example", "c@three.example"):
        assert home.mailer("sendmail", to, input=PLAIN).returncode == 0
    ids = home.queued()
    for id in ids:
        with home.spool.claim(id) as claim:
            home.spool.defer(claim, [outcome(0, "defer")], 9e9)
    assert home.mailer("sendmail", "-qRtwo.example").returncode == 0
    assert home.queued() == ids[1:2]
    assert home.mailer("sendmail", f"-qI{ids[0]}").returncode == 0
    assert home.queued() == ids[:2]
    assert home.mailer("sendmail", "-q").returncode == 0
    assert home.queued() == ids


def test_mailq_has_the_shape_that_scripts_expect(home: Home) -> None:
    """Last line, marks, one line a message that begins with its ID, indented recipients; an empty queue says so."""
    assert home.mailer("sendmail", "-bp").stdout == b"Mail queue is empty\n"
    assert home.mailer("sendmail", "-f", "s@example.com", "--", "a@example.net", "b@example.net", input=PLAIN).returncode == 0
    assert home.mailer("sendmail", "-f", "<>", "c@example.net", input=PLAIN).returncode == 0
    first, second = home.queued()
    home.spool.hold(second)
    lines = home.mailer("sendmail", "-bp").stdout.decode().splitlines()
    size = len(home.spool.content(first))
    assert lines[1].split()[:2] == [first, str(size)]
    assert lines[1].endswith(" s@example.com")
    assert [line.strip() for line in lines[2:4]] == ["a@example.net", "b@example.net"]
    assert lines[2].startswith(" ")
    assert lines[4] == ""
    assert lines[5].split()[0] == second + "!"
    assert lines[5].endswith(" MAILER-DAEMON")
    assert lines[-1] == "-- 1 Kbytes in 2 Requests."


def test_mailq_shows_why_and_nothing_that_a_terminal_would_act_on(home: Home) -> None:
    """A reason stands in brackets above the recipients that it holds up; what a host wrote into it does nothing."""
    assert home.mailer("sendmail", "--", "a@example.net", "b@example.net", "c@example.net", input=PLAIN).returncode == 0
    [id] = home.queued()
    text = "later \x1b]52;c;AAAA\x07\x9b31m\u202e"
    with home.spool.claim(id) as claim:
        home.spool.defer(claim, [outcome(0, "defer", text=text, due=9e9), outcome(1, "defer", text=text, due=9e9)], 9e9)
    said = home.mailer("sendmail", "-bp").stdout.decode()
    assert not set(said) & {"\x1b", "\x07", "\x9b", "\u202e"}
    lines = [line.strip() for line in said.splitlines()]
    reason = next(at for at, line in enumerate(lines) if line.startswith("("))
    assert "later" in lines[reason]
    assert lines[reason + 1 : reason + 3] == ["a@example.net", "b@example.net"]
    assert lines[reason - 1] == "c@example.net"


def test_borrowed_rights_are_not_led_by_the_environment(home: Home) -> None:
    """Where the user who started it is another than it runs as, MAILER_CONFIG is not even looked at."""
    if os.geteuid() != 0:
        pytest.skip("only root can be two users at once")
    home.env["MAILER_CONFIG"] = "/nonexistent/config.toml"
    assert home.mailer("sendmail", "-bp").returncode == 78
    done = home.mailer("sendmail", "-bp", preexec_fn=lambda: os.setresuid(NOBODY, 0, 0))
    assert done.returncode in (0, 77)  # by whether this machine has a spool that is closed to others
    assert b"/nonexistent" not in done.stderr


def test_help_is_given_where_every_command_gives_it(home: Home) -> None:
    """In few words, and nothing is made."""
    done = home.mailer("sendmail", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(b"usage: sendmail")
