"""Milters have their say at each step, are told what they agreed to be told, and change a message whole or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from tests.scan.filter_side import ACCEPT, CONTINUE, FakeMilter, agreed, frame

from .scene import ARRIVAL, MAIL, Scene, filter_at, section


def judged(path: Path, milter: FakeMilter, content: bytes = MAIL, **more: Any) -> Any:
    """What becomes of a message with this milter: the ruling, or the first refusal."""

    async def main() -> Any:
        async with filter_at(path / "milter", milter) as address:
            return await Scene(section("milter", address, **more)).judged(content)

    return asyncio.run(main())


def test_a_milter_is_told_each_step_with_what_we_found_out_on_top(tmp_path: Path) -> None:
    milter = FakeMilter()
    ruling = judged(tmp_path, milter)
    assert (ruling.verdict, ruling.amendment) == ("accept", None)
    assert milter.letters == "OCHMRTLNBEQ"
    assert milter.told("C") == [b"mx.sender.example\x004\0\x00192.0.2.1\0".replace(b"4\0\x00", b"4" + pack(">H", 0))]
    assert (milter.told("M"), milter.told("R")) == ([b"<ann@sender.example>\0"], [b"<bob@example.com>\0"])
    names = [data.partition(b"\0")[0] for data in milter.told("L")]
    assert names == [b"Authentication-Results", b"From", b"To", b"Subject"]
    assert milter.told("B") == [b"Hello.\r\n"]


def test_names_that_are_no_text_are_told_all_the_same(tmp_path: Path) -> None:
    """Octets that no character set has, and a NUL, which would end the text."""
    milter = FakeMilter()

    async def main() -> None:
        async with filter_at(tmp_path / "milter", milter) as address:
            odd = replace(ARRIVAL, hello="x\udcff\0y")
            assert (await Scene(section("milter", address)).judged(arrival=odd)).verdict == "accept"

    asyncio.run(main())
    assert milter.told("H") == [b"x?\0"]


def test_what_was_agreed_upon_is_obeyed(tmp_path: Path) -> None:
    """A milter that answers only at the end is not waited for; one that wants no body gets none."""
    milter = FakeMilter({"E": ACCEPT}, hello=agreed(0xFF080), mute="CHMRTLNB")
    assert judged(tmp_path, milter, timeout=5.0).verdict == "accept"
    other = FakeMilter(hello=agreed(0x10 | 0x20 | 0x200))
    assert judged(tmp_path, other).verdict == "accept"
    assert other.letters == "OCHMRNEQ"


@pytest.mark.parametrize(("step", "told"), [("C", "OCQ"), ("H", "OCHQ"), ("M", "OCHMQ"), ("R", "OCHMRQ")])
def test_a_refusal_at_a_step_is_the_reply_to_it(tmp_path: Path, step: str, told: str) -> None:
    """That of the client, or of his name, is the reply to MAIL."""
    milter = FakeMilter({step: frame("y", b"554 5.7.1 go away\0")})
    assert str(judged(tmp_path, milter)) == "554 5.7.1 go away"
    assert milter.letters == told


@pytest.mark.parametrize("step", "TLNBE")
def test_a_refusal_of_the_content_is_that_of_the_message(tmp_path: Path, step: str) -> None:
    ruling = judged(tmp_path, FakeMilter({step: frame("r")}))
    assert (ruling.verdict, ruling.reason) == ("refuse", "filter")
    later = judged(tmp_path, FakeMilter({step: frame("t")}))
    assert (later.verdict, later.reply.code) == ("tempfail", 451)


@pytest.mark.parametrize("step", "MRTLNBE")
def test_nothing_is_thrown_away(tmp_path: Path, step: str) -> None:
    """A milter that wants that has the message held, and so does one that says quarantine."""
    assert judged(tmp_path, FakeMilter({step: frame("d")})).verdict == "hold"
    if step == "E":
        ruling = judged(tmp_path, FakeMilter({"E": frame("q", b"look\0") + CONTINUE}))
        assert (ruling.verdict, ruling.steps[-1].reason) == ("hold", "look")


@pytest.mark.parametrize("step", "CHMRTLN")
def test_a_milter_that_accepts_early_hears_no_more(tmp_path: Path, step: str) -> None:
    milter = FakeMilter({step: ACCEPT})
    assert judged(tmp_path, milter).verdict == "accept"
    assert milter.letters == "OCHMRTLN"[: "OCHMRTLN".index(step) + 1] + "Q"


def test_a_body_is_skipped_where_a_milter_has_seen_enough(tmp_path: Path) -> None:
    milter = FakeMilter({"B": frame("s")})
    assert judged(tmp_path, milter, MAIL + b"x" * 70 + b"\r\n" * 100_000).verdict == "accept"
    assert len(milter.told("B")) == 1


def test_changes_are_an_amendment_and_additions_go_on_top(tmp_path: Path) -> None:
    wishes = (
        frame("h", b"X-Virus-Status\0Clean\0"), frame("m", b"\0\0\0\1Subject\0harmless\0"), frame("b", b"New.\r\n"),
        frame("+", b"<archive@example.com>\0"), frame("-", b"<bob@example.com>\0"), frame("e", b"<bounces@example.com>\0"),
    )  # fmt: skip
    ruling = judged(tmp_path, FakeMilter({"E": b"".join(wishes) + CONTINUE}))
    assert ruling.amendment.content == MAIL.replace(b"hello", b"harmless").replace(b"Hello.", b"New.")
    assert (ruling.amendment.added, ruling.amendment.removed) == (("archive@example.com",), ("bob@example.com",))
    assert ruling.amendment.sender == "bounces@example.com"
    assert b"X-Virus-Status: Clean\r\n" in ruling.fields
    assert ruling.fields.startswith(b"Authentication-Results:")


@pytest.mark.parametrize("on_failure", ["tempfail", "accept"])
def test_a_change_that_is_cut_off_changes_nothing(tmp_path: Path, on_failure: str) -> None:
    """Half of a new body has come, and the milter is gone: the message is put off, or taken as it was, and marked."""

    class Torn(FakeMilter):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.answers["E"] = frame("b", b"Half of ") + frame("b", b"a body")[:7]
            self.torn = writer
            await super().__call__(_Closing(reader, writer), writer)  # type: ignore[arg-type]

    ruling = judged(tmp_path, Torn(), on_failure=on_failure)
    assert ruling.verdict == ("tempfail" if on_failure == "tempfail" else "accept")
    assert ruling.amendment is None
    if on_failure == "accept":
        assert b"X-Spam-Unchecked: milter (" in ruling.fields


class _Closing:
    """A reader whose connection is over behind the end of a message."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._over = False

    async def readexactly(self, many: int) -> bytes:
        if self._over:
            self._writer.close()
            raise ConnectionResetError
        data = await self._reader.readexactly(many)
        self._over = data == b"E"
        return data


