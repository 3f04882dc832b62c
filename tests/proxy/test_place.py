"""Where a proxy is."""

from __future__ import annotations

import pytest

from mailer.proxy.place import ProxyPlace


@pytest.mark.parametrize(
    ("url", "place", "shown"),
    [
        ("socks5://127.0.0.1:9050", ("socks5", "127.0.0.1", 9050), "socks5://127.0.0.1:9050"),
        ("socks5h://proxy.example/", ("socks5", "proxy.example", 1080), "socks5://proxy.example:1080"),
        ("HTTP://[2001:db8::1]:8080", ("http", "2001:db8::1", 8080), "http://[2001:db8::1]:8080"),
        ("http://[::1]", ("http", "::1", 3128), "http://[::1]:3128"),
    ],
)
def test_a_url_names_a_proxy(url: str, place: tuple[str, str, int], shown: str) -> None:
    """Its kind, host and port, the usual one where none is said."""
    read = ProxyPlace.read(url)
    assert (tuple(read), str(read)) == (place, shown)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:1080", "https://p:1", "socks4://p:1", "socks5://", "socks5://p:0", "socks5://p:x", "socks5://a b", 7]
)
def test_what_is_no_proxy_says_what_to_write(url: object) -> None:
    """With the form in the error."""
    with pytest.raises(ValueError, match=r"socks5://host:port"):
        ProxyPlace.read(url)


def test_a_login_in_a_url_is_not_repeated() -> None:
    """It is refused, and the password stands nowhere in the words."""
    with pytest.raises(ValueError, match="login") as caught:
        ProxyPlace.read("socks5://me:hush@p:1")
    assert "hush" not in str(caught.value)
