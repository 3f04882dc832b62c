"""Messages are kept alike wherever they are: in files, and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.mail.problem import Problem
from mailer.mailbox.bodies.api import Bodies, NewBody
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.bodies.memory import MemoryBodies
from mailer.mailbox.layout import Layout
from mailer.spool import new_id

ANN, BOB = new_id(1.0), new_id(2.0)
ONE, TWO = new_id(3.0), new_id(4000.0)


@pytest.fixture(params=["files", "memory"])
def bodies(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bodies]:
    """Nothing is kept there yet."""
    found: Bodies = FileBodies(Layout(str(tmp_path / "mailboxes"))) if request.param == "files" else MemoryBodies()
    yield found
    found.close()


def test_what_was_put_is_read_octet_by_octet(bodies: Bodies) -> None:
    """Whole, and any range of it; what is asked for beyond its end is not there."""
    bodies.put([NewBody(ANN, ONE, (b"Subject: x\r\n", b"\r\n", b"\0\xff")), NewBody(ANN, TWO, ()), NewBody(BOB, ONE, (b"another",))])
    assert bodies.read(ANN, ONE) == b"Subject: x\r\n\r\n\0\xff"
    assert (bodies.read(ANN, ONE, 9), bodies.read(ANN, ONE, 9, 3), bodies.read(ANN, ONE, 9, 99)) == (
        b"x\r\n\r\n\0\xff",
        b"x\r\n",
        b"x\r\n\r\n\0\xff",
    )
    assert (bodies.read(ANN, ONE, 99), bodies.read(ANN, ONE, 99, 1), bodies.read(ANN, ONE, 3, 0)) == (b"", b"", b"")
    assert (bodies.read(ANN, TWO), bodies.read(BOB, ONE)) == (b"", b"another")


def test_one_that_is_there_stays_as_it_is(bodies: Bodies) -> None:
    """A second attempt to keep it changes nothing; to have it encrypted otherwise is asked for."""
    bodies.put([NewBody(ANN, ONE, (b"first",))])
    bodies.put([NewBody(ANN, ONE, (b"second",)), NewBody(ANN, TWO, (b"other",))])
    assert (bodies.read(ANN, ONE), bodies.read(ANN, TWO)) == (b"first", b"other")
    bodies.replace([NewBody(ANN, ONE, (b"third",)), NewBody(BOB, TWO, (b"new",))])
    assert (bodies.read(ANN, ONE), bodies.read(BOB, TWO)) == (b"third", b"new")


def test_the_listing_has_each_of_one_owner(bodies: Bodies) -> None:
    """With its octets; an owner without any has none."""
    bodies.put([NewBody(ANN, ONE, (b"12345",)), NewBody(ANN, TWO, ()), NewBody(BOB, ONE, (b"1",))])
    assert sorted((kept.id, kept.size) for kept in bodies.listing(ANN)) == [(ONE, 5), (TWO, 0)]
    assert all(kept.written > 1_700_000_000 for kept in bodies.listing(ANN))
    assert list(bodies.listing(new_id(9.0))) == []


def test_what_is_removed_is_no_such_message(bodies: Bodies) -> None:
    """Removing it once more is no trouble, and the others stay."""
    bodies.put([NewBody(ANN, ONE, (b"1",)), NewBody(ANN, TWO, (b"2",)), NewBody(BOB, ONE, (b"3",))])
    bodies.remove(ANN, [ONE, new_id(9.0)])
    bodies.remove(ANN, [ONE])
    with pytest.raises(Problem, match=ONE) as caught:
        bodies.read(ANN, ONE)
    assert caught.value.kind == "no-such"
    assert (bodies.read(ANN, TWO), bodies.read(BOB, ONE)) == (b"2", b"3")


def test_an_owner_is_forgotten_with_all_he_had(bodies: Bodies) -> None:
    """And nobody else is."""
    bodies.put([NewBody(ANN, ONE, (b"1",)), NewBody(ANN, TWO, (b"2",)), NewBody(BOB, ONE, (b"3",))])
    bodies.forget(ANN)
    bodies.forget(ANN)
    assert list(bodies.listing(ANN)) == []
    assert bodies.read(BOB, ONE) == b"3"


def test_nothing_begun_is_nothing_to_sweep(bodies: Bodies) -> None:
    """What is kept is never swept, however old it is."""
    bodies.put([NewBody(ANN, ONE, (b"1",))])
    assert bodies.sweep(ANN, 4e9) == 0
    assert bodies.read(ANN, ONE) == b"1"
