"""The envelope of a message in the spool: who sent it, to whom, and what was asked for.

Written once at submission and never changed; the JSON form is the second line of a spool file
(`mailer-spool(5)`). It holds intent only. No route, relay, address or key that was looked up is in it,
so that a changed configuration applies to what is already queued.

Here it is written, without the `json` module, whose import alone would cost ``mailer send`` more than all its
other work; `envelope_reader` reads it.
"""

from __future__ import annotations

from .address import domain_of
from .dates import parse_rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Literal

    from .message import Message
    from .principal import Principal

    Priority = Literal["high", "normal", "low"]
    RecipientType = Literal["to", "cc", "bcc"]

PRIORITIES: tuple[Priority, ...] = ("high", "normal", "low")
STRANGERS = frozenset({"mx", "lmtp"})
"""The doors by which mail of strangers comes, in a submitter's ``via``."""

LONGEST_SUBJECT = 500  # characters kept, for ``mailer status``; the header keeps all
LONGEST_READ = 10 * LONGEST_SUBJECT  # characters of it that are decoded: words without an end take the square of that
LONGEST_MESSAGE_ID = 998  # characters kept: a line of a header, RFC 5322 §2.1.1
LONGEST_REQUEST_ID = 255  # characters


def is_request_id(text: str) -> bool:
    """Whether `text` can be the request id of a message: 1 to 255 printable characters."""
    return 0 < len(text) <= LONGEST_REQUEST_ID and text.isprintable()


def queue_priority(word: str) -> str:
    """Which of `PRIORITIES` the priority of a composed message stands for; what is none stays as it is, and submission refuses it."""
    return {"": "normal", "highest": "high", "lowest": "low"}.get(word, word)


class Recipient:  # noqa: PLW1641 - whoever takes in mail of others may change one
    """One address of the envelope; `type` is the header field that named it, ``to`` where none did.

    `outcome` is what submission knew already, as an outcome record has it (`mailer.mail.outcome`): the text is no address, or an alias
    leads nowhere or in circles (``fail``), or to /dev/null (``delivered``). Nobody is asked to carry such a one, and its `address` is any
    text.

    `behalf` is the address of ours that mail of strangers was for, and that passes it on to this one elsewhere; empty where none does. It
    is ``for`` in the file. The sender that it leaves with follows from that, when it leaves (`mailer.transport.return_path`).
    """

    __slots__ = ("address", "behalf", "outcome", "type")

    def __init__(self, address: str, type: RecipientType = "to", outcome: Mapping[str, object] | None = None, behalf: str = "") -> None:
        self.address = address
        self.type = type
        self.outcome = outcome
        self.behalf = behalf

    @property
    def domain(self) -> str:
        """The lower-case domain, or the literal with its brackets."""
        return domain_of(self.address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipient) and self._as_tuple == other._as_tuple

    @property
    def _as_tuple(self) -> tuple[object, ...]:
        return self.address, self.type, self.outcome, self.behalf

    def __repr__(self) -> str:
        return f"Recipient({self.address!r}, {self.type!r})"


class Envelope:
    """The envelope of one message. `sender` ``""`` is the null reverse-path; `created` is RFC 3339 in UTC.

    `parent` is the ID of the message that this one repeats, if it does.
    """

    __slots__ = (
        "created",
        "id",
        "message_id",
        "options",
        "parent",
        "priority",
        "recipients",
        "request_id",
        "sender",
        "subject",
        "submitter",
    )

    def __init__(
        self,
        id: str,
        created: str,
        sender: str,
        recipients: list[Recipient],
        *,
        message_id: str = "",
        subject: str = "",
        request_id: str = "",
        priority: Priority = "normal",
        submitter: Mapping[str, object] | None = None,
        options: Mapping[str, object] | None = None,
        parent: str = "",
    ) -> None:
        self.id = id
        self.created = created
        self.sender = sender
        self.recipients = recipients
        self.message_id = message_id[:LONGEST_MESSAGE_ID]
        self.subject = subject[:LONGEST_SUBJECT]
        self.request_id = request_id
        self.priority = priority
        self.submitter = submitter or {}
        self.options = options or {}
        self.parent = parent

    @property
    def due(self) -> float:
        """When it is to leave at the earliest, in seconds since the epoch; 0.0, or a moment that has passed: at once."""
        at = self.options.get("at")
        try:
            return parse_rfc3339(at) if isinstance(at, str) else 0.0
        except ValueError:  # of another program: mail that nobody knows the time of goes now
            return 0.0

    @property
    def principal(self) -> Principal | None:
        """The principal who handed the message in, if the envelope says."""
        from .principal import of

        return of(self.submitter)

    @property
    def foreign(self) -> bool:
        """Whether it is mail of strangers, which came by a door for such: we neither sign it nor change it."""
        return self.submitter.get("via") in STRANGERS

    @property
    def answerable(self) -> bool:
        """Whether its sender may be told what became of it: he is not null, and of a stranger it was proved that he is it.

        Whoever forges a sender must not make us write to that one.
        """
        return bool(self.sender) and (not self.foreign or self.submitter.get("proven") is True)

    @property
    def against(self) -> str:
        """What was found against the message when it came; empty for nothing."""
        why = self.submitter.get("why")
        return why if isinstance(why, str) else ""

    @property
    def stream(self) -> str:
        """The kind of mail that it belongs to, in small letters: what one can have enough of without having enough of all; empty: none.

        It is that of the API key or the queue by which it came, else the list that it says it is of (`mailer.submit.steps`).
        """
        stream = self.submitter.get("stream")
        return stream.lower() if isinstance(stream, str) else ""

    def to_line(self) -> bytes:
        """The envelope as one line of JSON with its newline."""
        document: dict[str, object] = {
            "id": self.id,
            "created": self.created,
            "sender": self.sender,
            "recipients": [_document(recipient) for recipient in self.recipients],
        }
        for name in ("message_id", "subject", "request_id", "submitter", "options", "parent"):
            if value := getattr(self, name):
                document[name] = value
        if self.priority != "normal":
            document["priority"] = self.priority
        return (dump_json(document) + "\n").encode()


def shown_subject(message: Message) -> str:
    """The subject of `message` in at most `LONGEST_SUBJECT` characters; empty if it has none."""
    return read_words(message.value(b"subject") or "").encode("utf-8", "replace").decode()[:LONGEST_SUBJECT]


def read_words(value: str) -> str:
    """`value` of a field with its encoded words read (RFC 2047), within `LONGEST_READ` characters; as it stands where they cannot be."""
    if "=?" not in value:
        return value
    from email.errors import MessageError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(value[:LONGEST_READ])))
    except (ValueError, LookupError, MessageError):  # a hint for people is no reason to refuse mail
        return value


def _document(recipient: Recipient) -> dict[str, object]:
    found: dict[str, object] = {"address": recipient.address, "type": recipient.type}
    if recipient.behalf:
        found["for"] = recipient.behalf
    return found if recipient.outcome is None else {**found, "outcome": recipient.outcome}


def dump_json(value: object) -> str:
    """`value` as JSON on one line, for the few types that an envelope holds. Raises `TypeError`."""
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quote(k)}:{dump_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(dump_json, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no place in an envelope")


def _quote(text: str) -> str:
    """A string of JSON. Nearly all that an envelope says stands in quotes as it is, and the function for the rest need not be loaded."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    try:  # the C function behind `json.dumps`; importing `json` brings `re` with it
        from _json import encode_basestring_ascii
    except ImportError:  # an interpreter without it
        from json.encoder import encode_basestring_ascii
    return encode_basestring_ascii(text)
