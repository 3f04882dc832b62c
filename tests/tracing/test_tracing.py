"""Traces of a real daemon, as a collector hears them over OTLP."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.config import load
from mailer.submit import Submission, submit
from tests.fakes.collector import Collector, Seen, collecting
from tests.fakes.nameserver import Nameserver
from tests.fakes.processes import MAILER, free_port, wait_until
from tests.fakes.sockets import closed_port
from tests.journey.world import Sink, World
from tests.metrics.test_metrics import figures

TREE = {
    "smtp.connection.acquire": {},
    "smtp.connect": {"dns.resolve": {}},
    "smtp.tls.upgrade": {"tls.handshake": {}},
    "smtp.auth": {},
    "smtp.transaction": {"smtp.mail_from": {}, "smtp.rcpt_to": {}, "smtp.data": {}},
    "smtp.connection.release": {},
}
"""[002] §9.1.1."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


def traced(endpoint: str, sample: float = 1.0) -> str:
    """The configuration of traces; what fails sends no report."""
    return f'[trace]\nendpoint = "{endpoint}"\nsample = {sample}\n[bounce]\nenabled = false\n'


def sends(collector: Collector, count: int) -> list[Seen]:
    """Wait for so many attempts, and return them in order."""
    collector.wait(lambda: len(collector.roots()) >= count)
    return sorted(collector.roots(), key=lambda span: span.start)


def secured(world: World, nameserver: str, endpoint: str) -> Sink:
    """A relay that is looked up, and wants TLS and a login."""
    secret = world.home / "secret"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    sink = world.sink("--tls", "--user", "me", "--password-file", str(secret))
    certificate = sink.events("listening", 1)[0]["certificate"]
    world.config.write_text(
        f'[mailer]\nhostname = "here.example"\nspool = "{world.spool}"\n'
        f'[dns]\nnameservers = ["{nameserver}"]\n[delivery]\nallow_private = true\n'
        f'[relay.out]\nhost = "relay.example"\nport = {sink.port}\ntls = "starttls"\nserver_name = "localhost"\nca_file = "{certificate}"\n'
        f'username = "me"\npassword_file = "{secret}"\n'
        f'[[route]]\nmatch = "*"\nvia = ["relay:out"]\n{traced(endpoint)}'
    )
    return sink


def test_a_delivery_is_the_tree_of_the_specification(world: World, collector: Collector) -> None:
    """With its times in order, what the conventions want to know, and no part of an address that names a person."""
    with Nameserver("relay.example. 60 IN A 127.0.0.1\n") as nameserver:
        secured(world, nameserver.address, collector.endpoint)
        world.daemon()
        id = world.send("bob@there.example", sender="alice@here.example")
        world.becomes(id, "sent")
        [root] = sends(collector, 1)
    assert (root.name, collector.tree(root)) == ("smtp.send", TREE)
    about = root.attributes
    assert (about["mailer.id"], about["mailer.outcome"], about["smtp.from"]) == (id, "delivered", "***@here.example")
    assert (about["server.address"], about["network.peer.address"], about["smtp.recipients.count"]) == ("relay.example", "127.0.0.1", 1)
    assert (about["tls.protocol.version"], about["tls.resumed"], about["network.transport"]) == ("1.3", False, "tcp")
    named = {span.name: span for span in collector.spans}
    assert named["smtp.auth"].attributes["smtp.auth.method"]
    assert named["smtp.rcpt_to"].attributes == {"smtp.address": "***@there.example", "smtp.reply.code": 250, "smtp.reply.enhanced": "2.1.5"}
    assert named["smtp.connect"].events == ["smtp.connected", "smtp.greeting", "smtp.ehlo"]
    for span in collector.spans:
        assert root.start <= span.start <= span.end <= root.end
        assert not span.failed
    order = ["dns.resolve", "smtp.connect", "smtp.tls.upgrade", "smtp.auth", "smtp.transaction", "smtp.connection.release"]
    assert [named[name].start for name in order] == sorted(named[name].start for name in order)
    assert named["smtp.connection.acquire"].end == named["smtp.auth"].end
    assert collector.resources[0]["service.name"] == "mailer"
    said = repr(collector.spans)
    assert not [word for word in ("alice", "bob", "open sesame") if word in said]


def test_what_caused_a_message_is_the_parent_of_its_traces(world: World, collector: Collector) -> None:
    """The request of a program, where its envelope names one; each attempt at it is of the same trace."""
    sink = world.sink()
    world.configure(sink, more=traced(collector.endpoint, 1.0))
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    settings = load(str(world.config)).submitting
    asked = Submission(b"Subject: x\n\nx\n", sender="a@here.example", recipients=["you@there.example"], traceparent=f"00-{trace}-{span}-01")
    id = submit(asked, settings, time.time()).envelope.id
    world.daemon()
    world.becomes(id, "sent")
    wait_until("its spans", lambda: [each for each in collector.spans if each.name == "smtp.send"])
    [root] = [each for each in collector.spans if each.name == "smtp.send"]
    assert (root.trace.hex(), root.parent.hex()) == (trace, span)
    assert {each.trace.hex() for each in collector.spans} == {trace}


