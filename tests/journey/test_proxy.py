"""A relay behind a proxy, or on a unix socket: mail goes there, and what shows a way names it."""

from __future__ import annotations

import asyncio
import json
import ssl

import pytest
import trustme

from mailer.sink.server import LoopThread
from mailer.testing import SinkThread
from tests.fakes.proxy import FakeProxy, carry
from tests.journey.world import World


def configure(world: World, more: str, tls: str = "none") -> None:
    world.config.write_text(
        f'[mailer]\nhostname = "here.example"\nspool = "{world.spool}"\n'
        f'[relay.out]\nhost = "mail.nowhere.invalid"\nport = 2525\ntls = "{tls}"\n{more}\n[retry]\nschedule = ["1h"]\n'
    )


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_mail_goes_to_a_relay_by_a_proxy(world: World, kind: str) -> None:
    """TLS is with the relay, under its name; the login is in a file; no name is looked up here.

    `route`, `probe` and `explain` name the proxy, and nobody shows the password.
    """
    secret = world.home / "proxy.secret"
    secret.write_text("hush-hush\n")
    secret.chmod(0o600)
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mail.nowhere.invalid").configure_cert(context)
    authority.cert_pem.write_to_path(str(world.home / "ca.pem"))
    with SinkThread(tls=context) as sink, FakeProxy(("me", "hush-hush"), target=sink.port) as proxy:
        url = f"{kind}://127.0.0.1:{proxy.port}"
        login = f'proxy_username = "me"\nproxy_password_file = "{secret}"\nca_file = "{world.home}/ca.pem"'
        configure(world, f'proxy = "{url}"\n{login}', tls="starttls")
        id = world.send("ann@example.net")
        world.once()
        (taken,) = sink.received(1)
        assert (taken.recipients, taken.tls) == (("ann@example.net",), "TLSv1.3")
        told = [world.mailer(*words) for words in (("route", "ann@example.net"), ("probe", "out"), ("explain", "--no-dns", id))]
        assert [done.code for done in told] == [0, 0, 0], told
        assert all(url in done.out and "hush" not in done.out + done.err for done in told), told
        assert set(proxy.asked) == {"mail.nowhere.invalid:2525"}
        assert json.loads(world.mailer("probe", "--json", "out").out)["address"] == url
        assert json.loads(world.mailer("route", "--json", "a@example.net").out)["ways"][0]["hosts"][0]["addresses"] == [url]


def test_a_proxy_that_refuses_puts_mail_off_and_is_told(world: World) -> None:
    """Whether the host cannot be had or our login is wrong: nothing bounces, and the words say that it was the proxy."""
    with FakeProxy(refuse=2) as proxy:
        configure(world, f'proxy = "socks5://127.0.0.1:{proxy.port}"')
        id = world.send("ann@example.net")
        world.once()
        told = world.status(id)
    assert (told["status"], told["recipients"][0]["code"]) == ("deferred", 451)
    assert f"the proxy socks5://127.0.0.1:{proxy.port} refused: not allowed by its rules (2)" in told["recipients"][0]["reply"]
    with FakeProxy(("me", "right")) as proxy:
        configure(world, f'proxy = "http://127.0.0.1:{proxy.port}"')
        id = world.send("bob@example.net")
        world.once()
        told = world.status(id)
        probed = world.mailer("probe", "out")
    assert told["status"] == "deferred"
    assert "refused: 407" in told["recipients"][0]["reply"]
    assert (probed.code, "the proxy http://" in probed.err) in ((69, True), (77, True)), probed


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('proxy = "socks4://p:1"', 'write "socks5://host:port" or "http://host:port"'),
        ('proxy = "socks5://me:hush@p:1"', "does not stand in its URL"),
        ('proxy = "http://p:1"\nproxy_username = "me"', "needs proxy_password_file"),
        ('proxy_password_file = "/x"', "there is no proxy"),
        ('proxy = "http://p:1"\nsocket = "/run/x"', "there is a proxy already"),
    ],
)
def test_a_proxy_that_cannot_be_meant_is_a_line_of_the_check(world: World, more: str, says: str) -> None:
    """With its place, and without the password."""
    configure(world, more)
    done = world.mailer("config", "check")
    assert (done.code, says in done.err + done.out, "hush" in done.err + done.out) == (78, True, False), done


def test_the_password_of_a_proxy_is_tried_by_the_check(world: World) -> None:
    """A file that others can read, or that is not there, is a mistake with its line; mail waits for it, and says why."""
    secret = world.home / "proxy.secret"
    configure(world, f'proxy = "socks5://127.0.0.1:9"\nproxy_username = "me"\nproxy_password_file = "{secret}"')
    missing = world.mailer("config", "check")
    id = world.send("ann@example.net")
    world.once()
    assert (missing.code, f"cannot read the password file {secret}" in missing.err + missing.out) == (78, True), missing
    assert f"cannot read the password file {secret}" in world.status(id)["recipients"][0]["reply"]
    secret.write_text("hush\n")
    secret.chmod(0o644)
    public = world.mailer("config", "check")
    assert (public.code, "chmod" in public.err + public.out, "hush" in public.err + public.out) == (78, True, False), public


def test_a_relay_on_a_unix_socket(world: World) -> None:
    """As Dovecot's LMTP has one; it is called by its path, and when nobody listens there the words say so."""
    path = world.home / "lmtp"
    loop = LoopThread("door")
    with SinkThread(lmtp=True) as sink:
        door = loop.run(asyncio.start_unix_server(lambda reader, writer: carry(reader, writer, sink.port), path))
        configure(world, f'socket = "{path}"\nprotocol = "lmtp"')
        world.send("ann@example.net", "bob@example.net")
        world.once()
        assert {one.recipients for one in sink.received(2)} == {("ann@example.net",), ("bob@example.net",)}
        loop.run(asyncio.sleep(0))
    door.close()
    loop.close()
    path.unlink(missing_ok=True)
    configure(world, f'socket = "{path}"\nprotocol = "lmtp"')
    id = world.send("ann@example.net")
    world.once()
    reply = world.status(id)["recipients"][0]["reply"]
    assert "No such file or directory" in reply
    assert f"unix://{path}" in world.mailer("explain", "--no-dns", id).out
