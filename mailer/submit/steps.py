"""What goes through submission, and the steps that concern the message: its limits, its fields, its lines, and at last its envelope."""

from __future__ import annotations

import time

from mailer.io.system import os
from mailer.mail import message
from mailer.mail.address import same
from mailer.mail.dates import rfc3339, rfc5322
from mailer.mail.envelope import PRIORITIES, Envelope, shown_subject
from mailer.mail.message import UNKNOWN_WORD, Message, has_long_line, without_preface
from mailer.mail.problem import Forbidden, Problem
from mailer.spool import new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.envelope import Recipient
    from mailer.mail.message import Change
    from mailer.mail.principal import Principal
    from mailer.rewriting import Rules


LONGEST_LIST = 255  # octets of the name of a list, RFC 2919 §2


class Submission:
    """What somebody wants sent.

    `data` is the message as it came. `sender` is the reverse-path; None takes it from who sends or re-sends it by its
    header or, without one, from the configuration. `recipients` are addresses or lists of them as they were written, `bcc` those
    whom the others are not to see; `from_header` adds those of To, Cc and Bcc. `full_name` stands in a From field that has to be added.
    `request_id` makes it idempotent. `options` are what is asked of those who carry it, as `mailer.mail.delivery_options` reads them.
    `changes` are what was mended already in what the message is made of. `whole`: one bad address refuses all, where somebody reads the
    answer; else the others get their mail, and the sender a report.

    `submitter` is the principal whose mail it is, where that is another than the user of this process: its request ids are its own.
    `senders` are patterns of the addresses that it may say it is from, None for all. `stream` names what kind of mail of his it is.
    `traceparent` is what caused it, as W3C Trace Context writes it; what is none is left out.
    """

    __slots__ = (
        "bcc", "changes", "data", "from_header", "full_name", "options", "priority", "recipients", "request_id", "sender", "senders",
        "stream", "submitter", "traceparent", "whole",
    )  # fmt: skip

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
        submitter: Principal | None = None,
        senders: Sequence[str] | None = None,
        stream: str = "",
        traceparent: str = "",
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
        self.submitter = submitter
        self.senders = senders
        self.stream = stream
        self.traceparent = traceparent


class Draft:
    """A message on its way through the steps, and what they have found out; each step fills in or changes members of it.

    `asked` is the submission, `settings` and `now` (seconds since the epoch) are what it is completed with, `id` is the message's where
    its maker has chosen one. Then `message` as far as it is done, and all `changes` to it; the `rules` of identity, None where they would
    change nothing; `recipients` and `sender` of the envelope; `digest`, which makes another request the same one where it has a request id,
    and `own_id`, the Message-ID that it came with; at the end the `envelope`.
    """

    __slots__ = (
        "asked", "changes", "digest", "envelope", "id", "message", "now", "own_id", "recipients", "rules", "sender", "settings",
    )  # fmt: skip

    envelope: Envelope

    def __init__(self, asked: Submission, settings: SubmissionSettings, now: float, id: str = "") -> None:
        self.asked = asked
        self.settings = settings
        self.now = now
        self.id = id
        self.message = Message(b"", b"")
        self.changes: list[Change] = [*asked.changes]
        self.rules: Rules | None = None
        self.recipients: list[Recipient] = []
        self.sender = self.digest = self.own_id = ""

    @property
    def author(self) -> str:
        """The address of who we are, for a message that names nobody."""
        return (self.rules and self.rules.own()) or self.settings.sender()


class Prepared:
    """A message that is checked and complete: its `envelope`, its `content` as it lies in the spool, and all `changes` that made it so.

    `digest` and `own_id` are as in `Draft`. `queued`: it is in the spool, and whether a daemon `heard`; a `repeat` of a request that was
    made before is there under its ID from then.
    """

    __slots__ = ("changes", "content", "digest", "envelope", "heard", "own_id", "queued", "repeat")

    def __init__(self, draft: Draft) -> None:
        self.envelope = draft.envelope
        self.content = bytes(draft.message)
        self.changes = draft.changes
        self.digest = draft.digest
        self.own_id = draft.own_id
        self.queued = self.heard = self.repeat = False

    def taken(self, id: str) -> None:
        """Note that it is in the spool under `id`, which is another one than its own where the request was made before."""
        self.queued = True
        if id != self.envelope.id:
            self.repeat = True
            self.envelope.id, self.envelope.message_id = id, self.own_id

    @property
    def refusals(self) -> Iterator[str]:
        """Lines on the recipients that get nothing, with the reason; then one on those that do, and on who is told."""
        refused = [change for change in self.changes if change.action == "refused"]
        yield from map(str, refused)
        lost = {change.before for change in refused if not change.after}
        if lost:
            left = sum(recipient.outcome is None for recipient in self.envelope.recipients)
            others = {0: "nobody else", 1: "the other recipient"}.get(left, f"the other {left} recipients")
            told = f", and a report to {self.envelope.sender}" if self.envelope.sender else ""
            yield f"the message goes to {others}{told}"

    @property
    def size(self) -> int:
        """The size of the message in bytes."""
        return len(self.content)

    def as_json(self) -> dict[str, object]:
        """The message in the form that its status has later, and what was changed in it beyond completing it.

        One that is not queued has neither ID nor status, and all changes.
        """
        from mailer.mail import document

        made = document.queued(self.envelope, self.size)
        changes = [change.as_json() for change in self.changes if not self.queued or change.action != "added"]
        if not self.queued:
            return {**made, "id": None, "status": None, "changes": changes}
        return {**made, **({"changes": changes} if changes else {})}


