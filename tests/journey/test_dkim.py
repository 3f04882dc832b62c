"""Mail is signed on its way out, and whoever gets it can check who answers for it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import dkim
import pytest

from mailer.dkim.key import private_key
from tests.fakes.processes import wait_until

from .world import World

MESSAGE = b"From: Anna <anna@shop.example.com>\nTo: you@there.example\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\n\nHello,\n\nThe text.  \n\n\n"


def keygen(world: World, selector: str, *options: str, domain: str = "example.com") -> Path:
    """A key in the world's home."""
    path = world.home / f"{selector}.pem"
    done = world.mailer("dkim", "keygen", domain, "--selector", selector, "--out", path, *options)
    assert done.code == 0, done
    return path


def section(selector: str, path: Path, *, domain: str = "example.com", more: str = "") -> str:
    """The part of the configuration that names a key."""
    return f'[[dkim]]\ndomain = "{domain}"\nselector = "{selector}"\nkey_file = "{path}"\n{more}\n'


def records(**keys: Path) -> dict[str, str]:
    """What the DNS has of keys, by their selectors."""
    return {f"{selector}._domainkey.example.com.": private_key(path.read_bytes()).record for selector, path in keys.items()}


def holds(content: bytes, number: int, published: dict[str, str]) -> bool:
    """Whether a foreign verifier believes a signature, counted from above."""
    try:
        return bool(dkim.DKIM(content).verify(number, dnsfunc=lambda name, timeout=5: published.get(name.decode(), "").encode()))
    except dkim.DKIMException:
        return False


def test_what_leaves_is_signed_with_each_key_of_its_domain(world: World) -> None:
    """A message from a subdomain is signed with both keys of the domain above; both signatures hold where it arrives."""
    rsa, ed25519 = keygen(world, "s1"), keygen(world, "e1", "--type", "ed25519")
    sink = world.sink()
    world.configure(sink, more=section("s1", rsa) + section("e1", ed25519))
    world.daemon()
    done = world.mailer("send", "-f", "bounces@here.example", "you@there.example", input=MESSAGE)
    assert done.code == 0, done
    (kept,) = sink.received(1)
    assert kept.content.count(b"DKIM-Signature: ") == 2
    published = records(s1=rsa, e1=ed25519)
    assert holds(kept.content, 0, published)
    assert holds(kept.content, 1, published)
    changed = kept.content.replace(b"The text.", b"Another text.")
    assert not holds(changed, 0, published)


@pytest.mark.skipif(os.cpu_count() == 1, reason="there is no processor for an agent")
def test_a_queue_is_signed_with_help(world: World) -> None:
    """Where much waits for its signature, another process makes some of them; it goes when the daemon does."""
    rsa, ed25519 = keygen(world, "s1"), keygen(world, "e1", "--type", "ed25519")
    sink = world.sink()
    world.configure(sink, more=section("s1", rsa) + section("e1", ed25519))
    done = world.mailer("send", "-f", "anna@example.com", "--batch", input=400 * (b"From anna Sat Nov 21 02:15:29 2026\n" + MESSAGE))
    assert done.code == 0, done
    daemon = world.daemon()
    agents = wait_until("an agent is there", lambda: children(daemon.pid))
    kept = sink.received(400)
    published = records(s1=rsa, e1=ed25519)
    assert all(holds(one.content, number, published) for one in kept for number in (0, 1))
    daemon.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in agents)


def children(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


def test_mail_of_other_domains_leaves_as_it_is(world: World) -> None:
    """A domain without a key is nobody's to answer for."""
    sink = world.sink()
    world.configure(sink, more=section("s1", keygen(world, "s1")))
    world.daemon()
    world.send("you@there.example", sender="me@elsewhere.example")
    (kept,) = sink.received(1)
    assert b"DKIM-Signature" not in kept.content


def test_a_report_is_signed_too(world: World) -> None:
    """The report about refused mail comes from this host, whose domain has a key, and is signed like all mail."""
    key = keygen(world, "s1", domain="here.example")
    sink = world.sink("--refuse", "nobody@there.example")
    world.configure(sink, more=section("s1", key, domain="here.example"))
    world.daemon()
    world.send("nobody@there.example", sender="me@elsewhere.example")
    (kept,) = sink.received(1)
    assert kept.sender == ""
    published = {"s1._domainkey.here.example.": private_key(key.read_bytes()).record}
    assert holds(kept.content, 0, published)


def test_mail_that_cannot_be_signed_waits_for_its_key(world: World) -> None:
    """A key that is missing is an alarm; the mail waits, without counting tries, and leaves signed when the key is there."""
    key = keygen(world, "s1")
    hidden = key.rename(world.home / "hidden.pem")
    sink = world.sink()
    world.configure(sink, more=section("s1", key))
    daemon = world.daemon()
    daemon.says('"what":"dkim"')
    done = world.mailer("send", "-f", "anna@example.com", "you@there.example", input=MESSAGE)
    told = world.becomes(done.out.strip(), "deferred")
    assert told["attempts"] == 0
    (recipient,) = told["recipients"]
    assert (recipient["code"], recipient["enhanced_code"]) == (451, "4.7.5")
    assert "cannot sign mail of example.com" in recipient["reply"]
    assert not sink.told("taken")
    hidden.rename(key)
    assert world.mailer("queue", "retry", done.out.strip()).code in (0, 75)  # it may be leaving by itself, or have left
    (kept,) = sink.received(1)
    assert holds(kept.content, 0, records(s1=key))


def test_mail_that_cannot_be_signed_leaves_all_the_same_where_that_is_wanted(world: World) -> None:
    """With on_failure = "unsigned" a missing key is an alarm, and the mail leaves without its signature."""
    sink = world.sink()
    world.configure(sink, more=section("s1", world.home / "none.pem", more='on_failure = "unsigned"'))
    daemon = world.daemon()
    world.mailer("send", "-f", "anna@example.com", "you@there.example", input=MESSAGE)
    (kept,) = sink.received(1)
    assert b"DKIM-Signature" not in kept.content
    assert "none.pem: No such file or directory" in daemon.said


def test_a_new_key_is_taken_on_without_a_restart(world: World) -> None:
    """After SIGHUP mail is signed with the keys that the configuration names now."""
    sink = world.sink()
    world.configure(sink)
    daemon = world.daemon()
    key = keygen(world, "s2")
    world.configure(sink, more=section("s2", key))
    daemon.signal(signal.SIGHUP)
    daemon.says('"what":"reloaded"')
    world.mailer("send", "-f", "anna@example.com", "you@there.example", input=MESSAGE)
    (kept,) = sink.received(1)
    assert holds(kept.content, 0, records(s2=key))


@pytest.mark.parametrize("more", ["", "nothing signs"])
def test_who_signs_nothing_does_not_load_the_library(world: World, more: str) -> None:
    """Without a key that signs, neither the daemon nor `mailer send` imports cryptography."""
    sink = world.sink()
    waiting = section("s1", world.home / "none.pem", more="waiting = true") if more else ""
    world.configure(sink, more=waiting)
    world.env["PYTHONPROFILEIMPORTTIME"] = "1"
    daemon = world.daemon()
    done = world.mailer("send", "-f", "anna@example.com", "you@there.example", input=MESSAGE)
    sink.received(1)
    assert "mailer.queue.manager" in daemon.said
    for said in (daemon.said, done.err):
        assert "cryptography" not in said
        assert "mailer.dkim" not in said
