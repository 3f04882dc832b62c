"""The examples of clients of the API, and the commands of mailer-api(7), as their readers run them: against `mailer web`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_the_commands_of_the_guide(client: Client) -> None:
    """What mailer-api(7) shows with curl works, one after the other."""
    page = plain((MAN / "mailer-api.7").read_text(encoding="ascii"))
    blocks = [block for block in re.findall(r"^\.EX\n(.*?)^\.EE", page, re.MULTILINE | re.DOTALL) if "curl" in block]
    assert len(blocks) >= 2
    done = client.run(
        "/bin/sh", "-euc", "\n".join(blocks).replace("http://127.0.0.1:8025", client.url).replace("curl ", "curl -sS -w '\\n' ")
    )
    assert done.returncode == 0, done.stderr
    accepted, one, many = map(json.loads, done.stdout.splitlines())
    assert (accepted["status"], accepted["request_id"]) == ("queued", "order-4711")
    assert one["id"] == accepted["id"]
    assert many == []  # which has failed, or is deferred
