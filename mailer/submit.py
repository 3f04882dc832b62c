"""Submission: the one door by which mail enters.

The command line, the sendmail face and the writer of reports call `submit`; later the API and the SMTP
server do. So each message is checked and completed once, here (RFC 6409 §8), and what lies in the spool is
complete:

- line ends are CRLF, no stray CR, LF or NUL is left, so that no receiver can see two messages in one;
- Date, Message-ID and From are there; Bcc and Return-Path are not; what may stand once stands once (`mailer.mail.once`);
- every address is one, and there is at least one recipient; names of this machine are who the configuration says they are,
  in the header and in the envelope (`mailer.identity`);
- lines are no longer than SMTP allows, and 8-bit text says what it is (`mailer.mail.repair`);
- the sizes and the number of recipients are within their limits.

What is not needed for a message is not imported for it: without rules, and with a message that needs no mending, neither is.
"""

from __future__ import annotations

import os
import time

from mailer.mail import address, named
from mailer.mail.address import AddressError
from mailer.mail.address_list import in_header, written
from mailer.mail.envelope import LONGEST_SUBJECT, PRIORITIES, Envelope, Recipient
from mailer.mail.failure import BAD_MESSAGE, USAGE, Failure
from mailer.mail.message import Change, Message, has_long_line, normalise
from mailer.mail.when import rfc3339, rfc5322
from mailer.spool import doorbell, layout, space
from mailer.spool.put import put

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.config.quick import SubmissionSettings
    from mailer.identity import Rules

AUTHORS = frozenset({b"from", b"sender", b"reply-to", b"resent-from", b"resent-sender", b"resent-reply-to"})
PEOPLE = AUTHORS | {b"to", b"cc", b"resent-to", b"resent-cc"}
"""The fields that name people, and are shown; of those, the ones that name who writes, and who is answered."""


SHOWN = 5  # bad addresses that a refusal names


class Request:
    """What somebody wants sent.

    `data` is the message as it came. `sender` is the reverse-path; None takes it from who sends or re-sends it by its
    header or, without one, from the configuration. `recipients` are addresses or lists of them as they were written, `bcc` those
    whom the others are not to see; `from_header` adds those of To, Cc and Bcc. `full_name` stands in a From field that has to be added.
    `request_id` makes it idempotent. `options` are what is asked of those who carry it, as `mailer.mail.request` reads them.
    `changes` are what was mended already in what the message is made of. `whole`: one bad address refuses all, where somebody reads the
    answer; else the others get their mail, and the sender a report.
    """

    __slots__ = ("bcc", "changes", "data", "from_header", "full_name", "options", "priority", "recipients", "request_id", "sender", "whole")

    def __init__(
        self,
        data: bytes,
        *,
        sender: str | None = None,
        recipients: Sequence[str] = (),
        bcc: Sequence[str] = (),
        from_header: bool = False,
        full_name: str = "",
        request_id: str = "",
        priority: str = "normal",
        options: Mapping[str, object] | None = None,
        changes: Sequence[Change] = (),
        whole: bool = False,
    ) -> None:
        self.data = data
        self.sender = sender
        self.recipients = recipients
        self.bcc = bcc
        self.from_header = from_header
        self.full_name = full_name
        self.request_id = request_id
        self.priority = priority
        self.options = options
        self.changes = changes
        self.whole = whole


class Prepared:
    """A message that is checked and complete: its `envelope`, its `content` as it will lie in the spool, and all `changes` that made it so.

    `digest` is what makes another request the same one, if it has an ID; `own_id` the Message-ID that it came with.
    """

    __slots__ = ("changes", "content", "digest", "envelope", "own_id")

    def __init__(self, envelope: Envelope, content: bytes, changes: list[Change], digest: str, own_id: str) -> None:
        self.envelope = envelope
        self.content = content
        self.changes = changes
        self.digest = digest
        self.own_id = own_id


