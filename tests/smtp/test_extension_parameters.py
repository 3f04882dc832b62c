"""What is asked for a message, as parameters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailer.mail.delivery_options import Request, Wanted
from mailer.smtp import server_commands
from mailer.smtp.command import rcpt
from mailer.smtp.extension import Extensions, mail_parameters, objection, rcpt_parameters, xtext

DSN = Extensions(dsn=True)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=100))
def test_xtext(text: str) -> None:
    """What is encoded is one word, and a receiver reads what was meant."""
    assert server_commands.xtext(xtext(text)) == text
    assert rcpt("bob@example.com", [f"ORCPT=rfc822;{xtext(text)}"])


def test_an_address_beyond_ascii() -> None:
    """The original address may have characters that no parameter can carry, RFC 6533 §3."""
    assert rcpt_parameters(Wanted(orcpt="utf-8;jörg+x=y\\z@example.org"), DSN) == [
        r"ORCPT=utf-8;j\x{F6}rg\x{2B}x\x{3D}y\x{5C}z@example.org"
    ]


def test_only_what_is_offered() -> None:
    """A host hears no parameter of an extension that it does not offer, and there is no objection to what may be dropped."""
    request = Request(ret="FULL", envid="1", by=60, by_return=False, priority=1, everybody=Wanted("NEVER", "rfc822;a@b.example"))
    nothing = Extensions()
    assert objection(request, nothing, protected=False) is None
    assert (mail_parameters(request, nothing), rcpt_parameters(request.everybody, nothing)) == ([], [])
    everything = Extensions(dsn=True, deliver_by=True, priority=True)
    assert mail_parameters(request, everything) == ["RET=FULL", "ENVID=1", "BY=60;N", "MT-PRIORITY=1"]
    assert rcpt_parameters(request.everybody, everything) == ["NOTIFY=NEVER", "ORCPT=rfc822;a@b.example"]


def test_a_recipient_is_named_so_that_a_report_names_him_wherever_he_forwards_to() -> None:
    """RFC 3461 §5.2.1; what its sender said stays, and an address that no parameter has room for is left out."""
    own = "ann+news@example.org"
    assert rcpt_parameters(Wanted(), DSN, own) == ["ORCPT=rfc822;ann+2Bnews@example.org"]
    assert rcpt_parameters(Wanted(orcpt="rfc822;a@b.example"), DSN, own) == ["ORCPT=rfc822;a@b.example"]
    assert rcpt_parameters(Wanted(), Extensions(), own) == rcpt_parameters(Wanted(), DSN, "j\xf6rg@example.org") == []
    assert rcpt_parameters(Wanted(), DSN, "+" * 200 + "@b.example") == []


def test_objections() -> None:
    """What must not be dropped is refused by us, with a code that says which promise could not be kept."""
    for request, offered in (
        (Request(require_tls=True), Extensions()),
        (Request(by=59), Extensions(deliver_by=True, least_by=60)),
        (Request(by=60), Extensions()),
        (Request(hold=61), Extensions(hold_seconds=60)),
        (Request(hold="2030-01-01T00:00:01Z"), Extensions(hold_seconds=60, hold_until=1893456000.0)),
        (Request(hold="2030-01-01T00:00:01Z"), Extensions()),
    ):
        refusal = objection(request, offered, protected=True)
        assert refusal is not None
        assert refusal.permanent
    assert objection(Request(hold="2030-01-01T00:00:00Z"), Extensions(hold_seconds=60, hold_until=1893456000.0), protected=False) is None
