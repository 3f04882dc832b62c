"""What a session remembers of itself: the steps, the dialog, and what must never be in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.outcome import Hop
from mailer.smtp import command
from mailer.smtp.client import Answered
from mailer.smtp.reply import Reply
from mailer.tlspolicy import Requirement
from mailer.transport.connection import Connection, Parcel
from mailer.transport.errors import SessionError
from mailer.transport.pool import Pool
from mailer.transport.route import Endpoint, Login, Timeouts
from mailer.transport.transcript import MAX_ENTRIES, MAX_LINES, MAX_TEXT, Prologue, Transcript
from tests.fakes.dialog import Turn
from tests.fakes.script import Script

HELLO = [
    Turn("S", b"220 there\r\n"),
    Turn("C", b"EHLO here.example\r\n"),
    Turn("S", b"250-there\r\n250 PIPELINING\r\n"),
]
ENVELOPE = b"MAIL FROM:<a@here.example>\r\nRCPT TO:<one@there.example>\r\nDATA\r\n"
MAIL = Parcel("a@here.example", ["one@there.example"], b"Subject: 1\r\n\r\nwhat nobody else may read\r\n")
HOP = Hop("mx.example", "192.0.2.1", 25, "none")
SECRET = "canary-5ecret"
SECOND = Timeouts(*[1.0] * 9)


def run(
    turns: Sequence[Turn], work: Callable[[Connection], Coroutine[Any, Any, None]], login: Login | None = None, **patience: float
) -> None:
    """`work` with a connection to a server that follows `turns`, where each wait may take a second, or as `patience` has it."""

    async def main() -> None:
        async with Script(turns) as server:
            endpoint = Endpoint("127.0.0.1", server.port, Requirement("none"), login, hello="here.example")
            connection = await Connection.open(endpoint, "127.0.0.1", replace(SECOND, **patience))
            try:
                await work(connection)
            finally:
                connection.abandon()
            assert server.wrong == ""

    asyncio.run(main())


def refused(turns: Sequence[Turn], login: Login | None = None, **patience: float) -> SessionError:
    """The error of a session that did not come about, where each wait may take a second, or as long as `patience` has for it."""
    caught: list[SessionError] = []

    async def nothing(_: Connection) -> None:
        raise AssertionError("it came about")

    async def main() -> None:
        async with Script(turns) as server:
            endpoint = Endpoint("127.0.0.1", server.port, Requirement("none"), login, hello="here.example")
            try:
                await nothing(await Connection.open(endpoint, "127.0.0.1", replace(SECOND, **patience)))
            except SessionError as error:
                caught.append(error)

    asyncio.run(main())
    return caught[0]


def said(transcript: Any) -> list[str]:
    """The dialog, each line behind who said it."""
    return [f"{who}: {text}" for _, who, text in json.loads(transcript.dialog())]


def test_a_refusal_is_told_with_all_that_was_said_before_it() -> None:
    """From the connection to the reply, each command above its answer, and the message itself in no line."""

    async def work(connection: Connection) -> None:
        await connection.deliver(MAIL)
        told = said(connection.transcript)
        assert told[0].startswith("note: connected to 127.0.0.1 [127.0.0.1] port ")
        assert told[1:] == [
            "host: 220 there", "us: EHLO here.example", "host: 250-there", "host: 250 PIPELINING",
            "us: MAIL FROM:<a@here.example>", "host: 250 ok", "us: RCPT TO:<one@there.example>", "host: 250 2.1.5 ok",
            "us: DATA", "host: 354 go", "us: (the message, 41 octets, and the dot)", "host: 554 5.7.1 no",
        ]  # fmt: skip
        steps = json.loads(connection.transcript.steps())
        assert list(steps) == ["connect", "greeting", "ehlo", "mail", "body"]
        assert all(0 <= ms < 1000 for ms in steps.values())
        assert not connection.transcript.reused

    run(
        [
            *HELLO,
            Turn("C", ENVELOPE),
            Turn("S", b"250 ok\r\n250 2.1.5 ok\r\n354 go\r\n"),
            Turn("C", MAIL.content + b".\r\n"),
            Turn("S", b"554 5.7.1 no\r\n"),
        ],
        work,
    )


def test_what_was_not_answered_is_told_and_how_it_ended() -> None:
    """Silence after the envelope: the commands without a reply, then what we noticed."""

    async def work(connection: Connection) -> None:
        await connection.deliver(MAIL)
        assert said(connection.transcript)[5:] == [
            "us: MAIL FROM:<a@here.example>", "host: 250 ok", "us: RCPT TO:<one@there.example>", "us: DATA",
            "note: 451 4.4.2 waited 0.1 s for the answer to RCPT",
        ]  # fmt: skip
        assert json.loads(connection.transcript.steps())["rcpt"] >= 90

    run([*HELLO, Turn("C", ENVELOPE), Turn("S", b"250 ok\r\n")], work, rcpt=0.1)


def test_the_steps_of_a_connection_that_is_used_again_are_marked() -> None:
    """The second message paid for none of them, and its dialog begins with MAIL."""
    once = [Turn("C", ENVELOPE), Turn("S", b"250 ok\r\n250 ok\r\n354 go\r\n"), Turn("C", MAIL.content + b".\r\n"), Turn("S", b"250 ok\r\n")]

    async def work(connection: Connection) -> None:
        await connection.deliver(MAIL)
        first = connection.transcript
        await connection.deliver(MAIL)
        second = connection.transcript
        assert (first.reused, second.reused) == (False, True)
        assert json.loads(first.steps())["connect"] == json.loads(second.steps())["connect"]
        told = said(second)
        assert "for other messages" in told[0]
        assert told[1] == "us: MAIL FROM:<a@here.example>"

    run([*HELLO, *once, *once], work)


def test_answers_to_an_envelope_that_went_out_early_belong_to_its_message() -> None:
    """They come in the packet that ends the message before, and each transcript has its own part of it."""
    second = Parcel("b@here.example", ["two@there.example"], b"Subject: 2\r\n\r\nsecond\r\n")
    early = b"MAIL FROM:<b@here.example>\r\nRCPT TO:<two@there.example>\r\nDATA\r\n"

    async def work(connection: Connection) -> None:
        await connection.deliver(MAIL, lambda: second)
        first = connection.transcript
        await connection.deliver(second)
        assert said(first)[-2:] == ["us: (the message, 41 octets, and the dot)", "host: 250 taken"]
        assert said(connection.transcript)[1:] == [
            "us: MAIL FROM:<b@here.example>", "host: 250 b", "us: RCPT TO:<two@there.example>", "host: 550 5.1.1 nobody",
            "us: DATA", "host: 503 none",
        ]  # fmt: skip
        assert list(json.loads(first.steps()))[-2:] == ["mail", "body"]
        assert json.loads(connection.transcript.steps())["mail"] == 0.0

    turns = [
        *HELLO, Turn("C", ENVELOPE), Turn("S", b"250 ok\r\n250 ok\r\n354 go\r\n"), Turn("C", MAIL.content + b".\r\n" + early),
        Turn("S", b"250 taken\r\n250 b\r\n550 5.1.1 nobody\r\n503 none\r\n"),
    ]  # fmt: skip
    run(turns, work)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"])
def test_nothing_that_is_said_in_auth_is_kept(mechanism: str) -> None:
    """Neither what we say nor what we are asked, and not what a server repeats of it."""
    from base64 import b64encode

    encoded = b64encode(f"\0me\0{SECRET}".encode())
    replies = {
        "PLAIN": [Turn("S", b"501 5.5.2 syntax error: AUTH PLAIN " + encoded + b"\r\n")],
        "LOGIN": [
            Turn("S", b"334 VXNlcm5hbWU6\r\n"), Turn("C", b"bWU=\r\n"), Turn("S", b"334 UGFzc3dvcmQ6\r\n"),
            Turn("C", b64encode(SECRET.encode()) + b"\r\n"), Turn("S", b"535 5.7.8 " + SECRET.encode() + b" is wrong\r\n"),
        ],
        "CRAM-MD5": [Turn("S", b"334 PDFAeD4=\r\n")],
        "SCRAM-SHA-256": [],
    }  # fmt: skip
    hello = [*HELLO[:2], Turn("S", b"250-there\r\n250 AUTH " + mechanism.encode() + b"\r\n")]
    asked = {"PLAIN": b"AUTH PLAIN " + encoded, "LOGIN": b"AUTH LOGIN", "CRAM-MD5": b"AUTH CRAM-MD5"}
    turns = [*hello, *([Turn("C", asked[mechanism] + b"\r\n")] if mechanism in asked else []), *replies[mechanism]]
    error = refused(turns, Login("me", lambda: SECRET, allow_plain=True))
    assert error.transcript is not None
    dialog = error.transcript.dialog()
    for canary in (SECRET, encoded.decode(), b64encode(SECRET.encode()).decode(), "PDFAeD4=", "UGFzc3dvcmQ6"):
        assert canary not in dialog
    assert f"us: AUTH {mechanism}" in " | ".join(said(error.transcript))


def test_a_host_that_was_tried_before_comes_first() -> None:
    """Two addresses that refuse a connection: both are in the one dialog."""

    async def main() -> SessionError:
        async with Script([]) as server:
            port = server.port
        endpoint = Endpoint("mx.example", port, Requirement("none"), hello="here.example")
        with pytest.raises(SessionError) as caught:
            await Pool(Timeouts(*[2.0] * 9)).lend(endpoint, ["127.0.0.1", "127.0.0.2"])
        return caught.value

    error = asyncio.run(main())
    assert error.transcript is not None
    told = said(error.transcript)
    assert [line.split(" port ")[0] for line in told if "calling" in line] == [
        "note: calling mx.example [127.0.0.1]", "note: calling mx.example [127.0.0.2]",
    ]  # fmt: skip
    assert told[-1].startswith("note: 451 4.4.1 no connection: Connection refused")
    assert list(json.loads(error.transcript.steps())) == ["connect"]


@pytest.mark.parametrize(("turns", "phase"), [([], "greeting"), (HELLO[:2], "ehlo")])
def test_the_step_that_a_session_breaks_in_took_the_time_that_was_waited_for_it(turns: list[Turn], phase: str) -> None:
    """Whoever waited for a greeting sees how long, and no empty line as if something had been said."""
    error = refused([*turns, Turn("C", b"what nobody says")], **{phase: 0.1})
    assert error.transcript is not None
    assert (error.kind, error.phase) == ("timeout", phase)
    assert json.loads(error.transcript.steps())[phase] >= 90
    assert "us: " not in said(error.transcript)


def transcript(*replies: Reply) -> Transcript:
    """One in which MAIL got the first reply, and each RCPT one of the others."""
    made = Transcript(Prologue(HOP, 1.0, 0.1), 2.0)
    commands = [command.mail("a@b"), *(command.rcpt(f"r{nth}@b") for nth in range(len(replies) - 1))]
    made.heard = [(2.5, [Answered(said, reply) for said, reply in zip(commands, replies, strict=True)])]
    return made


def test_a_dialog_is_bounded_whatever_a_host_says() -> None:
    """Long lines, many lines, many recipients."""
    loud = Reply(550, "5.1.1", ("x" * 4000,) * 500)
    lines = json.loads(transcript(*[loud] * 100).dialog())
    assert len(lines) <= MAX_ENTRIES + 1
    assert max(len(text) for _, _, text in lines) <= MAX_TEXT
    assert sum(text.startswith("550-") for _, _, text in json.loads(transcript(loud).dialog())) == MAX_LINES
    assert any("more lines" in text for _, _, text in lines)


def test_no_host_is_told_of_twice() -> None:
    """The recipients of one transaction share what was said, and each says what came before it."""
    first, second = transcript(Reply.own(451, "", "first")), transcript(Reply.own(452, "", "second"))
    for _ in range(3):
        second.after(first)
    second.after(second)
    first.after(second)
    assert [line for line in said(second) if line.startswith("host")] == ["host: 451 first", "host: 452 second"]


@given(st.text(max_size=50), st.text(max_size=20), st.binary(max_size=60))
def test_whatever_is_said_is_json(words: str, enhanced: str, line: bytes) -> None:
    """Quotes, controls and octets that are no text."""
    made = transcript(Reply(451, enhanced, (words,)))
    made.end(3.0, "rcpt", words, [command.Command("RCPT", line)])
    assert all(len(entry) == 3 for entry in json.loads(made.dialog()))
    assert set(json.loads(made.steps())) == {"connect", "mail", "rcpt"}
