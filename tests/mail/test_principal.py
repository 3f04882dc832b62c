"""Principals: who hands mail in, in one form wherever it is compared."""

from __future__ import annotations

import pytest

from mailer.mail.principal import Principal, of, parse, unix


@pytest.mark.parametrize(
    ("text", "same", "kind", "uid", "key"),
    [
        ("unix:1000", "unix:1000", "unix", 1000, 1000), ("unix:0", "unix:0", "unix", 0, 0), ("unix:007", "unix:7", "unix", 7, 7),
        ("smtp:Anna@EXAMPLE.com", "smtp:Anna@example.com", "smtp", None, "smtp:Anna@example.com"),
        ("smtp:anna@bücher.example", "smtp:anna@xn--bcher-kva.example", "smtp", None, "smtp:anna@xn--bcher-kva.example"),
        ("key:shop: two", "key:shop: two", "key", None, "key:shop: two"),
        ("amqp:mailer.in", "amqp:mailer.in", "amqp", None, "amqp:mailer.in"),
    ],
)  # fmt: skip
def test_a_principal_is_compared_by_its_text(text: str, same: str, kind: str, uid: int | None, key: int | str) -> None:
    """Whatever way it was written in; only a user of this machine has a number, which stands for him in older formats."""
    found = parse(text)
    assert (found, found.kind, found.uid, found.key) == (same, kind, uid, key)
    assert parse(str(found)) == found
    assert {found: 1}[parse(text)] == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "unix", "unix:", "unix:-1", "unix:x", "unix:²", "unix:4294967296", "root", "uid:0", "smtp:anna", "smtp:a@b\n", "key:",
        "key:a\x1b", "key:" + "x" * 320,
    ],
)  # fmt: skip
def test_what_is_no_principal_is_refused(text: str) -> None:
    """With an error, and nobody is taken for somebody else."""
    with pytest.raises(ValueError, match="no "):
        parse(text)


@pytest.mark.parametrize(
    ("submitter", "who"),
    [
        ({"uid": 7}, "unix:7"), ({"uid": 7, "principal": "unix:7"}, "unix:7"), ({"principal": "smtp:a@example.com"}, "smtp:a@example.com"),
        ({}, None), ({"uid": True}, None), ({"uid": -1}, None), ({"uid": "7"}, None), ({"uid": 1 << 32}, None), ({"uid": 7.0}, None),
        ({"uid": 7, "principal": "?"}, None), ({"uid": 7, "principal": 7}, "unix:7"),
    ],
)  # fmt: skip
def test_an_envelope_says_who_it_is_from(submitter: dict[str, object], who: str | None) -> None:
    """Those that older versions wrote have a number only."""
    assert of(submitter) == who


@pytest.mark.parametrize("who", [unix(7), parse("key:shop")])
def test_what_an_envelope_says_is_read_as_what_was_written(who: Principal) -> None:
    """The number stands beside the text for older versions."""
    assert of(who.as_submitter()) == who
    assert who.as_submitter().get("uid") == who.uid
