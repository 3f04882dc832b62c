"""What an owner says about his mail, all the way: a stranger writes, and it is filed, passed on and answered, once each."""

from __future__ import annotations

from mailer.testing import SinkThread

from .test_local import ANN, BOB, HERE, Town
from .world import World


def said(world: World, *words: str, input: bytes = b"") -> None:
    done = world.mailer("mailbox", *words, input=input)
    assert done.code == 0, done


def test_a_stranger_is_answered_and_his_mail_goes_on(world: World) -> None:
    """With a sender of ours and with Delivered-To, beside the copy here; the answer comes from nobody, and comes once."""
    with SinkThread() as sink:
        town = Town(world)
        world.configure(sink.port, more=HERE.format(home=world.home, port=town.port))
        said(world, "rules", ANN, "add", "--where", "subject contains test", "--file", "Tests", "--seen")
        said(world, "forward", ANN, "add", "ann@elsewhere.example", "--confirmed")
        said(world, "vacation", ANN, "on", "--subject", "Away", input=b"Back on Monday.\n")
        town.start()
        for _ in range(2):
            assert town.brings(ANN) == {}
        mails = sink.received(3)
        world.until("there is a folder", lambda: "Tests" in world.mailer("mailbox", "list", ANN).out)
        town.gets(ANN, 2, "Tests")
        (answer,) = [mail for mail in mails if mail.recipients == ("eve@sender.example",)]
        assert answer.sender == ""
        assert b"Subject: Away\r\n" in answer.content
        assert b"Auto-Submitted: auto-replied (vacation)\r\n" in answer.content
        passed = [mail for mail in mails if mail.recipients == ("ann@elsewhere.example",)]
        assert len(passed) == 2
        assert all(mail.content.startswith(b"Delivered-To: ann@here.example\r\nReceived: from mail.sender.example") for mail in passed)
        assert all(mail.sender.startswith("SRS0=") and mail.sender.endswith("@here.example") for mail in passed)
        assert town.has(ANN) == []


def test_what_comes_back_to_who_passed_it_on_goes_no_further(world: World) -> None:
    """Ann has her mail go to Bob, and Bob his to Ann: each has it once, and its sender hears nothing of a circle."""
    town = Town(world)
    said(world, "script", BOB, "put", "main", "--activate", input=b'require "copy"; redirect :copy "ann@here.example";')
    said(world, "forward", ANN, "add", BOB)
    town.start()
    assert town.brings(ANN) == {}
    town.gets(BOB, 1)
    world.until("nothing waits", lambda: not [*(world.spool / "queued").iterdir()])
    assert len(town.has(ANN)) >= 1
    assert len(town.has(BOB)) == 1


def test_a_script_that_fails_loses_nothing(world: World) -> None:
    """The mail is in the inbox, and a letter beside it that says in which line."""
    town = Town(world)
    said(world, "script", ANN, "put", "main", "--activate", input=b'require ["fileinto","variables"];\nfileinto "${nothing}";')
    town.start()
    assert town.brings(ANN) == {}
    first, second = sorted(town.gets(ANN, 2), key=lambda message: b"Your rules" in message)
    assert b"Subject: a test" in first
    assert b"script main: line 2:" in second
