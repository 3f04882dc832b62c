"""A directory of mboxes as a source, as an export writes it: ``Archive.2024.mbox`` is the folder Archive/2024."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from mailer.mail.problem import Problem, from_os

from .api import MOST, PassedOver, SourceFolder
from .mbox import MboxImport
from .regular import passed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .api import SourceMessage

ENDING: Final = ".mbox"


def has_mboxes(path: str) -> bool:
    """Whether a directory has mboxes, and is no Maildir."""
    try:
        names = os.listdir(path)
    except OSError:
        return False
    return "cur" not in names and any(name.endswith(ENDING) for name in names)


class MboxesImport:
    """The mboxes in the directory at `path`. A message may have `most` octets. A link is passed over, and so is what is no mbox."""

    def __init__(self, path: str, *, most: int = MOST) -> None:
        self.path = path
        self.most = most
        self._open: dict[str, MboxImport] = {}

    def close(self) -> None:
        """See `ImportSource`."""
        for each in self._open.values():
            each.close()
        self._open.clear()

    def folders(self) -> Sequence[SourceFolder | PassedOver]:
        """See `ImportSource`. Raises `Problem` where the directory cannot be read."""
        try:
            names = sorted(name for name in os.listdir(self.path) if name.endswith(ENDING))
        except OSError as error:
            raise from_os("cannot read the mboxes", self.path, error) from None
        return [each for name in names for each in self._folders(f"{self.path}/{name}", name.removesuffix(ENDING).replace(".", "/"))]

    def waiting(self, folder: SourceFolder) -> Iterator[SourceMessage | PassedOver]:
        """See `ImportSource`."""
        return self._open[folder.name].waiting(folder)

    def read(self, folder: SourceFolder, messages: Sequence[SourceMessage]) -> Iterator[tuple[SourceMessage, bytes] | PassedOver]:
        """See `ImportSource`."""
        return self._open[folder.name].read(folder, messages)

    def _folders(self, path: str, folder: str) -> Sequence[SourceFolder | PassedOver]:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            return [passed(path, "it is a symbolic link")]
        try:
            self._open[folder] = MboxImport(path, folder, most=self.most)
        except Problem as problem:
            return [passed(path, str(problem))]
        return self._open[folder].folders()
