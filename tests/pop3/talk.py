"""A machine of POP3 whose questions are answered by somebody who has two users, and messages in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailer.pop3.content import lengthening
from mailer.pop3.maildrop import Maildrop
from mailer.pop3.questions import PopGreeting, PopLogin, PopQuestion, PopQuit, PopReply, PopRetrieve, PopStartTls
from mailer.pop3.server import PopServer

PASSWORDS = {"ann": "secret", "bob": " two  words "}
WRONG = PopReply("wrong name or password", "AUTH")


@dataclass
class Household:
    """What Ann has, by name and content; which numbers are `gone` by now; `removed` is what each QUIT has removed."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    stuck: bool = False
    refuse: PopReply | None = None
    piece: int = 1 << 20  # octets of a message that are sent at a time
    removed: list[list[int]] = field(default_factory=list)

    def drop(self) -> Maildrop:
        """Her messages as a session finds them."""
        return Maildrop((number, len(content) + lengthening(content), name) for number, (name, content) in enumerate(self.messages, 1))

    def answer(self, machine: PopServer, question: PopQuestion) -> None:
        """Answer a question of the machine."""
        if isinstance(question, (PopGreeting, PopStartTls)):
            machine.answer()
        elif isinstance(question, PopLogin):
            self._log_in(machine, question)
        elif isinstance(question, PopRetrieve):
            self._send(machine, question)
        elif isinstance(question, PopQuit):
            self._quit(machine, question)

    def _log_in(self, machine: PopServer, question: PopLogin) -> None:
        said = question.credentials
        if self.refuse is not None:
            machine.answer(self.refuse)
        elif PASSWORDS.get(said.username) == said.password:
            machine.admit(said.username, self.drop() if said.username == "ann" else Maildrop())
        else:
            machine.answer(WRONG)

    def _send(self, machine: PopServer, question: PopRetrieve) -> None:
        if question.uid in self.gone:
            machine.answer(PopReply(f"message {question.place + 1} is gone"))
            return
        content = self.messages[question.place][1]
        for at in range(0, max(len(content), 1), self.piece):
            if not machine.send(content[at : at + self.piece], len(content)):
                break
        machine.sent()

    def _quit(self, machine: PopServer, question: PopQuit) -> None:
        if self.stuck:
            machine.answer(PopReply(f"{len(question.uids)} messages could not be removed", "SYS/TEMP"))
        else:
            self.removed.append([*question.uids])
            machine.answer()


def pumped(machine: PopServer, household: Household) -> bytes:
    """What is said until more has to come."""
    said = b""
    while True:
        question = machine.next()
        if question is not None:
            household.answer(machine, question)
        said += machine.take()
        if question is None and not machine.stalled:
            return said
