"""Unix sockets at paths of any length (their own have 108 bytes, a test's directory may be deeper), and ports where nobody listens."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def make_socket(path: Path) -> None:
    """Leave a socket at `path` that nobody listens to."""
    directory = os.open(path.parent, os.O_PATH)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


def closed_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of this machine where nobody listens: of TCP, or of UDP where `kind` is ``SOCK_DGRAM``."""
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
