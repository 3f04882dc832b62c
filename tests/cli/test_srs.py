"""``mailer srs``: for whom a sender stands, what stands for one, and the secrets, of which none is shown."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from mailer.cli import main

CONFIG = """
[mailer]
hostname = "mx.example.com"
spool = "{spool}"
[[domain]]
name = "example.com"
catch_all = "ann@example.net"
"""


class Srs:
    """Runs ``mailer srs`` with a spool of its own."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.spool = home / "spool"
        self.spool.mkdir(mode=0o700)
        self.file = home / "config.toml"
        self.file.write_text(CONFIG.format(spool=self.spool))
        self.capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        assert main(["mailer", "srs", "--config", str(self.file), *arguments]) == code
        said = self.capsys.readouterr()
        return said.err if code else said.out


@pytest.fixture
def srs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Srs:
    return Srs(tmp_path, capsys)


def test_there_and_back(srs: Srs) -> None:
    """What stands for a sender, at our domain or another, and for whom that stands."""
    made = srs("Ann@example.org").strip()
    assert made.startswith("SRS0=")
    assert made.endswith("=example.org=Ann@example.com")
    assert srs(made) == "Ann@example.org\n"
    assert json.loads(srs("--json", made)) == {"sender": "Ann@example.org", "rewritten": made}
    assert json.loads(srs("--json", "Ann@example.org")) == {"sender": "Ann@example.org", "rewritten": made}
    assert srs("--domain", "srs.example.com", "Ann@example.org").endswith("@srs.example.com\n")
    assert srs("SRS0=abcd=JU=example.net=bob@example.org").startswith("SRS1=")


def test_one_that_nobody_has_made_is_said_to_be_none(srs: Srs) -> None:
    """With the reason, and the code for what is not there."""
    made = srs("Ann@example.org").strip()
    assert "nobody stands behind" in srs(made.replace("Ann", "Bob"), code=67)
    assert "was not made here" in srs("SRS0=abcd=JU=example.org=ann@example.com", code=67)


def test_the_secrets_are_counted_and_not_shown(srs: Srs) -> None:
    """A new one in front, the one before stays for as long as it is needed."""
    assert "There is no secret yet" in srs()
    srs("ann@example.org")
    file = srs.spool / "srs.secret"
    assert json.loads(srs("--json"))["secrets"] == 1
    assert "signs; 2 are known" in srs("rotate")
    assert "is needed for 22.0 days" in srs("rotate", code=75)
    assert "signs; 2 are known" in srs("rotate", "--force")
    found = json.loads(srs("--json"))
    assert (found["file"], found["secrets"]) == (str(file), 2)
    assert file.stat().st_mode & 0o777 == 0o600
    assert not any(secret in srs() + srs("--json") for secret in file.read_text().split())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")
def test_root_makes_it_for_the_owner_of_the_spool(capsys: pytest.CaptureFixture[str]) -> None:
    """Or the daemon could not read it."""
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)
        srs = Srs(Path(home), capsys)
        os.chown(srs.spool, 12345, 12345)
        srs("ann@example.org")
        srs("rotate")
        about = (srs.spool / "srs.secret").stat()
        assert (about.st_uid, about.st_mode & 0o777) == (12345, 0o600)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["ann"], "no domain"), (["a@example.com", "b@example.com"], "one ADDRESS"), (["a@b@example.com"], "'@'")],
)
def test_what_it_does_not_take(arguments: list[str], words: str, srs: Srs) -> None:
    """With what it takes."""
    assert words in srs(*arguments, code=64)


def test_without_a_domain_or_a_spool_it_says_what_is_missing(srs: Srs) -> None:
    """And what would help."""
    srs.file.write_text(CONFIG.format(spool=srs.spool).partition("[[domain]]")[0])
    assert "--domain" in srs("ann@example.org", code=64)
    srs.file.write_text(CONFIG.format(spool=srs.spool / "none"))
    assert "mailer run" in srs(code=67)
