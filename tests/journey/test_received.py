"""A machine that receives, from setup to what its operator sees: mail comes, is refused, is read, and all of it can be looked up."""

from __future__ import annotations

import json
import smtplib
import sqlite3
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fakes.processes import Program, free_port, wait_until
from tests.journey.world import World
from tests.metrics.test_metrics import figures, section

pytestmark = pytest.mark.xdist_group("a machine that receives")

PASSWORD, GUESS = "correct horse", "battery staple"
MAIL = "From: bob@there.example\r\nTo: ann@example.com\r\nSubject: hello\r\n\r\nbody\r\n"


class Town:
    """A daemon that was set up to receive, with its doors at free ports."""

    def __init__(self, home: Path) -> None:
        self.world = World(home)
        authority = trustme.CA()
        authority.issue_cert("mx.example.com").private_key_and_cert_chain_pem.write_to_path(str(home / "mx.pem"))
        self.context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
        self.mx, self.submission, self.figures = free_port(), free_port(), free_port()
        self._set_up(home)
        self.daemon: Program = self.world.daemon()

    def _set_up(self, home: Path) -> None:
        """As an operator does it; then at other ports than root has, and with a domain elsewhere that a sink has."""
        where = ("--maildir", f"{home}/mail/{{domain}}/{{user}}", "--certificate", f"{home}/mx.pem", "--spool", str(self.world.spool))
        words = ("--domain", "example.com", "--hostname", "mx.example.com", "--user", "ann", "--password-stdin", "--no-unit")
        done = self.world.mailer("setup", "receive", *words, *where, input=f"{PASSWORD}\n".encode())
        assert done.code == 0, done
        assert "example.com. IN MX 10 mx.example.com." in done.out
        text = self.world.config.read_text()
        for port, mine in ((25, self.mx), (465, free_port()), (587, self.submission)):
            text = text.replace(f'"0.0.0.0:{port}"', f'"127.0.0.1:{mine}"').replace(f'    "[::]:{port}",\n', "")
        quiet = '[dns]\nnameservers = ["127.0.0.1:9"]\ntimeout = "0.1s"\nlifetime = "0.2s"\n[bounce]\nenabled = false\n'
        self.world.config.write_text(f"{text}{section(self.figures)}{quiet}")

    def client(self, port: int) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", port, "there.example", timeout=60)
        client._host = "mx.example.com"  # the name that its certificate is for
        return client

    def received(self, *words: str) -> list[dict[str, Any]]:
        done = self.world.mailer("received", "--json", *words)
        assert done.code == 0, done
        return [json.loads(line) for line in done.out.splitlines()]

    def has(self, count: int, *words: str) -> list[dict[str, Any]]:
        """What was received, when it is so much."""
        return wait_until(f"{count} of {words}", lambda: len(found := self.received(*words)) == count and found)

    @property
    def mailbox(self) -> list[str]:
        return [path.read_text() for path in (self.world.home / "mail/example.com/ann/new").glob("*")]

    def live(self) -> None:
        """What happens: mail comes, two recipients are refused, somebody guesses a password, and a user hands in mail."""
        with self.client(self.mx) as client:
            client.starttls(context=self.context)
            client.sendmail("bob@there.example", ["ann@example.com"], MAIL)
        with self.client(self.mx) as client:
            client.ehlo()
            client.mail("eve@there.example")
            assert [client.rcpt(to)[0] for to in ("nobody@example.com", "friend@elsewhere.example")] == [550, 550]
        with self.client(self.submission) as client:
            client.starttls(context=self.context)
            client.ehlo()
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.auth("PLAIN", lambda _=None: f"\0ann@example.com\0{GUESS}")
            client.login("ann@example.com", PASSWORD)
            client.sendmail("ann@example.com", ["ann@example.com"], MAIL.replace("bob@there.example", "ann@example.com"))
        wait_until("both are in the mailbox", lambda: len(self.mailbox) == 2)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town where something has happened."""
    town = Town(tmp_path_factory.mktemp("town"))
    try:
        town.live()
        yield town
    finally:
        town.world.close()


def test_where_mail_came_from_and_what_became_of_it_is_known(town: Town) -> None:
    """One command each, and a line of the log."""
    (came,) = town.has(1, "--taken", "--from", "bob@")
    assert [came[name] for name in ("door", "ip", "hello", "to", "verdict")] == [
        "mx", "127.0.0.1", "there.example", ["ann@example.com"], "accept",
    ]  # fmt: skip
    assert came["tls"].startswith("TLSv1.3")
    story = json.loads(town.world.mailer("explain", "--json", "--no-dns", came["id"]).out)
    assert (story["status"], story["arrival"]["ip"]) == ("sent", "127.0.0.1")
    assert f'"event":"taken","ip":"127.0.0.1","door":"mx","id":"{came["id"]}"' in town.daemon.said


def test_whoever_is_refused_is_known_too(town: Town) -> None:
    """With the words that he heard; nobody relays."""
    relay, unknown = sorted(town.has(2, "--from", "eve@", "--refused"), key=lambda each: str(each["reason"]))
    assert (unknown["reason"], unknown["to"], unknown["reply"][:9]) == ("unknown", ["nobody@example.com"], "550 5.1.1")
    assert (relay["reason"], relay["to"], relay["phase"]) == ("relay", ["friend@elsewhere.example"], "rcpt")
    assert '"event":"refused","ip":"127.0.0.1","door":"mx","reason":"relay"' in town.daemon.said


def test_who_logs_in_and_who_guesses_is_told(town: Town) -> None:
    """What a user hands in is his; a failure names whom somebody wanted to be, and no password."""
    (failed,) = town.has(1, "--reason", "login")
    assert (failed["door"], failed["user"], failed["phase"], failed["times"]) == ("submission", "ann@example.com", "auth", 1)
    (taken,) = town.has(1, "--taken", "--from", "ann@")
    assert (taken["door"], taken["user"]) == ("submission", "ann@example.com")
    assert '"event":"login-failed","ip":"127.0.0.1","door":"submission","user":"ann@example.com"' in town.daemon.said
    assert not [word for word in (GUESS, PASSWORD) if word in town.daemon.said]


def test_all_of_it_is_counted(town: Town) -> None:
    """By door, verdict and reason."""
    now = figures(town.figures)
    assert {name: now[f"mailer_door_sessions/{name}"] for name in ("mx", "submission", "lmtp", "reports")} == {
        "mx": 0, "submission": 0, "lmtp": 0, "reports": 0,
    }  # fmt: skip
    names = ("logins_total/success", "logins_total/failure", "refusals_total/mx/relay", "refusals_total/mx/unknown")
    assert {name: now[f"mailer_{name}"] for name in names} == dict.fromkeys(names, 1)
    for door in ("mx", "submission"):
        assert now[f"mailer_received_messages_total/{door}/accept"] == now[f"mailer_receive_duration_seconds_count/{door}"] >= 1
        assert now[f"mailer_receive_duration_seconds_sum/{door}"] > 0


def test_the_doctor_finds_the_doors_well(town: Town) -> None:
    """Each answers, and offers what it shall."""
    done = town.world.mailer("doctor", "--json")
    doors = [each for line in done.out.splitlines() if (each := json.loads(line))["check"] == "door"]
    assert [each["result"] for each in doors] == ["pass"] * 3, doors


def test_mail_is_taken_while_its_record_cannot_be_written(town: Town) -> None:
    """Somebody locks the database: mail comes and goes as ever, and is in the record when that can be written again."""
    with sqlite3.connect(town.world.spool / "status.sqlite3", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with town.client(town.mx) as client:
            assert client.sendmail("late@there.example", ["ann@example.com"], MAIL) == {}
        wait_until("it is in the mailbox", lambda: len(town.mailbox) == 3)
        assert town.received("--from", "late@") == []
        other.execute("ROLLBACK")
    town.has(1, "--from", "late@", "--taken")
