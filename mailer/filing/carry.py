"""What was decided about a letter, carried out: it is put into folders, passed on, and answered, each once however often it is tried.

Sent first, and put last: the courier is told that a letter was taken when all is done. What is sent has an ID that follows from the message
in the spool, the recipient and what it is for, so that sending it again after a crash collides harmlessly; and the mailbox remembers what
was sent, so that mail which waits for room is not passed on at each attempt.

- What is passed on leaves as mail does that an alias passes on: nothing in it is changed, so that its signatures hold, and its sender is
  one of ours where the next host would ask for that (`mailer.queue.passing`, `mailer.transport.return_path`). It has Delivered-To with the
  address of ours, by which it is known again when it comes back.
- An answer has the null reverse-path, which nobody answers (RFC 3834 §3.3). One sender gets it once in so many days, and all together
  `MOST_ANSWERS` an hour, whoever writes under however many names.
- The owner is told once a day what is wrong with his instructions, and `MOST_NOTICES` things at most, for a line may have words of a
  stranger in it; of mail with the null reverse-path he hears nothing, for a notice is such mail, and would be followed by the next.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer.mail.address_key import key_of
from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, Recipient, shown_subject
from mailer.mail.flags import Flag
from mailer.mail.message import Message, header_end
from mailer.mail.problem import Problem
from mailer.mail.trace import delivered_to
from mailer.mailbox.api import INBOX, ROLES, NewMail
from mailer.mime.words import shown
from mailer.spool import derived_id
from mailer.submit import Submission, submit
from mailer.submit.accept import AcceptedMail
from mailer.submit.together import Ready, put_alone
from mailer.transport.filing import new_of

from .answer import handle_of, reply

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.mailbox.api import Mailbox, PutMail
    from mailer.transport.filing import MailboxLetter

    from .decide import FilingPlace, FilingPlan

MOST_ANSWERS: Final = 100  # of one mailbox in an hour
MOST_NOTICES: Final = 5  # to one owner in a day
HOUR: Final = 3600.0
DAY: Final = 86_400.0

_FLAGS: Final = {f"\\{flag.name.lower()}": flag for flag in Flag if flag.name}


class SendingTerms(NamedTuple):
    """Where mail is handed in: the settings of submission, and what time it is, in seconds since the epoch."""

    settings: SubmissionSettings
    now: float


def carry(plan: FilingPlan, mailbox: Mailbox, letter: MailboxLetter, terms: SendingTerms) -> Sequence[PutMail]:
    """Do what `plan` says; where the letter was put. Raises `Problem`, and then it is tried again."""
    if plan.sends:
        mailbox.scripts.ready()
    for address in plan.forwards:
        _forward(mailbox, letter, address, terms)
    if plan.answer is not None:
        _answer(plan, mailbox, letter, terms)
    told = [plan.failed] if plan.failed else [f"mail is not forwarded to {address}, which was not confirmed" for address in plan.waiting]
    for line in told:
        _tell(mailbox, letter, line, terms)
    try:
        return mailbox.put(news_of(plan.places, mailbox, letter), letter.quota)
    except Problem as problem:
        if problem.kind not in ("usage", "bad-message"):
            raise
        _tell(mailbox, letter, str(problem), terms)  # there are too many folders, or keywords
        return mailbox.put([new_of(letter, INBOX)], letter.quota)


def news_of(places: Sequence[FilingPlace], mailbox: Mailbox, letter: MailboxLetter) -> Sequence[NewMail]:
    """The letter as it is put into each folder; two that are one folder are one."""
    news: dict[str, NewMail] = {}
    for place in places:
        folder = _folder(place, mailbox)
        flags, keywords = _flags(place.flags)
        news[folder] = NewMail(folder, letter.content, letter.prefix, flags, keywords, received=letter.at, once=letter.once, made=True)
    return [*news.values()]


def _folder(place: FilingPlace, mailbox: Mailbox) -> str:
    if not place.role:
        return place.folder or INBOX
    found = mailbox.with_role(place.role)
    return found.name if found is not None else ROLES[place.role]


def _flags(words: Sequence[str]) -> tuple[Flag, tuple[str, ...]]:
    """Flags of IMAP, and keywords."""
    flags = Flag(0)
    for word in words:
        flags |= _FLAGS.get(word.lower(), Flag(0))
    return flags, tuple(word for word in words if not word.startswith("\\"))


def sent_id(letter: MailboxLetter, what: str) -> str:
    """The ID of what is sent for a letter, which follows from recipient and rule."""
    id = letter.envelope.id
    return derived_id(id, f"{id} {key_of(letter.recipient)} {what}")


def _forward(mailbox: Mailbox, letter: MailboxLetter, address: str, terms: SendingTerms) -> None:
    id = sent_id(letter, f"forward {key_of(address)}")
    if mailbox.scripts.carried(id):
        return
    old, head = letter.envelope, Message.head(letter.content)
    foreign = old.foreign
    envelope = Envelope(
        id,
        rfc3339(terms.now),
        old.sender,
        [Recipient(address, behalf=letter.recipient if foreign else "")],
        message_id=head.value(b"message-id") or "",
        subject=shown_subject(head),
        submitter=old.submitter,
        options={name: value for name, value in old.options.items() if name in ("sandbox", "smtputf8", "body")},
    )
    queued = foreign and (letter.recipient.isascii() or address.isascii())  # it gets the field there, or would need SMTPUTF8 for it alone
    top = b"" if queued else delivered_to(letter.recipient)
    put_alone(Ready(AcceptedMail(envelope, top + letter.content), None), terms.settings)
    mailbox.scripts.note(id, terms.now)


def _answer(plan: FilingPlan, mailbox: Mailbox, letter: MailboxLetter, terms: SendingTerms) -> None:
    answer, sender = plan.answer, letter.envelope.sender
    if answer is None:
        return
    handle, key = handle_of(answer), key_of(sender)
    id = sent_id(letter, f"answer {handle}")
    scripts = mailbox.scripts
    before = scripts.answered(handle, key)
    if scripts.carried(id) or (before and before > terms.now - answer.seconds) or scripts.answers(terms.now - HOUR) >= MOST_ANSWERS:
        return
    head = Message(letter.content[: header_end(letter.content)], b"")
    data = reply(answer, head, sender, mailbox.owner.address, shown(head.value(b"subject") or ""))
    _hand_in(data, sender, terms, id)
    scripts.note(id, terms.now, handle=handle, sender=key)


def _tell(mailbox: Mailbox, letter: MailboxLetter, line: str, terms: SendingTerms) -> None:
    """Tell the owner, once a day."""
    handle = f"told {sha256(line.encode()).hexdigest()[:32]}"
    scripts, since = mailbox.scripts, terms.now - DAY
    if not letter.envelope.sender or scripts.answered(handle, "") > since or scripts.told(since) >= MOST_NOTICES:
        return
    owner, id = mailbox.owner.address, sent_id(letter, handle)
    text = (
        f"Something is wrong with the rules for mail to {owner}:\r\n\r\n    {line}\r\n\r\nMail that they do not decide about is in the "
        f"inbox, and none is lost. You are told once a day.\r\n\r\nTo look at them: mailer mailbox script {owner} list\r\n"
    )
    fields = [f"From: {owner}", f"To: {owner}", "Subject: Your rules for mail do not work", "Auto-Submitted: auto-generated"]
    fields += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit", "", text]
    data = "\r\n".join(fields).encode("utf-8", "replace")
    _hand_in(data, owner, terms, id)
    scripts.note(id, terms.now, handle=handle)


def _hand_in(data: bytes, to: str, terms: SendingTerms, id: str) -> None:
    """Send a message of ours; one that can never be sent, for whom it is to is no address, is none. Raises `Problem` to try it again."""
    try:
        submit(Submission(data, sender="", recipients=[to]), terms.settings, terms.now, id=id)
    except Problem as problem:
        if problem.kind not in ("bad-message", "usage"):
            raise
