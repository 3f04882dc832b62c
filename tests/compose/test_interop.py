"""What the builder makes is what others read: the standard library takes it apart and puts it together again to the same bytes."""

from __future__ import annotations

import email
import email.policy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailer.compose import Attachment, Composition, Link
from mailer.mail.message import Change, Message, has_long_line, normalise
from mailer.mail.mime import is_plain
from mailer.mail.repair import repaired

POLICY = email.policy.compat32.clone(linesep="\r\n", max_line_length=None)

words = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=80)
files = st.builds(Attachment, st.binary(max_size=200), words, st.sampled_from(["", "application/pdf", "text/plain"]), st.just(""))
pictures = st.builds(Attachment, st.binary(max_size=50), words, st.just("image/png"), st.sampled_from(["a", "b@x"]))
bodies = st.none() | st.text(st.characters(blacklist_categories=["Cs"]), max_size=500)


@st.composite
def emails(draw: st.DrawFn) -> Composition:
    """Any that can be said."""
    html = draw(bodies)
    parts: dict[str, Any] = {
        "from_": f'"{quoted(draw(words))}" <anna@bücher.example>',
        "to": [f'"{quoted(draw(words))}" <{name}@example.net>' for name in draw(st.lists(st.sampled_from("abc"), max_size=3))],
        "subject": draw(words),
        "text": draw(bodies),
        "html": html,
        "files": draw(st.lists(files | pictures if html is not None else files, max_size=3)),
        "links": draw(st.lists(st.builds(Link, words, st.just("https://example.com/ü")), max_size=2)),
        "headers": draw(st.lists(st.tuples(st.just("X-Note"), words), max_size=2)),
        "priority": draw(st.sampled_from(["", "high", "normal", "lowest"])),
        "unsubscribe": draw(st.sampled_from([(), "https://example.com/u", ["mailto:u@example.com", "https://example.com/u"]])),
    }
    return Composition(**parts)


def quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


@given(emails())
def test_the_standard_library_writes_the_same_bytes(made: Composition) -> None:
    """Parsed and written again nothing is another, so nothing was read that was not meant."""
    data = made.encode()
    assert is_plain(data)
    assert normalise(data) == data
    assert email.message_from_bytes(data, policy=POLICY).as_bytes(policy=POLICY) == data
    assert made.encode() == data


@given(emails())
def test_nothing_of_it_needs_mending(made: Composition) -> None:
    """Submission leaves it as it is."""
    changes: list[Change] = []
    data = made.encode()
    assert not has_long_line(data)
    assert bytes(repaired(Message.split(data), changes)) == data
    assert changes == []


@given(emails())
def test_the_standard_library_finds_the_same_parts(made: Composition) -> None:
    """Subject, names, files under their names, and every octet of them."""
    message = email.message_from_bytes(made.encode(), policy=email.policy.default)
    assert str(message["Subject"] or "").split() == made.subject.split()
    found = [
        (part.get_payload(decode=True), part["Content-Disposition"].params.get("filename", "").strip())  # get_filename() unquotes it twice
        for part in message.walk()
        if part["Content-Disposition"]
    ]
    wanted = [(file.data, file.name.strip()) for file in made.files]
    assert sorted(found) == sorted(wanted)  # type: ignore[type-var]


@given(words)
def test_no_line_of_a_subject_is_wider_than_a_page(subject: str) -> None:
    """RFC 2047: 76 columns where there are encoded words."""
    header = Composition(to="a@example.net", subject=subject).encode().partition(b"\r\n\r\n")[0]
    assert all(len(line) <= 76 for line in header.split(b"\r\n") if b"=?utf-8?" in line)


def test_one_click() -> None:
    """RFC 8058: both fields, and the https address is in the first."""
    made = Composition(to="a@example.net", unsubscribe=["mailto:leave@example.org", "https://example.org/u?x=1"]).encode()
    assert b"List-Unsubscribe: <mailto:leave@example.org>, <https://example.org/u?x=1>\r\n" in made
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in made
    for parts in ({"unsubscribe": "mailto:leave@example.org"}, {"unsubscribe": "https://example.org/u", "one_click": False}):
        assert b"List-Unsubscribe-Post" not in Composition(to="a@example.net", **parts).encode()  # type: ignore[arg-type]