def test_failures_are_traced_and_attempts_of_one_message_are_one_trace(world: World, collector: Collector) -> None:
    """Also where nothing is sampled; what was delivered is not there."""
    sink = world.sink()
    world.configure(sink, more=traced(collector.endpoint, 0.0))
    daemon = world.daemon()
    good = world.send("you@there.example")
    world.becomes(good, "sent")
    world.becomes(world.send("550@there.example"), "failed")
    id = world.send("451@there.example")
    world.until("two attempts", lambda: world.status(id)["attempts"] >= 2)
    assert daemon.stop() == 0  # what is left is sent then
    refused, *later = sends(collector, 3)
    assert (refused.failed, refused.attributes["error.type"], refused.attributes["smtp.reply.code"]) == (True, "no_mailbox", 550)
    assert {root.attributes["mailer.id"] for root in later} == {id}
    assert len({root.trace for root in later}) == 1
    assert refused.trace != later[0].trace
    assert good not in {root.attributes["mailer.id"] for root in collector.roots()}


def test_a_host_that_is_not_there_is_traced(world: World, collector: Collector) -> None:
    """The call, and that nobody was there."""
    world.configure(closed_port(), schedule=("1h",), more=traced(collector.endpoint, 0.0))
    world.daemon()
    world.becomes(world.send("you@there.example"), "deferred")
    [root] = sends(collector, 1)
    assert collector.tree(root) == {"smtp.connection.acquire": {}, "smtp.connect": {}}
    assert (root.attributes["error.type"], root.attributes["smtp.phase"]) == ("connection_refused", "connect")
    assert [span.name for span in collector.spans if span.failed] == ["smtp.send", "smtp.connect"]


@pytest.mark.parametrize("mood", ["down", "silent"])
def test_a_collector_that_takes_nothing_costs_nothing(world: World, collector: Collector, mood: str) -> None:
    """Mail goes on, one alarm says so, and the end of the daemon waits no longer than for others."""
    collector.answers = 0
    endpoint = f"http://127.0.0.1:{closed_port()}/v1/traces" if mood == "down" else collector.endpoint
    sink, port = world.sink(), free_port()
    world.configure(sink, more=f'[metrics]\nlisten = "127.0.0.1:{port}"\n{traced(endpoint)}')
    daemon = world.daemon()
    ids = [world.send(f"you{number}@there.example") for number in range(3)]
    for id in ids:
        world.becomes(id, "sent")
    if mood != "silent":
        wait_until("the alarm", lambda: '"what":"traces"' in daemon.said)
        assert figures(port)["mailer_traces_total/dropped"] >= 1
    assert daemon.stop() == 0
    assert daemon.said.count('"what":"traces"') <= 1
    assert all(line.startswith("{") for line in daemon.said.splitlines()), daemon.said


def test_without_the_libraries_the_daemon_says_what_to_install(world: World) -> None:
    """Exit code 78 and one line with the extra's name; without [trace] nobody misses them."""
    code = "import sys; sys.modules['opentelemetry'] = None; from mailer.cli import main; sys.exit(main(['mailer', *sys.argv[1:]]))"
    world.configure(1, more=traced("http://127.0.0.1:4318/v1/traces"))

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, "run", "--once"]
        return subprocess.run(command, env=world.env, cwd=Path(MAILER[1]).parents[1], capture_output=True, text=True, timeout=60)

    done = run()
    errors = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert (done.returncode, len(errors)) == (78, 1), done
    assert "pip install 'mailer-mta[otel]'" in errors[0]
    world.configure(1)
    assert run().returncode == 0


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('endpoint = "127.0.0.1:4318"', "http://127.0.0.1:4318/v1/traces"),
        ('endpoint = "http://collector"', "http://127.0.0.1:4318/v1/traces"),
        ('endpoint = "https://me:secret@collector/v1/traces"', "OTEL_EXPORTER_OTLP_HEADERS"),
        ("sample = 1.5", "from 0 to 1"),
    ],
)
def test_what_is_no_collector_is_refused(world: World, line: str, word: str) -> None:
    """In one line, which does not repeat a password."""
    world.configure(1, more=f"[trace]\n{line}\n")
    done = world.mailer("config", "check")
    assert done.code == 78
    assert word in done.err + done.out
    assert "secret" not in done.err + done.out
