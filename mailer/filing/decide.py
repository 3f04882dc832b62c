"""What becomes of a letter, decided: which folders it goes into, whom it is passed on to, whether its sender gets an answer, and why not.

Pure. What the owner has said comes to scripts (`OwnScripts`); they are asked, and what they say is held against what may be: mail is passed
on only to addresses that were confirmed or are ours, unwanted mail to nobody, and no machine is answered. Nothing is lost by a rule: mail
that is neither filed nor passed on is kept in the inbox, what is discarded goes into the trash, and a script that fails leaves all as if
there were none.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer import sieve
from mailer.mail.address_key import key_of
from mailer.mail.address_list import in_header
from mailer.mail.problem import Problem
from mailer.mail.trace import DELIVERED
from mailer.mailbox import names
from mailer.mailbox.api import INBOX
from mailer.mailbox.discarded import DISCARDED
from mailer.mailbox.scripts import MOST_FORWARDS
from mailer.sieve import Discard, FileInto, Forward, Keep, SieveError, Vacation

from .answer import objection
from .generated import script_of
from .rules import away_of, from_json, rule_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailer.mail.message import Message
    from mailer.mailbox.api import Role
    from mailer.mailbox.scripts import Instructions, OwnForward
    from mailer.sieve import Action, MailFacts, SieveScript

USES: Final[dict[str, Role]] = {
    "\\junk": "junk", "\\trash": "trash", "\\sent": "sent", "\\drafts": "drafts", "\\archive": "archive", "inbox": "inbox",
}  # fmt: skip
"""What folders are for, in the words of RFC 6154 §2."""


class OwnScripts(NamedTuple):
    """The scripts of an owner, what each is called for him, and what is wrong with what he said; empty for nothing."""

    scripts: Sequence[SieveScript] = ()
    called: Sequence[str] = ()
    wrong: str = ""


class FilingPlace(NamedTuple):
    """A folder that a letter goes into, by its name or by what it is for (`role`), with flags of IMAP; the inbox where both are empty."""

    folder: str = ""
    flags: Sequence[str] = ()
    role: Role = ""


class FilingPlan(NamedTuple):
    """What is to be done with a letter. `failed` is what is wrong with the owner's instructions, `withheld` what they say and is not done,
    a line each; `waiting` are addresses that were not confirmed."""

    places: Sequence[FilingPlace]
    forwards: Sequence[str] = ()
    answer: Vacation | None = None
    failed: str = ""
    withheld: Sequence[str] = ()
    waiting: Sequence[str] = ()

    @property
    def sends(self) -> bool:
        """Whether something is sent, or somebody told."""
        return bool(self.forwards or self.answer or self.failed or self.waiting)


class LetterFacts(NamedTuple):
    """What is known of a letter and its owner: whether it is `junk`, its `header`, his `own` addresses, and which others are ours."""

    facts: MailFacts
    header: Message
    junk: bool
    own: Sequence[str]
    is_ours: Callable[[str], bool]


def is_plain(instructions: Instructions) -> bool:
    """Whether an owner has said nothing, so that nothing has to be decided."""
    return not (instructions.script or instructions.rules or instructions.vacation or instructions.forwards)


def compiled(instructions: Instructions) -> OwnScripts:
    """The scripts of an owner: what his forwards, his answer and his rules come to, then his own."""
    scripts, called, wrong = [], [], ""
    try:
        rules = [rule_of(from_json(each)) for each in instructions.rules]
        away = away_of(from_json(instructions.vacation)) if instructions.vacation else None
        source = script_of(rules, away, instructions.forwards)
        if source:
            scripts.append(_parsed(source))
            called.append("rules")
    except Problem as problem:
        wrong = f"rules: {problem}"
    own = instructions.script
    try:
        if own is not None:
            scripts.append(_parsed(own.source))
            called.append(f"script {own.name}")
    except SieveError as error:
        wrong = f"script {own.name if own else ''}: {error}"
    return OwnScripts(scripts, called, wrong)


@lru_cache(256)
def _parsed(source: str) -> SieveScript:
    return sieve.parse(source)


def decide(said: OwnScripts, forwards: Sequence[OwnForward], about: LetterFacts) -> FilingPlan:
    """What is to be done with a letter."""
    failed = said.wrong
    actions: Sequence[Action] = (Keep(),)
    if not failed:
        try:
            actions = sieve.run_in_turn(said.scripts, about.facts, forwards=MOST_FORWARDS)
        except SieveError as error:
            failed = f"{said.called[error.script]}: {error}"
    passed, withheld, waiting = _passed(actions, forwards, about)
    answer = next((each for each in actions if isinstance(each, Vacation)), None)
    why = _objection(about, answer.addresses) if answer is not None else ""
    if why:
        withheld.append(f"no answer: {why}")
    elif answer is not None and not _is_his(answer.from_, about):
        withheld.append(f"no answer as {answer.from_}: that is no address of the owner, whose name stands there instead")
        answer = answer._replace(from_="")
    places = [place for action in actions if (place := _place(action, about, kept=bool(passed)))]
    return FilingPlan(places or ([] if passed else [_kept(about)]), passed, None if why else answer, failed, withheld, waiting)


def _passed(actions: Sequence[Action], forwards: Sequence[OwnForward], about: LetterFacts) -> tuple[list[str], list[str], list[str]]:
    """Whom it is passed on to, what is not done for which reason, and which addresses were not confirmed."""
    confirmed = {key_of(each.address) for each in forwards if each.confirmed}
    mine = {key_of(each) for each in about.own}
    been = {key_of(value.strip(" \t<>")) for value in about.header.values(DELIVERED)}
    passed: list[str] = []
    withheld: list[str] = []
    waiting: list[str] = []
    for action in actions:
        if not isinstance(action, Forward):
            continue
        key = key_of(action.address)
        if key in mine:
            withheld.append(f"not forwarded to {action.address}: that is the owner")
        elif key in been:
            withheld.append(f"not forwarded to {action.address}: it comes from there (Delivered-To)")  # RFC 9228 §4
        elif about.junk:
            withheld.append(f"not forwarded to {action.address}: it is marked as unwanted")
        elif key not in confirmed and not about.is_ours(action.address):
            withheld.append(f"not forwarded to {action.address}: the address was not confirmed")
            waiting.append(action.address)
        else:
            passed.append(action.address)
    return passed, withheld, waiting


def _objection(about: LetterFacts, addresses: Sequence[str]) -> str:
    """Why there is no answer; `addresses` are the owner's besides, as he says."""
    return "it is marked as unwanted" if about.junk else objection(about.header, about.facts.sender, (*about.own, *addresses))


def _is_his(author: str, about: LetterFacts) -> bool:
    """Whether an answer may be from `author`, empty for the owner: nobody answers as another. RFC 5230 §4.3"""
    mine = {key_of(each) for each in about.own}
    return all(key_of(address) in mine for address in in_header(author))


def _kept(about: LetterFacts, flags: Sequence[str] = ()) -> FilingPlace:
    """Where it goes that nobody has said anything about."""
    return FilingPlace(role="junk", flags=flags) if about.junk else FilingPlace(flags=flags)


def _place(action: Action, about: LetterFacts, *, kept: bool) -> FilingPlace | None:
    """The folder that an action means; a folder that there cannot be is the inbox. What is passed on need not go into the trash."""
    if isinstance(action, Keep):
        return _kept(about, action.flags)
    if isinstance(action, Discard):
        return None if kept else FilingPlace(role="trash", flags=(DISCARDED,))
    if not isinstance(action, FileInto):
        return None
    role = USES.get(action.role.lower())
    if role and about.facts.has_role(action.role):
        return FilingPlace(role=role, flags=action.flags)
    try:
        folder = names.checked(action.folder)
    except Problem:
        return FilingPlace(flags=action.flags)
    return FilingPlace("" if folder == INBOX else folder, action.flags)
