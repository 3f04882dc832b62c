"""A key: what proves it, from where, and until when."""

from __future__ import annotations

import pytest

from mailer.accounts.api import ApiKey, digest_of, divided, is_name, new_id, new_secret, proves

NOW = 1_700_000_000.0


def made(**more: object) -> tuple[ApiKey, str]:
    shown, digest = new_secret(id := new_id())
    return ApiKey("shop", id, digest, frozenset({"send"}))._replace(**more), shown


def test_a_key_is_proved_by_its_secret_alone() -> None:
    """In upper and lower case; one symbol that is another, or another key's secret, proves nothing."""
    key, shown = made()
    assert len(shown) == 44
    assert shown.startswith("mlr_" + key.id)
    for form in (shown, shown[:4] + shown[4:].lower()):
        id, secret = divided(form)
        assert (id, proves(key, secret, NOW)) == (key.id, True)
    other = shown[:-1] + ("0" if shown[-1] != "0" else "1")
    assert not proves(key, divided(other)[1], NOW)
    assert not proves(key, divided(made()[1])[1], NOW)
    assert not proves(None, divided(shown)[1], NOW)
    assert not proves(key, "", NOW)


@pytest.mark.parametrize(
    "text", ["", "mlr_", "mlr_" + "0" * 39, "mlr_" + "0" * 41, "MLR_" + "0" * 40, "key_" + "0" * 40, "mlr_" + "é" * 40]
)
def test_what_cannot_be_a_key_is_none(text: str) -> None:
    """It has no public part to look for."""
    assert divided(text) == ("", "")


def test_no_two_keys_are_alike() -> None:
    """Of many."""
    assert len({new_secret(new_id())[0] for _ in range(1000)}) == 1000


def test_a_key_holds_until_it_expires_or_is_disabled() -> None:
    """To the second."""
    key, shown = made(expires=NOW)
    secret = divided(shown)[1]
    assert proves(key, secret, NOW - 1)
    assert not proves(key, secret, NOW)
    assert not proves(key._replace(expires=0.0, disabled=True), secret, NOW)


def test_the_secret_before_holds_while_it_is_rotated() -> None:
    """And no longer."""
    key, shown = made()
    before = "BEFORE"
    rotated = key._replace(previous=digest_of(before), previous_until=NOW)
    assert proves(rotated, before, NOW - 1)
    assert not proves(rotated, before, NOW)
    assert proves(rotated, divided(shown)[1], NOW)
    assert not proves(key, before, NOW - 1)


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ((), "203.0.113.1", True), ((), "", True), (("192.0.2.0/24",), "192.0.2.200", True), (("192.0.2.0/24",), "192.0.3.1", False),
        (("192.0.2.0/24",), "::ffff:192.0.2.1", True), (("192.0.2.0/24", "2001:db8::/32"), "2001:db8::1", True),
        (("2001:db8::/32",), "192.0.2.1", False), (("192.0.2.0/24",), "", False),
    ],
)  # fmt: skip
def test_a_key_is_used_from_its_networks(networks: tuple[str, ...], address: str, allowed: bool) -> None:
    """From everywhere, if it has none; who has no address is in none."""
    assert made(networks=networks)[0].is_from(address) is allowed


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("shop", True),
        ("a.b-c_9", True),
        ("x" * 64, True),
        ("", False),
        ("x" * 65, False),
        ("-a", False),
        (".a", False),
        ("a b", False),
        ("ä", False),
        ("a\n", False),
    ],
)
def test_a_name_is_a_word(name: str, fits: bool) -> None:
    """One that can stand in a file, in a log and on a command line."""
    assert is_name(name) is fits


def test_the_principal_has_the_name_of_the_key() -> None:
    """So that its mail stays its own when the secret changes."""
    assert made()[0].principal == "key:shop"
