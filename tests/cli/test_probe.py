"""``mailer probe`` against servers on this machine: what it shows, what it hides, and what it exits with."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailer.cli import main
from mailer.client.probe import describe
from mailer.sink import Moods, SinkThread
from mailer.testing import Hang, Script
from tests.fakes.processes import MAILER
from tests.fakes.users import NOBODY, public_directory

SECRET = "s3cret pass"


class Program:
    """Runs ``mailer probe``."""

    def __init__(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = file
        self.capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["mailer", "probe", "--config", str(self.file), *arguments])
        return code, *self.capsys.readouterr()

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self(*arguments, "--json")
        record: dict[str, Any] = json.loads(out)
        return code, record


class Authority:
    """Somebody who signs certificates; `file` is his own."""

    def __init__(self, directory: Path) -> None:
        self.ca = trustme.CA()
        self.file = directory / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.file))

    def server(self, *names: str) -> ssl.SSLContext:
        """What a server of that name needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def probe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    file = tmp_path / "config.toml"
    file.write_text(f'[mailer]\nhostname = "me.example.org"\nspool = "{tmp_path}/spool"\n')
    return Program(file, capsys)


@pytest.fixture
def relay(probe: Program, authority: Authority, tmp_path: Path) -> Iterator[SinkThread]:
    """A server with a login and a good certificate, which the configuration calls ``out``."""
    password = tmp_path / "secret"
    password.write_text(SECRET)
    password.chmod(0o600)
    with SinkThread(tls=authority.server("mx.example.com"), users={"anna": SECRET}) as sink:
        with probe.file.open("a") as file:
            file.write(f'[relay.out]\nhost = "127.0.0.1"\nport = {sink.port}\nserver_name = "mx.example.com"\n')
            file.write(f'username = "anna"\npassword_file = "{password}"\nca_file = "{authority.file}"\n')
        yield sink


def test_a_relay(probe: Program, relay: SinkThread) -> None:
    """With its TLS and its login, as the daemon would; every step has its time, and the password is nowhere."""
    code, out, err = probe("out")
    assert (code, err) == (0, "")
    for line in ("> EHLO me.example.org", "> STARTTLS", "> AUTH PLAIN ***", "< 235 2.7.0 welcome"):
        assert line in out
    facts = dict(line.split(maxsplit=1) for line in out.partition("\n\n")[2].splitlines())
    assert facts["TLS"].endswith(" verified")
    assert facts["names"] == "mx.example.com"
    assert facts["mechanisms"] == "LOGIN, PLAIN"
    assert facts["login"] == "accepted for anna"
    assert facts["verdict"] == "mail could be sent"
    assert SECRET not in out
    assert b64encode(f"\0anna\0{SECRET}".encode()).decode() not in out
    assert relay.count == 0


def test_a_relay_that_would_refuse_our_sender(probe: Program, authority: Authority) -> None:
    """The sender of mail that names none is asked about, and taken back; what is refused names the setting that mends it."""
    refusing = {"rcpt": "553 5.7.1 <x>: Sender address rejected: not owned by user anna"}
    with SinkThread(Moods(replies=refusing), tls=authority.server("mx.example.com")) as sink:
        with probe.file.open("a") as file:
            file.write('[submission]\nfrom_address = "robot@example.com"\n')
            file.write(
                f'[relay.out]\nhost = "127.0.0.1"\nport = {sink.port}\nserver_name = "mx.example.com"\nca_file = "{authority.file}"\n'
            )
        code, out, err = probe("out")
        assert code == 69
        assert [line[-1] for line in map(str.split, out.splitlines()) if line[:1] == [">"]][-3:] == [
            "FROM:<robot@example.com>", "TO:<robot@example.com>", "RSET",
        ]  # fmt: skip
        assert "not owned by user anna; the sender is refused, which this mends: from_address of [submission]" in err
        assert probe("out", "--from", "")[0] == 0
        _, record = probe.json("out", "--from", "anna@example.com")
        assert (record["ok"], record["sender"]) == (False, {"address": "anna@example.com", "ok": False})
        assert sink.count == 0


def test_a_relay_as_json(probe: Program, relay: SinkThread) -> None:
    """The same for programs, under names that stay."""
    code, record = probe.json("out")
    assert code == 0
    assert record["ok"]
    assert (record["target"], record["host"], record["port"], record["address"]) == ("out", "127.0.0.1", relay.port, "127.0.0.1")
    assert record["tls"]["mode"] == "starttls"
    assert record["tls"]["verified"]
    assert record["tls"]["problem"] is None
    assert record["certificates"][0]["names"] == ["mx.example.com"]
    assert record["login"] == {"username": "anna", "ok": True}
    assert record["mechanisms"] == ["LOGIN", "PLAIN"]
    assert "PIPELINING" in record["extensions"]
    sender = record["sender"]["address"]
    assert sender.endswith("@me.example.org")
    assert [step["said"] for step in record["steps"]] == [
        "connect",
        None,
        "EHLO me.example.org",
        "STARTTLS",
        "TLS handshake",
        "EHLO me.example.org",
        "AUTH PLAIN ***",
        f"MAIL FROM:<{sender}>",
        f"RCPT TO:<{sender}>",
        "RSET",
    ]
    assert [step["code"] for step in record["steps"]] == [None, 220, 250, 220, None, 250, 235, 250, 250, 250]
    assert record["error"] is None
    assert SECRET not in json.dumps(record)


