"""Everything that speaks for or against a message is summed up, in the right order; nothing is clean that nobody has looked at."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mailer.smtp.reply import Reply

from .scene import ARRIVAL, CLEAN, MAIL, VIRUS, ZONE, Scene, ToldDns, filter_at, says, section, silence, spamd_with

LISTED = {
    ("2.0.0.127.bl.example", "A"): ("127.0.0.2",),
    ("1.2.0.192.bl.example", "A"): ("127.0.0.4",),
    ("1.2.0.192.bl.example", "TXT"): ("see https://bl.example/",),
}


def test_without_filters_a_message_is_taken_with_what_it_proves() -> None:
    async def main() -> None:
        ruling = await Scene().judged()
        assert (ruling.verdict, ruling.reply, ruling.proven) == ("accept", None, True)
        assert ruling.fields.startswith(b"Authentication-Results: mx.example.com;")
        assert b"X-Spam" not in ruling.fields

    asyncio.run(main())


def test_a_mark_is_seen_without_any_filter() -> None:
    """The author's domain wants mail marked that proves nothing."""

    async def main() -> None:
        dns = ToldDns({("_dmarc.sender.example", "TXT"): ("v=DMARC1; p=quarantine",)})
        ruling = await Scene(dns=dns).judged()
        assert ruling.verdict == "mark"
        assert b"X-Spam-Flag: YES\r\n" in ruling.fields

    asyncio.run(main())


@pytest.mark.parametrize(("score", "verdict"), [(4.9, "accept"), (5.0, "mark"), (14.9, "mark"), (15.0, "refuse")])
def test_a_score_is_held_against_two_marks(tmp_path: Path, score: float, verdict: str) -> None:
    async def main() -> None:
        async with filter_at(tmp_path / "spamd", spamd_with(score, "FROM_ANN,TOO_KIND")) as address:
            ruling = await Scene(section("spamd", address)).judged()
        assert ruling.verdict == verdict
        assert (b"X-Spam-Flag: YES\r\n" in ruling.fields) == (verdict == "mark")
        if verdict == "refuse":
            assert str(ruling.reply) == "550 5.7.1 the message looks like spam (15.0)"
        else:
            assert f"X-Spam-Score: {score}\r\n".encode() in ruling.fields
            assert b"tests=FROM_ANN, TOO_KIND" in ruling.fields.replace(b"\r\n\t", b" ")

    asyncio.run(main())


def test_scores_of_all_add_up(tmp_path: Path) -> None:
    """Three of a list and three of a scorer are more than mark; a weight counts."""

    async def main() -> None:
        dns = ToldDns({**ZONE, **LISTED})
        async with filter_at(tmp_path / "spamd", spamd_with(1.5)) as address:
            lists = section("blocklist", "bl.example", score=3.0)
            ruling = await Scene(section("spamd", address, weight=2.0), lists, dns=dns).judged()
            kind = await Scene(section("spamd", address), lists, dns=dns).judged()
        assert (ruling.score, ruling.verdict) == (6.0, "mark")
        assert (kind.score, kind.verdict) == (4.5, "accept")
        [step] = [step for step in ruling.steps if step.step.startswith("blocklist")]
        assert step == ("blocklist bl.example", "listed", "127.0.0.4: see https://bl.example/", 3.0)

    asyncio.run(main())


def test_a_virus_refuses_whatever_the_sum(tmp_path: Path) -> None:
    async def main() -> None:
        async with filter_at(tmp_path / "clamd", VIRUS) as clamd, filter_at(tmp_path / "spamd", spamd_with(-50)) as spamd:
            ruling = await Scene(section("clamd", clamd), section("spamd", spamd)).judged()
        assert (ruling.verdict, ruling.reason) == ("refuse", "virus")
        assert str(ruling.reply) == "550 5.7.1 the message has a virus: Eicar"

    asyncio.run(main())


def test_a_larger_message_than_a_filter_takes_is_not_looked_at_and_says_so(tmp_path: Path) -> None:
    """By our own limit, or by the filter's, which hangs up while we still send. It is no failure, and never clean."""
    large = MAIL + b"x" * 70 + b"\r\n" * 500_000

    async def too_large(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"INSTREAM size limit exceeded. ERROR\0")
        await writer.drain()

    async def main() -> None:
        async with filter_at(tmp_path / "clamd", too_large) as address:
            scene = Scene(section("clamd", address), section("clamd", address, name="other", max_size=1000))
            ruling = await scene.judged(large)
        assert ruling.verdict == "accept"
        assert [(step.step, step.result) for step in ruling.steps[-2:]] == [("clamd", "unchecked"), ("other", "unchecked")]
        unchecked = ruling.fields.replace(b"\r\n\t", b" ").partition(b"X-Spam-Unchecked: ")[2]
        assert b"clamd (larger than clamd takes)" in unchecked
        assert b"other (larger than 1000 octets" in unchecked
        assert ("Alarm", "clamd") not in scene.alarms

    asyncio.run(main())


