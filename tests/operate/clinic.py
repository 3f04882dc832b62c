"""A machine on which one thing at a time is wrong: a spool, settings, a name server and a relay, all well until a test spoils them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from mailer.cli import main
from mailer.sink import Moods, SinkThread
from mailer.spool.files.store import SpoolDirectory
from tests.fakes.mail import put
from tests.fakes.nameserver import Nameserver

HOME = "198.51.100.10"
ZONE = f"""
other.example. 600 IN MX 10 mx.other.example.
mx.other.example. 600 IN A 127.0.0.1
host.example. 600 IN A {HOME}
10.100.51.198.in-addr.arpa. 600 IN PTR host.example.
2.0.0.127.bl.example. 600 IN A 127.0.0.2
"""
CONFIG = """\
[mailer]
hostname = "host.example"
spool = "{spool}"
[submission]
from_address = "robot@other.example"
[dns]
nameservers = ["{names}"]
timeout = "5s"
lifetime = "10s"
[check]
port_domain = "other.example"
blocklists = []
time_server = ""
deadline = "5s"
[tls]
ca_file = "{home}/ca.pem"
"""
RELAY = '[relay.out]\nhost = "127.0.0.1"\nport = {port}\nserver_name = "relay.example"\n'
DIRECT = '[delivery]\nsource4 = "198.51.100.10"\nfamily = "only4"\nallow_private = true\nmx_port = {closed}\n'


class Visited(NamedTuple):
    """How ``mailer doctor --json`` ended: its exit code, its findings, and what it did."""

    code: int
    found: list[dict[str, Any]]
    did: list[str]

    def of(self, check: str) -> list[dict[str, Any]]:
        """The findings of one check."""
        return [each for each in self.found if each["check"] == check]

    @property
    def bad(self) -> list[tuple[str, str, str]]:
        """What does not pass: check, result and evidence."""
        return [(each["check"], each["result"], each["evidence"]) for each in self.found if each["result"] != "pass"]


class Clinic:
    """Everything below `home`; `doctor` looks at it, in this process."""

    def __init__(self, home: Path, names: Nameserver, relay: SinkThread, authority: trustme.CA, said: Callable[[], str]) -> None:
        self.home = home
        self.names = names
        self.relay = relay
        self.authority = authority
        self._said = said
        self.spool = SpoolDirectory(str(home / "spool"))
        self.spool.prepare()
        self.root = home / "spool"
        self.file = home / "config.toml"
        self.authority.cert_pem.write_to_path(str(home / "ca.pem"))
        self.configure()

    def configure(self, more: str = "", *, relay: str = RELAY) -> None:
        """Write the configuration, with `more` sections."""
        places = {"home": self.home, "spool": self.root, "names": self.names.address, "port": self.relay.port}
        text = CONFIG.format(**places) + relay.replace("{port}", str(self.relay.port)) + more
        self.file.write_text(text)

    def change(self, before: str, after: str) -> None:
        """Say something else in the configuration."""
        text = self.file.read_text()
        assert before in text
        self.file.write_text(text.replace(before, after))

    def secret(self, text: str = "s3cret", mode: int = 0o600) -> str:
        """The path of a file with a password, made with `mode`."""
        path = self.home / "secret"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def put(self, *, age: float = 0.0) -> Path:
        """A message that was queued so many seconds ago; its file."""
        return self.root / "queued" / put(self.spool, at=time.time() - age)

    def doctor(self, *options: str, named: bool = True) -> Visited:
        """What it says; unless it is `named`, the configuration is found by the environment."""
        if not named:
            os.environ["MAILER_CONFIG"] = str(self.file)
        try:
            code = main(["mailer", "doctor", "--json", *(["--config", str(self.file)] if named else []), *options])
        finally:
            os.environ["MAILER_CONFIG"] = os.devnull
        lines = [json.loads(line) for line in self._said().splitlines()]
        return Visited(code, [each for each in lines if "check" in each], [each["repaired"] for each in lines if "repaired" in each])


class Stage(NamedTuple):
    """A failure: what spoils the clinic, the check that finds it and how bad it is, and words of the cause and of the remedy."""

    spoil: Callable[[Clinic], object]
    check: str
    result: str
    cause: str
    remedy: str


def finds(clinic: Clinic, stage: Stage) -> None:
    """The doctor is content before, and afterwards names cause and remedy, and exits accordingly."""
    stage.spoil(clinic)
    visited = clinic.doctor()
    found = [each for each in visited.of(stage.check) if each["result"] == stage.result]
    told = [f"{each['subject']}: {each['evidence']}" for each in found]
    assert [each for each in told if stage.cause in each], visited.bad
    assert [each for each in found if stage.remedy in (each["advice"] or "") + ((each["record"] or {}).get("zone") or "")], found
    assert visited.code == {"warn": 1, "fail": 2}[max((each["result"] for each in visited.found), key=("pass", "warn", "fail").index)]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nameserver, SinkThread, trustme.CA]]:
    """Those who answer: a name server, a relay that anybody may use, and an authority that signed its certificate."""
    import ssl

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("relay.example").configure_cert(context)
    with Nameserver(ZONE) as names, SinkThread(Moods(), tls=context) as relay:
        yield names, relay, authority


@pytest.fixture
def clinic(
    people: tuple[Nameserver, SinkThread, trustme.CA],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Clinic]:
    """A machine where all is well, but that no daemon runs."""
    names, relay, authority = people
    sendmail = tmp_path / "bin" / "sendmail"
    sendmail.parent.mkdir()
    sendmail.write_text("#!/bin/sh\n# from mailer.cli import start\n")
    sendmail.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sendmail.parent}:{os.environ['PATH']}")
    yield Clinic(tmp_path, names, relay, authority, lambda: capsys.readouterr().out)
    names.behave()
    names.serve(ZONE)
