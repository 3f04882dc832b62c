"""Reports that are letters alone, of many mail systems and languages; and mail that looks like them and is none."""

from __future__ import annotations

import pytest

from mailer.dsn.reading import ReportKind, read
from tests.dsn.letters import LETTERS, OTHERS, Letter, Other, other, written


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.family)
def test_a_letter_is_read_as_a_person_reads_it(letter: Letter) -> None:
    """Its kind, whom it is about, the code and the class of the reason, and which message came back."""
    report = read(written(letter))
    assert report.kind == letter.kind
    assert {each.address for each in report.recipients} == {*letter.to}
    first = report.recipients[0]
    assert (first.class_, first.status[: len(letter.status)]) == (letter.name, letter.status)
    assert report.message_id == ("one@out.example.org" if letter.enclosed or "Message-ID" in letter.text else "")


@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.family)
def test_line_ends_make_no_difference(letter: Letter) -> None:
    """CRLF says what LF says."""
    content = written(letter)
    assert read(content.replace(b"\n", b"\r\n")) == read(content)


@pytest.mark.parametrize("mail", OTHERS, ids=lambda mail: mail.what)
def test_mail_that_is_no_report_is_none(mail: Other) -> None:
    """An answer of a machine never is a report of a failure, nor is what people write of one."""
    report = read(other(mail))
    assert report.kind == mail.kind
    assert report.recipients == ()


@pytest.mark.parametrize("letter", LETTERS[:12], ids=lambda letter: letter.family)
def test_a_report_that_a_person_passes_on_is_none(letter: Letter) -> None:
    """He forwards it, or quotes it: his name stands over it, and his program's."""
    text = letter.text.replace("\n", "\n> ")
    forwarded = f"From: Bob <bob@example.net>\nUser-Agent: Mutt/2.2\nSubject: Fwd: {letter.subject}\n\nWhat is that?\n\n> {text}\n".encode()
    assert read(forwarded).kind is ReportKind.NONE


@pytest.mark.parametrize("label", [b"us-ascii", b"nonsense", b"idna"])
def test_japanese_is_known_by_its_escapes(label: bytes) -> None:
    """Many old systems there label it as ASCII, or not at all."""
    (letter,) = (each for each in LETTERS if each.charset == "iso-2022-jp" and "DoCoMo" in each.family)
    assert read(written(letter).replace(b"charset=iso-2022-jp", b"charset=" + label)) == read(written(letter))
