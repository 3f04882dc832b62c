"""NSD, an authoritative name server from Debian, in a scratch directory; it serves the zones that a test writes.

A zone without text is one that it is to serve and cannot load: it answers SERVFAIL for it. What is in none of its zones it
refuses; so whoever wants NXDOMAIN for all the rest gives it the zone ``.``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from mailer.config.kinds import HostPort
from tests.fakes.processes import Program, free_port, which

SERVER = """\
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  server-count: 1
  zonesdir: "{home}"
  pidfile: "{home}/nsd.pid"
  database: ""
  xfrdfile: "{home}/xfrd.state"
  xfrdir: "{home}"
  zonelistfile: "{home}/zone.list"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
remote-control:
  control-enable: no
"""
ZONE = 'zone:\n  name: "{name}"\n  zonefile: "{home}/{number}.zone"\n'
APEX = "$ORIGIN .\n$TTL 300\n{name} IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 {negative}\n{name} IN NS ns.invalid.\n"


class Nsd:
    """Serves `zones`, each by its name with its records, until closed; absences are to be remembered for `negative` seconds.

    Without a `port` it has a free one.
    """

    def __init__(self, home: Path, zones: Mapping[str, str], negative: int = 60, port: int = 0) -> None:
        self.port = port or free_port()
        config = [SERVER.format(port=self.port, home=home)]
        for number, (name, records) in enumerate(zones.items()):
            config.append(ZONE.format(name=name, number=number, home=home))
            if records:
                apex = APEX.format(name=name if name == "." else f"{name}.", negative=negative)
                home.joinpath(f"{number}.zone").write_text(apex + records)
        home.joinpath("nsd.conf").write_text("".join(config))
        self._program = Program([which("nsd"), "-d", "-c", home / "nsd.conf"], home / "said")
        self._program.accepts(self.port)

    @property
    def address(self) -> HostPort:
        """How the configuration writes it."""
        return HostPort("127.0.0.1", self.port)

    def freeze(self) -> None:
        """Let it be there and say nothing."""
        os.killpg(self._program.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.killpg(self._program.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.thaw()
        self._program.stop()
