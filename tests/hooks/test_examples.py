"""The receivers among the examples: each takes what is signed, once, and refuses everything else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from mailer.hooks.payload import payload
from mailer.hooks.signing import signed, written
from tests.fakes.processes import PATIENCE
from tests.hooks.endpoints import event

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"
KEY = bytes(range(32))
NODE = shutil.which("node")


@pytest.mark.parametrize(
    "argv",
    [
        [sys.executable, str(EXAMPLES / "webhook_receiver.py")],
        pytest.param(
            [NODE, str(EXAMPLES / "webhook_receiver.mjs")], marks=pytest.mark.skipif(NODE is None, reason="node is not installed")
        ),
    ],
    ids=["python", "node"],
)
def test_a_receiver_takes_an_event_once_and_nothing_forged(argv: list[str]) -> None:
    """In the order: an event, the same again, one with another body, one that is ten minutes old, one without a signature."""
    environment = {**os.environ, "WEBHOOK_SECRET": written(KEY)}
    with subprocess.Popen([*argv, "0"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(re.search(r"\d+", process.stdout.readline())[0])  # type: ignore[index]
        try:
            one = event(1, reply="250 Ok")._replace(id="01JDZ3N4T0000000000000000A")
            body = payload(one, "standard") or b""
            now = time.time()
            fields = dict(signed(one.id, now, body, [bytes(32), KEY]))
            assert post(port, body, fields) == 204
            assert post(port, body, dict(signed(one.id, now + 1, body, [KEY]))) == 204
            assert post(port, body + b" ", fields) == 401
            assert post(port, body, dict(signed(one.id, now - 600, body, [KEY]))) == 401
            assert post(port, body, {}) == 401
            two = json.loads(body) | {"type": "failed"}
            other = json.dumps(two).encode()
            assert post(port, other, dict(signed("01JDZ3N4T0000000000000000B", now, other, [KEY]))) == 204
            assert [process.stdout.readline().split()[:2] for _ in range(2)] == [
                ["delivered", "r1@example.net"],
                ["failed", "r1@example.net"],
            ]
        finally:
            process.terminate()
            process.wait(PATIENCE)


def post(port: int, body: bytes, fields: dict[str, str]) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/events", body, {"Content-Type": "application/json", **fields})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
