"""What we sign, others verify: dkimpy, OpenDKIM and mailauth, over messages of every shape, and as they come out of sign()."""

from __future__ import annotations

import functools
import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import dkim
import pytest

from mailer.dkim.key import name
from mailer.dkim.sign import Seal, sign
from tests.fakes.processes import which
from tests.peers.install import MAILAUTH, node

from .keys import seal
from .letters import BASE, chance, shapes

TAMPERED = (
    ("another body", b"the text.", b"the next."),
    ("another subject", b"Subject: a letter", b"Subject: a latter"),
    ("a second From", b"From: Anna", b"From: mallory@example.com\r\nFrom: Anna"),
    ("a second Subject", b"To: you", b"Subject: buy\r\nTo: you"),
    ("a Reply-To", b"To: you", b"Reply-To: mallory@example.net\r\nTo: you"),
    ("a Content-Type", b"To: you", b"Content-Type: text/html\r\nTo: you"),
    ("more at the end", b"the text.\r\n", b"the text.\r\nbuy\r\n"),
)


@functools.cache
def seals() -> tuple[Seal, ...]:
    """Who signs."""
    return seal("rsa", 2048), seal("rsa", 3072), seal("rsa", 4096), seal("ed25519")


@functools.cache
def published() -> Mapping[str, str]:
    """Their records, by name."""
    return {name(one.selector, one.domain): one.key.record for one in seals()}


@functools.cache
def letters() -> Mapping[str, bytes]:
    """At least 200 messages of every shape, each signed by an RSA key and the Ed25519 key, some by longer keys too."""
    now = time.time()
    signed = {}
    for number, (shape, content) in enumerate(itertools.chain(shapes(), chance(60))):
        by = seals() if number % 50 == 0 else (seals()[0], seals()[3])
        signed[shape] = sign(content, by, now)
    assert len(signed) >= 200
    return signed


@functools.cache
def forged() -> Mapping[str, bytes]:
    """Signed messages that somebody changed afterwards."""
    signed = sign((BASE + b"\nHello,\n\nthe text.\n").replace(b"\n", b"\r\n"), [seals()[0]], time.time())
    made = {}
    for what, before, after in TAMPERED:
        assert signed.count(before) == 1
        made[what] = signed.replace(before, after)
    return made


def written(letters: Mapping[str, bytes], directory: Path) -> list[Path]:
    """The messages as files, in their order."""
    paths = [directory / f"{number:04}" for number in range(len(letters))]
    for path, content in zip(paths, letters.values(), strict=True):
        path.write_bytes(content)
    return paths


def signatures(content: bytes) -> int:
    """How many of our signatures stand above a message."""
    ours = [one.selector.encode() for one in seals()]
    return sum(selector in ours for selector in re.findall(rb"s=(\S+);", content))


def dkimpy_says(content: bytes, number: int) -> bool:
    """Whether dkimpy believes a signature."""
    try:
        return bool(dkim.DKIM(content).verify(number, dnsfunc=lambda name, timeout=5: published()[name.decode().rstrip(".")].encode()))
    except dkim.DKIMException:
        return False


@pytest.mark.slow
def test_dkimpy_believes_all_of_it() -> None:
    """Each signature of each message, RSA of all lengths and Ed25519."""
    doubted = [
        (shape, number) for shape, content in letters().items() for number in range(signatures(content)) if not dkimpy_says(content, number)
    ]
    assert doubted == []


@pytest.mark.slow
def test_dkimpy_believes_no_forgery() -> None:
    """A change of what is signed, or a second field beside a signed one, and the signature does not hold."""
    assert [what for what, content in forged().items() if dkimpy_says(content, 0)] == []


def opendkim_says(letters: Mapping[str, bytes], seals: tuple[Seal, ...], directory: Path) -> list[str]:
    """The names of the messages that OpenDKIM believes; it tells of one signature of each."""
    keys = "".join(f"{name(one.selector, one.domain)} {one.key.record}\n" for one in seals)
    directory.joinpath("keys").write_text(keys)
    directory.joinpath("conf").write_text(f"Mode v\nTestPublicKeys {directory}/keys\nTemporaryDirectory {directory}\n")
    paths = written(letters, directory)
    argv = [which("opendkim"), "-x", directory / "conf", "-v", "-t", ",".join(map(str, paths))]
    done = subprocess.run(argv, capture_output=True, text=True)
    believed = set(re.findall(r"^opendkim: (\S+): verification \(.*\) succeeded$", done.stdout + done.stderr, re.MULTILINE))
    return [shape for shape, path in zip(letters, paths, strict=True) if str(path) in believed]


@pytest.mark.peer("opendkim")
@pytest.mark.parametrize("number", range(4), ids=["rsa2048", "rsa3072", "rsa4096", "ed25519"])
def test_opendkim_believes_all_of_it(number: int, tmp_path: Path) -> None:
    """Each message of every shape, signed with each key alone."""
    one = seals()[number]
    content = {shape: sign(content, [one], time.time()) for shape, content in itertools.chain(shapes(), chance(60))}
    assert opendkim_says(content, (one,), tmp_path) == list(content)


@pytest.mark.peer("opendkim")
def test_opendkim_believes_no_forgery(tmp_path: Path) -> None:
    """The same changes, and the same answer."""
    assert opendkim_says(forged(), seals(), tmp_path) == []


def mailauth_says(letters: Mapping[str, bytes], directory: Path) -> dict[str, list[str]]:
    """The results of all signatures of each message."""
    records = directory / "records.json"
    records.write_text(json.dumps(published()))
    paths = "".join(f"{path}\n" for path in written(letters, directory))
    argv = [node(), Path(__file__).parent / "node/verify.js", records]
    env = {**os.environ, "NODE_PATH": str(MAILAUTH / "node_modules")}
    done = subprocess.run(argv, input=paths, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return dict(zip(letters, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.peer("mailauth")
def test_mailauth_believes_all_of_it(tmp_path: Path) -> None:
    """Each signature of each message."""
    said = mailauth_says(letters(), tmp_path)
    ours = {shape: results[: signatures(letters()[shape])] for shape, results in said.items()}
    assert {shape: results for shape, results in ours.items() if len(results) < 2 or set(results) != {"pass"}} == {}


@pytest.mark.peer("mailauth")
def test_mailauth_believes_no_forgery(tmp_path: Path) -> None:
    """The same changes, and the same answer."""
    assert [what for what, results in mailauth_says(forged(), tmp_path).items() if "pass" in results] == []
