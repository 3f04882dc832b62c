"""What commands print for programs is what their schemas say: no member less, and none that they do not know."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import pytest

from mailer.cli import TABLE, load, main
from mailer.mail.problem import Problem
from mailer.operate.oauth import TokenKept
from mailer.operate.schemas import SCHEMAS, schema
from mailer.testing import Moods, SinkThread
from tests.journey.world import World

PAYLOAD = {"from": "a@example.com", "to": ["json@example.net"], "subject": "JSON", "text": "x", "request_id": "k-1"}


def strict(found: Any) -> Any:
    """A schema that knows no more than it says."""
    if isinstance(found, list):
        return [strict(one) for one in found]
    if not isinstance(found, dict):
        return found
    made = {name: strict(one) for name, one in found.items()}
    return {**made, "additionalProperties": False} if isinstance(found.get("properties"), dict) else made


def right(command: str, text: str, *, lines: int = 1) -> list[dict[str, Any]]:
    """Hold each line against the schema; there have to be at least so many."""
    found = [json.loads(line) for line in text.splitlines()]
    assert len(found) >= lines, text
    checker = jsonschema.Draft202012Validator(strict(schema(command)), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    for one in found:
        errors = [f"{error.json_path}: {error.message}" for error in checker.iter_errors(one)]
        errors += [f"{each.json_path}: {each.message}" for error in checker.iter_errors(one) for each in error.context or ()]
        assert not errors, (command, one, errors[:8])
    return found


class Asked(NamedTuple):
    out: str


class Inside:
    """Commands that read no input run in this process, which costs a tenth."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAILER_CONFIG", str(world.config))
        monkeypatch.setenv("HOME", str(world.home))

    def mailer(self, *words: str | Path) -> Asked:
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()):
            main(["mailer", *map(str, words)])
        return Asked(out.getvalue())


@pytest.fixture
def inside(world: World, monkeypatch: pytest.MonkeyPatch) -> Inside:
    return Inside(world, monkeypatch)


def commands() -> Iterator[str]:
    """The commands that declare ``--json``, by their words."""
    for name in TABLE:
        module = load(name)
        for one in getattr(module, "COMMANDS", {"": getattr(module, "COMMAND", None)}).values():
            if any(option.key == "--json" for option in one.options):
                yield one.name


def test_each_command_that_prints_json_has_a_schema() -> None:
    """And nothing else has; each is one by the rules of the draft."""
    assert set(commands()) == set(SCHEMAS)
    for name in SCHEMAS:
        jsonschema.Draft202012Validator.check_schema(schema(name))
    with pytest.raises(Problem, match="did you mean 'status'"):
        schema("statsu")


