"""DMARC aggregate reports: RFC 7489, RFC 9990, and what hosts make of these."""

from __future__ import annotations

import pytest

from mailer.aggregate import dmarc, summary
from mailer.aggregate.dmarc import DEEPEST, LONGEST_TEXT, MOST_ELEMENTS
from mailer.aggregate.summary import BadReport, DmarcReport, DmarcSource, day_of

from . import letters
from .letters import BEGIN, END, row


def read(document: bytes, size: int = 1 << 16) -> DmarcReport:
    """The report in `document`, which comes in pieces of this size."""
    return dmarc.read(document[at : at + size] for at in range(0, len(document), size))


SIGNED = "<dkim><domain>esp.example</domain><selector>s</selector><result>pass</result></dkim>"
OURS_BROKEN = "<dkim><domain>example.com</domain><selector>s</selector><result>fail</result></dkim>"
PATH = "<spf><domain>bounce.esp.example</domain><scope>mfrom</scope><result>softfail</result></spf>"


def test_a_report_comes_to_sums() -> None:
    """Rows that are alike are one; the best signature, and SPF, say who sent them really."""
    told = "<reason><type>mailing_list</type><comment>x</comment></reason>"
    found = read(
        letters.dmarc(
            row(count=2), row(count=3), row("2001:DB8::1", 4, dkim="fail", spf="fail", disposition="reject",
            results=OURS_BROKEN + SIGNED + PATH, reason=told), more="<error>two records</error>",
        )
    )  # fmt: skip
    assert found == DmarcReport(
        "example.com", "receiver.example", "1", BEGIN, END, "none",
        {
            DmarcSource("example.com", "192.0.2.1", "none", dkim=True, spf=True): 5,
            DmarcSource("example.com", "2001:db8::1", "reject", dkim=False, spf=False, signer="esp.example", signed="pass",
                        path="bounce.esp.example", allowed="softfail", override="mailing_list"): 4,
        },
        0, "two records", "dmarc@receiver.example",
    )  # fmt: skip


def test_the_new_schema_and_the_drafts_say_the_same() -> None:
    """With a namespace, with a prefix, with attributes, with extensions, with elements that were added since, in another order."""
    plain = letters.dmarc(row(count=2, disposition="pass"))
    added = (
        plain.replace(b"<feedback>", b'<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0" xmlns:x="urn:x"><version>1.0</version>')
        .replace(b"<org_name>", b'<org_name lang="en">')
        .replace(b"</report_metadata>", b"<generator>G 1</generator></report_metadata>")
        .replace(b"<p>", b"<discovery_method>treewalk</discovery_method><np>none</np><testing>n</testing><p>")
        .replace(b"<record>", b"<extension><x:row><record>9</record></x:row></extension><record>")
        .replace(b"</record><", b"<x:seen>1</x:seen></record><", 1)
    )
    prefixed = plain.replace(b"</", b"</d:").replace(b"<", b"<d:").replace(b"<d:/d:", b"</d:").replace(b"<d:?", b"<?")
    prefixed = prefixed.replace(b"<d:feedback>", b'<d:feedback xmlns:d="urn:ietf:params:xml:ns:dmarc-2.0">')
    for document in (added, prefixed, plain.decode().replace("UTF-8", "utf-16").encode("utf-16")):
        assert read(document) == read(plain)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_it_may_come_in_whatever_pieces(size: int) -> None:
    """Byte by byte as at once."""
    document = letters.dmarc(row(results=SIGNED + PATH))
    assert read(document, size) == read(document)


@pytest.mark.parametrize(
    "bad", [row("192.0.2.999"), row(""), row(count="many"), row(count=-1), row(count=10**13), row(disposition="maybe"), "<record/>"]
)
def test_a_bad_row_is_left_out_and_counted(bad: str) -> None:
    """The others count."""
    found = read(letters.dmarc(bad, row(count=7)))
    assert (found.bad, sum(found.counts.values())) == (1, 7)


def test_a_row_without_an_author_is_of_the_domain_of_the_policy() -> None:
    """Early reports had no identifiers."""
    (what,) = read(letters.dmarc(row(author=""))).counts
    assert what.author == "example.com"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "no XML"),
        (b"<feedback>", "no XML"),
        (b"<html></html>", "root is 'html'"),
        (letters.dmarc(domain=""), "no domain"),
        (letters.dmarc(domain="not a domain"), "no domain"),
        (letters.dmarc(begin=10**13), "from when"),
        (letters.dmarc().replace(b"<end>", b"<end>-"), "from when"),
        (letters.dmarc().replace(str(END).encode(), str(BEGIN - 1).encode()), "from when"),
        (letters.dmarc().replace(b"UTF-8", b"x-nothing"), "encoding"),
        (b"<feedback>" + b"<a>" * DEEPEST, "deep"),
        (b"<feedback>" + b"<a" + b" " * (1 << 18) + b"/></feedback>", "a tag"),
    ],
)
def test_what_is_no_report_is_refused(document: bytes, why: str) -> None:
    """With a sentence that says why."""
    with pytest.raises(BadReport, match=why):
        read(document)


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE feedback [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE feedback [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE feedback SYSTEM "http://127.0.0.1/x.dtd">',
        "<!DOCTYPE feedback>",
    ],
)
def test_a_document_type_is_refused(declared: str) -> None:
    """Entities are declared there, with which little becomes much, and files are read."""
    with pytest.raises(BadReport, match="document type"):
        read(letters.dmarc().replace(b"<feedback>", declared.encode() + b"<feedback>"))


def test_a_long_text_is_cut_and_the_report_stands() -> None:
    """Comments and errors may be of any length, RFC 9990 §3.1.5."""
    assert len(read(letters.dmarc(more=f"<error>{'e' * 3 * LONGEST_TEXT}</error>")).trouble) <= 200


def test_texts_do_nothing_to_a_terminal() -> None:
    """They are shown to people, and a stranger has written them."""
    found = read(letters.dmarc(reporter="a\u202eb\u200b", id="x\ny&#133;"))
    assert (found.reporter, found.report_id.isprintable()) == ("a\ufffdb\ufffd", True)


@pytest.mark.slow
def test_there_is_an_end_to_elements() -> None:
    """However small they are."""
    with pytest.raises(BadReport, match="elements"):
        read(b"<feedback>" + b"<a/>" * MOST_ELEMENTS + b"</feedback>")


def test_rows_beyond_the_bound_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """None disappears: they are added up without their sources."""
    monkeypatch.setattr(summary, "MOST_ROWS", 3)
    found = read(letters.dmarc(*(row(f"192.0.2.{at}", 2) for at in range(10))))
    assert len(found.counts) == 4
    assert sum(found.counts.values()) == 20
    assert found.counts[DmarcSource("example.com", "", "none", dkim=True, spf=True)] == 14


def test_a_day_is_the_one_of_the_middle() -> None:
    """Days of reporters begin in their own time zones."""
    assert {day_of(BEGIN + hours * 3600, END + hours * 3600) for hours in (-11, -5, 0, 5, 11)} == {BEGIN // 86400}


def test_the_zone_of_an_address_is_no_place_for_words() -> None:
    """An address of a link may have any text behind a percent sign, and who reads a report reads it on a terminal."""
    assert read(letters.dmarc(row("fe80::1%\u009b31m\u202e" + "x" * 3000), row())).bad == 1