@pytest.mark.parametrize("step", "OCHMRTLNBE")
def test_a_milter_that_hangs_up_is_a_failure_at_any_step(tmp_path: Path, step: str) -> None:
    """Mail is put off; the patience with a milter has no end."""
    said = judged(tmp_path, FakeMilter({step: None} if step != "O" else {}, hello=b"" if step == "O" else None), timeout=0.3)
    reply = getattr(said, "reply", said)
    assert str(reply) == "451 4.3.0 a filter does not answer now, try again later"


def test_a_milter_that_may_be_missing_is_left_out_for_the_message_and_called_for_the_next(tmp_path: Path) -> None:
    milter = FakeMilter({"M": None})

    async def main() -> None:
        async with filter_at(tmp_path / "milter", milter) as address:
            scene = Scene(section("milter", address, on_failure="accept"))
            case = scene.panel.case(ARRIVAL.ip)
            for unchecked in (True, False):
                assert await case.sender(ARRIVAL, "ann@sender.example") is None
                assert await case.recipient(ARRIVAL, "ann@sender.example", "bob@example.com") is None
                ruling = await case.judge(ARRIVAL, "ann@sender.example", ["bob@example.com"], MAIL)
                assert (b"X-Spam-Unchecked" in ruling.fields) == unchecked
                milter.answers.clear()
            await case.ended()

    asyncio.run(main())
    assert milter.calls == 2


def test_a_session_that_is_lost_at_the_end_of_a_message_is_begun_anew_with_the_next(tmp_path: Path) -> None:
    milter = FakeMilter({"E": None})

    async def main() -> None:
        async with filter_at(tmp_path / "milter", milter) as address:
            case = Scene(section("milter", address)).panel.case(ARRIVAL.ip)
            for verdict in ("tempfail", "accept"):
                assert await case.sender(ARRIVAL, "ann@sender.example") is None
                assert await case.recipient(ARRIVAL, "ann@sender.example", "bob@example.com") is None
                assert (await case.judge(ARRIVAL, "ann@sender.example", ["bob@example.com"], MAIL)).verdict == verdict
                milter.answers.clear()
            await case.ended()

    asyncio.run(main())
    assert (milter.calls, milter.letters) == (2, "OCHMRTLNBE" * 2 + "Q")


