"""The sandbox of a configuration: what it may say, and that no mistake in it makes mail live."""

from __future__ import annotations

import pytest

from mailer.config.file import config_of
from mailer.config.quick import plain
from mailer.mail.problem import Problem

RIGHT = {
    "": (False, "live"),
    "[sandbox]": (False, "live"),
    '[sandbox]\nmode = "live"\nto = "dev@example.com"': (False, "live"),
    '[sandbox]\nmode = "trap"': (True, "trapped (trap)"),
    '[sandbox]\nmode = "trap"\nkeep = "/srv/kept"': (True, "kept in /srv/kept"),
    '[sandbox]\nmode = "redirect"\nto = "dev@example.com"': (True, "dev@example.com"),
    '[sandbox]\nmode = "allowlist"\nallow = ["*@example.com", "a@b.example"]': (True, "only mail to *@example.com, a@b.example"),
}

WRONG = {
    '[sandbox]\nmode = "trop"': "none of live",
    "[sandbox]\nmode = true": "true",
    '[sandbox]\nmod = "trap"': "mode",
    '[sandbx]\nmode = "trap"': "[sandbox]",
    '[[sandbox]]\nmode = "trap"': "[sandbox]",
    '[sandbox]\nmode = "redirect"': "needs an address",
    '[sandbox]\nmode = "redirect"\nto = "dev"': "to:",
    '[sandbox]\nmode = "allowlist"': "needs whom it lets through",
    '[sandbox]\nmode = "allowlist"\nallow = []': "needs whom it lets through",
    '[sandbox]\nmode = "allowlist"\nallow = ["example.com"]': "is no address",
    '[sandbox]\nmode = "allowlist"\nallow = ["*"]': "is no address",
    '[sandbox]\nmode = "allowlist"\nallow = "*@example.com"': "no list",
    '[sandbox]\nto = "dev@example.com"': "has no mode",
    '[sandbox]\nkeep = "/srv/kept"': "has no mode",
    'sandbox = "trap"': "[sandbox]",
}


@pytest.mark.parametrize("text", RIGHT)
def test_it_says_what_holds(text: str) -> None:
    """Both readers agree; without a mode nothing holds."""
    holds, words = RIGHT[text]
    whole = config_of("c.toml", text.encode()).sandbox
    assert (whole.holds, words in whole.words) == (holds, True), whole.words
    quick = plain(text.encode())
    assert quick is not None
    assert quick.get("sandbox", whole) == whole
    assert whole.as_json() is None if not holds else whole.as_json()


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_never_live(text: str) -> None:
    """The daemon does not start with it, and whoever submits mail meets the same, unless nothing says that a sandbox was meant."""
    with pytest.raises(Problem, match=r"c\.toml:[0-9]+: ") as refused:
        config_of("c.toml", text.encode())
    assert refused.value.kind == "bad-config"
    assert WRONG[text] in str(refused.value)
    assert plain(text.encode()) in (None, {})
