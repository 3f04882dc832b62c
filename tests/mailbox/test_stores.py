"""Mailboxes are where the configuration says, each where its owner says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailer.config import Config
from mailer.config.file import load
from mailer.mail.problem import Problem
from mailer.mailbox import rekeying
from mailer.mailbox.api import NewMail
from mailer.mailbox.configured import mailboxes_of
from mailer.mailbox.moving.move import Move
from mailer.mailbox.stores import MailboxStores
from mailer.operate.mailbox_keys import make_master_key, rekeyed
from tests.peers.postgresql import PASSWORD, PostgreSQL, needed

ANN = "ann@example.com"
LETTER = b"Subject: hello\r\n\r\nhello\r\n"


def configured(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "mailer.toml"
    path.write_text(f'[mailer]\nspool = "{tmp_path}/spool"\n[mailboxes]\npath = "{tmp_path}/mailboxes"\n{text}')
    return load(str(path))


@pytest.fixture
def database(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[str]:
    """The settings of one."""
    secret = tmp_path / "db.secret"
    secret.write_text(f"{PASSWORD}\n")
    secret.chmod(0o600)
    return f'database = "{postgresql.url()}"\ndatabase_password_file = "{secret}"\n'


def put(config: Config) -> str:
    """A message for ann; its ID."""
    boxes = mailboxes_of(config)
    with boxes.of(ANN, make=True) as box:
        mail = box.put([NewMail("INBOX", LETTER)])[0].mail
    boxes.close()
    return mail


def reads(config: Config, id: str) -> bytes:
    """What another process reads of it."""
    boxes = mailboxes_of(config)
    with boxes.of(ANN) as box:
        (mail,) = box.mails([id])
        assert mail is not None
        content = box.read(mail)
        assert box.check(bodies=True) == []
    boxes.close()
    return content


def move(config: Config, to: str) -> None:
    stores = MailboxStores(config)
    (owner,) = stores.owners.find([ANN])
    assert owner is not None
    try:
        Move(stores.owners, stores.named(owner.store), stores.named(to), lambda: owner.created).run(owner)
    finally:
        stores.close()


def test_without_more_each_mailbox_has_a_file(tmp_path: Path) -> None:
    """Below the path, which is made."""
    config = configured(tmp_path, "")
    assert reads(config, put(config)) == LETTER
    assert len(list(tmp_path.glob("mailboxes/u/*/*/index.sqlite3"))) == 1


def test_whose_mailboxes_those_are_must_not_be_lost(tmp_path: Path) -> None:
    """Nobody gets an empty mailbox in place of his; where the file is put back, or no mailbox is there, all is well."""
    config = configured(tmp_path, "")
    id = put(config)
    kept = tmp_path / "mailboxes/owners.sqlite3"
    kept.rename(tmp_path / "copy")
    for ask in (put, lambda config: reads(config, id)):
        with pytest.raises(Problem, match=r"owners\.sqlite3 is gone, and there are mailboxes below .*: put back a copy"):
            ask(config)
    assert not kept.exists()
    (tmp_path / "copy").rename(kept)
    assert reads(config, id) == LETTER
    kept.unlink()
    (tmp_path / "mailboxes/u").rename(tmp_path / "aside")
    assert reads(config, put(config)) == LETTER


@needed
def test_with_a_database_owners_and_rows_are_there(tmp_path: Path, database: str) -> None:
    """And messages below the path; all connections are let go of."""
    config = configured(tmp_path, database)
    assert reads(config, put(config)) == LETTER
    assert list(tmp_path.glob("mailboxes/**/*.sqlite3")) == []
    assert len(list(tmp_path.glob("mailboxes/u/*/*/mail/*/*"))) == 1


@needed
def test_a_mailbox_goes_from_place_to_place(tmp_path: Path, database: str) -> None:
    """And is found wherever it is."""
    other = f'[[mailbox_store]]\nname = "south"\npath = "{tmp_path}/south"\n[[mailbox_store]]\nname = "db"\n{database}'
    config = configured(tmp_path, other)
    mail = put(config)
    for to in ("south", "db", ""):
        move(config, to)
        assert reads(config, mail) == LETTER
    assert len(list(tmp_path.glob("south/u/*/*/mail/*/*"))) == 1


@needed
def test_machines_that_share_a_database_without_the_owners_mix_nobodys_mail(tmp_path: Path, database: str) -> None:
    """Whose number another has there already is refused, whether he is moved there, or was before his owners were put back older."""
    other = f'[[mailbox_store]]\nname = "db"\n{database}'
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    one, two = [configured(place, other) for place in places]
    mail, another = put(one), put(two)
    move(one, "db")
    with pytest.raises(Problem, match="has the rows of another owner"):
        move(two, "db")
    assert (reads(one, mail), reads(two, another)) == (LETTER, LETTER)
    (tmp_path / "two/mailboxes/owners.sqlite3").unlink()
    (tmp_path / "one/mailboxes/owners.sqlite3").replace(tmp_path / "kept")
    (tmp_path / "one/mailboxes/u").rename(tmp_path / "aside")
    mailboxes = mailboxes_of(one)
    boss = mailboxes.owners.make("boss@example.com", 0.0, "db")
    for ask in (lambda: mailboxes.of("boss@example.com").__enter__(), lambda: mailboxes.erase(boss)):
        with pytest.raises(Problem, match="has the rows of another owner"):
            ask()
    mailboxes.close()
    (tmp_path / "kept").replace(tmp_path / "one/mailboxes/owners.sqlite3")
    (tmp_path / "aside").rename(tmp_path / "one/mailboxes/u")
    assert reads(one, mail) == LETTER


@needed
def test_what_moves_leave_behind_goes_after_a_week(tmp_path: Path, database: str) -> None:
    """By the sweep, wherever it is; where the mailbox is nothing goes. Of one who is removed for ever nothing is left."""
    other = f'[[mailbox_store]]\nname = "south"\npath = "{tmp_path}/south"\n[[mailbox_store]]\nname = "db"\n{database}'
    config = configured(tmp_path, other)
    mail = put(config)
    for to in ("south", "db"):
        move(config, to)

    def rows() -> list[Path]:
        return [*tmp_path.glob("*/u/*/*/index.sqlite3")]

    boxes = mailboxes_of(config)
    (owner,) = boxes.owners.find([ANN])
    assert owner is not None
    for days, many in ((6, 2), (8, 0)):
        assert boxes.sweep(owner.created + days * 86400).troubles == []
        assert len(rows()) == many
    assert list(tmp_path.glob("south/u/*/*/mail/*/*")) == []
    boxes.close()
    assert reads(config, mail) == LETTER
    move(config, "south")
    boxes = mailboxes_of(config)
    boxes.remove(ANN)
    boxes.sweep(owner.created + 90 * 86400)
    boxes.close()
    assert rows() == []
    assert list(tmp_path.glob("*/u/*/*/mail/*/*")) == []


@needed
def test_a_mailbox_that_is_encrypted_stays_so(tmp_path: Path, database: str) -> None:
    """In each place; in a database the messages are, and in a file everything."""
    other = f'encryption = "age"\n[[mailbox_store]]\nname = "south"\npath = "{tmp_path}/south"\n[[mailbox_store]]\nname = "db"\n{database}'
    config = configured(tmp_path, other)
    boxes = mailboxes_of(config)
    make_master_key(config, boxes)
    boxes.close()
    mail = put(config)
    for to in ("south", "db", "south", ""):
        move(config, to)
        assert reads(config, mail) == LETTER
    files = [path for place in ("mailboxes", "south") for path in (tmp_path / place / "u").rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not [path for path in files if b"hello" in path.read_bytes() or path.read_bytes().startswith(b"SQLite format 3")]


@pytest.mark.parametrize("at", range(1, 4))
def test_a_mailbox_that_moves_while_it_gets_other_keys_stays_readable(tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys before stay until all of it, where it is then, was sealed with the new ones."""
    config = configured(tmp_path, f'encryption = "age"\n[[mailbox_store]]\nname = "south"\npath = "{tmp_path}/south"\n')
    boxes = mailboxes_of(config)
    make_master_key(config, boxes)
    mails = [put(config) for _ in range(4)]
    make_master_key(config, boxes, more=True)
    monkeypatch.setattr(rekeying, "SOME", 1)

    def told(address: str, done: int, many: int) -> None:
        if done == at and many == 4:
            move(config, "south")

    (line,) = rekeyed(config, boxes, [ANN], bodies=True, told=told)
    assert line.trouble is not None
    assert [reads(config, mail) for mail in mails] == [LETTER] * 4
    (line,) = rekeyed(config, boxes, [ANN], bodies=True)
    assert (line.trouble, line.lost) == (None, ())
    assert [reads(config, mail) for mail in mails] == [LETTER] * 4
    boxes.close()


