"""Sixty domains whose hosts accept and say nothing, and mail for others: prints after how many seconds each of that was there.

    unshare -n python -m tests.long.silent DIRECTORY networks|network|address

It wants a network namespace to itself, where it takes addresses that are no loopback.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.fakes.nameserver import Nameserver
from tests.journey.world import World

from .filled import fill

PORT = 2525
SILENT = {"networks": "198.18.{}.1", "network": "198.18.200.{}", "address": "198.18.201.1"}


def main(home: str, spread: str) -> int:
    for line in ("link set lo up", "addr add 198.18.0.1/15 dev lo"):
        subprocess.run(["ip", *line.split()], check=True)
    addresses = [SILENT[spread].format(nth) for nth in range(1, 61)]
    silent = [socket.create_server((address, PORT), backlog=1000) for address in dict.fromkeys(addresses)]
    records = [f"silent{nth}.example. 60 IN MX 10 mx.silent{nth}.example.\nmx.silent{nth}.example. 60 IN A {address}"
               for nth, address in enumerate(addresses)]  # fmt: skip
    records += [f"good{nth}.example. 60 IN MX 10 mx.good{nth}.example.\nmx.good{nth}.example. 60 IN A 198.19.{nth}.1" for nth in range(8)]
    world = World(Path(home))
    try:
        with Nameserver("\n".join(records)) as server:
            seconds = told(world, server)
    finally:
        world.close()
        for each in silent:
            each.close()
    print(json.dumps(seconds))
    return 0


def told(world: World, server: Nameserver) -> list[float]:
    sinks = [world.sink("--host", f"198.19.{nth}.1", "--public", port=PORT) for nth in range(8)]
    world.config.write_text(
        f'[mailer]\nhostname = "here.example"\nspool = "{world.spool}"\n[dns]\nnameservers = ["{server.address}"]\n'
        f'[delivery]\nmx_port = {PORT}\nallow_private = true\nmax_connections = 100\nstop_timeout = "1s"\n'
    )
    fill(world, [f"you@silent{nth}.example" for _ in range(20) for nth in range(60)])
    world.daemon()
    seconds = []
    for nth, sink in enumerate(sinks):
        time.sleep(1)
        began = time.monotonic()
        world.send(f"you@good{nth}.example")
        sink.received(1, 60)
        seconds.append(round(time.monotonic() - began, 2))
    return seconds


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
