"""What ``mailer send`` composes: its options, or an object of JSON, as an `Email`.

Loaded only then: a whole message on standard input needs none of it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer.compose import Attachment, Email, EmailError, Limits, Link
from mailer.mail.failure import BAD_MESSAGE, NO_SUCH, Failure
from mailer.submit import Request

from .options import usage
from .send import COMPOSING, queue_priority, read_all, read_input, request_id

if TYPE_CHECKING:
    from mailer.config.quick import SubmissionSettings

    from .options import Given


def composed(given: Given, settings: SubmissionSettings) -> Request:
    """The message that the options make, as it is handed to submission. Raises `Failure` (64, 65, 67, 74)."""
    if given.flag("--from-header"):
        raise usage("-t takes the recipients from a message on standard input; it does not go with --to", "send")
    try:
        email = _from_json(given, settings) if given.flag("--from-json") else _from_options(given, settings)
        Limits(settings.max_attachments, settings.max_attachment_size, settings.max_subject_length).check(email)
        data, bcc = email.encode(), email.hidden()
    except EmailError as error:
        raise Failure(f"{error}; nothing was queued", BAD_MESSAGE) from None
    return Request(
        data,
        sender=given.text("--sender"),
        bcc=bcc,
        from_header=True,
        request_id=request_id(given.text("--request-id", email.request_id or None)),
        priority=queue_priority(given.text("--priority") or email.priority),
    )


def _from_json(given: Given, settings: SubmissionSettings) -> Email:
    import json

    others = [name for name in given.values if name in COMPOSING and name != "--from-json"]
    if others or given.operands:
        raise usage(f"--from-json says all of the message; it does not go with {(others or given.operands)[0]}", "send")
    path = given.text("--from-json") or ""
    text = _file(path, settings, given)
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path}: this is no JSON: {error}; nothing was queued", BAD_MESSAGE) from None
    return Email.from_payload(payload)


def _from_options(given: Given, settings: SubmissionSettings) -> Email:
    from_stdin = [name for name in ("--text-file", "--html-file") if given.text(name) == "-"]
    if len(from_stdin) > 1:
        raise usage("standard input is one file; --text-file and --html-file cannot both be -", "send")
    if not any(given.flag(name) for name in ("--text", "--text-file", "--html", "--html-file")):
        text: str | None = ""
    else:
        text = _text(given, settings, "--text")
    email = Email(
        from_=given.text("--from") or "",
        to=[*given.texts("--to"), *given.operands],
        cc=given.texts("--cc"),
        bcc=given.texts("--bcc"),
        reply_to=given.texts("--reply-to"),
        subject=given.text("--subject") or "",
        text=text,
        html=_text(given, settings, "--html"),
        headers=[_header(one) for one in given.texts("--header")],
        priority=given.text("--priority") or "",
        in_reply_to=given.text("--in-reply-to") or "",
        references=[id for one in given.texts("--references") for id in one.replace("\t", " ").split(" ") if id],
        unsubscribe=given.texts("--list-unsubscribe"),
        links=[Link(*_pair("--link", "NAME=URL", one)) for one in given.texts("--link")],
    )
    for path in given.texts("--attach"):
        email.attach(_read(path, settings, given), os.path.basename(path))
    for one in given.texts("--inline"):
        id, path = _pair("--inline", "CID=FILE", one)
        email.files.append(Attachment(_read(path, settings, given), os.path.basename(path), content_id=id))
    return email


def _text(given: Given, settings: SubmissionSettings, name: str) -> str | None:
    """What ``--text`` or ``--text-file`` gives, or the same of HTML; None if there is neither."""
    text, path = given.text(name), given.text(f"{name}-file")
    if text is not None and path is not None:
        raise usage(f"{name} and {name}-file do not go together", "send")
    return text if path is None else _file(path, settings, given)


def _file(path: str, settings: SubmissionSettings, given: Given) -> str:
    """A file as text. Raises `Failure` (65, 67, 74)."""
    try:
        return _read(path, settings, given).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is no UTF-8 text (byte {error.start})", BAD_MESSAGE) from None


def _read(path: str, settings: SubmissionSettings, given: Given) -> bytes:
    """What is in a file, or in standard input for ``-``. Raises `Failure` (65, 67, 74)."""
    if path == "-":
        return read_input(settings, quiet=given.flag("--quiet"))
    try:
        with open(path, "rb") as file:
            return read_all(file.fileno(), settings)
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}", NO_SUCH) from None


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
