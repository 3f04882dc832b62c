"""The Debian package on a machine: installed in place of another MTA, used by everybody, upgraded with a full queue, removed, purged.

The tests are the days of one machine, in their order; each stands on those before it.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer import __version__
from mailer.sink import Moods, SinkThread
from mailer.spool.files.layout import DIRECTORIES
from tests.cli.dialogue import Dialogue
from tests.fakes.processes import wait_until

from .conftest import TREE
from .machine import Throwaway, tree
from .newer import newer

pytestmark = [
    pytest.mark.peer("dpkg-deb", "unshare", "nsenter", "apt-get", root=True),
    pytest.mark.xdist_group("packaging"),
    pytest.mark.timeout(900),  # the first that asks for the package builds it, and pip takes what time it takes
]

PLACES = ("etc/mailer", "var/spool/mailer", "var/lib/mailer", "usr/lib/mailer", "etc/systemd/system/mailer.service.d")
FULL = 200  # messages


@pytest.fixture(scope="module")
def sink() -> Iterator[SinkThread]:
    """The relay of the machine."""
    with SinkThread(Moods()) as sink:
        yield sink


def waiting(machine: Throwaway) -> int:
    """How many messages are in the queue."""
    return sum(1 for name in ("queued", "deferred", "held", "drop") for _ in machine.path(f"var/spool/mailer/{name}").iterdir())


def test_the_queue_is_made_as_the_program_makes_it() -> None:
    """What tmpfiles.d has is what a spool consists of."""
    lines = [line.split() for line in (TREE / "packaging/debian/tmpfiles.conf").read_text().splitlines() if line.startswith("d ")]
    made = {Path(path).relative_to("/var/spool/mailer").name: mode for _, path, mode, *_ in lines}
    assert made == {"": "0711", "drop": "3733", **dict.fromkeys(DIRECTORIES, "0700")}


def test_it_is_installed(machine: Throwaway, package: Path, sink: SinkThread) -> None:
    """By one command and the answers; it takes the place of the MTA that was there, and its configuration is right."""
    machine.answers(way="relay", relay=f"127.0.0.1:{sink.port}", root="ops@example.net", mailname="web1.example.com")
    machine.write("etc/aliases", "postmaster: root\n")
    machine.install(machine.copy(package))
    assert machine.state("mailer-mta") == "ii"
    assert machine.state("postfix") in ("", "un", "rc")
    assert machine.run("mailer", "--version") == f"mailer {__version__}\n"
    assert "is right" in machine.run("mailer", "config", "check")
    assert machine.run("readlink", "-f", "/usr/lib/sendmail", "/usr/bin/mailq", "/usr/bin/newaliases").split() == ["/usr/sbin/sendmail"] * 3
    assert machine.path("etc/aliases").read_text() == "postmaster: root\nroot: ops@example.net\n"
    assert "mailer-queue - " in machine.run("mailer", "help", "queue")
    assert json.loads(machine.run("mailer", "api", "openapi"))["openapi"]  # the extra web is there
    machine.run("/usr/lib/mailer/bin/python3", "-c", "import aio_pika")
    for place in ("bash-completion/completions/mailer", "zsh/vendor-completions/_mailer", "fish/vendor_completions.d/mailer.fish"):
        assert machine.path(f"usr/share/{place}").is_file()
    unit = TREE / "packaging/systemd/mailer.service"
    assert machine.path("lib/systemd/system/mailer.service").read_text() == unit.read_text()


@pytest.mark.parametrize(
    ("answers", "relay"),
    [
        ({"way": "relay", "relay": "no host!"}, {}),
        ({"relay": "[2001:db8::25]:2525"}, {"host": "2001:db8::25", "port": 2525, "tls": "opportunistic"}),
        (
            {"relay": "smtp.example.com", "username": 'we"b\\1', "password": "pass word"},
            {"host": "smtp.example.com", "port": 587, "tls": "starttls", "username": 'we"b\\1'},
        ),
    ],
    ids=str,
)
def test_what_is_made_of_the_answers(machine: Throwaway, answers: dict[str, str], relay: dict[str, object]) -> None:
    """A configuration that is right, whatever they are; a password goes into a file of the daemon's user, and is forgotten."""
    machine.answers(**{"way": "relay", "relay": "", "username": "", **answers})
    machine.run("/var/lib/dpkg/info/mailer-mta.postinst", "configure", __version__)
    made = tomllib.loads(machine.path("etc/mailer/config.toml").read_text())
    assert made.get("relay", {}).get("out", {}).items() >= relay.items()
    assert ("route" in made) == bool(relay)
    assert "is right" in machine.run("mailer", "config", "check")
    if password := answers.get("password"):
        secret = machine.path("etc/mailer/relay.secret")
        assert secret.read_text() == f"{password}\n"
        assert machine.run("stat", "-c%a %U", "/etc/mailer/relay.secret") == "600 mailer\n"
        stored = "".join(path.read_text() for path in machine.path("var/cache/debconf").glob("*.dat"))
        assert password not in stored