class Submitted:
    """What became of a request: the `envelope` and `content` in the spool, whether a daemon `heard`, the `changes` that
    were made, and whether it is a `repeat` of a request that was made before; then the ID is the one from then."""

    __slots__ = ("changes", "content", "envelope", "heard", "repeat")

    def __init__(self, envelope: Envelope, content: bytes, *, heard: bool, repeat: bool, changes: list[Change]) -> None:
        self.envelope = envelope
        self.content = content
        self.heard = heard
        self.repeat = repeat
        self.changes = changes

    @property
    def size(self) -> int:
        """Of the message, in bytes."""
        return len(self.content)


def submit(request: Request, settings: SubmissionSettings, now: float, *, id: str = "") -> Submitted:
    """Check, complete and put; the message is durable when this returns.

    `now` is in seconds since the epoch; `id` names the message where its maker must choose (a report that
    may be put twice). Raises `Failure`: 64 without recipients on the command line, 65 for whatever is wrong
    with the message, 78 for aliases that lead nowhere, otherwise as `spool.put` does.
    """
    prepared = prepare(request, settings, now, id=id)
    envelope = prepared.envelope
    space.check(settings.spool, settings.min_free_space, settings.min_free_inodes, len(prepared.content))
    claim = (request.request_id, prepared.digest) if request.request_id else None
    done = put(settings.spool, envelope.id, envelope.to_line(), prepared.content, claim, envelope.due)
    repeat = done != envelope.id
    if repeat:
        envelope.id, envelope.message_id = done, prepared.own_id
    heard = doorbell.ring(settings.spool, done)
    return Submitted(envelope, prepared.content, heard=heard, repeat=repeat, changes=prepared.changes)


def prepare(request: Request, settings: SubmissionSettings, now: float, *, id: str = "") -> Prepared:
    """Check and complete as `submit` does, and write nothing. Raises `Failure` for all that is wrong with the request."""
    check_size(len(request.data), settings)
    if request.priority not in PRIORITIES:
        raise Failure(f"the priority is one of {', '.join(PRIORITIES)}; nothing was queued", BAD_MESSAGE)
    if request.options:
        _check_options(request.options)
    changes = [*request.changes]
    came = Message.split(normalise(_without_from_line(request.data)))
    rules = _rules(request, came, settings)
    recipients = _recipients(request, came, settings, rules, changes)
    if not came.is_single():
        came = _single(came, changes, strict=settings.strict)
    sender = _sender(request, came, settings, rules, changes)
    message = _without_envelope(came, changes)
    if rules is not None:
        from mailer.identity import identified

        message = identified(message, rules, changes)
    digest = _digest(sender, recipients, message) if request.request_id else ""
    author = "" if message.value(b"from") is not None else _author(request, sender, settings, rules)
    message = _complete(message, author, settings, now, changes)
    content = bytes(message)
    if has_long_line(content) or not (content.isascii() or _says_8bit(message)):
        message = _mended(message, changes, strict=settings.strict)
        content = bytes(message)
    check_size(len(content), settings)
    if len(message.header) > settings.max_header_size:
        limit = f"{settings.max_header_size} bytes (submission.max_header_size)"
        raise Failure(f"the header of the message is larger than {limit}; nothing was queued", BAD_MESSAGE)
    envelope = Envelope(
        id or layout.new_id(now),
        rfc3339(now),
        sender,
        recipients,
        message_id=message.value(b"message-id") or "",
        subject=_subject(message),
        request_id=request.request_id,
        priority=request.priority,
        submitter={"uid": os.getuid()},
        options=request.options,
    )
    return Prepared(envelope, content, changes, digest, came.value(b"message-id") or "")


def check_size(size: int, settings: SubmissionSettings) -> None:
    """Refuse a message of more than `max_message_size` bytes. Raises `Failure` (65)."""
    if size > settings.max_message_size:
        raise Failure(
            f"the message is larger than {settings.max_message_size} bytes (submission.max_message_size); nothing was queued", BAD_MESSAGE
        )


