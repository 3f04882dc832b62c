"""What this machine is called."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailer.machine.names import hostname, is_this_machine
from tests.fakes.nameplate import Nameplate

Makes = Callable[..., Nameplate]

DEBIAN = "127.0.0.1\tlocalhost\n127.0.1.1\tWeb1.example.com\tweb1 intranet.example.org\n"
REDHAT = "127.0.0.1 localhost localhost.localdomain localhost4 localhost4.localdomain4 web1 web1.example.com\n::1 localhost\n"
BLOCKED = "127.0.0.1 localhost\n127.0.0.1 ads.example.net tracker.example.net\n0.0.0.0 other.example.net\n127.0.0.1 shop.example.com shop\n"


@pytest.mark.parametrize("name", ["mail.example.com", "MAIL.example.COM", "mail", "web1", "Web1", "web1.localdomain", "localhost",
                                  "localhost.localdomain", "localhost6.localdomain6", "ip6-localhost", "web1."])  # fmt: skip
def test_names_that_need_no_file(name: str, nameplate: Makes) -> None:
    """The hostname and the kernel's name, with and without a domain, and localhost as systems write it; no file is read for them."""
    made = nameplate("web1")
    made.hosts.unlink()
    assert is_this_machine(name, "mail.example.com")


@pytest.mark.parametrize(
    ("hosts", "name", "ours"),
    [
        (DEBIAN, "web1.example.com", True), (DEBIAN, "intranet.example.org", True), (DEBIAN, "example.com", False),
        (REDHAT, "web1.example.com", True), (REDHAT, "web2", False),
        ("127.0.0.1 web1.example.com web1 # old.example.com\n", "old.example.com", False),
        (BLOCKED, "ads.example.net", False), (BLOCKED, "shop.example.com", False), (BLOCKED, "shop", True),
        ("203.0.113.9 web1.example.com web1\n", "web1.example.com", False),
        ("::1 build web1\n", "build", True), ("203.0.113.9 build\n", "build", False), ("nonsense build\n", "build", False),
        ("127.0.0.1 web1.example.commerce web1\n", "web1.example.com", False),
    ],
)  # fmt: skip
def test_names_of_the_list_of_hosts(hosts: str, name: str, ours: bool, nameplate: Makes) -> None:
    """What stands beside the machine's own name, or has no domain, at an address of ours; not hosts that are blocked or only tried out."""
    nameplate("web1", hosts)
    assert is_this_machine(name, "mail.example.com") == ours


@pytest.mark.parametrize(
    ("node", "etc", "hosts", "found"),
    [
        ("web1.example.com", "", "", "web1.example.com"),
        ("web1", "# ours\nweb1.example.net\n", DEBIAN, "web1.example.net"),
        ("web1", "web1\n", DEBIAN, "web1.example.com"),
        ("Web1", "", REDHAT, "web1.example.com"),
        ("web1", "web1\n", "127.0.0.1 localhost.localdomain localhost web1\n", "web1"),
        ("web1", "", "127.0.1.1 mail.example.com web1\n", "mail.example.com"),
        ("a_b", "", "", "localhost"), ("web1", "", "", "web1"),
    ],
)  # fmt: skip
def test_the_name_in_mail_where_nobody_has_said_one(node: str, etc: str, hosts: str, found: str, nameplate: Makes) -> None:
    """With a domain if hostname(1), /etc/hostname or /etc/hosts has one, as `hostname -f` says without the DNS."""
    nameplate(node, hosts, etc)
    assert hostname() == found


def test_the_list_is_read_again_when_it_changes(nameplate: Makes) -> None:
    """A daemon that runs for months knows the names of today."""
    made = nameplate("web1")
    assert not is_this_machine("alias", "mail.example.com")
    made.hosts.write_text("127.0.0.1 alias\n")
    assert is_this_machine("alias", "mail.example.com")
