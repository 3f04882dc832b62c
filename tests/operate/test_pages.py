"""Where manual pages are found: in a clone, in an environment that a wheel was installed in, and where Debian has them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.operate import pages


def install(root: Path, program: str, page: str, text: str) -> Path:
    """A program below `root`, and a page; returns the directory of the program."""
    path = root / page
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    found = root / program / "mailer"
    found.mkdir(parents=True, exist_ok=True)
    return found


@pytest.mark.parametrize(
    ("program", "page"),
    [
        ("venv/lib/python3.11/site-packages", "venv/share/man/man1/mailer-send.1"),
        ("target", "target/share/man/man1/mailer-send.1"),
        ("usr/lib/mailer/lib/python3.11/site-packages", "usr/share/man/man1/mailer-send.1.gz"),
        ("clone", "clone/man/mailer-send.1"),
    ],
)
def test_a_page_is_found_above_the_program(tmp_path: Path, program: str, page: str) -> None:
    """Whole or compressed, by the command, the name of the page, and that with its section."""
    where = install(tmp_path, program, page, ".TH MAILER\\-SEND 1\n")
    for topic in ("send", "mailer-send", "send.1", "mailer-send.1", "send something"):
        assert pages.find(topic, where) == tmp_path / page
    assert pages.read(tmp_path / page) == ".TH MAILER\\-SEND 1\n"


def test_a_command_comes_before_a_file_of_its_name(tmp_path: Path) -> None:
    """`config` is the command, `config.5` the file."""
    where = install(tmp_path, "env", "env/share/man/man5/mailer-config.5", "")
    install(tmp_path, "env", "env/share/man/man1/mailer-config.1", "")
    assert pages.find("config", where).name == "mailer-config.1"
    assert pages.find("config.5", where).name == "mailer-config.5"
    assert pages.words(where) == ["config"]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """With what there is instead; no page at all is another matter."""
    where = install(tmp_path, "env", "env/share/man/man1/mailer-send.1", "")
    with pytest.raises(Problem, match="there is no manual page about 'sned'; there are send") as caught:
        pages.find("sned", where)
    assert caught.value.kind == "no-such"
    with pytest.raises(Problem, match="were not installed"):
        pages.find("send", tmp_path / "elsewhere/mailer")


def test_a_section_of_the_configuration_is_in_its_page(tmp_path: Path) -> None:
    """Where no page has its name."""
    where = install(tmp_path, "clone", "clone/man/mailer-config.5", ".TH MAILER\\-CONFIG 5\n")
    install(tmp_path, "clone", "clone/man/mailer-delivery.7", ".TH MAILER\\-DELIVERY 7\n")
    for topic in ("sandbox", "[sandbox]", "relay", "relay.out", "submitter"):
        assert pages.find(topic, where).name == "mailer-config.5"
    assert pages.find("delivery", where).name == "mailer-delivery.7"
    with pytest.raises(Problem, match="no manual page about 'sandboxes'"):
        pages.find("sandboxes", where)
