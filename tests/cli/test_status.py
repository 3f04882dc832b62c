"""``mailer status`` as people and scripts see it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from mailer.cli import main
from mailer.cli.show import local, localized
from mailer.journal.api import JournalEvent
from mailer.journal.files import journal_of
from tests.cli.dialogue import Dialogue
from tests.cli.terminal import UNSAFE, Shell
from tests.cli.test_show import HOSTILE
from tests.fakes.mail import NOW, outcome
from tests.fakes.processes import MAILER
from tests.fakes.users import public_directory
from tests.status.office import Office
from tests.status.test_reader import as_somebody_else

CONTRACT = [
    "id", "message_id", "request_id", "status", "from", "subject", "size", "priority", "queued_at", "last_attempt_at",
    "next_attempt_at", "sent_at", "attempts", "recipients", "stream",
]  # fmt: skip


# One message


def test_one_message_shows_all_that_is_known(office: Office, shell: Shell) -> None:
    """Who, what, when, why, and what happens next."""
    id = office.deferred("bob@example.net", subject="Please read", text="greylisted, come back", request_id="r-9", message_id="<a@b>")
    said = shell("status", id)
    assert said.code == 0
    assert said.lines[0] == f"{id}  deferred  tried once, next try 2027-01-15T08:05:00Z"
    for text in ("bob@example.net", "Please read", "451 4.3.0 greylisted, come back", "r-9", "<a@b>", "2027-01-15T08:00:05Z"):
        assert text in said.out


def test_the_json_of_a_message_is_the_contract(office: Office, shell: Shell) -> None:
    """One object on one line, its members in order."""
    id = office.sent("a@x.example", "b@x.example")
    (document,) = shell("status", "--json", id).objects
    assert list(document) == CONTRACT
    assert (document["id"], document["status"], len(document["recipients"])) == (id, "sent", 2)


def test_a_message_is_found_by_message_id_and_request_id(office: Office, shell: Shell) -> None:
    """As the log of another program has it."""
    id = office.put(message_id="<a@b>", request_id="nightly")
    for name in (id.lower(), "a@b", "<a@b>", "nightly"):
        assert shell("status", name, "--json").objects[0]["id"] == id


def test_an_unknown_name_exits_67_and_the_known_ones_are_shown(office: Office, shell: Shell) -> None:
    """One line for each that is not known."""
    id = office.put()
    said = shell("status", "nosuch", id, "0" * 26)
    assert said.code == 67
    assert id in said.out
    assert said.err.splitlines() == [f"mailer: no message {name!r} is known here" for name in ("nosuch", "0" * 26)]
    assert shell("status", "nosuch", "--json")[:2] == (67, "")
    assert shell("status", "nosuch", "-q").code == 67
    assert shell("status", id, "-q") == (0, "", "")


@pytest.mark.parametrize("name", ["'", '"; DROP TABLE emails', "%", "_" * 26, "../../etc/passwd", "-- x", "\udcff", "x" * 100_000, ""])
def test_a_name_is_only_a_name(office: Office, shell: Shell, name: str) -> None:
    """Neither SQL nor a path."""
    office.put()
    assert shell("status", "--", name).code == 67


def test_a_damaged_file_is_one_line(office: Office, shell: Shell) -> None:
    """Exit 65, not a traceback."""
    id = office.put()
    Path(office.spool.path("queued", id)).write_bytes(b"x")
    said = shell("status", id)
    assert (said.code, said.out, said.err.count("\n")) == (65, "", 1)


# Lists


def test_a_list_has_one_line_a_message_newest_first(office: Office, shell: Shell) -> None:
    """With its columns aligned, for grep and awk."""
    first = office.sent("a@x.example", at=NOW)
    second = office.deferred("b@x.example", at=NOW + 60, text="later, please")
    said = shell("status", "--limit", "10")
    assert [line.split()[:2] for line in said.lines] == [["STATUS", "ID"], ["deferred", second], ["sent", first]]
    assert said.lines[1].endswith("451 4.3.0 later, please")


def test_a_mailing_to_many_is_still_one_line(office: Office, shell: Shell) -> None:
    """Its first recipients, and how many more."""
    office.put(*(f"u{n}@x.example" for n in range(2000)))
    line = shell("status", "-n", "1").lines[1]
    assert line.split()[5] == "u0@x.example,u1@x.example,u2@x.example,u3@x.example,u4@x.example,+1995"


def test_filters_narrow_the_list(office: Office, shell: Shell) -> None:
    """Each of them, alone and together."""
    now = time.time()
    old = office.sent("ann@example.net", sender="robot@example.com", at=now - 90_000)
    new = office.deferred("bob@example.org", sender="", at=now - 60)

    def ids(*options: str) -> list[str]:
        return [document["id"] for document in shell("status", "--json", *options).objects]

    assert ids("--to", "Bob@example.org") == ids("--domain", "example.org") == ids("--state", "deferred") == ids("--from", "<>") == [new]
    assert ids("--to", "*@example.net") == ids("--from=robot@example.com") == ids("--older", "1d") == [old]
    assert ids("--since", "2h") == ids("--since", "1d") == [new]
    assert ids("--since", "2d") == ids("--state", "sent,deferred") == ids("--state", "sent", "--state", "deferred") == [new, old]
    assert ids("--to", "*", "--state", "held") == []
    assert ids("--since", time.strftime("%Y-%m-%d", time.gmtime(now - 86_400 * 5))) == [new, old]
    assert ids("--since", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 120))) == [new]
    assert ids("--limit", "1") == [new]
    assert ids("--limit", "0") == [new, old]


def test_a_list_is_short_unless_more_is_asked_for(office: Office, shell: Shell) -> None:
    """Twenty, the newest."""
    for _ in range(25):
        office.put()
    assert len(shell("status", "--state", "queued").lines) == 21
    assert len(shell("status", "--state", "queued", "-n", "0").lines) == 26


def test_an_empty_list_says_so(office: Office, shell: Shell) -> None:
    """Nothing is no error; as JSON it is nothing."""
    assert shell("status", "--state", "held") == (0, "No message is like that.\n", "")
    assert shell("status", "--state", "held", "--json") == (0, "", "")


@pytest.mark.parametrize(
    "options",
    [
        ("--state", "gone"), ("--since", "soon"), ("--since", "2026-13-01"), ("--older", "-1d"), ("--limit", "many"), ("--to", "bob"),
        ("--domain", "a@b"), ("--from", "bob"), ("--state", "sent", "0" * 26),
    ],
)  # fmt: skip
def test_a_mistake_in_an_option_is_said_in_one_line(shell: Shell, options: tuple[str, ...]) -> None:
    """Exit 64, with what would be right."""
    said = shell("status", *options)
    assert (said.code, said.out, said.err.count("\n")) == (64, "", 1)


# The summary


def test_the_summary_counts_and_warns(office: Office, shell: Shell) -> None:
    """How many of each kind, since when, what failed last, and that nobody delivers."""
    office.put(at=NOW), office.deferred(), office.sent(), office.failed("nobody@example.org", text="no such user here")
    Path(office.spool.root, "corrupt", "x").touch()
    said = shell("status")
    text = " ".join(said.out.split())
    assert said.code == 0
    for expected in (
        "queued 1",
        "deferred 1",
        "sent 1",
        "failed 1",
        "not running",
        "`mailer run`",
        "550 5.1.1 no such user here",
        "set aside",
    ):
        assert expected in text


def test_what_others_left_while_no_daemon_ran_is_not_nothing(office: Office, shell: Shell) -> None:
    """It waits where they may write; what is still being written there is no message yet."""
    drop = Path(office.spool.root, "drop")
    drop.mkdir()
    for name in ("01KAHGWV7J5ZQ0C9XK3M2T8B4R", ".01KAHGWV7J5ZQ0C9XK3M2T8B4S"):
        (drop / name).touch()
    said = " ".join(shell("status").out.split())
    assert "`mailer run` delivers what waits" in said
    assert f"1 message waits in {drop}, where other users left them" in said
    assert "Nothing is queued" not in said
    assert shell("status", "--json").objects[0]["handed_in"] == 1


def test_without_the_database_nobody_says_that_nothing_was_sent(office: Office, shell: Shell) -> None:
    """It is not known."""
    office.sent()
    for file in Path(office.spool.root).glob("status.sqlite3*"):
        file.unlink()
    Path(office.spool.root, "status.sqlite3").write_bytes(b"no database" * 1000)
    said = shell("status")
    assert ("cannot be read" in said.err, "nothing was sent" in said.out) == (True, False)


def test_the_summary_as_json(office: Office, shell: Shell) -> None:
    """One object."""
    office.put(at=NOW), office.failed()
    (summary,) = shell("status", "--json").objects
    assert summary["counts"]["queued"] == summary["counts"]["failed"] == 1
    assert summary["daemon"] == {"running": False, "pid": None, "elsewhere": []}
    assert summary["oldest"] == {"queued": "2027-01-15T08:00:00Z"}
    assert [failure["address"] for failure in summary["failures"]] == ["you@example.net"]
    with FileLock(f"{office.spool.root}/daemon.lock"):
        assert shell("status", "--json").objects[0]["daemon"] == {"running": True, "pid": os.getpid(), "elsewhere": []}
        assert f"running (pid {os.getpid()})" in shell("status").out


def test_the_summary_says_how_far_behind_subscribers_are(office: Office, shell: Shell, tmp_path: Path) -> None:
    """A line where somebody subscribes, and none elsewhere; the names are those of cursors."""
    config = tmp_path / "c.toml"
    hook = 'url = "https://app.example.com/"\nsecret_file = "/nowhere"\n'
    config.write_text(f'[[webhook]]\nname = "shop"\n{hook}[[webhook]]\nname = "crm"\n{hook}')
    assert "Journal" not in shell("status", "--config", str(config)).out  # nothing was ever written

    async def written() -> None:
        journal = journal_of(office.spool)
        told = await journal.append([JournalEvent("", time.time() - 600, "delivered", to="a@example.net") for _ in range(3)])
        for name in ("hooks.shop", "hooks.crm"):
            await journal.move(name, told[-1].id if name == "hooks.crm" else told[0].id)
        await journal.close()

    asyncio.run(written())
    assert "hooks.shop is 2 events behind, the oldest of 10m ago" in shell("status", "--config", str(config)).out
    [shop, crm] = shell("status", "--json", "--config", str(config)).objects[0]["subscribers"]
    assert (shop["name"], shop["behind"], crm) == ("hooks.shop", 2, {"name": "hooks.crm", "behind": 0, "behind_seconds": 0.0})
    assert "Journal" not in shell("status").out


def test_an_empty_spool_says_so(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one of the configuration that is not there yet is empty, says so, and stays away."""
    assert "Nothing is queued" in shell("status").out
    none = tmp_path / "none"
    config = tmp_path / "none.toml"
    config.write_text(f'[mailer]\nspool = "{none}"\n')
    argv = [sys.executable, "-m", "mailer", "status", "--config", str(config)]
    assert "no such directory yet" in subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert not none.exists()


