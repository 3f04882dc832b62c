"""Addresses that a stranger's DNS must not lead us to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.ip_filter import allowed

REFUSED_V4 = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.255",
    "168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.0.1",
    "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
]  # fmt: skip
REFUSED_V6 = [
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::1",
    "100::1", "2001::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "fc00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1",
    "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("ip", REFUSED_V4 + REFUSED_V6)
def test_refused(ip: str) -> None:
    """Loopback, private, link-local, shared, reserved and metadata addresses are refused, wrapped ones too."""
    assert not allowed(ip)


@pytest.mark.parametrize(
    "ip",
    ["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.2.1", "223.255.255.255", "2001:db8::1",
     "2a00:1450:4013:c01::1a", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"],
)  # fmt: skip
def test_allowed(ip: str) -> None:
    """Public addresses are allowed, also where a translator wraps one."""
    assert allowed(ip)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f.1", "2130706433", "127.0.0.1 ", "[::1]", "fe80::1%eth0"])
def test_no_address(text: str) -> None:
    """What is no plain address is not allowed: other programs read 127.1 as loopback."""
    assert not allowed(text)


@given(st.sampled_from(REFUSED_V4).map(IPv4Address) | st.ip_addresses(v=4))
def test_wrapping_changes_nothing(ip: IPv4Address) -> None:
    """An address is as good inside NAT64 and 6to4 as by itself."""
    assert isinstance(ip, IPv4Address)
    nat64 = IPv6Address(0x64FF9B << 96 | int(ip))
    sixtofour = IPv6Address(0x2002 << 112 | int(ip) << 80)
    assert allowed(str(ip)) == allowed(str(nat64)) == allowed(str(sixtofour))
