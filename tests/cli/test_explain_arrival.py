"""Mail that came by a door, and what an operator is told of it: how it came, why it is held, and that he may let it go."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from mailer.config.sections import SubmissionSettings
from mailer.events import Changed, Seen, TakenIn
from mailer.mail.arrival import Arrival
from mailer.mail.envelope import Recipient
from mailer.submit.accept import Inbound, accept
from tests.cli.terminal import Shell
from tests.operate.test_schemas import right
from tests.status.office import Office

ARRIVAL = Arrival("mx", "192.0.2.7", "there.example", "ESMTPS", "TLSv1.3", "mail.there.example", proxy="10.0.0.9")
WHY = "spamd: 20.1 of 15"


def taken(office: Office, *, held: bool = True, why: str = WHY, told: bool = False) -> str:
    """A message that came by the door of strangers for an alias, as that takes it; `told`: the status has heard of it."""
    arrival = replace(ARRIVAL, at=time.time())
    people = [Recipient(f"{name}@elsewhere.example", behalf="sales@example.com") for name in ("eve", "joe")]
    settings = SubmissionSettings(spool=office.spool.root, hostname="host.example")
    letter = Inbound(arrival, "ann@there.example", people, b"Subject: Buy\r\n\r\nnow\r\n", held=held, why=why)
    id = accept(letter, settings).envelope.id
    if told:
        event = TakenIn(arrival.at, arrival, id, "ann@there.example", ["sales@example.com"], 20, "hold" if held else "accept", why)
        office.write([event, Seen(arrival.at, office.entry(id))])
    return id


def explained(shell: Shell, id: str) -> dict[str, Any]:
    (story,) = right("explain", shell("explain", "--json", "--no-dns", id).out)
    return story


@pytest.mark.parametrize("told", [False, True], ids=["from its file", "from the status"])
def test_how_a_message_came_is_explained(office: Office, shell: Shell, told: bool) -> None:
    """The same, whether or not the status knows it: who brought it, for whom it was, and what was found against it."""
    id = taken(office, told=told)
    came = explained(shell, id)["arrival"]
    assert {name: came[name] for name in ("door", "ip", "proxy", "name", "hello", "tls", "from", "to", "verdict", "why")} == {
        "door": "mx", "ip": "192.0.2.7", "proxy": "10.0.0.9", "name": "mail.there.example", "hello": "there.example", "tls": "TLSv1.3",
        "from": "ann@there.example", "to": ["sales@example.com"], "verdict": "hold", "why": WHY,
    }  # fmt: skip
    out = shell("explain", "--no-dns", id).out
    for text in (
        "Came",
        "by mx from 192.0.2.7 mail.there.example, TLSv1.3",
        "10.0.0.9",
        "sales@example.com",
        f"held: {WHY}",
        "held until it is released",
    ):
        assert text in out
    assert "Submitted" not in out
    assert "Asked for" not in out


def test_who_passes_it_on_to_whom_is_explained(office: Office, shell: Shell) -> None:
    """As long as its file is there."""
    id = taken(office)
    assert {each["address"]: each["for"] for each in explained(shell, id)["recipients"]} == {
        "eve@elsewhere.example": "sales@example.com", "joe@elsewhere.example": "sales@example.com",
    }  # fmt: skip
    assert "by sales@example.com to eve@elsewhere.example, joe@elsewhere.example" in shell("explain", "--no-dns", id).out
    other = office.held()
    assert explained(shell, other)["recipients"][0]["for"] is None
    assert "Passed on" not in shell("explain", "--no-dns", other).out


def test_mail_of_our_own_came_by_no_door(office: Office, shell: Shell) -> None:
    id = office.held()
    assert explained(shell, id)["arrival"] is None
    assert "Submitted" in shell("explain", "--no-dns", id).out


def test_how_it_came_is_known_when_it_has_left(office: Office, shell: Shell) -> None:
    """As long as the status remembers what came."""
    id = office.sent()
    now = time.time()
    office.write([TakenIn(now, ARRIVAL, id, "ann@there.example", ["bob@example.com"], 20)])
    story = explained(shell, id)
    assert (story["arrival"]["ip"], story["arrival"]["verdict"]) == ("192.0.2.7", "accept")
    assert "Filters" not in shell("explain", "--no-dns", id).out


@pytest.mark.parametrize("told", [False, True], ids=["from its file", "from the status"])
def test_why_it_is_held_is_shown_wherever_it_is(office: Office, shell: Shell, told: bool) -> None:
    """In the queue, in the status of it, and where its file is shown."""
    id = taken(office, told=told)
    assert [(each["id"], each["status"]) for each in shell("queue", "list", "--json").objects] == [(id, "held")]
    for words in (("queue", "list"), ("status", id), ("queue", "show", id)):
        assert WHY in shell(*words).out


def test_an_operator_lets_it_go(office: Office, shell: Shell) -> None:
    """Then it is mail like any other; what was found against it stays in the story of how it came."""
    id = taken(office, told=True)
    assert shell("queue", "release", id).code == 0
    office.write([Changed(time.time(), office.entry(id), "queued")])
    assert office.spool.find(id) == "queued"
    assert [each["status"] for each in shell("status", "--json", id).objects] == ["queued"]
    assert WHY not in shell("status", id).out
    assert WHY in shell("explain", "--no-dns", id).out


def test_a_file_that_says_nonsense_of_its_arrival_is_shown_all_the_same(office: Office, shell: Shell) -> None:
    """Any kind of value, from a file of which a bit has turned."""
    id = office.put(submitter={"via": "mx", "ip": 7, "hello": ["x"], "why": {"a": 1}})
    came = json.loads(shell("explain", "--json", "--no-dns", id).out)["arrival"]
    assert (came["ip"], came["hello"], came["why"]) == ("7", "['x']", None)
