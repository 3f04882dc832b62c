"""A message as it comes out of mending, and as its reader sees it."""

from __future__ import annotations

import email
import email.policy
from binascii import b2a_base64
from email.message import EmailMessage

from mailer.mail.message import Change, Message, normalise
from mailer.mail.repair import repaired

LONG = b"x" * 999


def mend(data: bytes) -> tuple[bytes, list[Change]]:
    """The message as it comes out, and what was done; whoever mends it again finds nothing to do."""
    changes: list[Change] = []
    made = bytes(repaired(Message.split(normalise(data)), changes))
    assert normalise(made) == made
    again: list[Change] = []
    assert bytes(repaired(Message.split(made), again)) == made
    assert [change for change in again if change.action == "mended"] == []
    return made, changes


def read(data: bytes) -> EmailMessage:
    found = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def text_of(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.replace(b"\r\n", b"\n")


def leaf(type: str, encoding: str, text: bytes) -> bytes:
    label = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    body = b2a_base64(text) if encoding == "base64" else text.replace(b"--b", b"- b")
    return f"Content-Type: {type}\r\n{label}\r\n".encode() + body


def nested(parts: list[tuple[str, str, bytes]], depth: int) -> bytes:
    """The parts in a multipart, in a multipart in a message in a multipart, and so on."""
    inner = b"\r\n".join(b"--b\r\n" + leaf(*part) for part in parts) + b"\r\n--b--"
    made = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + inner
    for level in range(depth):
        made = b"Content-Type: multipart/alternative; boundary=b%d\r\n\r\n--b%d\r\n%b\r\n--b%d--" % (level, level, made, level)
        if level % 3 == 1:
            made = b"Content-Type: message/rfc822\r\n\r\n" + made
    return normalise(b"Subject: x\r\nMIME-Version: 1.0\r\n" + made + b"\r\n")
