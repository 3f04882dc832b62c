#!/usr/bin/env python3
"""What it costs to be watched: a queue that empties with figures, and with traces of one message in a hundred, beside one without.

    python tests/benchmarks/observed.py [-n 2000] [--rounds 7] [--instructions]

The drain is that of drain.py, messages of 1 KB over loopback to smtp-sink, where the queue's own cost is all there is. The processor's
time of the daemon counts, in turns, and the ratio of the medians. The collector is another process, which reads what it is sent and says
200; for the last one nobody listens. On a machine that does other things these ratios differ by more than they are about; so what traces
cost is measured apart, too: to choose, for each message, and to make, write and send the spans of one in a hundred, in requests of 100.

With ``--instructions`` instead: instructions, counted by cachegrind (valgrind), which no other program on the machine changes. Those of
a message in ``mailer run --once`` without traces; those of the choice, and those of a trace in requests of 100. Each is the difference of
two runs, one with more of it than the other, so that start, import and connection are in both; and the last two wait for nothing, so
that they are the same each time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from zlib import crc32

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.events import Tried
from mailer.mail.outcome import Hop
from mailer.smtp.client import Answered
from mailer.smtp.command import Command
from mailer.smtp.reply import Reply
from mailer.spool import new_id
from mailer.tracing.choice import Choice
from mailer.tracing.otlp import Otlp
from mailer.tracing.spans import Traced
from mailer.tracing.tracer import Tracer
from mailer.transport.transcript import Prologue, Transcript
from tests.benchmarks.drain import Daemon, Drained
from tests.benchmarks.measure import figure, ratio
from tests.fakes.mail import NOW, entry_of, outcome
from tests.fakes.processes import free_port
from tests.peers.postfix import scratch
from tests.peers.smtpsink import SmtpSink

SIZE = 1024
ALONE = "not watched"
SAMPLE = 0.01
CHOICES = 100_000
BATCH = 100  # traces in one request
FEW = 50  # messages of the drain that is in both
PATIENCE = 600.0  # seconds for an answer of the collector: under valgrind, on a machine that does other things
HOP = Hop("127.0.0.1", "127.0.0.1", 25, "none")
COLLECTOR = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        print("taken", flush=True)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=2000, help="messages of one drain (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="drains of each, in turns (default %(default)s)")
    parser.add_argument("--instructions", action="store_true", help="count instructions in place of time: a minute a round")
    parser.add_argument("--work", nargs=3, metavar=("WHAT", "TIMES", "PORT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        worked(*given.work)
        return
    if given.instructions:
        counted(given.count, given.rounds)
        return
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(SmtpSink())
        home = stack.enter_context(scratch("bench"))
        port = stack.enter_context(collecting())
        ways = {
            ALONE: "",
            "figures": f'[metrics]\nlisten = "127.0.0.1:{free_port()}"\n',
            "traces of 1 %": f'[trace]\nendpoint = "http://127.0.0.1:{port}/v1/traces"\n',
            "traces of 1 %, collector down": f'[trace]\nendpoint = "http://127.0.0.1:{free_port()}/v1/traces"\n',
        }
        contenders = {}
        for nth, (name, more) in enumerate(ways.items()):
            place = home / str(nth)
            place.mkdir()
            contenders[name] = Daemon(place, {"sink": sink.port}, more)
        found: dict[str, list[Drained]] = {name: [] for name in contenders}
        for _ in range(given.rounds):
            for name, contender in contenders.items():
                found[name].append(contender.drain(sink, given.count, SIZE))
        way = Otlp(f"http://127.0.0.1:{port}/v1/traces", 5.0, "bench.example", "")
        tracing(way, attempts())  # what is made once is no work
        apart = [tracing(way, attempts()) for _ in range(given.rounds)]
        way.close()
    costs = {
        name: figure(f"drain of {given.count}, {name}", [1000 * one.cpu for one in all_], "us a message", 1) for name, all_ in found.items()
    }
    for name, cost in costs.items():
        if name != ALONE:
            ratio(f"drain, {name} / {ALONE}", cost, costs[ALONE])
    chosen = figure("to choose what is traced", [choosing() for _ in range(given.rounds)], "us a message", 2)
    traced = figure("to trace an attempt", apart, "us", 0)
    share = chosen + traced * SAMPLE
    ratio("drain, with what traces of 1 % cost apart / " + ALONE, costs[ALONE] + share, costs[ALONE], "must be at most 1.02")


def counted(count: int, rounds: int) -> None:
    """Count instructions, and print."""
    with SmtpSink() as sink, collecting() as port, scratch("bench") as home:
        drains = [emptied(home / str(nth), sink, count) for nth in range(rounds)]
        choices = [work("choose", CHOICES // 10, port) for _ in range(rounds)]
        traces = [work("trace", 3, port) / BATCH for _ in range(rounds)]
    drain = figure(f"once, one more of {count} messages", drains, "thousand instructions", 0)
    chosen = figure("to choose what is traced", choices, "thousand instructions a message", 2)
    traced = figure("to trace an attempt", traces, "thousand instructions", 0)
    cost = drain + chosen + traced * SAMPLE
    ratio(f"instructions, traces of 1 % / {ALONE}", cost, drain, "must be at most 1.02", digits=3)


def emptied(home: Path, sink: SmtpSink, count: int) -> float:
    """Thousands of instructions for one message more in the queue: the difference between `FEW` of them and `count` besides."""
    home.mkdir()
    house, made = Daemon(home, {"sink": sink.port}), []
    for many in (FEW, FEW + count):
        house.fill(many, SIZE)
        made.append(instructions(sys.executable, "-m", "mailer", "run", "--once", "--config", str(house.home / "config.toml")))
        assert not house.spool.ids("queued")
    return (made[1] - made[0]) / count / 1000


def work(what: str, times: int, port: int) -> float:
    """Thousands of instructions for one more of `what`: ``choose``, or ``trace`` for a request of `BATCH`; once, and `times` more."""
    few, more = (instructions(sys.executable, __file__, "--work", what, str(many), str(port)) for many in (1, 1 + times))
    return (more - few) / times / 1000


def worked(what: str, times: str, port: str) -> None:
    """Do what `work` counts."""
    if what == "choose":
        choosing(int(times))
        return
    way = Otlp(f"http://127.0.0.1:{port}/v1/traces", PATIENCE, "bench.example", "")
    batch = attempts()
    for _ in range(int(times)):
        tracing(way, batch)
    way.close()


def instructions(*argv: str) -> int:
    """The instructions of a program, to its end."""
    watched = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", *argv]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(watched, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{argv}: {done.stderr[-2000:]}")
    return int(re.findall(r"I\s+refs:\s+([\d,]+)", done.stderr)[-1].replace(",", ""))


@contextlib.contextmanager
def collecting() -> Iterator[int]:
    """A collector in a process of its own, which takes all; its port."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", COLLECTOR, str(port)], stdout=subprocess.PIPE) as collector:
        try:
            yield port
        finally:
            collector.terminate()
            print(f"FIGURE requests that the collector took: {collector.communicate()[0].count(b'taken')}", flush=True)


