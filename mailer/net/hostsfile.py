"""The system's own list of hosts, /etc/hosts: names that an operator may use for his relays though no DNS has them.

It is not used for MX hosts: whose mail goes where is for the DNS to say.
"""

from __future__ import annotations

from ipaddress import ip_address

HOSTS = "/etc/hosts"


def listed(name: str, path: str = HOSTS) -> list[str]:
    """The addresses of `name` in the file, in its order; none where there is no such file or name."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.partition("#")[0].lower().split() for line in file]
    except OSError:
        return []
    return [words[0] for words in lines if name.lower() in words[1:] and _is_address(words[0])]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
