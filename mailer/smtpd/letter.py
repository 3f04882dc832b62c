"""A letter that a user hands in: its envelope as SMTP says it, and how it becomes a submission like any other.

Pure, but for what submission does with it. What is asked for a recipient goes with him, with the address that was written first
(RFC 3461 §4.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from mailer.auth.results import strip
from mailer.mail.address_key import key_of
from mailer.mail.message import Message, header_end
from mailer.mail.problem import Problem
from mailer.mail.trace import hops, submitted, without_forged
from mailer.submit import Submission, prepare
from mailer.submit.together import Ready

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailer.config.sections import SubmissionSettings
    from mailer.mail.arrival import Arrival
    from mailer.mail.envelope import Envelope
    from mailer.mail.principal import Principal

HIGH: Final = 3  # of RFC 6710 §4: from there on a message goes before others
LOW: Final = -3  # and from there down behind them


class LoopProblem(Problem):
    """A message that has come by too many hosts."""

    def __init__(self, found: int) -> None:
        super().__init__(f"it has come by {found} hosts, and goes in circles", "bad-message")


@dataclass(slots=True)
class UserLetter:
    """A letter from the reverse-path `sender`, with the `parameters` of MAIL; those of RCPT are with each recipient who was `named`."""

    sender: str
    parameters: Mapping[str, str]
    named: dict[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """What is asked of those who carry the message, as `mailer.mail.delivery_options` reads it."""
        given = self.parameters
        found: dict[str, Any] = {"ret": given.get("RET", "").upper(), "envid": given.get("ENVID", "")}
        if "BY" in given:
            seconds, _, mode = given["BY"].partition(";")
            found |= {"by": int(seconds), "by_return": mode.startswith("R"), "by_trace": mode.endswith("T")}
        if "MT-PRIORITY" in given:
            found["priority"] = int(given["MT-PRIORITY"])
        hold = given.get("HOLDUNTIL", "") or int(given.get("HOLDFOR", 0))
        found |= {"hold": hold, "require_tls": "REQUIRETLS" in given}
        return {name: value for name, value in found.items() if value or name in ("by", "by_return", "priority")}

    @property
    def priority(self) -> str:
        """The word for how soon it goes."""
        asked = int(self.parameters.get("MT-PRIORITY", 0))
        return "high" if asked >= HIGH else "low" if asked <= LOW else "normal"


@dataclass(frozen=True, slots=True)
class Handing:
    """What goes with a letter that is handed in: how it came, whose it is, as whom he may write, and how many hosts it may have come by."""

    arrival: Arrival
    who: Principal
    senders: Sequence[str]
    most_hops: int

    def ready(self, letter: UserLetter, content: bytes, settings: SubmissionSettings) -> Ready:
        """The letter with its `content` as it can be put. Raises `Problem` as `submit` does."""
        if (found := hops(Message.head(content))) > self.most_hops:
            raise LoopProblem(found)
        asked = Submission(
            content,
            sender=letter.sender,
            recipients=[*letter.named],
            whole=True,
            submitter=self.who,
            senders=self.senders,
            options=letter.options or None,
            priority=letter.priority,
        )
        prepared = prepare(asked, settings, self.arrival.at)
        _ask_for_each(prepared.envelope, letter)
        content, host = prepared.content, settings.hostname
        end = header_end(content)
        kept = strip(without_forged(content[:end]), host)  # what only we write, our own people do not write either
        prepared.content = b"".join((submitted(self.arrival, host, prepared.envelope.id), kept, content[end:]))
        return Ready(prepared, self.who)


def _ask_for_each(envelope: Envelope, letter: UserLetter) -> None:
    """Let each recipient have what was asked for him."""
    said = {key_of(address): _wanted(parameters) for address, parameters in letter.named.items()}
    wanted = {one.address: found for one in envelope.recipients if (found := said.get(key_of(one.address)))}
    if wanted:
        envelope.options = {**(envelope.options or {}), "recipients": wanted}


def _wanted(parameters: Mapping[str, str]) -> Mapping[str, str]:
    said = {"notify": parameters.get("NOTIFY", "").upper(), "orcpt": parameters.get("ORCPT", "")}
    return {name: value for name, value in said.items() if value}
