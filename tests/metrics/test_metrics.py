"""Figures of a real daemon, fetched as a monitoring system does, over HTTP."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mailer.amqp.figures import AmqpFigures
from mailer.cli.run import COMMAND
from mailer.queue.invariants import TICK
from tests.fakes.processes import MAILER, Program, free_port, listens, wait_until
from tests.journey.world import World

BOUNCES_OFF = "[bounce]\nenabled = false\n"


def section(port: int, host: str = "127.0.0.1") -> str:
    """The configuration of figures at a port."""
    return f'[metrics]\nlisten = "{host}:{port}"\n'


def read(port: int, host: str = "127.0.0.1") -> str:
    """The page as it is now."""
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        return answer.read().decode()


def figures(port: int, host: str = "127.0.0.1") -> dict[str, float]:
    """The samples of the page: ``name`` or ``name/label`` and the value."""
    families = text_string_to_metric_families(read(port, host))
    return {"/".join((s.name, *s.labels.values())): s.value for family in families for s in family.samples}


def hang_up(daemon: Program, times: int) -> None:
    """Let it read its configuration again, and wait until it has done so `times` times."""
    daemon.signal(signal.SIGHUP)
    wait_until("it is reloaded", lambda: daemon.said.count('"what":"reloaded"') >= times)


@pytest.fixture
def port() -> int:
    """Where figures may be served."""
    return free_port()


def test_the_journal_has_figures_where_somebody_subscribes(world: World, port: int) -> None:
    """How much it keeps, and how far each reader is behind, or what he has lost."""
    hook = f'[[webhook]]\nname = "shop"\nurl = "https://127.0.0.1:9/x"\nsecret_file = "{world.home}/secret"\nprivate = true\n'
    (world.home / "secret").write_text("whsec_" + "QUJD" * 8 + "\n")
    (world.home / "secret").chmod(0o600)
    sink = world.sink()
    world.configure(sink, more=section(port) + hook)
    world.daemon()
    names = ["mailer_journal_behind_events/hooks.shop", "mailer_journal_behind_seconds/hooks.shop", "mailer_journal_lost_total/hooks.shop"]
    wait_until("the journal was looked at", lambda: "mailer_journal_events" in figures(port))
    assert {*names, "mailer_journal_size_bytes"} <= set(figures(port))


def test_deliveries_failures_and_deferrals_are_counted(world: World, port: int) -> None:
    """Each recipient counts by what became of it, each message once; what waits and what is known is there at the moment of asking."""
    sink = world.sink()
    world.configure(sink, schedule=("1h",), more=section(port) + BOUNCES_OFF)
    world.daemon()
    before = figures(port)
    assert {name: before[f"mailer_recipients_total/{name}"] for name in ("delivered", "deferred", "failed", "expired", "cancelled")} == {
        "delivered": 0, "deferred": 0, "failed": 0, "expired": 0, "cancelled": 0,
    }  # fmt: skip
    world.becomes(world.send("a@there.example", "b@there.example"), "sent")
    world.becomes(world.send("550@there.example"), "failed")
    world.becomes(world.send("451@there.example"), "deferred")
    now = figures(port)
    found = {name: now[f"mailer_recipients_total/{name}"] for name in ("delivered", "deferred", "failed", "expired", "cancelled")}
    assert found == {"delivered": 2, "deferred": 1, "failed": 1, "expired": 0, "cancelled": 0}
    assert now["mailer_messages_seen_total"] == 3
    assert (now["mailer_messages_waiting"], now["mailer_messages_active"], now["mailer_destinations"]) == (1, 0, 1)
    assert "mailer_sessions" in now
    assert now["mailer_invariant_violations_total"] == 0
    assert abs(now["process_start_time_seconds"] - time.time()) < 120
    assert "there.example" not in read(port)


def test_a_violation_of_the_invariant_is_seen_and_mended(world: World, port: int) -> None:
    """A message that nobody was going to try raises the counter and the alarm's, which were there with 0 before, and is delivered."""
    sink = world.sink()
    world.configure(sink, more=section(port) + '[delivery]\nrescan = "0.2s"\n')
    id = world.send("you@there.example")
    queued, aside = world.spool / "queued", world.spool.with_name("aside")
    queued.rename(aside)  # with its directory, so that the file itself looks as if it had been there all the time
    queued.mkdir(mode=0o700)
    daemon = world.daemon()
    before = figures(port)
    assert (before["mailer_invariant_violations_total"], before["mailer_alarms_total/invariant"]) == (0, 0)
    (queued / "stranger").touch()
    daemon.says("its name is no ID")  # by which it has looked through the queue
    old = aside.joinpath(id).stat().st_ctime + TICK + 1  # what is younger may have come between two looks
    wait_until("a message that is old enough to have been seen", lambda: time.time() > old)
    queued.rename(world.spool.with_name("empty"))
    aside.rename(queued)
    world.becomes(id, "sent")
    now = figures(port)
    assert (now["mailer_invariant_violations_total"], now["mailer_alarms_total/invariant"]) == (1, 1)


