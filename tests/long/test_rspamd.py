"""Rspamd itself, over HTTP and as a milter: without a name server, Redis or the Internet. Its start takes a minute or two."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest

from mailer.config.kinds import HostPort
from mailer.filtering.teachers import RspamdTeacher
from mailer.scan.opinion import Class, ScanError
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import free_port
from tests.filtering.scene import MAIL, Scene, section
from tests.peers import install
from tests.peers.filters import GTUBE
from tests.peers.postfix import scratch
from tests.peers.root import Root

pytestmark = pytest.mark.peer(root=True)

OFF = ("rbl", "surbl", "fuzzy_check", "asn", "mx_check", "phishing", "url_redirector", "neural", "history_redis")


SECRET = "a secret of the controller"
STATISTIC = """
classifier "bayes" {
  tokenizer { name = "osb"; }
  cache { path = "/var/lib/rspamd/learned.sqlite"; }
  backend = "sqlite3";
  min_tokens = 5;
  min_learns = 1;
  statfile { symbol = "BAYES_HAM"; path = "/var/lib/rspamd/ham.sqlite"; spam = false; }
  statfile { symbol = "BAYES_SPAM"; path = "/var/lib/rspamd/spam.sqlite"; spam = true; }
}
"""


class RunningRspamd(NamedTuple):
    """Where it listens."""

    http: str
    milter: str
    controller: str


@pytest.fixture(scope="module")
def rspamd() -> Iterator[RunningRspamd]:
    try:
        install.rspamd()
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"Rspamd cannot be fetched: {error}")
    with Nameserver() as server, scratch("rspamd") as home:
        root = Root(home / "root", install.RSPAMD)
        ports = [free_port() for _ in range(3)]
        configure(root.path, server.address, *ports)
        program = root.start("/usr/bin/rspamd", "-f", "-i", "-c", "/etc/rspamd/rspamd.conf", ports=ports)
        try:
            yield RunningRspamd(*(f"127.0.0.1:{port}" for port in ports))
        finally:
            root.stop(program)


def configure(root: Path, nameserver: HostPort, http: int, milter: int, controller: int) -> None:
    """Everything that asks others is off; what is learned is in a file, and one message of each kind is enough."""
    for name in ("run/rspamd", "var/lib/rspamd", "var/log/rspamd", "etc/rspamd/local.d"):
        (root / name).mkdir(parents=True, exist_ok=True)
    local = root / "etc/rspamd/local.d"
    dns = f'dns {{ nameserver = ["{nameserver}"]; timeout = 0.2s; retransmits = 1; }}\ntask_timeout = 8s;\n'
    (local / "options.inc").write_text(dns)
    (local / "worker-normal.inc").write_text(f'bind_socket = "127.0.0.1:{http}";\ncount = 1;\n')
    terms = f'bind_socket = "127.0.0.1:{controller}";\ncount = 1;\nsecure_ip = "192.0.2.1";\npassword = "{SECRET}";\n'
    (root / "etc/rspamd/override.d").mkdir(exist_ok=True)
    (root / "etc/rspamd/override.d/worker-controller.inc").write_text(terms)
    (root / "etc/rspamd/statistic.conf").unlink()
    (root / "etc/rspamd/statistic.conf").write_text(STATISTIC)
    proxy = 'upstream "local" { default = yes; self_scan = yes; }'
    (local / "worker-proxy.inc").write_text(f'bind_socket = "127.0.0.1:{milter}";\nmilter = yes;\ntimeout = 20s;\n{proxy}\ncount = 1;\n')
    for name in (*OFF, "worker-fuzzy"):
        (local / f"{name}.{'inc' if name.startswith('worker') else 'conf'}").write_text("enabled = false;\n")


def judged(*filters: Any, content: bytes = MAIL) -> Any:
    return asyncio.run(Scene(*filters).judged(content))


def test_it_is_asked_over_http(rspamd: RunningRspamd) -> None:
    """Its own test of spam is refused in its words; a plain letter has a score."""
    filter = section("rspamd", rspamd.http, timeout=30.0)
    spam = judged(filter, content=MAIL + GTUBE + b"\r\n")
    assert (spam.verdict, str(spam.reply)) == ("refuse", "550 5.7.1 Gtube pattern")
    ham = judged(filter)
    assert ham.verdict in ("accept", "mark")
    assert b"X-Spam-Score: " in ham.fields
    assert asyncio.run(Scene(filter).panel.pinged())[0][1] == "it answers pong"


def test_it_is_asked_as_a_milter(rspamd: RunningRspamd) -> None:
    """It answers to nothing but the end of a message, and says what it thinks then."""
    filter = section("milter", rspamd.milter, timeout=30.0)
    spam = judged(filter, content=MAIL + GTUBE + b"\r\n")
    assert (spam.verdict, str(spam.reply)) == ("refuse", "554 5.7.1 Gtube pattern")
    assert judged(filter).verdict == "accept"


def test_it_learns_what_users_say(rspamd: RunningRspamd, tmp_path: Path) -> None:
    """By its controller, with the password; a second time is nothing new, and the reverse undoes it."""
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    file.chmod(0o600)
    terms = {"learn": True, "learn_address": rspamd.controller, "timeout": 30.0}
    teacher = RspamdTeacher(section("rspamd", rspamd.http, learn_password_file=str(file), **terms))
    spam, ham = letter("casino", "winner"), letter("meeting", "report")

    def tell(content: bytes, known: Class, by: RspamdTeacher = teacher) -> bool:
        return asyncio.run(by.tell(content, known, "ann@example.com"))

    def counts() -> dict[str, int]:
        request = Request(f"http://{rspamd.controller}/stat", headers={"Password": SECRET})
        with urlopen(request, timeout=30) as answer:
            return {each["symbol"]: each["revision"] for each in json.load(answer)["statfiles"]}

    assert (tell(spam, "spam"), counts()) == (True, {"BAYES_HAM": 0, "BAYES_SPAM": 1})
    assert (tell(ham, "ham"), counts()) == (True, {"BAYES_HAM": 1, "BAYES_SPAM": 1})
    assert (tell(spam, "spam"), counts()) == (False, {"BAYES_HAM": 1, "BAYES_SPAM": 1})
    assert (tell(spam, "ham"), counts()) == (True, {"BAYES_HAM": 2, "BAYES_SPAM": 0})
    with pytest.raises(ScanError, match=r"rspamd answers 40[13]"):
        tell(spam, "ham", RspamdTeacher(section("rspamd", rspamd.http, **terms)))


def letter(*words: str) -> bytes:
    """A letter with a token for each of many words."""
    return MAIL.replace(b"Hello.", " ".join(f"{word}{number}" for number in range(60) for word in words).encode())
