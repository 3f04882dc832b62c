"""``mailer mailbox script``, ``rules``, ``vacation`` and ``forward``: what is done with mail is said, shown, tried and taken back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.operate.test_schemas import right

from .home import Home

ANN = "ann@example.com"
MAIL = b"From: Bob <bob@example.net>\nTo: ann@example.com\nSubject: an invoice\n\nPay.\n"


@pytest.fixture
def kept(home: Home) -> Home:
    """A home with a place for mailboxes, and a domain of ours."""
    home.configure(f'\n[mailboxes]\npath = "{home.path}/mailboxes"\n\n[[domain]]\nname = "example.com"\nvia = "local"\n')
    assert home.mailer("user", "add", ANN).returncode == 0
    return home


def said(home: Home, *words: str, input: bytes = b"", code: int = 0) -> str:
    """What a command prints."""
    done = home.mailer("mailbox", *words, input=input)
    assert done.returncode == code, done.stderr
    return (done.stdout if code == 0 else done.stderr).decode()


def told(home: Home, *words: str, input: bytes = b"", code: int = 0) -> list[dict[str, Any]]:
    """What it prints with ``--json``."""
    done = home.mailer("mailbox", *words, "--json", input=input)
    assert done.returncode == code, done.stderr
    return right(f"mailbox {words[0]}", done.stdout.decode(), lines=0)


def test_scripts(kept: Home) -> None:
    """One is checked, kept, asked, shown, tried, and forgotten."""
    source = b'require "fileinto"; if header :contains "subject" "invoice" { fileinto "Money"; }\n'
    assert said(kept, "script", ANN, "put", "main", input=source) == "ann@example.com: the script main is kept; `activate` has it asked\n"
    assert told(kept, "script", ANN, "test", input=MAIL)[0]["folders"] == [{"folder": "INBOX", "flags": []}]
    assert "is asked" in said(kept, "script", ANN, "activate", "main")
    assert told(kept, "script", ANN, "test", input=MAIL)[0]["folders"] == [{"folder": "Money", "flags": []}]
    assert said(kept, "script", ANN, "test", input=MAIL) == "it goes into Money\n"
    assert said(kept, "script", ANN, "test", "--junk", input=b"Subject: x\n\n") == "it goes into Junk\n"
    (line,) = told(kept, "script", ANN, "list")
    assert (line["name"], line["active"], line["octets"]) == ("main", True, len(source))
    assert "main" in said(kept, "script", ANN)
    assert said(kept, "script", ANN, "get").encode() == source
    assert "is right" in said(kept, "script", ANN, "check", input=source)
    assert "no script is asked" in said(kept, "script", ANN, "deactivate")
    assert "is gone" in said(kept, "script", ANN, "delete", "main")
    assert told(kept, "script", ANN) == []


def test_a_script_that_is_wrong_is_not_kept(kept: Home) -> None:
    """The line is said, and what was kept before stays."""
    said(kept, "script", ANN, "put", "main", "--activate", input=b"discard;")
    for verb in (("put", "main"), ("check",)):
        assert said(kept, "script", ANN, *verb, input=b"keep;\nfrob;", code=65) == 'mailer: line 2: there is no command "frob"\n'
    assert said(kept, "script", ANN, "get", "main") == "discard;"
    assert "Trash" in said(kept, "script", ANN, "test", input=MAIL)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("script",), 64),
        (("script", ANN, "frob"), 64),
        (("script", ANN, "put"), 64),
        (("script", "nobody@example.com"), 67),
        (("rules", "nobody@example.com", "add", "--keep"), 67),
        (("script", ANN, "get", "nothing"), 67),
        (("script", ANN, "activate", "nothing"), 67),
        (("script", ANN, "delete", "nothing"), 67),
        (("rules", ANN, "frob"), 64),
        (("rules", ANN, "remove", "x"), 64),
        (("rules", ANN, "remove", "3"), 67),
        (("rules", ANN, "add", "--where", "subject"), 64),
        (("rules", ANN, "add", "--where", "subject contains x"), 64),
        (("rules", ANN, "add", "--file", "a//b"), 64),
        (("vacation", ANN, "perhaps"), 64),
        (("vacation", ANN, "on"), 64),
        (("vacation", ANN, "on", "--days", "31"), 64),
        (("forward", ANN, "add"), 64),
        (("forward", ANN, "add", "nobody"), 64),
        (("forward", ANN, "list", "x"), 64),
        (("forward", ANN, "remove", "x@example.org"), 67),
        (("forward", ANN, "confirm", "x@example.org", "code"), 67),
    ],
)
def test_what_cannot_be(kept: Home, words: tuple[str, ...], code: int) -> None:
    """It is said in one line, with the exit code of its kind."""
    said(kept, "script", ANN, "put", "main", input=b"keep;")
    assert said(kept, *words, code=code).count("\n") == 1


def test_rules(kept: Home) -> None:
    """They are added by words, shown, kept as JSON, and printed as the script that they come to."""
    said(
        kept,
        "rules",
        ANN,
        "add",
        "--where",
        "subject contains invoice",
        "--where",
        "not from is boss@example.com",
        "--file",
        "Money",
        "--seen",
    )
    line = said(kept, "rules", ANN, "add", "--where", "header:X-Kind is ads", "--any", "--discard", "--go-on", "--name", "no ads")
    assert line == "ann@example.com: where X-Kind is ads: discard, goes on\n"
    rules = told(kept, "rules", ANN)
    assert [rule["name"] for rule in rules] == ["subject contains invoice and not from is boss@example.com", "no ads"]
    assert "Money" in said(kept, "rules", ANN)
    assert 'not address :is ["from", "sender"] "boss@example.com"' in said(kept, "rules", ANN, "sieve")
    assert told(kept, "script", ANN, "test", input=MAIL)[0]["folders"] == [{"folder": "Money", "flags": ["\\Seen"]}]
    whole = said(kept, "rules", ANN, "list", "--json").encode()
    assert "the rule no ads is gone" in said(kept, "rules", ANN, "remove", "2")
    assert len(told(kept, "rules", ANN)) == 1
    assert "has 2 rules" in said(kept, "rules", ANN, "set", input=whole)
    assert told(kept, "rules", ANN) == rules
    said(kept, "rules", ANN, "set", input=b'{"name": 3}', code=64)
    assert told(kept, "rules", ANN) == rules


def test_vacation(kept: Home) -> None:
    """It is on with a text, shown, tried, and off."""
    said(
        kept,
        "vacation",
        ANN,
        "on",
        "--until",
        "2099-01-06",
        "--subject",
        "Away",
        "--also",
        "a@example.com",
        input="Zurück am 7.\n".encode(),
    )
    (line,) = told(kept, "vacation", ANN)
    assert (line["answers"], line["subject"], line["until"], line["addresses"]) == (True, "Away", "2099-01-06", ["a@example.com"])
    assert "answers from now to 2099-01-06" in said(kept, "vacation", ANN)
    assert told(kept, "script", ANN, "test", input=MAIL)[0]["answer"] == "Away"
    (tried,) = told(kept, "script", ANN, "test", "--from", "", input=MAIL)
    assert (tried["answer"], tried["withheld"]) == (None, ["no answer: it has the null reverse-path"])
    assert "its sender gets an answer" in said(kept, "script", ANN, "test", input=MAIL)
    assert "answers nobody" in said(kept, "vacation", ANN, "off")
    assert told(kept, "vacation", ANN) == [{"address": ANN, "answers": False}]
    assert "no UTF-8" in said(kept, "vacation", ANN, "on", input=b"\xff", code=65)


def test_a_forward_is_confirmed_by_who_gets_it(kept: Home) -> None:
    """A code goes there, and the owner hears of it; without the code nothing is forwarded."""
    assert "a code went to spy@example.org" in said(kept, "forward", ANN, "add", "spy@example.org", "--no-copy")
    asked, told_owner = sorted((kept.spool.content(id) for id in kept.queued()), key=lambda content: b"May mail" not in content)
    assert b"To: spy@example.org" in asked
    assert b"To: ann@example.com" in told_owner
    code = re.search(rb"\n {4}(\S{10})\r\n", asked)
    assert code is not None
    assert code[1] not in told_owner
    assert told(kept, "forward", ANN)[0]["confirmed_at"] is None
    assert told(kept, "script", ANN, "test", input=MAIL)[0]["forwards"] == []
    assert "waits for its code" in said(kept, "forward", ANN)
    assert "not the code" in said(kept, "forward", ANN, "confirm", "spy@example.org", "2222222222", code=77)
    assert "is forwarded to" in said(kept, "forward", ANN, "confirm", "Spy@example.org", code[1].decode().upper())
    (tried,) = told(kept, "script", ANN, "test", input=MAIL)
    assert (tried["forwards"], tried["folders"]) == (["spy@example.org"], [])
    assert "not forwarded" in said(kept, "forward", ANN, "remove", "spy@example.org")
    assert told(kept, "forward", ANN) == []


def test_an_address_of_ours_is_not_asked(kept: Home) -> None:
    """Mail there does not leave this machine."""
    assert "is forwarded to bob@example.com" in said(kept, "forward", ANN, "add", "bob@example.com")
    assert kept.queued() == []


def test_an_operator_confirms_himself(kept: Home) -> None:
    """He knows that it is right, and nobody is asked."""
    assert "is forwarded to carl@example.org" in said(kept, "forward", ANN, "add", "carl@example.org", "--confirmed", "--for-rules")
    assert told(kept, "forward", ANN)[0]["kind"] == "rules"
    assert kept.queued() == []
    said(kept, "rules", ANN, "add", "--where", "subject contains invoice", "--forward", "carl@example.org")
    assert told(kept, "script", ANN, "test", input=MAIL)[0]["forwards"] == ["carl@example.org"]


def test_a_rule_for_an_address_that_was_not_confirmed_says_so(kept: Home) -> None:
    """And what has it confirmed; an address of ours needs nothing."""
    done = kept.mailer("mailbox", "rules", ANN, "add", "--where", "from contains boss", "--forward", "eve@example.org")
    assert done.returncode == 0
    assert b"before that address was confirmed: `mailer mailbox forward ann@example.com add eve@example.org --for-rules`" in done.stderr
    done = kept.mailer("mailbox", "rules", ANN, "add", "--where", "from contains boss", "--forward", "bob@example.com")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_size_has_units(kept: Home) -> None:
    """As sizes have them everywhere."""
    assert "where size over 1500000: file Big" in said(kept, "rules", ANN, "add", "--where", "size over 1.5MB", "--file", "Big")
    kept.refused(kept.mailer("mailbox", "rules", ANN, "add", "--where", "size over much", "--file", "Big"), 64, "is no size; write")


def test_the_manual_lists_the_extensions() -> None:
    """All that a script can require stand in mailer-mailboxes(7), and no other."""
    from mailer.sieve import EXTENSIONS

    page = (Path(__file__).parents[2] / "man" / "mailer-mailboxes.7").read_text().replace("\\-", "-")
    table = page.partition("Extension@Of\n")[2].partition(".TE")[0]
    assert [line.partition("@")[0] for line in table.splitlines()] == [*EXTENSIONS]
