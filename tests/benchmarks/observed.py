#!/usr/bin/env python3
"""What it costs to be watched: a queue that empties with figures, and with traces of one message in a hundred, beside one without.

    python tests/benchmarks/observed.py [-n 2000] [--rounds 7] [--instructions]

The drain is that of drain.py, messages of 1 KB over loopback to smtp-sink, where the queue's own cost is all there is. The processor's
time of the daemon counts, in turns, and the ratio of the medians. The collector is another process, which reads what it is sent and says
200; for the last one nobody listens. On a machine that does other things these ratios differ by more than they are about; so what traces
cost is measured apart, too: to choose, for each message, and to make, write and send the spans of one in a hundred, in requests of 100.

With ``--instructions`` instead: the instructions of ``mailer run --once`` under callgrind (valgrind), which no other program on the machine
changes, for so many messages, one in a hundred of which is traced, less those of a run with one that is: so what is made once, such as
the way to the collector, is in both. Without traces and with them, in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
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
    parser.add_argument("--instructions", action="store_true", help="count instructions in place of time; takes a minute a round or so")
    given = parser.parse_args()
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
        tracing(way)  # what is made once is no work
        apart = [tracing(way) for _ in range(given.rounds)]
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
    """Count instructions in turns, and print."""
    with SmtpSink() as sink, collecting() as port, scratch("bench") as home:
        ways = {ALONE: "", "traces of 1 %": f'[trace]\nendpoint = "http://127.0.0.1:{port}/v1/traces"\n'}
        found: dict[str, list[float]] = {name: [] for name in ways}
        for nth in range(rounds):
            for at, (name, more) in enumerate(ways.items()):
                place = home / f"{nth}.{at}"
                place.mkdir()
                house = Daemon(place, {"sink": sink.port}, more)
                house.fill(1, SIZE, name=traced)
                once = instructions(house)
                chosen = int(count * SAMPLE)
                house.fill(chosen + 1, SIZE, name=traced)
                house.fill(count - chosen, SIZE, name=untraced)
                found[name].append((instructions(house) - once) / count / 1000)
                assert not house.spool.ids("queued")
    middles = {name: figure(f"once with {count}, {name}", counts, "thousand instructions a message") for name, counts in found.items()}
    ratio(f"instructions, traces of 1 % / {ALONE}", middles["traces of 1 %"], middles[ALONE], "must be at most 1.02", digits=3)


def traced(now: float) -> str:
    """An ID that is in the sample."""
    return next(id for id in iter(lambda: new_id(now), "") if crc32(id.encode()) < SAMPLE * (1 << 32))


def untraced(now: float) -> str:
    """One that is not."""
    return next(id for id in iter(lambda: new_id(now), "") if crc32(id.encode()) >= SAMPLE * (1 << 32))


def instructions(house: Daemon) -> int:
    """The instructions of one pass over the spool of `house`."""
    watched = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    argv = [*watched, sys.executable, "-m", "mailer", "run", "--once", "--config", str(house.home / "config.toml")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONHASHSEED": "0"}
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
    return int(done.stderr.rpartition("Collected : ")[2].split()[0])


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


def choosing() -> float:
    """Microseconds of the processor for the choice whether to trace a message that was delivered."""
    choice, event = Choice(SAMPLE), Tried(NOW, entry_of(), [outcome()])
    begin = time.thread_time()
    for _ in range(CHOICES):
        choice.wants(event)
    return 1e6 * (time.thread_time() - begin) / CHOICES


def tracing(way: Otlp) -> float:
    """Microseconds of the processor for the trace of an attempt in a session that had served other mail, as nearly always."""
    batch = [Traced(entry_of(), [outcome(hop=HOP, trace=transcript(), seconds=0.01)], 0.0) for _ in range(100)]
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
