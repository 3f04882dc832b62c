"""A program means something by how it ends; what it prints is a header or an error, and it is told nothing that could act."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.arrival import Arrival
from mailer.mail.message import Message
from mailer.scan.opinion import ScanError
from mailer.scan.program import MOST, environment, header, read


def test_it_is_told_who_brings_what_without_anything_that_ends_a_line() -> None:
    """Names of files, commands and line ends of strangers stay text in a variable."""
    arrival = Arrival("mx", "192.0.2.1", "`id`\n$(id)\0", "ESMTP", "", "", "", 0.0)
    told = environment(arrival, "a|id@b.example", ["c;id@d.example", "e@f.example"])
    assert told["EHLO_DOMAIN"] == "`id`$(id)"
    assert (told["MAIL_FROM"], told["RCPT_TO"]) == ("a|id@b.example", "c;id@d.example e@f.example")
    assert (told["REMOTE_ADDR"], told["MAILER_DOOR"], told["AUTH_AS"]) == ("192.0.2.1", "mx", "")
    assert len(environment(arrival, "x", ["y@z.example"] * 100_000)["RCPT_TO"]) <= 100_000


def test_how_it_ends_is_what_it_means() -> None:
    assert read(0, b"X-Look: fine\n").fields == b"X-Look: fine\r\n"
    assert str(read(20, b"looking\nNo cats, please.\n").reply) == "554 5.7.1 No cats, please."
    assert str(read(20, b"").reply) == "554 5.7.1 refused by a filter"
    assert str(read(75, b"come\x1b later").reply) == "451 4.7.1 come? later"


@pytest.mark.parametrize("status", [1, 2, 21, 126, 127, 255, -9, -11])
def test_any_other_end_is_a_failure_of_its_own(status: int) -> None:
    with pytest.raises(ScanError, match=str(abs(status))):
        read(status, b"Traceback\n")


@pytest.mark.parametrize(
    "output",
    [
        b"no field\n", b" folded: first\n", b"A: b\n\nC: d\n", b"A: b\rC: d\n", b"A: \0\n", b"A b: c\n", b": c\n", b"\xc3\xa4: c\n",
        b"A: " + b"x" * 998 + b"\n", b"A: b\n" * MOST,
    ],
)  # fmt: skip
def test_what_would_be_read_as_something_else_is_no_header(output: bytes) -> None:
    with pytest.raises(ScanError):
        header(output)


@given(st.binary(max_size=80) | st.lists(st.sampled_from([b"A: b", b" c", b"D:", b"", b"\te", b"x"]), max_size=5).map(b"\n".join))
def test_a_header_that_is_taken_is_one_to_every_reader(output: bytes) -> None:
    try:
        found = header(output)
    except ScanError:
        return
    assert Message.split(found + b"\r\nbody\r\n").header == found