def test_a_place_that_is_not_there_any_more_is_said(tmp_path: Path) -> None:
    """With those that are."""
    config = configured(tmp_path, f'[[mailbox_store]]\nname = "south"\npath = "{tmp_path}/south"\n')
    put(config)
    move(config, "south")
    with pytest.raises(
        Problem, match=r"no \[\[mailbox_store\]\] 'south' in the configuration; there are: the one of \[mailboxes\]"
    ) as caught:
        reads(configured(tmp_path, ""), "x")
    assert caught.value.kind == "bad-config"


def test_without_the_library_a_database_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra by its name, once somebody wants a mailbox there."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for name in ("connections", "postgres"):
        monkeypatch.delitem(sys.modules, f"mailer.mailbox.engine.{name}", raising=False)
    monkeypatch.delitem(sys.modules, "mailer.mailbox.owners.postgres", raising=False)
    with pytest.raises(Problem, match=r"library psycopg is not installed: .*mailer-mta\[cluster\]") as caught:
        MailboxStores(configured(tmp_path, 'database = "postgresql://m@h/x"'))
    assert caught.value.kind == "bad-config"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('database = "mysql://h/x"', "a database is named as postgresql://"),
        ('database = "postgresql://m:sesame@h/x"', "a password does not stand in the configuration"),
        ('database = "postgresql://h/x?password=sesame"', "a password does not stand in the configuration"),
        ('[[mailbox_store]]\nname = "south"', "south is no place: set path, or database"),
        ('[[mailbox_store]]\nname = "a"\npath = "/x"\n[[mailbox_store]]\nname = "a"\npath = "/y"', "there is a place a already"),
    ],
)
def test_what_is_no_place_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """In words that show no secret."""
    with pytest.raises(Problem, match=says) as caught:
        configured(tmp_path, text)
    assert caught.value.kind == "bad-config"
    assert "sesame" not in str(caught.value)
