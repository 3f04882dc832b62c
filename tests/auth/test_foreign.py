"""What others make of the same mail: mailauth judges each message as we do, method by method, chains that we have sealed among them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from mailer.auth.arc import seal
from mailer.auth.results import MethodResult, payload, read
from mailer.dkim.sign import Seal, sign
from mailer.filtering.proof import Proof
from tests.auth.answers import World
from tests.dkim.keys import key
from tests.filtering.letters import RECORDS, STRANGERS, THEIRS, letter, proved
from tests.peers.install import MAILAUTH, node

WORLD = {**RECORDS, **{(f"arc._domainkey.{host}", "TXT"): [key().record] for host in ("list.test", "other.test")}}
LEGIT = letter("From: Ann <ann@legit.test>")


def signed(content: bytes, domain: str, kind: str = "rsa") -> bytes:
    """`content` with a signature of today."""
    return sign(content, [Seal(domain, "s1", key(kind), 86400.0)], time.time())


def sealed(content: bytes, host: str, *methods: MethodResult) -> bytes:
    """`content` with a set of `host` of today."""
    return seal(content, payload(host, methods).decode(), key(), host, "arc", time.time()) + content


def letters() -> dict[str, tuple[bytes, str, str]]:
    """Messages, with the reverse-path and the address that they come from."""
    passed = MethodResult("dmarc", "pass", "", (("header.from", "legit.test"),))
    once = sealed(signed(LEGIT, "legit.test"), "list.test", passed)
    twice = sealed(once, "other.test", MethodResult("arc", "pass"))
    return {
        "all proved": (signed(LEGIT, "legit.test"), "ann@legit.test", THEIRS),
        "the path alone": (LEGIT, "ann@legit.test", THEIRS),
        "the signature alone": (signed(LEGIT, "legit.test"), "x@attack.test", STRANGERS),
        "nothing": (LEGIT, "x@attack.test", STRANGERS),
        "a path of another": (LEGIT, "ann@legit.test", STRANGERS),
        "a stranger's signature": (signed(LEGIT, "attack.test", "ed25519"), "x@attack.test", STRANGERS),
        "changed": (signed(LEGIT, "legit.test").replace(b"hello", b"hallo"), "x@attack.test", STRANGERS),
        "no records": (letter("From: a@nowhere.test"), "a@nowhere.test", STRANGERS),
        "soft": (letter("From: a@soft.test"), "a@soft.test", STRANGERS),
        "sealed": (once, "list@attack.test", STRANGERS),
        "sealed twice": (twice, "list@attack.test", STRANGERS),
        "sealed and changed": (twice.replace(b"hello", b"hallo"), "list@attack.test", STRANGERS),
        "a seal that was changed": (twice.replace(b"dmarc=pass", b"dmarc=fail"), "list@attack.test", STRANGERS),
        "a seal that is lacking": (twice.replace(b"ARC-Seal: i=1", b"X-Seal: i=1"), "list@attack.test", STRANGERS),
    }


def others_say(directory: Path) -> dict[str, dict[str, object]]:
    """What mailauth says of each."""
    dns = {f"{name} {type}": texts for (name, type), texts in WORLD.items()}
    records = directory / "dns.json"
    records.write_text(json.dumps(dns))
    asked = []
    for number, (content, sender, ip) in enumerate(letters().values()):
        path = directory / f"{number}.eml"
        path.write_bytes(content)
        asked.append(json.dumps({"path": str(path), "ip": ip, "helo": "host.test", "sender": sender}))
    argv = [node(), Path(__file__).parent / "node/authenticate.js", records]
    env = {**os.environ, "NODE_PATH": str(MAILAUTH / "node_modules")}
    done = subprocess.run(argv, input="\n".join(asked) + "\n", capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return dict(zip(letters(), map(json.loads, done.stdout.splitlines()), strict=True))


def we_say(proof: Proof) -> dict[str, object]:
    """The same of ours."""
    said = read(proof.field.decode().partition(":")[2])
    assert said is not None
    words = {one.method: one.word for one in said.results}
    signatures = [one.word for one in said.results if one.method == "dkim"]
    return {"spf": words["spf"], "dkim": signatures, "arc": words.get("arc", "none"), "dmarc": words["dmarc"]}


@pytest.mark.peer("mailauth")
def test_mailauth_finds_the_same(tmp_path: Path) -> None:
    """SPF, each signature, the chain, and DMARC; where there is no signature both say none."""
    theirs = others_say(tmp_path)
    for what, (content, sender, ip) in letters().items():
        ours = we_say(proved(content, sender, ip, world=World(WORLD), now=time.time()))
        same = {**theirs[what], "dkim": ["fail" if word == "neutral" else word for word in theirs[what]["dkim"]]}  # type: ignore[attr-defined]
        assert same == ours, what
