"""``mailer received``: what came by the doors."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from mailer.events import LoginFailed, TakenIn, TurnedAway
from mailer.mail.arrival import Arrival
from mailer.status.received import EACH
from tests.cli.terminal import UNSAFE, Shell
from tests.cli.test_show import HOSTILE
from tests.operate.test_schemas import right
from tests.status.office import Office

ID = "01KAHGWV7J5ZQ0C9XK3M2T8B4R"
CLIENT = Arrival("mx", "192.0.2.7", "there.example", "ESMTPS", "TLSv1.3", "mail.there.example")
GUEST = Arrival("submission", "2001:db8::7", "[10.0.0.1]", "ESMTPSA", "TLSv1.3")
TAKEN = TakenIn(0.0, CLIENT, ID, "bob@there.example", ["ann@example.com", "eve@example.com", "joe@example.com"], 12345, "mark", "spamd 7.5")
REFUSED = TurnedAway(0.0, CLIENT, "rcpt", "550 5.1.1 no such user", "unknown", "bob@there.example", "nobody@example.com")
FAILED = LoginFailed(0.0, GUEST, "ann@example.com", "PLAIN", "wrong password")


@pytest.fixture
def visited(office: Office) -> Office:
    """A message that was taken two hours ago, a recipient who was refused twice within a moment of one hour, and a wrong password."""
    now = time.time()
    refused = [replace(REFUSED, at=now - 60), replace(REFUSED, at=now - 60 + 1e-5)]
    office.write([replace(TAKEN, at=now - 7200), *refused, replace(FAILED, at=now - 5)])
    return office


def whats(shell: Shell, *options: str) -> list[str | None]:
    """The reason of each that is listed; of a message that was taken, none."""
    return [each["reason"] for each in shell("received", "--json", *options).objects]


def test_taken_and_refused_are_one_list_for_programs(visited: Office, shell: Shell) -> None:
    """The newest first, in columns that awk reads."""
    said = shell("received")
    head, *rows = [line.split() for line in said.lines]
    assert (said.code, said.err, head) == (0, "", ["WHAT", "WHEN", "IP", "USER", "FROM", "TO", "TIMES", "ID", "WHY"])
    assert [[row[0], *row[2:8]] for row in rows] == [
        ["refused", "2001:db8::7", "ann@example.com", "-", "-", "1", "-"],
        ["refused", "192.0.2.7", "-", "bob@there.example", "nobody@example.com", "2", "-"],
        ["marked", "192.0.2.7", "-", "bob@there.example", "ann@example.com,eve@example.com,joe@example.com", "1", ID],
    ]
    assert [" ".join(row[8:]) for row in rows] == ["login: wrong password", "unknown: 550 5.1.1 no such user", "spamd 7.5"]


def test_the_json_is_what_its_schema_says(visited: Office, shell: Shell) -> None:
    found = right("received", shell("received", "--json").out, lines=3)
    assert [(each["event"], each["verdict"], each["times"], each["id"]) for each in found] == [
        ("refused", "refuse", 1, None), ("refused", "refuse", 2, None), ("taken", "mark", 1, ID),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "reasons"),
    [
        (["--from", "bob@"], ["unknown", None]),
        (["--from", "there.example"], ["unknown", None]),
        (["--from", "<bob@there.example>", "--refused"], ["unknown"]),
        (["--to", "@example.com", "--taken"], [None]),
        (["--to", "joe@example.com"], [None]),
        (["--ip", "2001:db8::/32"], ["login"]),
        (["--reason", "login"], ["login"]),
        (["--reason", "mark"], [None]),
        (["--since", "1h"], ["login", "unknown"]),
        (["--limit", "1"], ["login"]),
        (["--from", "<>"], []),
        (["--from", "bob@", "--since", "1d", "--refused", "--ip", "192.0.2.0/24"], ["unknown"]),
    ],
)
def test_options_select(visited: Office, shell: Shell, options: list[str], reasons: list[str | None]) -> None:
    assert whats(shell, *options) == reasons


@pytest.mark.slow
def test_a_person_sees_a_story_of_each(visited: Office, shell: Shell) -> None:
    """Who to whom, what was said, from where, how often, and the ID that leads on."""
    out = shell.at_terminal("received", columns=100).out
    for text in (
        "bob@there.example → ann@example.com, eve@example.com and 1 more", "unknown: 550 5.1.1 no such user",
        "192.0.2.7 mail.there.example (mx), TLSv1.3", "2 times since", ID, "12 KB", "2h ago", "ann@example.com at auth",
        "2001:db8::7 (submission)",
    ):  # fmt: skip
        assert text in out


def test_what_is_known_of_a_crowd_alone_is_said_to_who_asks_for_somebody(office: Office, shell: Shell) -> None:
    """So nobody takes a list for whole that is not."""
    now = time.time()
    office.write([replace(REFUSED, at=now - 50 + nth / 1e4, recipient=f"r{nth}@example.com") for nth in range(EACH + 7)])
    said = shell("received", "--to", "r55@example.com")
    assert said.out.startswith("Nothing came that is like that")
    assert "7 refusals besides are known by network alone" in said.err
    assert shell("received", "--refused", "--to", "r1@example.com", "--ip", "198.51.100.0/24").err == ""
    assert shell("received").err == ""


def test_the_summary_has_a_line_of_it(visited: Office, shell: Shell) -> None:
    """Where anything came at all."""
    assert "Doors   1 taken (1 marked), 3 refused within a day: mailer received" in shell("status").out
    (summary,) = right("status", shell("status", "--json").out)
    assert summary["incoming"] == {"accept": 0, "mark": 1, "hold": 0, "refuse": 3}


def test_a_database_that_cannot_be_read_is_no_nothing(office: Office, shell: Shell) -> None:
    """Why is said, and no more."""
    office.close()
    office.path.write_bytes(b"no database")
    said = shell("received")
    assert (said.out, "the status database cannot be read" in said.err) == ("", True)


def test_a_reason_that_there_is_not_is_said_to_be_none(visited: Office, shell: Shell) -> None:
    """With those that there are; of one of them, and of a pattern, only that nothing came."""
    said = shell("received", "--reason", "blacklist").out
    assert (said.startswith("Nothing came that is like that"), "blacklist is none of the reasons: unknown, " in said) == (True, True)
    assert ["none of" in shell("received", "--reason", word).out for word in ("virus", "black*", "hold")] == [False] * 3


def test_nothing_at_all_is_said(office: Office, shell: Shell) -> None:
    """In words that say what was looked for."""
    assert shell("received").out == "Nothing came, as far as is remembered ([status] received_retention).\n"
    assert shell("received", "--refused").out.startswith("Nothing was refused, ")
    assert shell("received", "--json").out == ""
    assert "Doors" not in shell("status").out
    assert shell("status", "--json").objects[0]["incoming"] is None


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--ip", "here"], "--ip takes an address or a network"),
        (["--ip", ""], "--ip takes an address or a network"),
        (["--from", ""], "--from takes an address"),
        (["--taken", "--refused"], "leave nothing together"),
        (["--since", "soon"], "--since takes"),
    ],
)
def test_what_makes_no_sense_is_refused(office: Office, shell: Shell, options: list[str], word: str) -> None:
    said = shell("received", *options)
    assert said.code == 64
    assert word in said.err
    assert said.err.count("\n") == 1


def test_no_stranger_writes_to_the_terminal(office: Office, shell: Shell) -> None:
    """Whatever he calls himself."""
    now = time.time()
    text = "".join(HOSTILE)[:300]
    arrival = replace(CLIENT, hello=text, name=text)
    office.write([replace(REFUSED, at=now, arrival=arrival, sender=text, recipient=text, reply=text)])
    assert not UNSAFE.search(shell("received").out)
    assert shell("received", "--json").out.isascii()
