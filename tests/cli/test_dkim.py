"""``mailer dkim``: keys that only their owner reads, records that can be published, signatures told apart, keys replaced."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import pytest

from mailer.dkim.key import private_key
from mailer.dkim.sign import Seal, sign
from mailer.mail.message import normalise
from tests.dkim.keys import pem
from tests.fakes.nameserver import Nameserver
from tests.fakes.users import NOBODY

from .home import Home

MESSAGE = normalise(b"From: Anna <anna@example.com>\nTo: you@there.example\nSubject: x\n\nHello.\n")


@pytest.fixture
def server() -> Iterator[Nameserver]:
    """The DNS, without a record yet."""
    with Nameserver() as server:
        yield server


def dkim(home: Home, *words: str | Path, code: int = 0, input: bytes = b"") -> str:
    """What ``mailer dkim`` says."""
    done = home.mailer("dkim", *words, input=input)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode()


def facts(home: Home, *words: str | Path, code: int = 0, input: bytes = b"") -> list[dict[str, Any]]:
    """The same as rows."""
    return [json.loads(line) for line in dkim(home, *words, "--json", code=code, input=input).splitlines()]


def configure(home: Home, server: Nameserver | None = None, *sections: str) -> None:
    """The name server, and keys."""
    dns = f'[dns]\nnameservers = ["{server.address}"]\n' if server else ""
    home.configure(dns + "\n".join(sections))


def section(path: Path, selector: str = "s1", more: str = "") -> str:
    return f'[[dkim]]\ndomain = "example.com"\nselector = "{selector}"\nkey_file = "{path}"\n{more}'


def key_file(home: Home, kind: str = "rsa", bits: int = 2048) -> Path:
    path = home.path / f"{kind}.pem"
    path.write_bytes(pem(kind, bits))
    path.chmod(0o600)
    return path


def published(*rows: dict[str, Any]) -> str:
    """The records as a zone has them, as the program printed them."""
    return "\n".join(row["zone"].replace(". IN TXT", ". 60 IN TXT") for row in rows) + "\n"


# keygen


def test_a_new_key(home: Home) -> None:
    """RSA of 2048 bits, in a file for its owner alone, in a place beside the configuration; what is printed can be used."""
    said = dkim(home, "keygen", "example.com")
    (path,) = (home.path / "dkim").iterdir()
    assert re.fullmatch(r"example\.com\.rsa-\d{8}\.pem", path.name)
    assert path.stat().st_mode & 0o777 == 0o600
    made = private_key(path.read_bytes())
    assert (made.kind, made.bits) == ("rsa", 2048)
    assert f"\n{made.record}\n" in said
    home.configure(said[said.index("[[dkim]]") :])
    assert home.mailer("config", "check").returncode == 0
    (row,) = facts(home, "record")
    assert (row["record"], row["key_file"], row["state"]) == (made.record, str(path), "signs")


@pytest.mark.parametrize(
    ("words", "kind", "bits"),
    [
        (["--type", "ed25519"], "ed25519", 256),
        (["--bits", "3072"], "rsa", 3072),
        (["--bits", "4096"], "rsa", 4096),
    ],
)
def test_keys_of_other_kinds(home: Home, words: list[str], kind: str, bits: int) -> None:
    """As ordered, where it was ordered, under the selector that was ordered."""
    path = home.path / "new" / "k.pem"
    (row,) = facts(home, "keygen", "Example.COM", "--selector", "S1", "--out", path, *words)
    made = private_key(path.read_bytes())
    assert (made.kind, made.bits, row["type"], row["bits"]) == (kind, bits, kind, bits)
    assert (row["name"], row["record"]) == ("s1._domainkey.example.com", made.record)


def test_a_file_that_exists_is_not_touched(home: Home) -> None:
    """Exit code 73: mail may be signed with what is in it, or it is none of ours; nor is a link followed."""
    path = home.path / "k.pem"
    path.write_text("mine")
    (home.path / "link").symlink_to(home.path / "nowhere")
    for name in ("k.pem", "link"):
        home.refused(home.mailer("dkim", "keygen", "example.com", "--out", home.path / name), 73, "exists already")
    assert path.read_text() == "mine"
    assert not (home.path / "nowhere").exists()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["keygen"], "it takes one DOMAIN"),
        (["keygen", "a.example", "b.example"], "it takes one DOMAIN"),
        (["keygen", "no domain"], "this is no domain"),
        (["keygen", "example.com", "--type", "dsa"], "--type is rsa or ed25519"),
        (["keygen", "example.com", "--bits", "1024"], "--bits is one of 2048, 3072, 4096"),
        (["keygen", "example.com", "--bits", "many"], "whole number"),
        (["keygen", "example.com", "--type", "ed25519", "--bits", "2048"], "--bits is for RSA"),
        (["keygen", "example.com", "--selector", "a_b"], "is no selector"),
        (["record", "a.example", "b.example"], "only one DOMAIN"),
        (["record", "example.com", "--key", "k.pem"], "--key needs --selector"),
        (["verify", "file"], "takes no operands"),
        (["rotate"], "it takes one DOMAIN"),
    ],
)
def test_mistakes_on_the_command_line(home: Home, words: list[str], problem: str) -> None:
    """Exit code 64, and what is wrong in one line."""
    home.refused(home.mailer("dkim", *words), 64, problem)
    assert not (home.path / "dkim").exists()


# record


@pytest.mark.parametrize(("kind", "bits"), [("rsa", 2048), ("rsa", 4096), ("ed25519", 256)])
def test_a_zone_file_takes_the_record(home: Home, kind: str, bits: int) -> None:
    """A name server that reads the printed form has the record, in strings of at most 255 octets."""
    path = key_file(home, kind, bits)
    zone = dkim(home, "record", "example.com", "--selector", "s1", "--key", path, "--zone")
    name, _, rest = zone.partition(" IN TXT ")
    data = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, re.sub(r"[()\n]", " ", rest).strip())
    assert name == "s1._domainkey.example.com."
    assert b"".join(data.strings).decode() == private_key(pem(kind, bits)).record
    assert all(len(string) <= 255 for string in data.strings)


def test_a_record_in_one_line(home: Home) -> None:
    """For web forms and scripts: the value and nothing else."""
    path = key_file(home)
    said = dkim(home, "record", "example.com", "--selector", "s1", "--key", path, "--one-line")
    assert said == private_key(pem()).record + "\n"


def test_records_of_the_configuration(home: Home) -> None:
    """All of them, those of a domain, or one; of a retired key, until when its record is needed."""
    rsa, ed25519 = key_file(home), key_file(home, "ed25519")
    old = section(rsa, "old", 'retired = "2026-11-21T00:00:00Z"\nexpire = "7d"\n')
    other = section(rsa, "s1").replace("example.com", "example.org")
    configure(home, None, section(rsa), section(ed25519, "e1", "waiting = true\n"), old, other)
    rows = facts(home, "record")
    assert [(row["domain"], row["selector"], row["state"]) for row in rows] == [
        ("example.com", "s1", "signs"), ("example.com", "e1", "waiting"), ("example.com", "old", "retired"), ("example.org", "s1", "signs"),
    ]  # fmt: skip
    assert rows[2]["needed_until"] == "2026-11-28T00:00:00Z"
    assert len(facts(home, "record", "example.com")) == 3
    assert len(facts(home, "record", "--selector", "s1")) == 2
    assert "retired; its record is needed until 2026-11-28T00:00:00Z" in dkim(home, "record", "example.com")
    home.refused(home.mailer("dkim", "record", "example.net"), 67, "the configuration has no key of example.net")


def test_a_key_that_others_can_read_is_not_used(home: Home) -> None:
    """Also for its record: it has to be replaced."""
    path = key_file(home)
    path.chmod(0o644)
    home.refused(home.mailer("dkim", "record", "example.com", "--selector", "s1", "--key", path), 78, "others can read the key file")


def test_the_key_may_be_there_before_the_configuration(home: Home, tmp_path: Path) -> None:
    """Where one names a place for it: the configuration that is to be written will name it."""
    path = tmp_path / "key.pem"
    dkim(home, "keygen", "example.com", "--config", str(tmp_path / "none.toml"), "--out", str(path))
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_root_makes_and_looks_at_the_keys_of_the_daemons_user(home: Home, server: Nameserver) -> None:
    """The spool is his, so a new key is his too, and his are no strangers' to root; those of a third user are."""
    home.spool.prepare()
    os.chown(home.spool.root, NOBODY, NOBODY)
    (made,) = facts(home, "keygen", "example.com", "--selector", "s1")
    path = Path(made["key_file"])
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (NOBODY, 0o600)
    configure(home, server, section(path))
    assert facts(home, "record")[0]["record"] == made["record"]
    dkim(home, "rotate", "example.com", "--selector", "s2")
    assert (path.parent / "example.com.s2.pem").stat().st_uid == NOBODY
    assert "belongs to somebody else" not in home.mailer("check", "example.com").stdout.decode()
    os.chown(path, NOBODY - 1, NOBODY - 1)
    home.refused(home.mailer("dkim", "record"), 78, "belongs to somebody else")