@pytest.mark.parametrize("words", [("status",), ("queue", "list"), ("bounces",), ("queue", "hold", "--all"), ("explain", "x")])
def test_a_spool_that_is_named_has_to_be_there(words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """78: that nothing waits there is no answer; nor is a directory that is no spool one."""
    for place, problem in ((tmp_path / "none", "is not there"), (tmp_path, "is no spool")):
        assert main(["mailer", *words, "--spool", str(place)]) == 78
        assert f"the spool {place} {problem}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_daemon_on_another_spool_is_told_of(tmp_path: Path, office: Office) -> None:
    """Whoever queues or looks where nobody delivers learns where somebody does; not a script that names what it means."""
    config = tmp_path / "home" / "mailer/config.toml"
    config.parent.mkdir(parents=True)
    other = tmp_path / "other"
    config.write_text(f'[mailer]\nspool = "{other}"\n')
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "home")}

    def run(*words: str) -> str:
        done = subprocess.run([*MAILER, *words], input="From: a@example.com\n\n", capture_output=True, text=True, env=env, check=True)
        return done.stdout + done.stderr

    with FileLock(f"{office.spool.root}/daemon.lock"):
        told = run("send", "you@example.net")
        assert f"no daemon runs on {other}, but on " in told
        assert office.spool.root in told or " more: " in told
        assert "no daemon runs on" in run("sendmail", "you@example.net")
        assert "not running here, but on " in run("status")
        assert office.spool.root in json.loads(run("status", "--json"))["daemon"]["elsewhere"]
        for named in (("--config", str(config)), ("--spool", str(other)), ("-q",)):
            assert "no daemon runs" not in run("send", *named, "you@example.net")
            with Dialogue(["send", *named, "--to", "you@example.net", "--text", "x"], env) as person:
                assert person.ends() == 0
            assert ("no daemon runs on" in person.said) is (named != ("-q",)), person.said
        assert "but on" not in run("status", "--spool", str(other))
        with FileLock(f"{other}/daemon.lock"):
            with Dialogue(["send", "--spool", str(other), "--to", "you@example.net", "--text", "x"], env) as person:
                assert person.ends() == 0
            assert "no daemon runs" not in person.said
            assert "no daemon runs" not in run("send", "you@example.net")
            assert "but on" not in run("status")


