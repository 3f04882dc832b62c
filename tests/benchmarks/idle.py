#!/usr/bin/env python3
"""What a connection holds of the memory that says nothing: after EHLO in the clear, after STARTTLS, and with TLS from the first byte.

    python tests/benchmarks/idle.py [-n 2000] [--tls 500] [--loop asyncio]

A process serves by the accept loop, the session and the machine of the doors, with a policy that keeps nothing; what the policy of a door
keeps is measured with that door. So many clients say EHLO, and stay. What counts is by how much the memory of that process has grown
(VmRSS of proc(5)), for each of them; the buffers of the kernel are not in it. It is done with the event loop of asyncio, and with uvloop
where that is installed, each in a process of its own. The figures say what they may be at most.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import trustme

from mailer.io.loop import slim
from mailer.net.listening import tcp_sockets
from mailer.net.peer import Peer
from mailer.net.server import AcceptLoop, streams
from mailer.net.stream import Stream
from mailer.net.tls import serving
from mailer.serving.common import Common
from mailer.smtp.server_events import Question
from mailer.smtp.server_state import ServerSettings
from mailer.smtpd.session import SessionPolicy, converse

NAME = "mx.example.com"
PLAIN, TLS = 12, 100  # KB that a connection may have: ten thousand in the clear have room where one large message has
WAYS = {"plain": PLAIN, "starttls": TLS, "implicit": TLS}
LOOPS = ("asyncio", "uvloop")
WARM = 20  # connections before the first measurement: what is made once is no connection's


class Content(SessionPolicy):
    """A policy that has nothing against anybody."""

    async def answer(self, _question: Question) -> None:
        return None


def main() -> None:
    """Measure each way with each loop, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", dest="count", type=int, default=2000, help="connections in the clear (default %(default)s)")
    parser.add_argument("--tls", type=int, default=500, help="connections with TLS (default %(default)s)")
    parser.add_argument("--loop", choices=LOOPS, help="only this event loop")
    parser.add_argument("--serve", nargs=3, metavar=("WAY", "LOOP", "DIRECTORY"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if given.serve:
        serve(*given.serve)
        return
    with tempfile.TemporaryDirectory() as directory:
        trustme.CA().issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(f"{directory}/both.pem")
        for loop in [given.loop] if given.loop else LOOPS:
            for way, most in WAYS.items():
                held = measure(way, loop, directory, given.count if way == "plain" else given.tls)
                print(f"FIGURE an idle connection, {way}, {loop}: {held:.1f} KB (must be at most {most})", flush=True)


def measure(way: str, loop: str, directory: str, count: int) -> float:
    """KB that each of `count` connections holds."""
    server = subprocess.Popen([sys.executable, __file__, "--serve", way, loop, directory], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert server.stdout is not None
    callers: list[socket.socket] = []
    try:
        port = int(server.stdout.readline())
        callers += (call(port, way) for _ in range(WARM))
        before = resident(server)
        callers += (call(port, way) for _ in range(count))
        return (resident(server) - before) / count
    finally:
        for caller in callers:
            caller.close()
        server.communicate(b"")


def resident(server: subprocess.Popen[bytes]) -> int:
    """KB that the server has, when it has thrown away what it can."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(b"count\n")
    server.stdin.flush()
    return int(server.stdout.readline())


def call(port: int, way: str) -> socket.socket:
    """A client that has said EHLO."""
    caller = socket.create_connection(("127.0.0.1", port))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if way == "implicit":
        caller = context.wrap_socket(caller)
    hear(caller)
    say(caller, b"EHLO me.example.com\r\n")
    if way == "starttls":
        say(caller, b"STARTTLS\r\n")
        caller = context.wrap_socket(caller)
        say(caller, b"EHLO me.example.com\r\n")
    return caller


def say(caller: socket.socket, line: bytes) -> None:
    caller.sendall(line)
    hear(caller)


def hear(caller: socket.socket) -> None:
    """A whole reply."""
    data = b""
    while not data.endswith(b"\r\n") or data.splitlines()[-1][3:4] != b" ":
        data += caller.recv(4096)


def serve(way: str, loop: str, directory: str) -> None:
    """Be the server, until standard input ends."""
    if loop == "uvloop":
        import uvloop

        uvloop.run(serving_until_the_end(way, directory))
    else:
        slim()
        asyncio.run(serving_until_the_end(way, directory))


async def serving_until_the_end(way: str, directory: str) -> None:
    """Print the port, then for each line of standard input the memory in KB."""
    context = None if way == "plain" else serving(f"{directory}/both.pem", "")
    settings, common = ServerSettings(NAME, starttls=way == "starttls", max_size=50_000_000, offer=("CHUNKING",), limits=True), Common()

    async def talk(stream: Stream, peer: Peer) -> None:
        await converse(stream, settings, Content(), accepting, context, common, peer.share)

    accepting = AcceptLoop(streams(talk, context if way == "implicit" else None, handshakes=common.handshakes))
    accepting.listen(*await tcp_sockets("127.0.0.1", 0))
    print(accepting.port, flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        gc.collect()
        print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")), flush=True)
    await accepting.close()


if __name__ == "__main__":
    main()