# verify


def seal(kind: str = "rsa", selector: str = "s1") -> Seal:
    return Seal("example.com", selector, private_key(pem(kind)), 86400.0)


def record_of(kind: str = "rsa", selector: str = "s1") -> str:
    """The record as a zone has it; strings of a zone file have 255 octets."""
    record = private_key(pem(kind)).record
    strings = " ".join(f'"{record[at : at + 255]}"' for at in range(0, len(record), 255))
    return f"{selector}._domainkey.example.com. 60 IN TXT {strings}\n"


def test_signatures_that_hold(home: Home, server: Nameserver) -> None:
    """Each is told with its key; whether the message has CRLF or LF line ends does not matter."""
    server.serve(record_of() + record_of("ed25519", "e1"))
    configure(home, server)
    signed = sign(MESSAGE, [seal(), seal("ed25519", "e1")], time.time())
    rows = facts(home, "verify", input=signed.replace(b"\r\n", b"\n"))
    assert [(row["result"], row["algorithm"], row["bits"], row["aligned"]) for row in rows] == [
        ("pass", "rsa-sha256", 2048, True), ("pass", "ed25519-sha256", 256, True),
    ]  # fmt: skip
    assert rows[0] == {
        "signature": 1, "result": "pass", "reason": None, "domain": "example.com", "selector": "s1", "algorithm": "rsa-sha256",
        "bits": 2048, "aligned": True,
    }  # fmt: skip
    said = dkim(home, "verify", input=signed)
    assert "result     pass" in said