def test_a_filter_that_is_down_puts_mail_off_and_that_is_an_alarm(tmp_path: Path) -> None:
    """Once, however much mail meets it; it ends with the first answer."""

    async def main() -> None:
        scene = Scene(section("clamd", str(tmp_path / "clamd")))
        for _ in range(3):
            ruling = await scene.judged()
            assert (ruling.verdict, str(ruling.reply)) == ("tempfail", "451 4.3.0 a filter does not answer now, try again later")
        assert scene.alarms == [("Alarm", "clamd")]
        async with filter_at(tmp_path / "clamd", CLEAN):
            assert (await scene.judged()).verdict == "accept"
        assert scene.alarms[1:] == [("Mended", "clamd"), ("Mended", "clamd unchecked")]

    asyncio.run(main())


def test_the_alarm_of_a_filter_ends_when_it_is_taken_away(tmp_path: Path) -> None:
    """One that stays as it was goes on with its trouble."""

    async def main() -> None:
        gone, kept = section("clamd", str(tmp_path / "1")), section("spamd", str(tmp_path / "2"))
        scene = Scene(gone, kept)
        await scene.judged()
        assert sorted(scene.alarms) == [("Alarm", "clamd"), ("Alarm", "spamd")]
        scene.panel.use(scene.panel.config.but(filters=(kept,)))
        assert scene.alarms[2:] == [("Mended", "clamd"), ("Mended", "clamd unchecked")]
        await scene.judged()
        assert len(scene.alarms) == 4

    asyncio.run(main())


@pytest.mark.parametrize("more", [{"on_failure": "accept"}, {"patience": 1e-9}], ids=["at once", "after its patience"])
def test_mail_is_taken_and_marked_where_a_scorer_may_be_missing(tmp_path: Path, more: dict[str, object]) -> None:
    """The moment from which on mail is taken is an alarm of its own where there was patience before."""

    async def main() -> None:
        scene = Scene(section("spamd", str(tmp_path / "spamd"), **more))
        rulings = [await scene.judged() for _ in range(3)]
        assert rulings[-1].verdict == "accept"
        assert b"X-Spam-Unchecked: spamd (" in rulings[-1].fields
        passed_over = [("Alarm", "spamd unchecked")] if "patience" in more else []
        assert scene.alarms == [("Alarm", "spamd"), *passed_over]

    asyncio.run(main())


def test_a_scanner_of_viruses_has_no_end_of_patience(tmp_path: Path) -> None:
    assert section("clamd", "/x").patience == section("milter", "/x").patience == float("inf")
    assert section("spamd", "/x").patience == section("rspamd", "/x").patience == 900.0


@pytest.mark.parametrize(
    "answer",
    [b"", b"stream: OK", b"stream: ok\0", b"OK\0", b"stream: Eicar FOU", b"\xff\0", b"x" * 5000],
    ids=["nothing", "torn", "small", "short", "half", "garbage", "long"],
)
def test_only_what_says_so_plainly_is_clean(tmp_path: Path, answer: bytes) -> None:
    async def main() -> None:
        async with filter_at(tmp_path / "clamd", says(answer, b"\r\n\0\0\0\0")) as address:
            assert (await Scene(section("clamd", address)).judged()).verdict == "tempfail"

    asyncio.run(main())


def test_a_filter_that_hangs_costs_its_time_and_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with filter_at(tmp_path / "clamd", silence) as address:
            scene = Scene(section("clamd", address, timeout=0.05))
            assert (await scene.judged()).verdict == "tempfail"
            assert scene.alarms == [("Alarm", "clamd")]

    asyncio.run(main())


