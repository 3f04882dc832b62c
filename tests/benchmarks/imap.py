#!/usr/bin/env python3
"""Reading by IMAP: a door of ours beside the IMAP of Dovecot over a Maildir, with the same mail.

    python tests/benchmarks/imap.py [--many 10000] [--some 1000] [--rounds 5] [--encrypted]

Both have a folder of so many short messages, and one of some of 22 kB, of which one in seven has a file. Each is asked over TCP on the
loopback by the same client: our door as it is in a process of its own, Dovecot's program with its user logged in. Dovecot has been asked
everything once before, so that its index and its cache know the answers; ours has nothing but what it kept when the messages came. Counted
is the processor's time of all threads of the one process and of the other (schedstat of proc(5)); they take turns. With ``--encrypted``,
our rows and messages are encrypted, and theirs are not.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import pwd
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[2]))

from mailer.io.collector import quieten_collector
from mailer.io.loop import run_loop
from tests.benchmarks.measure import figure, ratio
from tests.peers.dovecot_imap import PROGRAM, DovecotImap

WORDS = ("pack", "my", "box", "with", "five", "dozen", "liquor", "jugs", "and", "post", "it", "before", "the", "office", "shuts", "letter")
SMALL, USUAL = 1500, 22_000  # octets of a message, in the middle
FIELDS = b"From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To"
QUICK = b"FETCH 1:* (UID FLAGS)"
LISTED = b"FETCH 1:* (ENVELOPE RFC822.SIZE INTERNALDATE)"
WHOLE = b"FETCH 1:* (BODY.PEEK[])"
HEADERS = b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (%b)])" % FIELDS
STRUCTURE = b"FETCH 1:* (BODYSTRUCTURE)"
LIMITS: dict[tuple[str, bytes], float] = {
    ("many", QUICK): 2, ("many", LISTED): 0.5, ("some", WHOLE): 2, ("some", HEADERS): 2, ("some", STRUCTURE): 2,
}  # fmt: skip
"""What may be asked of which folder, and how many times as long as Dovecot we may take."""
ENCRYPTED = 4.0  # times as long for whole messages that are encrypted here


def letter(number: int, size: int) -> bytes:
    """A message as they come by SMTP: with what four hosts have written on it, a text in two forms, and maybe a file."""
    chance = random.Random(number)

    def pick() -> str:
        return chance.choice(WORDS)

    fields = [
        f"Received: from mx{at}.example.net (mx{at}.example.net [192.0.2.{at}])\r\n\tby mail.example.com (Postfix) with ESMTPS id "
        f"{chance.getrandbits(60):X}\r\n\tfor <ann@example.com>; Tue, 24 Nov 2026 10:{at:02}:00 +0100 (CET)" for at in range(4)
    ]  # fmt: skip
    proof = "\r\n\t ".join(base64.b64encode(chance.randbytes(48)).decode() for _ in range(5))
    fields += [
        f"DKIM-Signature: v=1; a=rsa-sha256; d=example.net;\r\n\ts=2026; h=from:to:subject:date:message-id;\r\n\tb={proof}",
        f"From: {pick().title()} {pick().title()} <{pick()}.{pick()}@example.net>",
        "To: Ann Example <ann@example.com>" + "".join(f", {pick().title()} <{pick()}@example.org>" for _ in range(chance.randrange(3))),
        f"Subject: {' '.join(pick() for _ in range(chance.randint(3, 9)))}",
        f"Date: Tue, 24 Nov 2026 {chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02} +0100",
        f"Message-ID: <{chance.getrandbits(96):x}.{number}@example.net>", "MIME-Version: 1.0", "X-Mailer: Example 1.0",
    ]  # fmt: skip
    if number % 3 == 0:
        fields.append(f"References: <{chance.getrandbits(96):x}@example.net>\r\n <{chance.getrandbits(96):x}@example.net>")
    text = "".join(" ".join(pick() for _ in range(10)) + "\r\n" for _ in range(max(2, int(size * chance.uniform(0.1, 0.5)) // 56)))
    kinds = (("text/plain; charset=utf-8", "7bit", text), ("text/html; charset=utf-8", "quoted-printable", text))
    file = base64.encodebytes(chance.randbytes(int(size * 1.8))).replace(b"\n", b"\r\n").decode() if number % 7 == 0 else ""
    parts = [f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{said}" for kind, encoding, said in kinds]
    parts += [f"Content-Type: application/pdf; name={pick()}.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{file}"] if file else []
    body = "".join(f"--=_{number:x}\r\n{part}\r\n" for part in parts) + f"--=_{number:x}--\r\n"
    kind = f'Content-Type: multipart/{"mixed" if file else "alternative"}; boundary="=_{number:x}"'
    return "\r\n".join([*fields, kind, "", body]).encode()


class Asking:
    """A client on a connection to the process with this number, which counts what the process has worked."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self._connection = connection
        self._tasks = Path(f"/proc/{pid}/task")
        self._tag = 0
        connection.settimeout(120)

    def processor(self) -> float:
        """Seconds that the process has worked."""
        return sum(int((task / "schedstat").read_text().split()[0]) for task in self._tasks.iterdir()) / 1e9

    def greeted(self) -> None:
        """Hear the greeting."""
        greeting = self._connection.recv(65536)
        assert greeting.endswith(b"\r\n"), greeting

    def ask(self, command: bytes) -> int:
        """Have a command done; the octets of the answer."""
        self._tag += 1
        self._connection.sendall(b"t%d %b\r\n" % (self._tag, command))
        return self._heard()

    def append(self, mail: Sequence[bytes], folder: bytes) -> None:
        """Have messages put into a folder by one command, each when the server wants it."""
        self._tag += 1
        said = b"t%d APPEND %b" % (self._tag, folder)
        for each in mail:
            self._connection.sendall(b"%b {%d}\r\n" % (said, len(each)))
            while not (line := self._connection.recv(65536)).startswith(b"+"):
                assert line.startswith(b"* "), line
            said = each
        self._connection.sendall(said + b"\r\n")
        self._heard()

    def close(self) -> None:
        """Leave."""
        self._connection.close()

    def _heard(self) -> int:
        """Hear the answer to the command with the last tag; its octets."""
        tail, octets = b"\r\n", 0
        while True:
            some = self._connection.recv(1 << 20)
            assert some, "the connection has ended"
            octets += len(some)
            tail = (tail + some)[-4096:]
            at = tail.rfind(b"\r\nt%d " % self._tag)
            if at >= 0 and tail.endswith(b"\r\n"):
                assert tail[at:].split(b" ")[1] == b"OK", tail[at:]
                return octets

    def cost(self, command: bytes) -> float:
        """Milliseconds of the processor that it takes."""
        before = self.processor()
        self.ask(command)
        return (self.processor() - before) * 1e3


