"""mailer-feedback(7) on real servers: a report that Postfix gets for the bounce address is what `mailer bounces ingest` takes."""

from __future__ import annotations

import json
import re
import smtplib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.cli import main
from mailer.config import load
from mailer.reports import files
from mailer.reports.selecting import addressed
from tests.fakes.processes import free_port, listens, wait_until
from tests.journey.world import World
from tests.test_manual import MAN, plain

from .mailboxes import Mailboxes
from .matrix import marks
from .postfix import Postfix, scratch
from .servers import Servers

TOKEN = "bounces+01KAHGWV7J5ZQ0C9XK3M2T8B4R-0-K7Q2M9XW4T"
REPORT = b"From: <>\r\nTo: x\r\nSubject: Undelivered\r\n\r\nUser unknown.\r\n"

PAGE: str = plain((MAN / "mailer-feedback.7").read_text(encoding="ascii")).replace("\\(bu", "*")
BLOCKS: list[str] = re.findall(r"^\.EX\n(.*?)^\.EE", PAGE, re.MULTILINE | re.DOTALL)

KEEPER = """#!/bin/sh
# What a pipe is given, kept for the test: arguments, environment, standard input. It ends as the test says.
cat > {home}/input
printf '%s\\n' "$@" > {home}/arguments
env > {home}/begun && mv {home}/begun {home}/environment
read code < {home}/code
exit $code
"""


def block(start: str, part: str = "") -> str:
    """The example of the page that begins so, and has this in it."""
    return next(text for text in BLOCKS if text.startswith(start) and part in text)


class Piped(Postfix):
    """A Postfix with the lines of the page in its files, in which the program stands for mailer."""

    def __init__(self, home: Path) -> None:
        self.kept = home / "kept"
        self.program = home / "mailer"
        self.door = free_port()
        lines = dict(line.split(" = ", 1) for line in block("relay_domains", "mailer-bounces").splitlines())
        by_lmtp = dict(line.split(" = ", 1) for line in block("relay_domains", "lmtp:").splitlines())["transport_maps"]
        there = by_lmtp.replace("bounces.example.com", "lmtp.example").replace("2424", str(self.door))
        lines["transport_maps"] = f"{lines['transport_maps']} {there}"
        lines["relay_domains"] += " lmtp.example"
        lines["relay_recipient_maps"] = f"regexp:{home}/bounces.regexp"
        super().__init__(
            home, {**lines, "recipient_delimiter": "+", "mydestination": "local.example", "alias_maps": f"texthash:{home}/aliases"}
        )
        self.settings["local_recipient_maps"] = "$alias_maps"
        self.receives("bounces", domain="box.example")

    def _lay_out(self) -> None:
        super()._lay_out()
        self.kept.mkdir()
        self.kept.chmod(0o777)
        self.program.write_text(KEEPER.format(home=self.kept))
        self.program.chmod(0o755)
        known = block("/^bounces")
        self.home.joinpath("bounces.regexp").write_text(known + known.replace("bounces\\.example\\.com", "lmtp\\.example"))
        alias = block("bounces:").replace("/usr/bin/mailer", str(self.program))
        self.home.joinpath("aliases").write_text(alias.replace(": ", " ", 1))
        pipe = block("mailer-bounces unix").replace("/usr/bin/mailer", str(self.program)).replace("user=mailer", "user=nobody")
        with self.config.joinpath("master.cf").open("a") as file:
            file.write("local unix - n n - - local\nlmtp unix - - n - - lmtp\n" + pipe)

    def hand_in(self, recipient: str, code: int = 0) -> None:
        """A report that another host brings."""
        for name in ("input", "arguments", "environment"):
            self.kept.joinpath(name).unlink(missing_ok=True)
        self.kept.joinpath("code").write_text(f"{code}\n")
        with smtplib.SMTP("127.0.0.1", self.port) as session:
            session.sendmail("", [recipient], REPORT)
        wait_until("the pipe was used", self.kept.joinpath("environment").exists)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Piped]:
    with scratch("feedback") as home, Piped(home) as running:
        yield running


pytestmark = marks("postfix")


