"""Users read their mail by processes beside the daemon, all the way: what comes is told at once, and what an administrator says holds."""

from __future__ import annotations

import json
import poplib
import signal
import socket
import time
from contextlib import ExitStack, closing
from typing import Self

import pytest

from tests.fakes.processes import free_port, listens, wait_until

from .test_local import ANN, BOB, HERE
from .world import World

SECRET = "correct-horse-battery"
DOORS = """
[access]
processes = 2
login_timeout = "30s"
connections_per_user = {each}
[accounts]
failures_per_minute = {failures}
[[listen]]
kind = "imap"
address = "127.0.0.1:{imap}"
[[listen]]
kind = "pop3"
address = "127.0.0.1:{pop}"
"""


class Waiting:
    """A client of IMAP that waits in IDLE: lines as they come, with when that was."""

    def __init__(self, port: int, user: str = ANN) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._lines = self.socket.makefile("rb")
        self.until("* OK")
        for command in (f'LOGIN {user} "{SECRET}"', "SELECT INBOX"):
            self.say(f"a {command}")
            assert self.until("a ").startswith("a OK")
        self.say("a IDLE")
        self.until("+")

    def say(self, line: str) -> None:
        """Say a line."""
        self.socket.sendall(f"{line}\r\n".encode())

    def close(self) -> None:
        """Leave."""
        self._lines.close()
        self.socket.close()

    def until(self, *begins: str) -> str:
        """The next line that begins so."""
        while True:
            line = self._lines.readline().decode()
            if not line or line.startswith(begins):
                return line


class Readers:
    """A daemon with mailboxes and doors where users read; Ann and Bob have one password."""

    def __init__(self, world: World, *, failures: int = 10, each: int = 50) -> None:
        self.world = world
        self.port, self.imap, self.pop = free_port(), free_port(), free_port()
        self.more = HERE.format(home=world.home, port=self.port) + DOORS.format(imap=self.imap, pop=self.pop, failures=failures, each=each)
        world.configure(9, more=self.more)
        for address in (ANN, BOB):
            assert world.mailer("user", "add", address, "--password-stdin", input=f"{SECRET}\n".encode()).code == 0
        self.daemon = world.daemon()
        for name in ("access", "access-2"):
            self.daemon.says(f'"event":"{name}","what":"ready"')

        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def waiting(self, user: str = ANN) -> Waiting:
        """A client of IMAP that waits."""
        return self._open.enter_context(closing(Waiting(self.imap, user)))

    def fetching(self, user: str = ANN, password: str = SECRET) -> poplib.POP3:
        """A client of POP3, which logs in. Raises `poplib.error_proto`."""
        client = poplib.POP3("127.0.0.1", self.pop, timeout=20)
        self._open.callback(client.close)
        client.user(user)
        client.pass_(password)
        return client

    def imported(self) -> float:
        """A command puts a message into Ann's inbox; when it was done."""
        box = self.world.home / "one.mbox"
        box.write_text(f"From me Tue Dec  1 10:00:00 2026\nSubject: number {time.monotonic_ns()}\n\nhello\n")
        assert self.world.mailer("mailbox", "import", ANN, str(box)).code == 0
        return time.monotonic()

    def sessions(self) -> list[dict[str, str]]:
        """Who is logged in, as the administrator sees it."""
        return [json.loads(line) for line in self.world.mailer("user", "sessions", "--json").out.splitlines()]


def test_news_reach_clients_of_all_processes(world: World) -> None:
    """Of a delivery by the daemon and of a command, whichever process a client came to; and sessions are seen with their process."""
    with Readers(world) as readers:
        clients = [readers.waiting() for _ in range(8)]
        wait_until("sessions of both processes are seen", lambda: len({each["process"] for each in readers.sessions()}) == 2)
        assert {each["door"] for each in readers.sessions()} == {"imap"}
        readers.imported()
        assert {client.until("* 1 EXISTS")[:10] for client in clients} == {"* 1 EXISTS"}
        world.send(ANN)
        assert {client.until("* 2 EXISTS")[:10] for client in clients} == {"* 2 EXISTS"}
    assert readers.daemon.stop() == 0


