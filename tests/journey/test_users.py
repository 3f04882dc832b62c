"""Users of a daemon that runs: made, let in, held up and switched off by commands; and what each has sent outlives the daemon."""

from __future__ import annotations

import json
import smtplib
import ssl
import time

import trustme

from tests.fakes.processes import free_port, wait_until

from .world import World

ANN = "ann@here.example"
DOOR = """
[accounts]
new_recipients_per_day = 1
[[listen]]
kind = "submission"
address = "127.0.0.1:{port}"
tls = "implicit"
certificate_file = "{home}/mx.pem"
"""


def handed_in(world: World, port: int, password: str, *recipients: str) -> int | str:
    """What becomes of a message that ann hands in: the number of recipients who were taken, or why she was refused."""
    context = ssl.create_default_context(cafile=str(world.home / "ca.pem"))
    with smtplib.SMTP_SSL("localhost", port, context=context, timeout=60) as client:
        try:
            client.user, client.password = ANN, password  # and no other mechanism when this one has failed
            client.ehlo()
            client.auth("PLAIN", client.auth_plain)
            return len(recipients) - len(client.sendmail(ANN, recipients, "Subject: a test\n\nhello\n"))
        except smtplib.SMTPRecipientsRefused as refused:
            [(code, _)] = {*refused.recipients.values()}
            return f"{code} to all"
        except smtplib.SMTPAuthenticationError as error:
            return str(error.smtp_code)


def test_what_is_done_to_a_user_holds_at_once(world: World) -> None:
    """And what he has sent today is known to the daemon that is started next."""
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(world.home / "mx.pem"))
    authority.cert_pem.write_to_path(str(world.home / "ca.pem"))
    port, sink = free_port(), world.sink()
    world.configure(sink, more=DOOR.format(port=port, home=world.home))
    first = world.daemon()
    first.accepts(port)
    password = world.mailer("user", "add", ANN).out.strip()
    assert handed_in(world, port, password, "carl@there.example", "dora@there.example") == 1
    [kept] = sink.received(1)
    assert (kept.sender, kept.recipients) == (ANN, ["carl@there.example"])
    world.mailer("user", "disable", ANN)
    assert handed_in(world, port, password, "carl@there.example") == "535"
    world.mailer("user", "enable", ANN)
    first.stop()
    world.daemon().accepts(port)
    assert handed_in(world, port, password, "dora@there.example") == "451 to all"
    assert handed_in(world, port, password, "carl@there.example") == 1
    logs = "".join(path.read_text() for path in world.home.glob("run-*.log"))
    assert logs.count('"login-failed"') == 1
    assert password not in logs


def test_who_is_logged_in_is_known_and_can_be_shown_out(world: World) -> None:
    """With the password that he used, from another process, within a second; who is disabled is out as well, and all of it can be read."""
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(world.home / "mx.pem"))
    authority.cert_pem.write_to_path(str(world.home / "ca.pem"))
    port = free_port()
    world.configure(world.sink(), more=DOOR.format(port=port, home=world.home))
    daemon = world.daemon()
    daemon.accepts(port)
    own = world.mailer("user", "add", ANN).out.strip()
    phone = world.mailer("user", "app-password", ANN, "phone", "--for", "submission", "--expires", "1d").out.strip()

    def sessions() -> list[dict[str, str]]:
        return [json.loads(line) for line in world.mailer("user", "sessions", ANN, "--json").out.splitlines()]

    context = ssl.create_default_context(cafile=str(world.home / "ca.pem"))
    with smtplib.SMTP_SSL("localhost", port, context=context, timeout=60) as first:
        first.login(ANN, phone)
        wait_until("the session is written down", lambda: len(sessions()) == 1)
        [session] = sessions()
        assert (session["user"], session["door"], session["app"], session["ip"]) == (ANN, "submission", "phone", "127.0.0.1")
        assert "one session ends" in world.mailer("user", "sessions", ANN, "--end").out
        began = time.monotonic()
        assert first.getreply()[0] == 421
        assert time.monotonic() - began < 2
        first.close()
    with smtplib.SMTP_SSL("localhost", port, context=context, timeout=60) as second:
        second.login(ANN, own)
        world.mailer("user", "disable", ANN)
        assert second.getreply()[0] == 421
        second.close()
    assert handed_in(world, port, own, "carl@there.example") == "535"
    daemon.stop()
    logins = [json.loads(line) for line in world.mailer("user", "logins", ANN, "--json").out.splitlines()]
    assert [(each["app"], each["well"]) for each in logins] == [(None, False), (None, True), ("phone", True)]
    assert sessions() == []
    [used] = [each for each in json.loads(world.mailer("user", "show", ANN, "--json").out)["used"] if each["app"] == "phone"]
    assert used["ip"] == "127.0.0.1"
