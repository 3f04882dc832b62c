"""Domains in the one form that is looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.domain import ascii_domain


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example.", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),  # u and a combining diaeresis
        ("例え。jp", "xn--r8jz45g.jp"),
        ("ｅｘａｍｐｌｅ．com", "example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
    ],
)
def test_one_form(written: str, form: str) -> None:
    """However a domain is written, it has one form in the DNS."""
    assert ascii_domain(written) == form


@pytest.mark.parametrize(("written", "form"), [("straße.example", "xn--strae-oqa.example"), ("βόλος.com", "xn--nxasmm1c.com")])
def test_the_newer_standard(written: str, form: str) -> None:
    """ß and ς stay what they are: written as ss and σ, as IDNA 2003 did, they would be somebody else's domain."""
    assert ascii_domain(written) == form


@pytest.mark.parametrize(
    "written", ["", ".", "a..b", ".a", "a" * 64, "ü" * 64, ".".join(["a" * 60] * 5), "a b.c", "a/b", "℀.example", "a\0b", "-ü.de", "ü-.de"]
)
def test_what_is_no_domain(written: str) -> None:
    """What cannot stand in the DNS is a ValueError, also where it only becomes that on the way."""
    with pytest.raises(ValueError, match="domain"):
        ascii_domain(written)


def test_a_hostile_domain_costs_nothing() -> None:
    """A label of a million letters is refused before anything is made of it."""
    with pytest.raises(ValueError, match="too long"):
        ascii_domain("ü" * 1_000_000 + ".example")


@given(st.text(max_size=80))
def test_the_form_is_stable(text: str) -> None:
    """Whatever comes in, the result is ASCII that a name server can be asked for, and has the form already."""
    try:
        form = ascii_domain(text)
    except ValueError:
        return
    assert form.isascii()
    assert ascii_domain(form) == form
