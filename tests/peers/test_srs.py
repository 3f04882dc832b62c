"""postsrsd: what it has rewritten we turn back, and it turns back what we have; the same secret, the same addresses."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from mailer.srs import NotTurnedBack, day_of, forward, reverse
from tests.fakes.processes import Program, free_port

from .install import FETCHED

pytestmark = pytest.mark.peer("postsrsd")

SECRET = b"0123456789abcdef"
FIRST = "SRS0=abcd=XY=a.example=u@other.example"
SENDERS = ["Ann@Example.org", "bounces+x=y.example@lists.example.org", FIRST, "SRS0+abcd=XY=a.example=u@other.example"]
Ask = Callable[[str], str]


def asking(port: int) -> Ask:
    """A question to one of its two ports, and the address that it answers; empty where it answers none."""

    def ask(address: str) -> str:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(f"get {address}\n".encode())
            code, _, said = connection.makefile().readline().strip().partition(" ")
        return said if code == "200" else ""

    return ask


@pytest.fixture(scope="module")
def postsrsd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ask, Ask]]:
    """Both ways of a postsrsd with our secret and domain."""
    home, there, back = tmp_path_factory.mktemp("postsrsd"), free_port(), free_port()
    secret = home / "secret"
    secret.write_bytes(SECRET)
    options = ["-f", str(there), "-r", str(back), "-d", "mx.example.com", "-s", str(secret), "-a", "=", "-l", "127.0.0.1"]
    with Program([FETCHED["postsrsd"], *options], home / "said") as program:
        program.accepts(there)
        program.accepts(back)
        yield asking(there), asking(back)


@pytest.mark.parametrize("sender", SENDERS)
def test_both_make_and_read_the_same(sender: str, postsrsd: tuple[Ask, Ask]) -> None:
    """In both directions, whoever began; over midnight each other's are still good."""
    there, back = postsrsd
    before = day_of(time.time())
    theirs = there(sender)
    day = day_of(time.time())
    assert theirs in [forward(sender, "mx.example.com", SECRET, each) for each in {before, day}]
    ours = forward(sender, "mx.example.com", SECRET, day)
    assert back(ours) == reverse(theirs, [SECRET], day)
    assert back(ours.lower()).lower() == reverse(theirs.lower(), [SECRET], day).lower()


def test_both_refuse_the_same(postsrsd: tuple[Ask, Ask]) -> None:
    """A forged address, and one that is too old."""
    _, back = postsrsd
    day = day_of(time.time())
    made = forward("ann@example.org", "mx.example.com", SECRET, day)
    for address in (made.replace("=ann", "=bob"), forward("ann@example.org", "mx.example.com", SECRET, day - 30)):
        assert not back(address)
        with pytest.raises(NotTurnedBack):
            reverse(address, [SECRET], day)
