"""Bodies are age files: whatever is done to one, it is what was put there or an error that says what it is not."""

from __future__ import annotations

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from mailer.mailbox.api import BodyLost, NoKey
from mailer.mailbox.sealing import MAGIC, AgeSealing, OtherKey, new_pair, opened

MESSAGE = b"Subject: plans\r\n\r\nNobody else reads this.\r\n" * 50
LONG = os.urandom(200_000)  # several pieces of 64 KiB
PUBLIC, PRIVATE = new_pair()
SEALING = AgeSealing(1, PUBLIC, [PRIVATE])


def digest(content: bytes) -> bytes:
    return sha256(content).digest()


@pytest.mark.parametrize("content", [b"", b"x", MESSAGE, LONG, MAGIC + b"-> X25519\n"], ids=["empty", "one", "message", "long", "like age"])
def test_what_was_sealed_is_opened(content: bytes) -> None:
    """Octet by octet; nothing of it is in what is kept, and two times it looks different."""
    sealed = SEALING.seal(content)
    assert SEALING.open(sealed) == content == opened(sealed, digest(content), SEALING)
    assert SEALING.seal(content) != sealed
    assert sealed.startswith(MAGIC)
    assert len(content) < 30 or content[:30] not in sealed[len(MAGIC) :]


def test_new_bodies_are_left_as_they_are_where_that_is_wished() -> None:
    """The ones before are opened still."""
    reading = AgeSealing(0, PUBLIC, [PRIVATE])
    assert reading.seal(MESSAGE) == MESSAGE
    assert reading.open(SEALING.seal(MESSAGE)) == MESSAGE


@pytest.mark.parametrize("content", [MESSAGE, LONG], ids=["message", "long"])
def test_what_was_changed_is_lost_and_never_filled(content: bytes) -> None:
    """A bit, the end, a piece of 64 KiB, pieces in another order: none of it gives content."""
    sealed = SEALING.seal(content)
    piece = 65536 + 16
    body = len(sealed) - len(content) - 16 * -(-len(content) // 65536)
    changed = [
        sealed[:-1], sealed[:body], sealed[:100], sealed + b"\0", sealed[:body] + sealed[body + 1 :],
        sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:body] + bytes([sealed[body] ^ 128]) + sealed[body + 1 :],
    ]  # fmt: skip
    if len(content) > 2 * 65536:
        one, two = sealed[body : body + piece], sealed[body + piece : body + 2 * piece]
        changed += [sealed[:body] + two + one + sealed[body + 2 * piece :], sealed[:body] + two + sealed[body + 2 * piece :]]
        changed += [sealed[: body + piece]]
    for each in changed:
        with pytest.raises(BodyLost):
            opened(each, digest(content), SEALING)


def test_a_body_for_another_is_named_as_such() -> None:
    """The key that it needs is missing: that is no damage."""
    public, private = new_pair()
    other = AgeSealing(1, public, [private])
    with pytest.raises(OtherKey, match="it opens with no key of its owner"):
        opened(other.seal(MESSAGE), digest(MESSAGE), SEALING)
    with pytest.raises(NoKey, match="its owner has no keys"):
        opened(SEALING.seal(MESSAGE), digest(MESSAGE), None)


def test_a_body_in_the_place_of_another_is_refused() -> None:
    """Of the same owner, encrypted or not: the digest in the row says which it has to be."""
    for content in (SEALING.seal(b"another"), b"another"):
        with pytest.raises(BodyLost, match="digest"):
            opened(content, digest(MESSAGE), SEALING)


def test_it_is_the_digest_that_tells_what_is_encrypted() -> None:
    """A message that a stranger wrote like an age file is one, where it is kept as it came."""
    content = SEALING.seal(b"not ours")
    assert opened(content, digest(content), SEALING) == content
    assert opened(MESSAGE, digest(MESSAGE), SEALING) == opened(MESSAGE, digest(MESSAGE), None) == MESSAGE
    assert opened(SEALING.seal(content), digest(content), SEALING) == content


def test_older_keys_open_what_they_sealed() -> None:
    """While a mailbox gets new ones."""
    public, private = new_pair()
    both = AgeSealing(2, public, [private, PRIVATE])
    assert both.open(SEALING.seal(MESSAGE)) == both.open(both.seal(MESSAGE)) == MESSAGE


@pytest.mark.peer("age")
def test_debians_age_opens_a_body(tmp_path: Path) -> None:
    """With the private key and without us; and what it encrypts, we open."""
    for name, content in (("key", PRIVATE.encode()), ("body", SEALING.seal(LONG)), ("plain", MESSAGE)):
        (tmp_path / name).write_bytes(content)
    found = subprocess.run(["age", "-d", "-i", tmp_path / "key", tmp_path / "body"], capture_output=True, check=True)
    assert found.stdout == LONG
    found = subprocess.run(["age", "-r", PUBLIC, tmp_path / "plain"], capture_output=True, check=True)
    assert SEALING.open(found.stdout) == MESSAGE