class SocketDovecot(DovecotImap):
    """Dovecot's program at one end of a connection over TCP."""

    def __enter__(self) -> Self:
        user = pwd.getpwnam(self._name)
        environment = {"USER": self._name, "HOME": str(self.home), "PATH": "/usr/bin:/bin"}
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.connection = socket.create_connection(server.getsockname())
            theirs, _ = server.accept()
        with theirs:
            self.program = subprocess.Popen(
                [PROGRAM, "-c", str(self.home / "dovecot.conf")],
                stdin=theirs,
                stdout=theirs,
                env=environment,
                cwd=self.home,
                user=user.pw_uid if os.geteuid() == 0 else None,
                group=user.pw_gid if os.geteuid() == 0 else None,
                extra_groups=[] if os.geteuid() == 0 else None,
            )
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()
        self.program.wait(timeout=20)


@contextmanager
def dovecot(home: Path, mail: Sequence[bytes]) -> Iterator[Asking]:
    """Dovecot with this mail in its inbox, which it knows."""
    home.mkdir()
    with SocketDovecot(home, mail) as program:
        client = Asking(program.connection, program.program.pid)
        client.greeted()
        yield client


class OurDoor:
    """A process that has a mailbox with the messages of `size` octets, and a door; it is filled before it opens."""

    def __init__(self, home: Path, many: int, size: int, encrypted: bool, folders: int = 0) -> None:
        argv = [sys.executable, __file__, "--serve", str(home), "--many", str(many), "--size", str(size), "--folders", str(folders)]
        argv += ["--encrypted"] * encrypted
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def client(self) -> Asking:
        """A client who has logged in."""
        client = Asking(socket.create_connection(("127.0.0.1", self._port)), self._process.pid)
        client.greeted()
        client.ask(b"LOGIN ann@example.com correct-horse")
        return client

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


