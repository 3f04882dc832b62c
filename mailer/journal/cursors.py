"""Cursors on a disk: a small file for each reader, with the ID of the last event that it is done with.

A cursor is written new, synced and renamed, so that it is where it was, or where it is. A crash before the rename: what came since is
read again, for each event is heard at least once. What each has lost to retention is counted in one file, by the daemon.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from mailer.io import durable
from mailer.spool import is_id

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}", re.ASCII)


def check_name(name: str) -> str:
    """The name of a cursor. Raises `ValueError` where it is none: 1 to 100 letters, digits and ``_.:-``."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:40]!r} is no name of a cursor: write 1 to 100 letters, digits, and _ . : -")
    return name


class CursorFiles:
    """The cursors in `directory`, and what is counted of them in the file `lost`."""

    def __init__(self, directory: str, lost: str) -> None:
        self._directory = directory
        self._lost = lost

    def get(self, name: str) -> str:
        """The ID that the cursor says; empty if there is none. Raises `OSError`, `ValueError`."""
        try:
            with open(f"{self._directory}/{check_name(name)}", "rb", opener=durable.prompt) as file:
                id = file.read(100).decode("ascii", "replace").strip()
        except FileNotFoundError:
            return ""
        return id if is_id(id) else ""

    def move(self, name: str, to: str) -> None:
        """Write the cursor anew, durably. Raises `OSError`, `ValueError`."""
        if not is_id(to):
            raise ValueError(f"{to[:40]!r} is no ID of an event")
        path = f"{self._directory}/{check_name(name)}"
        try:
            self._write(path, to.encode() + b"\n")
        except FileNotFoundError:
            os.makedirs(self._directory, 0o700, exist_ok=True)
            self._write(path, to.encode() + b"\n")

    def all(self) -> dict[str, str]:
        """All cursors by their names. Raises `OSError`."""
        try:
            found = sorted(name for name in os.listdir(self._directory) if _NAME.fullmatch(name))
        except FileNotFoundError:
            return {}
        return {name: id for name in found if (id := self.get(name))}

    def forget(self, name: str) -> None:
        """Delete the cursor, and what it has lost. Raises `OSError`, `ValueError`."""
        durable.forget(f"{self._directory}/{check_name(name)}")
        counts = self.lost()
        if counts.pop(name, None) is not None:
            self._write(self._lost, json.dumps(counts).encode())

    def lost(self) -> dict[str, int]:
        """How many events each has lost. Raises `OSError`."""
        try:
            with open(self._lost, "rb", opener=durable.prompt) as file:
                found = json.loads(file.read(1 << 20))
        except (FileNotFoundError, ValueError, RecursionError):
            return {}
        counts = found if isinstance(found, dict) else {}
        return {name: count for name, count in counts.items() if type(count) is int}

    def lose(self, more: Mapping[str, int]) -> None:
        """Count what each loses, durably, before it is deleted. Raises `OSError`."""
        if more:
            counts = self.lost()
            for name, count in more.items():
                counts[name] = counts.get(name, 0) + count
            self._write(self._lost, json.dumps(counts).encode())

    def _write(self, path: str, data: bytes) -> None:
        directory, _, name = path.rpartition("/")
        new = f"{directory}/.{name}.new"
        durable.forget(new)  # what a crash left
        durable.write_new(new, [data])
        os.replace(new, path)
        durable.sync_directory(directory)
