"""What ``mailer send`` composes: its options, or an object of JSON, as a `Composition`.

Loaded only then: a whole message on standard input needs none of it. Whoever composes and says no text pipes it in, or types it, as
with mail(1). Odd octets, in a file, in JSON, in an option or in a file's name, stop no mail: they are read as its readers would read
them, which is reported, or refused where nothing is to be mended.
"""

from __future__ import annotations

import os
import sys
from errno import EBADF
from stat import S_ISCHR
from typing import TYPE_CHECKING

from mailer.compose import Attachment, Composition, EmailError, EmailLimits, Link, beside
from mailer.compose.payload import load, whole
from mailer.mail.message import Change
from mailer.mail.problem import Problem
from mailer.mail.text import WESTERN, marked, one_line, readable
from mailer.submit import Submission, read_all

from . import read_input
from .options import usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailer.config.sections import SubmissionSettings

    from .options import Given


TEXTS = ("--text", "--text-file", "--html", "--html-file")
"""The options that say what the message says. With one of them standard input is not read, unless it is that file."""


def composed(given: Given, settings: SubmissionSettings, composing: Sequence[str]) -> Submission:
    """The message that the options make, those of `composing` that were given. Raises `Problem` (usage, bad-message, no-such, io-error).

    Its request id and its priority are as the message itself has them.
    """
    if given.flag("--from-header"):
        raise usage("-t takes the recipients from a message on standard input; it does not go with --to", "send")
    draft = _Draft(given, settings)
    bad: list[str] = []
    try:
        email = draft.from_json(composing) if given.flag("--from-json") else draft.from_options()
        EmailLimits(settings.max_attachments, settings.max_attachment_size, settings.max_subject_length).check(email)
        data, bcc = email.encode(bad), email.hidden(bad)
    except EmailError as error:
        raise Problem(f"{error}; nothing was queued", "bad-message") from None
    return Submission(
        data,
        sender=given.text("--sender"),
        recipients=bad,
        bcc=bcc,
        from_header=True,
        request_id=email.request_id,
        priority=email.priority,
        options=draft.options,
        changes=draft.changes,
    )


