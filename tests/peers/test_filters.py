"""The filters that people run, asked by our panel: ClamAV and its milter, SpamAssassin, OpenDMARC."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from mailer.filtering.teachers import SpamdTeacher
from mailer.scan.opinion import Class
from tests.filtering.scene import MAIL, ZONE, Scene, ToldDns, section

from .filters import EICAR, GTUBE, LIMIT, RealFilters
from .postfix import scratch

HOST = "mx.example.com"


@pytest.fixture(scope="module")
def real() -> Iterator[RealFilters]:
    with scratch("filters") as home:
        filters = RealFilters(home, HOST)
        try:
            yield filters
        finally:
            filters.close()


def attached(content: bytes, name: str) -> bytes:
    """A message with an attachment."""
    head = MAIL.partition(b"\r\n\r\n")[0]
    lines = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return (
        head + b"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
        b"Content-Type: application/octet-stream; name="
        + name.encode()
        + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + lines
        + b"--x--\r\n"
    )


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("letter.txt", content)
    return made.getvalue()


def judged(scene: Scene, content: bytes = MAIL) -> Any:
    return asyncio.run(scene.judged(content))


@pytest.mark.peer("clamd", root=True)
@pytest.mark.parametrize("how", ["bare", "attached", "zipped"])
def test_clamd_finds_a_virus(real: RealFilters, how: str) -> None:
    """In the text, in an attachment, in an archive that is one."""
    contents = {"bare": MAIL + EICAR + b"\r\n", "attached": attached(EICAR, "letter.com"), "zipped": attached(zipped(EICAR), "letter.zip")}
    ruling = judged(Scene(section("clamd", real.start("clamd"))), contents[how])
    assert (ruling.verdict, str(ruling.reply)) == ("refuse", "550 5.7.1 the message has a virus: Eicar-Local.UNOFFICIAL")


@pytest.mark.peer("clamd", root=True)
def test_clamd_finds_nothing_in_a_letter_and_does_not_look_at_what_is_too_large_for_it(real: RealFilters) -> None:
    """It says so, and hangs up, while we still send; the end of that message has a virus, and it is not called clean."""
    address = real.start("clamd")
    assert judged(Scene(section("clamd", address))).verdict == "accept"
    large = MAIL + (b"x" * 70 + b"\r\n") * (3 * LIMIT // 72) + EICAR + b"\r\n"
    scene = Scene(section("clamd", address))
    ruling = judged(scene, large)
    assert (ruling.verdict, ruling.steps[-1].result, ruling.steps[-1].reason) == ("accept", "unchecked", "larger than clamd takes")
    assert b"X-Spam-Unchecked: clamd (larger than clamd takes)\r\n" in ruling.fields
    assert ("Alarm", "clamd") not in scene.alarms


@pytest.mark.peer("clamd", root=True)
def test_clamd_that_is_started_again_is_asked_at_once(real: RealFilters) -> None:
    """Meanwhile mail is put off; both are told, once."""
    address = real.start("clamd")
    real.stop("clamd")
    scene = Scene(section("clamd", address))
    assert [judged(scene).verdict for _ in range(2)] == ["tempfail", "tempfail"]
    real.start("clamd")
    assert judged(scene).verdict == "accept"
    assert scene.alarms == [("Alarm", "clamd"), ("Mended", "clamd"), ("Mended", "clamd unchecked")]


@pytest.mark.peer("spamd", root=True)
def test_spamassassin_scores(real: RealFilters) -> None:
    """Its own test of spam has a thousand points; a plain letter has few."""
    scene = Scene(section("spamd", real.start("spamd")))
    spam = judged(scene, MAIL + GTUBE + b"\r\n")
    assert (spam.verdict, spam.score > 900) == ("refuse", True)
    assert "GTUBE" in spam.steps[-1].reason
    ham = judged(scene)
    assert ham.verdict == "accept"
    assert b"X-Spam-Status: No, score=" in ham.fields
    assert asyncio.run(scene.panel.pinged())[0][1:] == ("it answers", "")


@pytest.mark.peer("clamav-milter", root=True)
def test_the_milter_of_clamav_refuses_in_its_own_words_and_marks_what_is_clean(real: RealFilters) -> None:
    scene = Scene(section("milter", real.start("clamav-milter")))
    ruling = judged(scene, MAIL + EICAR + b"\r\n")
    assert (ruling.verdict, str(ruling.reply)) == ("refuse", "550 5.7.1 there is Eicar-Local.UNOFFICIAL in it")
    clean = judged(scene)
    assert (clean.verdict, clean.amendment) == ("accept", None)
    assert b"\r\nX-Virus-Status: Clean\r\n" in clean.fields


@pytest.mark.peer("opendmarc", root=True)
def test_opendmarc_goes_by_what_we_found_and_not_by_what_is_forged(real: RealFilters) -> None:
    """It has no DNS here, so it finds no policy; what it writes goes on top, and our own field stays."""
    dns = ToldDns({**ZONE, ("_dmarc.sender.example", "TXT"): ("v=DMARC1; p=none",)})
    forged = b"Authentication-Results: " + HOST.encode() + b"; dkim=pass header.d=bank.example\r\n"
    ruling = judged(Scene(section("milter", real.start("opendmarc"), name="opendmarc"), dns=dns), forged + MAIL)
    assert ruling.steps[-1].step == "opendmarc"
    assert ruling.verdict == "accept"
    assert ruling.fields.count(b"Authentication-Results:") >= 2
    assert b"dmarc=" in ruling.fields
    assert b"bank.example" not in ruling.fields


def letter(*words: str) -> bytes:
    """A letter with a token for each of many words."""
    text = " ".join(f"{word}{number}" for number in range(60) for word in words)
    return MAIL.replace(b"Hello.", text.encode())


@pytest.mark.peer("spamd", root=True)
def test_spamassassin_learns_what_users_say(real: RealFilters) -> None:
    """What was called spam looks like spam from then on, and when it is taken back it does not; a second time is nothing new."""
    scene = Scene(section("spamd", real.start("spamd"), learn=True))
    teacher = SpamdTeacher(scene.panel.config.filters[0])
    spam, ham = letter("casino", "winner"), letter("meeting", "report")

    def tell(content: bytes, known: Class) -> bool:
        return asyncio.run(teacher.tell(content, known, "ann@example.com"))

    def tests(content: bytes) -> list[str]:
        steps = judged(Scene(section("spamd", real.start("spamd"), learn=True)), content).fields.decode()
        return re.findall(r"BAYES_[0-9]+", steps)

    assert (tell(spam, "spam"), tell(ham, "ham")) == (True, True)
    assert not tell(spam, "spam")
    assert tests(spam)[0] >= "BAYES_80"
    assert tests(ham)[0] <= "BAYES_20"
    assert (tell(spam, "ham"), tell(ham, "spam")) == (True, True)
    assert tests(spam)[0] <= "BAYES_20"
