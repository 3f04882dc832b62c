"""Pages: what is put into one stays text, and nothing in one is from elsewhere."""

from __future__ import annotations

import re

import jinja2
import pytest

from mailer.pages.page import HEADERS, HERE, STATIC, Pages, many

ELSEWHERE = re.compile(r"""(?:src|href|action|url)\s*[=(]\s*["']?\s*(?:https?:)?//""", re.IGNORECASE)


def test_a_count_has_its_noun() -> None:
    assert [many(number, "message") for number in (0, 1, 2000)] == ["0 messages", "1 message", "2,000 messages"]


def test_what_is_put_in_is_escaped() -> None:
    """In every template: there is no word in one that says otherwise, and what is missing is an error."""
    pages = Pages()
    text = "<script>alert(1)</script>\"'"
    drawn = pages.draw("problem.html", what=text, advice=text)
    assert "<script>alert" not in drawn
    assert "&lt;script&gt;" in drawn
    for template in HERE.glob("templates/*.html"):
        assert not re.search(r"\|\s*safe|autoescape", template.read_text()), template.name
    with pytest.raises(jinja2.UndefinedError):
        pages.draw("problem.html")


def test_nothing_is_from_elsewhere() -> None:
    """What is served has no address of another host in it, and the policy lets a browser ask none; no script stands in a page."""
    for file in (*STATIC.iterdir(), *HERE.glob("templates/*")):
        assert not ELSEWHERE.search(file.read_text()), file.name
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'"}