def test_signatures_that_do_not(home: Home, server: Nameserver) -> None:
    """Exit code 65, and the reason: changed, without a key, or for mail of somebody else."""
    server.serve(record_of())
    configure(home, server)
    signed = sign(MESSAGE, [seal()], time.time())
    (row,) = facts(home, "verify", code=65, input=signed.replace(b"Hello", b"Hallo"))
    assert (row["result"], row["reason"]) == ("fail", "the body is not the one that was signed")
    (row,) = facts(home, "verify", code=65, input=sign(MESSAGE, [seal("rsa", "other")], time.time()))
    assert (row["result"], row["reason"]) == ("permerror", "there is no key at other._domainkey.example.com")
    stranger = MESSAGE.replace(b"anna@example.com", b"anna@example.net")
    (row,) = facts(home, "verify", input=sign(stranger, [seal()], time.time()))
    assert (row["result"], row["aligned"]) == ("pass", False)
    assert "(and the mail is from example.net)" in dkim(home, "verify", input=sign(stranger, [seal()], time.time()))


def test_a_message_without_a_signature(home: Home) -> None:
    """Nothing holds: 65."""
    assert dkim(home, "verify", code=65, input=MESSAGE) == "the message has no signature\n"
    assert facts(home, "verify", code=65, input=b"") == []