class _Draft:
    """An email in the making; `changes` are what had to be mended in what was given, `options` what JSON asks for beside it."""

    def __init__(self, given: Given, settings: SubmissionSettings) -> None:
        self.given = given
        self.settings = settings
        self.changes: list[Change] = []
        self.options: dict[str, object] = {}

    def from_json(self, composing: Sequence[str]) -> Composition:
        given = self.given
        others = [name for name in composing if name != "--from-json"]
        if others or given.operands:
            raise usage(f"--from-json says all of the message; it does not go with {(others or given.operands)[0]}", "send")
        path = given.text("--from-json") or ""
        text = self._file(path)
        try:
            payload = load(text.encode())
        except (ValueError, RecursionError) as error:
            raise Problem(f"{path}: this is no JSON: {error}; nothing was queued", "bad-message") from None
        payload, halves = whole(payload)
        if halves:
            self._mend(path, "it has halves of characters, shown as \ufffd")
        payload, self.options = beside.apart(payload)
        return Composition.from_payload(payload)

    def from_options(self) -> Composition:
        given = self.given
        email = Composition(
            from_=self._one("--from"),
            to=[*self._all("--to"), *(self._said("recipient", one) for one in given.operands)],
            cc=self._all("--cc"),
            bcc=self._all("--bcc"),
            reply_to=self._all("--reply-to"),
            subject=self._one("--subject"),
            text=self._text("--text"),
            html=self._text("--html"),
            headers=[_header(one) for one in self._all("--header")],
            priority=self._one("--priority"),
            in_reply_to=self._one("--in-reply-to"),
            references=[id for one in self._all("--references") for id in one.replace("\t", " ").split(" ") if id],
            unsubscribe=[each for each in self._all("--list-unsubscribe") if each != "auto"],
            links=[Link(*_pair("--link", "NAME=URL", one)) for one in self._all("--link")],
        )
        for path in given.texts("--attach"):
            email.attach(self._read(path), self._said("--attach", os.path.basename(path)))
        for one in given.texts("--inline"):
            id, path = _pair("--inline", "CID=FILE", one)
            name = self._said("--inline", os.path.basename(path))
            email.files.append(Attachment(self._read(path), name, content_id=self._said("--inline", id)))
        if not any(map(given.flag, TEXTS)):
            bad: list[str] | None = None if _person() else []
            email.header_fields(bad), email.hidden(bad)  # a person hears what is wrong with them before the text is typed
            email.text = self._typed()
        return email

    def _typed(self) -> str:
        """Standard input, which is the text where no option says one, unless an option takes it for a file or there is none."""
        given = self.given
        if self._takes_input() or _no_input():
            return ""
        data = read_input(self.settings, what="text", quiet=given.flag("--quiet"))
        meant = given.flag("--attach") or given.flag("--link") or S_ISCHR(os.fstat(sys.stdin.fileno()).st_mode)  # such as /dev/null
        if not (data or meant):
            why = "it is empty, for nothing came on standard input (--text '' says that none is meant)"
            self.changes.append(Change("left", "text", "", "", why))
        return self._decoded("text", data)

    def _takes_input(self) -> str:
        """The option whose file is standard input; empty if none is. Raises `Problem` (usage) for a second one."""
        named = [(name, path) for name in ("--text-file", "--html-file", "--attach") for path in self.given.texts(name)]
        named += [("--inline", one.partition("=")[2]) for one in self.given.texts("--inline")]
        takers = [name for name, path in named if path == "-"]
        if len(takers) > 1:
            raise usage(f"standard input is one file; {takers[0]} and {takers[1]} cannot both be -", "send")
        return takers[0] if takers else ""

    def _text(self, name: str) -> str | None:
        """What ``--text`` or ``--text-file`` gives, or the same of HTML; None if there is neither."""
        self._takes_input()
        text, path = self.given.text(name), self.given.text(f"{name}-file")
        if text is not None and path is not None:
            raise usage(f"{name} and {name}-file do not go together", "send")
        if path is not None:
            return self._file(path)
        return None if text is None else self._said(name, text)

    def _one(self, name: str) -> str:
        return self._said(name, self.given.text(name) or "")

    def _all(self, name: str) -> list[str]:
        return [self._said(name, one) for one in self.given.texts(name)]

    def _said(self, what: str, text: str) -> str:
        """A value from the command line, or a name from the disk: what the interpreter could not read is a lone surrogate there."""
        try:
            text.encode()
        except UnicodeEncodeError:
            return self._decoded(what, os.fsencode(text))
        return text

    def _file(self, path: str) -> str:
        """A file as text, without a byte order mark. Raises `Problem` (bad-message, no-such, io-error)."""
        return self._decoded("standard input" if path == "-" else one_line(path), self._read(path))

    def _decoded(self, what: str, data: bytes) -> str:
        """Octets as text; what is no UTF-8 is mended and told, or refused. Raises `Problem` (bad-message)."""
        if (text := marked(data)) is not None:
            return text
        text, guessed = readable(data)
        if guessed:
            self._mend(what, f"it has octets that are no UTF-8, taken for {WESTERN}")
        return text

    def _mend(self, what: str, why: str) -> None:
        """Tell that something was mended. Raises `Problem` (bad-message) where that is not wanted."""
        if self.settings.strict:
            raise Problem(
                f"{what}: {why.partition(', ')[0]}; nothing was queued, for that is not to be mended (submission.strict)", "bad-message"
            )
        self.changes.append(Change("mended", what, "", "", why))

    def _read(self, path: str) -> bytes:
        """What is in a file, or in standard input for ``-``. Raises `Problem` (bad-message, no-such, io-error)."""
        if path == "-":
            return read_input(self.settings, quiet=self.given.flag("--quiet"))
        try:
            with open(path, "rb") as file:
                return read_all(file.fileno(), self.settings)
        except OSError as error:
            raise Problem(f"cannot read {path}: {error.strerror}", "no-such") from None


def _person() -> bool:
    """Whether somebody types on standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def _no_input() -> bool:
    """Whether standard input is closed, or cannot be read, as nohup(1) leaves it."""
    try:
        return sys.stdin is None or bool(os.read(sys.stdin.fileno(), 0))
    except OSError as error:
        return error.errno == EBADF


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise usage(f"--header takes 'NAME: VALUE', not {text!r}", "send")
    return name, value.strip(" \t")


def _pair(option: str, form: str, text: str) -> tuple[str, str]:
    first, equals, second = text.partition("=")
    if not (first and equals and second):
        raise usage(f"{option} takes {form}, not {text!r}", "send")
    return first, second
