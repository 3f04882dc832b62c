"""With PostgreSQL nothing is lost and nothing is done twice, whatever becomes of the server and the way to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from mailer.mail.problem import Problem
from mailer.mailbox import schema
from mailer.mailbox.engine import connections as lending
from mailer.mailbox.engine import postgres
from mailer.mailbox.engine.api import Rows
from mailer.mailbox.engine.connections import Connections, parameters_of, shown
from mailer.mailbox.engine.postgres import TURN, PostgresEngine, translated
from mailer.mailbox.owners import schema as owners_schema
from mailer.mailbox.owners.postgres import PostgresOwners
from tests.fakes.sockets import closed_port
from tests.peers.postgresql import NEEDED, PASSWORD, LosingProxy, PostgreSQL

pytestmark = list(NEEDED)

TABLES = {"engine": (TURN,), "mailbox": (schema.ddl("postgresql"),), "owners": owners_schema.POSTGRESQL}
ADD = "INSERT INTO keyword (owner, folder, word, name) VALUES (?, 1, ?, '')"
COUNT = "SELECT count(*) FROM keyword WHERE owner = ?"


class Way:
    """An engine, and owners, with a proxy between them and the server; and an engine that goes there straight."""

    def __init__(self, server: PostgreSQL, proxy: LosingProxy, name: str) -> None:
        self.proxy = proxy
        self.connections = Connections(server.url(name, proxy.port), TABLES, PASSWORD)
        self.straight = Connections(server.url(name), TABLES, PASSWORD)
        self.engine = PostgresEngine(self.connections, 7)
        self.owners = PostgresOwners(self.connections)

    def add(self, word: str) -> int:
        return self.engine.change(lambda rows: rows.change(ADD, (7, word)))

    def count(self) -> int:
        return int(PostgresEngine(self.straight, 7).read(lambda rows: rows.run(COUNT, (7,)))[0][0])


@pytest.fixture
def way(postgresql: PostgreSQL) -> Iterator[Way]:
    with LosingProxy(postgresql.port) as proxy:
        way = Way(postgresql, proxy, postgresql.schema())
        way.add("first")
        yield way
        way.connections.close()
        way.straight.close()


def test_a_commit_whose_answer_is_lost_is_found_to_be_done(way: Way) -> None:
    """Whoever asked hears the result, and it is done once."""
    way.proxy.lose = ["answer"]
    assert way.add("a") == 1
    assert way.proxy.lost == 1
    assert way.count() == 2


def test_a_commit_that_never_came_is_found_to_be_not_done(way: Way) -> None:
    """Whoever asked is told to try again, and then it is done once."""
    way.proxy.lose = ["question"]
    with pytest.raises(Problem, match="nothing was changed; try again") as caught:
        way.add("a")
    assert caught.value.kind == "try-again"
    assert way.count() == 1
    way.add("a")
    assert way.count() == 2


def test_another_change_after_the_loss_does_not_hide_what_became_of_it(way: Way) -> None:
    """Each engine has turns of its own, and a number is nobody's twice."""
    other = PostgresEngine(way.straight, 7)
    other.change(lambda rows: rows.change(ADD, (7, "other")))
    for lost, done in (("answer", True), ("question", False), ("answer", True), ("question", False)):
        before = way.count()
        way.proxy.lose = [lost]  # type: ignore[list-item]
        try:
            way.add(f"{lost}{before}")
            assert done
        except Problem:
            assert not done
        other.change(lambda rows, before=before: rows.change(ADD, (7, f"other{before}")))  # type: ignore[misc]
        assert way.count() == before + done + 1


