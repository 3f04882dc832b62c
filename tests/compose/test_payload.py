"""An email from JSON, as an API or a queue is handed it."""

from __future__ import annotations

import base64
import binascii
import email
import email.policy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.compose import Attachment, Composition, EmailError, Link, payload

FULL = json.loads("""{
  "request_id": "unique_identifier_for_tracking",
  "from_address": "sender@example.com",
  "reply_to_address": "reply-to@example.com",
  "to_addresses": ["recipient1@example.net", "recipient2@example.org"],
  "cc_addresses": ["cc1@example.net"],
  "bcc_addresses": ["bcc1@example.net"],
  "subject": "Your Subject Line",
  "body_plain": "This is the plain text body.",
  "body_html": "<h1>This is the HTML body</h1><p>With a <a href='http://example.com'>link</a>.</p>",
  "attachments": [
    {"filename": "document.pdf", "content_type": "application/pdf", "data_base64": "JVBERi0xLjc="},
    {"filename": "report.docx", "download_url": "https://example.com/downloads/report.docx"}
  ],
  "headers": {"X-Custom-Header": "Value"},
  "priority": "normal"
}""")


def test_all_that_there_can_be() -> None:
    """Each member has its place in the builder."""
    made = Composition.from_payload(FULL)
    assert (made.request_id, made.from_, made.reply_to) == ("unique_identifier_for_tracking", "sender@example.com", "reply-to@example.com")
    assert (made.to, made.cc, made.bcc) == (["recipient1@example.net", "recipient2@example.org"], ["cc1@example.net"], ["bcc1@example.net"])
    assert made.files == [Attachment(b"%PDF-1.7", "document.pdf", "application/pdf")]
    assert made.links == [Link("report.docx", "https://example.com/downloads/report.docx")]
    assert (made.headers, made.priority) == ({"X-Custom-Header": "Value"}, "normal")
    assert len(made.recipients()) == 4


def test_what_it_makes() -> None:
    """Text and HTML, the file, the link in both bodies, and no Bcc."""
    data = Composition.from_payload(FULL).encode()
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert b"bcc1" not in data
    assert message["X-Custom-Header"] == "Value"
    assert "X-Priority" not in message
    body, file = message.iter_parts()
    text, html = (part.get_content() for part in body.iter_parts())
    assert "report.docx: <https://example.com/downloads/report.docx>" in text
    assert '<a href="https://example.com/downloads/report.docx">report.docx</a>' in html
    assert (file.get_filename(), file.get_content()) == ("document.pdf", b"%PDF-1.7")


def test_null_is_not_there() -> None:
    """As programs write what they have not got."""
    made = Composition.from_payload(dict.fromkeys(FULL, None) | {"to_addresses": "one@example.net"})
    assert made == Composition(to=["one@example.net"], cc=[], bcc=[], headers={})


