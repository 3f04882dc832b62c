"""The steps of submission that concern the message: its limits, its fields, its lines, and at last its envelope."""

from __future__ import annotations

import os
import time

from mailer.mail import message
from mailer.mail.dates import rfc3339, rfc5322
from mailer.mail.envelope import PRIORITIES, Envelope, shown_subject
from mailer.mail.message import UNKNOWN_WORD, Message, has_long_line, without_preface
from mailer.mail.problem import Problem
from mailer.spool.files import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mailer.config.sections import SubmissionSettings
    from mailer.mail.message import Change

    from .draft import Draft


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

        from .people import same

        people = "\n".join((draft.sender, *sorted(same(recipient.address) for recipient in draft.recipients)))
        found = sha256(people.encode() + b"\n\n" + draft.message.header)
        found.update(draft.message.rest)
        draft.digest = found.hexdigest()


def complete(draft: Draft) -> None:
    """Add what RFC 5322 §3.6 demands or advises and the message lacks; the author is the `sender`."""

    def date() -> str:
        return rfc5322(draft.now, time.localtime(draft.now).tm_gmtoff // 60)

    def author() -> str:
        from .people import author_of

        return author_of(draft)

    def message_id() -> str:
        return f"<{layout.new_id(draft.now).lower()}@{draft.settings.hostname}>"

    given = draft.message
    draft.message = message.completed(given, {"Date": date, "From": author, "Message-ID": message_id}, draft.changes)
    if b"\r\nresent-" in b"\r\n" + given.header.lower():
        from mailer.mail.named import resent

        draft.message = resent(draft.message, author, date(), message_id(), draft.changes)


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
    """Make the envelope for the message as it is now, to the `recipients`, from the user of this process."""
    draft.envelope = Envelope(
        draft.id or layout.new_id(draft.now),
        rfc3339(draft.now),
        draft.sender,
        draft.recipients,
        message_id=draft.message.value(b"message-id") or "",
        subject=shown_subject(draft.message),
        request_id=draft.asked.request_id,
        priority=PRIORITIES[PRIORITIES.index(draft.asked.priority)],  # which was checked
        submitter={"uid": (uid := os.getuid()), "principal": f"unix:{uid}"},  # as `Principal.as_submitter` writes it, without an import
        options=draft.asked.options,
    )
