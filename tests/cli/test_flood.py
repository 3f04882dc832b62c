"""A flood is stopped, found and cancelled with three commands, and other mail is not touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.mail import put

from .home import Home

MANY = 60


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A spool with a flood in it, and one message of somebody else."""
    home = Home(tmp_path)
    home.spool.prepare()
    who = {"uid": 1000, "principal": "unix:1000"}
    for nth in range(MANY):
        subject = f"Cron <root@web{nth % 3}> backup {nth} failed"
        put(home.spool, "admin@example.net", sender="cron@example.com", subject=subject, submitter=who)
    put(home.spool, "you@example.net", sender="ann@example.com", subject="Dinner", submitter=who)
    return home


def states(home: Home) -> dict[str, int]:
    """How many messages there are in each state."""
    return {state: len(home.spool.ids(state)) for state in ("queued", "held", "failed")}


def test_a_flood_is_over_after_three_commands(home: Home) -> None:
    """Stopped: nothing of it is delivered from then on. Found: one heap says what it is. Cancelled, by that."""
    assert home.mailer("queue", "hold", "--from", "cron@example.com", "-q").returncode == 0
    assert states(home) == {"queued": 1, "held": MANY, "failed": 0}
    found = [json.loads(line) for line in home.mailer("queue", "list", "--by", "subject", "--json").stdout.splitlines()]
    assert [(heap["subject"], heap["count"]) for heap in found] == [("Cron <root@#> backup # failed", MANY), ("Dinner", 1)]
    assert home.mailer("queue", "cancel", "--subject", "Cron*backup*failed", "-q").returncode == 0
    assert states(home) == {"queued": 1, "held": 0, "failed": MANY}


def test_what_a_list_prints_is_what_a_command_takes(home: Home) -> None:
    """As columns and as JSON, by `-`; nothing on standard input is nothing to do, and what names no message is refused as a whole."""
    some = home.mailer("queue", "list", "--subject", "web1").stdout
    held = home.mailer("queue", "hold", "-", input=some)
    assert (held.returncode, states(home)["held"]) == (0, MANY // 3)
    some = home.mailer("queue", "list", "--state", "held", "--json").stdout
    assert home.mailer("queue", "cancel", "-", "--json", input=some).stdout.count(b'"done": true') == MANY // 3
    for words in (["queue", "cancel", "-"], ["status", "-"], ["explain", "-"], ["queue", "replay", "-"]):
        done = home.mailer(*words, input=b"")
        assert (done.returncode, done.stdout) == (0, b""), words
    before = states(home)
    bad = home.mailer("queue", "cancel", "-", input=b"what is this\n")
    assert (bad.returncode, b"line 1 of standard input" in bad.stderr, states(home)) == (64, True, before)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--subject", "dinner"], 1),
        (["--submitter", "0"], 0),
        (["--submitter", "unix:1000"], MANY + 1),
        (["--size", "..10KB"], MANY + 1),
        (["--size", "1MB"], 0),
        (["--younger", "3650d"], MANY + 1),
        (["--older", "1h", "--younger", "1h"], 0),
    ],
)
def test_a_selection_means_the_same_everywhere(home: Home, words: list[str], count: int) -> None:
    """What `status` lists, `queue list` lists, and an operation would touch."""
    listed = home.mailer("status", "--json", "--limit", "0", *words).stdout.splitlines()
    queued = home.mailer("queue", "list", "--json", *words).stdout.splitlines()
    would = home.mailer("queue", "hold", "--dry-run", "--json", *words).stdout.splitlines()
    assert (len(listed), len(queued), len(would)) == (count, count, count)


@pytest.mark.parametrize("words", [["--size", "big"], ["--submitter", "no such user"], ["--younger", "soon"], ["--by", "colour"]])
def test_a_selection_that_says_nothing_is_refused(home: Home, words: list[str]) -> None:
    """In one line that names the option; nothing is touched."""
    done = home.mailer("queue", "list", *words)
    assert (done.returncode, done.stderr.count(b"\n"), words[0].encode() in done.stderr) == (64, 1, True)
