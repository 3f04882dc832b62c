"""The text of HTML."""

from __future__ import annotations

import email
import email.policy
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer.compose import Composition, EmailError, Link
from mailer.compose.parts import in_html, in_text, text_of


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


@pytest.mark.slow
def test_html_nested_without_end_has_its_words() -> None:
    """No depth makes it fail, or take long."""
    begun = time.thread_time()
    assert text_of("<div>" * 5000 + "words") == "words\n"
    assert time.thread_time() - begun < 5


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["<p>", "</p>", "<b", ">", "&", "<!--", "<a href=", "x", "</table>", "<li>"])).map("".join)
)
@example("page.htm")
@example("https://example.com/")
def test_nothing_fails(html: str) -> None:
    """Whatever it is: lines without blanks at their ends, one line end at the end."""
    text = text_of(html)
    assert text.endswith("\n")
    assert not any(line != line.rstrip() for line in text.split("\n"))


ISO = Link("big.iso", "https://example.com/big.iso?a=1&b=2")


def test_a_line_of_text_for_each() -> None:
    """Below the text, or alone; in angle brackets, so that mail programs find its end (RFC 3986, appendix C)."""
    assert in_text("Hello\r\n", [ISO]) == "Hello\n\nbig.iso: <https://example.com/big.iso?a=1&b=2>\n"
    assert in_text("", [ISO, Link("", "http://x.example/")]) == "big.iso: <https://example.com/big.iso?a=1&b=2>\n<http://x.example/>\n"
    assert in_text("Hello", []) == "Hello"


def test_a_paragraph_of_html_for_each() -> None:
    """Within the body if it has one; names and addresses are escaped."""
    made = in_html("<html><BODY>x</Body></html>", [Link('<b>&"', ISO.url)])
    assert made == ('<html><BODY>x<p><a href="https://example.com/big.iso?a=1&amp;b=2">&lt;b&gt;&amp;&quot;</a></p>\n</Body></html>')
    assert in_html("x", [Link("", ISO.url)]).startswith('x\n<p><a href="https://example.com/')
    assert in_html("x", []) == "x"


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://x/a b", "https://x/\r\nBcc: y",
     'https://x/"onclick', "https://x/<b>", "https://x/\u2028", "https://" + "x" * 2000],
)  # fmt: skip
def test_what_is_no_link(url: str) -> None:
    """Only what is fetched from a server, and nothing that could be more than a link."""
    for make in (in_text, in_html):
        with pytest.raises(EmailError, match="is no link") as caught:
            make("x", [Link("n", url)])
        assert caught.value.part == "link"
        assert str(caught.value).isprintable()
    with pytest.raises(EmailError, match="control character"):
        in_text("x", [Link("a\nb", "https://x/")])


def test_both_bodies_have_it() -> None:
    """The text that is made from the HTML has it once."""
    made = Composition(from_="a@example.org", to="b@example.org", html="<p>Hello</p>").link(*ISO).encode()
    message = email.message_from_bytes(made, policy=email.policy.default)
    text, html = (part.get_content() for part in message.iter_parts())
    assert text.replace("\r\n", "\n") == "Hello\n\nbig.iso: <https://example.com/big.iso?a=1&b=2>\n"
    assert html.count("https://example.com/big.iso?a=1&amp;b=2") == 1


@pytest.mark.parametrize("parts", [{}, {"text": ""}, {"text": "x"}, {"html": "x", "text": ""}])
def test_no_body_is_made_for_it_but_a_text(parts: dict[str, str]) -> None:
    """HTML that was to stand alone stays alone."""
    made = Composition(from_="a@example.org", to="b@example.org", **parts).link(*ISO).encode()  # type: ignore[arg-type]
    assert made.count(b"https://example.com/big.iso") == 1
    assert (b"text/plain" in made) == ("html" not in parts)
