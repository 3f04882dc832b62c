"""Setting up a machine that receives: what becomes of a configuration, and the records to publish."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from mailer.config.file import config_of
from mailer.config.kinds import Via
from mailer.mail.problem import Problem
from mailer.operate import dkim
from mailer.operate.receiving import NO_CERTIFICATE, CertificateFiles, ReceivingPlan, read, write, zone
from tests.dkim.keys import pem

BEFORE = """\
# my words
[mailer]
hostname = "host.example.com"  # keep me
spool = "/nonexistent"

[[listen]]
kind = "web"   # mine
address = "127.0.0.1:8025"
# the end
"""
CERTIFICATE = CertificateFiles("/etc/mx.pem", "/etc/mx.key")


def plan(**more: object) -> ReceivingPlan:
    found = {"hostname": "mx.example.com", "user": "ann@example.com", "maildir": "/srv/mail/{domain}/{user}", "certificate": CERTIFICATE}
    return ReceivingPlan("/etc/mailer/config.toml", "example.com", **{**found, **more})  # type: ignore[arg-type]


def test_what_was_there_stays_as_it_was_written() -> None:
    """Single settings change where they stand, and all else comes behind."""
    text = plan().document(BEFORE)
    start, _, rest = BEFORE.partition('"host.example.com"')
    assert text.startswith(f'{start}"mx.example.com"{rest}')
    config = config_of("/etc/mailer/config.toml", text.encode())
    assert (config.hostname, config.receiving.postmaster) == ("mx.example.com", "ann@example.com")
    assert [(door.kind, door.tls, [str(place) for place in door.address]) for door in config.listens] == [
        ("web", "none", ["127.0.0.1:8025"]),
        ("mx", "starttls", ["0.0.0.0:25", "[::]:25"]),
        ("submission", "implicit", ["0.0.0.0:465", "[::]:465"]),
        ("submission", "starttls", ["0.0.0.0:587", "[::]:587"]),
    ]
    assert {(door.certificate_file, door.key_file) for door in config.mail_doors} == {("/etc/mx.pem", "/etc/mx.key")}
    (domain,) = config.domains
    assert (domain.name, domain.via) == ("example.com", (Via("maildir", "/srv/mail/{domain}/{user}"),))


def test_a_machine_where_nothing_was() -> None:
    """Without a certificate there is no place to log in."""
    text = plan(certificate=NO_CERTIFICATE, spool="/var/spool/mailer").document("")
    config = config_of("/etc/mailer/config.toml", text.encode())
    assert (config.spool, [(door.kind, door.tls) for door in config.listens]) == ("/var/spool/mailer", [("mx", "none")])
    assert text.startswith("# Written by `mailer setup`")


def test_mailboxes_of_our_own_need_no_place() -> None:
    """The configuration says that they are ours, and where they are is the default."""
    found = tomllib.loads(plan(maildir="").document(BEFORE))
    assert found["domain"] == [{"name": "example.com", "via": "local"}]
    assert "mailboxes" not in found


@pytest.mark.parametrize(
    ("lmtp", "relay"),
    [
        ("/run/dovecot/lmtp", {"host": "localhost", "socket": "/run/dovecot/lmtp", "protocol": "lmtp", "tls": "none"}),
        ("10.0.0.1:24", {"host": "10.0.0.1", "port": 24, "protocol": "lmtp", "tls": "none"}),
        ("[::1]:2424", {"host": "::1", "port": 2424, "protocol": "lmtp", "tls": "none"}),
    ],
)
def test_a_server_that_keeps_the_mailboxes(lmtp: str, relay: dict[str, object]) -> None:
    """Is a relay, under a name that is free."""
    found = tomllib.loads(plan(maildir="", lmtp=lmtp).document(BEFORE))
    assert (found["relay"], found["domain"][0]["via"]) == ({"mailboxes": relay}, "relay:mailboxes")
    again = tomllib.loads(plan(maildir="", lmtp=lmtp).document(f'{BEFORE}[relay.mailboxes]\nhost = "x.example"\n'))
    assert again["domain"][0]["via"] == "relay:mailboxes2"


def test_a_second_domain_needs_no_second_door() -> None:
    """Nor another postmaster; the doors that are there are for all domains."""
    first = plan().document(BEFORE)
    other = ReceivingPlan(
        "/x.toml", "example.org", "mx.example.com", "bob@example.org", "/srv/mail/{domain}/{user}", certificate=CERTIFICATE
    )
    config = config_of("/x.toml", other.document(first).encode())
    assert [door.kind for door in config.listens] == ["web", "mx", "submission", "submission"]
    assert [domain.name for domain in config.domains] == ["example.com", "example.org"]
    assert config.receiving.postmaster == "ann@example.com"


def test_what_cannot_be_is_refused_before_anything_is_written() -> None:
    """A domain that is there already, a configuration that was wrong, and one that would be."""
    with pytest.raises(Problem, match=r"has a section \[\[domain\]\] for example.com already"):
        plan().document(plan().document(BEFORE))
    with pytest.raises(Problem, match="no setting hostnome"):
        plan().document('[mailer]\nhostnome = "x"\n')
    with pytest.raises(Problem, match="the same for everybody"):
        plan(maildir="/srv/mail").document(BEFORE)


def test_the_configuration_of_before_is_kept(tmp_path: Path) -> None:
    """With its mode; a link stays one."""
    place, link = tmp_path / "real.toml", tmp_path / "config.toml"
    assert read(str(link)) == ""
    assert [*write(str(place), BEFORE)] == [f"wrote {place}"]
    place.chmod(0o640)
    link.symlink_to(place)
    assert [*write(str(link), "new")] == [f"kept the configuration of before as {place}.old", f"wrote {link}"]
    assert (read(str(link)), Path(f"{place}.old").read_text(), link.is_symlink()) == ("new", BEFORE, True)
    assert os.stat(place).st_mode & 0o777 == 0o640


def test_the_records_to_publish(tmp_path: Path) -> None:
    """Where mail goes, who may send, which key signs, what is asked of others, and where programs of users log in."""
    (tmp_path / "s1.pem").write_bytes(pem("ed25519"))
    (tmp_path / "s1.pem").chmod(0o600)
    key = dkim.Published("example.com", "s1", str(tmp_path / "s1.pem"), dkim.read_key(str(tmp_path / "s1.pem"), os.geteuid()))
    source = '[delivery]\nsource4 = "198.51.100.7"\n'
    text = plan(key=key).document(f"{BEFORE.replace('/nonexistent', str(tmp_path))}{source}")
    found = [record.zone for record in zone(config_of("/x.toml", text.encode()), "example.com")]
    assert found == [
        "mx.example.com. IN A 198.51.100.7",
        "example.com. IN MX 10 mx.example.com.",
        'example.com. IN TXT "v=spf1 ip4:198.51.100.7 ~all"',
        'mx.example.com. IN TXT "v=spf1 a -all"',
        f's1._domainkey.example.com. IN TXT "{key.text}"',
        '_dmarc.example.com. IN TXT "v=DMARC1; p=none; rua=mailto:ann@example.com"',
        "_submissions._tcp.example.com. IN SRV 0 1 465 mx.example.com.",
        "_submission._tcp.example.com. IN SRV 0 1 587 mx.example.com.",
    ]


def test_the_certificate_of_an_acme_client_is_found(tmp_path: Path) -> None:
    """Both of its files, or none."""
    place = tmp_path / "mx.example.com"
    place.mkdir()
    (place / "fullchain.pem").touch()
    assert CertificateFiles.found("mx.example.com", str(tmp_path)) == NO_CERTIFICATE
    (place / "privkey.pem").touch()
    assert CertificateFiles.found("mx.example.com", str(tmp_path)) == CertificateFiles(f"{place}/fullchain.pem", f"{place}/privkey.pem")