def test_what_was_asked_for_is_told_by_all_processes(world: World) -> None:
    """By NOTIFY, without IDLE: a message in a folder that is not open, a folder that another makes, what he notes and subscribes."""
    with Readers(world) as readers:
        clients = [readers.waiting() for _ in range(8)]
        wait_until("sessions of both processes are seen", lambda: len({each["process"] for each in readers.sessions()}) == 2)
        events = "MessageNew MessageExpunge MailboxName SubscriptionChange MailboxMetadataChange"
        for client in clients:
            for command in ("DONE", "b UNSELECT", f"c NOTIFY SET (personal ({events}))"):
                client.say(command)
            assert client.until("c ").startswith("c OK")
        world.send(ANN)
        assert {client.until("* ").strip() for client in clients} == {'* STATUS "INBOX" (MESSAGES 1 UIDNEXT 2)'}
        one, *others = clients
        for command, news in {
            "CREATE made": '* LIST (\\HasNoChildren) "/" "made"',
            "SUBSCRIBE made": '* LIST (\\Subscribed \\HasNoChildren) "/" "made"',
            'SETMETADATA made (/private/comment "x")': '* METADATA "made" "/private/comment"',
        }.items():
            one.say(f"d {command}")
            assert one.until("d ", "* ").startswith("d OK")
            assert {client.until("* ").strip() for client in others} == {news}


@pytest.mark.parametrize("words", [("disable", ANN), ("sessions", ANN, "--end"), ("remove", ANN), ("passwd", ANN, "--password-stdin")])
def test_an_administrator_ends_sessions(world: World, words: tuple[str, ...]) -> None:
    """Those of IMAP with BYE and of POP3 with a refusal, within seconds; who is somebody else reads on."""
    with Readers(world) as readers:
        ann, bob, pop = readers.waiting(), readers.waiting(BOB), readers.fetching()
        assert world.mailer("user", *words, input=b"another-password\n").code == 0
        assert ann.until("* BYE").startswith("* BYE")
        assert pop.sock.recv(100).startswith(b"-ERR")
        bob.say("DONE")
        assert bob.until("a ").startswith("a OK")


def test_guesses_count_in_all_processes_together(world: World) -> None:
    """Whoever fails at one door is held up at each other one, in each process; and who has logged in from there before is not."""
    with Readers(world, failures=3) as readers:
        readers.fetching(BOB).quit()
        for turn in range(3):
            with pytest.raises(poplib.error_proto, match="AUTH"):
                readers.fetching(password=f"wrong{turn}")
        time.sleep(2)  # the bound that is promised
        for _ in range(6):
            with closing(socket.create_connection(("127.0.0.1", readers.imap), timeout=20)) as client, client.makefile("rwb") as lines:
                lines.write(f'a LOGIN {ANN} "{SECRET}"\r\n'.encode())
                lines.flush()
                assert b"too many logins" in lines.read()
            with pytest.raises(poplib.error_proto, match="too many logins"):
                readers.fetching()
            readers.fetching(BOB)


def test_one_user_has_so_many_sessions(world: World) -> None:
    """In each process; the next is told so, and another user is not."""
    with Readers(world, each=2) as readers:
        refused = []
        for _ in range(12):
            try:
                readers.fetching()
            except poplib.error_proto as error:
                refused.append(str(error))
        assert 8 <= len(refused) <= 10
        assert all("as many sessions" in each for each in refused)
        readers.waiting(BOB)


def test_a_stop_tells_clients_and_a_reload_does_not(world: World) -> None:
    """What is said last is BYE. A door that is asked for no more closes, and who is in is served on."""
    with Readers(world) as readers:
        client, other = readers.waiting(), free_port()
        world.configure(9, more=readers.more.replace(f"127.0.0.1:{readers.pop}", f"127.0.0.1:{other}"))
        readers.daemon.signal(signal.SIGHUP)
        wait_until("the door is elsewhere", lambda: listens(other) and not listens(readers.pop))
        readers.imported()
        assert client.until("* 1 EXISTS").startswith("* 1 EXISTS")
        assert readers.daemon.stop() == 0
        assert client.until("* BYE").startswith("* BYE")
