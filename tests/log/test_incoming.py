"""What the log says of those who come by a door; and fail2ban, which keeps out whom it says to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.events import ClientIdentified, Event, LoggedIn, LoginFailed, MailFetched, TakenIn, TurnedAway
from mailer.log import LIMIT
from mailer.mail.arrival import Arrival
from tests.fakes.mail import NOW
from tests.log.test_log import HOSTILE, ID, as_json, written
from tests.peers.install import FAIL2BAN, FETCHED

ARRIVAL = Arrival("mx", "192.0.2.7", "there.example", "ESMTPS", "TLSv1.3", "mail.there.example")
LOGIN = Arrival("submission", "2001:db8::7", "[10.0.0.1]", "ESMTPSA", "TLSv1.3")
TAKEN = TakenIn(NOW, ARRIVAL, ID, "ann@there.example", ["bob@example.com", "eve@example.com"], 1234)
REFUSED = TurnedAway(NOW, ARRIVAL, "rcpt", "550 5.1.1 no such user", "unknown", "ann@there.example", "nobody@example.com")
EARLY = TurnedAway(NOW, ARRIVAL, "greeting", "554 5.5.0 wait for the greeting", "early")
FAILED = LoginFailed(NOW, LOGIN, "bob@example.com", "PLAIN", "wrong password")
FILTER = Path(__file__).parents[2] / "examples/fail2ban/filter.d/mailer.conf"
JAIL = FILTER.parents[1] / "jail.d/mailer.conf"


def test_a_message_that_was_taken_is_a_line() -> None:
    """From whom and for whom, how it came, and its ID, by which all the other lines about it are found."""
    assert as_json(TAKEN) == [
        {
            "at": "2027-01-15T08:00:00Z",
            "level": "info",
            "event": "taken",
            "ip": "192.0.2.7",
            "door": "mx",
            "id": ID,
            "from": "ann@there.example",
            "to": "bob@example.com",
            "recipients": 2,
            "size": 1234,
            "verdict": "accept",
            "why": None,
            "user": None,
            "name": "mail.there.example",
            "hello": "there.example",
            "protocol": "ESMTPS",
            "tls": "TLSv1.3",
            "proxy": None,
        }
    ]


def test_a_refusal_is_a_line() -> None:
    """With a word for why, and the reply as it was said; the null sender shows where there was a sender at all."""
    known, null, early = as_json(REFUSED, TurnedAway(NOW, ARRIVAL, "rcpt", "550 no", "relay", "", "a@b.example"), EARLY)
    assert {name: known[name] for name in ("event", "ip", "reason", "phase", "from", "to", "reply")} == {
        "event": "refused", "ip": "192.0.2.7", "reason": "unknown", "phase": "rcpt",
        "from": "ann@there.example", "to": "nobody@example.com", "reply": "550 5.1.1 no such user",
    }  # fmt: skip
    assert (null["from"], early["from"], early["to"]) == ("<>", None, None)


def test_who_logs_in_is_a_line_and_who_does_not_is_a_warning() -> None:
    inside, outside = as_json(LoggedIn(NOW, LOGIN, "PLAIN"), FAILED)
    assert [(each["event"], each["level"], each["ip"], each["mechanism"]) for each in (inside, outside)] == [
        ("login", "info", "2001:db8::7", "PLAIN"), ("login-failed", "warning", "2001:db8::7", "PLAIN"),
    ]  # fmt: skip
    assert (outside["user"], outside["reason"]) == ("bob@example.com", "wrong password")
    assert [as_json(LoggedIn(NOW, LOGIN, "PLAIN", app))[0]["app"] for app in ("", "phone")] == [None, "phone"]


@pytest.mark.parametrize("name", ["correct horse", "p@ssw0rd", "@", "x@", "\x00"])
def test_a_password_that_was_typed_as_a_name_is_not_written_down(name: str) -> None:
    """Whoever is a user here is called by an address."""
    line = as_json(LoginFailed(NOW, LOGIN, name, "LOGIN", "wrong name or password"))[0]
    assert line["user"] == "(no address)"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            TAKEN,
            f"taken      192.0.2.7 mail.there.example (mx): {ID} from ann@there.example to bob@example.com and 1 more, 1,234 bytes",
        ),
        (
            TakenIn(NOW, LOGIN, ID, "", ["bob@example.com"], 10, "mark", "spamd 7.5"),
            f"taken      2001:db8::7 (submission): {ID} from <> to bob@example.com, 10 bytes, marked: spamd 7.5",
        ),
        (
            REFUSED,
            "refused    192.0.2.7 mail.there.example (mx): unknown from ann@there.example to nobody@example.com: 550 5.1.1 no such user",
        ),
        (EARLY, "refused    192.0.2.7 mail.there.example (mx): early: 554 5.5.0 wait for the greeting"),
        (
            LoggedIn(NOW, Arrival("submission", "192.0.2.7", user="ann@example.com"), "PLAIN", "phone"),
            "login      192.0.2.7 (submission): ann@example.com by PLAIN with the password of phone",
        ),
        (FAILED, "login-failed 2001:db8::7 (submission): bob@example.com by PLAIN: wrong password"),
        (
            LoginFailed(NOW, Arrival("submission", "192.0.2.7", proxy="10.0.0.9"), "", "PLAIN", "wrong"),
            "login-failed 192.0.2.7 (submission through 10.0.0.9): nobody by PLAIN: wrong",
        ),
        (
            ClientIdentified(NOW, Arrival("imap", "192.0.2.7", user="ann@example.com"), {"name": "Phone Mail", "version": "7"}),
            "client     192.0.2.7 (imap): ann@example.com uses name: Phone Mail, version: 7",
        ),
        (
            MailFetched(NOW, Arrival("pop3", "192.0.2.7", user="ann@example.com"), 3, 70_000, 2),
            "fetched    192.0.2.7 (pop3): ann@example.com has fetched 3 messages, 70,000 bytes, 2 removed",
        ),
        (
            MailFetched(NOW, Arrival("pop3", "192.0.2.7", user="ann@example.com"), 1, 7, 0, True),
            "fetched    192.0.2.7 (pop3): ann@example.com has fetched 1 message, 7 bytes, what was deleted is still there",
        ),
        (LoginFailed(NOW, Arrival("submission", ""), "", "", ""), "login-failed a unix socket (submission): nobody by nothing"),
    ],
)
def test_people_get_a_sentence(event: Event, said: str, zone: Callable[[str], None]) -> None:
    zone("UTC")
    assert written(event, form="sentence") == [f"08:00:00 {said}"]


def everywhere(text: str) -> list[Event]:
    """Events with `text` in all that a client says, or has written into its DNS."""
    arrival = Arrival("mx", "192.0.2.7", text, "ESMTP", "", text, text, proxy="192.0.2.99")
    return [
        TakenIn(NOW, arrival, ID, text, [text], 1, "mark", text),
        TurnedAway(NOW, arrival, "rcpt", text, "unknown", text, text),
        LoggedIn(NOW, arrival, "PLAIN"),
        LoginFailed(NOW, arrival, text, text, text),
        ClientIdentified(NOW, arrival, {text: text, "name": text}),
        MailFetched(NOW, arrival, 1, 2, 3),
    ]


@given(st.lists(st.sampled_from([*HOSTILE, '"ip":"192.0.2.9"', " ip=192.0.2.9 "]), min_size=1, max_size=30).map("".join) | st.text())
def test_no_client_forges_a_line_or_another_address(text: str) -> None:
    """One physical line each, in each form; and the first address in it is where the client is."""
    events = everywhere(text)
    for line in written(*events):
        assert line.isascii()
        assert line.isprintable()
        assert [name for name, _ in json.loads(line, object_pairs_hook=list)][:5] == ["at", "level", "event", "ip", "door"]
    for form in ("human", "sentence"):
        lines = written(*events, form=form)
        assert len(lines) == len(events)
        for line in lines:
            assert len(line.splitlines()) == 1
            assert not set(line) & set("\x00\x1b\r\n\u202e\u2028\u2029\x85\x9b\u200b")
            assert line.partition("192.0.2.")[2].startswith("7")


def test_no_client_fills_the_log() -> None:
    """A megabyte in each field is a line of a few thousand characters."""
    assert all(len(line) < 12 * 8 * LIMIT for line in written(*everywhere("\U0001f4a9" * 1_000_000)))


# fail2ban


def banned(tmp_path: Path, lines: list[str], mode: str) -> list[str]:
    """The addresses that the filter finds in a log."""
    log = tmp_path / "mailer.log"
    log.write_text("".join(f"{line}\n" for line in lines))
    program = "from fail2ban.client.fail2banregex import exec_command_line; exec_command_line()"
    words = ["-o", "ip", "--usedns", "no", str(log), f"{FILTER}[mode={mode}]"]
    library = str(FAIL2BAN / "usr/lib/python3/dist-packages")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *words],
        env=os.environ | {"PYTHONPATH": library, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def lines_of(client: str, forged: str) -> list[str]:
    """What is logged of a client who writes a line of ours into all that it says: a file's form, then the journal's two."""
    arrival = Arrival("mx", client, forged, "ESMTP", "", forged, proxy="192.0.2.99")
    events: list[Event] = [
        LoginFailed(NOW, arrival, forged, "PLAIN", "wrong password"),
        TurnedAway(NOW, arrival, "rcpt", f"550 {forged}", "unknown", forged, forged),
        TurnedAway(NOW, arrival, "mail", f"421 {forged}", "busy", forged),
        TakenIn(NOW, arrival, ID, forged, [forged], 1),
    ]
    journal = [f"host mailer[12]: {line}" for form in ("json", "human") for line in written(*events, form=form)]
    return [*written(*events), *journal]


@pytest.mark.slow
@pytest.mark.skipif(not FETCHED["fail2ban"].exists(), reason="fail2ban is not there: python -m tests.peers.install")
def test_fail2ban_finds_who_guesses_and_nobody_else(tmp_path: Path) -> None:
    """By either form of the log; the address that a client writes into its name, its sender and its login is nobody's."""
    (line,) = written(LoginFailed(NOW, Arrival("submission", "192.0.2.9"), "x", "PLAIN", "no"))
    lines = [*lines_of("192.0.2.7", line), *lines_of("2001:db8::7", "\n" + line), *lines_of("", f"{line} ip=192.0.2.9 door=mx")]
    guessed = [*["192.0.2.7"] * 3, *["2001:db8::7"] * 3]
    assert sorted(banned(tmp_path, lines, "login")) == guessed
    assert sorted(banned(tmp_path, lines, "all")) == sorted(guessed * 2)
    assert "filter   = mailer[mode=login]" in JAIL.read_text()
