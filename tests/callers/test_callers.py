"""Programs of Debian that call sendmail, unchanged, as their users start them: what they send arrives, and is right.

Each is started with our sendmail at ``/usr/sbin/sendmail`` and no setting that names it, except where its manual asks for one.
"""

from __future__ import annotations

import re
import shutil

import pytest

from mailer.spool.files.store import SpoolDirectory
from tests.fakes.processes import Program, wait_until
from tests.peers.install import CALLERS

from .machine import ATJOBS, ATSPOOL, CRONTABS, Machine

SUBJECT = "Grüße aus Köln – 100 €"
TEXT = "Schöne Grüße\n\n.\nvon hinter dem Punkt\n"
PICTURE = bytes(range(256)) * 8
"""An attachment that no line end and no character set survives by chance."""

caller = pytest.mark.peer


def check_attachment(machine: Machine, name: str) -> None:
    """`PICTURE` came whole, under its name."""
    attachments = {part.get_filename(): part.get_content() for part in machine.came().message.iter_attachments()}
    assert attachments == {name: PICTURE}


def php() -> str:
    """What PHP is called: with its version where no package manager made the link."""
    return max((path.name for path in CALLERS.glob("usr/bin/php[0-9]*")), default="php")


# Daemons


@caller("cron", "unshare", root=True)
def test_cron(machine: Machine) -> None:
    """What a job prints comes to whom MAILTO names, from the user of the crontab, in the job's character set."""
    table = machine.own / CRONTABS / "root"
    table.write_text(f"MAILTO=ann@example.net\nCONTENT_TYPE=\"text/plain; charset=utf-8\"\n@reboot echo '{SUBJECT}'; echo .\n")
    table.chmod(0o600)
    with Program(machine.argv("cron", "-f", "-L", "0"), machine.own / "log", env=machine.env):
        wait_until("cron has sent its mail", machine.queued)
    came = machine.came()
    assert (came.sender, came.recipients) == ("root@here.example", ["ann@example.net"])
    assert came.message["Subject"].startswith("Cron <root@")
    assert b"(Cron Daemon)" in came.content
    assert came.text.splitlines() == [SUBJECT, "."]


@caller("cron", "unshare", root=True)
def test_cron_without_mailto(machine: Machine) -> None:
    """Then it is for the owner of the crontab, and our rules say who that is: nobody at a public domain."""
    table = machine.own / CRONTABS / "root"
    table.write_text("@reboot echo the disk is full\n")
    table.chmod(0o600)
    with Program(machine.argv("cron", "-f", "-L", "0"), machine.own / "log", env=machine.env):
        wait_until("cron has sent its mail", machine.queued)
    came = machine.came()
    assert came.recipients == ["ops@example.net"]
    assert came.text == "the disk is full\n"


@caller("atd", "unshare", root=True)
def test_at(machine: Machine) -> None:
    """The output of a job comes to the user who gave it."""
    for name in (ATJOBS, ATSPOOL):
        machine.own.joinpath(name).chmod(0o1770)
        shutil.chown(machine.own / name, "daemon", "daemon")
    machine.own.joinpath(ATJOBS, ".SEQ").write_text("0")
    machine.run("at", "now", input="printf '%s\\n' 'the job is done' . end\n")
    with Program(machine.argv("atd", "-f"), machine.own / "log", env=machine.env):
        wait_until("atd has sent its mail", machine.queued)
    came = machine.came()
    assert came.recipients == ["ops@example.net"]
    assert came.message["Subject"].startswith("Output from your job")
    assert came.text.splitlines()[-3:] == ["the job is done", ".", "end"]


# Mail programs


@caller("bsd-mailx", "unshare", root=True)
def test_bsd_mailx(machine: Machine) -> None:
    """Sender, copies, subject and text."""
    machine.run(
        "bsd-mailx", "-r", "me@here.example", "-s", SUBJECT, "-c", "cc@example.net", "-b", "bcc@example.net", "to@example.net", input=TEXT
    )
    came = machine.came()
    assert came.sender == "me@here.example"
    assert sorted(came.recipients) == ["bcc@example.net", "cc@example.net", "to@example.net"]
    assert (came.message["Subject"], came.message["Cc"], came.message["Bcc"]) == (SUBJECT, "cc@example.net", None)
    assert "Schöne Grüße" in came.text


@caller("s-nail", "unshare", root=True)
def test_s_nail(machine: Machine) -> None:
    """With an attachment."""
    machine.root("picture.bin", PICTURE)
    machine.run(
        "s-nail", "-r", "me@here.example", "-s", SUBJECT, "-a", "picture.bin", "-b", "bcc@example.net", "to@example.net", input=TEXT
    )
    came = machine.came()
    assert (came.sender, came.message["From"]) == ("me@here.example", "me@here.example")
    assert sorted(came.recipients) == ["bcc@example.net", "to@example.net"]
    assert (came.message["Subject"], came.message["Bcc"]) == (SUBJECT, None)
    assert came.text == TEXT
    check_attachment(machine, "picture.bin")


@caller("mutt", "unshare", root=True)
def test_mutt(machine: Machine) -> None:
    """With an attachment, and with what it asks of reports."""
    machine.root("picture.bin", PICTURE)
    machine.root(".muttrc", "set from=me@here.example use_envelope_from=yes dsn_notify='failure,delay' dsn_return=hdrs copy=no\n")
    machine.run("mutt", "-s", SUBJECT, "-a", "picture.bin", "-b", "bcc@example.net", "--", "to@example.net", input=TEXT)
    [waiting] = SpoolDirectory(str(machine.spool)).ids("queued")
    assert SpoolDirectory(str(machine.spool)).read(waiting).envelope.options == {"notify": "FAILURE,DELAY", "ret": "HDRS"}
    came = machine.came()
    assert came.sender == "me@here.example"
    assert sorted(came.recipients) == ["bcc@example.net", "to@example.net"]
    assert (came.message["Subject"], came.message["Bcc"]) == (SUBJECT, None)
    assert came.text == TEXT
    check_attachment(machine, "picture.bin")