def _check_options(options: Mapping[str, object]) -> None:
    """Nothing is queued that asks for what nobody can ask for. Raises `Failure` (65)."""
    from mailer.mail.request import Request as Asked

    try:
        Asked.read(options)
    except ValueError as error:
        raise Failure(f"{error}; nothing was queued", BAD_MESSAGE) from None


def _without_from_line(data: bytes) -> bytes:
    """An mbox "From " line is no header field; programs that read a mailbox leave it in."""
    if data.startswith((b"From ", b">From ")):
        return data.partition(b"\n")[2]
    return data


def _rules(request: Request, message: Message, settings: SubmissionSettings) -> Rules | None:
    """The rules of identity; None where they would change nothing: there are none but for names without a domain, and no such name."""
    if not (settings.rules or _has_bare_name(request, message, everywhere=bool(settings.default_domain))):
        return None
    from mailer.identity import Rules

    return Rules(settings, _user)


def _has_bare_name(request: Request, message: Message, *, everywhere: bool) -> bool:
    """Whether an author has no domain, or one that means something here only; or `everywhere` somebody else."""
    sender = [request.sender] if request.sender and "@" in request.sender else []
    if any(map(_is_bare, sender)) or (everywhere and any(map(_is_bare, (*_written(request), *request.bcc, request.sender or "@x.y")))):
        return True
    for name, field in message.fields():
        if name in AUTHORS or (everywhere and name in PEOPLE):
            value = field.partition(b":")[2].decode("utf-8", "replace")
            if any(map(_is_bare, in_header(value))):
                return True
    return False


def _is_bare(text: str) -> bool:
    """Whether the address `text` has no domain, or one that may be this machine's and no one's elsewhere."""
    return "@" not in text or address.is_private(text.strip(" \t<>").rpartition("@")[2])


