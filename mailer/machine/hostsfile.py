"""The system's own list of hosts, /etc/hosts: names of this machine, and of others that an operator may use though no DNS has them.

It is not used for MX hosts: whose mail goes where is for the DNS to say.
"""

from __future__ import annotations

import os

HOSTS = "/etc/hosts"
LARGEST = 16 << 20  # bytes; lists of names that are to be blocked come to half of that


class _Kept:
    """What the file held when it was read last, in lower case; a daemon must not read it for each message."""

    version: tuple[object, ...] = ()
    data = b""


def lines(name: str, path: str = "") -> list[list[str]]:
    """The lines that list `name`, in their order: an address and its names, all in lower case; none where there is no such file.

    A line counts if `name` is one of its words, the address apart.
    """
    wanted = name.lower().encode("utf-8", "replace")
    data = _read(path or HOSTS)
    if not wanted or wanted not in data:  # a look at all of it costs less than parting a single line
        return []
    found = []
    for line in data.split(b"\n"):
        if wanted in line:
            words = line.partition(b"#")[0].split()
            if wanted in words[1:]:
                found.append([word.decode("utf-8", "replace") for word in words])
    return found


def listed(name: str, path: str = "") -> list[str]:
    """The addresses of `name` in the file, in its order; none where there is no such file or name."""
    return [words[0] for words in lines(name, path) if _is_address(words[0])]


def _read(path: str) -> bytes:
    try:
        about = os.stat(path)
        version = (path, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns)
        if version != _Kept.version:
            with open(path, "rb") as file:
                _Kept.data = file.read(LARGEST).lower()
            _Kept.version = version
    except OSError:
        return b""
    return _Kept.data


def _is_address(text: str) -> bool:
    from ipaddress import ip_address

    try:
        ip_address(text)
    except ValueError:
        return False
    return True
