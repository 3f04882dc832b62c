"""The example for publishers, as its reader would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .house import House

pytestmark = [pytest.mark.peer("rabbitmq"), pytest.mark.slow, pytest.mark.xdist_group("rabbitmq")]

EXAMPLE = Path(__file__).parents[2] / "examples" / "to_rabbitmq.py"


def test_a_mail_is_handed_over_and_its_answer_heard(house: House) -> None:
    """Once for an order; what is wrong is said."""

    def said(person: str) -> list[str]:
        words = [sys.executable, str(EXAMPLE), house.rabbit.url, house.queue, person, "order-7"]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.split()

    house.start()
    id, new = said("bob@example.net")
    assert (new, [path.name for path in house.files]) == ("new", [id])
    assert said("bob@example.net") == [id, "again"]
    assert "nonsense" in " ".join(said("nonsense@"))
    assert len(house.files) == 1


def test_where_nobody_has_made_the_queue(house: House) -> None:
    """It says so in a line, and that nobody has the mail."""
    words = [sys.executable, str(EXAMPLE), house.rabbit.url, f"{house.queue}.no", "bob@example.net", "order-8"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"there is no queue {house.queue}.no")
