"""Which addresses are this machine's."""

from __future__ import annotations

import socket

import pytest

from mailer.machine.own import is_own


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.1.2.3", "::1"])
def test_ours(ip: str) -> None:
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
def test_not_ours(ip: str) -> None:
    """Addresses of others are not."""
    assert not is_own(ip)


def test_a_kernel_that_binds_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where any address can be bound (ip_nonlocal_bind), that says nothing, and no address is taken for ours."""
    monkeypatch.setattr(socket.socket, "bind", lambda *_: None)
    assert not is_own("203.0.113.9")
