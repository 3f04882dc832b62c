"""``mailer setup`` at a terminal: the whole dialogue, with a real relay that wants TLS and a login."""

from __future__ import annotations

import os
import ssl
import stat
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trustme

from mailer.sink import Moods, SinkThread
from tests.fakes.authorization import CLIENT, AuthorizationServer
from tests.fakes.nameserver import Nameserver

from .dialogue import Dialogue

pytestmark = pytest.mark.slow  # each dialogue is a process at a terminal

SECRET = "s3cret pass"
ADDRESS = "anna@gmail.com"  # whose provider is known without the DNS
INTRO = "Ctrl-C ends it, and nothing is written"


class Scene:
    """A home, a relay in it, and where the configuration goes."""

    def __init__(self, place: Path, sink: SinkThread, authority: str, fingerprint: str) -> None:
        self.place = place
        self.sink = sink
        self.authority = authority
        self.fingerprint = fingerprint
        self.file = place / "etc" / "config.toml"
        self.env = {"PATH": os.environ["PATH"], "HOME": str(place), "NO_COLOR": "1", "TMPDIR": str(place / "tmp")}
        (place / "tmp").mkdir()

    def dialogue(self, *more: str) -> Dialogue:
        """Begin; nothing is started or made outside of the home."""
        fixed = ("--config", str(self.file), "--spool", str(self.place / "spool"), "--no-unit", "--no-sendmail")
        return Dialogue(["setup", *fixed, *more], self.env)

    def server(self, said: Dialogue, password: str = SECRET) -> None:
        """Answer what is asked about the relay."""
        said.answers("A number or a name", "relay")
        said.answers("HOST or HOST:PORT", f"127.0.0.1:{self.sink.port}")
        said.answers("Encryption", "")
        said.answers("The name to log in with", "anna")
        said.answers("Password (it is not shown)", password)

    @property
    def written(self) -> dict[str, Any]:
        return tomllib.loads(self.file.read_text())

    @property
    def files(self) -> list[str]:
        """What is beside the configuration; nothing is left where scratch files are."""
        assert not [*(self.place / "tmp").iterdir()]
        return sorted(path.name for path in self.file.parent.glob("*"))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    ca = trustme.CA()
    certificate = ca.issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    with SinkThread(tls=context, users={"anna": SECRET}) as sink:
        yield Scene(tmp_path, sink, str(tmp_path / "ca.pem"), sha256(der).hexdigest())


def test_the_whole_dialogue(scene: Scene) -> None:
    """Questions, a look, the files, and a mail to oneself: the relay has it, the password is nowhere but in its file."""
    with scene.dialogue("--ca-file", scene.authority) as said:
        said.hears(INTRO)
        said.answers("Your mail address", "not an address")
        said.answers("Your mail address", ADDRESS)
        assert "gmail" in said.hears("gmail.com is Gmail and Google Workspace", "Who sends your mail", "[gmail]")
        said.type("nobody at all")
        said.hears("answer with a number from 1 to 8")
        scene.server(said, "")
        said.hears("there has to be one")
        said.answers("Password", SECRET)
        said.hears("login as anna accepted", f"mail from {ADDRESS} would be taken")
        said.hears(f"wrote {scene.file.parent}/out.secret", f"wrote {scene.file}", "it was taken: 250", "All is set up", "mailer run")
        assert said.ends() == 0
        assert SECRET not in said.said
    (arrived,) = scene.sink.messages
    assert (arrived.sender, arrived.recipients, arrived.user) == (ADDRESS, (ADDRESS,), "anna")
    assert b"Subject: mailer works here" in arrived.content
    assert scene.files == ["config.toml", "out.secret"]
    assert (scene.file.parent / "out.secret").read_text() == SECRET + "\n"
    assert stat.S_IMODE((scene.file.parent / "out.secret").stat().st_mode) == 0o600
    assert stat.S_IMODE(scene.file.stat().st_mode) == 0o644
    relay = scene.written["relay"]["out"]
    assert (relay["username"], relay["tls"], relay["ca_file"]) == ("anna", "starttls", scene.authority)
    assert scene.written["submission"]["aliases"] == {"*": ADDRESS}