def test_a_database_that_cannot_be_read_is_a_note(office: Office, shell: Shell) -> None:
    """What the spool knows is shown, and that history is missing."""
    id = office.deferred()
    office.close()
    office.path.write_bytes(b"no database" * 1000)
    said = shell("status", id)
    assert said.code == 0
    assert id in said.out
    assert "without history" in said.err


def test_a_mistake_in_the_daemons_configuration_keeps_nobody_from_looking(office: Office, shell: Shell, tmp_path: Path) -> None:
    """One looks because something is wrong."""
    (tmp_path / "config.toml").write_text('[retry]\nexpire = "soon"\n')
    assert shell("status").code == 0


# Terminals, and what comes from outside


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_harmless_in_every_form(office: Office, shell: Shell, hostile: str) -> None:
    """In the subject, in the Message-ID and in what the other side said."""
    clean = hostile.encode("utf-8", "replace").decode()
    id = office.failed(subject=clean, text=hostile, message_id=clean)
    waiting = office.deferred(subject=clean, text=hostile)
    for arguments in (
        ["status"],
        ["status", id, waiting],
        ["status", "-n", "5"],
        ["bounces"],
        ["bounces", "--by", "reason"],
        ["queue", "list"],
    ):
        for form in ([], ["--json"]):
            said = shell(*arguments, *form)
            assert said.code == 0
            assert not UNSAFE.search(said.out), arguments