def test_a_dns_that_does_not_answer_is_for_later(home: Home, server: Nameserver) -> None:
    """Exit code 75: nobody can say yet."""
    server.misbehave("*", "servfail")
    configure(home, server)
    (row,) = facts(home, "verify", code=75, input=sign(MESSAGE, [seal()], time.time()))
    assert row["result"] == "temperror"
    assert "SERVFAIL" in row["reason"]


def test_a_thousand_signatures_ask_the_dns_five_times(home: Home, server: Nameserver) -> None:
    """A stranger does not choose how much we ask."""
    configure(home, server)
    fields = b"".join(sign(MESSAGE, [seal("ed25519", f"s{n}")], time.time()).removesuffix(MESSAGE) for n in range(1000))
    rows = facts(home, "verify", code=65, input=fields + MESSAGE)
    assert [row["result"] for row in rows] == ["permerror"] * 5 + ["neutral"]
    assert len({name for name, _, _ in server.asked}) == 5


def test_a_silent_dns_takes_the_time_of_one_look_up(home: Home, server: Nameserver) -> None:
    """However many signatures there are, the message does not choose how long we wait for their keys."""
    server.misbehave("*", "silent")
    home.configure(f'[dns]\nnameservers = ["{server.address}"]\ntimeout = "1.5s"\nlifetime = "2s"\n')
    fields = b"".join(sign(MESSAGE, [seal("ed25519", f"s{n}")], time.time()).removesuffix(MESSAGE) for n in range(5))
    rows = facts(home, "verify", code=75, input=fields + MESSAGE)
    assert len({name for name, _, _ in server.asked[:5]}) == 5, "all are asked before the first is asked again"
    assert [row["result"] for row in rows] == ["temperror"] * 5


@pytest.mark.parametrize(("key", "words"), [("huge", "permerror"), ("circle", "temperror")])
def test_a_dns_that_is_made_to_keep_us_busy(home: Home, server: Nameserver, key: str, words: str) -> None:
    """A record of 60,000 octets is read and refused, and aliases that go in a circle end."""
    long = " ".join(['"' + "A" * 255 + '"'] * 240)
    server.serve(
        f"huge._domainkey.example.com. 60 IN TXT {long}\n"
        "circle._domainkey.example.com. 60 IN CNAME back.example.com.\n"
        "back.example.com. 60 IN CNAME circle._domainkey.example.com.\n"
    )
    configure(home, server)
    (row,) = facts(home, "verify", code=75 if words == "temperror" else 65, input=sign(MESSAGE, [seal("ed25519", key)], time.time()))
    assert (row["result"], len(server.asked) <= 6) == (words, True)


# rotate


def states(home: Home) -> list[tuple[str, str]]:
    return [(row["selector"], row["state"]) for row in facts(home, "record")]


def test_a_key_is_replaced_in_two_steps(home: Home, server: Nameserver) -> None:
    """A new key waits beside the old one until its record is there; then it signs, and the old record has its date."""
    configure(home, server, section(key_file(home), more='# mine\nexpire = "7d"\n'))
    said = dkim(home, "rotate", "example.com")
    assert "Publish this" in said
    (old, old_state), (new, new_state) = states(home)
    assert (old, old_state, new_state) == ("s1", "signs", "waiting")
    assert "# mine" in (home.path / "config.toml").read_text()

    said = dkim(home, "rotate", "example.com", code=75)
    assert f"{new}._domainkey.example.com is not published yet" in said
    assert states(home) == [("s1", "signs"), (new, "waiting")]

    rows = facts(home, "record")
    server.serve(published(rows[1]))
    said = dkim(home, "rotate", "example.com")
    assert f"{new} signs mail of example.com now." in said
    rows = facts(home, "record")
    assert [row["state"] for row in rows] == ["retired", "signs"]
    assert rows[0]["needed_until"] in said
    assert Path(rows[0]["key_file"]).exists()
    assert home.mailer("config", "check").returncode == 0


