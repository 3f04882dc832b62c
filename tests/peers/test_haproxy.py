"""HAProxy in front of a door: it says who calls, in both versions of its protocol, and asks now and then whether we are there."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from mailer.events import TakenIn
from mailer.sink.server import LoopThread
from tests.fakes.processes import Program, free_port, wait_until
from tests.smtpd.mx_house import MxHouse

from .install import FETCHED, HAPROXY

pytestmark = pytest.mark.peer("haproxy")

CLIENT = "127.0.0.9"
CONFIG = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 1m
    timeout server 1m
listen door
    bind 127.0.0.1:{port}
    server door 127.0.0.1:{door} {words}
"""


@contextmanager
def balanced(home: Path, words: str) -> Iterator[tuple[MxHouse, int]]:
    """A door behind HAProxy, to whose server line the `words` are added; and the port of HAProxy."""
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(f"{home}/chain.pem")
    loop, port, config = LoopThread("door"), free_port(), home / "haproxy.cfg"
    listen = f'tls = "starttls"\ncertificate_file = "{home}/chain.pem"\nproxies = ["127.0.0.1"]\n'

    async def made() -> MxHouse:
        house = MxHouse(home, listen=listen, receiving="connections_per_network = 2")
        await house.doors.start()
        return house

    house = loop.run(made())
    config.write_text(CONFIG.format(port=port, door=house.port, words=words))
    env = {**os.environ, "LD_LIBRARY_PATH": f"{HAPROXY}/usr/lib/x86_64-linux-gnu"}
    try:
        with Program([FETCHED["haproxy"], "-f", config], home / "haproxy.log", env=env) as program:
            program.accepts(port)
            yield house, port
    finally:
        loop.run(house.doors.stop(0.0))
        loop.close()


@pytest.mark.parametrize("words", ["send-proxy", "send-proxy-v2", "send-proxy-v2 check inter 100ms", "send-proxy-v2-ssl-cn"])
def test_mail_comes_from_whom_the_proxy_names(tmp_path: Path, words: str) -> None:
    """In the clear and over TLS, which is made with us through it; the limits are the client's, and not those of the proxy."""
    context = ssl.create_default_context(cafile=None)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with balanced(tmp_path, words) as (house, port):
        for tls in (False, True):
            with smtplib.SMTP("127.0.0.1", port, "out.example.org", source_address=(CLIENT, 0)) as client:
                if tls:
                    client.starttls(context=context)
                client.sendmail("carl@example.org", ["ann@example.com"], "From: carl@example.org\r\n\r\nhello\r\n")
        wait_until("both have come", lambda: len(house.heard(TakenIn)) == 2)
        assert {event.arrival.ip for event in house.heard(TakenIn)} == {CLIENT}
        assert {bool(event.arrival.tls) for event in house.heard(TakenIn)} == {False, True}
        wait_until("they have gone", lambda: not any(house.doors.sessions().values()))
        crowd = [smtplib.SMTP("127.0.0.1", port, "out.example.org", source_address=(CLIENT, 0)) for _ in range(2)]
        with pytest.raises(smtplib.SMTPException, match="421"):
            smtplib.SMTP("127.0.0.1", port, "out.example.org", source_address=(CLIENT, 0))
        with smtplib.SMTP("127.0.0.1", port, "out.example.org", source_address=("127.0.0.8", 0)) as other:
            assert other.noop()[0] == 250
        for each in crowd:
            each.close()
