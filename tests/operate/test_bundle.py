"""The messages of an mbox, a Maildir, or lines of JSON: where each begins and ends, and what is wrong with one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.mail.problem import Problem
from mailer.operate.bundle import Wishes, items
from tests.fakes.chance import examples


def message(number: int, **more: str) -> bytes:
    """A whole message with a number."""
    fields = {"From": "me@example.com", "To": f"{number}@example.net", "Subject": f"number {number}", "X-Key": f"k{number}"} | more
    head = "".join(f"{name}: {value}\n" for name, value in fields.items() if value)
    return f"{head}\nbody {number}\n".encode()


def mbox(*messages: bytes) -> bytes:
    """As every mail program writes one."""
    return b"".join(b"From me@example.com Sat Nov 21 00:00:00 2026\n" + one + b"\n" for one in messages)


def payload(number: int, **more: Any) -> dict[str, Any]:
    """The same as an object of JSON."""
    return {
        "request_id": f"k{number}",
        "from_address": "me@example.com",
        "to_addresses": [f"{number}@example.net"],
        "subject": f"number {number}",
        "body_plain": f"body {number}",
    } | more


def lines(*payloads: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in payloads)


def parsed(tmp_path: Path, data: bytes, **more: Any) -> list[bytes | str]:
    """What an input holds: the data of each message, or what is wrong with it."""
    path = tmp_path / "input"
    path.write_bytes(data)
    found = [item.request for item in items(str(path), Wishes(**{"largest": 10_000} | more))]
    return [str(one) if isinstance(one, Problem) else one.data for one in found]


def test_a_line_of_a_message_that_looks_like_a_border_is_none(tmp_path: Path) -> None:
    """It is one only after an empty line; quoted, it loses one quote."""
    found = parsed(tmp_path, mbox(b"A: b\n\nx\nFrom here on\n>From x\n>>From y\n> From z\n", b"C: d\n\nx\n"))
    assert found == [b"A: b\n\nx\nFrom here on\nFrom x\n>From y\n> From z\n", b"C: d\n\nx\n"]


def test_line_ends_may_be_those_of_the_network(tmp_path: Path) -> None:
    """Some programs write an mbox with CRLF."""
    data = mbox(b"A: b\n\nx\n", b"C: d\n\ny\n").replace(b"\n", b"\r\n")
    assert parsed(tmp_path, data) == [b"A: b\r\n\r\nx\r\n", b"C: d\r\n\r\ny\r\n"]


def test_an_mbox_without_its_last_line_end_is_whole(tmp_path: Path) -> None:
    """Nothing of a message is lost."""
    assert parsed(tmp_path, b"From x\nA: b\n\nx") == [b"A: b\n\nx"]


def test_one_that_is_too_large_is_one_that_is_wrong(tmp_path: Path) -> None:
    """It is not held in memory, and the next one is read."""
    large = b"A: b\n\n" + b"x" * 76 + b"\n" + (b"y" * 76 + b"\n") * 1000
    found = parsed(tmp_path, mbox(message(1), large, message(2)))
    assert found == [message(1), "the message is larger than 10000 bytes (submission.max_message_size)", message(2)]
    one = lines(payload(1, body_plain="x" * 1_200_000))
    found = parsed(tmp_path, lines(payload(1)) + one + lines(payload(2)))
    assert [isinstance(one, bytes) for one in found] == [True, False, True]


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.text("Fromx :>\n", max_size=60).map(str.encode), min_size=1, max_size=5))
def test_what_is_quoted_comes_back(tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes]) -> None:
    """An mbox of the form mboxrd holds any text, however like a border its lines are."""
    whole = [b"A: b\n\n" + body + b"\n" for body in bodies]
    quoted = [b"".join(b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in one.splitlines(True)) for one in whole]
    assert parsed(tmp_path_factory.mktemp("mbox"), mbox(*quoted)) == whole


@settings(max_examples=examples(60), deadline=None)
@given(st.binary(max_size=400))
def test_whatever_is_in_an_mbox_is_messages(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Nothing of it is an error of ours."""
    parsed(tmp_path_factory.mktemp("mbox"), b"From x\n" + data)


PEAK = """
import resource, sys
from mailer.operate.bundle import Wishes, items
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(*(item.request for item in items(sys.argv[1], Wishes(25_000_000))))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "piece", "tail", "said"),
    [
        (b"From x\n", b"\n", b"", "the message is empty"),
        (b'{"a": [', b"[],", b"[]]}\n", "beside its texts"),
        (b'{"a": [', b'"",', b'""]}\n', "beside its texts"),
        (b'{"a": "', b'\\"', b"", "the line is no JSON"),
    ],
)
def test_what_a_batch_is_made_of_is_not_held_piece_by_piece(tmp_path: Path, head: bytes, piece: bytes, tail: bytes, said: str) -> None:
    """Empty lines and empty values take no more memory than a few times their octets."""
    size = 3_000_000
    (tmp_path / "batch").write_bytes(head + piece * (size // len(piece)) + tail)
    done = subprocess.run([sys.executable, "-c", PEAK, str(tmp_path / "batch")], capture_output=True, text=True, check=True, timeout=120)
    words, peak = done.stdout.rstrip().rsplit("\n", 1)
    assert said in words
    assert int(peak) < 12 * size
