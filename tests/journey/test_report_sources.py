"""Reports come to a daemon by a mailbox and by a door; it goes on through a reload, and tells where a mailbox is in trouble."""

from __future__ import annotations

import json
import smtplib

from tests.fakes.processes import free_port, wait_until
from tests.journey.world import World
from tests.reports.servers import LETTER, make_maildir, ndr

BOUNCE = '[bounce]\naddress = "bounces@example.com"\n'


def sources(world: World) -> list[str]:
    """Where the reports came from that were taken."""
    found = [json.loads(line) for line in world.mailer("bounces", "reports", "--json", "--limit", "0").out.splitlines()]
    return sorted(each["source"].partition(" ")[0] for each in found)


def test_reports_come_by_mailbox_and_by_door(world: World) -> None:
    """And are acted upon, or listed as about nothing of ours, which these are."""
    sink = world.sink()
    box = make_maildir(world.home / "box", LETTER, ndr(1))
    port = free_port()
    door = f'[[listen]]\nkind = "reports"\naddress = "127.0.0.1:{port}"\n'
    mailbox = f'[[report_source]]\nname = "box"\nkind = "maildir"\npath = "{box}"\npoll = "1s"\n'
    gone = f'[[report_source]]\nname = "gone"\nkind = "maildir"\npath = "{world.home}/gone"\n'
    world.configure(sink, more=BOUNCE + door + mailbox + gone)
    daemon = world.daemon()
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as session:
        session.sendmail("", ["bounces+x@example.com"], ndr(2))
    wait_until("both were taken", lambda: sources(world) == ["box", "listen"], every=0.2)
    wait_until("both are settled", lambda: not [*(world.spool / "reports" / "new").iterdir()], every=0.1)
    assert [path.name for path in (box / "new").iterdir()] == ["0.host"]
    assert len([*(world.spool / "reports" / "unmatched").iterdir()]) == 2
    daemon.says('"mailbox"')
    world.configure(sink, more=BOUNCE + mailbox)
    assert world.mailer("reload").code == 0
    (box / "new" / "later").write_bytes(ndr(3))
    wait_until("the third was taken", lambda: sources(world) == ["box", "box", "listen"], every=0.2)
    try:
        smtplib.SMTP("127.0.0.1", port, timeout=10).close()
    except OSError:
        return
    raise AssertionError("the door is still open")


def test_one_pass_looks_into_each_mailbox(world: World) -> None:
    """And acts upon what it has; one that cannot be read is told, and keeps no mail back."""
    sink = world.sink()
    box = make_maildir(world.home / "box", LETTER, ndr(1))
    mailbox = f'[[report_source]]\nname = "box"\nkind = "maildir"\npath = "{box}"\n'
    gone = f'[[report_source]]\nname = "gone"\nkind = "maildir"\npath = "{world.home}/gone"\n'
    world.configure(sink, more=BOUNCE + gone + mailbox)
    id = world.send("you@there.example")
    done = world.once()
    assert '"mailbox"' in done.err
    assert world.status(id)["status"] == "sent"
    assert sources(world) == ["box"]
    assert len([*(world.spool / "reports" / "unmatched").iterdir()]) == 1
