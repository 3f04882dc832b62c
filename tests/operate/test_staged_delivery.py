"""Each failure of delivery is staged with real servers, and `mailer explain` names its cause and what mends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mailer.cli import main
from mailer.spool.files.store import SpoolDirectory
from tests.operate.hospital import HERE, LOGIN, SILENCE, Hospital, Relay

pytestmark = pytest.mark.slow

CONTENT = "Ask the recipient's mail administrator"
AGAIN = "mailer queue retry"
ADDRESS = "Check the address for a typing mistake"
CERTIFICATE = "shows the certificate, and ca_file of [relay."
LIST = "on a blocklist"
LISTED = "mailer check shows which list"
NO_WAY = "a route for {0}.example in the configuration, or its DNS"
"""``{0}`` is the name of the failure, wherever it stands."""


class Refused(NamedTuple):
    """What a host says to RCPT, and what of the explanation has to be there: of the cause, and of the remedy."""

    reply: str
    cause: str
    remedy: str


REPLIES = {
    "greylisted": Refused("451 4.7.1 Greylisting in action, please come back later", "does not know this sender yet", AGAIN),
    "no-mailbox": Refused("550 5.1.1 <x@y>: User unknown in virtual mailbox table", "There is no such mailbox", ADDRESS),
    "full": Refused("552 5.2.2 mailbox full", "The recipient's mailbox is full", "Send it again later"),
    "disabled": Refused("550 5.2.1 mailbox disabled", "switched off", "Reach the recipient in another way"),
    "google-auth": Refused("550 5.7.26 the sender is unauthenticated", "(SPF, DKIM, DMARC)", "mailer check shows what is missing"),
    "google-rate": Refused("421 4.7.28 an unusual rate of unsolicited mail from your IP address", "More mail came from here", AGAIN),
    "google-ptr": Refused("550 5.7.25 The IP address has no PTR record", "the address that we call from is refused", "the PTR record"),
    "outlook-ban": Refused("550 5.7.606 Access denied, banned sending IP [192.0.2.1]", LIST, LISTED),
    "outlook-busy": Refused("451 4.7.500 Server busy. Please try again later", "it was put off: 451 4.7.500 Server busy", AGAIN),
    "outlook-list": Refused("550 5.7.1 part of their network is on our block list (S3150).", LIST, LISTED),
    "yahoo-put-off": Refused("421 4.7.0 [TSS04] temporarily deferred due to unexpected volume or user complaints", LIST, LISTED),
    "spamhaus": Refused("554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", LIST, LISTED),
    "relaying": Refused("554 5.7.1 <x@y>: Relay access denied", "takes no mail from us for others", "username of [relay.{0}]"),
    "quota": Refused("454 4.7.0 Throttling failure: Daily message quota exceeded.", "is used up", "a larger quota"),
    "no-reason": Refused("550 5.7.1 rejected", "gave no reason that we know", "ask the recipient's mail administrator"),
    "login-wanted": Refused("530 5.7.0 Authentication required", "a login is wanted", "password_file of [relay.{0}]"),
    "tls-wanted": Refused("530 5.7.0 Must issue a STARTTLS command first", "it wants encryption first", "tls of [relay.{0}]"),
    "unverified": Refused("554 Message rejected: Email address is not verified.", "the sender is refused", "author of [relay.{0}]"),
    "too-many": Refused("452 4.5.3 too many recipients", "more recipients than are taken at a time", AGAIN),
}

RELAYS = {
    "closed": (Relay(server="closed"), "no connection: Connection refused", "mailer probe {0}"),
    "silent": (Relay(server="silent"), f"waited {SILENCE} s for the greeting", "mailer probe {0}"),
    "drops": (Relay(server="drops"), "the host closed the connection", AGAIN),
    "web": (Relay(server="web"), "does not speak the language of mail systems", "mailer probe {0}"),
    "wrong-tls": (Relay(HERE + 'tls = "implicit"\n'), "No encrypted connection as it has to be", "tls of [relay.{0}]"),
    "no-tls": (Relay(HERE), "does not offer STARTTLS", "tls of [relay.{0}] says what is required"),
    "stranger": (Relay(HERE, "stranger"), "unable to get local issuer certificate", CERTIFICATE),
    "other-name": (Relay(HERE, "other-name"), "certificate is not valid for '127.0.0.1'", "server_name which name they have to carry"),
    "expired": (Relay(HERE, "expired"), "certificate has expired", CERTIFICATE),
    "password": (Relay(HERE + LOGIN, "other-password"), "our login is refused", "password_file of [relay.{0}]"),
    "no-login": (Relay(HERE + LOGIN, "no-login"), "the host offers no AUTH", "auth of [relay.{0}]"),
    "no-secret": (Relay(HERE + LOGIN.replace("secret", "missing"), "good"), "No such file or directory", "password_file of [relay.{0}]"),
    "public-secret": (Relay(HERE + LOGIN.replace("secret", "public"), "good"), "others can read the password file", "chmod 600"),
    "greets-554": (Relay(server="greets-554"), LIST, LISTED),
    "greets-421": (Relay(server="greets-421"), "too busy, come back later", AGAIN),
    "name-refused": (Relay(server="name-refused"), "our name in EHLO is refused", "hostname of [mailer]"),
    "sender-refused": (Relay(server="sender-refused"), "the sender is refused", "authors of [submission]"),
    "malformed": (Relay(server="content-refused"), "is not written as it has to be", "Mend what the words above name"),
    "small": (Relay(server="small"), "larger than the recipient's mail system takes", "Make it smaller"),
}
"""A relay that fails, the cause and the remedy."""

ZONE = """
nullmx.example. 60 IN MX 0 .
private.example. 60 IN MX 10 mx.private.example.
mx.private.example. 60 IN A 10.1.2.3
nowhere.example. 60 IN MX 10 gone.nowhere.example.
circle.example. 60 IN CNAME circle2.example.
circle2.example. 60 IN CNAME circle.example.
us.example. 60 IN MX 10 host.example.
host.example. 60 IN A 127.0.0.1
nodata.example. 60 IN TXT "no mail"
servfail.example. 60 IN MX 10 mx.private.example.
mute.example. 60 IN MX 10 mx.private.example.
lame.example. 60 IN MX 10 mx.private.example.
"""
MOODS = {"servfail": "servfail", "mute": "silent", "lame": "referral", "refusing": "refused"}

DNS = {
    "absent": ("there is no domain absent.example", ADDRESS),
    "nullmx": ("takes no mail (null MX)", ADDRESS),
    "private": ("leads to 10.1.2.3, which nobody outside can reach", "a route to a relay, or delivery.allow_private"),
    "nowhere": ("no MX host of nowhere.example has an address", NO_WAY),
    "circle": ("CNAME records that go in a circle", NO_WAY),
    "us": ("would come back to this host", "it needs a route of its own"),
    "nodata": ("neither MX nor address records", NO_WAY),
    "servfail": ("answered SERVFAIL", NO_WAY),
    "mute": ("did not answer in time", NO_WAY),
    "lame": ("only says whom else to ask", NO_WAY),
    "refusing": ("answered REFUSED", NO_WAY),
}
"""A domain of `ZONE`, the cause and the remedy."""

STAGED = {
    **{name: (each.cause, each.remedy) for name, each in REPLIES.items()},
    **{name: (cause, remedy) for name, (_, cause, remedy) in RELAYS.items()},
    **DNS,
}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hospital, dict[str, str]]]:
    """All of them, tried once; and the ID of the message of each."""
    replies = {name: each.reply for name, each in REPLIES.items()}
    with Hospital(tmp_path_factory.mktemp("hospital"), replies, {name: relay for name, (relay, *_) in RELAYS.items()}, ZONE, MOODS) as made:
        spool = SpoolDirectory(str(made.spool))
        spool.prepare()
        yield made, made.admit(*STAGED, spool=spool)


@pytest.mark.xdist_group("hospital")
@pytest.mark.parametrize("name", STAGED)
def test_explain_names_cause_and_remedy(
    hospital: tuple[Hospital, dict[str, str]], name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one page: what happened, in words, and what to do about it."""
    made, ids = hospital
    monkeypatch.setenv("MAILER_CONFIG", str(made.config))
    assert main(["mailer", "explain", ids[name]]) == 0
    page = capsys.readouterr().out
    for words in STAGED[name]:
        assert words.format(name) in page


def test_many_are_staged() -> None:
    """None of them is the same as another."""
    assert len(STAGED) == len(REPLIES) + len(RELAYS) + len(DNS) >= 40


def test_the_secret_is_on_no_page(hospital: tuple[Hospital, dict[str, str]], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Where a login is refused, what it was refused with stays out of it."""
    made, ids = hospital
    for name in ("password", "public-secret"):
        assert main(["mailer", "explain", "-v", "--config", str(made.config), ids[name]]) == 0
    assert (made.home / "secret").read_text() not in capsys.readouterr().out