def test_what_cannot_be_found_out_is_said(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """As what it is: not known."""
    monkeypatch.setattr(postgres, "FINDING", 0.3)
    way.proxy.lose = ["answer"]

    def act(rows: Rows) -> None:
        rows.change(ADD, (7, "a"))
        way.proxy.deaf = True

    with pytest.raises(Problem, match="whether the change is done is not known") as caught:
        way.engine.change(act)
    assert caught.value.kind == "try-again"
    way.proxy.deaf = False
    assert way.count() == 2


def test_owners_are_made_and_put_once_whatever_answer_is_lost(way: Way) -> None:
    """An epoch is one more, not two."""
    for lost in ("answer", "question"):
        way.proxy.lose = [lost]  # type: ignore[list-item]
        ann = way.owners.make(f"{lost}@example.com", 1.0)
        way.proxy.lose = [lost]  # type: ignore[list-item]
        kept = way.owners.put(ann._replace(store="north"))
        assert kept == ann._replace(store="north", epoch=2)
        assert way.owners.by_id([ann.id]) == [kept]
    assert way.proxy.lost == 4
    assert len(way.owners.listing()) == 2


def test_a_server_that_died_and_came_back_is_used_again(postgresql: PostgreSQL) -> None:
    """Connections that lay there are replaced, and who was in the middle of something has done nothing."""
    connections = Connections(postgresql.url(), TABLES, PASSWORD)
    engine = PostgresEngine(connections, 7)
    engine.change(lambda rows: rows.change(ADD, (7, "a")))

    def act(rows: Rows) -> None:
        rows.change(ADD, (7, "b"))
        postgresql.kill()
        postgresql.start()
        rows.change(ADD, (7, "c"))

    with pytest.raises(Problem, match="cannot be used now") as caught:
        engine.change(act)
    assert caught.value.kind == "try-again"
    engine.change(lambda rows: rows.change(ADD, (7, "d")))
    postgresql.kill()
    postgresql.start()
    engine.change(lambda rows: rows.change(ADD, (7, "e")))
    assert engine.read(lambda rows: rows.run(COUNT, (7,)))[0][0] == 3
    connections.close()


def test_other_owners_are_not_waited_for(way: Way) -> None:
    """Each has a lock of his own."""
    other = PostgresEngine(way.straight, 8)

    def act(rows: Rows) -> None:
        rows.change(ADD, (7, "a"))
        other.change(lambda rows: rows.change(ADD, (8, "a")))

    way.engine.change(act)
    assert way.count() == 2


def test_who_waits_too_long_for_another_is_told(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """It passes; nothing is changed."""
    monkeypatch.setattr(lending, "SETTINGS", lending.SETTINGS.replace("'5s'", "'100ms'"))
    late = PostgresEngine(way.straight, 7)

    def act(rows: Rows) -> None:
        rows.change(ADD, (7, "a"))
        with pytest.raises(Problem, match="lock timeout") as caught:
            late.change(lambda rows: rows.change(ADD, (7, "b")))
        assert caught.value.kind == "try-again"

    way.engine.change(act)
    assert way.count() == 2


def test_no_more_connections_are_used_than_allowed(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes when all are lent waits, and is told at last."""
    connections = Connections(postgresql.url(), TABLES, PASSWORD, most=2)
    engine = PostgresEngine(connections, 7)
    begun, end = threading.Semaphore(0), threading.Event()

    def ask(_: Rows) -> None:
        begun.release()
        end.wait(60)

    with ThreadPoolExecutor(3) as threads:
        both = [threads.submit(engine.read, ask) for _ in range(2)]
        begun.acquire()
        begun.acquire()
        monkeypatch.setattr(lending, "PATIENCE", 0.05)
        with pytest.raises(Problem, match=r"all connections .* are in use") as caught:
            engine.read(ask)
        end.set()
        assert [each.result(60) for each in both] == [None, None]
    assert caught.value.kind == "try-again"
    connections.close()


def test_a_failed_statement_that_was_passed_over_is_no_commit(way: Way) -> None:
    """PostgreSQL undoes the whole, and that is said."""

    def act(rows: Rows) -> None:
        rows.change(ADD, (7, "a"))
        with pytest.raises(psycopg.Error):
            rows.change(ADD, (7, "a"))

    with pytest.raises(Problem) as caught:
        way.engine.change(act)
    assert caught.value.kind == "bug"
    assert way.count() == 1


def test_two_processes_that_begin_at_once_make_the_tables_once(postgresql: PostgreSQL) -> None:
    """The one that is later finds them."""
    url = postgresql.url()
    made = [Connections(url, TABLES, PASSWORD) for _ in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda each: PostgresOwners(each).listing(), made))
    for each in made:
        each.close()


def test_tables_of_a_later_version_are_left_alone(postgresql: PostgreSQL) -> None:
    """Whoever made them is to be installed."""
    url = postgresql.url()
    Connections(url, {"x": ("CREATE TABLE x (a INT)", "ALTER TABLE x ADD b INT")}, PASSWORD).lent().__enter__().close()
    Connections(url, {"x": ("CREATE TABLE x (a INT)", "ALTER TABLE x ADD b INT", "DROP TABLE x")}, PASSWORD).lent().__enter__().close()
    with pytest.raises(Problem, match="has x of version 3, and this mailer knows versions up to 2") as caught:
        Connections(url, {"x": ("", "")}, PASSWORD).lent().__enter__()
    assert caught.value.kind == "bad-config"


@pytest.mark.parametrize("wrong", ["password", "port", "name"])
def test_a_server_that_cannot_be_had_is_said_without_the_password(postgresql: PostgreSQL, wrong: str) -> None:
    """Where it is, and what it says; it may pass, so that mail waits."""
    url = postgresql.url(port=closed_port() if wrong == "port" else 0)
    url = url.replace("/postgres?", "/nowhere?" if wrong == "name" else "/postgres?")
    with pytest.raises(Problem, match=r"^the database 127\.0\.0\.1:\d+/\w+ cannot be used now: .*; try again$") as caught:
        PostgresOwners(Connections(url, TABLES, "sesame" if wrong == "password" else PASSWORD)).listing()
    assert caught.value.kind == "try-again"
    assert PASSWORD not in str(caught.value)
    assert "sesame" not in str(caught.value)


def test_a_user_who_may_not_is_said(postgresql: PostgreSQL) -> None:
    """It does not pass."""
    connections = Connections(postgresql.url(), TABLES, PASSWORD)
    with pytest.raises(Problem, match="refuses us: permission denied") as caught, connections.lent(("SET ROLE pg_monitor", ())) as db:
        db.execute("SELECT * FROM pg_authid")
    assert caught.value.kind == "no-permission"
    connections.close()


def test_a_server_that_does_not_wait_for_its_disk_is_made_to(postgresql: PostgreSQL) -> None:
    """For our transactions."""
    postgresql.asked("ALTER ROLE mailer SET synchronous_commit = off")
    try:
        connections = Connections(postgresql.url(), TABLES, PASSWORD)
        with connections.lent() as db:
            assert db.execute("SHOW synchronous_commit").fetchone() == ("on",)
        connections.close()
    finally:
        postgresql.asked("ALTER ROLE mailer RESET synchronous_commit")


def test_an_owner_who_is_forgotten_has_no_rows(way: Way) -> None:
    """In any table, and others have theirs."""
    other = PostgresEngine(way.straight, 8)
    other.change(lambda rows: rows.change(ADD, (8, "a")))
    PostgresEngine(way.straight, 7).change(lambda _: None)
    way.engine.forget()
    assert way.count() == 0
    assert other.read(lambda rows: rows.run(COUNT, (8,)))[0][0] == 1
    with way.straight.lent() as db:
        for table in [*schema.PARTS, "turn"]:
            assert {row[0] for row in db.execute(f"SELECT owner FROM {table}")} <= {8, 7 if table == "turn" else 8}


def test_the_columns_of_a_table_are_those_of_the_database(way: Way) -> None:
    """All of them, in their order."""
    with way.straight.lent() as db:
        for table, (columns, _) in schema.PARTS.items():
            assert tuple(each.name for each in db.execute(f"SELECT * FROM {table}").description or ()) == columns


def test_turns_of_engines_that_are_gone_are_forgotten(way: Way) -> None:
    """After a day."""
    with way.straight.lent() as db:
        db.execute("UPDATE turn SET at = now() - interval '2 days'")
    PostgresEngine(way.straight, 7).change(lambda _: None)
    with way.straight.lent() as db:
        assert db.execute("SELECT count(*) FROM turn").fetchone() == (1,)


@pytest.mark.parametrize(
    "url", ["postgresql://a:secret@[::1/x", "nonsense=secret", "postgresql://h/x?secret=1", "postgresql://%zz:secret@h/"]
)
def test_what_is_no_url_is_not_shown(url: str) -> None:
    """It may have a secret in it."""
    with pytest.raises(Problem, match=r"mailboxes\.database is no URL") as caught:
        parameters_of(url)
    assert "secret" not in str(caught.value)


def test_a_database_is_named_without_a_secret() -> None:
    """By host, port and name."""
    parameters = parameters_of("postgresql://ann:secret@db1,db2:5432/mail")
    assert shown(parameters) == "the database db1,db2/mail"
    assert shown(parameters_of("postgresql:///mail")) == "the database of this machine/mail"


def test_statements_have_the_place_holders_of_psycopg() -> None:
    """What is between quotes is text."""
    assert translated("SELECT '?', a FROM b WHERE c = ? AND d LIKE 'x%''?' OR e = ?") == (
        "SELECT '?', a FROM b WHERE c = %s AND d LIKE 'x%%''?' OR e = %s"
    )
