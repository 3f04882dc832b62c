"""The text of HTML."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose.parts import text_of


def test_what_people_see_and_nothing_else() -> None:
    """Headings, links, lists and tables as people type them; no title, script, style or picture."""
    html = (
        "<html><head><title>T</title><style>p{}</style></head><body><script>x()</script><h1>Hello</h1>"
        '<p>See <a href="https://example.com/a_b">the *page*</a>&nbsp;now,<br>or <b>later</b>.</p><img src="cid:x" alt="Logo">'
        "<ul><li>one</li><li>two</li></ul><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></body></html>"
    )
    assert text_of(html) == (
        "Hello\n=====\n\nSee [the *page*](https://example.com/a_b) now,\nor **later**.\n\n- one\n- two\n\n"
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    )


@pytest.mark.parametrize(
    ("html", "text"), [("", "\n"), ("just text", "just text\n"), ("a &lt; b &amp; c", "a < b & c\n"), ("<p>a<p>b", "a\n\nb\n")]
)
def test_any_text_is_html(html: str, text: str) -> None:
    """Also where it is none."""
    assert text_of(html) == text


def test_html_nested_without_end_has_its_words() -> None:
    """No depth makes it fail, or take long."""
    begun = time.thread_time()
    assert text_of("<div>" * 5000 + "words") == "words\n"
    assert time.thread_time() - begun < 5


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["<p>", "</p>", "<b", ">", "&", "<!--", "<a href=", "x", "</table>", "<li>"])).map("".join)
)
def test_nothing_fails(html: str) -> None:
    """Whatever it is: lines without blanks at their ends, one line end at the end."""
    text = text_of(html)
    assert text.endswith("\n")
    assert not any(line != line.rstrip() for line in text.split("\n"))
