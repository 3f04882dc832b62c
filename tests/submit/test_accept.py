"""Acceptance: what strangers bring lies in the spool as they wrote it, with what is ours on top."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mailer.config.sections import Sandbox
from mailer.io import durable
from mailer.mail.arrival import Arrival
from mailer.mail.envelope import Recipient
from mailer.mail.problem import Problem
from mailer.submit.accept import Inbound, accept, made
from mailer.submit.tray import Tray
from tests.fakes.mail import NOW
from tests.submit.door import Door

ARRIVAL = Arrival("mx", "192.0.2.1", "out.example.org", "ESMTP", at=NOW)
MAIL = b"Received: from x\r\nDKIM-Signature: v=1\r\nBcc: all@example.org\r\nsubject:hello\r\n\r\nbody\r\n"


def inbound(content: bytes = MAIL, **more: object) -> Inbound:
    return Inbound(ARRIVAL, "bob@example.org", [Recipient("ann@example.com")], content, **more)  # type: ignore[arg-type]


def test_strangers_mail_is_only_prefixed(door: Door) -> None:
    """No field is completed, taken away or written anew; what is ours stands above."""
    done = accept(inbound(fields=b"Authentication-Results: host.example; none\r\n", named="ann@example.com"), door.settings)
    content = door.spool.content(done.envelope.id)
    top = content.removesuffix(MAIL)
    assert top.startswith(b"Received: from out.example.org ([192.0.2.1])\r\n\tby host.example (mailer) with ESMTP id ")
    assert done.envelope.id.encode() in top
    assert b"for <ann@example.com>" in top
    assert top.endswith(b"\r\nAuthentication-Results: host.example; none\r\n")


def test_the_envelope_says_how_it_came(door: Door) -> None:
    """So that it is known later whether a report may go to its sender."""
    read = door.spool.read(accept(inbound(proven=True, options={"smtputf8": True}), door.settings).envelope.id).envelope
    assert read.submitter == {"via": "mx", "ip": "192.0.2.1", "hello": "out.example.org", "proven": True}
    assert (read.sender, read.subject, read.recipients) == ("bob@example.org", "hello", [Recipient("ann@example.com")])
    assert read.options == {"smtputf8": True}
    assert not door.spool.read(accept(inbound(), door.settings).envelope.id).envelope.answerable


def test_a_sender_beyond_ascii_is_written_as_the_dns_has_it(door: Door) -> None:
    """So that a report needs no SMTPUTF8 for its domain alone."""
    came = Inbound(ARRIVAL, "bob@b\u00fccher.example", [Recipient("ann@example.com")], MAIL)
    assert accept(came, door.settings).envelope.sender == "bob@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("came", "lies"),
    [
        (b"A: b\n\nc\rd\0e\n", b"A: b\r\n\r\nc d e\r\n"),
        (b"A: b\r\n\r\nno end", b"A: b\r\n\r\nno end\r\n"),
        (b"", b"\r\n"),
        (b"\r\nbody\r\n", b"\r\nbody\r\n"),
        (b"A: b\r\nno field\r\n\r\nbody\r\n", b"A: b\r\n\r\nno field\r\n\r\nbody\r\n"),
        (b"no field\r\n", b"\r\nno field\r\n"),
        (b"Authentication-Results: HOST.example;\r\n\tdkim=pass\r\nA: b\r\n\r\n", b"A: b\r\n\r\n"),
        (b"Authentication-Results: other.example; dkim=pass\r\n\r\n", b"Authentication-Results: other.example; dkim=pass\r\n\r\n"),
        (b"X-Spam-Flag: NO\r\nA: b\r\n\r\nX-Spam-Flag: NO\r\n", b"A: b\r\n\r\nX-Spam-Flag: NO\r\n"),
    ],
)
def test_what_the_spool_demands_is_put_right(door: Door, came: bytes, lies: bytes) -> None:
    """Line ends, and a header that ends where everybody sees it; and fields that only filters of ours write are gone."""
    content = door.spool.content(accept(inbound(came), door.settings).envelope.id)
    assert content.partition(b" +0000\r\n")[2] == lies


def test_marks_of_the_server_before_us_stay(door: Door) -> None:
    """Of one that hands mail on by LMTP: by them it is sorted. Results in our own name are nobody else's to write."""
    marks = b"X-Spam-Flag: YES\r\nX-Virus-Status: Clean\r\nAuthentication-Results: front.example; spf=pass\r\n"
    forged = b"Return-Path: <boss@example.com>\r\nAuthentication-Results: host.example; spf=pass\r\n"
    letter = replace(inbound(forged + marks + MAIL), arrival=replace(ARRIVAL, door="lmtp"))
    content = door.spool.content(accept(letter, door.settings).envelope.id)
    assert content.partition(b" +0000\r\n")[2] == marks + MAIL


def test_what_is_held_waits_for_an_operator(door: Door) -> None:
    """It is as durable as all else."""
    id = accept(inbound(held=True), door.settings).envelope.id
    assert door.spool.find(id) == "held"


def test_a_sandbox_is_noted(tmp_path: Path) -> None:
    """Mail that came while one held does not leave when none does."""
    door = Door(tmp_path, sandbox=Sandbox(mode="trap"))
    assert door.spool.read(accept(inbound(), door.settings).envelope.id).boxed


def test_a_full_disk_takes_nothing(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client comes again, and nothing is left behind."""

    def failing(_path: str) -> None:
        raise OSError(28, "No space left on device", door.spool.root)

    door.spool.prepare()
    monkeypatch.setattr(durable, "sync_directory", failing)
    with pytest.raises(Problem) as caught:
        accept(inbound(), door.settings)
    assert caught.value.kind == "try-again"
    assert [*door.spool.ids("queued")] == []


def test_many_are_put_together(door: Door) -> None:
    """Each is durable when its client is told, those too that are held."""

    async def scenario() -> list[str]:
        tray = Tray(lambda: door.settings)
        waiting = [tray.hand_in(lambda settings, held=not nth: made(inbound(held=held), settings)) for nth in range(20)]  # type: ignore[misc]
        done = await asyncio.gather(*waiting)
        tray.close()
        return [one.envelope.id for one in done]

    ids = asyncio.run(scenario())
    assert [door.spool.find(id) for id in ids] == ["held", *["queued"] * 19]
