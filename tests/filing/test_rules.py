"""Rules and answers as data: what a person writes in them is data, whatever it is, and what is kept always makes a script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from unicodedata import category

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailer import sieve
from mailer.filing.generated import script_of
from mailer.filing.rules import Away, OwnRule, as_json, away_of, from_json, rule_of
from mailer.mail.problem import Problem
from mailer.mailbox.scripts import MOST_FORWARDS, OwnForward
from mailer.operate import mailbox_rules
from mailer.sieve import Action, Discard, FileInto, Forward, Keep, Vacation, grammar
from tests.sieve.letters import facts, letter

from .letterbox import Letterbox, mail

LINE = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=40)
HOSTILE = st.sampled_from([
    '"; discard; #', '\\"; redirect "spy@example.org', "${hex:22}",
    "${1}", "text:", "*/", '"]', "\\", '\\\\"', "a\tb", "\x1b[",
])  # fmt: skip
WORDS = LINE | HOSTILE
CONDITIONS = st.one_of(
    st.fixed_dictionaries({"what": st.sampled_from(["from", "to", "subject", "list"]), "value": WORDS,
                           "how": st.sampled_from(["contains", "is", "matches", "exists"]), "negated": st.booleans()}),
    st.fixed_dictionaries({"what": st.just("header"), "how": st.just("is"), "value": WORDS, "field": st.sampled_from(["x-a", "Y"])}),
    st.fixed_dictionaries({"what": st.sampled_from(["body", "detail"]), "how": st.just("contains"), "value": WORDS}),
    st.fixed_dictionaries({"what": st.just("size"), "how": st.sampled_from(["over", "under"]), "value": st.integers(0, 10**9).map(str)}),
)  # fmt: skip
ACTIONS = st.one_of(
    st.fixed_dictionaries({"do": st.sampled_from(["seen", "keep", "discard"])}),
    st.fixed_dictionaries({"do": st.just("forward"), "value": st.sampled_from(["a@example.org", '"a\\"b;"@example.org'])}),
    st.fixed_dictionaries({"do": st.just("flag"), "value": st.sampled_from(["Work", "\\Flagged"])}),
)
RULES = st.fixed_dictionaries({
    "name": WORDS, "conditions": st.lists(CONDITIONS, max_size=4), "actions": st.lists(ACTIONS, min_size=1, max_size=4),
    "every": st.booleans(), "last": st.booleans(),
})  # fmt: skip


def script(rules: list[OwnRule], away: Away | None = None, forwards: tuple[OwnForward, ...] = ()) -> str:
    return script_of(rules, away, forwards)


@given(st.lists(RULES, max_size=3))
def test_what_is_kept_makes_a_script(documents: list[dict[str, Any]]) -> None:
    """Each rule is one ``if``, with the tests and actions that it has and no other, whatever is written in it."""
    rules = [rule_of(document) for document in documents]
    assert [rule_of(from_json(as_json(rule))) for rule in rules] == rules
    source = script(rules)
    sieve.parse(source)
    commands = [each for each in grammar.tree(source) if each.name != "require"]
    assert [each.name for each in commands] == ["if"] * len(rules)
    for rule, command in zip(rules, commands, strict=True):
        words = {"file": "fileinto", "copy": "fileinto", "forward": "redirect", "keep": "keep", "discard": "discard"}
        flags = ["addflag"] if any(action.do in ("flag", "seen") for action in rule.actions) else []
        actions = [words[action.do] for action in rule.actions if action.do in words]
        assert command.block is not None
        assert [each.name for each in command.block] == [*flags, *actions, *(["stop"] if rule.last else [])]
        assert len(command.tests[0].tests) == len(rule.conditions)


@given(WORDS, WORDS)
@example('"; discard; #', "${hex:22}")
def test_a_text_means_itself(value: str, folder: str) -> None:
    """A value is compared as it was written, and a folder is called as it was."""
    try:
        rule = rule_of({"name": value, "conditions": [{"what": "header", "field": "X", "how": "is", "value": value}],
                        "actions": [{"do": "file", "value": folder}]})  # fmt: skip
    except Problem:
        return  # it cannot be the name of a folder
    parsed = sieve.parse(script([rule]))
    about = facts(letter("X: y"))
    if value == value.strip(" \t"):
        assert sieve.run(parsed, about._replace(words=lambda _: value)) == (FileInto(rule.actions[0].value, (), create=True),)
    assert sieve.run(parsed, about._replace(words=lambda _: f"{value}.")) == (Keep(),)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=60).filter(str.strip) | HOSTILE.filter(str.strip),
    WORDS,
)
def test_an_answer_says_what_was_written(text: str, subject: str) -> None:
    """Its lines end in CRLF, and nothing else of it is changed."""
    away = away_of({"text": text, "subject": subject, "days": 3, "addresses": ["a@example.org"]})
    assert away_of(from_json(as_json(away))) == away
    answer, kept = sieve.run(sieve.parse(script([], away)), facts(letter("X: y")))
    assert isinstance(answer, Vacation)
    assert answer.reason == text.replace("\r\n", "\n").replace("\n", "\r\n")
    assert (answer.addresses, answer.seconds, kept) == (("a@example.org",), 3 * 86_400, Keep())
    assert answer.subject.split() == "".join(" " if category(char) == "Cc" else char for char in subject).split()


@pytest.mark.parametrize(("now", "days", "is_away"), [
    ("2026-12-01", ("", ""), True), ("2026-12-01", ("2026-12-01", "2026-12-01"), True), ("2026-12-01", ("2026-12-02", ""), False),
    ("2026-12-01", ("", "2026-11-30"), False), ("2026-12-01", ("2026-11-30", ""), True),
])  # fmt: skip
def test_an_answer_has_its_days(now: str, days: tuple[str, str], is_away: bool) -> None:
    """From the first to the last, both whole, as the clock of this machine has them."""
    away = away_of({"text": "gone", "since": days[0], "until": days[1]})
    found = sieve.run(sieve.parse(script([], away)), facts(letter("X: y")))
    assert any(isinstance(each, Vacation) for each in found) is is_away
    assert now == "2026-12-01"


def test_forwards() -> None:
    """Those that were confirmed, with a copy here or without; those for rules alone forward nothing themselves."""
    forwards = (
        OwnForward("a@x.example", "copy", 1.0, 1.0),
        OwnForward("b@x.example", "copy", 0.0, 1.0),
        OwnForward("c@x.example", "rules", 1.0, 1.0),
    )

    def run(*found: OwnForward) -> Sequence[Action]:
        return sieve.run(sieve.parse(script([], None, found)), facts(letter("X: y")))

    assert run(*forwards) == (Forward("a@x.example"), Keep())
    assert run(forwards[0]._replace(kind="move")) == (Forward("a@x.example"),)
    assert script([], None, forwards[1:]) == ""


def test_a_rule_that_is_off_is_none() -> None:
    """It is kept, and not asked."""
    rule = rule_of({"name": "n", "actions": [{"do": "discard"}], "active": False})
    assert script([rule]) == ""
    assert sieve.run(sieve.parse(script([rule._replace(active=True)])), facts(letter("X: y"))) == (Discard(),)


@pytest.mark.parametrize(("document", "words"), [
    ({}, "a rule does something"),
    ({"name": "n", "actions": [{"do": "file"}]}, "value is a text of one line, with 1 to 1000 characters"),
    ({"name": "", "actions": [{"do": "keep"}]}, "name is a text"),
    ({"name": "a\nb", "actions": [{"do": "keep"}]}, "name is a text of one line"),
    ({"name": "n", "actions": [{"do": "run"}]}, "do is one of file, copy"),
    ({"name": "n", "actions": ["keep"]}, "an action is an object"),
    ({"name": "n", "actions": [{"do": "file", "value": "a//b"}]}, "the name of a folder"),
    ({"name": "n", "actions": [{"do": "flag", "value": "a b"}]}, "cannot be a flag"),
    ({"name": "n", "actions": [{"do": "forward", "value": "nobody"}]}, "is not an address"),
    ({"name": "n", "actions": [{"do": "keep"}] * 11}, "actions is a list of at most 10"),
    ({"name": "n", "actions": [{"do": "keep"}], "colour": 1}, "a rule has no member 'colour'"),
    ({"name": "n", "actions": [{"do": "keep"}], "last": "yes"}, "last is true or false"),
    ({"name": "n", "actions": [{"do": "keep"}], "conditions": [3]}, "a condition is an object"),
    ({"name": "n", "actions": [{"do": "keep"}], "conditions": [{"what": "mood", "how": "is"}]}, "what is one of"),
    ({"name": "n", "actions": [{"do": "keep"}], "conditions": [{"what": "size", "how": "is"}]}, "a size is over or under"),
    ({"name": "n", "actions": [{"do": "keep"}], "conditions": [{"what": "size", "how": "over", "value": "x"}]}, "a size is a number"),
    ({"name": "n", "actions": [{"do": "keep"}], "conditions": [{"what": "header", "how": "is", "field": "a b"}]}, "name of a header field"),
    ({"name": "n", "actions": [{"do": "keep"}], "conditions": [{"what": "body", "how": "exists"}]}, "body is compared with"),
    ({"name": "\ud800", "actions": [{"do": "keep"}]}, "half of a character"),
])  # fmt: skip
def test_a_rule_that_is_none(document: dict[str, Any], words: str) -> None:
    """It is refused in one line that says what may stand there."""
    with pytest.raises(Problem, match=words) as caught:
        rule_of(document)
    assert caught.value.kind == "usage"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("document", "words"), [
    ({"text": " "}, "the text of an answer"),
    ({"text": 3}, "the text of an answer"),
    ({"text": "x", "days": 0}, "days is a number from 1 to 30"),
    ({"text": "x", "days": True}, "days is a number"),
    ({"text": "x", "since": "tomorrow"}, "since is a day"),
    ({"text": "x", "since": 3}, "since is a day"),
    ({"text": "x", "since": "2026-12-02", "until": "2026-12-01"}, "cannot begin on"),
    ({"text": "x", "addresses": ["nobody"]}, "is not an address"),
    ({"text": "x", "reply": "y"}, "no member 'reply'"),
])  # fmt: skip
def test_an_answer_that_is_none(document: dict[str, Any], words: str) -> None:
    """It is refused in one line."""
    with pytest.raises(Problem, match=words):
        away_of(document)


@pytest.mark.parametrize("text", ["", "[]", "{", "3", "[" * 100_000, json.dumps("x")])
def test_what_is_no_document(text: str) -> None:
    """It is refused, however deep it is."""
    with pytest.raises(Problem, match="JSON"):
        from_json(text)


def test_as_many_forwards_as_there_may_be_are_done(letterbox: Letterbox) -> None:
    """Each of them, in one script."""
    with letterbox.premises.ann() as mailbox:
        for nth in range(MOST_FORWARDS):
            mailbox.scripts.add_forward(f"u{nth}@example.com", "copy", 1.0, confirmed=True)
    plan = letterbox.plan(mail())
    assert (plan.failed, len(plan.forwards)) == ("", MOST_FORWARDS)


def test_rules_and_an_answer_that_are_too_much_together_are_not_kept(letterbox: Letterbox) -> None:
    """For with a script that is too long no mail would be filed; whichever of the two comes last is refused, and what was there stays."""
    condition = {"what": "subject", "how": "contains", "value": "x" * 600}
    many = [{"name": "a", "conditions": [condition], "actions": [{"do": "file", "value": "A"}]}] * 80
    answer = {"text": "ä" * 10_000}
    with letterbox.premises.ann() as mailbox:
        mailbox_rules.set_rules(mailbox, many)
        with pytest.raises(Problem, match=r"too much together \(the script has more than 65536 octets\)") as caught:
            mailbox_rules.set_vacation(mailbox, answer)
        assert caught.value.kind == "usage"
        assert mailbox_rules.vacation(mailbox) is None
        mailbox_rules.set_rules(mailbox, many[:10])
        mailbox_rules.set_vacation(mailbox, answer)
        with pytest.raises(Problem, match="too much together"):
            mailbox_rules.set_rules(mailbox, many)
        assert len(mailbox_rules.rules(mailbox)) == 10
