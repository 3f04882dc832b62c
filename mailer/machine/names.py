"""The names of this machine: the one that it has in mail, and all that mean it when a program here writes them.

Which these are, from what costs nothing to what costs a look into a file:

1. the hostname of the configuration, and ``localhost`` in the forms that systems write into their hosts(5);
2. what the kernel calls it, hostname(1), whole and without its domain; the hostname without its domain; and each of these below
   ``localdomain``;
3. the names that hosts(5) gives to an address of this machine. Not all: people block the hosts of others by giving them
   127.0.0.1, and try a web site out by the name that it will have. So a name with a domain counts only on a line that is for this
   machine: that of 127.0.1.1, where Debian keeps its name, or one that has a name of (1) or (2) other than ``localhost``.

Used for aliases and authors (`mailer.rewriting`), and for the hostname that holds where none is configured.
"""

from __future__ import annotations

import os

from . import hostsfile

LOCALHOST = frozenset({
    "localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6",
    "ip6-localhost", "ip6-loopback", "loopback",
})  # fmt: skip
"""This machine on every machine: RFC 6761 §6.3, and what distributions have in their hosts(5)."""

OF_THIS_MACHINE = "127.0.1.1"
HOSTNAME = "/etc/hostname"


def hostname() -> str:
    """What this machine calls itself in mail where nobody has said: with a domain if it knows one, never asked of the DNS."""
    name = os.uname().nodename
    if "." not in name:
        listed = _etc_hostname()
        name = listed if "." in listed else _qualified(name) or listed or name
    return name if _usable(name) else "localhost"


def is_this_machine(name: str, hostname: str) -> bool:
    """Whether `name` is one of this machine, whose name in mail is `hostname`."""
    name, hostname = name.lower().removesuffix("."), hostname.lower()
    if name == hostname or name in LOCALHOST:
        return True
    known = _known(hostname)
    return name in known or _listed(name, known)


def _known(hostname: str) -> set[str]:
    """The names of rule 2, in lower case."""
    node = os.uname().nodename.lower()
    short = {node.partition(".")[0], hostname.partition(".")[0]}
    return {node, hostname, *short, *(f"{name}.localdomain" for name in short)} - {""}


def _listed(name: str, known: set[str]) -> bool:
    """Whether hosts(5) says so, by rule 3."""
    for address, *names in hostsfile.lines(name):
        beside = not known.isdisjoint(set(names) - LOCALHOST)
        if ("." not in name or address == OF_THIS_MACHINE or beside) and _is_own(address):
            return True
    return False


def _is_own(address: str) -> bool:
    if address.startswith("127.") or address == "::1":
        return True
    from .own import is_own

    try:
        return is_own(address.partition("%")[0])
    except ValueError:
        return False


def _qualified(name: str) -> str:
    """The name with a domain that hosts(5) has for `name`, as ``hostname -f`` would find it; empty if it has none."""
    found = [other for _, *names in hostsfile.lines(name) for other in names if "." in other and other not in LOCALHOST]
    return next((other for other in found if other.startswith(f"{name.lower()}.")), next(iter(found), ""))


def _etc_hostname() -> str:
    """The first line of hostname(5) that is no comment."""
    try:
        with open(HOSTNAME, "rb") as file:
            lines = file.read(4096).decode("ascii", "replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")


def _usable(name: str) -> bool:
    """Whether other servers would take `name` in EHLO; a machine may be called anything."""
    labels = name.split(".")
    return len(name) < 254 and all(_label(label) for label in labels)


def _label(label: str) -> bool:
    return 0 < len(label) < 64 and label.isascii() and label.replace("-", "a").isalnum() and label.strip("-") == label