def test_what_the_relay_refuses_is_asked_again(scene: Scene) -> None:
    """First its certificate, which is trusted then, then a wrong password, with what was said before behind each question."""
    with scene.dialogue() as said:
        said.answers("Your mail address", ADDRESS)
        scene.server(said, "guessed")
        said.hears("certificate is not accepted", "--ca-file", f"SHA-256 {scene.fingerprint}")
        said.answers("What now?", "trust")
        said.hears("login as anna refused", "535", "are name and password right?")
        said.answers("What now?", "again")
        said.hears("login as anna refused")
        assert (scene.file.exists(), (scene.place / "spool").exists()) == (False, False)
        said.answers("What now?", "change")
        said.answers(f"Your mail address [{ADDRESS}]", "")
        said.answers("A number or a name [relay]", "")
        said.answers(f"HOST or HOST:PORT [127.0.0.1:{scene.sink.port}]", "")
        said.answers("Encryption", "")
        said.answers("The name to log in with", "")
        said.answers("Password", SECRET)
        said.hears("login as anna accepted", "All is set up")
        assert said.ends() == 0
    assert scene.written["relay"]["out"]["fingerprints"] == [scene.fingerprint]
    assert scene.sink.count == 1


@pytest.mark.parametrize(("answer", "code", "files"), [("quit", 69, []), ("write", 0, ["config.toml", "out.secret"])])
def test_giving_up_and_insisting(scene: Scene, answer: str, code: int, files: list[str]) -> None:
    """Who ends it leaves nothing behind; who insists has the files."""
    with scene.dialogue("--no-test") as said:
        said.answers("Your mail address", ADDRESS)
        scene.server(said)
        said.answers("What now?", answer)
        assert said.ends() == code
    assert scene.files == files


@pytest.mark.parametrize("where", ["Your mail address", "A number or a name", "Password", "What now?"])
def test_interrupted(scene: Scene, where: str) -> None:
    """Ctrl-C at any question ends it, and nothing is left."""
    with scene.dialogue() as said:
        for question, answer in (
            ("Your mail address", ADDRESS),
            ("A number or a name", "relay"),
            ("HOST or HOST:PORT", f"127.0.0.1:{scene.sink.port}"),
            ("Encryption", ""),
            ("The name to log in with", "anna"),
            ("Password", SECRET),
            ("What now?", ""),
        ):
            said.hears(question)
            if question == where:
                break
            said.type(answer)
        said.interrupt()
        assert said.ends(said.interrupt) == 75
        assert "mailer: interrupted" in said.rest
    assert scene.files == []


def test_killed(scene: Scene) -> None:
    """Nor is anything left where it is asked to end while it waits."""
    with scene.dialogue() as said:
        said.answers("Your mail address", ADDRESS)
        scene.server(said)
        said.hears("What now?")
        assert len(scene.files) == 2
        said.process.terminate()
        assert said.ends(said.process.terminate) == 75
    assert scene.files == []
    assert not scene.file.parent.exists()


def test_a_configuration_of_before(scene: Scene) -> None:
    """It stays without a yes; with one it is kept beside the new one."""
    scene.file.parent.mkdir()
    scene.file.write_text("# ours\n")
    with scene.dialogue() as said:
        said.answers("exists already. Replace it?", "perhaps")
        said.hears("answer y or n")
        said.answers("[y/N]", "")
        assert said.ends() == 73
    assert scene.file.read_text() == "# ours\n"
    with scene.dialogue("--ca-file", scene.authority, "--address", ADDRESS, "--no-test") as said:
        said.answers("exists already. Replace it?", "y")
        scene.server(said)
        said.hears(f"kept the configuration of before as {scene.file}.old")
        assert said.ends() == 0
    assert scene.files == ["config.toml", "config.toml.old", "out.secret"]
    assert (scene.file.parent / "config.toml.old").read_text() == "# ours\n"