def choosing(times: int = CHOICES) -> float:
    """Microseconds of the processor for what the tracer does about a message that was delivered and is not in the sample."""
    event = Tried(NOW, entry_of(id=untraced(NOW)), [outcome()])
    tracer = Tracer(Choice(SAMPLE), _nobody, print)
    begin = time.thread_time()
    for _ in range(times):
        tracer.told(event)
    assert not tracer.counts["dropped"]
    return 1e6 * (time.thread_time() - begin) / times


def _nobody() -> NoReturn:
    raise AssertionError("nothing was chosen, and nobody is to be sent it")


def untraced(now: float) -> str:
    """An ID that is not in the sample."""
    return next(id for id in iter(lambda: new_id(now), "") if crc32(id.encode()) >= SAMPLE * (1 << 32))


def attempts() -> list[Traced]:
    """Attempts that fill a request, in sessions that had served other mail, as nearly always."""
    return [Traced(entry_of(), [outcome(hop=HOP, trace=transcript(), seconds=0.01)], 0.0) for _ in range(BATCH)]


def tracing(way: Otlp, batch: list[Traced]) -> float:
    """Microseconds of the processor for the trace of one of these attempts."""
    begin = time.thread_time()
    if why := way.send(batch):
        sys.exit(f"the collector takes nothing: {why}")
    return 1e6 * (time.thread_time() - begin) / len(batch)


def transcript() -> Transcript:
    """What such an attempt leaves."""
    made = Transcript(Prologue(HOP, 1.0, 0.001), 2.0, reused=True, size=SIZE)
    envelope = [
        ("MAIL", "MAIL FROM:<me@here.example>\r\n", 250),
        ("RCPT", "RCPT TO:<you@there.example>\r\n", 250),
        ("DATA", "DATA\r\n", 354),
    ]
    for at, said in ((2.001, envelope), (2.002, [("CONTENT", ".\r\n", 250)])):
        made.heard.append((at, [Answered(Command(verb, line.encode()), Reply(code, "2.0.0", ("ok",))) for verb, line, code in said]))
    return made


if __name__ == "__main__":
    main()
