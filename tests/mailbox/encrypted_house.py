"""Encrypted mailboxes for a test: processes that come and go, the master keys that are there, and letters."""

from __future__ import annotations

from pathlib import Path

from mailer.mailbox.api import NewMail
from mailer.mailbox.bodies.files import FileBodies
from mailer.mailbox.box import OwnMailbox
from mailer.mailbox.engine.api import Engine
from mailer.mailbox.engine.sealed import SealedEngine
from mailer.mailbox.keyring import Keyring
from mailer.mailbox.keys import MasterKeys
from mailer.mailbox.layout import Layout
from mailer.mailbox.mailboxes import Mailboxes
from mailer.mailbox.owners.api import Owner
from mailer.mailbox.owners.sqlite import SqliteOwners
from mailer.mailbox.rekeying import Rekeyed, rekey
from mailer.mailbox.sealing import MAGIC

ANN = "ann@example.com"
NEEDLE = b"Nadel"


def letter(number: int) -> bytes:
    """A message of its own; one of them is like an age file, one is large."""
    text = b"Subject: %d\r\n\r\n%s %d\r\n" % (number, NEEDLE, number)
    return {1: MAGIC + b"-> X25519 not one\r\n\r\n" + text, 2: text + b"x" * 78 * 5000}.get(number, text)


PLAIN = b"SQLite format 3\0"


def is_plain(path: str) -> bool | None:
    """Whether an index is not encrypted, None where there is none; whoever has it open in this process must not go on."""
    content = Path(path).read_bytes()[: len(PLAIN)] if Path(path).exists() else b""
    return content == PLAIN if content else None


class Process:
    """What one process has of the mailboxes below `root`, which has just started and wishes this or that."""

    def __init__(self, root: Path, masters: dict[int, bytes], *, encrypting: bool = True) -> None:
        self.layout = Layout(str(root))
        self.layout.have(self.layout.root)
        self.owners = SqliteOwners(self.layout.owners)
        self.keyring = Keyring(self.owners, MasterKeys(lambda: masters, "keys"), encrypting=encrypting)
        self.bodies = FileBodies(self.layout)
        self.mailboxes = Mailboxes(self.owners, self.engine, self.bodies, opener=self.keyring.sealing, ready=self.keyring.ready)

    def engine(self, owner: Owner) -> Engine:
        """The rows of an owner."""
        self.layout.have(self.layout.home(owner.id))
        return SealedEngine(self.layout.index(owner.id), owner, self.keyring)

    def owner(self) -> Owner:
        """Ann, as she is kept."""
        [ann] = self.owners.find([ANN])
        assert ann is not None
        return ann

    def put(self, *numbers: int) -> None:
        """These letters come."""
        with self.mailboxes.of(ANN, make=True) as box:
            box.put([NewMail("INBOX", letter(number)) for number in numbers])

    def rekey(self) -> Rekeyed:
        """Other keys for Ann."""
        return rekey(self.keyring, self.mailboxes, self.owner())

    def close(self) -> None:
        """It ends."""
        self.mailboxes.close()


class House:
    """A directory of mailboxes, the master keys that are there, and processes that come and go."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.masters = {1: b"\x01" * 32}
        self.started: list[Process] = []

    def start(self, *, encrypting: bool = True) -> Process:
        """A process."""
        self.started.append(Process(self.root, self.masters, encrypting=encrypting))
        return self.started[-1]

    def close(self) -> None:
        """All of them end."""
        while self.started:
            self.started.pop().close()

    def read(self, *, encrypting: bool = True) -> list[bytes]:
        """All letters, as a process reads them that has just started and ends then; large ones in pieces as well."""
        with Process(self.root, self.masters, encrypting=encrypting).mailboxes.of(ANN) as box:
            assert [*box.check()] == []
            return read(box)

    def kept(self) -> list[bytes]:
        """The bodies as they are on the disk."""
        return [path.read_bytes() for path in sorted(self.root.glob("u/*/*/mail/*/*"))]

    def sealed(self) -> list[bool]:
        """Which bodies are age files on the disk, but for the letter that is like one."""
        return [content.startswith(MAGIC) for content in self.kept() if b"not one" not in content]

    def index(self) -> str:
        """The file of the rows."""
        [path] = self.root.glob("u/*/*/index.sqlite3")
        return str(path)


def read(box: OwnMailbox) -> list[bytes]:
    """All letters of the inbox."""
    inbox = box.folder("INBOX")
    assert inbox is not None
    found = []
    for mail in box.mails([entry.mail for entry in box.entries(inbox.id)]):
        assert mail is not None
        whole = box.read(mail)
        assert box.read(mail, 10, 20) == whole[10:30]
        found.append(whole)
    return found


LETTERS = [letter(number) for number in range(5)]
