"""``mailer setup --receive``: from an installed package to a machine that gets the mail of a domain."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from mailer.accounts.users.sqlite import SqliteUsers
from mailer.cli import main
from mailer.config.file import config_of
from tests.cli.dialogue import Dialogue

PASSWORD = "correct horse"


class Machine:
    """A home, with a configuration that may be there."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.file = home / "etc/config.toml"
        self.capsys = capsys
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "NO_COLOR": "1"}
        self.certificate = home / "mx.pem"
        self.certificate.write_text("a certificate, and its key\n")

    @property
    def fixed(self) -> list[str]:
        return ["setup", "receive", "--config", str(self.file), "--spool", str(self.home / "spool"), "--no-unit"]

    def setup(self, *words: str) -> tuple[int, str, str]:
        code = main(["mailer", *self.fixed, *words])
        return (code, *self.capsys.readouterr())

    @property
    def users(self) -> list[str]:
        found = SqliteUsers(str(self.home / "spool/accounts.sqlite3")).find_now(["postmaster@example.com", "ann@example.com"])
        return [user.address for user in found if user]

    @property
    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.file.parent)) for path in self.file.parent.rglob("*") if path.is_file())


@pytest.fixture
def machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(tmp_path, capsys)


@pytest.mark.slow  # it makes a key
def test_all_answers_are_options(machine: Machine) -> None:
    """Nobody has to be there: doors, a domain, a key, a user with a password that is shown once, and the records to publish."""
    where = f"{machine.home}/mail/{{domain}}/{{user}}"
    words = ("--domain", "example.com", "--hostname", "mx.example.com", "--maildir", where, "--user", "ann")
    code, out, err = machine.setup(*words, "--certificate", str(machine.certificate))
    assert (code, err) == (0, "")
    config = config_of(str(machine.file), machine.file.read_bytes())
    assert [door.kind for door in config.listens] == ["mx", "submission", "submission"]
    assert (config.domains[0].name, config.spool, config.receiving.postmaster) == (
        "example.com", str(machine.home / "spool"), "ann@example.com",
    )  # fmt: skip
    assert machine.users == ["ann@example.com"]
    assert (machine.home / "mail").is_dir()
    (key,) = config.dkim
    assert machine.files == ["config.toml", f"dkim/example.com.{key.selector}.pem"]
    for text in (
        "his password, which is shown once: ", "example.com. IN MX 10 mx.example.com.", f"{key.selector}._domainkey.example.com. IN TXT",
        "_dmarc.example.com. IN TXT", "_submissions._tcp.example.com. IN SRV 0 1 465 mx.example.com.", "mailer check example.com",
    ):  # fmt: skip
        assert text in out


@pytest.mark.slow
def test_a_person_is_asked(machine: Machine) -> None:
    """What makes no sense is asked again; the password is not shown, and is the one that was typed."""
    with Dialogue(machine.fixed, machine.env) as said:
        said.answers("The domain whose mail shall come here", "")
        said.answers("The domain whose mail shall come here", "example.com")
        said.answers("What others call this machine", "short")
        said.answers("is no full name", "mx.example.com")
        said.hears("Where are the mailboxes?")
        said.answers("A number or a name", "maildir")
        said.answers("The Maildir of a user", str(machine.home / "mail/same"))
        said.answers("the same for everybody", str(machine.home / "mail/{user}"))
        said.answers("The certificate for mx.example.com", "/nowhere.pem")
        said.answers("there is no file /nowhere.pem", "none")
        said.answers("The first user", "eve@elsewhere.example")
        said.answers("is not of example.com", "ann")
        said.answers("His password", PASSWORD)
        said.hears("wrote ", "made the user ann@example.com", "Publish these records", "get a certificate", "start the daemon")
        assert said.ends() == 0
        assert PASSWORD not in said.said
    assert machine.users == ["ann@example.com"]
    assert [door["tls"] for door in tomllib.loads(machine.file.read_text())["listen"]] == ["none"]


@pytest.mark.slow
def test_ctrl_c_leaves_nothing(machine: Machine) -> None:
    with Dialogue(machine.fixed, machine.env) as said:
        said.answers("The domain whose mail shall come here", "example.com")
        said.hears("What others call this machine")
        said.interrupt()
        assert said.ends(said.interrupt) != 0
    assert not machine.file.parent.exists()


def test_what_is_not_said_is_one_error(machine: Machine) -> None:
    """With all that is missing, and nothing is made."""
    code, out, err = machine.setup()
    assert (code, out, err.count("\n")) == (64, "", 1)
    for name in ("--domain", "--local, --maildir or --lmtp", "--user"):
        assert name in err
    assert not machine.file.parent.exists()


