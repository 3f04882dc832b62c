"""The sections about mail that others bring: doors, domains, limits, and what they must not say beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailer.config.advice import missing
from mailer.config.file import config_of, examine
from mailer.config.kinds import Via

DOOR = '[[listen]]\nkind = "mx"\naddress = "127.0.0.1:2525"\n'
DOMAIN = '[[domain]]\nname = "example.com"\nvia = "maildir:/srv/mail/{domain}/{user}"\n'
RECEIVING = '[receiving]\npostmaster = "ann@example.com"\n'
RELAY = '[relay.dovecot]\nhost = "127.0.0.1"\nprotocol = "lmtp"\ntls = "none"\n'


def mistakes(text: str) -> list[tuple[int, str]]:
    config, found = examine("", text.encode())
    assert (config is None) == bool(found)
    return [(each.line, each.text) for each in found]


def test_a_domain_and_a_door() -> None:
    """The least that receives: who lives where, a door, and somebody who reads the mail for postmaster."""
    config = config_of("", (RECEIVING + DOMAIN + DOOR).encode(), "/")
    assert config.domains[0].name == "example.com"
    assert config.domains[0].via == (Via("maildir", "/srv/mail/{domain}/{user}"),)
    assert [door.kind for door in config.mail_doors] == ["mx"]
    assert config.receiving.max_message_size == 50_000_000


def test_the_next_hop_says_who_lives_there() -> None:
    """A server behind us knows that, and is asked unless the file says otherwise; a Maildir does not."""
    relayed = DOMAIN.replace("maildir:/srv/mail/{domain}/{user}", "relay:dovecot")
    behind, told = (config_of("", (RELAY + relayed + more).encode(), "/").domains[0] for more in ("", 'users = "accounts"\n'))
    kept = config_of("", DOMAIN.encode(), "/").domains[0]
    assert [(domain.users, domain.verify) for domain in (behind, told, kept)] == [("any", True), ("accounts", False), ("accounts", False)]


def test_logins_in_the_clear_stay_on_this_machine() -> None:
    """At a loopback address nobody listens in."""
    door = config_of("", (DOOR.replace("mx", "submission") + 'tls = "none"\n').encode(), "/").listens[0]
    assert door.tls == "none"


def test_a_domain_is_compared_as_the_dns_has_it() -> None:
    """In A-labels and lower case, however it is written."""
    config = config_of("", DOMAIN.replace("example.com", "Bücher.Example").encode(), "/")
    assert config.domains[0].name == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (RECEIVING + DOOR, 4, "our domains"),
        (RECEIVING + DOOR.replace("mx", "lmtp"), 4, "our domains"),
        (DOMAIN + DOMAIN.replace("example.com", "EXAMPLE.com"), 5, "line 2"),
        ('[[domain]]\nname = "example.com"\n', 2, "nobody lives there"),
        (DOMAIN + "verify = true\n", 4, "no next hop"),
        (DOMAIN.replace("maildir:/srv/mail/{domain}/{user}", "relay:dovecot"), 3, "no [relay.dovecot]"),
        (RELAY + DOMAIN.replace("maildir:/srv/mail/{domain}/{user}", "relay:dovecot") + "verify = false\n", 5, "verify = true"),
        (DOMAIN.replace("{user}", "all"), 3, "same for everybody"),
        (DOMAIN.replace("{domain}", "{name}"), 3, "braces"),
        (DOMAIN.replace("/srv", "srv"), 3, "no whole path"),
        (DOMAIN.replace('"maildir:/srv/mail/{domain}/{user}"', '"mx"'), 3, "leads to no mailbox"),
        (DOMAIN.replace('"maildir:/srv/mail/{domain}/{user}"', '["local", "relay:dovecot"]') + RELAY, 3, "name one way"),
        (DOMAIN.replace('"maildir:/srv/mail/{domain}/{user}"', '"local"') + 'users = "any"\nverify = true\n', 5, "no next hop"),
        (RECEIVING + DOMAIN + DOOR + 'tls = "starttls"\n', 9, "needs a certificate"),
        (RECEIVING + DOMAIN + DOOR + 'tls = "implicit"\ncertificate_file = "/x.pem"\n', 9, "starttls"),
        (RECEIVING + DOMAIN + DOOR + 'protocol = "lmtp"\n', 9, "reports"),
        (RECEIVING + DOMAIN + DOOR.replace("127.0.0.1:2525", "/run/mx.sock"), 8, "has no address"),
        (DOMAIN + DOOR.replace("mx", "lmtp").replace(":2525", ":25"), 6, "port 25"),
        (DOMAIN + DOOR.replace("mx", "lmtp") + 'proxies = ["10.0.0.0/8"]\n', 7, "without a proxy"),
        (DOOR.replace("mx", "submission").replace("127.0.0.1", "192.0.2.1") + 'tls = "none"\n', 4, "without TLS"),
        ('[receiving]\nconnections_per_neighbourhood = 3\n', 2, "less than one network"),
        ('[receiving]\nmax_memory = "1MB"\n', 2, "less than one message"),
    ],
)  # fmt: skip
def test_what_cannot_be(text: str, line: int, words: str) -> None:
    """One mistake, in its line, with what to write."""
    found = mistakes(text)
    assert len(found) == 1
    assert words in found[0][1]
    assert found[0][0] == line


def test_a_check_looks_at_the_aliases_of_a_domain(tmp_path: Path) -> None:
    """A file that is not there, and a target that mail cannot go to."""
    text = f'[[domain]]\nname = "example.com"\naliases_file = "{tmp_path}/aliases"\n'
    config = config_of("", text.encode(), str(tmp_path / "spool"))
    [mistake] = missing(config)
    assert mistake.line == 3
    assert "cannot read the aliases" in mistake.text
    (tmp_path / "aliases").write_text("sales: ann, |/bin/sh\n")
    [mistake] = missing(config)
    assert "aliases:1: the alias sales leads to a command" in mistake.text