@pytest.mark.slow
def test_messages_that_wait_went_and_failed(world: World, inside: Inside) -> None:
    """Sent, refused, put off and scheduled ones: by every command that shows them, with all the forms that it has."""
    moods = Moods(refuse={"nobody@example.net": "550 5.1.1 no such user", "later@example.net": "451 4.7.1 come back"})
    with SinkThread(moods) as sink:
        world.configure(sink.port, schedule=["1h"], more="[journal]\nkeep = true\n")
        sent = world.mailer("send", "--json", "-f", "a@example.com", "ann@example.net", "bad@-", input=b"Subject: x\n\nx\n")
        (first,) = right("send", sent.out)
        right("send", world.mailer("send", "--json", "--dry-run", "b@example.net", input=b"Subject: x\n\nx\n").out)
        right("send", world.mailer("send", "--json", "--from-json", "-", input=json.dumps(PAYLOAD).encode()).out)
        lines = (json.dumps({**PAYLOAD, "request_id": "k-2"}), json.dumps({"to": 7}))
        right("send", world.mailer("send", "--json", "--batch", input="\n".join(lines).encode()).out, lines=2)
        failed, later = world.send("nobody@example.net"), world.send("later@example.net")
        scheduled = world.mailer("send", "--json", "--delay", "2h", "x@example.net", input=b"Subject: x\n\nx\n")
        (timed,) = right("send", scheduled.out)
        held = world.send("held@example.net")
        (acted,) = right("queue hold", inside.mailer("queue", "hold", "--json", held).out)
        assert acted["done"]
        world.once()
        for id in (first["id"], failed, later, timed["id"]):
            right("status", inside.mailer("status", "--json", id).out)
            right("explain", inside.mailer("explain", "--json", "--no-dns", id).out)
        right("explain", inside.mailer("explain", "--json", later).out)
        right("status", inside.mailer("status", "--json").out)
        right("status", inside.mailer("status", "--json", "--limit", "0").out, lines=5)
        right("status", inside.mailer("status", "--check", "--json").out)
        for by in ("destination", "domain", "reason"):
            right("status", inside.mailer("status", "--destinations", "--by", by, "--json").out)
        right("bounces", inside.mailer("bounces", "--json").out)
        right("events", inside.mailer("events", "--json").out, lines=7)
        for by in ("reason", "domain", "code", "class"):
            right("bounces", inside.mailer("bounces", "--by", by, "--json").out)
        right("queue list", inside.mailer("queue", "list", "--json").out, lines=3)
        for by in ("sender", "subject", "submitter"):
            right("queue list", inside.mailer("queue", "list", "--by", by, "--json").out)
        for id in (later, failed):
            right("queue show", inside.mailer("queue", "show", "--json", "--body", id).out)
        for verb, id in (("release", held), ("retry", later), ("cancel", held), ("replay", failed), ("release", later)):
            right(f"queue {verb}", inside.mailer("queue", verb, "--json", id).out)
        for more in (("--for", "1h", "--why", "a test"), ()):
            right("queue pause", inside.mailer("queue", "pause", "relay:sink", *more, "--json").out)
            right("queue pauses", inside.mailer("queue", "pauses", "--json").out)
        right("explain", inside.mailer("explain", "--json", "--no-dns", later).out)
        right("queue resume", inside.mailer("queue", "resume", "relay:sink", "--json").out)


@pytest.mark.slow
def test_what_is_known_of_hosts_keys_and_settings(world: World, inside: Inside, tmp_path: Path) -> None:
    """Ways, probes, findings, keys, signatures, settings, a sink; what goes well and what does not."""
    with SinkThread() as sink:
        gone = '[relay.gone]\nhost = "127.0.0.1"\nport = 9\ntls = "none"\nproxy = "socks5://127.0.0.1:9"\n'
        world.configure(sink.port, more=f'{gone}[dns]\nnameservers = ["127.0.0.1:9"]\ntimeout = "0.1s"\nlifetime = "0.2s"\n')
        right("route", inside.mailer("route", "a@example.net", "--json").out)
        right("probe", inside.mailer("probe", "sink", "--from", "a@example.com", "--json").out)
        right("probe", inside.mailer("probe", "gone", "--json").out)
        right("check", inside.mailer("check", "example.com", "--json").out)
        right("doctor", inside.mailer("doctor", "--repair", "--json").out, lines=5)
        rows = right("config show", inside.mailer("config", "show", "--json").out, lines=50)
        assert {row["key"]: row["value"] for row in rows}["relay.gone.proxy"] == "socks5://127.0.0.1:9"
        key = tmp_path / "s1.pem"
        right("dkim keygen", inside.mailer("dkim", "keygen", "example.com", "--selector", "s1", "--out", key, "--json").out)
        right("dkim record", inside.mailer("dkim", "record", "example.com", "--key", key, "--selector", "s1", "--json").out)
    signed = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s1; h=from; bh=eA==; b=eA==\nFrom: a@example.com\n\nx\n"
    right("dkim verify", world.mailer("dkim", "verify", "--json", input=signed).out)
    right("oauth login", json.dumps(TokenKept("out", "/x", "me").as_json()))
    sink_program = world.sink("--refuse", "nobody@example.net=550 5.1.1 no")
    world.configure(sink_program)
    world.send("nobody@example.net", "ann@example.net")
    world.once()
    said = sink_program.program.said
    assert {one["event"] for one in right("sink", said, lines=3)} == {"listening", "taken", "refused"}