def test_a_wrong_password(probe: Program, relay: SinkThread, tmp_path: Path) -> None:
    """77, and the server's words."""
    (tmp_path / "secret").write_text("something else")
    code, out, err = probe("out")
    assert code == 77
    assert "login       refused for anna" in out
    assert err.startswith("mailer: 127.0.0.1")
    assert "535 5.7.8 wrong user name or password [credentials_invalid]" in err
    assert "something else" not in out + err
    assert probe.json("out")[1]["error"]["kind"] == "credentials_invalid"


def test_a_server_that_repeats_what_it_hears(probe: Program, tmp_path: Path) -> None:
    """No secret is shown, even if the server says it."""
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    said = b64encode(f"\0anna\0{SECRET}".encode()).decode()
    text = f"S: 220 x\nC: EHLO *\nS: 250-x\nS: 250 AUTH PLAIN\nC: AUTH PLAIN {said}\nS: 501 what is {said}?"
    with Script(text) as script:
        with probe.file.open("a") as file:
            file.write(f'[relay.out]\nhost = "127.0.0.1"\nport = {script.port}\ntls = "none"\nallow_plaintext_auth = true\n')
            file.write(f'username = "anna"\npassword_file = "{tmp_path}/secret"\n')
        code, out, err = probe("out")
    assert code == 77
    assert "< 501 what is ***?" in out
    assert said not in out + err


def test_a_relay_with_a_certificate_of_nobody(probe: Program, relay: SinkThread, tmp_path: Path) -> None:
    """69, with what is wrong and the certificate itself; the password stays here."""
    stranger = trustme.CA()
    stranger.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    code, record = probe.json("out")
    assert code == 69
    assert record["error"]["kind"] == "certificate_untrusted"
    assert record["tls"]["problem"] == "the certificate is not accepted: unable to get local issuer certificate"
    assert record["certificates"][0]["names"] == ["mx.example.com"]
    assert record["login"] == {"username": "anna", "ok": False}
    assert not any("AUTH" in (step["said"] or "") for step in record["steps"])
    assert "login       not tried for anna" in probe("out")[1]


def test_a_password_that_cannot_be_had_is_nobodys_refusal(probe: Program, relay: SinkThread, tmp_path: Path) -> None:
    """The words are ours, and are not shown as if the server had said them."""
    (tmp_path / "secret").chmod(0o644)
    _, out, err = probe("out")
    assert "login    not tried for anna" in out
    assert " was not asked: others can read the password file" in err
    assert "auth: mailer: 454 4.7.0 others can read the password file" in out


def test_a_host(probe: Program, authority: Authority) -> None:
    """Without a login, whatever its certificate; but whether that would do is said."""
    with SinkThread(tls=authority.server("mx.example.com")) as sink:
        code, out, err = probe(f"127.0.0.1:{sink.port}")
        assert (code, err) == (0, "")
        assert " unverified: the certificate is not accepted: " in out
        assert "mx.example.com" in out
        code, record = probe.json(f"127.0.0.1:{sink.port}")
        assert (code, record["tls"]["verified"], record["login"]) == (0, False, None)
        with probe.file.open("a") as file:
            file.write(f'[tls]\nca_file = "{authority.file}"\n')
        assert "certificate" in probe.json(f"127.0.0.1:{sink.port}")[1]["tls"]["problem"], "another name"
    with SinkThread(tls=authority.server("127.0.0.1")) as sink:
        assert probe.json(f"127.0.0.1:{sink.port}")[1]["tls"]["verified"]


def test_a_host_without_tls(probe: Program) -> None:
    """That is said, and is no failure unless TLS was asked for."""
    with SinkThread() as sink:
        code, out, _ = probe(f"localhost:{sink.port}")
        assert code == 0
        assert "TLS         none; it is not offered" in out
        code, _, err = probe(f"127.0.0.1:{sink.port}", "--tls", "starttls")
        assert code == 69
        assert "[starttls_not_supported]" in err
        code, out, _ = probe(f"127.0.0.1:{sink.port}", "--tls", "none")
        assert (code, "STARTTLS" in out) == (0, False)


