"""Users of a daemon that runs: made, let in, held up and switched off by commands; and what each has sent outlives the daemon."""

from __future__ import annotations

import smtplib
import ssl

import trustme

from tests.fakes.processes import free_port

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
