"""`Email` for programs: the builder of `mailer.compose`, which here may read files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mailer import compose

from .errors import ErrorKind, SmtpError

if TYPE_CHECKING:
    from typing import Self


class Email(compose.Composition):
    """A message to be; see `mailer.compose.Composition`."""

    __slots__ = ()

    def attach_file(self, path: str | os.PathLike[str], name: str = "", type: str = "") -> Self:
        """Attach what is in the file now, under its own name. Raises `SmtpMessageError` if it cannot be read."""
        return self.attach(_read(path), name or os.path.basename(path), type)

    def inline_file(self, path: str | os.PathLike[str], content_id: str, type: str = "") -> Self:
        """Add a picture from a file, which the HTML shows as ``cid:CONTENT_ID``. Raises `SmtpMessageError`."""
        return self.inline(_read(path), content_id, type, os.path.basename(path))


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise SmtpError(ErrorKind.ATTACHMENT_ERROR, f"cannot read {os.fspath(path)}: {error.strerror}") from error
