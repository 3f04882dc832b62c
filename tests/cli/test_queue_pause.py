"""``mailer queue pause``, ``resume``, ``pauses`` and ``replay``: what an operator sees and what is left on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mailer.spool.files import doorbell, suspensions
from tests.cli.terminal import Shell
from tests.status.office import Office


def test_pausing_and_resuming(office: Office, shell: Shell) -> None:
    """Each says what it did, and that nobody runs who heard it; the list shows since when, until when and why."""
    said = shell("queue", "pause", "relay:out", "--for", "2h", "--why", "they asked us to")
    assert said.code == 0
    assert said.out.startswith("paused relay:out until ")
    assert "no daemon runs" in said.out
    assert shell("queue", "pause", "Example.NET", "-q") == (0, "", "")
    lines = shell("queue", "pauses").lines
    assert lines[0].split() == ["DESTINATION", "SINCE", "UNTIL", "WHY"]
    assert lines[1].endswith("they asked us to")
    assert lines[2].startswith("example.net")
    listed = shell("queue", "pauses", "--json").objects
    assert [(item["target"], item["until"] is None, item["why"]) for item in listed] == [
        ("relay:out", False, "they asked us to"),
        ("example.net", True, ""),
    ]
    assert shell("queue", "resume", "relay:out").out.startswith("resumed relay:out")
    assert [pause.target for pause in suspensions.read(office.spool.root)] == ["example.net"]


def test_a_relay_that_the_configuration_does_not_name_is_told(office: Office, shell: Shell, tmp_path: Path) -> None:
    """A slip would let the mail flow that was to wait. It is paused all the same: the relay may come later."""
    config = tmp_path / "some.toml"
    config.write_text('[relay.out]\nhost = "relay.example.com"\n')
    said = shell("queue", "pause", "relay:uot", "--config", str(config))
    assert (said.code, said.out.split(" until")[0]) == (0, "paused relay:uot")
    assert said.err == f"mailer: warning: {config} has no [relay.uot]; it has relay:out\n"
    assert shell("queue", "pause", "relay:out", "--config", str(config)).err == ""


def test_a_daemon_hears_it(office: Office, shell: Shell) -> None:
    """Then nothing is said about the next one; as JSON it is a member."""
    bell = doorbell.hang(office.spool.root)
    try:
        assert shell("queue", "pause", "example.net").out == "paused example.net until it is resumed\n"
        assert shell("queue", "resume", "example.net", "--json").objects[0]["heard"] is True
        assert doorbell.listen(bell) == [suspensions.NAME]
    finally:
        bell.close()


def test_root_pauses_what_another_user_delivers(office: Office, shell: Shell) -> None:
    """As with every act on the queue: the daemon can read what root wrote, and nothing of the spool becomes root's."""
    root = Path(office.spool.root)
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for path in [root, *root.rglob("*")]:
        os.chown(path, 65534, 65534)
    assert shell("queue", "pause", "example.net").code == 0
    assert shell("queue", "pause", "example.org").code == 0
    assert shell("queue", "resume", "example.net").code == 0
    assert [pause.target for pause in suspensions.read(str(root))] == ["example.org"]
    owned = {path.name for path in root.rglob("*") if path.stat().st_uid != 65534}
    assert owned <= {"status.db", "status.db-wal", "status.db-shm"}
    assert (root / "pauses").stat().st_mode & 0o777 == 0o600


