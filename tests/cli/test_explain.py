"""``mailer explain``: the story of a message as its sender and its operator read it, whatever has become of it."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.events import Standings
from mailer.mail.outcome import NOWHERE, Hop
from mailer.status.standing import Standing
from tests.cli.terminal import UNSAFE, Shell
from tests.cli.test_show import HOSTILE
from tests.fakes.mail import NOW, outcome, suspend
from tests.fakes.processes import free_port
from tests.journey.world import World
from tests.status.office import Office

HOP = Hop("mx.example.net", "192.0.2.1", 25, "opportunistic", "TLSv1.3 unverified")
SECRET = "canary-5ecret"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A host of its own."""
    world = World(tmp_path)
    yield world
    world.close()


def told(world: World, id: str) -> dict[str, Any]:
    """The story as JSON."""
    done = world.mailer("explain", "--json", id)
    assert done.code == 0, done
    story: dict[str, Any] = json.loads(done.out)
    return story


def blocked(story: dict[str, Any]) -> list[str]:
    """What blocks its first recipient."""
    return [obstacle["kind"] for obstacle in story["recipients"][0]["blocked_by"]]


def said(attempt: dict[str, Any]) -> list[str]:
    """Its dialog, without the times."""
    return [f"{line['from']}: {line['text']}" for line in attempt["dialog"]]


# With real attempts


def test_a_delivered_message_says_where_it_went_and_how_long_each_step_took(world: World) -> None:
    """No dialog: nothing went wrong."""
    sink = world.sink()
    world.configure(sink)
    id = world.send("you@example.net")
    world.once()
    story = told(world, id)
    (attempt,) = story["tries"]
    assert (story["status"], attempt["verdict"], attempt["host"], attempt["dialog"]) == ("sent", "delivered", "127.0.0.1", None)
    assert {"connect", "greeting", "ehlo", "mail", "body"} <= set(attempt["steps_ms"])
    assert attempt["connection_reused"] is False
    assert (blocked(story), story["reports"]) == ([], [])


def test_a_deferral_shows_what_was_said_what_it_means_and_when_it_is_tried_again(world: World) -> None:
    """And nothing of what the message says."""
    sink = world.sink()
    world.configure(sink, schedule=["1h"])
    id = world.send("451@example.net", subject="nobody else's business")
    world.once()
    story = told(world, id)
    (attempt,) = story["tries"]
    assert "us: RCPT TO:<451@example.net>" in said(attempt)
    assert "host: 451 4.3.0 try again later" in said(attempt)
    assert attempt["means"] == "The recipient's mail system had trouble of its own."
    assert (attempt["class"], attempt["hard"], story["recipients"][0]["class"]) == ("rate", False, None)
    assert blocked(story) == ["daemon", "retry"]
    assert story["recipients"][0]["next_attempt_at"] == story["next_attempt_at"] < story["expires_at"]
    assert "business" not in json.dumps(story["tries"])
    page = world.mailer("explain", id).out
    for text in ("by ", "deferred  451@example.net", "< 451 4.3.0 try again later", f"mailer queue retry {id}", "retry.expire"):
        assert text in page


def test_what_waits_for_something_of_ours_is_not_given_up(world: World) -> None:
    """And says so, with the setting that mends it, wherever it says what a message waits for."""
    sink = world.sink("--reply", "rcpt=504 5.5.2 <web1>: Helo command rejected: need fully-qualified hostname")
    world.configure(sink, schedule=["1h"])
    id = world.send("you@example.net")
    world.once()
    story = told(world, id)
    assert (story["expires_at"], blocked(story)) == (None, ["daemon", "refused"])
    page = world.mailer("explain", id).out
    for text in ("given up     not while it waits for that", "hostname of [mailer] (", "then a reload, or mailer queue retry"):
        assert text in page


