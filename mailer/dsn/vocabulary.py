"""The words of ``shapes.toml``, read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from .phrases import Phrases, words


class Vocabulary(NamedTuple):
    """What mail systems and answering machines write; the sections of ``shapes.toml`` say what each is."""

    authors: Phrases
    subjects: Phrases
    """Their names are ``failed``, ``delayed``, ``delivered`` and ``complaint``."""
    failed: Phrases
    delayed: Phrases
    final: Phrases
    labels: dict[str, str]
    """``recipient`` or ``other``, by the words before an address."""
    longest_label: int
    """In words."""
    returned: Phrases
    answers: Phrases
    weak_answers: Phrases
    away: Phrases


@cache
def vocabulary() -> Vocabulary:
    """The words that are shipped."""
    read = tomllib.loads(files(__package__).joinpath("shapes.toml").read_text("utf-8"))
    labels = {words(label): kind for kind, found in read["labels"].items() for label in found}
    return Vocabulary(
        authors=Phrases([("author", read["authors"])]),
        subjects=Phrases([*read["subjects"].items(), ("complaint", read["complaints"]["subjects"])]),
        failed=Phrases([("failed", read["letter"]["failed"])]),
        delayed=Phrases([("delayed", read["letter"]["delayed"])]),
        final=Phrases([("final", read["letter"]["final"])]),
        labels=labels,
        longest_label=max(label.count(" ") for label in labels),
        returned=Phrases([("returned", read["returned"]["lines"])]),
        answers=Phrases([("answer", read["automatic"]["subjects"])]),
        weak_answers=Phrases([("answer", read["automatic"]["weak"])]),
        away=Phrases([("away", read["automatic"]["words"])]),
    )
