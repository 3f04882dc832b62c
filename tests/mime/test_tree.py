"""Where the parts of a message are, and what their headers say of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.mime.packed import from_tree, tree_bytes
from mailer.mime.tree import Part, every, parsed, part_at
from tests.imap.letters import letter

MIXED = (
    b"Subject: x\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n"
    b"--a\r\n\r\none\r\n"
    b"--a\r\nContent-Type: message/rfc822\r\n\r\n"
    b'Subject: inner\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n'
    b"--b\r\n\r\ntwo\r\n--b\r\nContent-Type: text/html\r\n\r\nthree\r\n--b--\r\n"
    b"\r\n--a--\r\nepilogue\r\n"
)


def bodies(content: bytes) -> list[bytes]:
    """The bodies of the parts that hold no others."""
    return [content[part.header_end : part.end] for part in every(parsed(content)) if not part.parts and part.message is None]


def test_parts_are_found_in_parts() -> None:
    """A delimiter has the line end before it; what is before the first and behind the last is no part."""
    assert bodies(MIXED) == [b"one", b"two", b"three"]


@pytest.mark.parametrize(
    ("number", "body"),
    [("1", b"one"), ("2.1", b"two"), ("2.2", b"three"), ("2", None), ("3", None), ("0", None), ("1.1", None), ("2.2.1", None), ("x", None)],
)
def test_a_part_has_its_number(number: str, body: bytes | None) -> None:
    """As IMAP counts (RFC 9051 §6.4.5.1): the parts of a message in a message come right below its own number."""
    found = part_at(parsed(MIXED), number)
    if body is not None:
        assert found is not None
        assert MIXED[found.header_end : found.end] == body
    elif found is not None:
        assert (number, found.kind) == ("2", "message/rfc822")


def test_a_message_that_is_no_multipart_is_its_first_part() -> None:
    """Its number is 1."""
    root = parsed(b"Subject: x\r\n\r\ntext")
    assert part_at(root, "1") == root
    assert part_at(root, "") == root
    assert part_at(root, "2") is None


def test_a_message_that_is_a_message_has_its_parts_one_level_below() -> None:
    """Its part 1 is the whole of the message in it, whose parts are 1.1 and 1.2; a text has no parts."""
    inner = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
    content = b"Content-Type: message/rfc822\r\n\r\n" + inner
    root = parsed(content)
    found = [part_at(root, number) for number in ("1", "1.1", "1.2", "2", "1.3", "1.1.1")]
    assert [part and content[part.header_end : part.end] for part in found] == [inner, b"one", b"two", None, None, None]
    assert part_at(parsed(b"Subject: x\r\n\r\ntext"), "1.1") is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_lines_end_as_they_do(end: bytes) -> None:
    """What a client appended with other line ends is read as it is, octet by octet."""
    content = MIXED.replace(b"\r\n", end)
    assert bodies(content) == [b"one", b"two", b"three"]
    assert [part.lines for part in every(parsed(content))] == [part.lines for part in every(parsed(MIXED))]


def test_the_delimiter_of_an_outer_multipart_ends_the_inner_one() -> None:
    """RFC 2046 §5.1.2, where the inner one was never closed."""
    content = MIXED.replace(b"--b--\r\n", b"")
    assert bodies(content) == [b"one", b"two", b"three\r\n"]


def test_a_line_that_only_begins_as_a_delimiter_is_text() -> None:
    """RFC 2046 §5.1.1: behind the boundary are blanks, and nothing else."""
    content = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\none\r\n--ab\r\n-- a\r\n--a \t\r\n\r\ntwo\r\n--a-- \r\n"
    assert bodies(content) == [b"one\r\n--ab\r\n-- a", b"two"]


def test_one_boundary_of_two_levels_is_that_of_the_inner_one() -> None:
    """Until that is closed; the outer one has it again then."""
    part = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    content = part + b"--a\r\n" + part + b"--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\ntwo\r\n--a--\r\n"
    root = parsed(content)
    assert [len(root.parts), len(root.parts[0].parts)] == [2, 1]
    assert bodies(content) == [b"one", b"two"]


def test_a_delimiter_ends_a_header() -> None:
    """Though the header was not ended by an empty line."""
    content = b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nX-A: b\r\n--a\r\n\r\ntwo\r\n--a--\r\n"
    assert bodies(content) == [b"", b"two"]


@pytest.mark.parametrize(
    "type",
    [b"", b"text", b"text/", b"/plain", b"te xt/plain", b"\xff/x", b"text /plain", b"multipart/mixed", b'multipart/mixed; boundary=""'],
)
def test_a_type_that_says_nothing_is_text(type: bytes) -> None:
    """RFC 2045 §5.2; a multipart without a boundary is one without parts."""
    root = parsed(b"Content-Type: " + type + b"\r\n\r\nx")
    assert root.kind in ("text/plain", "multipart/mixed")
    assert root.parts == ()


def test_what_headers_say_of_parts() -> None:
    """Encodings in small letters, and all else as it is written."""
    root = parsed(
        b'Content-Type: Image/PNG; Name="A \\"b\\".png" (c)\r\nContent-Transfer-Encoding: BASE64 (really)\r\nContent-ID: <a@B>\r\n'
        b"Content-Description: Ein Bild\r\nContent-Disposition: Inline; Filename=x; size=3\r\nContent-Language: de, en-GB\r\n"
        b"Content-Location: http://x/y\r\nContent-MD5: abc=\r\n\r\n"
    )
    expected = Part(
        "image", "png", (("name", 'A "b".png'),), "<a@B>", "Ein Bild", "base64", ("Inline", (("filename", "x"), ("size", "3"))),
        ("de", "en-GB"), "http://x/y", "abc=", 0, root.end, root.end, 0,
    )  # fmt: skip
    assert root == expected


@given(seed=st.integers(0, 100_000))
def test_a_tree_is_read_as_it_was_kept(seed: int) -> None:
    """Of messages of all shapes; and each part is within the one that holds it, behind the one before it."""
    content = letter(seed)
    root = parsed(content)
    assert from_tree(tree_bytes(root)) == root
    for part in every(root):
        assert part.start <= part.header_end <= part.end <= len(content)
        at = part.header_end
        for inside in part.parts or ((part.message,) if part.message else ()):
            assert at <= inside.start
            assert inside.end <= part.end
            at = inside.end


@given(st.binary(max_size=300))
def test_any_octets_have_a_tree(content: bytes) -> None:
    """Behind a header that promises parts."""
    root = parsed(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" + content)
    assert from_tree(tree_bytes(root)) == root
