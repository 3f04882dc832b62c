"""A machine with a name and a list of hosts of its own, for what runs in the process of the tests."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from mailer.io import machine


class Nameplate:
    """What `mailer.io.machine` sees: the kernel's name `node`, `hosts` and hostname(5), in the directory `path`."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch, node: str, hosts: str = "", etc: str = "") -> None:
        self.hosts = path / "etc-hosts"
        self.hosts.write_text(hosts)
        (path / "etc-hostname").write_text(etc)
        patch.setattr(machine, "os", SimpleNamespace(stat=os.stat, uname=lambda: SimpleNamespace(nodename=node)))
        patch.setattr(machine, "HOSTNAME", str(path / "etc-hostname"))
        patch.setattr(machine, "HOSTS", str(self.hosts))
