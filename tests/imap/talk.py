"""A session of the machine whose questions get the usual answers."""

from __future__ import annotations

from dataclasses import replace

from mailer.imap import command as said
from mailer.imap import questions as ask
from mailer.imap.answer import Answer
from mailer.imap.server import ImapServer, ImapSettings
from mailer.imap.view import FolderView

CLEAR = ImapSettings(clear_auth=True)
STARTTLS = ImapSettings(starttls=True)


class Talk:
    """A session whose questions get the usual answers, but for those in `answers` (class of the question, or of the command → answer).
    Everybody is let in whose password is not ``wrong``; a folder has the messages 1 to 3."""

    def __init__(self, settings: ImapSettings = CLEAR, answers: dict[type, Answer] | None = None, tls: str = "") -> None:
        self.server = ImapServer(settings, tls)
        self.answers = answers or {}
        self.asked: list[ask.ImapQuestion] = []
        self.pump()
        self.greeting = self.server.take()

    def pump(self) -> None:
        while (question := self.server.next()) is not None:
            self.asked.append(question)
            self.server.answer(self._answer(question))

    def _answer(self, question: ask.ImapQuestion) -> Answer | None:
        command = question.command if isinstance(question, ask.ImapAsked) else None
        kind = type(question if command is None else command)
        if kind in self.answers:
            return self.answers[kind]
        if isinstance(command, said.Select):
            self.server.view = FolderView(1, command.folder, 1, [1, 2, 3], 5, command.readonly)
        if isinstance(question, ask.ImapAuth) and question.credentials.password != "wrong":
            return Answer("OK", "welcome")
        return None

    def say(self, *pieces: bytes) -> bytes:
        """Feed `pieces`; returns all that is said since the last time."""
        for piece in pieces:
            self.server.feed(piece)
            self.pump()
        return self.server.take()

    def last(self, data: bytes) -> bytes:
        """The last line that is said to `data`."""
        return self.say(data).removesuffix(b"\r\n").rpartition(b"\r\n")[2]

    def commands(self) -> list[said.Command]:
        """What was asked for, by commands."""
        return [question.command for question in self.asked if isinstance(question, ask.ImapAsked)]


def logged_in(settings: ImapSettings = CLEAR, answers: dict[type, Answer] | None = None) -> Talk:
    """A session of somebody who has logged in."""
    talk = Talk(replace(settings, clear_auth=True), answers)
    talk.say(b"l LOGIN user secret\r\n")
    return talk


def selected(settings: ImapSettings = CLEAR, answers: dict[type, Answer] | None = None) -> Talk:
    """A session in which a folder is selected."""
    talk = logged_in(settings, answers)
    talk.say(b"s SELECT INBOX\r\n")
    return talk