def test_lists_alone_refuse_at_the_recipient_and_the_postmaster_is_heard() -> None:
    async def main() -> None:
        scene = Scene(section("blocklist", "bl.example", score=20.0), dns=ToldDns({**ZONE, **LISTED}))
        case = scene.panel.case(ARRIVAL.ip)
        reply = await case.recipient(ARRIVAL, "a@b.example", "bob@example.com")
        assert str(reply) == "554 5.7.1 192.0.2.1 is listed by bl.example"
        assert await case.recipient(ARRIVAL, "a@b.example", "Postmaster@example.com") is None
        await case.ended()

    asyncio.run(main())


def test_only_a_listed_client_waits_for_its_greeting() -> None:
    """An hour, here: the one goes on at once, the other does not."""

    async def main() -> None:
        scene = Scene(section("blocklist", "bl.example"), dns=ToldDns({**ZONE, **LISTED}), greet_delay=3600.0)
        async with asyncio.timeout(60):
            for ip, waits in (("192.0.2.9", False), (ARRIVAL.ip, True)):
                case = scene.panel.case(ip)
                greeting = asyncio.ensure_future(case.greeted())
                await case.answers(ARRIVAL)
                for _ in range(20):
                    await asyncio.sleep(0)
                assert greeting.done() != waits
                greeting.cancel()
                await case.ended()

    asyncio.run(main())


def test_who_talks_too_early_pays_for_it() -> None:
    async def main() -> None:
        case = Scene(early_score=6.0).panel.case(ARRIVAL.ip)
        case.talked_early()
        ruling = await case.judge(ARRIVAL, "ann@sender.example", ["bob@example.com"], MAIL)
        assert (ruling.verdict, ruling.steps[0].step) == ("mark", "early talker")
        await case.ended()

    asyncio.run(main())


def test_filters_do_not_see_what_strangers_forged(tmp_path: Path) -> None:
    """They see what we found out on top, and who has brought it."""
    heard = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(-1))
        writer.write(b"SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0 / 5.0\r\n\r\n")

    forged = b"Authentication-Results: mx.example.com; dkim=pass header.d=bank.example\r\nX-Spam-Flag: NO\r\n"

    async def main() -> None:
        async with filter_at(tmp_path / "spamd", listen) as address:
            await Scene(section("spamd", address)).judged(forged + MAIL)

    asyncio.run(main())
    [text] = heard
    assert b"bank.example" not in text
    assert b"X-Spam-Flag" not in text
    assert b"\r\n\r\nReceived: from mx.sender.example (mx.sender.example [192.0.2.1])" in text
    assert b"spf=pass" in text


def test_what_a_server_of_ours_hands_on_is_not_judged_by_its_address(tmp_path: Path) -> None:
    """It was judged where it came in; filters of content look at it all the same."""

    async def main() -> None:
        dns = ToldDns({**LISTED, ("_dmarc.sender.example", "TXT"): ("v=DMARC1; p=reject",)})
        handed_on = replace(ARRIVAL, door="lmtp", ip="192.0.2.1", name="")
        async with filter_at(tmp_path / "spamd", spamd_with(6.0)) as address:
            scene = Scene(section("spamd", address), section("blocklist", "bl.example", score=20.0), dns=dns, greylist=True)
            ruling = await scene.judged(arrival=handed_on)
            other = await scene.judged()
        assert (ruling.verdict, [step.step for step in ruling.steps]) == ("mark", ["spamd"])
        assert b"Authentication-Results" not in ruling.fields
        assert isinstance(other, Reply)

    asyncio.run(main())


def test_a_hold_by_score_is_a_setting() -> None:
    async def main() -> None:
        dns = ToldDns({**ZONE, **LISTED})
        ruling = await Scene(section("blocklist", "bl.example", score=11.0), dns=dns, hold=10.0).judged()
        assert (ruling.verdict, ruling.reply) == ("hold", None)

    asyncio.run(main())


def test_the_sum_that_is_clear_before_asks_no_filter(tmp_path: Path) -> None:
    """A list is enough, and the scanner, which is down, is not even called."""

    async def main() -> None:
        scene = Scene(
            section("blocklist", "bl.example", score=16.0), section("clamd", str(tmp_path / "nobody")), dns=ToldDns({**ZONE, **LISTED})
        )
        case = scene.panel.case(ARRIVAL.ip)
        ruling = await case.judge(ARRIVAL, "ann@sender.example", ["postmaster@example.com"], MAIL)
        await case.ended()
        assert (ruling.verdict, ruling.reason) == ("refuse", "spam")
        assert isinstance(ruling.reply, Reply)
        assert ("Alarm", "clamd") not in scene.alarms

    asyncio.run(main())