def test_both_kinds_are_replaced_at_once(home: Home, server: Nameserver) -> None:
    """Each key by one of its kind; one whose record is not there goes on waiting, and so does the one it replaces."""
    rsa, ed25519 = key_file(home, bits=3072), key_file(home, "ed25519")
    configure(home, server, section(rsa, "r1"), section(ed25519, "e1"))
    dkim(home, "rotate", "example.com")
    rows = facts(home, "record")
    assert [(row["type"], row["bits"], row["state"]) for row in rows[2:]] == [("rsa", 3072, "waiting"), ("ed25519", 256, "waiting")]
    server.serve(published(rows[3]))
    dkim(home, "rotate", "example.com", code=75)
    assert [state for _, state in states(home)] == ["signs", "retired", "waiting", "signs"]
    server.serve(published(rows[2], rows[3]))
    dkim(home, "rotate", "example.com")
    assert [state for _, state in states(home)] == ["retired", "retired", "signs", "signs"]


def test_one_kind_alone(home: Home, server: Nameserver) -> None:
    """--type replaces only keys of that type; --unchecked does not look; a second time on a day finds a free name."""
    configure(home, server, section(key_file(home), "r1"), section(key_file(home, "ed25519"), "e1"))
    for _ in range(2):
        dkim(home, "rotate", "example.com", "--type", "ed25519")
        dkim(home, "rotate", "example.com", "--type", "ed25519", "--unchecked")
    found = states(home)
    assert [state for _, state in found] == ["signs", "retired", "retired", "signs"]
    assert found[3][0] not in (found[2][0], found[1][0])
    assert server.asked == []


def test_a_wrong_record_is_not_trusted(home: Home, server: Nameserver) -> None:
    """One with another key, or none, or two of them: the new key goes on waiting, and why is said."""
    configure(home, server, section(key_file(home)))
    dkim(home, "rotate", "example.com", "--selector", "s2")
    right = published(facts(home, "record", "--selector", "s2")[0])
    for records, problem in (
        (record_of("rsa", "s2"), "has another key"),
        (right + record_of("rsa", "s2"), "has 2 records"),
        ('s2._domainkey.example.com. 60 IN TXT "v=DKIM1; p="\n', "is wrong: the key is revoked"),
    ):
        server.serve(records)
        assert problem in dkim(home, "rotate", "example.com", code=75)
    server.misbehave("*", "servfail")
    assert "cannot be looked up" in dkim(home, "rotate", "example.com", code=75)
    assert states(home) == [("s1", "signs"), ("s2", "waiting")]


def test_what_cannot_be_replaced(home: Home, server: Nameserver) -> None:
    """Without a key that signs there is nothing to replace, and a selector is used once."""
    configure(home, server, section(key_file(home)))
    home.refused(home.mailer("dkim", "rotate", "example.org"), 67, "no key of example.org signs mail", "mailer dkim keygen example.org")
    home.refused(home.mailer("dkim", "rotate", "example.com", "--selector", "s1"), 73, "the selector s1 is taken already")
    before = (home.path / "config.toml").read_text()
    (home.path / "config.toml").write_text(before.replace("[[dkim]]", "[[dkim]]\nnonsense = 1"))
    assert home.mailer("dkim", "rotate", "example.com").returncode == 78


def test_keys_made_by_others_are_taken(home: Home) -> None:
    """A key that openssl wrote has a record as well."""
    path = home.path / "openssl.pem"
    made = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], capture_output=True)
    if made.returncode:
        pytest.skip("openssl is not installed, or cannot")
    path.write_bytes(made.stdout)
    path.chmod(0o600)
    assert dkim(home, "record", "example.com", "--selector", "x", "--key", path, "--one-line").startswith("v=DKIM1; k=rsa; p=MII")
