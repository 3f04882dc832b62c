"""What codes mean, in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.dsn.explain import CAUSED, CLASSED, ENHANCED, PERMANENT, SMTP, TEMPORARY, explain
from mailer.mail.outcome import Cause


@pytest.mark.parametrize(
    ("code", "enhanced", "words"),
    [
        (550, "5.1.1", "no such mailbox"),
        (550, "", "refused for good. The host gave no reason that we know"),
        (550, "5.0.0", "refused for good. The host gave no reason that we know"),
        (550, "5.1.0", "recipient's address"),
        (452, "4.2.2", "mailbox is full"),
        (451, "4.7.1", "by its rules"),
        (454, "4.7.0", "Encryption or sign-in was not available"),
        (451, "", "put off. The host gave no reason that we know"),
        (554, "5.7.1", "no reason that we know"),
        (556, "5.1.10", "receives no mail"),
        (0, "4.4.3", "DNS"),
        (550, "5.7.26", "DMARC"),
        (599, "", "refused for good"),
        (499, "4.9.9", "put off"),
        (0, "", "refused for good"),
    ],
)
def test_the_most_telling_code_wins(code: int, enhanced: str, words: str) -> None:
    """The enhanced code explains; where it says nothing, the SMTP code does; where that is unknown, its class."""
    assert words in explain(code, enhanced).means


@pytest.mark.parametrize("cause", Cause)
def test_a_cause_explains_more_than_any_code(cause: Cause) -> None:
    """Each has words of its own; only what does not fit a host is explained by the code that says what."""
    assert (cause in CAUSED) == (cause is not Cause.UNFIT)
    assert (explain(550, "5.1.1", cause) == CAUSED.get(cause)) == (cause is not Cause.UNFIT)


@given(st.integers(), st.text())
def test_there_is_always_an_explanation(code: int, enhanced: str) -> None:
    """Codes that no standard knows are explained by their class."""
    means, do = explain(code, enhanced)
    assert means
    assert do


def test_explanations_are_sentences() -> None:
    """Each explanation is one or more whole sentences, so that they stand in any text."""
    for means, do in (*ENHANCED.values(), *CLASSED.values(), *SMTP.values(), *CAUSED.values(), TEMPORARY, PERMANENT):
        assert means[0].isupper()
        assert means.endswith((".", ")."))
        assert do[0].isupper()
        assert do.endswith(".")
