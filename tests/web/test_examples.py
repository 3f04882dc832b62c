"""Clients in ``examples/``, and the commands of mailer-api(7) and the README, as their readers run them, against `mailer web`."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.config.file import examine
from tests.fakes.processes import MAILER, free_port
from tests.peers.install import CALLERS
from tests.test_manual import MAN, plain

from .home import Home

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
ID = r"[0-9A-HJKMNP-TV-Z]{26}"
PHP = shutil.which("php") or next(map(str, sorted(CALLERS.glob("usr/bin/php[0-9]*"))), None)
CLIENTS = {
    "api.sh": shutil.which("curl") and "/bin/sh",
    "api_requests.py": sys.executable,
    "api.mjs": shutil.which("node"),
    "api.php": PHP,
}
"""An example that sends one message → what runs it, or nothing where that is not installed."""


class Client:
    """Runs programs with the key of the server that `home` has."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{home.port}"
        self.key = home.key()

    def run(self, *argv: str, key: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "MAILER_KEY": key or self.key, "KEY": key or self.key}
        if argv[0].startswith(str(CALLERS)):
            environment["LD_LIBRARY_PATH"] = str(CALLERS / "usr/lib/x86_64-linux-gnu")
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment)

    @property
    def queued(self) -> list[Path]:
        return [*(self.home.spool / "queued").iterdir()]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    home = Home(tmp_path)
    made = Client(home)
    with home.web() as program:
        program.says('"what":"ready"')
        yield made


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.skipif(not by, reason=f"what runs {name} is not installed")) for name, by in CLIENTS.items()],
)
def test_an_example_sends_once_and_says_what_is_wrong(name: str, client: Client) -> None:
    """Twice the same order is one message; a wrong address, and a wrong key, are an exit code and a sentence without the key."""
    example = [str(CLIENTS[name]), str(EXAMPLES / name), client.url]
    first, again = (client.run(*example, "anna@example.net", "order-1") for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert re.search(ID, first.stdout)[0] == re.search(ID, again.stdout)[0]  # type: ignore[index]
    assert len(client.queued) == 1
    assert "queued" in first.stdout
    assert b"order-1 is on its way." in client.queued[0].read_bytes()
    wrong = client.run(*example, "no address", "order-2")
    assert wrong.returncode != 0
    assert "'no address' is not an address" in wrong.stdout + wrong.stderr
    nobody = client.run(*example, "anna@example.net", "order-3", key="mlr_0123")
    assert nobody.returncode != 0
    assert "this needs a valid key" in nobody.stdout + nobody.stderr
    assert "mlr_0123" not in nobody.stdout + nobody.stderr
    assert len(client.queued) == 1


def test_many_at_once(client: Client) -> None:
    """Each has its line, the wrong ones too, and a second run queues nothing."""
    example = [sys.executable, str(EXAMPLES / "api_httpx.py"), client.url]
    people = ["anna@example.net", "no address", "bob@example.net"]
    first, again = (client.run(*example, *people) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    anna, wrong, bob = first.stdout.splitlines()
    assert re.fullmatch(f"anna@example.net {ID}", anna)
    assert wrong.startswith("no address To: 'no address' is not an address")
    assert re.fullmatch(f"bob@example.net {ID}", bob)
    assert len(client.queued) == 2
    assert client.run(*example, "no address").stdout.startswith("no address To: 'no address' is not")
    assert "valid key" in client.run(*example, "anna@example.net", key="mlr_0123").stdout


def blocks() -> list[str]:
    """What stands in mailer-api(7) as it is."""
    page = plain((MAN / "mailer-api.7").read_text(encoding="ascii"))
    return re.findall(r"^\.EX\n(.*?)^\.EE", page, re.MULTILINE | re.DOTALL)


def test_the_commands_of_the_guide(client: Client) -> None:
    """What mailer-api(7) shows with curl works, one after the other."""
    shown = "".join(block for block in blocks() if "curl" in block)
    lines = [line for line in shown.splitlines() if "event-stream" not in line]  # which does not end
    assert len(lines) >= 8
    commands = "\n".join(lines).replace("http://127.0.0.1:8025", client.url).replace("curl ", "curl -sS -w '\\n' ")
    made = client.home.mailer("api", "key", "add", "guide", "--scope", "send,status,manage,events", "--json")
    done = client.run("/bin/sh", "-euc", commands, key=json.loads(made.stdout)["key"])
    assert done.returncode == 0, done.stderr
    accepted, one, many = map(json.loads, done.stdout.split("\n")[:3])
    assert (accepted["status"], accepted["request_id"]) == ("queued", "order-4711")
    assert one["id"] == accepted["id"]
    assert many == []  # which has failed, or is deferred
    assert done.stdout.split("\n")[3:] == ["", ""]  # no daemon has written an event


@pytest.mark.parametrize("text", [block for block in blocks() if block.startswith("[")], ids=lambda text: text.splitlines()[0])
def test_the_configurations_of_the_guide(text: str) -> None:
    """None has a mistake."""
    config, problems = examine("mailer-api.7", text.encode())
    assert problems == []
    assert config is not None


def test_the_commands_of_the_readme(tmp_path: Path) -> None:
    """From nothing to an event, as it stands there; only what installs is left out, and ports are others."""
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8").partition("## Asked by programs\n")[2].partition("\n## ")[0]
    shown = textwrap.dedent("\n".join(line for line in text.splitlines() if line.startswith("    ") or not line))
    lines = [line for line in shown.splitlines() if not line.startswith(("python3 -m venv", "pip install"))]
    sink, door = free_port(), free_port()
    commands = "\n".join(lines).replace("1025", str(sink)).replace("8025", str(door))
    commands = commands.replace("mailer sink >", f"mailer sink --port {sink} >").replace("curl ", "curl -sS -w '\\n' ")
    program = tmp_path / "bin" / "mailer"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(MAILER)} "$@"\n')
    program.chmod(0o755)
    before = f"export TMPDIR={tmp_path} PATH={program.parent}:$PATH\ntrap 'kill $(jobs -p); wait' EXIT"
    done = subprocess.run(["bash", "-euc", f"{before}\n{commands}"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    ready, accepted, status, *events = filter(None, done.stdout.splitlines())
    assert json.loads(ready) == {"status": "ready"}
    assert json.loads(accepted)["id"] == json.loads(status)["id"]
    assert all(json.loads(event)["request_id"] == "order-4711" for event in events)
