"""Who takes mail from an address: known, or found in the DNS."""

from __future__ import annotations

import asyncio

import pytest

from mailer.config.file import config_of
from mailer.operate.guess import Guess, guess
from tests.fakes.nameserver import Nameserver


def asked(server: Nameserver, address: str) -> Guess:
    config = config_of("x", f'[dns]\nnameservers = ["{server.host}:{server.port}"]\n'.encode())
    return asyncio.run(guess(address, config))


@pytest.mark.parametrize(
    ("address", "records", "name", "server"),
    [
        ("a@gmail.com", "", "gmail", ("", 0, "")),
        ("a@GoogleMail.com", "", "gmail", ("", 0, "")),
        ("a@own.onmicrosoft.com", "", "office365", ("", 0, "")),
        ("a@one.example", "one.example. 60 IN MX 5 aspmx.l.google.com.", "gmail", ("", 0, "")),
        ("a@one.example", "one.example. 60 IN MX 0 one-example.mail.protection.outlook.com.", "office365", ("", 0, "")),
        ("a@one.example", "one.example. 60 IN MX 0 mx.google.com.one.example.", "", ("", 0, "")),
        (
            "a@one.example",
            "_submission._tcp.one.example. 60 IN SRV 0 1 587 a.example.\n_submissions._tcp.one.example. 60 IN SRV 0 1 465 b.example.",
            "",
            ("b.example", 465, "implicit"),
        ),
        (
            "a@one.example",
            "_submission._tcp.one.example. 60 IN SRV 20 9 587 late.\n_submission._tcp.one.example. 60 IN SRV 10 1 2587 first.example.",
            "",
            ("first.example", 2587, "starttls"),
        ),
        ("a@one.example", "_submissions._tcp.one.example. 60 IN SRV 0 0 0 .", "", ("", 0, "")),
        ("a@one.example", "_submission._tcp.one.example. 60 IN SRV 0 1 587 smtp.gmail.com.", "gmail", ("smtp.gmail.com", 587, "starttls")),
        ("a@nothing.example", "", "", ("", 0, "")),
    ],
)
def test_found(address: str, records: str, name: str, server: tuple[str, int, str]) -> None:
    """By the domain, the MX hosts, or SRV records: TLS from the first byte before STARTTLS, the best priority first."""
    with Nameserver(records) as dns:
        found = asked(dns, address)
    assert (found.preset.name if found.preset else "") == name
    assert (found.host, found.port, found.tls) == server
    assert bool(found.why) == bool(name or server[0])


@pytest.mark.parametrize("mood", ["servfail", "nxdomain"])
def test_a_dns_in_trouble(mood: str) -> None:
    """Nothing is found, and nothing is raised: a person can say it himself."""
    with Nameserver("one.example. 60 IN MX 5 aspmx.l.google.com.") as dns:
        dns.misbehave("*", mood)
        assert asked(dns, "a@one.example") == Guess()
