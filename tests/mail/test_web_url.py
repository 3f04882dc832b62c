"""The address of something that is called by HTTP: what it is, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.web_url import WebUrl


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://app.example.com", WebUrl("https", "app.example.com", 443, "/")),
        ("HTTPS://App.Example.COM./a/b?c=d&e=%20", WebUrl("https", "app.example.com", 443, "/a/b?c=d&e=%20")),
        ("https://app.example.com?x=1", WebUrl("https", "app.example.com", 443, "/?x=1")),
        ("http://localhost:8080/hook", WebUrl("http", "localhost", 8080, "/hook")),
        ("https://192.0.2.7/", WebUrl("https", "192.0.2.7", 443, "/")),
        ("https://[2001:DB8::1]:8443/x", WebUrl("https", "2001:db8::1", 8443, "/x")),
        ("https://[fe80::1%25eth0]/", WebUrl("https", "fe80::1%eth0", 443, "/")),
    ],
)
def test_an_address_is_read_into_its_parts(text: str, url: WebUrl) -> None:
    """In one form, whatever way it was written; and written again it is the same."""
    assert WebUrl.read(text) == url
    assert WebUrl.read(str(url)) == url


@pytest.mark.parametrize(
    "text",
    [
        "", "app.example.com", "ftp://app.example.com/", "https:///x", "https://", "https://:443/", "http://2130706433/", "http://0x7f000001/",
        "http://017700000001/", "http://127.1/", "http://127.0.0.1./", "http://1.2.3.4.5/", "http://0x7f.0.0.1/", "https://app.example.com:0/",
        "https://app.example.com:65536/", "https://app.example.com:x/", "https://[::1/", "https://[::1]x/", "https://[1.2.3.4]/",
        "https://a..b/", "https://a b/", "https://a.b/\r\nX: y", "https://a.b/#x", "https://a.b\\@c/", "https://ä.example/",
        "https://good.example@evil.example/", "https://robot:hunter2@evil.example/", "https://" + "a" * 3000, "https://[fe80::1%25a/b]/",
    ],
)  # fmt: skip
def test_what_is_read_in_several_ways_is_refused(text: str) -> None:
    """Nothing is guessed, and no password is repeated."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        WebUrl.read(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=60).map("https://".__add__))
def test_garbage_raises_one_class(text: str) -> None:
    """And what is none, is a host that could be looked up or called."""
    try:
        url = WebUrl.read(text)
    except ValueError:
        return
    assert WebUrl.read(str(url)) == url
    assert url.host
    assert "@" not in url.authority


def test_what_may_be_told_has_neither_path_nor_query() -> None:
    """Either may be a secret of its own."""
    assert WebUrl.read("https://app.example.com:8443/T00/hunter2?key=hunter2").shown == "https://app.example.com:8443"
