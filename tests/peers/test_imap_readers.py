"""Programs that read mail by IMAP, over TLS, at a real `mailer access`: all arrives, flags go both ways, nothing comes twice."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mailbox.premises import message

from .install import HERE, node
from .npmservers import MODULES
from .reading import LETTERS, MBSYNCS, SECRET, Reading

LATER = message("five", id="5@example.net")
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    """One process for all tests."""
    with Reading(tmp_path_factory.mktemp("served")) as opened:
        yield opened


@pytest.fixture
def reading(served: Reading, tmp_path: Path) -> Reading:
    """See `Reading`; a mailbox of the test's own, with four messages."""
    served.move_in(f"ann{next(NUMBERS)}", tmp_path)
    served.put(*LETTERS)
    return served


def same(found: list[bytes], letters: list[bytes]) -> bool:
    """Whether a program has each message once; of the end of its last line some think otherwise, and some write fields above it."""
    return len(found) == len(letters) and all(any(each.rstrip().endswith(one.rstrip()) for each in found) for one in letters)


@pytest.mark.parametrize("implicit", [True, False], ids=["tls", "starttls"])
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(reading: Reading, implicit: bool) -> None:
    """It lists, fetches, searches, puts and looks, over TLS that it requires."""
    url = f"imaps://localhost:{reading.imaps}" if implicit else f"imap://localhost:{reading.imap}"

    def curl(path: str, *more: str) -> bytes:
        words = ["curl", "-sS", "--ssl-reqd", "--cacert", str(reading.ca), "-u", f"{reading.user}:{SECRET}", *more, f"{url}/{path}"]
        return subprocess.run(words, capture_output=True, check=True, timeout=60).stdout

    assert b'"/" "INBOX"\r\n' in curl("") or b'"/" INBOX\r\n' in curl("")
    assert [curl(f"INBOX;MAILINDEX={number}") for number in range(1, 5)] == LETTERS
    assert curl("INBOX;UID=2;SECTION=TEXT") == LETTERS[1].partition(b"\r\n\r\n")[2]
    assert curl("INBOX?SUBJECT%20large").split() == [b"*", b"SEARCH", b"3"]
    reading.home.joinpath("later").write_bytes(LATER)
    curl("INBOX", "-T", str(reading.home / "later"))
    assert b"* 5 EXISTS" in curl("", "-X", "EXAMINE INBOX")
    assert reading.bodies() == [*LETTERS, LATER]


