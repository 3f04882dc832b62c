"""``mailer bounces``: who did not get mail, and why."""

from __future__ import annotations

import time

import pytest

from mailer.events import ReportsHeard
from mailer.status.story import HeardReport
from tests.cli.terminal import Shell
from tests.fakes.mail import NOW, outcome
from tests.status.office import Office


def test_failed_recipients_are_listed_with_their_reason_newest_first(office: Office, shell: Shell) -> None:
    """Those that were delivered or wait are not among them."""
    first = office.failed("a@x.example", text="no such user")
    second = office.put("b@y.example", "c@y.example", "d@y.example")
    office.settle(second, outcome(0), outcome(1, "expire", text="timed out", at=1_800_000_060.0), outcome(2, "defer", due=1_900_000_000.0))
    said = shell("bounces")
    assert said.code == 0
    assert [line.split()[1:4] for line in said.lines[1:]] == [["expired", "c@y.example", second], ["failed", "a@x.example", first]]
    assert said.lines[2].endswith("550 5.1.1 no such user")


def test_bounces_as_json(office: Office, shell: Shell) -> None:
    """One object a recipient."""
    id = office.failed("a@x.example", subject="Hi", text="no such user")
    assert shell("bounces", "--json").objects == [
        {"id": id, "from": "me@example.com", "subject": "Hi", "message_status": "failed", "address": "a@x.example", "status": "failed",
         "code": 550, "enhanced_code": "5.1.1", "reply": "no such user", "host": None,
         "ours": False, "cause": None,
         "class": "unknown-user", "hard": True, "besides": None, "updated_at": "2027-01-15T08:00:05Z", "at": "2027-01-15T08:00:05Z"}
    ]  # fmt: skip


def test_filters_choose_recipients(office: Office, shell: Shell) -> None:
    """Of a message to many, only those that are meant; since when it failed, not since it was queued."""
    now = time.time()
    id = office.put("a@x.example", "b@y.example", at=now - 90_000)
    office.settle(id, outcome(0, "fail", at=now - 80_000), outcome(1, "fail", at=now - 60))

    def addresses(*options: str) -> list[str]:
        return [item["address"] for item in shell("bounces", "--json", *options).objects]

    assert addresses() == ["b@y.example", "a@x.example"]
    assert addresses("--domain", "X.example") == addresses("--to", "a@*") == ["a@x.example"]
    assert addresses("--since", "1h") == addresses("--limit", "1") == ["b@y.example"]
    assert addresses("--from", "<>") == []
    assert shell("bounces", "--from", "<>") == (0, "No mail failed that is like that.\n", "")


def test_that_nothing_failed_is_no_answer_to_a_question_that_was_not_asked(shell: Shell) -> None:
    """Only options that select are what mail can be like."""
    assert shell("bounces") == shell("bounces", "--by", "reason") == (0, "No mail failed.\n", "")


def test_equal_reasons_count_as_one_whatever_names_are_in_them(office: Office, shell: Shell) -> None:
    """Addresses, IP addresses and queue names differ from message to message; codes and words do not."""
    office.failed("a@x.example", text="<a@x.example>: Recipient address rejected (session 4XyZ12ab)")
    office.failed("b@x.example", text="<b@x.example>: Recipient address rejected (session 9QrS77cd)")
    office.failed("c@y.example", text="blocked: 192.0.2.77 is listed")
    reasons = {item["reason"]: item["count"] for item in shell("bounces", "--by", "reason", "--json").objects}
    assert reasons == {"550 5.1.1 …: Recipient address rejected (session …)": 2, "550 5.1.1 blocked: … is listed": 1}


@pytest.mark.parametrize(("by", "expected"), [("domain", [("x.example", 2), ("y.example", 1)]), ("code", [("550 5.1.1", 3)])])
def test_bounces_are_counted_by_domain_and_code(office: Office, shell: Shell, by: str, expected: list[tuple[str, int]]) -> None:
    """Most frequent first."""
    for address in ("a@x.example", "b@X.example", "c@y.example"):
        office.failed(address)
    assert [(item[by], item["count"]) for item in shell("bounces", "--by", by, "--json").objects] == expected
    assert shell("bounces", "--by", by).lines[0].split()[:2] == ["COUNT", by.upper()]


