"""What the owner of a mailbox says about his mail, as an operator or a page sees and changes it: scripts, rules, the answer, forwards.

Everything here waits for the disk. What is kept was checked: a script is right, and what rules come to is a script.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from mailer import sieve
from mailer.config.sections.accounts import DATABASE
from mailer.filing import RulesFiling, confirming
from mailer.filing.carry import SendingTerms
from mailer.filing.generated import script_of
from mailer.filing.rules import as_json, away_of, from_json, rule_of
from mailer.mail.address import AddressError, domain_of, parse
from mailer.mail.address_key import key_of
from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.message import normalise
from mailer.mail.problem import Problem
from mailer.mailbox.scripts import MOST_FORWARDS, OwnForward
from mailer.spool import new_id
from mailer.transport.filing import MailboxLetter

from .users import users_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from mailer.config import Config
    from mailer.filing.decide import FilingPlan
    from mailer.filing.rules import Away, OwnRule
    from mailer.mailbox.api import Mailbox
    from mailer.mailbox.scripts import ForwardKind, OwnScript

STRANGER: Final = "somebody@example.net"
"""Who a message is from that is tried, where nobody says."""

_LONG: Final = f"{'a' * 64}@{'.'.join(['b' * 62] * 3)}"
_FORWARDS: Final = [OwnForward(_LONG, "copy", 1.0, 0.0)] * MOST_FORWARDS


class TriedMail(NamedTuple):
    """A message that is tried: who it is from and for by its envelope, and whether filters have marked it as unwanted."""

    content: bytes
    sender: str = STRANGER
    recipient: str = ""
    junk: bool = False


async def lives_here(config: Config, address: str) -> bool:
    """Whether a user has this address, so that a mailbox may be made for him; where others keep the users, whoever asks knows.

    Raises `Problem`.
    """
    if config.accounts.source != DATABASE:
        return True
    users = users_of(config)
    try:
        return (await users.find([key_of(address)]))[0] is not None
    finally:
        await users.close()


def check(source: bytes | str) -> None:
    """Raises `Problem` (bad-message) where a script is not right, with the line."""
    sieve.parse(source)


def put_script(mailbox: Mailbox, name: str, source: bytes, now: float, *, active: bool = False) -> None:
    """Keep a script that is right, and have it asked where it is `active`. Raises `Problem`."""
    check(source)
    mailbox.scripts.put_script(name, source.decode(), now)
    if active:
        mailbox.scripts.activate(name)


def script(mailbox: Mailbox, name: str) -> OwnScript:
    """A script; the active one where no name is said. Raises `Problem` (no-such)."""
    found = mailbox.scripts.instructions()
    one = next((each for each in found.scripts if each.name == name), None) if name else found.script
    if one is None:
        raise Problem(f"there is no script {name!r}" if name else "no script is active", "no-such")
    return one


def script_json(one: OwnScript) -> dict[str, object]:
    """A script as commands print it with ``--json``."""
    return {"name": one.name, "active": one.active, "octets": len(one.source.encode()), "changed_at": rfc3339(one.at)}


def try_mail(mailbox: Mailbox, config: Config, tried: TriedMail, now: float) -> FilingPlan:
    """What would be done with a message that came now; nothing is. Raises `Problem`."""
    id, recipient = new_id(now), tried.recipient or mailbox.owner.address
    envelope = Envelope(id, rfc3339(now), tried.sender, [Recipient(recipient)], submitter={"via": "mx"})
    letter = MailboxLetter(envelope, normalise(tried.content), b"", recipient, tried.junk, (id, recipient), "", now)
    return RulesFiling(lambda: config, lambda: now).plan(mailbox, letter)


def plan_json(plan: FilingPlan) -> dict[str, object]:
    """What would be done, as commands print it with ``--json``."""
    return {
        "folders": [{"folder": place.folder or place.role or "INBOX", "flags": [*place.flags]} for place in plan.places],
        "forwards": [*plan.forwards],
        "answer": (plan.answer.subject or plan.answer.reason[:100]) if plan.answer else None,
        "withheld": [*plan.withheld],
        "failed": plan.failed or None,
    }


def rules(mailbox: Mailbox) -> Sequence[OwnRule]:
    """The rules, in their order. Raises `Problem`."""
    return [rule_of(from_json(each)) for each in mailbox.scripts.instructions().rules]


def set_rules(mailbox: Mailbox, documents: Sequence[Mapping[str, Any]]) -> Sequence[OwnRule]:
    """Have these rules and no others. Raises `Problem` (usage) where one is none."""
    found = [rule_of(each) for each in documents]
    _check_together(found, vacation(mailbox))
    mailbox.scripts.set_rules([as_json(each) for each in found])
    return found


def _check_together(found: Sequence[OwnRule], away: Away | None) -> None:
    """See that rules and answer fit into one script, with as many forwards as there may be: one that does not would file no mail at all.

    Raises `Problem` (usage).
    """
    try:
        sieve.parse(script_of(found, away, _FORWARDS))
    except sieve.SieveError as error:
        text = f"the rules and the answer are too much together ({error.text}); have fewer rules, or shorter texts"
        raise Problem(text, "usage") from None


def add_rule(mailbox: Mailbox, document: Mapping[str, Any]) -> OwnRule:
    """Have one rule more, behind the others. Raises `Problem` (usage)."""
    return set_rules(mailbox, [*map(_document, rules(mailbox)), document])[-1]


def unconfirmed(mailbox: Mailbox, config: Config, rule: OwnRule) -> Sequence[str]:
    """The addresses that a rule passes mail on to and that do not count yet: neither of a domain of ours nor confirmed."""
    confirmed = {key_of(each.address) for each in mailbox.scripts.instructions().forwards if each.confirmed}
    ours = {domain.name for domain in config.domains}
    targets = [action.value for action in rule.actions if action.do == "forward"]
    return [each for each in targets if key_of(each) not in confirmed and domain_of(each) not in ours]


def remove_rule(mailbox: Mailbox, number: int) -> OwnRule:
    """Have the rule `number`, from 1, no more. Raises `Problem` (no-such)."""
    found = rules(mailbox)
    if not 1 <= number <= len(found):
        last = f"the last one is {len(found)}" if found else "there are none"
        raise Problem(f"there is no rule {number}; {last}", "no-such")
    set_rules(mailbox, [_document(each) for nth, each in enumerate(found, 1) if nth != number])
    return found[number - 1]


def _document(rule: OwnRule) -> Mapping[str, Any]:
    return from_json(as_json(rule))


def rules_script(mailbox: Mailbox) -> str:
    """The script that rules, answer and forwards come to. Raises `Problem`."""
    instructions = mailbox.scripts.instructions()
    away = away_of(from_json(instructions.vacation)) if instructions.vacation else None
    return script_of(rules(mailbox), away, instructions.forwards)


def vacation(mailbox: Mailbox) -> Away | None:
    """The answer while the owner is away. Raises `Problem`."""
    data = mailbox.scripts.instructions().vacation
    return away_of(from_json(data)) if data else None


def set_vacation(mailbox: Mailbox, document: Mapping[str, Any] | None) -> Away | None:
    """Have this answer, or none. Raises `Problem` (usage)."""
    away = away_of(document) if document is not None else None
    if away is not None:
        _check_together(rules(mailbox), away)
    mailbox.scripts.set_vacation(as_json(away) if away else "")
    return away


def forward_json(one: OwnForward) -> dict[str, object]:
    """A forward as commands print it with ``--json``."""
    return {
        "address": one.address,
        "kind": one.kind,
        "confirmed_at": rfc3339(one.confirmed) if one.confirmed else None,
        "asked_at": rfc3339(one.asked),
    }


def add_forward(mailbox: Mailbox, config: Config, address: str, kind: ForwardKind, now: float, *, confirmed: bool = False) -> OwnForward:
    """Have mail forwarded to `address`: at once if an operator has `confirmed` it or it is of a domain of ours, else when the code that is
    sent there was given. Raises `Problem`.
    """
    try:
        target = str(parse(address))
    except AddressError as error:
        raise Problem(str(error), "usage") from None
    if confirmed or domain_of(target) in {domain.name for domain in config.domains}:
        return mailbox.scripts.add_forward(target, kind, now, confirmed=True)
    return confirming.ask(mailbox, target, kind, SendingTerms(config.submitting, now), secrets.choice)


def confirm_forward(mailbox: Mailbox, address: str, code: str, now: float) -> None:
    """Have the forward to `address` count, if that is its code. Raises `Problem` (no-such, no-permission)."""
    if not mailbox.scripts.confirm_forward(address, confirming.digest_of(code), now):
        raise Problem(
            f"that is not the code that was sent to {address}, or it is too old or was tried too often; add it again", "no-permission"
        )