async def serve(home: Path, many: int, size: int, *, encrypted: bool, folders: int = 0) -> None:
    """Be our door, until standard input ends."""
    from mailer.mailbox.api import NewMail
    from mailer.mailbox.layout import Layout
    from tests.imapd.house import ImapHouse
    from tests.mailbox.conftest import encrypted as sealed

    house = ImapHouse(home)
    if encrypted:
        house.premises = sealed(Layout(str(home / "mailboxes")))
    with house.premises.ann() as box:
        for first in range(0, many, 100):
            box.put([NewMail("INBOX", letter(number, size)) for number in range(first, min(first + 100, many))])
        for number in range(folders):
            box.create(f"f{number}")
    quieten_collector()  # as the process does that serves
    async with house:
        print(house.port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def cold(door: OurDoor) -> float:
    """Milliseconds of the processor that the first SELECT takes."""
    return door.client().cost(b"SELECT INBOX")


def main() -> None:
    """Measure in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--many", type=int, default=10_000, help="messages in the large folder (default %(default)s)")
    parser.add_argument("--some", type=int, default=1000, help="messages in the other (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default %(default)s)")
    parser.add_argument("--encrypted", action="store_true", help="our mailboxes are encrypted")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--folders", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        run_loop(serve(given.serve, given.many, given.size, encrypted=given.encrypted, folders=given.folders))
        return
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        Path(place).chmod(0o755)
        for folder, count, size in (("many", given.many, SMALL), ("some", given.some, USUAL)):
            mail = [letter(number, size) for number in range(count)]
            door = stack.enter_context(closing(OurDoor(Path(place, f"ours-{folder}"), count, size, given.encrypted)))
            theirs = stack.enter_context(dovecot(Path(place, f"dovecot-{folder}"), mail))
            print(f"{folder}: {count} messages, {sum(map(len, mail)) / 1e6:.1f} MB", flush=True)
            if folder == "many":
                figure(f"SELECT of {count}, cold, ours, processor", [cold(door)], "ms", 2, at_most=20)
            measured(folder, door.client(), theirs, given)


def told(command: bytes) -> str:
    """What is asked, for people."""
    return "BODY.PEEK[HEADER.FIELDS]" if command == HEADERS else command.decode().split("(")[1].rstrip(")")


def measured(folder: str, ours: Asking, theirs: Asking, given: argparse.Namespace) -> None:
    """Ask both the same of a folder, in turns, and print."""
    asked = [command for name, command in LIMITS if name == folder]
    for client in (ours, theirs):
        client.ask(b"SELECT INBOX")
    for command in asked:
        theirs.ask(command)
    found: dict[tuple[bytes, str], list[float]] = {}
    for _ in range(given.rounds):
        for command in asked:
            for name, client in (("ours", ours), ("dovecot", theirs)):
                found.setdefault((command, name), []).append(client.cost(command))
                time.sleep(0.01)
    for command in asked:
        own, other = (figure(f"{told(command)}, {name}, processor", found[command, name], "ms", 2) for name in ("ours", "dovecot"))
        most = ENCRYPTED if given.encrypted and command == WHOLE else LIMITS[folder, command]
        ratio(f"{told(command)}, ours / dovecot", own, other, f"at most {most:g}")


if __name__ == "__main__":
    main()