def test_bounces_are_counted_by_what_the_refusals_mean(office: Office, shell: Shell) -> None:
    """The words tell it, not the code that all of them have; each line says whether the address is gone for good."""
    office.failed("a@x.example", text="user unknown")
    office.failed("b@x.example", text="sorry, no mailbox here by that name")
    office.failed("c@y.example", text="mailbox full")
    office.failed("d@y.example", text="blocked using zen.spamhaus.org")
    counts = {item["class"]: item["count"] for item in shell("bounces", "--by", "class", "--json").objects}
    assert counts == {"unknown-user": 2, "full": 1, "blocked": 1}
    assert shell("bounces", "--by", "class").lines[0].split()[:2] == ["COUNT", "CLASS"]
    said = {item["address"]: (item["class"], item["hard"]) for item in shell("bounces", "--json").objects}
    assert said["a@x.example"] == ("unknown-user", True)
    assert said["c@y.example"] == ("full", False)


def test_a_complaint_counts_as_one_whatever_its_words(office: Office, shell: Shell) -> None:
    """Its recipient got the mail, and what the report says is the name of a program at most."""
    id = office.put("a@x.example")
    office.settle(id, outcome(0, "delivered", at=NOW))
    complaint = HeardReport(
        "0" * 26, 0, NOW, "box", "complaint", "token", id, 0, "a@x.example", diagnostic="abuse Yahoo!-Mail", class_="complaint"
    )
    office.write([ReportsHeard(NOW, [complaint])])
    (said,) = shell("bounces", "--json").objects
    assert (said["status"], said["class"], said["hard"]) == ("complained", "complaint", True)


def test_what_a_report_was_read_as_counts_and_not_its_words_alone(office: Office, shell: Shell) -> None:
    """All of the report was looked at then; of its words only those about the recipient are kept. The first one made him bounced."""
    id = office.put("a@x.example", "b@x.example")
    office.settle(id, outcome(0, at=NOW), outcome(1, at=NOW))
    first, later = (
        HeardReport(
            str(at) * 26,
            0,
            NOW + at,
            "box",
            "bounce",
            "token",
            id,
            0,
            "a@x.example",
            "failed",
            "5.0.0",
            "550 look at the text above",
            class_,
        )
        for at, class_ in enumerate(("moved", "full"))
    )
    unread = first._replace(nth=1, position=1, recipient="b@x.example", class_="of a later version")
    office.write([ReportsHeard(NOW, [first, unread]), ReportsHeard(NOW + 1, [later])])
    said = {item["address"]: (item["class"], item["hard"]) for item in shell("bounces", "--json").objects}
    assert said == {"a@x.example": ("moved", True), "b@x.example": ("other", False)}
    assert {item["class"]: item["count"] for item in shell("bounces", "--by", "class", "--json").objects} == {"moved": 1, "other": 1}
    story = shell("explain", id, "--no-dns", "--json").objects[0]
    assert [(each["class"], each["hard"]) for each in story["recipients"]] == [("moved", True), ("other", False)]


def test_more_recipients_than_are_listed_are_all_counted(office: Office, shell: Shell) -> None:
    """``--limit`` is about lines."""
    office.failed(*(f"u{n}@x.example" for n in range(50)))
    assert shell("bounces", "--by", "domain", "--limit", "1", "--json").objects == [
        {"domain": "x.example", "count": 50, "example": "550 5.1.1 no such user"}
    ]
    assert len(shell("bounces").lines) == 21


def test_an_unknown_group_is_a_mistake(shell: Shell) -> None:
    """Exit 64, and what there is."""
    said = shell("bounces", "--by", "colour")
    assert said.code == 64
    assert "reason, domain, code" in said.err


@pytest.mark.slow
def test_a_terminal_names_the_host_that_refused(office: Office, shell: Shell) -> None:
    """Who said what, to which message."""
    id = office.failed("a@x.example", text="no such user")
    said = shell.at_terminal("bounces")
    for text in ("a@x.example", "550 5.1.1 no such user", id):
        assert text in said.out


def test_no_second_word_is_needed(office: Office, shell: Shell) -> None:
    """Without one it lists, with options or without; a word that it does not have is one line, and a mistake."""
    office.failed("a@x.example")
    assert shell("bounces").lines == shell("bounces", "--limit", "5").lines
    assert "--by WHAT" in shell("bounces", "--help").out
    wrong = shell("bounces", "ingets")
    assert (wrong.code, wrong.err.count("\n")) == (64, 1)