def test_a_mail_that_is_put_off(scene: Scene) -> None:
    """Greylisting is no failure of the setup: it is told with its remedy, can be tried again, and the exit code says so."""
    grey = SinkThread(Moods(replies={"rcpt": "451 4.7.1 greylisted, come back later"}))
    with grey, scene.dialogue("--relay", f"127.0.0.1:{grey.port}", "--tls", "none", "--no-login", "--no-probe") as said:
        said.answers("Your mail address", ADDRESS)
        said.hears("put off for now: 451 4.7.1 greylisted", "it is tried again by itself", "mailer explain")
        said.answers("Try it again now?", "y")
        said.hears("put off for now")
        said.answers("Try it again now?", "n")
        assert said.ends() == 75
    assert scene.files == ["config.toml"]


def test_the_server_is_known_from_the_domain(scene: Scene) -> None:
    """SRV records of a domain of one's own name it, with its port; Enter takes it."""
    without = "_submissions._tcp.own.example. 60 IN SRV 0 0 0 ."
    with Nameserver(f"_submission._tcp.own.example. 60 IN SRV 0 1 {scene.sink.port} mail.own.example.\n{without}\n") as server:
        scene.file.parent.mkdir()
        scene.file.write_text(f'[dns]\nnameservers = ["{server.host}:{server.port}"]\n')
        with scene.dialogue("--yes", "--no-probe", "--no-test") as said:
            said.answers("Your mail address", "anna@own.example")
            said.hears("own.example says that its users send by mail.own.example")
            said.answers("A number or a name [relay]", "")
            said.answers("HOST or HOST:PORT [mail.own.example]", "")
            said.answers("Encryption: starttls, implicit, none [starttls]", "")
            said.answers("[anna@own.example]", "")
            said.answers("Password", SECRET)
            assert said.ends() == 0
    relay = scene.written["relay"]["out"]
    assert (relay["host"], relay["port"], relay["username"]) == ("mail.own.example", scene.sink.port, "anna@own.example")


def test_with_a_token(scene: Scene, tmp_path: Path) -> None:
    """Somebody consents, the relay takes the token, and the daemon finds all that it needs to get the next one."""
    with AuthorizationServer(tmp_path) as provider:
        scene.env["SSL_CERT_FILE"] = provider.ca_file
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority = trustme.CA()
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(scene.authority)
        with SinkThread(tls=context, users={"anna": provider.access}, mechanisms=("XOAUTH2",)) as sink:
            with scene.dialogue("--address", ADDRESS, "--relay", f"127.0.0.1:{sink.port}", "--ca-file", scene.authority, "--oauth") as said:
                said.answers("Encryption", "")
                said.answers("The name to log in with", "anna")
                said.answers("Where tokens are fetched", "http://unsafe.example/")
                said.answers("begins with https://", f"{provider.base}/token")
                said.answers("Where a browser consents", f"{provider.base}/authorize")
                said.answers("Where device codes come from", f"{provider.base}/device")
                said.answers("The scope to ask for", "")
                said.answers("The client id", CLIENT)
                said.answers("The client's secret", "")
                said.hears("type this code:", "waiting")
                provider.consent(provider.user_code)
                said.hears("login as anna accepted", "it was taken")
                assert said.ends() == 0
            assert sink.count == 1
            assert provider.tokens[0] not in said.said
    assert (scene.file.parent / "out.refresh").read_text() == provider.tokens[0] + "\n"
    relay = scene.written["relay"]["out"]
    assert (relay["auth"], relay["oauth_device_endpoint"]) == ("xoauth2", f"{provider.base}/device")
    assert scene.files == ["config.toml", "out.refresh", "out.refresh.access"]
