"""What this machine is called, which addresses are its own, its list of hosts, and its users."""

from __future__ import annotations

import pwd
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from mailer.io.machine import called, hostname, is_own, is_this_machine, listed
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


def test_the_list_of_hosts(tmp_path: Path) -> None:
    """A name has the addresses of all lines that list it, in order; case and comments do not matter."""
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 localhost\n10.0.0.1\tSmtp.Example.net smtp # smtp2\n\nfd00::1 smtp\nnonsense smtp\n#10.0.0.9 smtp\n")
    assert listed("smtp", str(file)) == ["10.0.0.1", "fd00::1"]
    assert listed("SMTP.example.NET", str(file)) == ["10.0.0.1"]
    assert listed("smtp2", str(file)) == []
    assert listed("10.0.0.1", str(file)) == []


def test_no_list_of_hosts(tmp_path: Path) -> None:
    """Without the file no name is listed; bytes that are no text do no harm."""
    assert listed("smtp", str(tmp_path / "none")) == []
    file = tmp_path / "hosts"
    file.write_bytes(b"\xff\xfe\x00 smtp\n10.0.0.1 smtp\n")
    assert listed("smtp", str(file)) == ["10.0.0.1"]


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.1.2.3", "::1"])
def test_addresses_of_ours(ip: str) -> None:
    """Loopback is always ours."""
    assert is_own(ip)


def test_the_address_that_we_call_from() -> None:
    """So is the address that the kernel would call from, where there is one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 25))
        except OSError:
            pytest.skip("this machine has no route")
        assert is_own(probe.getsockname()[0])


@pytest.mark.parametrize("ip", ["203.0.113.9", "8.8.8.8", "2001:db8:1::9", "2606:4700::1111"])
def test_addresses_of_others(ip: str) -> None:
    """Addresses of others are not."""
    assert not is_own(ip)


def test_a_kernel_that_binds_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where any address can be bound (ip_nonlocal_bind), that says nothing, and no address is taken for ours."""
    monkeypatch.setattr(socket.socket, "bind", lambda *_: None)
    assert not is_own("203.0.113.9")


def test_a_user_is_called_by_name_and_number() -> None:
    """By the number alone where nobody has named it, or it can be none."""
    known = pwd.getpwuid(0).pw_name
    assert called(0) == f"{known} (user 0)"
    assert called(2**31 - 7) == f"user {2**31 - 7}"
    assert called(2**70) == f"user {2**70}"
