"""Programs that fetch mail by POP3 as people have them: each logs in over TLS, and has every message once, after a restart too."""

from __future__ import annotations

import asyncio
import contextlib
import poplib
import shutil
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from mailer.popd.reading import PIECE
from tests.fakes.processes import free_port
from tests.mailbox.premises import message
from tests.popd.house import ANN, SECRET, PopHouse, played

from .install import READERS
from .view import run_over

LETTERS = [
    message("one", text=".dot\r\n..two\r\n\r\n.", id="1@example.net"),
    message("two", text="x" * 900, id="2@example.net"),
    message("large", text=("0123456789abcdef" * 4 + "\r\n") * (2 * PIECE // 66), id="3@example.net"),
    message("four", text="\u00fcml\u00e4ut", id="4@example.net"),
]
LATER = message("five", id="5@example.net")


class PopDoor:
    """A door with a certificate of an authority, whose file is `ca`, as a program finds it that keeps its things in `home`."""

    def __init__(self, house: PopHouse, home: Path, implicit: bool) -> None:
        self.house = house
        self.home = home
        self.implicit = implicit
        self.ca = home.parent / "ca.pem"

    async def run(self, *words: str) -> int:
        """How a program ends."""
        return await run_over(READERS, self.home, *words)

    def write(self, name: str, text: str) -> str:
        """A file of the program's, for its owner only."""
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def maildir(self) -> None:
        """A place where messages go."""
        for name in ("cur", "new", "tmp"):
            (self.home / "got" / name).mkdir(parents=True, exist_ok=True)

    def got(self) -> list[bytes]:
        """What the program has by now, with line ends as in the mailbox."""
        return [path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for path in (self.home / "got").glob("*/*")]


async def standard(door: PopDoor, password: str) -> int:
    """Python's own, with a memory of names such as programs have."""

    def fetch() -> int:
        context = ssl.create_default_context(cafile=str(door.ca))
        if door.implicit:
            client: poplib.POP3 = poplib.POP3_SSL("localhost", door.house.port, context=context, timeout=60)
        else:
            client = poplib.POP3("localhost", door.house.port, timeout=60)
            client.stls(context)
        seen = door.home / "seen"
        known = set(seen.read_text().split()) if seen.exists() else set()
        try:
            assert client.capa()["EXPIRE"] == ["NEVER"]
            client.user(ANN)
            client.pass_(password)
        except poplib.error_proto as refused:
            client.close()
            return 1 if b"[AUTH]" in refused.args[0] else 0
        count, size = client.stat()
        sizes = [int(line.split()[1]) for line in client.list()[1]]
        assert (len(sizes), sum(sizes)) == (count, size)
        for line in client.uidl()[1]:
            number, name = line.decode().split()
            if name not in known:
                _, lines, _ = client.retr(int(number))
                content = b"".join(each + b"\r\n" for each in lines)
                assert len(content) == sizes[int(number) - 1]
                assert client.top(int(number), 0)[1] == [*content.partition(b"\r\n\r\n")[0].split(b"\r\n"), b""]
                (door.home / "got/new" / name).write_bytes(content)
                known.add(name)
        seen.write_text(" ".join(known))
        client.quit()
        return 0

    door.maildir()
    return await asyncio.to_thread(fetch)


async def fetchmail(door: PopDoor, password: str) -> int:
    tls = "ssl" if door.implicit else "sslproto TLS1.2+"
    door.maildir()
    rc = door.write(
        "fetchmailrc",
        f'poll localhost proto pop3 port {door.house.port} uidl user "{ANN}" password "{password}" {tls} '
        f'sslcertck sslcertfile "{door.ca}" keep mda "sh -c \'cat > {door.home}/got/new/$$\'"\n',
    )
    code = await door.run("fetchmail", "-f", rc, "-i", str(door.home / "ids"), "--pidfile", str(door.home / "pid"), "--nosyslog", "-v")
    return 0 if code == 1 else code  # there is no new mail


async def mpop(door: PopDoor, password: str) -> int:
    door.maildir()
    rc = door.write(
        "mpoprc",
        f"""account test
host localhost
port {door.house.port}
user {ANN}
password {password}
tls on
tls_starttls {"off" if door.implicit else "on"}
tls_trust_file {door.ca}
keep on
received_header off
uidls_file {door.home}/uidls
delivery maildir {door.home}/got
account default : test
""",
    )
    return await door.run("mpop", "-C", rc, "-d")


async def mpop_by_scram(door: PopDoor, password: str) -> int:
    """The same, with a login in which the password does not travel."""
    door.maildir()
    rc = door.write(
        "mpoprc",
        f"defaults\nhost localhost\nport {door.house.port}\nuser {ANN}\npassword {password}\ntls on\nauth scram-sha-256\n"
        f"tls_starttls {'off' if door.implicit else 'on'}\ntls_trust_file {door.ca}\nkeep on\nreceived_header off\npipelining off\n"
        f"uidls_file {door.home}/uidls\ndelivery maildir {door.home}/got\naccount default\n",
    )
    return await door.run("mpop", "-C", rc, "-d")


async def getmail(door: PopDoor, password: str) -> int:
    door.maildir()
    rc = door.write(
        "getmailrc",
        f"""[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = {door.house.port}
username = {ANN}
password = {password}
ca_certs = {door.ca}
timeout = 60
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > {door.home}/got/new/$$")
allow_root_commands = true
[options]
read_all = false
delete = false
verbose = 2
delivered_to = false
received = false
""",
    )
    return await door.run("getmail", f"--getmaildir={door.home}", f"--rcfile={rc}")


Fetch = Callable[[PopDoor, str], Awaitable[int]]
FOREIGN: dict[Fetch, str] = {fetchmail: "fetchmail", mpop: "mpop", mpop_by_scram: "mpop", getmail: "getmail"}
READER = [
    pytest.param(standard, id="poplib"),
    *(pytest.param(each, id=each.__name__, marks=pytest.mark.peer(name, "unshare", root=True)) for each, name in FOREIGN.items()),
]


def at_a_door(home: Path, house: PopHouse | None, implicit: bool, test: Callable[[PopDoor], Awaitable[None]], port: int = 0) -> PopHouse:
    """Do `test` at a door in front of the mailboxes of `house`, which has stopped; returns the house that did it. Some programs know
    messages by the `port` as well."""
    chain = home.parent / "pop.pem"
    made = PopHouse(house and house.premises, port=port, tls="implicit" if implicit else "starttls", certificate_file=str(chain))

    async def play(opened: PopHouse) -> None:
        try:
            await test(PopDoor(opened, home, implicit))
        except BaseException:
            with contextlib.suppress(OSError):
                print((home / "said").read_text(errors="replace"))
            raise

    played(made, play)
    return made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a program keeps its things, beside the files of the authority."""
    authority = trustme.CA()
    authority.issue_cert("localhost", common_name="localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pop.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def same(content: bytes, letter: bytes) -> bool:
    """Whether a program has a message as it is; of the end of its last line some think otherwise, and some write fields above it."""
    return content.rstrip(b"\r\n").endswith(letter.rstrip(b"\r\n"))


@pytest.mark.parametrize("implicit", [True, False], ids=["tls", "stls"])
@pytest.mark.parametrize("fetch", READER)
def test_everything_is_fetched_once(home: Path, fetch: Fetch, implicit: bool) -> None:
    """With a wrong password nothing; then all of it, octet by octet; after a restart of the server nothing, and then what is new."""
    if fetch is getmail and not implicit:
        pytest.skip("getmail speaks TLS from the first octet on")

    async def first(door: PopDoor) -> None:
        door.house.put(*LETTERS)
        assert await fetch(door, "wrong") != 0
        assert door.got() == []
        assert await fetch(door, SECRET) == 0
        await again(door)

    async def again(door: PopDoor) -> None:
        assert await fetch(door, SECRET) == 0
        found = door.got()
        assert len(found) == len(LETTERS)
        assert all(any(same(content, letter) for content in found) for letter in LETTERS)

    async def more(door: PopDoor) -> None:
        await again(door)
        door.house.put(LATER)
        assert await fetch(door, SECRET) == 0
        assert len(door.got()) == len(LETTERS) + 1
        assert any(same(content, LATER) for content in door.got())
        assert len(door.house.left()) == len(LETTERS) + 1

    port = free_port()
    house = at_a_door(home, None, implicit, first, port)
    at_a_door(home, house, implicit, more, port)


@pytest.mark.parametrize("implicit", [True, False], ids=["tls", "stls"])
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(home: Path, implicit: bool) -> None:
    """It lists, fetches, asks for the top and deletes, over TLS that it requires."""

    async def test(door: PopDoor) -> None:
        door.house.put(*LETTERS)

        async def curl(path: str, *more: str) -> bytes:
            scheme = "pop3s" if implicit else "pop3"
            program = await asyncio.create_subprocess_exec(
                "curl", "-sS", "--ssl-reqd", "--cacert", str(door.ca), "-u", f"{ANN}:{SECRET}", *more,
                f"{scheme}://localhost:{door.house.port}/{path}", stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            said, _ = await program.communicate()
            assert program.returncode == 0
            return said

        assert await curl("") == b"".join(b"%d %d\r\n" % (number, len(letter)) for number, letter in enumerate(LETTERS, 1))
        for number, letter in enumerate(LETTERS, 1):
            assert await curl(str(number)) == letter
        assert len((await curl("", "-X", "UIDL")).splitlines()) == len(LETTERS)
        assert (await curl("", "-X", "TOP 1 0")) == LETTERS[0].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        await curl("2", "-X", "DELE", "-l")
        assert len(door.house.left()) == len(LETTERS) - 1

    at_a_door(home, None, implicit, test)