MBSYNC = """
IMAPAccount far
Host localhost
Port {port}
User {user}
Pass {secret}
{tls}
CertificateFile {ca}

IMAPStore far
Account far

MaildirStore near
Path {home}/Mail/
Inbox {home}/Mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""


@pytest.mark.parametrize("implicit", [True, False], ids=["tls", "starttls"])
@pytest.mark.peer("mbsync", "unshare", root=True)
def test_mbsync(reading: Reading, implicit: bool) -> None:
    """Both ways: folders made on either side, flags, what is new and what is taken out; where nothing has changed nothing is done."""
    (reading.home / "Mail").mkdir()
    tls = "SSLType IMAPS" if implicit else "SSLType STARTTLS"
    port = reading.imaps if implicit else reading.imap
    text = MBSYNC.format(port=port, user=reading.user, secret=SECRET, tls=tls, ca=reading.ca, home=reading.home)
    words = ["mbsync", "-c", reading.write("mbsyncrc", text), "-a", "-V"]
    client = reading.own()
    client.create("Far/Side")
    client.logout()
    assert reading.run(*words) == 0
    assert same([*reading.files("Mail/INBOX").values()], LETTERS)
    assert (reading.home / "Mail/Far/Side/cur").is_dir()
    before = reading.files("Mail/INBOX")
    assert reading.run(*words) == 0
    assert reading.files("Mail/INBOX") == before
    for name in ("cur", "new", "tmp"):
        (reading.home / "Mail/Near" / name).mkdir(parents=True)
    (reading.home / "Mail/Near/new/1.1.host").write_bytes(LATER.replace(b"\r\n", b"\n"))
    flagged, gone = (next(each for each, content in before.items() if word in content) for word in (b"Subject: one", b"Subject: two"))
    inbox = reading.home / "Mail/INBOX"
    for name, flags in ((flagged, "FS"), (gone, "T")):
        path = next(inbox.glob(f"*/{name}"))
        path.rename(inbox / "cur" / f"{name.partition(':')[0]}:2,{flags}")
    client = reading.own()
    client.select("INBOX")
    client.store("4", "+FLAGS", r"(\Answered)")
    client.logout()
    assert reading.run(*words) == 0
    assert [flags - {b"\\Recent"} for flags in reading.flags()] == [{b"\\Flagged", b"\\Seen"}, frozenset(), {b"\\Answered"}]
    assert same([MBSYNCS.sub(b"", each) for each in reading.bodies("Near")], [LATER])
    assert any(name.partition(":2,")[2] == "R" for name in reading.files("Mail/INBOX"))
    assert len(reading.files("Mail/INBOX")) == 3


@pytest.mark.peer("mbsync", "unshare", root=True)
def test_mbsync_and_keywords(reading: Reading) -> None:
    """It asks for the namespace; of keywords it knows $Forwarded, which goes both ways, and those that it does not know stay."""
    (reading.home / "Mail").mkdir()
    text = MBSYNC.format(port=reading.imaps, user=reading.user, secret=SECRET, tls="SSLType IMAPS", ca=reading.ca, home=reading.home)
    words = ["mbsync", "-c", reading.write("mbsyncrc", text), "-a", "-D"]
    client = reading.own()
    client.select("INBOX")
    client.store("1", "+FLAGS", r"($Forwarded $Work)")
    client.store("2", "+FLAGS", r"($Work)")
    assert reading.run(*words) == 0
    inbox = reading.home / "Mail/INBOX"
    assert same([content for name, content in reading.files("Mail/INBOX").items() if name.endswith(":2,P")], LETTERS[:1])
    name = next(name for name, content in reading.files("Mail/INBOX").items() if b"Subject: two" in content)
    next(inbox.glob(f"*/{name}")).rename(inbox / "cur" / f"{name.partition(':')[0]}:2,PS")
    client.store("1", "-FLAGS", r"($Forwarded)")
    client.logout()
    assert reading.run(*words) == 0
    told = [flags - {b"\\Recent"} for flags in reading.flags()]
    assert told == [{b"$Work"}, {b"$Work", b"$Forwarded", b"\\Seen"}, frozenset(), frozenset()]
    assert not any(name.endswith(":2,P") for name in reading.files("Mail/INBOX"))
    said = (reading.home / "said").read_text(errors="replace")
    assert said.count("* NAMESPACE ") == 2
    assert " BAD " not in said


@pytest.mark.peer("offlineimap", "unshare", root=True)
def test_offlineimap(reading: Reading) -> None:
    """The first time all, the second nothing; a flag goes either way."""
    rc = reading.write(
        "offlineimaprc",
        f"""[general]
accounts = ann
metadata = {reading.home}/meta
[Account ann]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {reading.home}/Mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {reading.imaps}
remoteuser = {reading.user}
remotepass = {SECRET}
ssl = yes
sslcacertfile = {reading.ca}
""",
    )
    words = ("offlineimap", "-c", rc, "-o", "-u", "basic")
    assert reading.run(*words) == 0
    before = reading.files("Mail/INBOX")
    assert same([content.replace(b"X-OfflineIMAP", b"x") for content in before.values()], LETTERS)
    assert reading.run(*words) == 0
    assert reading.files("Mail/INBOX") == before
    path = next(path for path in (reading.home / "Mail/INBOX").glob("*/*") if b"Subject: one" in path.read_bytes())
    path.rename(path.parent.parent / "cur" / (path.name.partition(":2,")[0] + ":2,FS"))
    client = reading.own()
    client.select("INBOX")
    client.store("4", "+FLAGS", r"(\Answered)")
    client.logout()
    assert reading.run(*words) == 0
    assert [flags - {b"\\Recent"} for flags in reading.flags()] == [{b"\\Flagged", b"\\Seen"}, frozenset(), frozenset(), {b"\\Answered"}]
    assert any(name.partition(":2,")[2] == "R" for name in reading.files("Mail/INBOX"))


@pytest.mark.peer("getmail", "unshare", root=True)
def test_getmail(reading: Reading) -> None:
    """It has all, and the second time nothing."""
    for name in ("cur", "new", "tmp"):
        (reading.home / "got" / name).mkdir(parents=True)
    rc = reading.write(
        "getmailrc",
        f"""[retriever]
