"""With whom an address of a client counts."""

from __future__ import annotations

import pytest

from mailer.mail.ip_network import neighbourhood, network, overlap


@pytest.mark.parametrize(
    ("ip", "own", "near"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3::7", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        ("::1", "::/64", "::/48"),
        ("0.0.0.1", "0.0.0.1", "0.0.0.0/24"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("", "", ""),
        ("no address", "no address", "no address"),
    ],
)
def test_an_address_counts_with_its_network_and_that_with_its_neighbours(ip: str, own: str, near: str) -> None:
    assert (network(ip), neighbourhood(ip)) == (own, near)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.0/24", True),
        ("192.0.0.0/16", "192.0.2.0/24", True),
        ("192.0.2.7/24", "192.0.2.200", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("192.0.2.7", "::/0", False),
        ("", "0.0.0.0/0", False),
        ("x", "x", False),
    ],
)
def test_networks_overlap_or_do_not(one: str, other: str, common: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is common
