"""Mail of a Postfix elsewhere comes by our door into a mailbox of our own, and who cannot have it is reported by the Postfix."""

from __future__ import annotations

import smtplib

import pytest

from tests.peers.postfix import Postfix, scratch

from .test_local import ANN, BOB, Town
from .world import World

pytestmark = [pytest.mark.peer("postfix", root=True), pytest.mark.slow, pytest.mark.timeout(300)]


def test_a_postfix_brings_mail(world: World) -> None:
    """Each message is there once, for one and for two; what is for nobody is reported."""
    town = Town(world).start()
    with scratch("postfix") as home:
        postfix = Postfix(home, {"relayhost": f"[127.0.0.1]:{town.port}"})
        postfix.receives("eve", domain="sender.example")
        with postfix, smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as client:
            for nth in range(20):
                text = f"From: eve@sender.example\r\nTo: ann\r\nSubject: number {nth}\r\n\r\nHello.\r\n"
                client.sendmail("eve@sender.example", [ANN, BOB] if nth % 2 else [ANN], text)
            client.sendmail("eve@sender.example", ["nobody@here.example"], "Subject: lost\r\nX-Test: lost\r\n\r\nHello.\r\n")
            assert len(town.gets(ANN, 20)) == 20
            assert len(town.gets(BOB, 10)) == 10
            assert "550 5.1.1" in "".join(postfix.mailboxes.reports("lost", "eve"))
    subjects = {line for message in town.has(ANN) for line in message.split(b"\r\n") if line.startswith(b"Subject: ")}
    assert subjects == {b"Subject: number %d" % nth for nth in range(20)}
    assert all(b"\r\nReceived: from " in message and b"Authentication-Results: here.example" in message for message in town.has(ANN))
