"""``mailer queue``: what an operator sees and does, while a daemon runs and while none does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mailer.cli import main
from mailer.cli.queue import COMMANDS, RECIPE
from mailer.spool.files import doorbell
from mailer.status.view import View
from tests.cli.terminal import UNSAFE, Shell
from tests.cli.test_show import HOSTILE
from tests.fakes.mail import NOW, outcome
from tests.fakes.processes import MAILER
from tests.status.office import Office

# list


def test_the_queue_lists_what_waits_oldest_first(office: Office, shell: Shell) -> None:
    """Why, and when next; what is over is not in it."""
    office.sent(), office.failed()
    first = office.deferred("bob@example.net", at=NOW, text="greylisted")
    second = office.put("a@x.example", "b@x.example", at=NOW + 1)
    third = office.held(at=NOW + 2)
    said = shell("queue", "list")
    assert [line.split()[:2] for line in said.lines[1:]] == [["deferred", first], ["queued", second], ["held", third]]
    assert "2027-01-15T08:05:00Z" in said.lines[1]
    assert said.lines[1].endswith("451 4.3.0 greylisted")
    assert "a@x.example,b@x.example" in said.lines[2]
    assert [item["id"] for item in shell("queue", "list", "--json").objects] == [first, second, third]


def test_the_first_of_the_queue_are_the_oldest(office: Office, shell: Shell) -> None:
    """Those that `-n` shows, as its help says."""
    first, second, _ = (office.put(at=NOW + nth) for nth in range(3))
    assert [item["id"] for item in shell("queue", "list", "-n", "2", "--json").objects] == [first, second]
    assert "the oldest" in shell("queue", "list", "--help").out


def test_an_empty_queue_says_so(shell: Shell) -> None:
    """On standard output, exit 0; as JSON it is nothing."""
    assert shell("queue", "list") == (0, "The queue is empty.\n", "")
    assert shell("queue", "list", "--domain", "x.example") == (0, "No message is like that.\n", "")
    assert shell("queue", "list", "--json") == (0, "", "")


@pytest.mark.slow
def test_the_queue_at_a_terminal_ends_with_its_size(office: Office, shell: Shell) -> None:
    """And says what happens to each message."""
    office.deferred("bob@example.net"), office.held()
    said = shell.at_terminal("queue", "list")
    assert "2 messages, 104 B" in said.out
    assert "held until it is released" in said.out


def test_failed_messages_are_listed_when_they_are_asked_for(office: Office, shell: Shell) -> None:
    """They are in the spool, though they do not wait."""
    id = office.failed()
    assert shell("queue", "list", "--state", "failed", "--json").objects[0]["id"] == id
    assert shell("queue", "list", "--state", "sent").code == 64


# show


def test_a_message_is_shown_with_envelope_outcomes_and_header(office: Office, shell: Shell) -> None:
    """Each attempt in order; the body only when it is wanted."""
    body = b"Subject: Folded\r\n over two lines\r\nX-Odd: \xff\r\n\r\nThe text.\tTabbed.\r\n.dot\r\n"
    id = office.put("bob@example.net", body=body, submitter={"uid": 7})
    office.settle(id, outcome(verdict="defer", text="first", at=NOW + 1, due=NOW + 60))
    office.settle(id, outcome(verdict="defer", text="second", at=NOW + 2, due=NOW + 120))
    said = shell("queue", "show", id)
    assert said.code == 0
    for text in ("bob@example.net", "451 4.3.0 first", "451 4.3.0 second", "Subject: Folded over two lines", "X-Odd: \ufffd", "uid 7"):
        assert text in said.out
    assert "The text." not in said.out
    assert shell("queue", "show", id, "--body").out.endswith("\nThe text.       Tabbed.\n.dot\n")
    (document,) = shell("queue", "show", id, "--json", "--body").objects
    assert [item["text"] for item in document["outcomes"]] == ["first", "second"]
    assert document["header"][0] == ["Subject", "Folded\r\n over two lines"]
    assert document["body"].startswith("The text.\tTabbed.")


@pytest.mark.slow
def test_raw_is_the_message_byte_for_byte_but_not_on_a_terminal(office: Office, shell: Shell) -> None:
    """Into a file or a pipe."""
    body = b"Subject: x\r\n\r\n\x00-free \xff\x1b[31m \r\n.\r\n"
    id = office.put(body=body)
    argv = [*MAILER, "queue", "show", id, "--raw", "--spool", office.spool.root]
    assert subprocess.run(argv, capture_output=True, check=True).stdout == body
    at_terminal = shell.at_terminal("queue", "show", id, "--raw")
    assert (at_terminal.code, at_terminal.out) == (64, "")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_message_is_shown_harmlessly(office: Office, shell: Shell, hostile: str) -> None:
    """Header and body included."""
    line = hostile.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace")
    id = office.put(body=b"Subject: " + line + b"\r\nX-" + line[:3] + b": a\r\n\r\n" + line + b"\r\n", subject=line.decode())
    office.settle(id, outcome(verdict="defer", text=hostile, due=NOW + 60))
    for form in ([], ["--body"], ["--json", "--body"]):
        said = shell("queue", "show", id, *form)
        assert said.code == 0
        assert not UNSAFE.search(said.out)


def test_only_what_is_in_the_spool_can_be_shown(office: Office, shell: Shell) -> None:
    """A sent message is known, but its text is gone."""
    said = shell("queue", "show", office.sent())
    assert said.code == 67
    assert "has left the spool" in said.err
    assert shell("queue", "show", "nosuch").code == 67
    assert shell("queue", "show").code == 64
    office.put(message_id="<a@b>"), office.put(message_id="<a@b>")
    assert shell("queue", "show", "<a@b>").code == 64


# acts


def test_hold_release_and_retry_move_a_message(office: Office, shell: Shell) -> None:
    """Each says what it did."""
    id = office.deferred()
    assert shell("queue", "hold", id).out == f"held  {id}  me@example.com → you@example.net\n"
    assert office.spool.find(id) == "held"
    assert shell("queue", "release", id).out.startswith("released")
    assert office.spool.find(id) == "queued"
    later = office.deferred()
    assert shell("queue", "retry", later).out.startswith("due now")
    assert office.spool.find(later) == "queued"


def test_cancel_gives_up_what_is_pending_and_nothing_else(office: Office, shell: Shell) -> None:
    """Who has the message has it."""
    id = office.put("a@x.example", "b@x.example")
    office.settle(id, outcome(0), outcome(1, "defer", due=NOW + 60))
    assert shell("queue", "cancel", id).code == 0
    assert office.spool.find(id) == "failed"
    (document,) = shell("status", id, "--json").objects
    assert document["status"] == "cancelled"
    assert [recipient["status"] for recipient in document["recipients"]] == ["sent", "cancelled"]
    assert document["attempts"] == 1


def test_the_daemon_is_told(office: Office, shell: Shell) -> None:
    """So that it acts at once."""
    id = office.put()
    bell = doorbell.hang(office.spool.root)
    shell("queue", "hold", id)
    assert doorbell.listen(bell) == [id]
    shell("queue", "hold", id, "--dry-run")
    assert doorbell.listen(bell) == []
    bell.close()


def test_a_message_that_is_being_delivered_is_left_alone(office: Office, shell: Shell) -> None:
    """One line, exit 75; the others are done."""
    busy, free = office.put(at=NOW), office.put(at=NOW + 1)
    with office.spool.claim(busy):
        said = shell("queue", "hold", busy, free, "nosuch")
    assert said.code == 75
    assert len(said.err.splitlines()) == 2
    assert busy in said.err
    assert (office.spool.find(busy), office.spool.find(free)) == ("queued", "held")


def test_what_makes_no_sense_is_refused_in_one_line(office: Office, shell: Shell) -> None:
    """Unknown 67; done with 65; not held 65; and what is so already is no error."""
    assert shell("queue", "hold", "nosuch").code == 67
    for id in (office.sent(), office.failed()):
        said = shell("queue", "cancel", id)
        assert (said.code, said.err.count("\n")) == (65, 1)
    deferred, held = office.deferred(), office.held()
    assert shell("queue", "release", deferred).code == 65
    assert office.spool.find(deferred) == "deferred"
    assert shell("queue", "retry", held).code == 65
    assert office.spool.find(held) == "held"
    assert shell("queue", "hold", held) == (0, f"{held} is held already\n", "")
    sent, failed = office.sent(), office.failed()
    assert shell("queue", "retry", sent) == (0, f"{sent} is sent already\n", "")
    assert shell("queue", "retry", failed).code == 65


def test_filters_choose_what_is_touched_and_dry_run_touches_nothing(office: Office, shell: Shell) -> None:
    """First look, then act."""
    mine, other, held = (
        office.deferred("a@x.example", at=NOW),
        office.deferred("b@y.example", at=NOW + 1),
        office.held("c@x.example", at=NOW + 2),
    )
    dry = shell("queue", "cancel", "--domain", "x.example", "--dry-run")
    assert [line.split()[:3] for line in dry.lines] == [["would", "cancel", mine], ["would", "cancel", held]]
    assert [office.spool.find(id) for id in (mine, other, held)] == ["deferred", "deferred", "held"]
    shell("queue", "cancel", "--domain", "x.example", "--state", "deferred")
    assert [office.spool.find(id) for id in (mine, other, held)] == ["failed", "deferred", "held"]


def test_everything_has_to_be_said(office: Office, shell: Shell) -> None:
    """Neither a slip nor an empty variable touches the whole queue."""
    ids = [office.deferred(), office.put(), office.held()]
    for arguments in (
        ["cancel"],
        ["hold"],
        ["retry", "--dry-run"],
        ["cancel", "--all", ids[0]],
        ["hold", "--state", "held"],
        ["hold", "--to", ""],
        ["hold", "--from", ""],
    ):
        assert shell("queue", *arguments).code == 64, arguments
    assert [office.spool.find(id) for id in ids] == ["deferred", "queued", "held"]
    assert shell("queue", "hold", "--all").code == 0
    assert [office.spool.find(id) for id in ids] == ["held"] * 3
    assert len(shell("queue", "release", "--all", "-q").out) == 0
    assert [office.spool.find(id) for id in ids] == ["queued"] * 3
    assert shell("queue", "retry", "--all") == (0, "There is nothing to retry.\n", "")


@pytest.mark.parametrize("selector", ["%", "_", "' OR 1=1 --", "\\", "*\\*", "a@b' OR ''='", "\udcff@x", "x" * 5000 + "@y"])
def test_a_selector_selects_only_what_it_says(office: Office, shell: Shell, selector: str) -> None:
    """Nobody cancels a queue with a quote."""
    id = office.deferred()
    for option in ("--to", "--from", "--domain"):
        shell("queue", "cancel", option, selector)
        assert office.spool.find(id) == "deferred"


def test_acts_as_json(office: Office, shell: Shell) -> None:
    """One object for each message, with what went wrong."""
    id = office.put()
    assert shell("queue", "hold", id, "nosuch", "--json").objects == [
        {"id": "nosuch", "action": "hold", "done": False, "was": None, "error": "no message 'nosuch' is known here"},
        {"id": id, "action": "hold", "done": True, "was": "queued", "error": None},
    ]
    assert shell("queue", "release", id, "--json", "--dry-run").objects[0]["done"] is False


def test_a_message_that_leaves_while_it_is_selected_is_no_error(office: Office, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon has delivered it in between."""
    gone, there = office.put(at=NOW), office.put(at=NOW + 1)
    plain = View.__exit__

    def left(self: View, *args: object) -> None:
        plain(self, *args)
        os.unlink(office.spool.path("queued", gone))

    monkeypatch.setattr(View, "__exit__", left)
    said = shell("queue", "hold", "--all")
    assert (said.code, said.err) == (0, "")
    assert office.spool.find(there) == "held"