@pytest.mark.slow
def test_a_terminal_shows_the_story_of_each_message(office: Office, shell: Shell) -> None:
    """Relative times, why, when next, and the ID to go on with; nothing wider than the terminal."""
    hostile = HOSTILE[0] + HOSTILE[3]
    now = time.time()
    id = office.put("bob@example.net", subject="Hello " + hostile, at=now - 200)
    office.settle(id, outcome(verdict="defer", text="come back " + hostile, at=now - 100, due=now + 250))
    said = shell.at_terminal("status", "--limit", "5")
    assert said.code == 0
    assert not UNSAFE.search(said.out)
    for text in ("deferred", "3m ago", "me@example.com → bob@example.net", "451 4.3.0 come back", "tried once, next try in 4m", id):
        assert text in said.out
    assert max(map(len, said.lines)) <= 80
    roomy = shell.at_terminal("status", "--limit", "5", columns=140)
    assert any(line.startswith("deferred") and id in line for line in roomy.lines)


@pytest.mark.slow
def test_watching_ends_with_ctrl_c_and_exit_0(office: Office, shell: Shell) -> None:
    """The last look stays on the screen."""
    id = office.deferred(subject="watched")
    said = shell.at_terminal("status", id, "--watch", interrupt_at="watched")
    assert (said.code, said.err) == (0, "")
    assert id in said.out