def check_size(draft: Draft) -> None:
    """Refuse a message of more than `max_message_size` bytes, as it came and as it is now. Raises `Problem` (bad-message)."""
    refuse_larger(len(draft.message) or len(draft.asked.data), draft.settings)


def refuse_larger(size: int, settings: SubmissionSettings) -> None:
    """Refuse a message of `size` bytes, if that is more than one may have. Raises `Problem` (bad-message)."""
    if size > settings.max_message_size:
        raise Problem(
            f"the message is larger than {settings.max_message_size} bytes (submission.max_message_size); nothing was queued", "bad-message"
        )


def check_options(draft: Draft) -> None:
    """Refuse what nobody can ask for. Raises `Problem` (bad-message)."""
    if draft.asked.priority not in PRIORITIES:
        raise Problem(f"the priority is one of {', '.join(PRIORITIES)}; nothing was queued", "bad-message")
    if draft.asked.options:
        from mailer.mail.delivery_options import Request

        try:
            Request.read(draft.asked.options)
        except ValueError as error:
            raise Problem(f"{error}; nothing was queued", "bad-message") from None


def normalise(draft: Draft) -> None:
    """Take the message as it came, without what is before it, and with CRLF line ends: what all steps below work on."""
    draft.message = Message.split(message.normalise(without_preface(draft.asked.data)))


def check_header(draft: Draft) -> None:
    """Refuse a header of more than `max_header_size` bytes, of which other steps would make much more. Raises `Problem` (bad-message)."""
    if len(draft.message.header) > draft.settings.max_header_size:
        limit = f"{draft.settings.max_header_size} bytes (submission.max_header_size)"
        raise Problem(f"the header of the message is larger than {limit}; nothing was queued", "bad-message")


def single_fields(draft: Draft) -> None:
    """Leave each field once that may stand once. Raises `Problem` (bad-message) if that is not wanted."""
    if not draft.message.is_single():
        from mailer.mail.header_repair import single

        done: list[Change] = []
        draft.message = single(draft.message, done)
        _mended(draft, done)


def without_envelope(draft: Draft) -> None:
    """Take away what only the envelope says when mail leaves."""
    draft.message = message.without_envelope(draft.message, draft.changes)


def identify(draft: Draft) -> None:
    """Write into the header who people are by the `rules`."""
    if draft.rules is not None:
        from mailer.rewriting import identified

        draft.message = identified(draft.message, draft.rules, draft.changes)


def remember(draft: Draft) -> None:
    """Note what makes another request the same one: the envelope and the message before anything is added to it."""
    draft.own_id = draft.message.value(b"message-id") or ""
    if draft.asked.request_id:
        from hashlib import sha256

        people = "\n".join((draft.sender, *sorted(same(recipient.address) for recipient in draft.recipients)))
        found = sha256(people.encode() + b"\n\n" + draft.message.header)
        found.update(draft.message.rest)
        draft.digest = found.hexdigest()


