"""``mailer filter``: a message is tried step by step, and each filter is asked how it is."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import Said, Shell
from tests.fakes.nameserver import Nameserver
from tests.filtering.scene import MAIL
from tests.operate.test_schemas import right
from tests.status.office import Office

RECORDS = """
sender.example.          60 IN TXT "v=spf1 ip4:192.0.2.1 -all"
1.2.0.192.in-addr.arpa.  60 IN PTR mx.sender.example.
mx.sender.example.       60 IN A 192.0.2.1
2.0.0.127.bl.example.    60 IN A 127.0.0.2
9.2.0.192.bl.example.    60 IN A 127.0.0.4
2.0.0.127.bad.example.   60 IN A 127.255.255.254
"""
PROGRAM = """import sys
data = sys.stdin.buffer.read()
print("No." if b"cats" in data else "X-Looked: yes")
raise SystemExit(20 if b"cats" in data else 75 if b"dogs" in data else 0)
"""
CIRCLE = "it has come by 51 hosts, and goes in circles"
Try = Callable[..., Said]


@pytest.fixture
def server() -> Iterator[Nameserver]:
    with Nameserver(RECORDS) as server:
        yield server


@pytest.fixture
def trying(office: Office, shell: Shell, server: Nameserver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Try:
    """Runs ``mailer filter test`` for a client, with a list and a program as filters."""
    look = tmp_path / "look.py"
    look.write_text(PROGRAM)
    config = f"""