def test_tls_from_the_first_byte(probe: Program, authority: Authority) -> None:
    """On order, as on port 465."""
    with probe.file.open("a") as file:
        file.write(f'[tls]\nca_file = "{authority.file}"\n')
    with SinkThread(tls=authority.server("127.0.0.1"), implicit_tls=True) as sink:
        code, record = probe.json(f"127.0.0.1:{sink.port}", "--tls", "implicit")
        assert (code, record["tls"]["verified"]) == (0, True)
        assert [step["said"] for step in record["steps"]] == ["connect", "TLS handshake", None, "EHLO me.example.org"]


def test_servers_that_do_not_want_us(probe: Program) -> None:
    """69 for whoever cannot be reached, refuses, or does not answer; the dialog is shown as far as it went."""
    with SinkThread(Moods(replies={"greeting": "554 go away"})) as sink:
        code, out, err = probe(f"127.0.0.1:{sink.port}")
        assert code == 69
        assert "< 554 go away" in out
        assert "go away" in err
        port = sink.port
    code, out, err = probe(f"127.0.0.1:{port}")
    assert (code, "[connection_refused]" in err) == (69, True)
    assert out.startswith("host ")
    with Hang(b"220 x\r\n") as server:
        code, _, err = probe(f"127.0.0.1:{server.port}", "--timeout", "1", "--tls", "none", "-q")
        assert (code, "[command_timeout]" in err) == (69, True)
    code, out, err = probe("no-such-host.invalid")
    assert code in (69, 75)
    assert out == ""
    assert "no-such-host.invalid" in err


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_second_address_is_tried(probe: Program, address: str) -> None:
    """localhost has two; the server listens at one."""
    with SinkThread(host=address) as sink:
        assert probe.json(f"localhost:{sink.port}")[1]["address"] == address


def test_no_password_for_a_look_at_a_certificate(probe: Program, authority: Authority, tmp_path: Path) -> None:
    """Who is asked a second time, to show the certificate that was refused, is told no password, whatever is allowed."""
    told: list[Any] = []
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    with SinkThread(tls=authority.server("another.example.com"), users={"anna": "x"}, told=told.append) as sink:
        with probe.file.open("a") as file:
            file.write(f'[relay.out]\nhost = "127.0.0.1"\nport = {sink.port}\nca_file = "{authority.file}"\n')
            file.write(f'username = "anna"\npassword_file = "{tmp_path}/secret"\nallow_plaintext_auth = true\n')
        code, record = probe.json("out")
    assert (code, record["certificates"][0]["names"]) == (69, ["another.example.com"])
    assert not [refusal for refusal in told if refusal.phase == "auth"]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("a", "b"),
        ("host:port",),
        ("host:0",),
        ("host:70000",),
        ("host:" + "7" * 5000,),
        ("host", "--timeout", "9" * 30),
        (":25",),
        ("[]:25",),
        ("host", "--tls", "maybe"),
        ("host", "--timeout", "0"),
        ("host", "--timeout", "x"),
    ],
)
def test_mistakes_on_the_command_line(probe: Program, arguments: tuple[str, ...]) -> None:
    """64, and what would be right."""
    code, out, err = probe(*arguments)
    assert (code, out) == (64, "")
    assert "mailer probe --help" in err


def test_the_terms_of_a_relay_are_its_own(probe: Program, relay: SinkThread) -> None:
    """They stand in the configuration, not on the command line."""
    assert probe("out", "--tls", "none")[0] == 64


def test_quiet(probe: Program) -> None:
    """The exit code alone."""
    with SinkThread() as sink:
        assert probe(f"127.0.0.1:{sink.port}", "-q") == (0, "", "")


def test_a_certificate_that_nobody_can_read() -> None:
    """It has a fingerprint, and nothing else."""
    found = describe(b"garbage")
    assert len(found.fingerprint) == 64
    assert (found.subject, found.names, found.not_after) == ("", (), 0.0)


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can look as another user")
def test_root_asks_with_the_secrets_that_the_daemon_can_read() -> None:
    """As the user whom the spool belongs to: a password that only root can read would never be used by the daemon."""
    with public_directory() as place, SinkThread(users={"me": "s3cret"}) as sink:
        (place / "spool").mkdir()
        os.chown(place / "spool", NOBODY, NOBODY)
        secret = place / "secret"
        secret.write_text("s3cret\n")
        secret.chmod(0o600)
        config = place / "c.toml"
        config.write_text(
            f'[mailer]\nhostname = "me.example.org"\nspool = "{place}/spool"\n[relay.out]\nhost = "127.0.0.1"\nport = {sink.port}\n'
            f'tls = "none"\nusername = "me"\npassword_file = "{secret}"\nallow_plaintext_auth = true\n'
        )
        argv = [*MAILER, "probe", "out", "--config", str(config)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert f"cannot read the password file {secret}: Permission denied" in done.stdout + done.stderr
        os.chown(secret, NOBODY, NOBODY)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        assert (done.returncode, "accepted for me" in done.stdout) == (0, True), done
