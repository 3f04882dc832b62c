"""A session of the receiving state machine whose questions get the usual answers."""

from __future__ import annotations

from mailer.smtp import server_events as ask
from mailer.smtp.reply import Reply, ReplyReader
from mailer.smtp.server import Server, ServerSettings

TRANSACTION = b"MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
LOGIN = ServerSettings(mechanisms=("PLAIN", "LOGIN"), clear_auth=True)


class Talk:
    """A session whose questions get the usual answers, but for those in `answers` (phase → reply)."""

    def __init__(self, service: ServerSettings | None = None, answers: dict[str, Reply] | None = None, tls: str = "") -> None:
        self.server = Server(service or ServerSettings(), tls)
        self.answers = answers or {}
        self.asked: list[ask.Question] = []
        self.pump()

    def pump(self) -> None:
        while (question := self.server.next()) is not None:
            self.asked.append(question)
            self.server.answer(self.answers.get(question.phase))

    def say(self, *pieces: bytes) -> list[Reply]:
        """Feed `pieces`; returns all replies since the last time."""
        for piece in pieces:
            self.server.feed(piece)
            self.pump()
        return ReplyReader().feed(self.server.take())

    def code(self, data: bytes) -> int:
        """The code of the last reply to `data`."""
        return self.say(data)[-1].code

    def bodies(self) -> list[ask.Body]:
        return [question for question in self.asked if isinstance(question, ask.Body)]


def ready(service: ServerSettings | None = None, answers: dict[str, Reply] | None = None, tls: str = "") -> Talk:
    """A session after EHLO."""
    talk = Talk(service, answers, tls)
    talk.say(b"EHLO client.example\r\n")
    return talk


def codes(replies: list[Reply]) -> list[int]:
    return [reply.code for reply in replies]


DSN = ServerSettings(offer=("DSN",), mechanisms=("PLAIN",), clear_auth=True)