def complete(draft: Draft) -> None:
    """Add what RFC 5322 §3.6 demands or advises and the message lacks; the author is the `sender`."""

    def date() -> str:
        return rfc5322(draft.now, time.localtime(draft.now).tm_gmtoff // 60)

    def message_id() -> str:
        return f"<{new_id(draft.now).lower()}@{draft.settings.hostname}>"

    sent_on = b"resent-" in draft.message.header.lower()
    makers = {"Date": date, "From": lambda: _author_of(draft), "Message-ID": message_id}
    draft.message = message.completed(draft.message, makers, draft.changes)
    if sent_on:
        from mailer.mail.named import resent

        draft.message = resent(draft.message, makers, draft.changes)


def _author_of(draft: Draft) -> str:
    """The From field of a message without one: the sender, with the full name if there is one."""
    author = draft.sender or draft.author
    name = "".join(char for char in " ".join(draft.asked.full_name.split()) if char.isprintable())
    if not name:
        return draft.rules.written(author) if draft.rules else author
    if name.isascii():
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{author}>'
    from email.header import Header

    return f"{Header(name, 'utf-8', maxlinelen=10_000).encode()} <{author}>"


def mend(draft: Draft) -> None:
    """Bring what not every server would take into a form that it does. Raises `Problem` (bad-message) if that is not wanted."""
    if _needs_mending(draft.message):
        from mailer.mail.repair import repaired

        done: list[Change] = []
        content = repaired(draft.message, done)
        draft.message = Message(b"", b"")  # a large message is not to be there once more than it has to
        draft.message = Message.split(content)
        _mended(draft, done)


def _needs_mending(given: Message) -> bool:
    """Whether not every server would take it as it is, as far as can be seen at once."""
    header, rest = given.header, given.rest
    raw = not (header.isascii() and rest.isascii())
    if b"=?" in header and UNKNOWN_WORD in header.lower():
        return True
    return has_long_line(header) or has_long_line(rest) or (raw and not _says_8bit(given))


def _says_8bit(given: Message) -> bool:
    """Whether 8-bit text says so in as many words, where that can be seen at once."""
    encoding = given.value(b"content-transfer-encoding") or ""
    kind = (given.value(b"content-type") or "").lower()
    labelled = kind.startswith("text/") and "charset=" in kind and "ascii" not in kind and "unknown" not in kind
    return encoding.lower() == "8bit" and labelled and given.header.isascii()


def _mended(draft: Draft, done: list[Change]) -> None:
    if done and draft.settings.strict:
        raise Problem(f"{done[0].what}: {done[0].why}; nothing was queued, for that is not to be mended (submission.strict)", "bad-message")
    draft.changes += done


def address(draft: Draft) -> None:
    """Make the envelope for the message as it is now, to the `recipients`, from the submitter, or the user of this process."""
    draft.envelope = Envelope(
        draft.id or new_id(draft.now),
        rfc3339(draft.now),
        draft.sender,
        draft.recipients,
        message_id=draft.message.value(b"message-id") or "",
        subject=shown_subject(draft.message),
        request_id=draft.asked.request_id,
        priority=PRIORITIES[PRIORITIES.index(draft.asked.priority)],  # which was checked
        submitter=_submitter(draft),
        options=_options(draft),
    )


def permit(draft: Draft) -> None:
    """Refuse a message that says it is from somebody whom its submitter may not name. Raises `Forbidden`."""
    asked = draft.asked
    if asked.senders is not None:
        from .senders import stranger

        name = stranger(draft.sender, draft.message, asked.senders)
        if name is not None:
            who, allowed = asked.submitter or "this program", ", ".join(asked.senders) or "nobody"
            raise Forbidden(f"{who} may not send as {name or 'nobody'}, but as {allowed}; nothing was queued")


def unsubscribing(draft: Draft) -> None:
    """Refuse a link to unsubscribe where it could lead nowhere, or be somebody else's. Raises `Problem` (bad-message, bad-config).

    RFC 8058 §3: whoever uses it leaves the stream for the recipient whom the message was for, so there is one of each.
    """
    options = draft.asked.options
    if not options or "list_unsubscribe" not in options:
        return
    if options["list_unsubscribe"] != "auto":
        raise Problem("list_unsubscribe is auto, or is not there; nothing was queued", "bad-message")
    if not draft.settings.public_url:
        raise Problem("a link to unsubscribe needs submission.public_url, where others reach our pages; nothing was queued", "bad-config")
    if len(draft.recipients) != 1:
        raise Problem("a link to unsubscribe is for one recipient: send each his own message; nothing was queued", "bad-message")
    if not draft.envelope.stream:
        what = "which the key has (mailer api key add --stream), the message names in List-Id, or --stream says"
        raise Problem(f"a link to unsubscribe is for a stream, {what}; nothing was queued", "bad-message")


def _submitter(draft: Draft) -> dict[str, object]:
    """Who hands it in, and the stream: what is said, else the list that the message says it is of."""
    asked = draft.asked
    stream = asked.stream or _list_of(draft.message)
    more = {"stream": stream} if stream else {}
    if asked.submitter is not None:
        return {**asked.submitter.as_submitter(), **more}
    return {"uid": (uid := os.getuid()), "principal": f"unix:{uid}", **more}  # as `Principal.as_submitter` writes it, without an import


def _list_of(given: Message) -> str:
    """The list in List-Id, ``Words <news.example.org>``, in small letters; empty for none, and for what cannot be one. RFC 2919 §3"""
    if b"list-id" not in given.header.lower():
        return ""
    _, _, rest = (given.value(b"list-id") or "").rpartition("<")
    name, end, _ = rest.partition(">")
    name = name.strip().lower()
    return name if end and 0 < len(name) <= LONGEST_LIST and name.isascii() and name.isprintable() and " " not in name else ""


def _options(draft: Draft) -> Mapping[str, object] | None:
    """What was asked for, and what is noted besides."""
    options = draft.asked.options
    if draft.settings.sandbox.holds:
        options = {**(options or {}), "sandbox": draft.settings.sandbox.mode}
    if draft.asked.traceparent:
        from mailer.mail import traceparent

        if traceparent.parse(draft.asked.traceparent):
            options = {**(options or {}), "traceparent": draft.asked.traceparent}
    return options
