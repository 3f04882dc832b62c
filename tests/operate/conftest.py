"""The post office of these tests is that of the commands: no configuration of this machine is read."""

from __future__ import annotations

from tests.cli.conftest import office

__all__ = ["office"]
