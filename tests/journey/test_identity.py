"""Who somebody of this machine is to the world, from the program that sends to the host that takes it."""

from __future__ import annotations

import re

from .test_dkim import MESSAGE, holds, keygen, records, section
from .world import World

CRON = b"From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@here> backup\n\nOut of space.\n"
RULES = '[submission]\naliases = { root = "anna@there.example" }\nauthors = { "*" = "Server <server@example.com>" }\n'


def test_cron_mail_arrives_at_a_real_address_from_a_real_one(world: World) -> None:
    """With two lines of configuration, as cron calls sendmail."""
    sink = world.sink()
    world.configure(sink, more=RULES)
    world.daemon()
    done = world.mailer("sendmail", "-i", "-FCronDaemon", "-odi", "-oem", "-oi", "-t", "-f", "root", input=CRON)
    assert done.code == 0, done
    (kept,) = sink.received(1)
    assert (kept.sender, kept.recipients) == ("server@example.com", ["anna@there.example"])
    assert kept.content.startswith(b"From: Server <server@example.com> (Cron Daemon)\r\nTo: anna@there.example\r\n")


def test_a_relay_with_one_author_gets_mail_of_his_only(world: World) -> None:
    """In header and envelope, signed as his; what goes another way is its author's."""
    rsa = keygen(world, "s1")
    one, other = world.sink(), world.sink()
    relay = f'[relay.one]\nhost = "127.0.0.1"\nport = {one.port}\ntls = "none"\nauthor = "Shop <shop@example.com>"\n'
    world.configure(other, more=relay + section("s1", rsa))
    text = world.config.read_text()
    world.config.write_text(text.replace("[[route]]", '[[route]]\nmatch = "one.example"\nvia = ["relay:one"]\n[[route]]', 1))
    world.daemon()
    data = re.sub(rb"anna@shop.example.com", b"anna@example.org", MESSAGE)
    done = world.mailer("send", "a@one.example", "b@there.example", input=data)
    assert done.code == 0, done
    (his,), (hers,) = one.received(1), other.received(1)
    assert (his.sender, hers.sender) == ("shop@example.com", "anna@example.org")
    assert b"\r\nFrom: Shop <shop@example.com>\r\n" in his.content
    assert holds(his.content, 0, records(s1=rsa))
    assert b"From: Anna <anna@example.org>\r\n" in hers.content
    assert b"DKIM-Signature" not in hers.content


def test_a_dry_run_says_what_a_relay_changes(world: World) -> None:
    """Which is done only when the mail leaves."""
    world.configure(1)
    world.config.write_text(world.config.read_text().replace('tls = "none"', 'tls = "none"\nauthor = "shop@example.com"'))
    done = world.mailer("send", "--dry-run", "a@there.example", input=MESSAGE)
    assert done.code == 0, done
    assert re.search(r"relayed +From +Anna <anna@shop.example.com> +Anna <shop@example.com> +relay.sink.author", done.out)
    assert not world.spool.exists()