def test_a_milter_that_answers_half_the_questions_is_in_trouble_all_the_same(tmp_path: Path) -> None:
    """It is there at MAIL, and gone at the end of each message: that is one outage, whose patience runs out."""

    async def main() -> None:
        async with filter_at(tmp_path / "milter", FakeMilter({"E": None})) as address:
            scene = Scene(section("milter", address, patience=1e-9))
            assert [(await scene.judged()).verdict for _ in range(3)][1:] == ["accept", "accept"]
        assert scene.alarms == [("Alarm", "milter"), ("Alarm", "milter unchecked")]

    asyncio.run(main())


def test_messages_of_a_session_are_told_by_one_connection(tmp_path: Path) -> None:
    """One that was not judged to its end is called off; a recipient who is refused is refused alone; EHLO again is HELO again."""
    milter = FakeMilter()

    async def main() -> None:
        async with filter_at(tmp_path / "milter", milter) as address:
            case = Scene(section("milter", address)).panel.case(ARRIVAL.ip)
            await case.sender(ARRIVAL, "one@sender.example")
            await case.sender(ARRIVAL, "two@sender.example")
            milter.answers["R"] = frame("y", b"550 5.1.1 not him\0")
            assert str(await case.recipient(ARRIVAL, "two@sender.example", "eve@example.com")) == "550 5.1.1 not him"
            milter.answers.clear()
            assert await case.recipient(ARRIVAL, "two@sender.example", "bob@example.com") is None
            assert (await case.judge(ARRIVAL, "two@sender.example", ["bob@example.com"], MAIL)).verdict == "accept"
            assert await case.sender(replace(ARRIVAL, hello="other.example"), "three@sender.example") is None
            await case.ended()

    asyncio.run(main())
    assert milter.calls == 1
    assert milter.letters == "OCHMAMRTLNBEHMQ"


def test_progress_gives_the_end_of_a_message_its_time_anew(tmp_path: Path) -> None:
    """The answer comes after more than its time, in signs of life that are each within it."""

    class Slow(FakeMilter):
        async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            signs = asyncio.ensure_future(self._signs(writer))
            self.mute = "E"
            try:
                await super().__call__(reader, writer)
            finally:
                signs.cancel()

        async def _signs(self, writer: asyncio.StreamWriter) -> None:
            while not self.told("E"):
                await asyncio.sleep(0.01)
            for _ in range(9):
                await asyncio.sleep(0.25)
                writer.write(frame("p"))
            writer.write(ACCEPT)

    assert judged(tmp_path, Slow(), timeout=1.0).verdict == "accept"


@pytest.mark.parametrize(
    "said",
    [frame("y", b"299 fine\0"), frame("y", b"550 no end"), pack(">I", 0xFFFFFFFF), frame("h", b"X\0a\nBcc: b@c.example\0") + CONTINUE],
)
def test_a_milter_that_speaks_nonsense_is_a_failure(tmp_path: Path, said: bytes) -> None:
    ruling = judged(tmp_path, FakeMilter({"E": said}))
    assert (ruling.verdict, ruling.reply.code) == ("tempfail", 451)
    assert b"Bcc" not in ruling.fields


def test_milters_see_what_came_of_those_before_them(tmp_path: Path) -> None:
    first, second = FakeMilter({"E": frame("h", b"X-One\0here\0") + frame("b", b"One.\r\n") + CONTINUE}), FakeMilter()

    async def main() -> Any:
        async with filter_at(tmp_path / "1", first) as one, filter_at(tmp_path / "2", second) as two:
            return await Scene(section("milter", one, name="one"), section("milter", two, name="two")).judged()

    ruling = asyncio.run(main())
    assert b"X-One\0here\0" in second.told("L")
    assert second.told("B") == [b"One.\r\n"]
    assert ruling.amendment.content.endswith(b"\r\n\r\nOne.\r\n")


def test_a_milter_without_a_session_of_its_own_is_asked_how_it_is(tmp_path: Path) -> None:
    async def main() -> list[tuple[str, str]]:
        async with filter_at(tmp_path / "milter", FakeMilter()) as address:
            scene = Scene(section("milter", address), section("milter", str(tmp_path / "no"), name="no"))
            return [(well, trouble) for _, well, trouble in await scene.panel.pinged()]

    assert asyncio.run(main()) == [("it agrees to version 6", ""), ("", "No such file or directory")]
