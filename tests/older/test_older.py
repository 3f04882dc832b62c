"""A spool outlives the program that wrote it: this version reads what an earlier one left, and that one what this one leaves.

``e545a88-spool.tar.xz`` is what `write` made with the program of that commit, ``e545a88-program.tar.xz`` is that program.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mailer.testing import Moods, SinkThread

from .write import SENT, Program, write

HERE = Path(__file__).parent
MAILER = (sys.executable, "-m", "mailer")
UNTRIED = {"queued", "wishes", "eight-bit"}
WAITING = {"partly", "greylisted", "put-off-whole", "cut-off", "unreachable", "many", "late"}
"""By subject, what a next pass finds due, and what it finds deferred."""


def unpack(name: str, place: Path) -> None:
    """Put what the archive holds below `place`, with its times."""
    with tarfile.open(HERE / name) as archive:
        archive.extractall(place, filter="fully_trusted")


@pytest.fixture
def left(tmp_path: Path) -> tuple[Program, dict[str, Any]]:
    """This program on the spool that the earlier one left, and what that one said of it."""
    place = tmp_path / "left"
    unpack("e545a88-spool.tar.xz", place)
    program = Program(MAILER, place)
    program.configure(1, "3650d")
    return program, json.loads((place / "told.json").read_text())


def known(found: Any, like: Any) -> Any:
    """`found` without the members that the earlier program did not know."""
    if isinstance(like, dict):
        return {name: known(found[name], like[name]) for name in like}
    return [known(one, other) for one, other in zip(found, like, strict=True)] if isinstance(like, list) else found


def test_what_an_earlier_version_left_is_told_as_it_told_it(left: tuple[Program, dict[str, Any]]) -> None:
    """Each message in each state, from its database and its spool files, before any daemon of this version has run."""
    program, told = left
    ids = {subject: message["id"] for subject, message in told["messages"].items()}
    assert known(program.messages(ids), told["messages"]) == told["messages"]
    for subject in ("partly", "refused", "expired"):
        assert ids[subject] in program.run("explain", ids[subject])
    listed = {message["id"]: message["status"] for message in program.objects("queue", "list", "-n", "0")}
    assert listed == {m["id"]: m["status"] for m in told["messages"].values() if m["status"] in {"queued", "deferred", "held"}}
    assert {(b["id"], b["address"], b["reply"]) for b in program.objects("bounces", "--since", "3650d")} == {
        (message["id"], recipient["address"], recipient["reply"])
        for message in told["messages"].values()
        for recipient in message["recipients"]
        if recipient["status"] in {"failed", "expired"}
    }
    assert [pause["target"] for pause in program.objects("queue", "pauses")] == ["paused.example.net"]


def test_what_an_earlier_version_left_is_delivered(left: tuple[Program, dict[str, Any]]) -> None:
    """Who has not had a message gets it, and who had it does not get it twice; what is held or given up stays where it is."""
    program, told = left
    with SinkThread(Moods(magic=False)) as sink:
        program.configure(sink.port, "3650d")
        program.config.write_text(program.config.read_text().replace("port = 1\n", f"port = {sink.port}\n"))
        program.run("queue", "retry", *(told["ids"][subject] for subject in WAITING))
        program.run("run", "--once")
        got = [(message.sender, recipient) for message in sink.messages for recipient in message.recipients]
    of = {subject: sorted(recipient["address"] for recipient in message["recipients"]) for subject, message in told["messages"].items()}
    due = [address for subject in UNTRIED | WAITING - {"partly"} for address in of[subject]]
    dropped = ["bob@example.net"] if "dropped" in told["ids"] and (program.place / "spool/drop").stat().st_uid == 0 else []
    assert sorted(to for sender, to in got if sender) == sorted([*due, "451@example.net", *dropped])
    found = program.messages({subject: message["id"] for subject, message in told["messages"].items()})
    after = {subject: message["status"] for subject, message in found.items()}
    assert {subject for subject in after if after[subject] == "sent"} == {*UNTRIED, *WAITING, "delivered"} - {"partly"}
    assert after["partly"] == "failed", "one of its three recipients was refused"
    for subject in ("held", "later", "expired", "cancelled", "refused", "refused-whole", "replayed"):
        assert after[subject] == told["messages"][subject]["status"]


def test_what_this_version_leaves_an_earlier_one_reads(tmp_path: Path) -> None:
    """It ignores the members that it does not know, and delivers."""
    told = write(Program(MAILER, tmp_path / "left"))
    unpack("e545a88-program.tar.xz", tmp_path / "source")
    earlier = Program(MAILER, tmp_path / "left", tmp_path / "source")
    with SinkThread(Moods(magic=False)) as sink:
        earlier.configure(sink.port, "3650d")
        waiting = {message["id"]: message for message in told["messages"].values() if message["status"] in {"queued", "deferred", "held"}}
        listed = {message["id"]: message for message in earlier.objects("queue", "list", "-n", "0")}
        assert {id: message["status"] for id, message in listed.items()} == {id: message["status"] for id, message in waiting.items()}
        shared = ("message_id", "request_id", "from", "subject", "size", "priority", "attempts", "queued_at")
        for id, message in listed.items():
            assert {name: message[name] for name in shared} == {name: waiting[id][name] for name in shared}
            assert [(r["address"], r["code"], r["reply"]) for r in message["recipients"]] == [
                (r["address"], r["code"], r["reply"]) for r in waiting[id]["recipients"]
            ]
        earlier.run("queue", "retry", *(told["ids"][subject] for subject in WAITING - {"unreachable"}))
        earlier.run("run", "--once", codes=(0, 75))
        got = sorted(recipient for message in sink.messages for recipient in message.recipients if message.sender)
    due = UNTRIED | WAITING - {"unreachable"}
    pending = [r["address"] for subject in due for r in told["messages"][subject]["recipients"] if not r["code"] or 400 <= r["code"] < 500]
    assert got == sorted([*pending, *(["bob@example.net"] if "dropped" in told["ids"] else [])])
    assert set(SENT) <= set(told["messages"])
