"""SMTP dialogs as text files; `tests/dialogs/README.md` says how they are written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from mailer.mail.delivery_options import NOTHING, Request

DIALOGS = Path(__file__).parents[1] / "dialogs"
HELLO = "client.example.org"


@dataclass
class Turn:
    """`who` is S (bytes from the server), C (bytes from us), TLS (the handshake) or END (the server closes)."""

    who: str
    data: bytes = b""


@dataclass
class Dialog:
    """What is asked of a session, what both sides say, and what comes of it."""

    name: str
    tls: str = "none"
    verified: bool = False
    login: tuple[str, str] | None = None
    allow_plain: bool = False
    auth: str = ""
    nonce: str = ""
    authorization: str = ""
    protocol: str = "smtp"
    chunking: bool = True
    request: Request = NOTHING
    sender: str = "alice@example.org"
    recipients: list[str] = field(default_factory=list)
    content: bytes = b"Subject: x\r\n\r\nhello\r\n"
    turns: list[Turn] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    deliveries: int = 0


def all_dialogs() -> list[Dialog]:
    """Every file in tests/dialogs."""
    return [read(path) for path in sorted(DIALOGS.glob("*.txt"))]


def read(path: Path) -> Dialog:
    """One file. Raises `ValueError` with the place for a line that cannot be understood."""
    dialog = Dialog(path.stem)
    answering = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        mark, _, rest = line.partition(" ")
        try:
            _take(dialog, mark, rest, answering)
        except (ValueError, KeyError) as error:
            raise ValueError(f"{path.name}:{number}: {line!r}: {error}") from None
        answering = mark == "="
    dialog.recipients = dialog.recipients or ["bob@example.com"]
    return dialog


def _take(dialog: Dialog, mark: str, rest: str, answering: bool) -> None:
    if mark == "=":
        if not answering and rest[0].isdigit():
            dialog.deliveries += 1
        dialog.results.append(rest)
    elif mark in ("S:", "C:", "S>", "C>"):
        _say(dialog, mark[0], octets(rest) + (b"\r\n" if mark[1] == ":" else b""))
    elif mark in ("TLS", "END"):
        dialog.turns.append(Turn(mark))
    else:
        _set(dialog, mark, rest)


def _say(dialog: Dialog, who: str, data: bytes) -> None:
    if dialog.turns and dialog.turns[-1].who == who:
        dialog.turns[-1].data += data
    else:
        dialog.turns.append(Turn(who, data))


def _set(dialog: Dialog, name: str, value: str) -> None:
    match name:
        case "tls:":
            dialog.tls, _, verified = value.partition(" ")
            dialog.verified = verified == "verified"
        case "login:":
            username, secret = value.split(" ")
            dialog.login = (username, secret)
        case "allow_plain:":
            dialog.allow_plain = value == "yes"
        case "auth:":
            dialog.auth = value
        case "nonce:":
            dialog.nonce = value
        case "authorization:":
            dialog.authorization = value
        case "protocol:":
            dialog.protocol = value
        case "chunking:":
            dialog.chunking = value == "yes"
        case "request:":
            dialog.request = Request.read(json.loads(value))
        case "sender:":
            dialog.sender = value.replace("<>", "")
        case "to:":
            dialog.recipients.append(value)
        case "content:":
            dialog.content = octets(value)
        case _:
            raise ValueError("no such line")


def octets(text: str) -> bytes:
    r"""Text in UTF-8 with \r \n \t \0 \\ \xNN and \*N (the text so far, N times)."""
    out = b""
    at = 0
    while at < len(text):
        char = text[at]
        if char != "\\":
            out += char.encode()
            at += 1
            continue
        kind = text[at + 1]
        at += 2
        if kind == "x":
            out += bytes([int(text[at : at + 2], 16)])
            at += 2
        elif kind == "*":
            digits = text[at:].partition(" ")[0]
            out *= int(digits)
            at += len(digits) + 1
        else:
            out += {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}[kind]
    return out
