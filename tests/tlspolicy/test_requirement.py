"""What must be true of a host before it gets mail."""

from __future__ import annotations

import pytest

from mailer.tlspolicy import MODES, MX, RELAY, Requirement


def test_defaults() -> None:
    """A relay must prove who it is; a host that MX named need not even have TLS."""
    assert (RELAY.mode, RELAY.required, RELAY.verified) == ("starttls", True, True)
    assert (MX.mode, MX.required, MX.verified) == ("opportunistic", False, False)


def test_what_counts_as_verified() -> None:
    """A certificate proves something only where TLS is required: an attacker would take away the rest."""
    assert [mode for mode in MODES if Requirement(mode).verified] == ["starttls", "implicit"]
    assert not any(Requirement(mode, verify=False).verified for mode in MODES)


def test_unknown_mode() -> None:
    """A mode that does not exist is refused."""
    with pytest.raises(ValueError, match="'tls' is no TLS mode; there are none, opportunistic, starttls, implicit"):
        Requirement("tls")


def test_requirements_are_values() -> None:
    """Equal requirements are interchangeable, also as keys."""
    assert {Requirement("none"): 1}[Requirement("none")] == 1
    assert Requirement("starttls") != Requirement("starttls", server_name="x.example")