def test_what_cannot_be_is_asked_again(machine: Throwaway) -> None:
    """At a terminal, where it was typed; a machine without a domain is asked for one."""
    machine.write("etc/aliases", "postmaster: root\n")
    machine.write("etc/mailname", "web1\n")
    nsenter, *words = machine.argv("env", "TERM=xterm", "DEBIAN_FRONTEND=teletype", "dpkg-reconfigure", "mailer-mta")
    with Dialogue(words, machine.env, [shutil.which(nsenter) or nsenter]) as said:
        said.answers("How mail leaves this machine:", "relay")
        said.answers("Relay:", "two words")
        said.answers("Relay:", "smtp.example.com")
        said.answers("Name to log in with at the relay:", "")
        said.answers("Address that gets the mail of root:", "no address")
        said.hears('"no address" is nothing that was asked for.')
        said.answers("Address that gets the mail of root:", "ops@example.net")
        said.answers("Domain of the users of this machine:", "web1.example.com")
        assert said.ends() == 0
    assert machine.path("etc/aliases").read_text() == "postmaster: root\nroot: ops@example.net\n"
    made = tomllib.loads(machine.path("etc/mailer/config.toml").read_text())
    assert (made["relay"]["out"]["host"], made["submission"]["default_domain"]) == ("smtp.example.com", "web1.example.com")
    assert machine.path("etc/mailname").read_text() == "web1.example.com\n"


def test_an_address_that_is_none_spoils_no_aliases(machine: Throwaway) -> None:
    """Where nobody is asked, as with answers given beforehand: it is said, and mail leaves all the same."""
    machine.write("etc/aliases", "postmaster: root\n")
    machine.answers(way="relay", relay="smtp.example.com", root="no address", mailname="web1.example.com")
    said = machine.run("/var/lib/dpkg/info/mailer-mta.postinst", "configure", __version__)
    assert "mailer-mta: 'no address' is no address; /etc/aliases stays as it is" in said
    assert machine.path("etc/aliases").read_text() == "postmaster: root\n"
    assert "relay" in tomllib.loads(machine.path("etc/mailer/config.toml").read_text())


def test_another_program_that_needs_an_mta_brings_none(machine: Throwaway, sink: SinkThread) -> None:
    """Ours is the one that it asks for."""
    machine.answers(way="relay", relay=f"127.0.0.1:{sink.port}", username="", root="ops@example.net")
    machine.run("/var/lib/dpkg/info/mailer-mta.postinst", "configure", __version__)
    said = machine.install("bsd-mailx", "cron")
    assert machine.state("mailer-mta") == machine.state("bsd-mailx") == machine.state("cron") == "ii"
    assert "mailer-mta" not in said


def test_everybody_sends_before_a_daemon_runs(machine: Throwaway) -> None:
    """Root, and others, who have no right to the queue: the mail waits."""
    machine.run("mail", "-s", "root, early", "root", input="text\n")
    machine.run("mail", "-s", "nobody, early", "root", input="text\n", user="nobody", env={"HOME": "/"})
    assert waiting(machine) == 2


