"""A machine with a name and a list of hosts of its own, for what runs in the process of the tests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from mailer.machine import hostsfile, names


class Nameplate:
    """What `mailer.machine` sees: the kernel's name `node`, `hosts` and hostname(5), in the directory `path`."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch, node: str, hosts: str = "", etc: str = "") -> None:
        self.hosts = path / "etc-hosts"
        self.hosts.write_text(hosts)
        (path / "etc-hostname").write_text(etc)
        patch.setattr(names, "os", SimpleNamespace(uname=lambda: SimpleNamespace(nodename=node)))
        patch.setattr(names, "HOSTNAME", str(path / "etc-hostname"))
        patch.setattr(hostsfile, "HOSTS", str(self.hosts))