def test_nothing_is_paused(shell: Shell) -> None:
    """The list says so; to resume is an error."""
    assert shell("queue", "pauses") == (0, "Nothing is paused.\n", "")
    assert shell("queue", "pauses", "--json") == (0, "", "")
    said = shell("queue", "resume", "example.net")
    assert (said.code, said.out) == (67, "")
    assert "is not paused" in said.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause",), ("pause", "a", "b"), ("pause", "a@example.net"), ("pause", "example.net", "--for", "soon"),
        ("pause", "example.net", "--why", "two\nlines"), ("resume",), ("pauses", "x"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(office: Office, shell: Shell, arguments: tuple[str, ...]) -> None:
    """One line, 64, and nothing is written."""
    said = shell("queue", *arguments)
    assert (said.code, said.out, said.err.count("\n")) == (64, "", 1)
    assert not suspensions.read(office.spool.root)


def test_a_pause_can_come_before_the_first_message(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    """It makes the spool, as sending does; to look at one that is not there does not."""
    from mailer.cli import main

    root = f"{office.spool.root}-new"
    assert main(["mailer", "queue", "pauses", "--spool", root]) == 78
    assert "is not there" in capsys.readouterr().err
    assert main(["mailer", "queue", "pause", "example.net", "--spool", root]) == 0
    assert [pause.target for pause in suspensions.read(root)] == ["example.net"]


# replay


def test_what_was_given_up_is_replayed(office: Office, shell: Shell) -> None:
    """A new message, in the queue, with the old one as its parent; the next time it is refused, unless it is meant."""
    old = office.failed("bob@example.net", "ann@example.net")
    said = shell("queue", "replay", old)
    (new,) = office.spool.ids("queued")
    assert (said.code, said.lines) == (0, [f"replayed as {new}  {old}  me@example.com → bob@example.net, ann@example.net"])
    assert office.entry(new).envelope.parent == old
    again = shell("queue", "replay", old)
    assert (again.code, new in again.err) == (65, True)
    assert shell("queue", "replay", old, "--again").code == 0
    assert len(office.spool.ids("queued")) == 2


def test_it_can_go_to_somebody_else(office: Office, shell: Shell) -> None:
    """``--to`` names who gets it, and selects nothing."""
    old = office.failed("bob@example.net")
    shell("queue", "replay", "--domain", "example.net", "--to", "new@example.org", "--to", "other@example.org")
    (new,) = office.spool.ids("queued")
    assert [r.address for r in office.entry(new).envelope.recipients] == ["new@example.org", "other@example.org"]
    assert shell("queue", "replay", old, "--again", "--to", "nobody").code == 64


def test_a_selection_is_replayed(office: Office, shell: Shell) -> None:
    """All that was given up and fits; a dry run touches nothing; what is not given up stays out of it."""
    first, second = office.failed("a@example.net"), office.failed("b@example.net")
    office.failed("c@example.org"), office.deferred("d@example.net"), office.sent("e@example.net")
    dry = shell("queue", "replay", "--domain", "example.net", "--dry-run")
    assert [line.split()[:3] for line in dry.lines] == [["would", "replay", first], ["would", "replay", second]]
    assert office.spool.ids("queued") == []
    done = shell("queue", "replay", "--domain", "example.net", "--json").objects
    assert [(item["id"], item["done"], item["error"]) for item in done] == [(first, True, None), (second, True, None)]
    assert sorted(item["as"] for item in done) == office.spool.ids("queued")
    assert shell("queue", "replay", "--domain", "nowhere.example").out == "There is nothing to replay.\n"


def test_what_cannot_be_replayed(office: Office, shell: Shell) -> None:
    """Delivered, still to be delivered, unknown: each with its reason and code."""
    sent, waiting = office.sent(), office.deferred("d@example.net")
    assert (said := shell("queue", "replay", sent)).code == 65
    assert "what was delivered is not kept" in said.err
    assert (said := shell("queue", "replay", waiting)).code == 65
    assert "it was not given up" in said.err
    assert shell("queue", "replay", "01JD6Q4Z8K0000000000000000").code == 67
    assert shell("queue", "replay").code == 64
    assert shell("queue", "replay", sent, "--all").code == 64


def test_a_full_disk_is_not_filled_by_a_replay(office: Office, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """75, before anything is put."""
    import os

    old = office.failed()
    monkeypatch.setattr(
        os, "statvfs", lambda _: type("Disk", (), dict.fromkeys(("f_frsize", "f_blocks", "f_bavail", "f_files", "f_favail"), 1))
    )
    assert shell("queue", "replay", old).code == 75
    assert office.spool.ids("queued") == []


def test_a_deferred_message_cannot_be_released(office: Office, shell: Shell) -> None:
    """It is not held: the refusal names the command that is meant, and changes nothing."""
    id = office.deferred("d@example.net")
    said = shell("queue", "release", id)
    assert (said.code, "it is not held" in said.err) == (65, True)
    assert office.spool.find(id) == "deferred"
    assert shell("queue", "show", id, "--json").code == 0
    json.loads(shell("queue", "show", id, "--json").out)