def test_a_refusal_names_the_report_about_it(world: World) -> None:
    """The report is a message, and its story can be asked for."""
    sink = world.sink()
    world.configure(sink)
    id = world.send("550@example.net")
    world.once()
    story = told(world, id)
    (report,) = story["reports"]
    assert (story["status"], report["to"]) == ("failed", "me@here.example")
    assert told(world, report["id"])["from"] == ""
    assert "Check the address" in world.mailer("explain", id).out


def test_who_was_refused_and_who_was_not_are_told_in_one_attempt(world: World) -> None:
    """One transaction, one dialog."""
    sink = world.sink()
    world.configure(sink, schedule=["1h"])
    id = world.send("a@example.net", "550@example.net", "451@example.net")
    world.once()
    page = world.mailer("explain", id).out
    assert page.count("> DATA") == 1
    for text in ("sent      a@example.net", "failed    550@example.net", "deferred  451@example.net"):
        assert text in page


def test_tls_that_is_required_and_not_there(world: World) -> None:
    """What was wanted, what was not achieved, and which setting says so."""
    sink = world.sink()
    world.configure(sink, schedule=["1h"])
    world.config.write_text(world.config.read_text().replace('tls = "none"', 'tls = "starttls"'))
    id = world.send("you@example.net")
    world.once()
    story = told(world, id)
    assert story["tries"][0]["tls"] == {"wanted": "starttls", "achieved": None}
    assert story["tries"][0]["phase"] == "starttls"
    remedy = story["recipients"][0]["blocked_by"][-1]["what_would_unblock"]
    assert "tls of [relay.sink]" in remedy


def test_a_time_out_says_what_was_waited_for_and_how_long(world: World) -> None:
    """The step that took all the time is the one that did not end."""
    sink = world.sink()
    world.configure(sink, schedule=["1h"], more='[timeouts]\nrcpt = "1s"\n')
    id = world.send("timeout@example.net")
    world.once()
    (attempt,) = told(world, id)["tries"]
    assert attempt["steps_ms"]["rcpt"] >= 900
    assert said(attempt)[-1] == "note: 451 4.4.2 waited 1 s for the answer to RCPT"


def test_an_open_breaker_is_told_while_the_daemon_runs_and_known_to_be_old_when_not(world: World) -> None:
    """The daemon says it about once a second; a daemon that is gone knows nothing any more."""
    world.configure(free_port(), schedule=["1h"], more="[delivery]\ninitial_connections_relay = 1\nmax_connections_per_destination = 1\n")
    ids = [world.send(f"r{nth}@example.net") for nth in range(3)]
    daemon = world.daemon()
    for id in ids:
        world.becomes(id, "deferred")
    late = world.send("late@example.net")
    world.becomes(late, "deferred")
    world.until("the breaker shows", lambda: "relay:sink failed 3 times in a row" in world.mailer("explain", late).out)
    story = told(world, late)
    assert blocked(story) == ["breaker"]
    assert story["tries"][0]["host"] is None
    daemon.stop()
    assert blocked(told(world, late))[0] == "daemon"


def test_a_password_is_in_nothing_that_the_run_wrote(world: World) -> None:
    """A wrong one, planted: not in the spool, not in the database, not in the story, in no form."""
    password = world.home / "right"
    password.write_text("another")
    sink = world.sink("--user", "me", "--password-file", str(password))
    wrong = world.home / "wrong"
    wrong.write_text(SECRET)
    wrong.chmod(0o600)
    world.configure(sink, schedule=["1h"])
    login = f'username = "me"\npassword_file = "{wrong}"\nallow_plaintext_auth = true\n'
    world.config.write_text(world.config.read_text().replace('tls = "none"\n', f'tls = "none"\n{login}'))
    id = world.send("you@example.net")
    done = world.once()
    wrong.unlink()
    story = told(world, id)
    assert blocked(story) == ["daemon", "login"]
    assert "AUTH" in json.dumps(story["tries"][0]["dialog"])
    everything = [done.out, done.err, json.dumps(story), world.mailer("explain", "-v", id).out]
    everything += [path.read_bytes().decode("latin-1") for path in world.spool.rglob("*") if path.is_file()]
    forms = [SECRET, base64.b64encode(SECRET.encode()).decode(), base64.b64encode(f"\0me\0{SECRET}".encode()).decode()]
    assert not [form for form in forms if any(form in text for text in everything)]