def taken(postfix: Piped, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bytes]:
    """(recipient, content) of the report that mailer takes when it is started as Postfix has started its program."""
    config = tmp_path / "config.toml"
    config.write_text(f'[mailer]\nspool = "{tmp_path}/spool"\n')
    for line in postfix.kept.joinpath("environment").read_text().splitlines():
        name, _, value = line.partition("=")
        if name in ("ORIGINAL_RECIPIENT", "RECIPIENT", "SENDER"):
            monkeypatch.setenv(name, value)
    arguments = postfix.kept.joinpath("arguments").read_text().splitlines()
    with postfix.kept.joinpath("input").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert main(["mailer", *arguments, "--config", str(config)]) == 0
    (id,) = files.waiting(f"{tmp_path}/spool", 10)
    loaded = files.load(f"{tmp_path}/spool", id)
    assert loaded is not None
    return loaded.facts.recipient, loaded.content


@pytest.mark.parametrize("domain", ["local.example", "bounces.example.com"])
def test_postfix_hands_a_report_to_the_command(postfix: Piped, domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an alias, or for a whole domain: with all that stands behind the +, which says what it is about."""
    postfix.hand_in(f"{TOKEN}@{domain}")
    recipient, content = taken(postfix, tmp_path, monkeypatch)
    assert recipient == f"{TOKEN}@{domain}"
    assert content.replace(b"\r\n", b"\n").endswith(b"\n\nUser unknown.\n")


def test_postfix_brings_a_report_to_our_door(postfix: Piped, world: World) -> None:
    """By LMTP, as the page has it: it is listed with the address that it came to."""
    door = block("[bounce]", "lmtp").replace("bounces.example.com", "lmtp.example").replace("2424", str(postfix.door))
    world.configure(9, more=door)
    world.start("run")
    wait_until("our door is open", lambda: listens(postfix.door))
    with smtplib.SMTP("127.0.0.1", postfix.port) as session:
        session.sendmail("", [f"{TOKEN}@lmtp.example"], REPORT)
    listed = wait_until("the report is there", lambda: world.mailer("bounces", "reports", "--json").out)
    assert json.loads(listed)["recipient"] == f"{TOKEN}@lmtp.example"


def test_postfix_keeps_a_report_that_was_not_taken(postfix: Piped) -> None:
    """75 is try again, whatever was wrong."""
    postfix.hand_in(f"{TOKEN}@bounces.example.com", 75)
    wait_until("it is deferred", lambda: any(path.is_file() for path in (postfix.queue / "deferred").rglob("*")))


def test_postfix_takes_no_mail_for_others_there(postfix: Piped) -> None:
    """The table of the page has the address, with whatever behind the +, and no other."""
    with smtplib.SMTP("127.0.0.1", postfix.port) as session, pytest.raises(smtplib.SMTPRecipientsRefused):
        session.sendmail("", ["sales@bounces.example.com"], REPORT)


def test_a_maildir_of_postfix_keeps_the_whole_address(postfix: Piped) -> None:
    """What stands behind the + is above the message, and the mailbox is that of the name before it."""
    address = f"{TOKEN}@box.example"
    with smtplib.SMTP("127.0.0.1", postfix.port) as session:
        session.sendmail("", [address], b"X-Test: kept\r\n" + REPORT)
    assert kept(postfix.mailboxes, "bounces", "bounces@box.example") == address


@pytest.mark.parametrize("name", [pytest.param("lmtp", marks=marks("lmtp"))])
def test_a_mailbox_of_dovecot_keeps_the_whole_address(servers: Servers, name: str) -> None:
    """Its LMTP delivers to INBOX, and writes the address above the message."""
    address = f"{TOKEN.replace('bounces', 'ann')}@peer.example"
    with smtplib.LMTP("localhost", servers[name].ports["plain"]) as session:
        session.sendmail("", [address], b"X-Test: kept\r\n" + REPORT)
    assert kept(servers[name].mailboxes, "ann", "ann@peer.example") == address


def kept(mailboxes: Mailboxes, who: str, address: str) -> str:
    """Whom the report was for that `who` has, as mailer reads it where `address` is the bounce address."""
    mailboxes.arrived("kept", [who])
    return addressed(mailboxes.above("kept", who).encode() + REPORT, address).recipient


@pytest.mark.parametrize("example", [text for text in BLOCKS if text.startswith("[")], ids=lambda text: text.splitlines()[-1][:30])
def test_each_configuration_of_the_page_is_one(example: str, tmp_path: Path) -> None:
    """With settings that there are, and values that these take."""
    for name in re.findall(r'_file = "([^"]+)"', example):
        file = tmp_path / Path(name).name
        file.write_text("secret\n")
        file.chmod(0o600)
        example = example.replace(name, str(file))
    config = tmp_path / "config.toml"
    config.write_text(example)
    assert load(str(config)).bounce is not None
