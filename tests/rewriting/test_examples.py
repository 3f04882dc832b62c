"""The examples do what they say."""

from __future__ import annotations

import json
from pathlib import Path

from mailer.compose import Composition
from mailer.config import load
from mailer.config.quick import plain, submission
from mailer.rewriting import Rules

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_rules_of_the_example() -> None:
    """It is a whole configuration, needs no TOML parser to submit, and makes of names what its comments say."""
    path = EXAMPLES / "identity.toml"
    settings = submission(str(path))
    assert plain(path.read_bytes()) is not None
    assert settings == load(str(path)).submitting
    settings = settings.but(aliases_file="")
    rules = Rules(settings, lambda: "www-data")
    assert rules.recipient("root").addresses == rules.recipient("daemon").addresses == ["anna@example.com", "bob@example.com"]
    assert rules.recipient("old@example.com").addresses == ["new@example.com"]
    assert rules.author("www-data").addresses == ["shop@example.com"]
    assert rules.author("carol@web1.example.com").addresses == ["shop@example.com"]
    assert rules.author("carol@web2.example.com").addresses == ["carol@example.com"]
    assert rules.author("backup@web2.example.com").addresses == ["backup@web2.example.com"]


def test_the_payload_of_the_example() -> None:
    """An email with text and HTML, a file and a link."""
    made = Composition.from_payload(json.loads((EXAMPLES / "payload.json").read_text()))
    assert made.request_id == "order-4711-confirmation"
    content = made.encode()
    for words in (b"multipart/alternative", b'filename="receipt.txt"', b"manual.pdf: <https://example.com/manual.pdf>", b"X-Priority: 2"):
        assert words in content
    assert b"archive@example.com" not in content