def test_the_mail_of_cron_arrives(machine: Throwaway, sink: SinkThread) -> None:
    """Root's mail goes to the address that was answered, by way of the relay; and so does what waited, and what others send now."""
    machine.write("etc/cron.d/hello", "@reboot root echo hello\n")
    with machine.daemon():
        cron = machine.start("cron", "-f")
        machine.run("mail", "-s", "nobody, late", "root", input="text\n", user="nobody", env={"HOME": "/"})
        wait_until("four messages arrive", lambda: sink.count >= 4)
        cron.stop()
    assert {recipient for each in sink.messages for recipient in each.recipients} == {"ops@example.net"}
    senders = sorted(each.sender for each in sink.messages)
    assert senders == ["nobody@web1.example.com"] * 2 + ["root@web1.example.com"] * 2
    assert any(b"hello" in each.content for each in sink.messages)


def test_an_upgrade_loses_nothing(machine: Throwaway, package: Path, sink: SinkThread, tmp_path: Path) -> None:
    """A full queue, half of it tried once, waits through it; what an administrator has changed stays; the new program delivers it."""
    sink.moods = Moods(replies={"rcpt": "451 4.7.1 later"})
    batch = "".join(f'{{"to_addresses": ["a{number}@example.net"], "subject": "s", "body_plain": "t"}}\n' for number in range(FULL))
    with machine.daemon():
        machine.run("mailer", "send", "--batch", input=batch[: len(batch) // 2].rpartition("\n")[0] + "\n")
        wait_until("all are tried", lambda: not any(machine.path("var/spool/mailer/queued").iterdir()))
    first = waiting(machine)
    machine.run("mailer", "send", "--batch", input="".join(batch.splitlines(keepends=True)[first:]))
    assert waiting(machine) == FULL
    config = machine.path("etc/mailer/config.toml")
    config.write_text(config.read_text().replace("[submission]\n", "[submission]\nmax_recipients = 77\n"))
    edited = config.read_text()

    machine.run("dpkg", "--install", machine.copy(newer(package, tmp_path)))
    assert machine.run("mailer", "--version") == f"mailer {__version__}+1\n"
    assert config.read_text() == edited
    assert waiting(machine) == FULL
    before = sink.count
    sink.moods = Moods()
    with machine.daemon():
        machine.run("mailer", "queue", "retry", "--all")
        wait_until("all are delivered", lambda: sink.count >= before + FULL)
    assert {to for each in sink.messages[before:] for to in each.recipients} == {f"a{number}@example.net" for number in range(FULL)}


def test_removing_keeps_what_was_made(machine: Throwaway) -> None:
    """Configuration and queue stay, and it is said how much waits; the program and its links are gone."""
    machine.run("mailer", "send", "--to", "a@example.net", "--text", "x", "--subject", "stays")
    said = machine.run("dpkg", "--remove", "mailer-mta", "bsd-mailx")
    assert "mailer-mta: 1 of the messages in /var/spool/mailer did not leave this machine" in said
    assert machine.path("etc/mailer/config.toml").exists()
    assert waiting(machine) == 1
    assert tree(machine.root, ["usr/lib/mailer"]) == []
    assert not any(machine.path(name).is_symlink() for name in ("usr/lib/sendmail", "usr/bin/mailq"))


def test_purging_leaves_nothing(machine: Throwaway) -> None:
    """The message that waited goes too, which is said; the aliases are the machine's."""
    said = machine.run("dpkg", "--purge", "mailer-mta")
    assert "1 of the messages in /var/spool/mailer never left this machine; they are deleted" in said
    assert machine.state("mailer-mta") in ("", "un")
    assert [name for name in PLACES if machine.path(name).exists()] == []
    assert "mailer:" not in machine.path("etc/passwd").read_text() + machine.path("etc/group").read_text()
    assert machine.path("etc/aliases").exists()
    assert "mailer-mta" not in machine.run("debconf-show", "mailer-mta")
