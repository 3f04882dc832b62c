"""A mailbox, a spool and a filing between them: letters come, and what became of them is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mailer.filing import RulesFiling
from mailer.filing.decide import FilingPlan
from mailer.mail.dates import rfc3339
from mailer.mail.envelope import Envelope, Recipient
from mailer.mail.trace import delivered_to, return_path
from mailer.mailbox.api import PutMail
from mailer.spool import new_id
from mailer.transport.filing import MailboxLetter
from tests.mailbox.premises import ANN, NOW, Premises
from tests.submit.door import Door

BOB = "bob@example.net"


def mail(*fields: str, to: str = ANN, subject: str = "hello", body: str = "Some words.") -> bytes:
    """A message of Bob."""
    lines = ["From: Bob <bob@example.net>", f"To: {to}", f"Subject: {subject}", "Message-ID: <1@example.net>", *fields, "", body, ""]
    return "\r\n".join(lines).encode()


class Domain:
    """A domain of ours, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name


class Letterbox:
    """Ann's mailbox in memory, a spool at `root`, and `RulesFiling`."""

    def __init__(self, root: Path) -> None:
        self.door = Door(root)
        self.premises = Premises()

        class Terms:
            submitting = self.door.settings
            domains = (Domain("example.com"),)

        self.filing = RulesFiling(Terms, lambda: self.premises.now)  # type: ignore[arg-type]

    def letter(self, content: bytes, *, sender: str = BOB, recipient: str = ANN, junk: bool = False, via: str = "mx") -> MailboxLetter:
        """A letter for Ann, as the courier has it."""
        id = new_id(self.premises.now)
        submitter = {"via": via, "ip": "192.0.2.1", "hello": "out.example.net"}
        envelope = Envelope(id, rfc3339(self.premises.now), sender, [Recipient(recipient)], submitter=submitter)
        return MailboxLetter(
            envelope, content, return_path(sender) + delivered_to(recipient), recipient, junk, (id, recipient), "", self.premises.now
        )

    def file(self, content: bytes, **more: object) -> dict[str, int]:
        """File it; how many messages each folder has that has some."""
        return self.again(self.letter(content, **more))  # type: ignore[arg-type]

    def again(self, letter: MailboxLetter) -> dict[str, int]:
        """File a letter, perhaps once more."""
        with self.premises.ann() as box:
            self.filing.file(box, letter)
        return self.folders()

    def plan(self, content: bytes, **more: object) -> FilingPlan:
        """What would be done with it."""
        with self.premises.ann() as box:
            return self.filing.plan(box, self.letter(content, **more))  # type: ignore[arg-type]

    def puts(self, content: bytes, **more: object) -> Sequence[PutMail]:
        """File it; where it was put."""
        with self.premises.ann() as box:
            return self.filing.file(box, self.letter(content, **more))  # type: ignore[arg-type]

    def folders(self) -> dict[str, int]:
        """How many messages each folder has that has some."""
        with self.premises.ann() as box:
            return {folder.name: folder.messages for folder in box.folders() if folder.messages}

    def script(self, source: str) -> None:
        """Have a script asked."""
        with self.premises.ann() as box:
            box.scripts.put_script("own", source, NOW)
            box.scripts.activate("own")

    def sent(self) -> list[tuple[Envelope, bytes]]:
        """What is in the spool, in the order in which it came."""
        paths = sorted(Path(self.door.settings.spool).glob("queued/*"), key=lambda path: path.stat().st_ctime_ns)
        return [(self.door.spool.read(path.name).envelope, self.door.spool.content(path.name)) for path in paths]


__all__ = ["ANN", "BOB", "NOW", "Letterbox", "mail"]
