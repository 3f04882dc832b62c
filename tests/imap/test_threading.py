"""Messages are put together as conversations, RFC 5256 §3, whatever they say that they answer."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.imap.found import thread_line
from mailer.imap.threading import Forest, ThreadColumns, by_references, ordered_subject


class ThreadedMessage(NamedTuple):
    """What one message says."""

    number: int
    sent: float
    subject: str
    answers: bool = False
    id: int = 0
    references: Sequence[int] = ()


def columns(messages: Sequence[ThreadedMessage]) -> ThreadColumns:
    """What they say, as it is kept."""
    return ThreadColumns(
        [each.sent for each in messages],
        [each.subject for each in messages],
        [int(each.answers) for each in messages],
        [(each.id, *each.references) for each in messages],
    )


def mails(*said: tuple[str, str] | tuple[str, str, float]) -> list[ThreadedMessage]:
    """Messages, each with ``id < references`` in letters, its subject (with ``Re:`` for an answer), and when it was sent."""
    found = []
    for number, (line, subject, *sent) in enumerate(said, 1):
        id, _, references = line.partition("<")
        base = subject.removeprefix("Re:")
        ids = tuple(ord(letter) for letter in references.split())
        when = float(sent[0]) if sent else float(number)
        found.append(ThreadedMessage(number, when, base, base != subject, ord(id.strip()) if id.strip() else 0, ids))
    return found


def threads(messages: Sequence[ThreadedMessage], forest: Forest) -> str:
    """As a client gets it."""
    return thread_line(forest, [each.number for each in messages]).decode().removeprefix("THREAD").strip()


def references(*said: tuple[str, str] | tuple[str, str, float]) -> str:
    """By REFERENCES."""
    messages = mails(*said)
    return threads(messages, by_references(columns(messages)))


def subjects(*said: tuple[str, str] | tuple[str, str, float]) -> str:
    """By ORDEREDSUBJECT."""
    messages = mails(*said)
    return threads(messages, ordered_subject(columns(messages)))


def test_subjects_are_put_together() -> None:
    """The first of each is above the others of it; a conversation is where its first message is."""
    assert subjects(("", "A"), ("", "B"), ("", "Re:A"), ("", "A")) == "(1 (3)(4))(2)"
    assert subjects(("", "A", 9), ("", "B", 5), ("", "A", 1)) == "(3 1)(2)"
    assert subjects(("", ""), ("", "")) == "(1 2)"
    assert subjects() == ""


def test_what_answers_is_below_what_it_answers() -> None:
    """(1) and (6): in the order of their dates."""
    assert references(("a", "A"), ("b<a", "Re:A"), ("c<a b", "Re:A"), ("d<a", "Re:A")) == "(1 (2 3)(4))"
    assert references(("a", "A"), ("b<a", "Re:A", 9), ("c<a", "Re:A", 5)) == "(1 (3)(2))"
    assert references(("b<a", "Re:A"), ("a", "A", 9)) == "(2 1)"


def test_messages_that_are_not_there_hold_those_together_that_answer_them() -> None:
    """(3): at the root where there are several, and nowhere else."""
    assert references(("b<a", "B"), ("c<a", "C")) == "((1)(2))"
    assert references(("b<a", "B")) == "(1)"
    assert references(("a", "A"), ("c<a b", "C"), ("d<a b", "D")) == "(1 (2)(3))"
    assert references(("c<x y z", "C"), ("d<x y w", "D")) == "((1)(2))"


def test_one_subject_is_one_conversation() -> None:
    """(5): what answers goes below what does not; two that do not are side by side, below nobody."""
    assert references(("a", "A"), ("b", "Re:A")) == "(1 2)"
    assert references(("a", "Re:A"), ("b", "A")) == "(2 1)"
    assert references(("a", "A"), ("b", "A")) == "((1)(2))"
    assert references(("a", "A"), ("b", "A"), ("c", "A"), ("d", "Re:A")) == "((1)(2)(3)(4))"
    assert references(("a", ""), ("b", "")) == "(1)(2)"
    assert references(("b<a", "A"), ("c<a", "A"), ("e<d", "A"), ("f<d", "A")) == "((1)(2)(3)(4))"
    assert references(("b<a", "A"), ("c<a", "A"), ("d", "A")) == "((1)(2)(3))"


def test_a_message_id_is_that_of_the_first_message_that_has_it() -> None:
    """(1): the others have none."""
    assert references(("a", "A"), ("a", "B"), ("b<a", "C")) == "(1 3)(2)"


def test_the_last_that_a_message_refers_to_is_above_it() -> None:
    """(1) (B): what others have said of it before counts less; and where it says nothing, nobody is above it."""
    assert references(("c<a b", "C"), ("b", "B"), ("a", "A")) == "(2 1)(3)"
    assert references(("d<a b c", "D"), ("c<a", "C"), ("a", "A")) == "(3 2 1)"


def test_circles_are_not_closed() -> None:
    """Messages that answer each other, or themselves."""
    assert references(("a<b", "A"), ("b<a", "B")) == "(2 1)"
    assert references(("a<a", "A")) == "(1)"
    assert references(("a<b c", "A"), ("b<c a", "B"), ("c<a b", "C")) == "(2 3 1)"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 6), st.lists(st.integers(1, 6), max_size=4), st.sampled_from(["", "A", "B"]), st.booleans(), st.integers(0, 3)
        ),
        max_size=12,
    )
)
def test_each_message_is_in_one_conversation(said: list[tuple[int, list[int], str, bool, int]]) -> None:
    """Once, whatever the messages say; and no message that is not there is below another, or alone."""
    messages = [
        ThreadedMessage(number, float(sent), subject, answers, id, refers)
        for number, (id, refers, subject, answers, sent) in enumerate(said, 1)
    ]
    for forest in (by_references(columns(messages)), ordered_subject(columns(messages))):
        seen: list[int] = []
        waiting = [*forest.roots]
        assert all(root < len(messages) or len(forest.children[root]) > 1 for root in forest.roots)
        while waiting:
            node = waiting.pop()
            assert all(child < len(messages) for child in forest.children[node])
            waiting += forest.children[node]
            seen += [node] if node < len(messages) else []
        assert sorted(seen) == [*range(len(messages))]
        line = threads(messages, forest)
        assert line.count("(") == line.count(")")


def chain(many: int) -> list[ThreadedMessage]:
    """Each answers the one after it."""
    return [ThreadedMessage(nth + 1, float(nth), "", True, nth + 1, (nth + 2,)) for nth in range(many)]


def zigzag(many: int) -> list[ThreadedMessage]:
    """Each refers to all sorts of others, a hundred of them."""
    chance = random.Random(1)
    return [ThreadedMessage(nth + 1, 0.0, "", False, nth + 1, [chance.randint(1, many) for _ in range(100)]) for nth in range(many)]


def circles(many: int) -> list[ThreadedMessage]:
    """A conversation as deep as it gets, whose last message is said to be above the first again and again."""
    deep = [ThreadedMessage(nth + 1, 0.0, "", True, nth + 1, (nth,) if nth else ()) for nth in range(many)]
    return deep + [ThreadedMessage(many + 1 + nth, 0.0, "", True, 0, (many, 1) * 50) for nth in range(many)]


def ladder(many: int) -> list[ThreadedMessage]:
    """Messages that are not there in a chain as long as it gets, each hundredth with an answer."""
    return [ThreadedMessage(nth + 1, 0.0, "", True, 0, range(10 + nth * 99, 110 + nth * 99)) for nth in range(many)]


@pytest.mark.parametrize("kind", [chain, zigzag, circles, ladder])
def test_hostile_references_take_no_time(kind: Callable[[int], list[ThreadedMessage]]) -> None:
    """No recursion, and a bound on what is walked: some seconds for the worst of ten thousand messages, milliseconds for others."""
    messages = kind(5000)
    began = time.process_time()
    line = thread_line(by_references(columns(messages)), [each.number for each in messages])
    assert time.process_time() - began < 4
    assert line.count(b"(") == line.count(b")")


def test_hostile_references_take_bounded_memory() -> None:
    """Some hundred octets for each message that is referred to, and little once it is done."""
    messages = columns(ladder(500))
    tracemalloc.start()
    try:
        forest = by_references(messages)
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 50_000 * 400
    assert kept < 500 * 400
    assert len(forest.children) <= 501


def test_a_conversation_that_branches_at_each_level_is_written_without_recursion() -> None:
    """Ten thousand levels, with two answers each."""
    messages = [ThreadedMessage(nth + 1, float(nth), "", True, nth + 1, (max(nth - nth % 2 - 1, 0),)) for nth in range(20_000)]
    line = thread_line(by_references(columns(messages)), [each.number for each in messages])
    assert line.count(b"(") == line.count(b")") > 10_000