def test_an_alarm_about_those_who_listen_is_counted(world: World, port: int) -> None:
    """A status database that is none was found before anybody could ask, and is told by a way of its own."""
    world.configure(1, more=section(port))
    world.spool.mkdir(mode=0o700)
    (world.spool / "status.sqlite3").write_bytes(b"no database" * 100)
    daemon = world.daemon()
    wait_until(daemon.said, lambda: '"what":"status"' in daemon.said)
    assert figures(port)["mailer_alarms_total/status"] == 1


def test_nothing_listens_unless_it_is_configured(world: World) -> None:
    """By default the daemon has no TCP port, and the library is not even loaded."""
    sink = world.sink()
    world.configure(sink)
    daemon = world.daemon()
    world.becomes(world.send("you@there.example"), "sent")
    inodes = {link.readlink().name for link in Path(f"/proc/{daemon.pid}/fd").iterdir() if link.is_symlink()}
    listening = {
        f"socket:[{line.split()[9]}]"
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{daemon.pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    assert inodes & listening == set()
    code = "import sys, mailer.service; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(MAILER[1]).parents[1]).returncode == 0


def test_one_pass_serves_nothing(world: World, port: int) -> None:
    """``run --once`` is over before anybody could ask: a port that is taken does not hinder it."""
    with socket.create_server(("127.0.0.1", port)):
        world.configure(1, more=section(port))
        world.once()


def test_a_port_that_is_taken_is_one_line(world: World, port: int) -> None:
    """The daemon does not start: exit code 69, and a line that names the address and the setting."""
    world.configure(1, more=section(port))
    with socket.create_server(("127.0.0.1", port)):
        done = world.mailer("run")
    errors = [line for line in done.err.splitlines() if not line.startswith("{")]
    assert (done.code, len(errors)) == (69, 1), done
    assert f"cannot serve metrics at 127.0.0.1:{port}: Address already in use" in errors[0]
    assert "metrics.listen" in errors[0]
    assert "69 metrics.listen" in COMMAND.epilog


def test_without_the_library_the_daemon_says_what_to_install(world: World, port: int) -> None:
    """Exit code 78 and one line with the extra's name; without [metrics] nobody misses it."""
    code = "import sys; sys.modules['prometheus_client'] = None; from mailer.cli import main; sys.exit(main(['mailer', *sys.argv[1:]]))"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, "run", *words]
        return subprocess.run(command, env=world.env, cwd=Path(MAILER[1]).parents[1], capture_output=True, text=True, timeout=60)

    world.configure(1, more=section(port))
    done = run()
    errors = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert (done.returncode, len(errors)) == (78, 1), done
    assert "pip install 'mailer-mta[metrics]'" in errors[0]
    assert run("--once").returncode == 0


def test_a_reload_switches_it_on_moves_it_and_switches_it_off(world: World, port: int) -> None:
    """Each SIGHUP takes effect without a restart; the counters go on where only the address changes."""
    sink, other = world.sink(), free_port()
    world.configure(sink)
    daemon = world.daemon()
    world.configure(sink, more=section(port))
    hang_up(daemon, 1)
    daemon.accepts(port)
    world.becomes(world.send("you@there.example"), "sent")
    assert figures(port)["mailer_recipients_total/delivered"] == 1
    world.configure(sink, more=section(other))
    hang_up(daemon, 2)
    daemon.accepts(other)
    assert not listens(port)
    assert figures(other)["mailer_recipients_total/delivered"] == 1
    world.configure(sink)
    hang_up(daemon, 3)
    world.until("closed", lambda: not listens(other))
    world.becomes(world.send("you@there.example"), "sent")
    assert daemon.stop() == 0


def test_a_reload_that_cannot_serve_is_an_alarm_and_the_rest_holds(world: World, port: int) -> None:
    """What is configured beside it is in force, mail goes on, and the next reload that can makes good for it."""
    sink, other = world.sink(), world.sink()
    world.configure(sink)
    daemon = world.daemon()
    world.configure(other, more=section(port))
    with socket.create_server(("127.0.0.1", port)):
        hang_up(daemon, 1)
        daemon.says('"what":"metrics"')
        assert "Address already in use" in daemon.said
        world.send("you@there.example")
        other.received(1)
    hang_up(daemon, 2)
    daemon.accepts(port)
    assert figures(port)["mailer_alarms_total/metrics"] == 1
    assert daemon.stop() == 0
    assert not listens(port)


def test_a_reader_who_leaves_or_says_nothing_harms_nobody(world: World, port: int) -> None:
    """Others are served meanwhile, the daemon stops without waiting for him, and nothing but JSON is in the log."""
    world.configure(1, more=section(port))
    daemon = world.daemon()
    with socket.create_connection(("127.0.0.1", port)) as silent, socket.create_connection(("127.0.0.1", port)) as rude:
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        rude.send(b"GET /metrics HTTP/1.0\r\n")
        rude.close()
        assert "mailer_sessions" in figures(port)
        assert silent.fileno() > 0
        assert daemon.stop(5) == 0
    assert all(line.startswith("{") for line in daemon.said.splitlines()), daemon.said


@pytest.mark.skipif(not socket.has_ipv6, reason="IPv6 is not there")
def test_it_is_served_over_ipv6(world: World, port: int) -> None:
    """An address in brackets is an IPv6 one."""
    world.configure(1, more=section(port, "[::1]"))
    world.daemon()
    assert figures(port, "[::1]")["mailer_messages_seen_total"] == 0


def test_the_manual_explains_what_is_served(world: World, port: int) -> None:
    """Every family of ours stands in mailer-metrics(7), and none that is not served; those of the README are served, too."""
    hook = f'[[webhook]]\nname = "shop"\nurl = "https://app.example.com/"\nsecret_file = "{world.home}/secret"\n'
    domain = f'[mailboxes]\npath = "{world.home}/mailboxes"\n[[domain]]\nname = "ours.example"\nvia = "local"\n'
    world.configure(1, more=section(port) + hook + domain)
    world.daemon()
    wait_until("the journal was looked at", lambda: "mailer_journal_events" in read(port))
    served = set(re.findall(r"# TYPE (\w+) ", read(port)))
    ours = {name for name in served if name.startswith(("mailer_", "smtp_"))}
    root = Path(MAILER[1]).parents[1]
    manual = set(re.findall(r"(?:mailer|smtp|process)_\w+", (root / "man" / "mailer-metrics.7").read_text()))
    amqp = set(re.findall(r"# TYPE (\w+) ", "".join(AmqpFigures().families())))  # which `mailer amqp` serves
    assert ours | amqp <= manual <= served | amqp | {name for name in manual if name.startswith("mailer_api_")}  # which `mailer web` serves
    assert set(re.findall(r"mailer_\w+", (root / "README.md").read_text())) - {"mailer_sink"} <= served  # which is a fixture
