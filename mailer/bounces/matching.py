"""Which message of ours a report is about, and how sure that is: matching, by what only we could have said.

Anybody may write to a bounce address, and anything may stand in what he writes. So what a report may change depends on what it shows:

=========  ===================================================  ================================================================
`token`    a return token of ours (`mailer.dsn.return_token`)   everything: status, journal, suppression
`ours`     the Message-ID or the ENVID of a message of ours     status and journal; suppression only where an operator says so,
                                                                for these stand in archives and in answers
`none`     neither                                              nothing: it is listed
=========  ===================================================  ================================================================

Whatever it shows, it changes nothing about a recipient who is not in the envelope of that message: who has got one message must not have
a say about others. An address is found there as it is written, by the original one (ORCPT), or, where the report names none that is known,
as the only one that there was. Nothing is ever guessed by an address and a time.

Pure: what is known of messages is asked of a `SentMail`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from mailer.dsn.reported import Reported
from mailer.dsn.return_token import WHOLE, Mark, find, is_marked
from mailer.mail.address_key import key_of
from mailer.spool import is_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mailer.dsn.reported import Report
    from mailer.reports.api import Facts

MOST_PATHS = 50  # addresses that are looked at for a token

Trust = Literal["token", "ours", "none"]
"""How sure it is what message a report is about."""

TRUSTS: tuple[Trust, ...] = ("token", "ours", "none")

NOBODY = Reported("")
"""What stands for the recipient of a report that names none."""


class SentRecipient(NamedTuple):
    """A recipient of a message that was sent: number `position` in its envelope, from 0."""

    position: int
    address: str
    status: str


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that was sent, as far as it is still known: who wrote it, for whom, and who submitted it.

    `sender` is the reverse-path of its envelope, `key` the API key and `stream` the stream that it belongs to, each "" where there is none.
    """

    id: str
    message_id: str
    request_id: str
    sender: str
    people: Sequence[SentRecipient]
    key: str = ""
    stream: str = ""


class SentMail(Protocol):
    """What is known of messages that were sent."""

    def sent(self, id: str) -> SentMessage | None:
        """Message `id`; None where nothing is known of it, or not any more."""

    def named(self, message_id: str) -> SentMessage | None:
        """The message with this Message-ID (without angle brackets), if there is exactly one."""


class MatchedRecipient(NamedTuple):
    """One recipient of a report and whom of the envelope that is; None where it is nobody of it, and `why`."""

    said: Reported
    person: SentRecipient | None
    why: str = ""


class ReportMatch(NamedTuple):
    """The message that a report is about, how sure that is, and its recipients; `why` says for a person why nothing was found."""

    trust: Trust
    sent: SentMessage | None = None
    found: Sequence[MatchedRecipient] = ()
    why: str = ""


def match(
    report: Report, facts: Facts, world: SentMail, address: str, keys: Sequence[bytes], *, came_to: Sequence[str] = ()
) -> ReportMatch:
    """The match of `report`, which came as `facts` say. `address` is the bounce address, and `keys` are those that may have signed tokens.

    `came_to` are other addresses that the report names as its own recipient, in the header for instance.
    """
    recipients = report.recipients or (NOBODY,)
    paths = [facts.recipient, *came_to, *report.paths][:MOST_PATHS]
    marks = dict.fromkeys(mark for path in paths if (mark := find(path, address, keys)) is not None)
    for mark in marks:
        if (sent := world.sent(mark.id)) is not None:
            return ReportMatch("token", sent, _proved(recipients, sent, mark))
    for sent in _named(report, world):
        return ReportMatch("ours", sent, _named_there(recipients, sent))
    return ReportMatch("none", None, [MatchedRecipient(said, None) for said in recipients], _why(paths, address, [*marks]))


def _named(report: Report, world: SentMail) -> Iterator[SentMessage]:
    """The messages of ours that the report names: by ENVID, which is our ID where the sender had none, or by Message-ID."""
    if report.envid and (sent := world.sent(report.envid.upper())) is not None:
        yield sent
    if is_made_here(report.message_id) and (sent := world.named(report.message_id)) is not None:
        yield sent


def is_made_here(message_id: str) -> bool:
    """Whether a Message-ID is one that is made here, with 80 random bits in it: one that somebody else has made may be guessed."""
    return is_id(message_id.partition("@")[0].upper())


def _proved(recipients: Sequence[Reported], sent: SentMessage, mark: Mark) -> list[MatchedRecipient]:
    """Whom a report with a token is about, of those that the token stands for: who is named, else the only one, if one is reported."""
    meant = sent.people if mark.position == WHOLE else [person for person in sent.people if person.position == mark.position - 1]
    by_key = {key_of(person.address): person for person in meant}
    found = []
    for said in recipients:
        person = _person(said, by_key)
        if person is None and len(recipients) == len(meant) == 1:
            person = meant[0]
        found.append(MatchedRecipient(said, person, "" if person is not None else _stranger(said)))
    return found


def _named_there(recipients: Sequence[Reported], sent: SentMessage) -> list[MatchedRecipient]:
    """The same without a token: who is named, else the only one, where nobody is."""
    by_key = {key_of(person.address): person for person in sent.people}
    found = []
    for said in recipients:
        person = _person(said, by_key)
        if person is None and not (said.address or said.original) and len(sent.people) == 1:
            person = sent.people[0]
        found.append(MatchedRecipient(said, person, "" if person is not None else _stranger(said)))
    return found


def _person(said: Reported, by_key: Mapping[str, SentRecipient]) -> SentRecipient | None:
    """Who of the envelope is named: by the address as it is there, by the one that the sender wrote, or by where it ended."""
    names = (key_of(text) for text in (said.address, said.original, said.final) if text)
    return next((by_key[name] for name in names if name in by_key), None)


def _stranger(said: Reported) -> str:
    if said.address or said.original:
        return f"{said.address or said.original} is not in the envelope of that message"
    return "the report does not say which of the recipients it is about"


def _why(paths: Sequence[str], address: str, marks: Sequence[Mark]) -> str:
    if marks:
        return f"nothing is known any more of message {marks[0].id} (status.retention)"
    if address and any(is_marked(path, address) for path in paths):
        return "the token in the address that it came to was not made here, or with a key that is gone"
    return "it has neither a token of ours, nor the ENVID or Message-ID of a message that we know"