type = SimpleIMAPSSLRetriever
server = localhost
port = {reading.imaps}
username = {reading.user}
password = {SECRET}
ca_certs = {reading.ca}
timeout = 60
[destination]
type = MDA_external
path = /bin/sh
arguments = ("-c", "cat > {reading.home}/got/new/$$")
allow_root_commands = true
[options]
read_all = false
delivered_to = false
received = false
""",
    )
    for _ in range(2):
        assert reading.run("getmail", f"--getmaildir={reading.home}", f"--rcfile={rc}") == 0
        got = [*reading.files("got").values()]
        assert same([each.partition(b"\r\n\r\n")[2] for each in got], [each.partition(b"\r\n\r\n")[2] for each in LETTERS])


@pytest.mark.parametrize("implicit", [True, False], ids=["tls", "starttls"])
@pytest.mark.peer("fetchmail", "unshare", root=True)
def test_fetchmail(reading: Reading, implicit: bool) -> None:
    """It fetches what is unseen, and leaves it there, seen."""
    (reading.home / "got/new").mkdir(parents=True)
    tls = "ssl" if implicit else "sslproto TLS1.2+"
    port = reading.imaps if implicit else reading.imap
    rc = reading.write(
        "fetchmailrc",
        f'poll localhost proto imap port {port} user "{reading.user}" password "{SECRET}" {tls} sslcertck sslcertfile "{reading.ca}" '
        f"keep mda \"sh -c 'cat > {reading.home}/got/new/$$'\"\n",
    )
    words = ("fetchmail", "-f", rc, "-i", str(reading.home / "ids"), "--pidfile", str(reading.home / "pid"), "--nosyslog", "-v")
    assert reading.run(*words) == 0
    assert reading.run(*words) == 1  # there is no new mail
    assert same([*reading.files("got").values()], LETTERS)
    assert all(b"\\Seen" in flags for flags in reading.flags())


MUTT = """
set folder="imaps://localhost:{port}/" spoolfile="imaps://localhost:{port}/INBOX" imap_user="{user}" imap_pass="{secret}"
set certificate_file="{ca}" ssl_verify_host=yes imap_qresync=yes imap_condstore=yes header_cache="{home}/cache"
set delete=yes quit=yes confirmappend=no confirmcreate=no wait_key=no move=no sleep_time=0 resolve=no
push '{keys}<sync-mailbox><exit>'
"""
FIRST = "<first-entry><flag-message><copy-message>=Archive<enter><last-entry><delete-message>"


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("mutt", marks=pytest.mark.peer("mutt reader", "unshare", root=True)),
        pytest.param("neomutt", marks=pytest.mark.peer("neomutt", "unshare", root=True)),
    ],
)
def test_mutt(reading: Reading, program: str) -> None:
    """It notes a flag, copies into another folder, and takes a message out; with its cache of headers and QRESYNC it comes again."""

    def drive(keys: str) -> None:
        rc = reading.write(
            "muttrc", MUTT.format(port=reading.imaps, user=reading.user, secret=SECRET, ca=reading.ca, home=reading.home, keys=keys)
        )
        assert reading.run("timeout", "20", "script", "-qec", f"{program} -n -F {rc}", "/dev/null", terminal="xterm") == 0

    drive(FIRST)
    assert [b"\\Flagged" in flags for flags in reading.flags()] == [True, False, False]
    assert same(reading.bodies("Archive"), LETTERS[:1])
    reading.put(LATER)
    drive("<last-entry><flag-message>")
    assert [b"\\Flagged" in flags for flags in reading.flags()] == [True, False, False, True]


ALPINE = """
user-domain=example.com
inbox-path={{localhost:{port}/ssl/user={user}}}INBOX
folder-collections=Far {{localhost:{port}/ssl/user={user}}}[]
feature-list=quit-without-confirm,expunge-without-confirm,enable-flag-cmd,disable-password-file-saving,save-will-not-delete
last-version-used=9.99.999
"""
SHOWN = (  # what it shows, and what is typed then
    ("ENTER PASSWORD", f"{SECRET}\\r"), ("4 messages", "*"), ("Important [?]", "*"), ("Flag New", "s"), ("SAVE", "Archive\\r"),
    ("Saving +DONE|copied to", "nd"), ("marked for deletion", "x"), ("Expunging +DONE|1 message expunged", "q"), ("finished", ""),
)  # fmt: skip
AT_REST = """until grep -Eaqs '{shown}' shown; do sleep 0.02; done
until [ "$(stat -c %s shown)" = "$size" ]; do size=$(stat -c %s shown); sleep 0.15; done
printf '{keys}'
"""  # what is typed while it draws it throws away


@pytest.mark.peer("alpine", "unshare", root=True)
def test_alpine(reading: Reading) -> None:
    """It notes a flag, saves into another folder, and takes a message out; it trusts the certificate."""
    rc = reading.write("pinerc", ALPINE.format(port=reading.imaps, user=reading.user))
    typed = "".join(AT_REST.format(shown=shown, keys=keys) for shown, keys in SHOWN)
    person = f"({typed}) | SSL_CERT_FILE={reading.ca} script -fqec 'stty rows 40 cols 120; alpine -p {rc} -i' shown"
    assert reading.run("timeout", "20", "sh", "-c", person, terminal="xterm") == 0
    assert [b"\\Flagged" in flags for flags in reading.flags()] == [True, False, False]
    assert same(reading.bodies("Archive"), LETTERS[:1])
    assert reading.bodies() == [LETTERS[0], *LETTERS[2:]]


def test_the_names_that_pop3_tells_of_copies_differ(reading: Reading) -> None:
    """Of a message that is in the inbox twice."""
    client = reading.own()
    client.select("INBOX")
    assert client.copy("1:4", "INBOX")[0] == "OK"
    client.logout()
    pop = reading.pop()
    names = [line.split()[1] for line in pop.uidl()[1]]
    pop.quit()
    assert len(set(names)) == len(names) == 8


@pytest.mark.peer("imapflow")
def test_imapflow(reading: Reading) -> None:
    """It reads, notes, finds, copies and moves; by QRESYNC it hears what it missed, and while it waits of a message within 100 ms."""
    words = [node(), str(HERE / "node/imapflow.js"), str(reading.imaps), str(reading.ca), reading.user, SECRET]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "MODULES": str(MODULES)})
    assert done.returncode == 0, done.stderr
    assert same(reading.bodies("Archive"), LETTERS[:2])
    told = json.loads(done.stdout)
    assert [base64.b64decode(each) for each in told["sources"]] == LETTERS
    assert told["heard"] < 100


def test_aioimaplib_hears_of_what_another_process_delivers(reading: Reading) -> None:
    """While it waits, within 100 ms of the end of the command that puts a message into the mailbox."""
    aioimaplib = pytest.importorskip("aioimaplib", reason="aioimaplib is not installed")
    mbox = reading.write("mbox", "From bob@example.net Tue Dec  1 12:00:00 2026\n" + LATER.decode().replace("\r\n", "\n") + "\n")

    async def run() -> None:
        context = ssl.create_default_context(cafile=str(reading.ca))
        client = aioimaplib.IMAP4_SSL(host="localhost", port=reading.imaps, timeout=20, ssl_context=context)
        await client.wait_hello_from_server()
        assert (await client.login(reading.user, SECRET)).result == "OK"
        assert (await client.select("INBOX")).result == "OK"
        idle = await client.idle_start(timeout=60)

        async def put() -> float:
            await asyncio.to_thread(reading.mailer, "mailbox", "import", reading.user, mbox)
            return time.monotonic()

        async def heard() -> float:
            while b"5 EXISTS" not in await client.wait_server_push(30):
                pass
            return time.monotonic()

        ended, at = await asyncio.gather(put(), heard())
        assert at - ended < 0.1
        client.idle_done()
        await asyncio.wait_for(idle, 10)
        lines = (await client.fetch("5", "(BODY.PEEK[])")).lines
        assert bytes(lines[1]) == LATER
        await client.logout()

    asyncio.run(run())
