"""The whole way to a real Postfix: `mailer send`, `mailer run --once`, STARTTLS, and the report that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journey.world import World

from .conftest import Peer
from .letters import LETTERS, letter
from .matrix import marks

pytestmark = marks("postfix")
ANN = "ann@peer.example"


@pytest.fixture
def world(tmp_path: Path, peer: Peer) -> Iterator[World]:
    """A host whose relay is Postfix, by STARTTLS with a verified certificate."""
    made = World(tmp_path)
    made.config.write_text(
        f'[mailer]\nhostname = "here.example"\nspool = "{made.spool}"\n'
        f'[relay.postfix]\nhost = "localhost"\nport = {peer.postfix.port}\ntls = "starttls"\nca_file = "{peer.ca_file}"\n'
        '[[route]]\nmatch = "*"\nvia = ["relay:postfix"]\n'
    )
    try:
        yield made
    finally:
        made.close()


def test_every_letter_arrives_as_it_was_given(world: World, peer: Peer) -> None:
    """Messages that a careless sender damages are queued, drained in one pass, and stored by Postfix byte for byte."""
    letters = [letter(name) for name in LETTERS if name not in ("no body", "every octet")]
    ids = []
    for _, content in letters:
        done = world.mailer("send", "-f", ANN, ANN, input=content)
        assert done.code == 0, done
        ids.append(done.out.strip())
    world.once()
    for mark, content in letters:
        assert peer.postfix.received("ann", mark) == [content]
    assert world.in_spool() == []
    for id in ids:
        (recipient,) = world.status(id)["recipients"]
        assert (recipient["status"], recipient["code"], recipient["enhanced_code"]) == ("sent", 250, "2.0.0")


def test_one_message_has_as_many_outcomes_as_recipients(world: World, peer: Peer) -> None:
    """ann and bob get it, mallory is greylisted, nobody is unknown: ann, who sent it, gets a report about nobody alone."""
    mark, content = letter("plain")
    recipients = [f"{who}@peer.example" for who in ("ann", "bob", "mallory", "nobody")]
    done = world.mailer("send", "-f", ANN, *recipients, input=content)
    assert done.code == 0, done
    world.once()
    assert peer.postfix.received("ann", mark) == peer.postfix.received("bob", mark) == [content]
    told = world.status(done.out.strip())
    outcomes = {recipient["address"].partition("@")[0]: recipient for recipient in told["recipients"]}
    assert {who: outcome["status"] for who, outcome in outcomes.items()} == {
        "ann": "sent", "bob": "sent", "mallory": "deferred", "nobody": "failed",
    }  # fmt: skip
    assert (outcomes["nobody"]["code"], outcomes["mallory"]["code"]) == (550, 451)
    assert "User unknown" in outcomes["nobody"]["reply"]
    world.once()  # the report was queued while the pass was made
    (report,) = peer.postfix.mailboxes.reports(mark, "ann")
    assert report.startswith("Return-Path: <>")
    assert "nobody@peer.example" in report
    assert "mallory@peer.example" not in report