[mailer]
hostname = "mx.example.com"
[dns]
nameservers = ["{server.address}"]
[filtering]
greylist = true
[[filter]]
kind = "blocklist"
address = "bl.example"
score = 6
[[filter]]
kind = "program"
command = ["{sys.executable}", "-IS", "{look}"]
"""
    (tmp_path / "config.toml").write_text(config)

    def tried(*options: str, content: bytes = MAIL, ip: str = "192.0.2.1") -> Said:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        words = ("--ip", ip, "--helo", "mx.sender.example", "--from", "ann@sender.example", "--to", "bob@example.com")
        return shell("filter", "test", *words, *options)

    return tried


def test_a_message_that_would_be_taken_is_told_with_every_step(trying: Try) -> None:
    (found,) = right("filter test", trying("--json").out)
    assert (found["verdict"], found["reply"]) == ("accept", None)
    steps = {each["step"]: each["result"] for each in found["steps"]}
    assert steps["client"] == "noted"
    assert (steps["blocklist bl.example"], steps["spf"], steps["greylist"], steps["program"]) == ("not listed", "pass", "pass", "pass")
    assert "it is mx.sender.example" in found["steps"][0]["reason"]
    assert "X-Looked: yes\r\n" in found["fields"]


def test_the_exit_code_says_what_would_become_of_it(trying: Try) -> None:
    """And the first line does, for a person."""
    for content, ip, code, word in (
        (MAIL, "192.0.2.1", 0, "accept: it would be taken"),
        (MAIL, "192.0.2.9", 0, "mark: it would be taken, and marked as spam"),
        (MAIL.replace(b"Hello", b"cats"), "192.0.2.1", 69, "refuse: it would be refused: 554 5.7.1 No."),
        (MAIL.replace(b"Hello", b"dogs"), "192.0.2.1", 75, "tempfail: it would be put off: 451 4.7.1 X-Looked: yes"),
        (
            b"Received: x\r\n" * 51 + MAIL,
            "192.0.2.1",
            69,
            "refuse: it would be refused: 554 5.4.6 it has come by 51 hosts, and goes in circles",
        ),
        (b" no field\r\n" + MAIL, "192.0.2.1", 69, "refuse: it would be refused: 550 5.6.0 the header begins with a blank"),
    ):
        said = trying(content=content, ip=ip)
        assert (said.code, said.lines[0]) == (code, word)


def test_who_would_be_put_off_once_is_told_and_not_noted(trying: Try, office: Office) -> None:
    """A stranger to the domain; what would become of him when he comes again is told all the same."""
    for _ in range(2):
        (found,) = right("filter test", trying("--json", ip="192.0.2.77").out)
        [step] = [each for each in found["steps"] if each["step"] == "greylist"]
        assert (step["result"], step["reason"]) == ("once", "SPF says fail")
    assert not Path(office.spool.root, "greylist.sqlite3").exists()


def test_who_does_not_live_here_is_refused_where_it_is_known_who_does(trying: Try, tmp_path: Path) -> None:
    """Nobody relays for a stranger either; where no domain is ours, that is not asked."""
    with (tmp_path / "config.toml").open("a") as config:
        config.write(f'[[domain]]\nname = "example.com"\nvia = "maildir:{tmp_path}/mail/{{user}}"\naliases_file = "{tmp_path}/aliases"\n')
    (tmp_path / "aliases").write_text("bob: ann@example.net\n")
    (found,) = right("filter test", trying("--json").out)
    assert found["verdict"] == "accept"
    assert ("recipient bob@example.com", "forward") in [(each["step"], each["result"]) for each in found["steps"]]
    assert trying("--to", "eve@example.com").lines[0].startswith("refuse: it would be refused: 550 5.1.1")
    assert trying("--to", "eve@elsewhere.example").lines[0].startswith("refuse: it would be refused: 550 5.7.1")


@pytest.mark.parametrize(
    ("options", "what"),
    [(("--ip", "nowhere"), "--ip"), (("--to", "nobody"), "--to"), (("--from", "x y"), "--from"), (("file.eml",), "no operands")],
)
def test_what_is_wrong_is_one_line(trying: Try, options: tuple[str, ...], what: str) -> None:
    said = trying(*options)
    assert (said.code, said.out, said.err.count("\n")) == (64, "", 1)
    assert what in said.err


def test_whom_it_is_for_has_to_be_said(shell: Shell) -> None:
    said = shell("filter", "test", "--ip", "192.0.2.1")
    assert (said.code, "--to" in said.err) == (64, True)


def test_filters_are_listed_with_how_they_are(shell: Shell, server: Nameserver, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(f"""
[dns]
nameservers = ["{server.address}"]
[[filter]]
kind = "blocklist"
address = "bl.example"
[[filter]]
kind = "blocklist"
address = "bad.example"
[[filter]]
kind = "clamd"
address = "{tmp_path}/nobody"
""")
    said = shell("filter", "list", "--json")
    good, bad, clamd = right("filter list", said.out, lines=3)
    assert said.code == 69
    assert (good["well"], good["trouble"]) == ("it is right about its test entries", None)
    assert "127.255.255.254" in bad["trouble"]
    assert (clamd["trouble"], clamd["otherwise"]) == ("No such file or directory", "mail is put off")
    assert shell("filter", "list").lines[3].split()[:2] == ["clamd", "clamd"]


def test_no_filters_are_no_trouble(shell: Shell) -> None:
    said = shell("filter", "list")
    assert (said.code, said.out) == (0, "There is no [[filter]] in the configuration.\n")


def test_filters_are_told_by_hand_what_a_message_is(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that learn, one by one; where one has not heard, the exit code says so, and where none learns, the error does."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MAIL)))
    (tmp_path / "config.toml").write_text(f"[[filter]]\nkind = 'spamd'\naddress = '{tmp_path}/none'\nlearn = true\n")
    said = shell("filter", "learn", "--spam", "bob@example.com", "--json")
    [told] = right("filter learn", said.out)
    assert (said.code, told["name"], told["new"], "No such file" in told["trouble"]) == (75, "spamd", False, True)
    for words in (("--spam", "--ham"), (), ("--spam", "nobody"), ("--ham", "a@example.com", "b@example.com"), ("--ham",)):
        assert shell("filter", "learn", *words).code == 64  # the last one has nothing on standard input any more
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MAIL)))
    said = shell("filter", "learn", "--ham")
    assert (said.code, "learn = true" in said.err) == (78, True)