def test_a_picture_in_the_html() -> None:
    """With a content_id it is shown, not attached."""
    picture = {"filename": "a.png", "data_base64": base64.b64encode(b"\x89PNG\r\n\x1a\n").decode(), "content_id": "logo"}
    made = Composition.from_payload({"to_addresses": [], "body_html": "<img src='cid:logo'>", "attachments": [picture]}).encode()
    assert b"Content-ID: <logo>\r\n" in made
    assert b"Content-Type: image/png\r\n" in made


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ([], "the payload is no object"), ("x", "the payload is no object"), (None, "the payload is no object"),
        ({"bcc_adresses": ["x@example.com"]}, "has no member 'bcc_adresses'; did you mean bcc_addresses?"),
        ({"xyz": 1}, "has no member 'xyz'; there are request_id"),
        ({"a\nb": 1}, "has no member 'a?b'"),
        ({"subject": 5}, "subject is no text"), ({"subject": ["x"]}, "subject is no text"),
        ({"to_addresses": {"x": 1}}, "to_addresses is no list"), ({"to_addresses": [1]}, "to_addresses is no text"),
        ({"headers": []}, "headers is no object"), ({"headers": {"X-A": 1}}, "the header X-A is no text"),
        ({"attachments": {}}, "attachments is no list"), ({"attachments": ["x"]}, "an attachment is no object"),
        ({"attachments": [{"filename": "x"}]}, "needs data_base64, or a download_url"),
        ({"attachments": [{"filename": "x", "data_base64": "%%%"}]}, "the data_base64 of the attachment 'x' is no base 64"),
        ({"attachments": [{"filename": "x", "data_base64": "QUJ"}]}, "is no base 64"),
        ({"attachments": [{"filename": "x", "data_base64": "QUI=", "download_url": "https://x"}]}, "has both"),
        ({"attachments": [{"name": "x", "data_base64": "QUI="}]}, "did you mean filename?"),
        ({"attachments": [{"filename": 1, "data_base64": "QUI="}]}, "filename is no text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(payload: Any, words: str) -> None:
    """A misspelt member loses no recipients: it is refused, and so is a value of another kind."""
    with pytest.raises(EmailError) as caught:
        Composition.from_payload(payload)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("member", ["from_address", "reply_to_address", "to_addresses", "cc_addresses", "bcc_addresses", "subject"])
@pytest.mark.parametrize("evil", ["\r\nBcc: victim@example.org", "\n \nx", "\0", "\x85", "\u2028"])
def test_no_member_begins_a_field(member: str, evil: str) -> None:
    """Line ends and control characters are refused wherever they come from."""
    made = Composition.from_payload({"from_address": "a@example.com", "to_addresses": "b@example.com", member: f"x@example.com{evil}"})
    with pytest.raises(EmailError):
        _ = made.encode(), made.recipients()


MEMBERS = st.sampled_from([*FULL, "filename", "data_base64", "download_url", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=5),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_an_email_or_refused(payload: Any) -> None:
    """One class of errors, whatever comes in."""
    try:
        data = Composition.from_payload(payload).encode()
    except EmailError as error:
        assert str(error).isprintable()  # noqa: PT017 - either way is right
        return
    assert b"\n" not in data.replace(b"\r\n", b"")


@given(st.lists(st.sampled_from(['"', "\\", "a", ",", "[", "é"]), max_size=60).map("".join), st.integers(1, 9))
def test_what_is_text_and_what_is_not_is_told_apart_in_pieces(text: str, piece: int) -> None:
    """Wherever the pieces end that a long text is looked at in: what stands in a string is never too much, what does not is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload, "PIECE", piece)
        patch.setattr(payload, "LARGEST_SKELETON", 12)
        assert payload.strict(json.dumps([text, text], ensure_ascii=False).encode()) == [text, text]
        with pytest.raises(ValueError, match="beside its texts"):
            payload.strict(json.dumps([text, *range(8)], ensure_ascii=False).encode())


@given(st.binary(max_size=60), st.integers(0, 80), st.sampled_from(["", "=", "A", "!"]))
def test_base_64_is_read_in_pieces(data: bytes, at: int, more: str) -> None:
    """As if it were read at once, so that a large attachment holds up no other thread for long; no more is taken for it than that."""
    written = base64.b64encode(data).decode()
    wrong = written[:at] + more + written[at + 1 :]
    pieces: list[int] = []

    def decode(text: str, *, strict_mode: bool) -> bytes:
        pieces.append(len(text))
        return binascii.a2b_base64(text, strict_mode=strict_mode)

    def read(text: str) -> bytes | None:
        mail = {**FULL, "attachments": [{"filename": "a", "data_base64": text}]}
        try:
            return Composition.from_payload(mail).files[0].data
        except EmailError:
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload, "PIECE", 8)
        patch.setattr(payload, "a2b_base64", decode)
        assert read(written) == data
        assert max(pieces, default=0) <= 8
        try:
            whole: bytes | None = binascii.a2b_base64(wrong, strict_mode=True)
        except ValueError:
            whole = None
        assert read(wrong) in (whole, None if len(wrong) % 4 else whole)
