"""Records by mail: a storm is one, and the program hears nothing of what goes wrong."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest

from mailer.integrations.logging import MOST, MailHandler
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.processes import wait_until


def letters(where: Path) -> list[EmailMessage]:
    spool = SpoolDirectory(str(where))
    found = [message_from_bytes(spool.content(id), policy=cast("Any", policy.default)) for id in spool.ids("queued")]
    return cast("list[EmailMessage]", found)


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def log(where: Path) -> Iterator[logging.Logger]:
    """A logger whose records are mailed, with a window that no test waits for."""
    found = logging.Logger("shop.orders")
    handler = MailHandler(["ops@example.com"], sender="shop@example.com", subject="[shop]", window=3600, spool=str(where))
    found.addHandler(handler)
    yield found
    found.removeHandler(handler)
    handler.close()


def flush(log: logging.Logger) -> None:
    log.handlers[0].flush()


def test_a_storm_is_one_mail_that_counts(log: logging.Logger, where: Path) -> None:
    """Equal but for their arguments; another place in the source is another mail; a level below is none."""

    def fail(number: int) -> None:
        log.error("order %d failed: %s", number, "no stock\nat all")

    threads = [threading.Thread(target=lambda: [fail(number) for number in range(250)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.critical("the database is gone")
    log.warning("not for mail")
    flush(log)
    storm, other = letters(where)
    assert storm["Subject"] == "[shop] ERROR shop.orders: order 0 failed: no stock (1000 times)"
    assert (storm["From"], storm["To"], storm["Auto-Submitted"]) == ("shop@example.com", "ops@example.com", "auto-generated")
    assert "1000 times, from 20" in storm.get_content()
    assert other["Subject"] == "[shop] CRITICAL shop.orders: the database is gone"
    fail(1)
    flush(log)
    flush(log)
    assert len(letters(where)) == 3


def test_a_traceback_is_in_the_mail(log: logging.Logger, where: Path) -> None:
    """As the formatter writes it; what is far too long is cut, and says so."""
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        log.exception("failed")
    log.error("x" * 100_000)
    flush(log)
    first, second = letters(where)
    assert "RuntimeError: boom" in first.get_content()
    assert "characters more]" in second.get_content()


def test_nothing_is_raised_into_the_program(where: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that do not fit, a spool that is none: told on standard error, and the mail is kept for another try."""
    log = logging.Logger("x")
    blocked = where.parent / "blocked"
    blocked.write_text("")
    handler = MailHandler("ops@example.com", sender="a@example.com", window=3600, spool=str(blocked))
    log.addHandler(handler)
    log.error("%d", "no number")
    log.error("fine")
    handler.flush()
    assert "Traceback" in capsys.readouterr().err
    handler._spool = str(where)
    handler.flush()
    assert [letter["Subject"] for letter in letters(where)] == ["ERROR x: fine"]
    handler.close()


def test_the_window_ends_by_itself(where: Path) -> None:
    """A thread sends what is due."""
    log = logging.Logger("x")
    handler = MailHandler("ops@example.com", sender="a@example.com", window=0.01, spool=str(where))
    log.addHandler(handler)
    log.error("one")
    wait_until("it is queued", lambda: where.exists() and letters(where))
    handler.close()


@pytest.mark.slow
def test_memory_is_bounded(log: logging.Logger, where: Path) -> None:
    """Beyond so many different records, the rest are counted together."""
    for number in range(MOST + 300):
        log.error("different %s" % number)  # noqa: UP031
    flush(log)
    found = letters(where)
    assert len(found) == MOST + 1
    assert [letter["Subject"] for letter in found if "300 times" in letter["Subject"]]


@pytest.mark.slow
def test_what_waits_goes_when_the_program_ends_and_a_child_sends_none_of_it(where: Path) -> None:
    """Also where it forked, with its handler: each process has its own records."""
    code = (
        "import logging, os\n"
        "from mailer.integrations.logging import MailHandler\n"
        f"logging.getLogger().addHandler(MailHandler('ops@example.com', sender='a@example.com', spool={str(where)!r}))\n"
        "logging.error('in the parent')\n"
        "child = os.fork()\n"
        "if child: os.waitpid(child, 0)\n"
        "else: logging.error('in the child')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.getcwd())
    assert sorted(letter["Subject"] for letter in letters(where)) == ["ERROR root: in the child", "ERROR root: in the parent"]


def test_what_is_logged_while_a_record_is_formatted(log: logging.Logger, where: Path) -> None:
    """An argument that logs, as one that looks something up does: nobody waits for himself, and both are told."""

    class Lazy:
        def __str__(self) -> str:
            log.error("it is not there")
            return "nothing"

    thread = threading.Thread(target=log.error, args=("found %s", Lazy()), daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    flush(log)
    assert sorted(str(letter["Subject"])[-15:] for letter in letters(where)) == [": found nothing", "it is not there"]


def test_what_no_mail_can_hold_is_written_in_another_way(where: Path) -> None:
    """The name of a file that is no UTF-8, a NUL, a terminal's sequences, in the text and in the logger's name: the record is not lost."""
    handler = MailHandler("ops@example.com", sender="shop@example.com", spool=str(where))
    logger = logging.Logger("shop.\udcfe\n")
    logger.addHandler(handler)
    logger.error("cannot read %s", "/srv/\udcff\0\x1b[31m\r\n.\r\nx")
    handler.close()
    (letter,) = letters(where)
    assert "\n" not in letter["Subject"]
    assert "cannot read /srv/\\udcff\ufffd" in letter.get_content()
