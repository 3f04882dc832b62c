"""``mailer bounces ingest``, ``reports`` and ``show``: what a pipe goes by, and what was taken."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.intake.handlers import Handlers
from mailer.mail.principal import unix
from mailer.reports import files
from mailer.reports.api import MAX_REPORT, Facts, SettledReport, report_id
from mailer.spool.files.admit import IntakeTerms
from mailer.spool.files.hearing import Hearing
from tests.cli.terminal import Shell
from tests.reports.servers import LETTER, make_maildir, ndr
from tests.status.office import Office

REPORT = b"Subject: gone\r\n\r\nnobody here\x1b[31m\xff\r\n"


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Standard input is a file with `REPORT`; no mail server has set a variable."""
    for name in ("RECIPIENT", "ORIGINAL_RECIPIENT", "SENDER"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "report"
    path.write_bytes(REPORT)
    with path.open() as file:
        monkeypatch.setattr("sys.stdin", file)
        yield path


def waiting(office: Office) -> list[str]:
    return files.waiting(office.spool.root, 10)


@pytest.mark.usefixtures("pipe")
def test_a_report_is_on_disk_when_the_program_exits_with_zero(office: Office, shell: Shell) -> None:
    """Its octets as they came; the ID is printed."""
    said = shell("bounces", "ingest", "--recipient", "bounces+x@example.com", "-f", "<>")
    id = report_id(REPORT)
    assert said == (0, f"{id}\n", "")
    loaded = files.load(office.spool.root, id)
    assert loaded is not None
    assert loaded.content == REPORT
    came = loaded.facts
    assert (came.source, came.recipient, came.mail_from, came.peer) == ("stdin", "bounces+x@example.com", "", f"unix:{os.getuid()}")


@pytest.mark.usefixtures("pipe")
def test_what_a_mail_server_sets_for_its_pipe_is_read(office: Office, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address before aliases, where a token stands."""
    for name, value in {"RECIPIENT": "root@h", "ORIGINAL_RECIPIENT": "bounces+t@h", "SENDER": "MAILER-DAEMON@x"}.items():
        monkeypatch.setenv(name, value)
    (taken,) = shell("bounces", "ingest", "--json").objects
    loaded = files.load(office.spool.root, taken["id"])
    assert loaded is not None
    assert (loaded.facts.recipient, loaded.facts.mail_from) == ("bounces+t@h", "MAILER-DAEMON@x")


@pytest.mark.usefixtures("pipe")
def test_whatever_this_machine_lacks_is_to_be_tried_again(
    office: Office, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is told anything else gives the report up."""
    bad = tmp_path / "bad.toml"
    bad.write_text("[mailer\n")
    assert shell("bounces", "ingest", "--config", str(bad)).code == 75
    os.lseek(sys.stdin.fileno(), 0, os.SEEK_SET)
    monkeypatch.setattr("mailer.io.durable.begin_new", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    said = shell("bounces", "ingest", "--config", os.environ["MAILER_CONFIG"])
    assert (said.code, said.out) == (75, "")
    assert waiting(office) == []


def test_what_is_no_report_is_refused(office: Office, shell: Shell, pipe: Path) -> None:
    """Nothing, and what is larger than any: the line says how large."""
    pipe.write_bytes(b"")
    assert shell("bounces", "ingest").code == 65
    with pipe.open("wb") as file:
        file.truncate(MAX_REPORT + 1)
    said = shell("bounces", "ingest")
    assert said.code == 65
    assert str(MAX_REPORT) in said.err
    assert waiting(office) == []


def foreign(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the spool one of somebody else's."""

    def refused(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("mailer.operate.reports.files.take", refused)
    monkeypatch.setattr("mailer.operate.reports.os.geteuid", lambda: 70_001)


@pytest.mark.usefixtures("pipe")
def test_without_rights_and_daemon_the_server_has_to_come_again(office: Office, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the line says why."""
    foreign(office, monkeypatch)
    said = shell("bounces", "ingest")
    assert said.code == 75
    assert "no daemon answers" in said.err


def test_the_daemon_takes_it_from_another_user(office: Office) -> None:
    """Who he is says the kernel, whatever he says; what is too large, or says nothing of how it came, is refused."""
    handlers = Handlers(office.spool, IntakeTerms(10_000, 10), lambda _: None)

    def answer(question: bytes) -> bytes:
        return b"".join(handlers.answer(unix(70_001), question))

    facts = Facts("shop", "bounces+x@example.com", peer="unix:0", at=1.0)
    assert answer(b"bounce\n" + facts.as_line() + REPORT) == b"ok " + report_id(REPORT).encode()
    loaded = files.load(office.spool.root, report_id(REPORT))
    assert loaded is not None
    assert (loaded.facts.source, loaded.facts.peer, loaded.facts.recipient) == ("stdin", "unix:70001", "bounces+x@example.com")
    assert loaded.facts.at > 1.0
    assert answer(b"bounce\nx\n" + REPORT).startswith(b"no 64 ")
    assert answer(b"bounce\n" + facts.as_line() + bytes(MAX_REPORT + 1)).startswith(b"no 65 ")
    assert waiting(office) == [report_id(REPORT)]


def test_reports_are_listed_and_shown(office: Office, shell: Shell) -> None:
    """With what became of them; what a stranger wrote is harmless on a terminal, and as it came with --raw."""
    root = office.spool.root
    assert shell("bounces", "reports").lines == ["No report like that was taken."]
    facts = Facts("box", "bounces@example.com", at=1_700_000_000.0)
    one, other = files.take_all(root, [(REPORT, facts), (b"other", facts)])
    files.settle(root, [SettledReport(one, "unmatched", {"kind": "bounce"})])
    os.utime(f"{root}/reports/unmatched/{one}", (1_700_000_100, 1_700_000_100))
    os.utime(f"{root}/reports/new/{other}", (1_700_000_000, 1_700_000_000))
    assert [row["id"] for row in shell("bounces", "reports", "--json").objects] == [one, other]
    assert [row["id"] for row in shell("bounces", "reports", "--json", "--limit", "1").objects] == [one]
    assert [row["id"] for row in shell("bounces", "reports", "--json", "--since", "2023-11-14T22:14:00Z").objects] == [one]
    assert shell("bounces", "reports", "--since", "1h").lines == ["No report like that was taken."]
    assert [row["id"] for row in shell("bounces", "reports", "--json", "--state", "unmatched").objects] == [one]
    assert shell("bounces", "reports", "--state", "lost").code == 64
    shown = shell("bounces", "show", one[:8].lower())
    assert "nobody here" in shown.out
    assert "\x1b" not in shown.out
    assert shell("bounces", "show", "ZZZZ").code == 67
    (found,) = shell("bounces", "show", one, "--json").objects
    assert (found["note"], found["state"]) == ({"kind": "bounce"}, "unmatched")


def test_reports_are_chosen_by_kind_and_by_whom_they_are_about(office: Office, shell: Shell) -> None:
    """As the other lists choose; what nobody has acted upon is of no kind yet."""
    root, facts = office.spool.root, Facts("box", "bounces@example.com", at=1_700_000_000.0)
    ids = files.take_all(root, [(b"%d" % number, facts) for number in range(4)])
    for id, kind, *about in (
        (ids[0], "bounce", "ann@example.net", "bob@mx.example.org"),
        (ids[1], "complaint", "ann@example.net"),
        (ids[2], "bounce", "Carl@Example.COM"),
    ):
        files.settle(root, [SettledReport(id, "done", {"kind": kind, "recipients": [{"recipient": each} for each in about]})])

    def found(*options: str) -> set[int]:
        return {ids.index(row["id"]) for row in shell("bounces", "reports", "--json", "--limit", "0", *options).objects}

    assert found() == {0, 1, 2, 3}
    assert found("--kind", "bounce") == {0, 2}
    assert found("--to", "ann@example.net") == {0, 1}
    assert found("--to", "ann@example.net", "--kind", "complaint") == {1}
    assert found("--domain", "*.example.org") == {0}
    assert found("--domain", "example.com") == {2}
    assert found("--to", "*@example.net", "--domain", "*.example.org") == set()
    assert len(shell("bounces", "reports", "--json", "--kind", "bounce", "--limit", "1").objects) == 1
    assert shell("bounces", "reports", "--kind", "letter").code == 64
    assert shell("bounces", "reports", "--to", "ann").code == 64


def test_a_daemon_hears_of_a_report_that_another_process_takes(office: Office, pipe: Path, shell: Shell) -> None:
    """By its doorbell, whoever takes it, so that what follows comes at once."""

    async def scenario() -> None:
        hearing = Hearing(office.spool.root)
        try:
            assert shell("bounces", "ingest").code == 0
            assert (await asyncio.wait_for(hearing.changes(), 60)).reports
            handlers = Handlers(office.spool, IntakeTerms(10_000, 10), lambda _: None)
            question = b"bounce\n" + Facts("stdin", at=1.0).as_line() + b"another"
            assert b"".join(handlers.answer(unix(70_001), question)).startswith(b"ok ")
            assert (await asyncio.wait_for(hearing.changes(), 60)).reports
        finally:
            hearing.close()

    asyncio.run(scenario())


def test_a_person_reads_whom_a_report_is_about_and_what_came_of_it(office: Office, shell: Shell) -> None:
    """In words, for bounces as for sums; of several recipients the list has the first."""
    root, facts = office.spool.root, Facts("box", "bounces@example.com", at=1_700_000_000.0)
    bounce, sums, odd = files.take_all(root, [(b"bounce", facts), (b"sums", facts), (b"odd", facts)])
    people = [{"recipient": f"{name}@example.net", "class": "unknown-user", "effect": "bounced"} for name in ("ann", "bob")]
    note = {"kind": "bounce", "trust": "token", "message": "0" * 26, "recipients": people, "forwarded": None, "more_recipients": 3}
    counted = {"kind": "dmarc", "counted": 1, "known": 0, "problems": ["the report has no end"]}
    files.settle(
        root, [SettledReport(bounce, "done", note), SettledReport(sums, "done", counted), SettledReport(odd, "done", {"recipients": 1})]
    )
    rows = {line.split()[0]: line for line in shell("bounces", "reports").lines if line[:1].isalnum()}
    assert rows[bounce].split("bounce", 1)[1].split() == ["ann@example.net", "and", "1", "more", "bounced"]
    assert rows[sums].endswith("  counted")
    shown = shell("bounces", "show", bounce).out
    assert "proved by the token" in shown
    assert "bob@example.net  unknown-user  bounced" in shown
    assert "More recipients  3" in shown
    assert "{" not in shown
    assert "the report has no end" in shell("bounces", "show", sums).out
    assert shell("bounces", "show", odd).code == 0


def test_a_mailbox_is_looked_into_by_hand(office: Office, shell: Shell, tmp_path: Path) -> None:
    """Once, with what came of it; a name that there is not is a mistake, and a mailbox that is not there a line."""
    box = make_maildir(tmp_path / "box", LETTER, ndr(1))
    config = tmp_path / "sources.toml"
    config.write_text(
        f'[bounce]\naddress = "bounces@example.com"\n[[report_source]]\nname = "box"\nkind = "maildir"\npath = "{box}"\n'
        f'[[report_source]]\nname = "gone"\nkind = "maildir"\npath = "{tmp_path}/gone"\n'
    )
    look = ("bounces", "ingest", "--config", str(config), "--source")
    assert shell(*look, "box") == (0, "1 reports taken, 1 messages left alone\n", "")
    assert waiting(office) == [report_id(ndr(1))]
    assert shell(*look, "box", "--json").objects == [{"source": "box", "taken": 0, "left": 1, "larger": 0}]
    assert shell(*look, "other").code == 64
    gone = shell(*look, "gone")
    assert (gone.code, gone.err.count("\n")) == (78, 1)


@pytest.mark.usefixtures("pipe")
@pytest.mark.parametrize("named", ["a b@x.example", "x@", "a@b@c", "x\n@y.example"])
def test_what_is_no_address_is_no_place_that_a_report_came_to(office: Office, shell: Shell, named: str) -> None:
    """A slip in the command of a pipe is told at once, by whoever tries it; a name without a domain is one that a server may have."""
    said = shell("bounces", "ingest", "--recipient", named)
    assert (said.code, said.out, said.err.count("\n")) == (64, "", 1)
    assert "--recipient: " in said.err
    assert waiting(office) == []
    assert shell("bounces", "ingest", "--recipient", "bounces").code == 0
