"""``mailer events``: the journal, line by line."""

from __future__ import annotations

import json
import os
import signal
import time
from asyncio import run
from pathlib import Path
from typing import Any

import pytest

from mailer.journal.api import JournalEvent
from mailer.journal.files import journal_of
from tests.cli.terminal import Shell
from tests.fakes.processes import MAILER, Program, wait_until
from tests.status.office import Office

MESSAGE, OTHER = "01KAHC00000000000000000001", "01KAHC00000000000000000002"


def written(office: Office, *events: JournalEvent, at: float | None = None) -> list[JournalEvent]:
    """Write events to the journal, at a time."""

    async def write() -> list[JournalEvent]:
        journal = journal_of(office.spool, (lambda: at) if at else time.time)
        return [*await journal.append(events)]

    return run(write())


def event(to: str, type: Any = "delivered", message: str = MESSAGE, **more: Any) -> JournalEvent:
    """An event of now."""
    return JournalEvent("", 1_800_000_000.0, type, message, to=to)._replace(**more)


def recipients(shell: Shell, *options: str) -> list[str]:
    """Whose events are printed."""
    said = shell("events", "--json", *options)
    assert (said.code, said.err) == (0, "")
    return [item["to"] for item in said.objects]


def test_events_are_lines_for_people(office: Office, shell: Shell) -> None:
    """Oldest first: when, what, who, what was said, by whom, when it goes on, which message."""
    written(
        office,
        event("a@x.example", "accepted"),
        event("a@x.example", "deferred", code=451, enhanced="4.7.1", reply="come\x1b[2J back", host="mx.x.example", next=1_800_000_060.0),
        event("begun", "alarm", "", class_="login", host="relay:out", reply="the password is wrong"),
    )
    said = shell("events")
    assert said.code == 0
    assert said.lines[0] == f"2027-01-15T08:00:00Z  accepted    a@x.example  {MESSAGE}"
    assert said.lines[1].startswith("2027-01-15T08:00:00Z  deferred    a@x.example  451 4.7.1 come")
    assert said.lines[1].endswith(f"back  mx.x.example  next 2027-01-15T08:01:00Z  {MESSAGE}")
    assert said.lines[2] == "2027-01-15T08:00:00Z  alarm       login relay:out begun: the password is wrong"
    assert "\x1b" not in said.out
    assert shell("events", "--quiet").out == ""


def test_events_as_json_are_the_lines_of_the_journal(office: Office, shell: Shell) -> None:
    """With all members."""
    told = written(office, event("a@x.example", "failed", code=550, key="shop", stream="news", attempt=2))
    assert shell("events", "--json").objects == [told[0].as_json()]


def test_the_newest_are_printed_unless_a_beginning_is_named(office: Office, shell: Shell) -> None:
    """Then all from there on, or the first so many."""
    told = written(office, *(event(f"r{nth}@x.example") for nth in range(30)), at=1_700_000_000.0)
    told += written(office, *(event(f"r{nth}@x.example") for nth in range(30, 40)))
    everybody = [f"r{nth}@x.example" for nth in range(40)]
    assert recipients(shell) == everybody[-20:]
    assert recipients(shell, "--limit", "3") == everybody[-3:]
    assert recipients(shell, "--limit", "35") == everybody[-35:]
    assert recipients(shell, "--limit", "0") == everybody
    assert recipients(shell, "--after", told[4].id) == everybody[5:]
    assert recipients(shell, "--after", told[4].id, "--limit", "2") == everybody[5:7]
    assert recipients(shell, "--after", told[-1].id) == []
    assert recipients(shell, "--since", "1h") == everybody[30:]


def test_options_choose_events(office: Office, shell: Shell) -> None:
    """By type, recipient, message, key and stream; all that are given."""
    written(
        office,
        event("a@x.example", "accepted", key="shop"),
        event("b@y.example", "failed", OTHER, stream="news"),
        event("c@y.example", "expired", OTHER, key="shop"),
        event("begun", "alarm", ""),
    )
    assert recipients(shell, "--type", "failed", "--type", "expired") == ["b@y.example", "c@y.example"]
    assert recipients(shell, "--to", "*@Y.example") == ["b@y.example", "c@y.example"]
    assert recipients(shell, "--to", "*") == ["a@x.example", "b@y.example", "c@y.example"]
    assert recipients(shell, "--message", OTHER, "--key", "shop") == ["c@y.example"]
    assert recipients(shell, "--stream", "news") == ["b@y.example"]
    assert recipients(shell, "--type", "alarm") == ["begun"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--type", "exploded"), 64, "--type takes accepted, delivered"),
        (("--after", "yesterday"), 64, "--after takes the ID of an event, not 'yesterday'"),
        (("--after", MESSAGE, "--since", "1h"), 64, "both say where to begin"),
        (("--since", "soon"), 64, "--since takes"),
        (("--message", "<x@y>"), 64, "--message takes the ID of a message"),
        (("--limit", "few"), 64, "--limit takes a whole number"),
        (("--message", OTHER), 67, f"the journal has no event of message {OTHER}"),
    ],
)
def test_what_makes_no_sense_is_said(office: Office, shell: Shell, options: tuple[str, ...], code: int, words: str) -> None:
    """In one line, with the exit code of its kind."""
    written(office, event("a@x.example"))
    said = shell("events", *options)
    assert (said.code, said.out) == (code, "")
    assert words in said.err


def test_that_no_journal_is_written_is_said_with_what_to_do(office: Office, shell: Shell, tmp_path: Path) -> None:
    """An empty one that is written is no mistake."""
    said = shell("events")
    assert said.code == 78
    assert "write keep = true below [journal]" in said.err
    (tmp_path / "config.toml").write_text("[journal]\nkeep = true\n")
    assert shell("events") == (0, "", "")


def test_a_journal_that_cannot_be_read_is_said(office: Office, shell: Shell) -> None:
    """Where it is, and why."""
    Path(office.spool.root, "journal").write_text("no directory")
    said = shell("events")
    assert said.code == 73
    assert "cannot read the journal" in said.err


def test_following_prints_what_comes(office: Office, tmp_path: Path) -> None:
    """Line by line, as it is written, until somebody ends it."""
    first = written(office, event("a@x.example"))[0]
    log = tmp_path / "said"
    env = {**os.environ, "MAILER_CONFIG": str(tmp_path / "config.toml")}
    argv = [*MAILER, "events", "--spool", office.spool.root, "--json", "--follow", "--type", "delivered"]
    with Program(argv, log, env=env) as program:
        wait_until("it prints what there was", lambda: first.id in program.said)
        later = written(office, event("b@x.example"), event("c@x.example", "failed"), event("d@x.example"))
        wait_until("it prints what came", lambda: later[-1].id in program.said)
        program.signal(signal.SIGINT)
        wait_until("it ends", lambda: not program.running)
        assert [json.loads(line)["to"] for line in program.said.splitlines()] == ["a@x.example", "b@x.example", "d@x.example"]
