"""The servers from npm: smtp-server, and Haraka with one plugin of our own. Both keep what they take in Maildirs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.fakes.processes import Program, free_port

from .install import HERE, NODE, node
from .letters import PASSWORD, READERS, USERNAME
from .mailboxes import Mailboxes
from .matrix import PEERS

LIBRARY = HERE / "node"
MODULES = NODE / "node_modules"
TOKEN = "a-token-of-ann"

# Haraka has no defaults for what this file does not say.
CONNECTION = """\
[main]
[haproxy]
hosts[] =
[headers]
max_lines=1000
max_received=100
[max]
bytes=52428800
mime_parts=1000
line_length=4096
data_line_length=4096
[message]
helo=hello
close=goodbye
[uuid]
banner_chars=0
deny_chars=0
"""

# The group ffdhe2048 of RFC 7919. Without it Haraka starts a program that looks for one for a minute.
GROUP = """\
-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


class NpmServer:
    """One of them below `home`; `doors` are its ports. Start and stop it as a context manager."""

    def __init__(self, home: Path, chain: Path, doors: Sequence[str]) -> None:
        self.home = home
        self.ports = {door: free_port() for door in doors}
        self.mailboxes = Mailboxes(home / "mail", b"\r\n")
        for name in ("mail", "scratch"):
            home.joinpath(name).mkdir()
        settings = {
            "ports": self.ports,
            "chain": str(chain),
            "mail": str(home / "mail"),
            "scratch": str(home / "scratch"),
            "readers": READERS,
            "username": USERNAME,
            "password": PASSWORD,
            "token": TOKEN,
        }
        home.joinpath("settings.json").write_text(json.dumps(settings))
        self.ports["starttls"] = self.ports["plain"]

    def command(self) -> tuple[Path, Mapping[str, str]]:
        """The script to run, and its environment."""
        return LIBRARY / "smtp-server.js", {}

    def __enter__(self) -> Self:
        script, env = self.command()
        env = {"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES), "PEER_SETTINGS": str(self.home / "settings.json"), **env}
        self.program = Program([node(), script], self.home / "said", env=env, cwd=self.home)
        self.program.accepts(*self.ports.values())
        return self

    def __exit__(self, *error: object) -> None:
        self.program.stop()


class SmtpServer(NpmServer):
    """smtp-server, which speaks LMTP too."""

    def __init__(self, home: Path, chain: Path) -> None:
        super().__init__(home, chain, ("lmtp", *_doors("smtp-server")))


class Haraka(NpmServer):
    """Haraka, with a directory of configuration and plugins as ``haraka -i`` would make it."""

    def __init__(self, home: Path, chain: Path) -> None:
        super().__init__(home, chain, _doors("haraka"))
        listen = ",".join(f"127.0.0.1:{port}" for port in set(self.ports.values()))
        for name, text in {
            "me": "haraka.example",
            "plugins": "tls\npeer\n",
            "smtp.ini": f"listen={listen}\nsmtps_port={self.ports['implicit']}\nnodes=0\n",
            "dhparams.pem": GROUP,
            "tls.ini": f"key={chain}\ncert={chain}\ndhparam=dhparams.pem\n",
            "connection.ini": CONNECTION,
            "log.ini": "level=warn\n",
        }.items():
            path = home / "config" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        home.joinpath("plugins").symlink_to(LIBRARY / "haraka")

    def command(self) -> tuple[Path, Mapping[str, str]]:
        return MODULES / "Haraka/haraka.js", {"HARAKA": str(self.home), "PEER_LIBRARY": str(LIBRARY)}


def _doors(name: str) -> list[str]:
    return [door for door in PEERS[name].doors if door != "starttls"]
