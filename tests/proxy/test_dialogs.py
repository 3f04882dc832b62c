"""SOCKS5 and CONNECT as machines: what is said, what is read, and how a proxy's no is told."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from mailer.proxy.place import ProxyTrouble
from mailer.proxy.socks5 import socks5
from mailer.proxy.tunnel import tunnel


def led(talk: Generator[tuple[bytes, int], bytes, None], *answers: bytes) -> list[tuple[bytes, int]]:
    """What `talk` says, given these answers; to its end."""
    said = [next(talk)]
    for at, answer in enumerate(answers):
        assert said[-1][1] in (0, len(answer)), f"answer {at}"
        try:
            said.append(talk.send(answer))
        except StopIteration:
            assert at == len(answers) - 1
            return said
    raise AssertionError("it goes on")


def test_a_host_is_named_to_socks5_and_an_address_is_one() -> None:
    """RFC 1928 §4: a name goes as a name, in ASCII, whoever's DNS knows it."""
    end = b"\x05\x00\x00\x01", bytes(6)
    assert led(socks5("mx.example.net", 25, None), b"\x05\x00", *end)[:2] == [
        (b"\x05\x01\x00", 2),
        (b"\x05\x01\x00\x03\x0emx.example.net\x00\x19", 4),
    ]
    assert led(socks5("192.0.2.1", 587, None), b"\x05\x00", *end)[1][0] == b"\x05\x01\x00\x01\xc0\x00\x02\x01\x02\x4b"
    assert led(socks5("2001:db8::1", 25, None), b"\x05\x00", *end)[1][0][3:6] == b"\x04\x20\x01"
    assert b"xn--exmple-cua.org" in led(socks5("exämple.org", 25, None), b"\x05\x00", *end)[1][0]


def test_a_login_goes_where_it_is_wanted_only() -> None:
    """RFC 1929: the password is not said to a proxy that takes everybody."""
    end = b"\x05\x00\x00\x03", b"\x05", bytes(7)
    said = led(socks5("h", 25, ("me", "hush")), b"\x05\x02", b"\x01\x00", *end)
    assert said[:2] == [(b"\x05\x02\x00\x02", 2), (b"\x01\x02me\x04hush", 2)]
    assert not [line for line, _ in led(socks5("h", 25, ("me", "hush")), b"\x05\x00", *end) if b"hush" in line]


@pytest.mark.parametrize(
    ("login", "answers", "says", "ours"),
    [
        (None, [b"HT"], "does not speak SOCKS5", False),
        (None, [b"\x05\xff"], "wants a login", True),
        (("me", "x"), [b"\x05\xff"], "takes no login by password", True),
        (("me", "x"), [b"\x05\x02", b"\x01\x01"], "wrong user name or password", True),
        (("me", "x" * 256), [b"\x05\x02"], "1 to 255 octets", True),
        (None, [b"\x05\x00", b"\x05\x05\x00\x01"], r"refused: connection refused \(5\)", False),
        (None, [b"\x05\x00", b"\x05\x63\x00\x01"], r"without a name \(99\)", False),
        (None, [b"\x05\x00", b"\x05\x00\x00\x09"], "no SOCKS5", False),
    ],
)
def test_no_of_socks5_says_why(login: tuple[str, str] | None, answers: list[bytes], says: str, ours: bool) -> None:
    """What is of our own making is told apart from what is the host's."""
    with pytest.raises(ProxyTrouble, match=says) as caught:
        led(socks5("h", 25, login), *answers)
    assert caught.value.ours is ours


def test_connect_names_the_host_and_logs_in() -> None:
    """RFC 9110 §9.3.6, RFC 7617 §2."""
    ok = b"HTTP/1.1 200 fine\r\n\r\n"
    assert led(tunnel("2001:db8::1", 25, None), ok) == [(b"CONNECT [2001:db8::1]:25 HTTP/1.1\r\nHost: [2001:db8::1]:25\r\n\r\n", 0)]
    assert b"\r\nProxy-Authorization: Basic bWU6aHVzaA==\r\n\r\n" in led(tunnel("h", 587, ("me", "hush")), ok)[0][0]


@pytest.mark.parametrize(
    ("answer", "says", "ours"),
    [
        (b"HTTP/1.1 403 Not to there\r\n\r\n", "refused: 403 Not to there", False),
        (b"HTTP/1.1 407 Who are you\r\n\r\n", "refused: 407 Who are you", True),
        (b"HTTP/1.0 502 \x1b[31m\r\n\r\n", r"refused: 502 \[31m$", False),
        (b"220 mail.example.com ESMTP\r\n\r\n", "does not speak HTTP", False),
        (b"\r\n\r\n", "does not speak HTTP", False),
    ],
)
def test_no_of_connect_says_why(answer: bytes, says: str, ours: bool) -> None:
    """The proxy's words, without what moves a cursor."""
    with pytest.raises(ProxyTrouble, match=says) as caught:
        led(tunnel("h", 25, None), answer)
    assert caught.value.ours is ours


@pytest.mark.parametrize("talk", [socks5, tunnel])
def test_no_name_breaks_out_of_its_line(talk: object) -> None:
    """A host that is no name is not said to anybody."""
    with pytest.raises(ProxyTrouble, match="no name of a host"):
        led(talk("a\r\nb", 25, None), b"\x05\x00")  # type: ignore[operator]


@pytest.mark.parametrize("echo", ["hush", "bWU6aHVzaA=="])
def test_a_proxy_that_repeats_the_login_tells_nobody(echo: str) -> None:
    """Its words stand in logs."""
    with pytest.raises(ProxyTrouble, match=r"407 no \*\*\* here$"):
        led(tunnel("h", 25, ("me", "hush")), f"HTTP/1.1 407 no {echo} here\r\n\r\n".encode())