def test_a_damaged_file_is_reported_and_the_rest_is_done(office: Office, shell: Shell) -> None:
    """It stays where it is for the daemon to set aside."""
    bad, good = office.put(), office.put()
    Path(office.spool.path("queued", bad)).write_bytes(b"x")
    said = shell("queue", "hold", "--all")
    assert "unreadable" in said.err
    assert (office.spool.find(bad), office.spool.find(good)) == ("queued", "held")


def test_the_two_words_of_a_command_are_explained(capsys: pytest.CaptureFixture[str], shell: Shell) -> None:
    """``mailer queue`` alone lists what there is."""
    assert main(["mailer", "queue"]) == 64
    said = capsys.readouterr().err
    assert all(f"mailer queue {word}" in said for word in ("list", "show", "hold", "release", "retry", "cancel"))
    assert shell("queue", "explode").code == 64


def test_what_was_done_to_many_is_summed_up(office: Office, shell: Shell) -> None:
    """Beside the list, which a program reads; of a few that were named the lines say it, and JSON has no sum."""
    ids = [office.put("a@x.example" if nth < 2 else "b@y.example", at=NOW + nth) for nth in range(8)]
    said = shell("queue", "hold", "--domain", "x.example")
    assert (len(said.lines), said.err) == (2, "mailer: 2 messages held\n")
    assert shell("queue", "hold", *ids[:3]).err == ""
    said = shell("queue", "hold", *ids[:4], "nobody", "else")
    assert said.err.splitlines()[-1] == "mailer: 1 message held; 3 were so already; 2 could not be"
    assert shell("queue", "release", "--all", "--dry-run").err == "mailer: would release 4 messages\n"
    assert shell("queue", "cancel", ids[0]).err == ""
    assert shell("queue", "cancel", "--all", "--json").err == ""


def test_the_recipe_against_a_flood_can_be_pasted() -> None:
    """Each line of it is a command."""
    for verb in ("hold", "list", "cancel", "release"):
        assert any(line.startswith(f"mailer queue {verb} ") for line in RECIPE)
        assert set(RECIPE) & set(COMMANDS[verb].examples)
    assert set(RECIPE) <= set(COMMANDS["list"].examples)