# Without


def test_a_message_that_was_never_tried(office: Office, shell: Shell) -> None:
    """It says so, and that nobody delivers."""
    said = shell("explain", "--no-dns", office.put())
    assert said.code == 0
    for text in ("It was never tried.", "no daemon runs on this spool", "mailer run"):
        assert text in said.out


def test_a_held_message(office: Office, shell: Shell) -> None:
    """How to let it go, and that it is not given up before."""
    id = office.held()
    out = " ".join(shell("explain", "--no-dns", id).out.split())
    assert f"it is held until an operator releases it → mailer queue release {id}" in out
    assert out.endswith("given up not while it is held")


def test_a_paused_destination(office: Office, shell: Shell) -> None:
    """Why, and how to end it."""
    id = office.put("you@example.net")
    suspend(office.spool.root, "example.net", float("inf"), "they asked", NOW)
    out = shell("explain", "--no-dns", id).out
    assert "example.net is paused: they asked" in out
    assert "mailer queue resume example.net" in out


def test_what_was_not_tried_is_not_explained_by_the_other_side(office: Office, shell: Shell) -> None:
    """Nobody was called: the code is ours, and means nothing about the host."""
    id = office.put("you@example.net")
    text = "not tried: example.net is paused"
    office.settle(id, outcome(0, "defer", due=NOW + 60, code=451, enhanced="4.3.2", text=text, phase="connect", hop=NOWHERE, counts=False))
    out = shell("explain", "--no-dns", id).out
    assert text in out
    assert "when it was called" not in out
    assert "recipient's mail system" not in out
    (story,) = shell("explain", "--no-dns", "--json", id).objects
    assert story["recipients"][0]["means"] is None
    assert story["tries"][0]["means"] is None


def test_without_the_database_the_spool_tells_what_it_has(office: Office, shell: Shell) -> None:
    """Each attempt and its reply; not the steps, and it says so."""
    id = office.put()
    office.settle(id, outcome(0, "defer", due=NOW + 60, hop=HOP, text="later"))
    office.close()
    office.path.unlink()
    (story,) = shell("explain", "--no-dns", "--json", id).objects
    (attempt,) = story["tries"]
    assert (attempt["host"], attempt["reply"], attempt["steps_ms"], attempt["dialog"]) == ("mx.example.net", "later", None, None)
    assert "how long each step took" in story["not_known"][0]


def test_what_has_left_the_spool_is_told_from_the_database(office: Office, shell: Shell) -> None:
    """And what only its file knew is missing."""
    id = office.sent()
    (story,) = shell("explain", "--json", id).objects
    assert (story["status"], len(story["tries"])) == ("sent", 1)
    assert "has left the spool" in story["not_known"][0]


def test_a_mistake_in_the_configuration_is_part_of_the_story(office: Office, shell: Shell, tmp_path: Path) -> None:
    """It may be why nothing moves."""
    (tmp_path / "config.toml").write_text("[retry]\nschedule = []\n")
    said = shell("explain", office.put())
    assert said.code == 0
    assert "the configuration cannot be read" in said.out


def test_a_message_is_found_by_its_names_and_several_are_told(office: Office, shell: Shell) -> None:
    """As ``mailer status`` takes them."""
    first, second = office.put(message_id="<a@b>"), office.put(request_id="nightly")
    assert [story["id"] for story in shell("explain", "--no-dns", "--json", "a@b", "nightly").objects] == [first, second]


