"""``mailer setup`` from scripts: every answer is an option, nothing is asked, and what is missing is one error."""

from __future__ import annotations

import os
import ssl
import stat
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailer.cli import main
from mailer.config import load
from mailer.sink import Moods, SinkThread
from tests.fakes.processes import MAILER
from tests.fakes.users import NOBODY, public_directory

pytestmark = pytest.mark.slow  # each is a setup with its sessions, most in a process

SECRET = "s3cret pass"


class Script:
    """A home in which ``mailer setup`` runs without a terminal, and a relay that wants TLS and a login."""

    def __init__(self, place: Path, sink: SinkThread) -> None:
        self.place = place
        self.sink = sink
        self.file = place / "etc" / "config.toml"
        self.relay = ("--relay", f"127.0.0.1:{sink.port}", "--ca-file", str(place / "ca.pem"), "--username", "anna")
        self.env = {"PATH": os.environ["PATH"], "HOME": str(place)}

    def __call__(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        fixed = ["setup", "--config", str(self.file), "--spool", str(self.place / "spool")]
        return subprocess.run([*MAILER, *fixed, *arguments], input=input, capture_output=True, text=True, timeout=120, env=self.env)

    def refused(self, done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
        """It said why in one line, and nothing was written."""
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
        assert all(word in done.stderr for word in words), done.stderr
        assert SECRET not in done.stderr + done.stdout
        assert not [*self.file.parent.glob("*")]

    @property
    def written(self) -> dict[str, Any]:
        return tomllib.loads(self.file.read_text())


@pytest.fixture
def setup() -> Iterator[Script]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca = trustme.CA()
    ca.issue_cert("127.0.0.1").configure_cert(context)
    with public_directory() as place, SinkThread(tls=context, users={"anna": SECRET}) as sink:
        ca.cert_pem.write_to_path(str(place / "ca.pem"))
        yield Script(place, sink)


def test_all_is_said(setup: Script) -> None:
    """The password comes by standard input; the files are there, the mail has arrived, and the configuration is right."""
    done = setup("--address", "anna@example.com", *setup.relay, "--password-stdin", input=SECRET + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert SECRET not in done.stdout
    assert setup.sink.messages[0].user == "anna"
    assert stat.S_IMODE((setup.file.parent / "out.secret").stat().st_mode) == 0o600
    checked = subprocess.run([*MAILER, "config", "check", "-q", str(setup.file)], capture_output=True, text=True, timeout=60, env=setup.env)
    assert (checked.returncode, checked.stderr) == (0, "")
    config = load(str(setup.file))
    assert (config.intake.enabled, "." in config.hostname) == (os.geteuid() == 0, True)


def test_quietly(setup: Script) -> None:
    """With --quiet nothing is said of what went well."""
    done = setup("--address", "anna@example.com", *setup.relay, "--password-stdin", "--quiet", "--no-test", input=SECRET)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--address, --provider, --relay or --direct"]),
        (["--address", "a@gmail.com"], ["--password-file, --password-command, --password-stdin, --oauth or --no-login"]),
        (["--address", "a@gmail.com", "--oauth"], ["--oauth-client-id"]),
        (["--address", "a@example.com", "--relay", "x.example", "--oauth"], ["--oauth-endpoint", "--oauth-client-id"]),
        (["--address", "a@example.com", "--provider", "postfix", "--no-login"], ["not said: --relay"]),
        (["--address", "nobody"], ["--address:"]),
        (["--address", "a@example.com", "--provider", "gmial"], ["there is no provider 'gmial'", "gmail"]),
        (["--address", "a@example.com", "--relay", "a b"], ["--relay:"]),
        (["--address", "a@example.com", "--relay", "x.example", "--port", "0"], ["--port takes a whole number"]),
        (["--address", "a@example.com", "--relay", "x.example", "--tls", "maybe"], ["--tls:"]),
        (["--address", "a@example.com", "--relay", "x.example", "--fingerprint", "abc"], ["--fingerprint:"]),
        (["--address", "a@example.com", "--relay", "x.example", "--ca-file", "ca.pem"], ["--ca-file:", "whole path"]),
        (["--address", "a@example.com", "--relay", "x.example", "--direct"], ["--direct is without a relay"]),
        (["--address", "a"], ["--address:", "'a' has no domain", "whole address"]),
        (["--address", "a@example.com", "--relay", "x.example", "--tls", "ssl"], ["--tls: 'ssl'", "write starttls, implicit or none"]),
        (
            ["--address", "a@example.com", "--relay", "x.example", "--username", "a", "--password-file", "/not/there"],
            ["--password-file: /not/there is not there"],
        ),
        (["--address", "a@example.com", "--relay", "x.example", "--password-stdin", "--oauth"], ["two ways to log in"]),
        (["--address", "a@example.com", "--relay", "x.example", "--tls", "none", "--password-stdin"], ["unencrypted"]),
        (["--unit", "--no-unit"], ["two answers"]),
        (["x"], ["takes no operands"]),
    ],
)
def test_what_is_missing_or_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: list[str]) -> None:
    """64, in one line, before anything is looked at or written."""
    code = main(["mailer", "setup", "--config", str(tmp_path / "config.toml"), "--spool", str(tmp_path / "spool"), *arguments])
    said = capsys.readouterr()
    assert (code, said.out, said.err.count("\n")) == (64, "", 1), said.err
    assert all(word in said.err for word in words), said.err
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("password", ["", "two\nlines", "x" * 5000])
def test_a_password_that_is_none(setup: Script, password: str) -> None:
    """78."""
    setup.refused(setup("--address", "a@example.com", *setup.relay, "--password-stdin", input=password), 78, "one line")


