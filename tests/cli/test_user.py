"""``mailer user``: users, as an operator makes and keeps them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from mailer.accounts.sessions.api import LoginLine, UserSession
from mailer.accounts.sessions.sqlite import SqliteSessions
from mailer.config.file import config_of
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
from mailer.operate.schemas import SCHEMAS
from tests.operate.test_schemas import right

from .home import Home

ANN = "ann@example.com"


def told(home: Home, *words: str) -> list[dict[str, Any]]:
    """What a command prints with ``--json``, which is what its schema says."""
    done = home.mailer("user", *words, "--json")
    assert done.returncode == 0, done.stderr
    return right(f"user {words[0]}", done.stdout.decode())


def test_a_user_from_his_making_to_his_end(home: Home) -> None:
    """His passwords are printed once, each; nothing that is printed or kept besides has them."""
    home.configure(f'[mailboxes]\npath = "{home.path}/mailboxes"\n')
    verbs = (
        "add",
        "list",
        "show",
        "passwd",
        "app-password",
        "quota",
        "send-as",
        "disable",
        "enable",
        "sessions",
        "logins",
        "remove",
        "restore",
    )
    assert {f"user {verb}" for verb in verbs} <= {*SCHEMAS}
    [made] = told(home, "add", ANN, "--quota", "5GB", "--send-as", "*@shop.example.com")
    assert made["address"] == ANN
    [phone] = told(home, "app-password", ANN, "phone", "--for", "submission")
    [again] = told(home, "passwd", ANN)
    assert len({made["password"], phone["password"], again["password"]}) == 3
    [user] = told(home, "list")
    assert (user["quota"], user["sends_as"], user["has_password"], user["disabled"]) == (5_000_000_000, ["*@shop.example.com"], True, False)
    assert [(each["name"], each["purposes"]) for each in user["app_passwords"]] == [("phone", ["submission"])]
    assert [told(home, verb, ANN)[0]["disabled"] for verb in ("disable", "enable")] == [True, False]
    assert told(home, "quota", ANN, "1MB", "100")[0]["quota_messages"] == 100
    assert [told(home, "quota", ANN, "0")[0][name] for name in ("quota", "quota_messages")] == [None, 100]
    assert [told(home, "show", ANN)[0][name] for name in ("address", "used", "sessions", "logins")] == [ANN, [], [], []]
    assert told(home, "send-as", ANN)[0]["sends_as"] == []
    file = home.path / "spool" / "accounts.sqlite3"
    kept = file.read_bytes() + b"".join(path.read_bytes() for path in file.parent.glob("accounts.sqlite3-*"))
    said = kept + json.dumps(user).encode() + home.mailer("user", "list").stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert not [one for one in (made, phone, again) if one["password"].encode() in said]
    assert told(home, "app-password", ANN, "phone", "--remove")[0]["app_passwords"] == []
    assert told(home, "remove", ANN) == [{"address": ANN, "removed": True, "mailbox_kept_until": None}]
    assert b"mailer user add" in home.mailer("user", "list").stderr


def test_a_password_may_come_by_standard_input(home: Home) -> None:
    """Then none is printed."""
    home.configure("")
    done = home.mailer("user", "add", ANN, "--password-stdin", input=b"correct horse\n")
    assert (done.returncode, done.stdout) == (0, b"")
    done = home.mailer("user", "passwd", ANN, "--password-stdin", "--json", input=b"battery staple")
    assert json.loads(done.stdout) == {"address": ANN, "name": None, "password": None}
    for text, why in ((b"", "no password in its first line"), (b"\xff\n", "UTF-8"), (b"x" * 1025, "at most 1024 octets")):
        home.refused(home.mailer("user", "passwd", ANN, "--password-stdin", input=text), 64, why)


def test_the_password_alone_is_on_standard_output(home: Home) -> None:
    """So that a script takes it without a reader of JSON."""
    home.configure("")
    done = home.mailer("user", "add", ANN)
    assert len(done.stdout) == 21
    assert done.stdout.strip().isalnum()
    assert b"cannot be shown again" in done.stderr


def test_mistakes_are_one_line(home: Home) -> None:
    """With the exit code of their kind."""
    home.configure("")
    home.refused(home.mailer("user", "add", "ann"), 64, "ann@example.com")
    home.refused(home.mailer("user", "add", ANN, "--quota", "much"), 64, "--quota")
    home.refused(home.mailer("user", "add", "ann+x@example.com"), 64, "is ann@example.com with a tag")
    home.refused(home.mailer("user", "add", ANN, "--send-as", "nobody at all"), 64, "--send-as")
    home.refused(home.mailer("user", "disable", ANN), 67, "no user ann@example.com")
    assert home.mailer("user", "add", ANN).returncode == 0
    home.refused(home.mailer("user", "add", "ANN@Example.com"), 64, "there is a user ANN@Example.com already")
    home.refused(home.mailer("user", "app-password", ANN, "phone", "--for", "everything"), 64, "submission, imap, pop3, web")
    home.refused(home.mailer("user", "app-password", ANN, "phone", "--expires", "soon"), 64, "--expires")
    home.refused(home.mailer("user", "quota", ANN, "1MB", "many"), 64, "MESSAGES")
    home.refused(home.mailer("user", "sessions", "--end"), 64, "--end needs the ADDRESS")
    home.refused(home.mailer("user", "sessions", ANN, "--end", "--session", "x"), 67, "has no session 'x'")


def test_users_of_others_are_changed_by_others(home: Home) -> None:
    """Where they are says the error."""
    home.configure('[accounts]\nsource = "file"\nusers_file = "/etc/mailer/users"\n')
    home.refused(home.mailer("user", "add", ANN), 78, "/etc/mailer/users")


def test_what_is_known_of_a_user_can_be_read(home: Home) -> None:
    """His passwords and when they were used, where he is logged in, who tried to be him; and he can be logged out."""
    home.configure("")
    told(home, "add", ANN, "--quota", "5GB", "--quota-messages", "1000")
    told(home, "app-password", ANN, "phone", "--for", "imap,pop3", "--expires", "90d")
    now = time.time()

    async def write() -> None:
        sessions = SqliteSessions(str(home.path / "spool"))
        await sessions.note(
            [
                LoginLine(ANN, "imap", "192.0.2.1", "PLAIN", "phone", "", now, now, 3),
                LoginLine(ANN, "submission", "192.0.2.66", "LOGIN", "", "wrong name or password", now, now),
            ]
        )
        await sessions.keep("run-1", [UserSession("abc", ANN, "imap", "192.0.2.1", "phone", now)], [], now)
        await sessions.close()

    asyncio.run(write())
    [shown] = told(home, "show", ANN)
    assert [each["app"] for each in shown["used"]] == ["phone"]
    assert shown["app_passwords"][0]["expires_at"] > shown["app_passwords"][0]["created_at"]
    assert [each["id"] for each in told(home, "sessions")] == ["abc"]
    assert [(each["well"], each["many"]) for each in told(home, "logins", ANN)] == [(False, 1), (True, 3)]
    assert [each["ip"] for each in told(home, "logins", "--failed", "--limit", "1")] == ["192.0.2.66"]
    text = home.mailer("user", "show", ANN).stdout.decode()
    for words in ("1,000 at most", "phone", "imap pop3", "from 192.0.2.1 (imap)", "never used", "run-1", "wrong name or password"):
        assert words in text
    assert told(home, "sessions", ANN, "--end") == [{"address": ANN, "ended": 1}]


def test_a_mailbox_outlives_its_user_and_is_nobody_elses(home: Home) -> None:
    """Whoever gets the address next has an empty one; when he is gone, the first can have his back."""
    home.configure(f'[mailboxes]\npath = "{home.path}/mailboxes"\n')

    def count() -> int:
        done = home.mailer("mailbox", "list", "--json")
        return sum(json.loads(line)["messages"] for line in done.stdout.splitlines() if json.loads(line)["state"] == "open")

    told(home, "add", ANN)
    with mailboxes_of(config_of("", f'[mailboxes]\npath = "{home.path}/mailboxes"\n'.encode())).of(ANN, make=True) as box:
        box.put([NewMail("INBOX", b"Subject: hello\r\n\r\nhello\r\n")])
    assert count() == 1
    done = home.mailer("user", "remove", ANN)
    assert b"mailer user restore ann@example.com" in done.stderr
    assert count() == 0
    told(home, "add", ANN)
    assert count() == 0
    home.refused(home.mailer("user", "restore", ANN), 64, "has a mailbox of his own")
    told(home, "remove", ANN)
    [made] = told(home, "restore", ANN, "--quota", "1GB")
    assert made["password"]
    assert count() == 1
    assert told(home, "show", ANN)[0]["quota"] == 1_000_000_000
    home.refused(home.mailer("user", "restore", "bob@example.com"), 67, "no mailbox of bob@example.com is kept")
