"""The API as a process, for the clients that people have; and what of a key, and of a link, must never get anywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from tests.cli.home import Home
from tests.fakes.processes import MAILER, Program, free_port, which
from tests.web.api import MAIL

pytestmark = pytest.mark.slow


class House:
    """``mailer web`` in a home, with a key."""

    def __init__(self, home: Home, prefix: tuple[str, ...] = ()) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.metrics = free_port()
        home.configure(f'[[listen]]\nkind = "web"\naddress = "127.0.0.1:{self.port}"\n[log]\nlevel = "debug"\n')
        made = home.mailer("api", "key", "add", "shop", "--scope", "send,status,manage", "--json")
        self.key: str = json.loads(made.stdout)["key"]
        self.program = Program([*prefix, *MAILER, "web"], home.path / "log", env=home.env)
        self.program.accepts(self.port)

    @property
    def fields(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def close(self) -> None:
        self.program.stop()


@pytest.fixture
def house(home: Home) -> Iterator[House]:
    made = House(home)
    yield made
    made.close()


def by_curl(house: House, number: int) -> Any:
    argv = [
        "curl",
        "-sS",
        "--fail-with-body",
        "-H",
        f"Authorization: Bearer {house.key}",
        "--json",
        json.dumps({**MAIL, "request_id": f"{number}"}),
    ]
    return json.loads(subprocess.run([*argv, f"{house.url}/send_email"], capture_output=True, check=True, timeout=60).stdout)


def by_requests(house: House, number: int) -> Any:
    return requests.post(f"{house.url}/send_email", json={**MAIL, "request_id": f"{number}"}, headers=house.fields, timeout=60).json()


def by_httpx(house: House, number: int) -> Any:
    return httpx.post(
        f"{house.url}/send_email", json={**MAIL, "request_id": f"{number}"}, headers=house.fields, timeout=60, trust_env=False
    ).json()


SCRIPT = """
const [url, key, body] = process.argv.slice(1)
fetch(url, {method: "POST", body, headers: {Authorization: `Bearer ${key}`, "Content-Type": "application/json"}})
  .then(answer => answer.text()).then(text => console.log(text))
"""


def by_node(house: House, number: int) -> Any:
    argv = ["node", "-e", SCRIPT, "--", f"{house.url}/send_email", house.key, json.dumps({**MAIL, "request_id": f"{number}"})]
    return json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout)


CLIENTS = [by_requests, by_httpx, *([by_curl] if shutil.which("curl") else []), *([by_node] if shutil.which("node") else [])]


def test_every_client_hands_mail_in(house: House) -> None:
    """Twice the same, and it is one message of each."""
    found = [(client(house, nth)["id"], client(house, nth)) for nth, client in enumerate(CLIENTS)]
    assert all(id == again["id"] and again["repeat"] for id, again in found)
    assert sorted(id for id, _ in found) == sorted(house.home.queued())
    listed = requests.get(f"{house.url}/status?recipient_email=anna@example.net", headers=house.fields, timeout=60).json()
    assert len(listed) == len(CLIENTS)


def test_a_large_message_is_handed_in(house: House) -> None:
    """Of ten megabytes, by a client that asks first whether it may (Expect: 100-continue)."""
    body = house.home.path / "body"
    body.write_text(json.dumps({**MAIL, "attachments": [{"filename": "a.bin", "data_base64": "QUJD" * 3_300_000}]}))
    argv = ["curl", "-sS", "-H", f"Authorization: Bearer {house.key}", "-H", "Content-Type: application/json", "-H", "Expect: 100-continue"]
    done = subprocess.run([*argv, "-T", body, "-X", "POST", f"{house.url}/send_email"], capture_output=True, check=True, timeout=60)
    assert house.home.queued() == [json.loads(done.stdout)["id"]]


def test_the_key_is_nowhere_but_with_its_holder(house: House) -> None:
    """Not in a log, an answer, a list of processes, the spool, the database, or what commands print; nor is a wrong one."""
    wrong = house.key[:20] + "CANARYCANARYCANARYCANARY"
    said = []
    for key in (house.key, wrong):
        fields = {"Authorization": f"Bearer {key}"}
        for method, path in (
            ("GET", "/status/x"),
            ("GET", f"/status/{key}"),
            ("GET", f"/status?key={key}"),
            ("POST", "/send_email"),
            ("PUT", "/x"),
        ):
            answer = requests.request(
                method, house.url + path, json={**MAIL, "request_id": "r", "subject": "x"}, headers=fields, timeout=60
            )
            said += [answer.text, str(answer.headers)]
    for words in (
        ("api", "key", "list", "--json"),
        ("config", "show"),
        ("status", "--json"),
        ("explain", "r", "--json", "--no-dns"),
        ("doctor", "--json"),
    ):
        done = house.home.mailer(*words)
        said += [done.stdout.decode(), done.stderr.decode()]
    said += [path.read_bytes().decode("latin-1") for path in Path("/proc", str(house.program.pid)).glob("cmdline")]
    house.program.stop()
    said += [path.read_bytes().decode("latin-1") for path in house.home.path.rglob("*") if path.is_file()]
    assert "request" in house.program.said
    for key in (house.key, wrong):
        secret = key[12:]
        shown = [text[max(0, text.find(secret) - 200) :][:300] for text in said if secret in text]
        assert not shown


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_nothing_of_a_payload_is_ever_called(home: Home) -> None:
    """A link to the metadata of a cloud is written into the text, and no connection is made to it, or to anybody."""
    log = home.path / "trace"
    house = House(home, (which("strace"), "-f", "-e", "trace=connect,sendto", "-o", str(log)))
    try:
        links = [{"filename": "x", "download_url": url} for url in ("http://169.254.169.254/latest", "https://127.0.0.2:9/x")]
        answer = requests.post(f"{house.url}/send_email", json={**MAIL, "attachments": links}, headers=house.fields, timeout=60)
        assert answer.status_code == 202, answer.text
        time.sleep(0.2)  # whoever would fetch it later
    finally:
        [pid] = Path(f"/proc/{house.program.pid}/task/{house.program.pid}/children").read_text().split()
        os.kill(int(pid), signal.SIGTERM)
        house.program.wait()
    calls = log.read_text()
    assert "exited with" in calls
    assert not re.findall(r"connect\(\d+, \{sa_family=AF_INET6?.*", calls)