# Programs that send reports, patches and what else


@caller("git send-email", "unshare", root=True)
def test_git_send_email(machine: Machine) -> None:
    """A series of two patches, threaded, with an author beyond ASCII."""
    machine.root(".gitconfig", "[user]\n\tname = Jörg Müller\n\temail = joerg@here.example\n")
    script = """
    git init -q work && cd work && git commit -q --allow-empty -m start
    for n in 1 2; do echo "$n ü" > file; git add file; git commit -q -m "Änderung $n"; done
    git send-email --quiet --confirm=never --to=to@example.net --cc=cc@example.net -2
    """
    machine.run("sh", "-ec", script, GIT_CONFIG_NOSYSTEM="1")
    first, second = sorted(machine.arrived(2), key=lambda one: one.message["Subject"])
    assert [one.message["Subject"] for one in (first, second)] == ["[PATCH 1/2] Änderung 1", "[PATCH 2/2] Änderung 2"]
    for one in (first, second):
        assert one.sender == "joerg@here.example"
        assert sorted(one.recipients) == ["cc@example.net", "joerg@here.example", "to@example.net"]
        assert one.message["From"] == "Jörg Müller <joerg@here.example>"
        assert "\n+" in one.text
    assert second.message["In-Reply-To"] == first.message["Message-ID"]


@caller("php", "unshare", root=True)
def test_php(machine: Machine) -> None:
    """mail() as an application of the web calls it, with a sender in the fifth argument; a line that is a dot goes through."""
    code = (
        "exit(mail('Ann <to@example.net>', '=?UTF-8?B?' . base64_encode($argv[1]) . '?=', $argv[2], "
        "['From' => 'Shop <shop@here.example>', 'Bcc' => 'bcc@example.net', 'Content-Type' => 'text/plain; charset=utf-8', "
        "'Content-Transfer-Encoding' => '8bit'], '-fbounce@here.example') ? 0 : 1);"
    )
    machine.run(php(), "-r", code, SUBJECT, TEXT)
    came = machine.came()
    assert (came.sender, sorted(came.recipients)) == ("bounce@here.example", ["bcc@example.net", "to@example.net"])
    assert (came.message["From"], came.message["Subject"], came.message["Bcc"]) == ("Shop <shop@here.example>", SUBJECT, None)
    assert came.text == TEXT + "\n"  # which PHP adds


@caller("php", "unshare", root=True)
def test_php_is_told_what_failed(machine: Machine) -> None:
    """mail() is false where sendmail refuses."""
    machine.run(php(), "-d", "display_errors=0", "-r", "exit(mail('nobody@', 'x', 'y') ? 0 : 1);", code=1)
    assert machine.queued() == 0


@caller("mdadm", "unshare", root=True)
def test_mdadm(machine: Machine) -> None:
    """The test message of its monitor, which needs no array."""
    machine.run("timeout", "30", "mdadm", "--monitor", "--test", "--oneshot", "--mail=ann@example.net", "/dev/md0")
    came = machine.came()
    assert came.recipients == ["ann@example.net"]
    assert came.message["Subject"].startswith("TestMessage event on /dev/md0")
    assert "/dev/md0" in came.text


@caller("logwatch", "unshare", root=True)
def test_logwatch(machine: Machine) -> None:
    """A report on the disk space, by mail."""
    said = machine.run("logwatch", "--output", "mail", "--mailto", "ann@example.net", "--service", "zz-disk_space", "--detail", "high")
    assert machine.queued(), said
    came = machine.came()
    assert came.recipients == ["ann@example.net"]
    assert came.message["Subject"].startswith("Logwatch for")
    assert "Disk Space" in came.text


@caller("MIME::Lite", "unshare", root=True)
def test_mime_lite(machine: Machine) -> None:
    """A Perl program that sends with an attachment."""
    machine.root("picture.bin", PICTURE)
    code = """
    use MIME::Lite;
    my $mail = MIME::Lite->new(From => 'me@here.example', To => 'to@example.net', Cc => 'cc@example.net', Bcc => 'bcc@example.net',
        Subject => '=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=', Type => 'multipart/mixed');
    $mail->attach(Type => 'text/plain; charset=utf-8', Data => $ARGV[0]);
    $mail->attach(Type => 'application/octet-stream', Path => 'picture.bin', Filename => 'picture.bin', Disposition => 'attachment');
    $mail->send or die;
    """
    machine.run("perl", "-e", code, TEXT)
    came = machine.came()
    assert sorted(came.recipients) == ["bcc@example.net", "cc@example.net", "to@example.net"]
    assert (came.sender, came.message["Subject"], came.message["Bcc"]) == ("me@here.example", "Grüße", None)
    assert came.text == TEXT
    check_attachment(machine, "picture.bin")


# By hand


@caller("unshare", root=True)
def test_a_shell_script(machine: Machine) -> None:
    """printf into sendmail -t, as it stands in a thousand scripts; then mailq in between."""
    machine.run("sh", "-c", f"printf 'To: root\\nSubject: %s\\n\\nhello\\n' '{SUBJECT}' | sendmail -t")
    assert re.search(r"-- 1 Kbytes in 1 Request\.$", machine.run("mailq").strip())
    came = machine.came()
    assert (came.recipients, came.message["Subject"]) == (["ops@example.net"], SUBJECT)
    assert machine.run("mailq") == "Mail queue is empty\n"
