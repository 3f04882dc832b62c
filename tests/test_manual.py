"""The manual: what can be printed is printed, what is written by hand says what is so, and all of it is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from mailer import manual, roff, standards
from mailer.cli import TABLE, load, sendmail_argv
from mailer.cli.options import Subcommand
from mailer.mail.outcome import Cause, Outcome
from mailer.spool.files.message_file import parse, parse_records

MAN = Path(__file__).parent.parent / "man"
PAGES = sorted(MAN.iterdir())


def plain(page: str) -> str:
    """A page without the signs of roff, as far as these tests look at it."""
    return re.sub(r"\\f[BIR]", "", page.replace("\\-", "-").replace("\\&", "").replace("\\e", "\\"))


def commands() -> list[Subcommand]:
    modules = [load(name) for name in TABLE]
    return [command for module in modules for command in getattr(module, "COMMANDS", {"": getattr(module, "COMMAND", None)}).values()]


@pytest.mark.parametrize("name", sorted(manual.pages()))
def test_generated_pages_are_current(name: str) -> None:
    """What is in the repository is what the program prints; `python -m mailer.manual --write man` makes it so."""
    assert (MAN / name).read_text(encoding="ascii") == manual.pages()[name](), "run: python -m mailer.manual --write man"


@pytest.mark.parametrize("name", TABLE)
def test_every_command_has_a_page(name: str) -> None:
    """No command is undocumented, and the overview names each."""
    assert (MAN / manual.file_of(name)).is_file()
    assert f".B mailer {name}\n" in (MAN / "mailer.1").read_text()


def test_every_option_is_in_its_page() -> None:
    """Each option of each command, with its value, stands in the command's page."""
    for command in commands():
        if command.name not in manual.BY_HAND:
            page = plain((MAN / manual.file_of(command.name.partition(" ")[0])).read_text())
            for option in command.options:
                assert option.label in page, f"{command.name}: {option.label}"


def test_every_command_is_described() -> None:
    """A page needs more than a summary: what goes in, what comes out, what it is for."""
    for command in commands():
        assert command.summary
        if " " not in command.name and command.name not in manual.BY_HAND:
            assert command.about, f"{command.name} has no text"


def test_the_options_of_sendmail_are_in_its_page() -> None:
    """The page that is written by hand names every letter that is read."""
    page = plain((MAN / "mailer-sendmail.1").read_text())
    named = set(re.findall(r"(?<!\w)-(\w)", page.partition(".SH OPTIONS")[2]))
    assert named >= sendmail_argv.WITH_VALUE | sendmail_argv.JOINED | sendmail_argv.FLAGS


def test_the_example_of_the_spool_page_is_a_message() -> None:
    """The file that mailer-spool(5) shows is one that the program reads: lengths, checksum, record and all."""
    page = (MAN / "mailer-spool.5").read_text().partition(".SS Example")[2]
    text = plain(page.partition(".EX\n")[2].partition("\n.EE")[0])
    first, envelope, rest = text.split("\n", 2)
    message, _, record = rest.rpartition("\n\n")
    data = f"{first}\n{envelope}\n".encode() + (message + "\n").replace("\n", "\r\n").encode() + b"\n" + record.encode()
    read, start, end = parse(data, "01KAJ2W7C5Q0R8Z1MZ6N7V3D9E")
    assert read.sender == "anna@example.org"
    assert data[start:end].endswith(b"It works.\r\n")
    [outcome], _, damaged = parse_records(data[end:])
    assert not damaged
    assert outcome.verdict == "delivered"
    assert outcome.reply == "250 2.0.0 Ok: queued as 4XyZ1"


def test_the_delivery_page_knows_every_cause() -> None:
    """A cause that can stand in a record is explained in mailer-delivery(7)."""
    page = (MAN / "mailer-delivery.7").read_text()
    assert not [cause for cause in Cause if not re.search(rf"\b{cause}\b", page)]


def test_the_spool_page_knows_every_member() -> None:
    """What a record or an envelope can hold is in mailer-spool(5)."""
    page = plain((MAN / "mailer-spool.5").read_text())
    members = {
        "id",
        "created",
        "sender",
        "recipients",
        "priority",
        "submitter",
        "options",
        "at",
        "to",
        "ip",
        "port",
        "tls_wanted",
        "tls",
        "host",
    }
    members |= {name for name in Outcome._fields if name not in ("hop", "trace")}  # the one is written as its parts, the other never
    described = set(re.findall(r"^\.BR? (.*)$", page, re.MULTILINE))
    words = {word.strip('",') for line in described for word in line.split()}
    assert members <= words


def test_every_page_that_is_referred_to_is_there() -> None:
    """No page sends its reader to one that does not exist."""
    there = {path.name for path in PAGES}
    for path in PAGES:
        for name, section in re.findall(r"\b(mailer(?:-[a-z]+)?) ?\((\d)\)", plain(path.read_text())):
            assert f"{name}.{section}" in there, f"{path.name} refers to {name}({section})"


def test_every_standard_has_its_title() -> None:
    """Each RFC that the source names is in the list of titles."""
    assert set(standards.cited(Path(standards.__file__).parent)) <= set(standards.TITLES)


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (".B is no request", "\\&.B is no request"),
        ("'tis", "\\&'tis"),
        ("--at \\n …", "\\-\\-at \\en ..."),
        ("say `mailer run`", "say \\fBmailer run\\fR"),
        ("a ` alone", "a ` alone"),
        ("·", "\\[u00B7]"),
    ],
)
def test_words_are_safe_for_roff(words: str, written: str) -> None:
    """Whatever they are, they are printed as they are."""
    assert roff.text(words) == written


def test_the_parts_of_a_page() -> None:
    """Each ends its line, so that they can be joined."""
    assert roff.paragraphs("one\n\ntwo.") == "one.\n.PP\ntwo.\n"
    assert roff.item(roff.bold("-x"), roff.sentence("it is so")) == ".TP\n\\fB\\-x\\fR\nIt is so.\n"
    assert roff.example(["  a", "", "    b"]) == ".EX\na\n\n  b\n.EE\n"
    assert roff.see_also(("a (1)", "b-c (5)")) == ".SH SEE ALSO\n.BR a (1),\n.BR b\\-c (5)\n"


@pytest.mark.peer("groff")
@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_are_good_roff(path: Path) -> None:
    """groff finds nothing to warn about."""
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", path], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_writing_the_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The generator writes all its pages into a directory, and says how it is used when it is used otherwise."""
    assert manual.main(["--write", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(manual.pages())
    assert manual.main([]) == 64
    assert "usage:" in capsys.readouterr().err
