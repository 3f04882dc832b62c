"""``mailer status --destinations``: how much waits for whom, since when and why, and what the daemon says of each destination."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from mailer.events import Standings
from mailer.mail.outcome import Hop
from mailer.status.standing import Standing
from tests.cli.terminal import UNSAFE, Shell
from tests.cli.test_show import HOSTILE
from tests.fakes.mail import NOW, outcome, suspend
from tests.status.office import Office

CALM = Standing("relay:out", 0, 0, 5.0, 20, "closed", 0, 0.0, "", 0.0, "", 0.0, "", 0.0, "", "", 0.0)
BIG = CALM._replace(key="mx:mx1.big.example,mx2.big.example", waiting=3, sessions=2, window=2.7, wait="window", wait_detail="2 at work")
DEAD = CALM._replace(breaker="open", failures=3, open_until=NOW + 60, wait="breaker", wait_detail="451 no answer", last_reply="451 no")

RULES = '[relay.out]\nhost = "127.0.0.1"\ntls = "none"\n[[route]]\nmatch = "*.relayed.example"\nvia = ["relay:out"]\n'


@pytest.fixture
def busy(office: Office, tmp_path: Path) -> Office:
    """Mail for a relay, for two domains of one operator, and for one that was never tried."""
    (tmp_path / "config.toml").write_text(RULES)
    now = time.time()
    office.put("a@one.relayed.example", at=now - 7 * 60)
    office.put("b@two.relayed.example", at=now - 3000 * 60)
    for host, domain in (("mx1.big.example", "shop.example"), ("MX2.big.example", "club.example")):
        id = office.put(f"c@{domain}", at=now - 60)
        office.settle(id, outcome(0, "defer", due=now + 60, hop=Hop(host, "192.0.2.1", 25), text=f"try <x{id}@y.example> later", at=now))
    office.put("d@other.example", at=now - 60)
    office.write([Standings(now, [BIG, DEAD], first=True)])
    return office


def test_the_backlog_is_shown_by_destination_and_age(busy: Office, shell: Shell) -> None:
    """A relay by the rules, an operator by the host that was tried, the others by their domain; the sum above them."""
    lines = [line.split() for line in shell("status", "--destinations").lines[:5]]
    assert lines[0] == ["DESTINATION", "T", "5", "10", "20", "40", "80", "160", "320", "640", "1280", "1280+"]
    assert lines[1] == ["TOTAL", "5", "3", "1", *["0"] * 7, "1"]
    assert sorted(line[0] for line in lines[2:]) == [BIG.key, "other.example", "relay:out"]
    assert ["relay:out", "2", "0", "1", *["0"] * 7, "1"] in lines


def test_the_daemons_account_is_marked_as_old_while_none_runs(busy: Office, shell: Shell) -> None:
    """It is how the last one left it."""
    out = shell("status", "--destinations").out
    for text in ("No daemon runs. This is how it stood", "2 of 20", "window: 2 at work", "open until", "451 no answer", "451 no"):
        assert text in out
    assert all(item["stale"] for item in shell("status", "--destinations", "--json").objects if item["state"])


def test_the_json_has_backlog_and_state_of_each(busy: Office, shell: Shell) -> None:
    """With stable names; what the daemon does not know has no state."""
    found = {item["destination"]: item for item in shell("status", "--destinations", "--json").objects}
    assert found["relay:out"]["backlog"]["total"] == 2
    assert found["relay:out"]["state"]["breaker"]["state"] == "open"
    assert found[BIG.key]["state"]["window"] == {"size": 2.7, "cap": 20}
    assert found[BIG.key]["state"]["wait"] == {"kind": "window", "detail": "2 at work", "until": None}
    assert found["other.example"]["state"] is None
    assert found["other.example"]["backlog"]["by_age_minutes"]["5"] == 1


def test_what_an_operator_has_paused_says_so(busy: Office, shell: Shell) -> None:
    """A destination as why its mail waits, and a domain, which is none, below; what is over is not told."""
    now = time.time()
    root = str(busy.spool.root)
    suspend(root, "mx:mx2.big.example", now + 3600, "they are moving", now)
    suspend(root, "*.other.example", math.inf, "", now)
    suspend(root, "relay:out", now - 1, "", now)
    out = shell("status", "--destinations").out
    assert "pause until" in out
    assert "mx:mx2.big.example is paused: they are moving" in out
    assert out.splitlines()[-1] == "*.other.example is paused"
    assert "relay:out is paused" not in out
    found = {item["destination"]: item["state"] for item in shell("status", "--destinations", "--json").objects}
    assert (found[BIG.key]["wait"]["kind"], found[BIG.key]["pause"]["reason"]) == ("pause", "they are moving")
    assert found["relay:out"]["pause"] is None


def test_reasons_are_counted_without_what_is_particular_to_a_message(busy: Office, shell: Shell) -> None:
    """By reason and destination, the most frequent first."""
    first, *rest = shell("status", "--destinations", "--by", "reason", "--json").objects
    assert {first["backlog"]["total"], rest[0]["backlog"]["total"]} == {2}
    assert sorted((item["reason"], item["destination"]) for item in (first, *rest)) == [
        ("451 4.3.0 try … later", BIG.key), ("not tried yet", "other.example"), ("not tried yet", "relay:out"),
    ]  # fmt: skip
    assert "not tried yet" in shell("status", "--destinations", "--by", "reason").out


def test_domains_can_be_told_apart(busy: Office, shell: Shell) -> None:
    """Also those that share a destination."""
    found = shell("status", "--destinations", "--by", "domain", "--json").objects
    assert {item["domain"] for item in found} == {
        "one.relayed.example", "two.relayed.example", "shop.example", "club.example", "other.example"
    }  # fmt: skip


def test_an_empty_queue_says_so(office: Office, shell: Shell) -> None:
    """In every form."""
    assert shell("status", "--destinations").out == "Nothing waits.\n"
    assert shell("status", "--destinations", "--by", "reason").out == "Nothing waits.\n"
    assert shell("status", "--destinations", "--json").out == ""


def test_a_mistake_in_the_configuration_keeps_nobody_from_looking(busy: Office, shell: Shell, tmp_path: Path) -> None:
    """Then mail counts for its domain."""
    (tmp_path / "config.toml").write_text(RULES + "nonsense = 1\n")
    found = {item["destination"] for item in shell("status", "--destinations", "--json").objects}
    assert {"one.relayed.example", "two.relayed.example", BIG.key} <= found


@pytest.mark.parametrize(
    "options",
    [
        ("--by", "reason"), ("--destinations", "--by", "colour"), ("--destinations", "--to", "a@b"), ("--destinations", "x"),
        ("--destinations", "--limit", "3"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_said(shell: Shell, options: tuple[str, ...]) -> None:
    """In one line, with exit code 64."""
    said = shell("status", *options)
    assert (said.code, said.err.count("\n")) == (64, 1)


@pytest.mark.slow
def test_no_name_is_broken_on_a_narrow_terminal(busy: Office, shell: Shell) -> None:
    """What there is no room for beside each other stands below each other, and ages that nothing has are left out."""
    said = " ".join(shell.at_terminal("status", "--destinations", columns=60).out.split())
    assert said.count(BIG.key) == 2
    for text in (
        "DESTINATION T 5 10 1280+ TOTAL 5 3 1 1",
        "2 of 2 mx:",
        "waits: window: 2 at work",
        "breaker open until",
        "last reply: 451 no",
    ):
        assert text in said


@pytest.mark.slow
def test_it_can_be_watched(busy: Office, shell: Shell) -> None:
    """Until Ctrl-C."""
    said = shell.at_terminal("status", "--destinations", "--watch", columns=160, interrupt_at="relay:out")
    assert said.code == 0


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_harmless(office: Office, shell: Shell, hostile: str) -> None:
    """In a key, a reply, a reason, of the daemon and of the host."""
    office.deferred(text=hostile)
    told = CALM._replace(key="mx:" + hostile, breaker_reason=hostile, last_reply=hostile, wait="breaker", wait_detail=hostile)
    office.write([Standings(NOW, [told], first=True)])
    for options in ((), ("--json",), ("--by", "reason"), ("--by", "domain")):
        said = shell("status", "--destinations", *options)
        assert said.code == 0
        assert not UNSAFE.search(said.out)