@pytest.mark.slow
def test_watching_prints_json_when_something_changes(office: Office) -> None:
    """Where no terminal is: a line for each change."""
    id = office.put()
    argv = [sys.executable, "-m", "mailer", "status", id, "--watch", "--json", "--spool", office.spool.root]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["status"] == "queued"
    office.settle(id, outcome())
    assert json.loads(process.stdout.readline())["status"] == "sent"
    process.send_signal(2)
    assert process.stdout.read() == ""
    process.stdout.close()
    assert process.wait() == 0


@pytest.mark.peer(root=True)
def test_who_may_not_read_the_spool_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 77, in one line; whether the spool is closed or only its directories are."""
    with public_directory() as directory:
        monkeypatch.setenv("MAILER_CONFIG", os.devnull)
        office = Office(directory)
        id = office.deferred()
        office.close()
        root = Path(office.spool.root)
        for mode in (0o700, 0o711, 0o755):
            root.chmod(mode)
            for arguments in (["status"], ["status", id], ["queue", "list"], ["queue", "hold", id], ["bounces"]):
                assert as_somebody_else(lambda a=arguments: main(["mailer", *a, "--spool", str(root)]) == 77), (oct(mode), arguments)
        assert office.spool.find(id) == "deferred"


def test_people_are_told_the_time_here_and_programs_in_utc(office: Office, shell: Shell, zone: Callable[[str], None]) -> None:
    """Also in what an alarm says, which is written down in UTC."""
    zone("CET-1CEST,M3.5.0,M10.5.0/3")
    id = office.deferred(at=NOW, due=NOW + 300)
    told = shell("status", id).out
    assert "2027-01-15T09:00:00+01:00" in told
    assert "Z" not in told.replace(id, "").split("RECIPIENT")[0].replace("01M", "")
    assert "2027-01-15T09:05:00+01:00" in shell("status", "--state", "deferred").out
    assert "2027-01-15T09:00:00+01:00" in shell("explain", "--no-dns", id).out
    assert shell("status", "--json", id).objects[0]["queued_at"] == "2027-01-15T08:00:00Z"
    text = "down; next look 2027-01-15T08:05:00Z, and 2027-99-99T08:05:00Z is none"
    assert localized("down; next look 2027-01-15T08:05:00Z", NOW) == "down; next look 09:05"
    assert localized(text, NOW) == text
    zone("UTC")
    assert local(NOW) == "2027-01-15T08:00:00Z"
    zone("NST3:30")
    assert local(NOW) == "2027-01-15T04:30:00-03:30"


def test_mail_is_found_by_its_stream(office: Office, shell: Shell) -> None:
    """Before and after the database knows it; what has no stream is of none."""
    of = {stream: office.put(submitter={"principal": "key:shop", "stream": stream}) for stream in ("News", "receipts")}
    plain = office.put()
    for _ in range(2):
        assert [each["id"] for each in shell("status", "--stream", "news", "--json").objects] == [of["News"]]
        assert {each["stream"] for each in shell("status", "--stream", "*", "--json", "--limit", "0").objects} >= {"news", "receipts"}
        assert shell("status", plain, "--json").objects[0]["stream"] is None
        for id in (*of.values(), plain):
            office.seen(id)
