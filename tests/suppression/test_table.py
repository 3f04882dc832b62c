"""Lists of other programs are read as they hand them out, and ours comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.suppression.api import Reason, SuppressionEntry
from mailer.suppression.table import SuppressionRow, read, write_csv

NOW = 1_800_000_000.0
STANDARD = SuppressionEntry("", "*", Reason.IMPORT, source="file", at=NOW, by="unix:1")


def rows(text: str, standard: SuppressionEntry = STANDARD) -> list[SuppressionRow]:
    return [*read(text.splitlines(keepends=True), standard)]


def said(text: str, standard: SuppressionEntry = STANDARD) -> list[tuple[str, str, float]]:
    """Address, reason, and the day since 2026 began."""
    return [(each.entry.address, each.entry.reason.value, each.entry.at) for each in rows(text, standard) if each.entry]


JAN_2 = 1_767_312_000.0  # 2026-01-02T00:00:00Z

LISTS = {
    "SendGrid, bounces": "status,reason,email,created\n5.1.1,550 no such user,Ann@Example.org,1767312000\n",
    "SendGrid, spam reports": "ip,email,created\n192.0.2.1,Ann@Example.org,1767312000\n",
    "Mailgun, bounces": 'address,code,error,created_at\nann@example.org,550,"no, such","Fri, 02 Jan 2026 00:00:00 UTC"\n',
    "Postmark": '{"Suppressions":[{"EmailAddress":"ann@example.org","SuppressionReason":"HardBounce","Origin":"Recipient",'
    '"CreatedAt":"2026-01-01T19:00:00-05:00"}]}',
    "Amazon SES": '{\n "SuppressedDestinationSummaries": [\n  {"EmailAddress": "ann@example.org", "Reason": "BOUNCE", '
    '"LastUpdateTime": "2026-01-02T00:00:00+00:00"}\n ]\n}\n',
    "Mandrill": "Email,Reason,Detail,Created At\nann@example.org,hard-bounce,550 no such user,2026-01-02 00:00:00\n",
    "Mailchimp": '"Email Address","First Name",CLEAN_TIME\nann@example.org,Ann,"2026-01-02 00:00:00"\n',
    "a spreadsheet": "\ufeffE-Mail;Typ;Date\nann@example.org;x;2026-01-02\n",
    "an object a line": '{"email":"ann@example.org","created":1767312000000}\n\n{"email":"ann@example.org","created":1767312000}\n',
}


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_providers_are_read(name: str) -> None:
    """Whatever they call their columns, and write as a time."""
    hard = STANDARD._replace(reason=Reason.HARD)
    assert set(said(LISTS[name], hard)) == {("ann@example.org", "hard", JAN_2)}


def test_a_file_may_have_no_header() -> None:
    """Then an address comes first, and its reason may."""
    assert said("ann@example.org\nbob@example.org,complaint\n@example.com,unsubscribed,2026-01-02\n") == [
        ("ann@example.org", "import", NOW),
        ("bob@example.org", "complaint", NOW),
        ("@example.com", "unsubscribe", JAN_2),
    ]


def test_reasons_are_known_by_their_words() -> None:
    """What is not known is a word for people; what bounced for the moment only is left out."""
    words = ["BOUNCE", "SpamComplaint", "unsub", "custom", "ManualSuppression", "spamreport", "Invalid", "soft-bounce", "550 go away"]
    found = rows("email,type\n" + "".join(f"a{at}@example.org,{word}\n" for at, word in enumerate(words)))
    assert [each.entry and each.entry.reason.value for each in found] == [
        "hard", "complaint", "unsubscribe", "manual", "manual", "complaint", "hard", None, "import",
    ]  # fmt: skip
    assert found[-2].soft
    assert found[-1].entry is not None
    assert found[-1].entry.note == "550 go away"


def test_a_row_without_an_address_is_told_with_its_line() -> None:
    """And the others are there."""
    found = rows("email,created\nann@example.org,1\nnobody,2\n\nbob@example.org,someday\n,3\n=cmd@example.org,4\n")
    assert [(each.line, bool(each.problem)) for each in found] == [(2, False), (3, True), (5, True), (6, True), (7, False)]
    assert "nobody" in found[1].problem
    assert "someday" in found[2].problem


@pytest.mark.parametrize("text", ['{"a": [', "[1, 2", "[" * 100_000], ids=["torn", "no end", "deep"])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is none"):
        rows(text)


def test_what_is_very_long_is_refused_before_it_is_held() -> None:
    with pytest.raises(ValueError, match="line 2 is longer"):
        rows("email\n" + "x" * 2_000_000)


@given(
    st.lists(
        st.builds(
            SuppressionEntry,
            st.sampled_from(
                ["ann@example.org", "@example.com", "jürgen@xn--bcher-kva.example", '"a b"@example.org', "-f@x.org", "'=f@x.org"]
            ),
            st.sampled_from(["*", "news", "list.example.org"]),
            st.sampled_from(Reason),
            st.sampled_from(["", "unknown-user"]),
            st.just("report"),
            st.sampled_from(["", "01KAHC00000000000000000001"]),
            st.sampled_from([NOW, NOW + 0.5]),
            st.sampled_from([None, NOW + 86400]),
            st.just("unix:1000"),
            st.sampled_from(["", 'he said "no, never"', "a; b", "+1 for this", "''-", "'quoted'"]),
        ),
        max_size=5,
    )
)
def test_what_is_exported_is_read_back(entries: list[SuppressionEntry]) -> None:
    text = "".join(write_csv(entries))
    standard = STANDARD._replace(source="", by="unix:1000", reason=Reason.MANUAL)
    assert [each.entry for each in read(text.splitlines(keepends=True), standard)] == entries


def test_no_cell_is_a_formula() -> None:
    """A spreadsheet would take it for one."""
    [_, line] = write_csv([SuppressionEntry("ann@example.org", note="=HYPERLINK(1)")])
    assert "'=HYPERLINK" in line
