"""How well our sums tell what is wanted from what is not, with SpamAssassin as it is handed out, which has learned nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.efficacy import Efficacy, corpus_at, letters, with_spamd


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Efficacy:
    """All letters, and two of somebody else's collection."""
    place: Path = tmp_path_factory.mktemp("corpus")
    good, bad = (next(each for each in letters() if each.spam is spam) for spam in (False, True))
    for label, one in (("ham", good), ("spam", bad)):
        (place / label).mkdir()
        (place / label / "1.eml").write_bytes(one.content.replace(b"\r\n", b"\n"))
    return with_spamd([*letters(), *corpus_at(place)])


@pytest.mark.peer("spamd", root=True)
def test_nothing_that_is_wanted_is_marked(found: Efficacy) -> None:
    """A false positive hurts: somebody waits for that letter."""
    assert [each.letter.about for each in found.false_positives] == []


@pytest.mark.peer("spamd", root=True)
def test_most_of_what_is_not_wanted_is(found: Efficacy) -> None:
    """And a good part of it never gets in."""
    facts = found.as_json()
    assert (facts["ham"], facts["spam"]) == (21, 21)
    assert len(found.false_negatives) <= 4, list(found.lines())
    assert int(str(facts["refused"])) >= 5