def _user() -> str:
    """The name of the user who submits."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container with a user that nobody has named
        return f"uid-{os.getuid()}"


def check_recipient(text: str, settings: SubmissionSettings) -> None:
    """That somebody gets mail for `text`, for who asks before there is a message. Raises `Failure`."""
    request, nothing = Request(b"", sender="", recipients=[text]), Message(b"", b"")
    _recipients(request, nothing, settings, _rules(request, nothing, settings), [])


def _recipients(
    request: Request, message: Message, settings: SubmissionSettings, rules: Rules | None, changes: list[Change]
) -> list[Recipient]:
    """Each address once, with the field that names it; the command line first, as it was written there.

    Who cannot get mail is among them, with the outcome that this has: the others get theirs, and the sender a report. Raises `Failure`
    where that is not wanted, and where nobody is left.
    """
    types = named.recipients(message) if request.from_header else {}
    for text in request.bcc:
        types.setdefault(text, "bcc")
    found: dict[str, Recipient] = {}
    problems: list[Failure] = []
    for text in (*_written(request), *types):
        for recipient in _stands_for(text, types.get(text, "to"), settings, rules, changes, problems):
            found.setdefault(_same(recipient.address), recipient)
    if not found and not request.from_header:
        raise Failure("no recipient: name one, or take them from the header with -t", USAGE)
    if not found:
        raise Failure("no recipient: the message has no To, Cc or Bcc field with an address", BAD_MESSAGE)
    if problems and (request.whole or settings.strict or all(one.outcome and one.outcome["verdict"] == "fail" for one in found.values())):
        codes = {problem.code for problem in problems}
        said = "; ".join(dict.fromkeys(map(str, problems[:SHOWN])))
        raise Failure(f"{said}; nothing was queued", codes.pop() if len(codes) == 1 else BAD_MESSAGE)
    if len(found) > settings.max_recipients:
        raise Failure(
            f"{len(found)} recipients are more than {settings.max_recipients} (submission.max_recipients); nothing was queued", BAD_MESSAGE
        )
    return list(found.values())


def _written(request: Request) -> list[str]:
    """The addresses that the command line names, one by one. Raises `Failure` (65) where one tries to break out of its line."""
    for argument in request.recipients:
        char = next((char for char in argument if not char.isprintable() and char != "\t"), "")
        if char:
            error = AddressError(argument, f"it holds the control character U+{ord(char):04X}")
            raise Failure(f"{error}; nothing was queued", BAD_MESSAGE)
    return [text for argument in request.recipients for text in written(argument)]


def _stands_for(
    text: str, type: str, settings: SubmissionSettings, rules: Rules | None, changes: list[Change], problems: list[Failure]
) -> list[Recipient]:
    """The recipients that somebody means by `text`; what is wrong with it is added to `problems`."""
    addresses: Sequence[str] = ()
    wrong: Sequence[Failure] = ()
    why, shown = "", address.printable(text)
    found = []
    try:
        if rules is None:
            addresses = [address.parse(text, settings.default_domain).path]
        else:
            became = rules.recipient(text)
            addresses, wrong, why = became.addresses, became.problems, became.why
            if became.discards and not addresses:
                found.append(_settled(shown, type, "delivered", 250, "2.0.0", f"discarded: {why}"))
    except AddressError as error:
        wrong = [Failure(str(error), BAD_MESSAGE)]
    if why and (addresses or found):
        changes.append(Change("changed", "envelope recipient", shown, ", ".join(addresses) or "/dev/null", why))
    for problem in wrong:
        problems.append(problem)
        changes.append(Change("refused", "envelope recipient", shown, "", str(problem)))
        code, enhanced = (553, "5.1.3") if problem.code == BAD_MESSAGE else (550, "5.3.5")
        found.append(_settled(shown, type, "fail", code, enhanced, str(problem)))
    return [*(Recipient(one, type) for one in addresses), *found]


def _settled(text: str, type: str, verdict: str, code: int, enhanced: str, why: str) -> Recipient:
    """A recipient whom nobody is asked about any more."""
    from mailer.mail.text import one_line

    return Recipient(text, type, {"verdict": verdict, "code": code, "enhanced": enhanced, "text": one_line(why, 400)})


def _same(text: str) -> str:
    """What two addresses of one mailbox share: the domain does not tell upper from lower case."""
    local, _, domain = text.rpartition("@")
    return f"{local}@{domain.lower()}"


def _sender(request: Request, message: Message, settings: SubmissionSettings, rules: Rules | None, changes: list[Change]) -> str:
    """The reverse-path: what was asked for, else who sends it by its header, else who we are. Raises `Failure` (65).

    A program that writes a bad From cannot mend it either: its mail goes, and reports come to who we are.
    """
    if request.sender is not None:
        text = one[0] if len(one := written(request.sender)) == 1 else request.sender
        return _reverse_path(text, settings, rules, changes)
    text = named.author(message)
    try:
        if text:
            return _reverse_path(text, settings, rules, changes)
    except Failure as failure:
        if request.whole or settings.strict:
            raise
        why = str(failure).removesuffix("; nothing was queued")
        changes.append(Change("refused", "envelope sender", address.printable(text), "", why))
    return _reverse_path((rules and rules.own()) or settings.sender(), settings, rules, changes)


def _reverse_path(text: str, settings: SubmissionSettings, rules: Rules | None, changes: list[Change]) -> str:
    try:
        if rules is None or text.strip(" \t") in ("", "<>"):
            return address.parse_reverse_path(text, settings.default_domain or settings.hostname)
        became = rules.author(text)
    except AddressError as error:
        raise Failure(f"the sender {error}; nothing was queued", BAD_MESSAGE) from None
    if became.why:
        changes.append(Change("changed", "envelope sender", text, became.addresses[0], became.why))
    return became.addresses[0]


def _author(request: Request, sender: str, settings: SubmissionSettings, rules: Rules | None) -> str:
    """The From field of a message without one: the sender, with the full name if there is one."""
    author = sender or (rules and rules.own()) or settings.sender()
    name = "".join(char for char in " ".join(request.full_name.split()) if char.isprintable())
    if not name:
        return rules.written(author) if rules else author
    if name.isascii():
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{author}>'
    from email.header import Header

    return f"{Header(name, 'utf-8', maxlinelen=10_000).encode()} <{author}>"


def _single(message: Message, changes: list[Change], *, strict: bool) -> Message:
    """The message with each field once that may stand once. Raises `Failure` (65) if that is not wanted."""
    from mailer.mail.once import single

    done: list[Change] = []
    message = single(message, done)
    _check_strict(done, strict=strict)
    changes += done
    return message


def _check_strict(done: list[Change], *, strict: bool) -> None:
    if done and strict:
        raise Failure(f"{done[0].what}: {done[0].why}; nothing was queued, for that is not to be mended (submission.strict)", BAD_MESSAGE)


ENVELOPE = (
    ("Bcc", (b"bcc", b"resent-bcc"), "nobody but its recipient may know"),  # RFC 5322 §3.6.3
    ("Return-Path", (b"return-path",), "the host that delivers it says that"),  # RFC 5321 §4.4
)
"""What only the envelope says when mail leaves."""


def _without_envelope(message: Message, changes: list[Change]) -> Message:
    shown = message.without(*(name for _, names, _ in ENVELOPE for name in names))
    if len(shown.header) < len(message.header):
        for what, names, why in ENVELOPE:
            if gone := [value for name in names for value in message.values(name)]:
                changes.append(Change("removed", what, ", ".join(gone), "", why))
    return shown


def _complete(message: Message, author: str, settings: SubmissionSettings, now: float, changes: list[Change]) -> Message:
    """Add what RFC 5322 §3.6 demands or advises and the message lacks."""
    have = {name for name, _ in message.fields()}
    added = []
    if b"date" not in have:
        added.append(f"Date: {rfc5322(now, time.localtime(now).tm_gmtoff // 60)}")
    if b"from" not in have:
        added.append(f"From: {author}")
    if b"message-id" not in have:
        added.append(f"Message-ID: <{layout.new_id(now).lower()}@{settings.hostname}>")
    for line in added:
        name, _, value = line.partition(": ")
        changes.append(Change("added", name, "", value, "there was none"))
    if any(name.startswith(b"resent-") for name in have):
        from mailer.mail.resent import resent

        date = rfc5322(now, time.localtime(now).tm_gmtoff // 60)
        message = resent(message, date, f"<{layout.new_id(now).lower()}@{settings.hostname}>", changes)
    return message.with_fields(*added) if added or not message.rest else message


def _says_8bit(message: Message) -> bool:
    """Whether 8-bit text says so in as many words, where that can be seen at once."""
    encoding = message.value(b"content-transfer-encoding") or ""
    kind = (message.value(b"content-type") or "").lower()
    labelled = kind.startswith("text/") and "charset=" in kind and "ascii" not in kind and "unknown" not in kind
    return encoding.lower() == "8bit" and labelled and message.header.isascii()


def _mended(message: Message, changes: list[Change], *, strict: bool) -> Message:
    """What not every server would take, in a form that it does. Raises `Failure` (65) if that is not wanted."""
    from mailer.mail.repair import repaired

    done: list[Change] = []
    message = repaired(message, done)
    _check_strict(done, strict=strict)
    changes += done
    return message


def _subject(message: Message) -> str:
    """The subject as its reader sees it, for `mailer status`."""
    value = message.value(b"subject") or ""
    if "=?" in value:
        from email.errors import MessageError
        from email.header import decode_header, make_header

        try:
            value = str(make_header(decode_header(value[: 20 * LONGEST_SUBJECT])))  # what is longer takes for ever
        except (ValueError, LookupError, MessageError):  # a hint for people is no reason to refuse mail
            pass
    return value.encode("utf-8", "replace").decode()[:LONGEST_SUBJECT]


def _digest(sender: str, recipients: list[Recipient], message: Message) -> str:
    """What makes two requests the same: everything but what we add."""
    from hashlib import sha256

    envelope = "\n".join((sender, *sorted(_same(recipient.address) for recipient in recipients)))
    return sha256(envelope.encode() + b"\n\n" + bytes(message)).hexdigest()