def test_the_beginning_of_an_id_does_where_only_one_begins_so(office: Office, shell: Shell) -> None:
    """As with commits: of several none is meant, and they are listed; what acts on messages wants all of it."""
    first, second, third = (office.put(at=at) for at in (NOW, NOW + 100_000, NOW + 100_000.5))
    office.sent(at=NOW + 5000)
    assert shell("explain", "--no-dns", first[:9].lower()).lines[0].startswith(first)
    assert shell("status", "--json", first[:9]).objects[0]["id"] == first
    both = second[:6]
    said = shell("explain", "--no-dns", both)
    assert (said.code, said.out) == (67, "")
    assert said.err == f"mailer: {both!r} is how several IDs begin: {third}, {second}; write more of the one that is meant\n"
    assert shell("status", both).err == said.err
    assert shell("explain", second[:3]).err == f"mailer: no message {second[:3]!r} is known here\n"
    assert "no ID begins so" in shell("status", "01ZZZZ").err
    assert shell("queue", "cancel", first[:9]).code == 67
    assert office.spool.find(first) == "queued"


def test_an_unknown_message_exits_67(office: Office, shell: Shell) -> None:
    """The known ones are told."""
    id = office.put()
    said = shell("explain", "--no-dns", "nosuch", id)
    assert (said.code, id in said.out) == (67, True)
    assert said.err == "mailer: no message 'nosuch' is known here\n"
    assert shell("explain").code == 64


def test_of_many_recipients_the_first_are_named(office: Office, shell: Shell) -> None:
    """All of them with --verbose, and in JSON always."""
    id = office.deferred(*(f"r{nth}@example.net" for nth in range(50)))
    out = shell("explain", "--no-dns", id).out
    assert "r4@example.net and 45 more" in out
    assert "r49@example.net" not in out
    assert "r49@example.net" in shell("explain", "--no-dns", "-v", id).out
    assert len(shell("explain", "--no-dns", "--json", id).objects[0]["recipients"]) == 50


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_harmless_in_every_form(office: Office, shell: Shell, hostile: str) -> None:
    """In a subject, a reply, a dialog, a host's name, a reason of the daemon."""
    id = office.put(subject=hostile.encode("utf-8", "replace").decode())
    hop = HOP._replace(host=hostile or "x")
    office.settle(id, outcome(0, "defer", due=NOW + 60, hop=hop, text=hostile, trace=_Said(hostile)))
    calm = Standing("mx:" + hostile, 0, 0, 5.0, 20, "open", 3, NOW * 2, hostile, 0.0, "", 0.0, hostile, NOW, "breaker", hostile, 0.0)
    office.write([Standings(NOW, [calm], first=True)])
    for options in ((), ("--json",), ("-v",)):
        said = shell("explain", "--no-dns", *options, id)
        assert said.code == 0
        assert not UNSAFE.search(said.out)


class _Said:
    """A trace with a hostile line in its dialog."""

    reused = False

    def __init__(self, line: str) -> None:
        self.line = line

    def after(self, earlier: _Said) -> None:
        """No host was tried before."""

    def steps(self) -> str:
        """None."""
        return "{}"

    def dialog(self) -> str:
        """As a transcript says it."""
        return json.dumps([[1.0, "host", self.line]])


def test_damaged_rows_are_left_out_and_said(office: Office, shell: Shell) -> None:
    """The rest of the story stands."""
    id = office.put()
    office.settle(id, outcome(0, "defer", due=NOW + 60, hop=HOP, trace=_Said("451 no")))
    db = sqlite3.connect(office.path)
    with db:
        db.execute("UPDATE dialogs SET lines = 'x'")
    db.close()
    said = shell("explain", "--no-dns", id)
    assert said.code == 0
    assert "1 damaged rows" in said.err


@pytest.mark.slow
def test_at_a_terminal_it_is_the_same_story(office: Office, shell: Shell) -> None:
    """Laid out to its width."""
    id = office.deferred("bob@example.net", text="greylisted, come back")
    said = shell.at_terminal("explain", "--no-dns", id, columns=100)
    assert said.code == 0
    for text in ("What happened", "What it waits for", "greylisted, come back", f"mailer queue retry {id}"):
        assert text in said.out
