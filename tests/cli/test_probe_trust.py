"""``mailer probe --trust``: the certificate that a relay showed is written down, after a yes."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import trustme

from mailer.config import load
from mailer.sink import SinkThread
from tests.fakes.processes import MAILER
from tests.fakes.users import NOBODY, public_directory

from .dialogue import Dialogue

pytestmark = pytest.mark.slow  # the program runs as a process, at a terminal

SECRET = "s3cret pass"
FILE = """\
# Ours.
[mailer]
hostname = "me.example.org"   # and no other
spool = "{place}/spool"

[relay.out]
# The one in the cellar.
host = "127.0.0.1"
port = {port}                  # odd
username = "anna"
password_file = "{place}/secret"
{more}"""


class Cellar:
    """A relay with a certificate that nobody known has signed, and a configuration that names it, in `place`."""

    def __init__(self, place: Path, sink: SinkThread, fingerprint: str) -> None:
        self.place = place
        self.file = place / "config.toml"
        self.sink = sink
        self.fingerprint = fingerprint
        self.password("secret")
        self.configure()

    def password(self, name: str) -> None:
        """Write it into its file."""
        (self.place / name).write_text(SECRET)
        (self.place / name).chmod(0o600)

    def configure(self, more: str = "") -> None:
        """Write the configuration."""
        self.file.write_text(FILE.format(place=self.place, port=self.sink.port, more=more))
        self.file.chmod(0o644)

    @property
    def arguments(self) -> list[str]:
        return ["probe", "out", "--trust", "--config", str(self.file)]

    def __call__(self, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*MAILER, *self.arguments, *more], capture_output=True, text=True, timeout=60)

    def at_terminal(self, *more: str) -> Dialogue:
        return Dialogue([*self.arguments, *more], {"PATH": os.environ["PATH"], "HOME": str(self.place)})


@pytest.fixture
def cellar() -> Iterator[Cellar]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = trustme.CA().issue_cert("cellar.example.com")
    certificate.configure_cert(context)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    with public_directory() as place, SinkThread(tls=context, users={"anna": SECRET}) as sink:
        yield Cellar(place, sink, sha256(der).hexdigest())


def test_after_a_yes(cellar: Cellar) -> None:
    """It is shown and asked about; then it stands in the configuration, with all that stood there, and the login goes well."""
    before = cellar.file.read_text()
    with cellar.at_terminal() as said:
        said.hears("certificate is not accepted", f"Trust the certificate with the SHA-256 {cellar.fingerprint} of 127.0.0.1", "[y/N]")
        said.type("y")
        said.hears(f"wrote the fingerprint into {cellar.file}", "accepted for anna")
        assert said.ends() == 0
        assert SECRET not in said.said
    assert cellar.file.read_text() == f'{before}fingerprints = ["{cellar.fingerprint}"]\n'
    assert load(str(cellar.file)).relays["out"].fingerprints == (cellar.fingerprint,)
    again = cellar("--yes")
    assert (again.returncode, "trusted already" in again.stderr) == (0, True)
    assert cellar.file.read_text().count(cellar.fingerprint) == 1


@pytest.mark.parametrize("answer", ["n", "", "\x03"])
def test_without_a_yes(cellar: Cellar, answer: str) -> None:
    """Nothing is written, and the exit code is that of the look."""
    before = cellar.file.read_text()
    with cellar.at_terminal() as said:
        said.hears("[y/N]")
        if answer == "\x03":
            said.interrupt()
        else:
            said.type(answer)
        assert said.ends(said.interrupt if answer == "\x03" else None) == (75 if answer == "\x03" else 69)
    assert cellar.file.read_text() == before


def test_for_scripts(cellar: Cellar) -> None:
    """--yes is the yes; without it and without a terminal nothing is done. One that was trusted before stays so."""
    before = cellar.file.read_text()
    done = cellar()
    assert (done.returncode, done.stdout, done.stderr.count("\n"), "say --yes" in done.stderr) == (64, "", 1, True)
    assert cellar.file.read_text() == before
    other = "ab" * 32
    cellar.configure(f'fingerprints = ["{other}"]\n')
    assert cellar("--yes", "--quiet").returncode == 0
    assert load(str(cellar.file)).relays["out"].fingerprints == (other, cellar.fingerprint)


def test_a_login_that_fails_all_the_same(cellar: Cellar) -> None:
    """The certificate is written down; the password is still wrong, and the exit code says so."""
    (cellar.place / "secret").write_text("another")
    done = cellar("--yes")
    assert done.returncode == 77
    assert cellar.fingerprint in cellar.file.read_text()


def test_what_cannot_be_trusted(cellar: Cellar) -> None:
    """A host that is no relay, a relay without TLS, one that cannot be reached: each in one line, and nothing is written."""
    done = subprocess.run(
        [*MAILER, "probe", "mx.example.com", "--trust", "--yes", "--config", str(cellar.file)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "there is no [relay.mx.example.com]" in done.stderr) == (64, True)
    cellar.configure('tls = "opportunistic"\n')
    before = cellar.file.read_text()
    done = cellar("--yes")
    assert (done.returncode, "config set relay.out.tls starttls" in done.stderr) == (78, True)
    assert cellar.file.read_text() == before
    cellar.file.write_text(before.replace(f"port = {cellar.sink.port}", "port = 1").replace('"opportunistic"', '"starttls"'))
    done = cellar("--yes", "--quiet")
    assert (done.returncode, done.stderr.count("\n")) == (69, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_writes_what_the_daemons_user_has_seen(cellar: Cellar) -> None:
    """The look is the daemon's user's, who reads the password and may write nothing here; the file stays root's."""
    (cellar.place / "spool").mkdir()
    os.chown(cellar.place / "spool", NOBODY, NOBODY)
    os.chown(cellar.place / "secret", NOBODY, NOBODY)
    assert cellar("--yes").returncode == 0
    assert cellar.fingerprint in cellar.file.read_text()
    assert cellar.file.stat().st_uid == 0