def test_a_wrong_password(setup: Script) -> None:
    """77, with the remedy, and nothing is written; --no-probe writes all the same."""
    wrong = ("--address", "a@example.com", *setup.relay, "--password-stdin", "--quiet")
    setup.refused(setup(*wrong, input="guessed"), 77, "535", "are name and password right?", "--no-probe")
    assert setup(*wrong, "--no-probe", "--no-test", input="guessed").returncode == 0
    assert setup.written["relay"]["out"]["username"] == "anna"


def test_a_relay_that_is_not_there(setup: Script) -> None:
    """69, with what to look at."""
    done = setup("--address", "a@example.com", "--relay", "127.0.0.1:1", "--no-login", "--quiet")
    setup.refused(done, 69, "127.0.0.1:1 cannot be reached: Connection refused; nothing was written", "nobody listens there")
    done = setup("--address", "a@example.com", "--relay", "127.0.0.1:1", "--no-login")
    assert "not reached" in done.stdout
    assert "encrypted" not in done.stdout


def test_a_relay_that_the_dns_does_not_know(setup: Script) -> None:
    """It says what to look at, and leaves nothing, not even the directories above."""
    setup.file = setup.place / "config" / "mailer" / "config.toml"
    done = setup("--address", "a@example.com", "--relay", "nosuch.invalid", "--no-login", "--quiet")
    setup.refused(done, 69, "nosuch.invalid", "is the name right", "nothing was written")
    assert not (setup.place / "config").exists()


def test_a_sender_that_is_refused(setup: Script) -> None:
    """69, before any mail is queued."""
    with SinkThread(Moods(replies={"rcpt": "553 5.7.1 <x>: Sender address rejected: not owned by user anna"})) as sink:
        done = setup("--address", "a@example.com", "--relay", f"127.0.0.1:{sink.port}", "--tls", "none", "--no-login", "--quiet")
    setup.refused(done, 69, "not owned by user", "may send from?")


def test_a_mail_that_fails(setup: Script) -> None:
    """69 where it is refused for good; what was written stays, and the reason is told."""
    with SinkThread(Moods(replies={"data": "554 5.7.1 we do not like the text"})) as sink:
        done = setup("--address", "a@example.com", "--relay", f"127.0.0.1:{sink.port}", "--tls", "none", "--no-login", "--quiet")
    assert (done.returncode, done.stderr.count("\n")) == (69, 1)
    assert "554 5.7.1 we do not like the text; `mailer explain " in done.stderr
    assert setup.file.exists()


def test_a_provider(setup: Script) -> None:
    """Its file of examples, more or less: the server, the limits, and the password where it is."""
    command = "pass show mail"
    done = setup("--address", "a@gmail.com", "--password-command", command, "--no-probe", "--no-test")
    assert (done.returncode, done.stderr) == (0, "mailer: gmail.com is Gmail and Google Workspace\n")
    assert setup.written["relay"] == {
        "gmail": {
            "host": "smtp.gmail.com", "port": 587, "tls": "starttls", "username": "a@gmail.com", "auth": "plain",
            "password_command": command,
        }
    }  # fmt: skip
    assert setup.written["delivery"] == {"max_connections_per_destination": 5}
    assert setup.written["submission"]["max_message_size"] == "25MB"
    assert [path.name for path in setup.file.parent.iterdir()] == ["config.toml"]