@pytest.mark.parametrize(
    ("option", "answer", "said"),
    [
        ("--domain", "no domain", "--domain: "),
        ("--lmtp", "dovecot", "--lmtp: "),
        ("--maildir", "/srv/mail", "--maildir: "),
        ("--hostname", "short", "--hostname: short is no full name"),
        ("--certificate", "/nowhere", "--certificate: there is no file"),
        ("--user", "a@b.example", "--user: "),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused(machine: Machine, option: str, answer: str, said: str) -> None:
    """Before anything is made; what is wrong is said with the name of the option."""
    good = {"--domain": "example.com", "--lmtp": "/run/x", "--hostname": "mx.example.com", "--user": "ann"}
    if option == "--maildir":
        del good["--lmtp"]
    code, _, err = machine.setup(*(word for pair in {**good, option: answer}.items() for word in pair))
    assert (code, err.count("\n"), said in err) == (64, 1, True), err
    assert not machine.file.parent.exists()


@pytest.mark.slow  # it makes a key
def test_a_domain_that_is_there_stays_as_it_is(machine: Machine) -> None:
    """No key and no user is made for it."""
    words = ("--domain", "example.com", "--hostname", "mx.example.com", "--lmtp", "/run/dovecot/lmtp", "--user", "ann")
    assert machine.setup(*words)[0] == 0
    before = machine.file.read_text(), machine.files
    code, _, err = machine.setup(*words[:-1], "postmaster")
    assert (code, "already; edit it there" in err) == (73, True)
    assert (machine.file.read_text(), machine.files) == before
    assert machine.users == ["ann@example.com"]


@pytest.mark.slow  # it makes a key
def test_another_domain_is_added_to_what_is_there(machine: Machine) -> None:
    """Its comments stay; a user who is there already is no trouble."""
    machine.file.parent.mkdir()
    machine.file.write_text('# mine\n[mailer]\nhostname = "mx.example.com" # stays\n')
    words = ("--lmtp", "127.0.0.1:24", "--hostname", "mx.example.com")
    assert machine.setup("--domain", "example.com", "--user", "ann", *words)[0] == 0
    assert machine.setup("--domain", "example.org", "--user", "ann", *words)[0] == 0
    text = machine.file.read_text()
    assert text.startswith('# mine\n[mailer]\nhostname = "mx.example.com" # stays\n')
    assert [domain["name"] for domain in tomllib.loads(text)["domain"]] == ["example.com", "example.org"]


def test_a_flag_of_setup_does_the_same(machine: Machine) -> None:
    """As far as one can be asked."""
    code = main(["mailer", "setup", "--receive", "--config", str(machine.file)])
    assert (code, "these are not said: --domain" in machine.capsys.readouterr().err) == (64, True)


@pytest.mark.slow  # it makes a key
def test_mailboxes_of_our_own_are_read_by_imap(machine: Machine) -> None:
    """It ends with what a person types into a phone; POP3 and the web are there where they are asked for."""
    words = (
        "--domain",
        "example.com",
        "--hostname",
        "mx.example.com",
        "--local",
        "--user",
        "ann",
        "--certificate",
        str(machine.certificate),
    )
    code, out, err = machine.setup(*words, "--pop3", "--web")
    assert (code, err) == (0, "")
    config = config_of(str(machine.file), machine.file.read_bytes())
    assert [(door.kind, door.address[0].port) for door in config.listens[3:]] == [
        ("imap", 993), ("imap", 143), ("pop3", 995), ("pop3", 110), ("web", 443),
    ]  # fmt: skip
    assert "_imaps._tcp.example.com. IN SRV 0 1 993 mx.example.com." in out
    assert "autoconfig.example.com. IN CNAME mx.example.com." in out
    table = out[out.index("Into a phone") :]
    rows = [line.split() for line in table.splitlines() if "mx.example.com" in line]
    assert rows[0] == ["incoming", "(IMAP)", "mx.example.com", "993", "SSL/TLS", "ann@example.com"]
    assert rows[1] == ["outgoing", "(SMTP)", "mx.example.com", "465", "SSL/TLS", "ann@example.com"]
    assert "https://mx.example.com/email.mobileconfig?address=ann@example.com" in table


@pytest.mark.slow  # it makes a key
def test_without_a_certificate_nobody_reads(machine: Machine) -> None:
    """No door is opened at which passwords would travel in the clear; what is missing is said."""
    code, out, _ = machine.setup("--domain", "example.com", "--hostname", "mx.example.com", "--local", "--user", "ann", "--pop3", "--web")
    assert code == 0
    config = config_of(str(machine.file), machine.file.read_bytes())
    assert [door.kind for door in config.listens] == ["mx"]
    assert "no user can log in to send or to read" in out
    assert "Into a phone" not in out
