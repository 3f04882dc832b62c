"""Names, addresses and users of this machine, found without DNS or network.

A machine has many names. The kernel knows one, hostname(5) and hosts(5) more, and all of them know ``localhost``; programs write mail from
and to any of these. One name is what it is called in mail (``mailer.hostname``, `hostname` where none is configured); the others mean
nothing to the world, where ``root@web1`` and ``root@localhost.localdomain`` are nobody (`is_this_machine`, for the aliases and authors of
`mailer.rewriting`). Which these are, from what costs nothing to what costs a look into a file:

1. the hostname of the configuration, and ``localhost`` in the forms that systems write into their hosts(5);
2. what the kernel calls it, hostname(1), whole and without its domain; the hostname without its domain; and each of these below
   ``localdomain``;
3. the names that hosts(5) gives to an address of this machine. Not all: people block the hosts of others by giving them
   127.0.0.1, and try a web site out by the name that it will have. So a name with a domain counts only on a line that is for this
   machine: that of 127.0.1.1, where Debian keeps its name, or one that has a name of (1) or (2) other than ``localhost``.

The list of hosts also has names that an operator may use though no DNS has them (`listed`). It is not used for MX hosts: whose mail goes
where is for the DNS to say.
"""

from __future__ import annotations

import os

LOCALHOST = frozenset({
    "localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4", "localhost6", "localhost6.localdomain6",
    "ip6-localhost", "ip6-loopback", "loopback",
})  # fmt: skip
"""This machine on every machine: RFC 6761 §6.3, and what distributions have in their hosts(5)."""

OF_THIS_MACHINE = "127.0.1.1"
HOSTNAME = "/etc/hostname"
HOSTS = "/etc/hosts"
LARGEST = 16 << 20  # bytes of it; lists of names that are to be blocked come to half of that
NOBODYS = ("192.0.2.1", "2001:db8::1")
"""Of documentation, RFC 5737 §3 and RFC 3849 §2. Where even these can be bound (ip_nonlocal_bind), binding says nothing."""


def hostname() -> str:
    """What this machine calls itself in mail where none is configured: with a domain if it knows one, never asked of the DNS."""
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
    for address, *names in _lines(name):
        beside = not known.isdisjoint(set(names) - LOCALHOST)
        if ("." not in name or address == OF_THIS_MACHINE or beside) and _is_ours(address):
            return True
    return False


def _is_ours(address: str) -> bool:
    if address.startswith("127.") or address == "::1":
        return True
    try:
        return is_own(address.partition("%")[0])
    except ValueError:
        return False


def _qualified(name: str) -> str:
    """The name with a domain that hosts(5) has for `name`, as ``hostname -f`` would find it; empty if it has none."""
    found = [other for _, *names in _lines(name) for other in names if "." in other and other not in LOCALHOST]
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


class _Kept:
    """What hosts(5) held when it was read last, in lower case; a daemon must not read it for each message."""

    version: tuple[object, ...] = ()
    data = b""


def _lines(name: str, path: str = "") -> list[list[str]]:
    """The lines of hosts(5) with `name`, in their order: an address and its names, all in lower case; none where there is no such file.

    A line counts if `name` is one of its words, the address apart.
    """
    wanted = name.lower().encode("utf-8", "replace")
    data = _hosts(path or HOSTS)
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
    """The addresses of `name` in hosts(5), or in the file at `path`, in its order; none where there is no such file or name."""
    return [words[0] for words in _lines(name, path) if _is_address(words[0])]


def _hosts(path: str) -> bytes:
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


def is_own(ip: str) -> bool:
    """Whether `ip`, an address without a zone, is one of this machine's: mail that is taken there comes back to us. Raises `ValueError`.

    The kernel is asked by binding a socket to it, which it allows for its own addresses only. What this does not cover: an address that a
    translator (NAT) maps to this machine, which the machine does not know.
    """
    from ipaddress import ip_address

    return _binds(ip) and not _binds(NOBODYS[ip_address(ip).version == 6])


def _binds(ip: str) -> bool:
    import socket

    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((ip, 0))
    except OSError:
        return False
    return True


def called(uid: int) -> str:
    """What people call user `uid`: ``anna (user 1000)``; ``user 1000`` where it has no name."""
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (user {uid})"
    except (KeyError, OverflowError):
        return f"user {uid}"
