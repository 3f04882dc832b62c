"""What codes mean, in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dsn.explain import CLASSED, ENHANCED, PERMANENT, SMTP, TEMPORARY, explain


@pytest.mark.parametrize(
    ("code", "enhanced", "words"),
    [
        (550, "5.1.1", "no such mailbox"),
        (550, "", "mailbox does not exist"),
        (550, "5.0.0", "mailbox does not exist"),
        (452, "4.2.2", "mailbox is full"),
        (451, "4.7.1", "greylisting"),
        (554, "5.7.1", "may not write"),
        (556, "5.1.10", "receives no mail"),
        (0, "4.4.3", "DNS"),
        (550, "5.7.26", "DMARC"),
        (599, "", "refused the message for good"),
        (499, "4.9.9", "kind that passes"),
        (0, "", "refused the message for good"),
    ],
)
def test_the_most_telling_code_wins(code: int, enhanced: str, words: str) -> None:
    """The enhanced code explains; where it says nothing, the SMTP code does; where that is unknown, its class."""
    assert words in explain(code, enhanced).means


@given(st.integers(), st.text())
def test_there_is_always_an_explanation(code: int, enhanced: str) -> None:
    """Codes that no standard knows are explained by their class."""
    means, do = explain(code, enhanced)
    assert means
    assert do


def test_explanations_are_sentences() -> None:
    """Each explanation is one or more whole sentences, so that they stand in any text."""
    for means, do in (*ENHANCED.values(), *CLASSED.values(), *SMTP.values(), TEMPORARY, PERMANENT):
        assert means[0].isupper()
        assert means.endswith((".", ")."))
        assert do[0].isupper()
        assert do.endswith(".")