def test_a_token_that_is_there_already(setup: Script) -> None:
    """Nobody has to consent; the client's secret is copied to where the daemon reads it."""
    for name in ("refresh", "client"):
        (setup.place / name).write_text(f"the {name}")
        (setup.place / name).chmod(0o600)
    done = setup(
        "--address", "a@example.com", "--provider", "office365", "--oauth-client-id", "id", "--oauth-tenant", "own.example",
        "--oauth-secret-file", str(setup.place / "client"), "--oauth-refresh-file", str(setup.place / "refresh"),
        "--no-probe", "--no-test",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    relay = setup.written["relay"]["office365"]
    assert relay["oauth_endpoint"] == "https://login.microsoftonline.com/own.example/oauth2/v2.0/token"
    assert relay["oauth_scope"] == "https://outlook.office.com/SMTP.Send offline_access"
    assert relay["oauth_refresh_token_file"] == str(setup.place / "refresh")
    assert (setup.file.parent / "office365.client").read_text() == "the client\n"


def test_straight_to_the_world(setup: Script) -> None:
    """Without a relay there is none in the configuration, and nothing to look at."""
    done = setup("--address", "a@example.com", "--direct", "--no-test")
    assert (done.returncode, done.stderr) == (0, "")
    assert "relay" not in setup.written


def test_a_configuration_of_before(setup: Script) -> None:
    """73 without --yes; with it, it is kept beside the new one."""
    setup.file.parent.mkdir()
    setup.file.write_text("# ours\n")
    arguments = ("--address", "a@example.com", "--direct", "--no-test")
    done = setup(*arguments)
    assert (done.returncode, done.stderr.count("\n"), "with --yes" in done.stderr) == (73, 1, True)
    assert setup.file.read_text() == "# ours\n"
    assert setup(*arguments, "--yes").returncode == 0
    assert (setup.file.parent / "config.toml.old").read_text() == "# ours\n"


def test_no_place(setup: Script) -> None:
    """73 where the configuration cannot be, before the relay is asked."""
    setup.file = setup.place / "ca.pem" / "config.toml"
    done = setup("--address", "a@example.com", *setup.relay, "--password-stdin", "--quiet", input=SECRET)
    assert (done.returncode, done.stderr.count("\n")) == (73, 1)


def test_a_sendmail_for_others(setup: Script) -> None:
    """It is made below --prefix; that of another mail system goes only with --yes, and is put aside."""
    foreign = setup.place / "usr/sbin/sendmail"
    arguments = ("--address", "a@example.com", "--direct", "--no-test", "--sendmail", "--prefix", str(setup.place / "usr"))
    foreign.parent.mkdir(parents=True)
    foreign.write_text("#!/bin/sh\nexit 3\n")
    setup.refused(setup(*arguments), 73, str(foreign), "with --yes")
    assert foreign.read_text() == "#!/bin/sh\nexit 3\n"
    assert setup(*arguments, "--yes").returncode == 0
    assert (setup.place / "usr/sbin/sendmail.before-mailer").read_text() == "#!/bin/sh\nexit 3\n"
    sent = subprocess.run(
        [foreign, "-i", "b@example.com"], input="Subject: x\n\nx\n", capture_output=True, text=True, timeout=60,
        env=setup.env | {"MAILER_CONFIG": str(setup.file)},
    )  # fmt: skip
    assert (sent.returncode, len([*(setup.place / "spool/queued").iterdir()])) == (0, 1), sent.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_secrets_are_the_daemons(setup: Script) -> None:
    """Where the spool is another user's, the password is for him, and he delivers; the configuration stays root's."""
    (setup.place / "spool").mkdir()
    os.chown(setup.place / "spool", NOBODY, NOBODY)
    done = setup("--address", "anna@example.com", *setup.relay, "--password-stdin", "--no-test", input=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    assert "which only nobody can read" in done.stdout
    assert ((setup.file.parent / "out.secret").stat().st_uid, setup.file.stat().st_uid) == (NOBODY, 0)
