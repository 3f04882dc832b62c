from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailer.config import Config, load
from mailer.config.file import at, config_of, examine
from mailer.mail.problem import Problem
from tests.fakes.chance import examples

ROOT = Path(__file__).parents[2]
CONTRACT = (Path(__file__).parent / "contract.toml").read_bytes()


def read(text: str) -> Config:
    return config_of("c.toml", text.encode())


def problems(text: str) -> list[str]:
    """All that is wrong with a file, as the user sees it."""
    config, found = examine("c.toml", text.encode())
    assert (config is None) == bool(found)
    return [at("c.toml", problem) for problem in found]


def routes(config: Config) -> list[tuple[str, list[str]]]:
    """The routes as the file writes them."""
    return [(str(route.match), [*map(str, route.via)]) for route in config.routes]


RELAY = '[relay.out]\nhost = "smtp.example.com"\n'


def test_the_file_of_the_contract() -> None:
    """What other programs rely on is read with its meaning."""
    config = read(CONTRACT.decode())
    assert (config.hostname, config.spool) == ("mail.example.com", "/var/spool/mailer")
    assert config.submission.default_domain == "example.com"
    assert config.submission.max_message_size == 25_000_000
    relay = config.relays["out"]
    assert (relay.name, relay.host, relay.port, relay.tls, relay.username) == ("out", "smtp.example.com", 587, "starttls", "me")
    assert str(relay.secret) == "the file /etc/mailer/out.secret"
    assert routes(config) == [("*.example.net", ["relay:out"]), ("*", ["mx"])]
    assert config.delivery.max_connections == 100
    assert config.retry.schedule == (60.0, 300.0, 900.0)
    assert config.retry.expire == 172800.0
    assert config.tls.ca_file == "/etc/ssl/certs/ca-certificates.crt"
    assert config.dns.nameservers == (("127.0.0.1", 5353),)
    (key,) = config.dkim
    assert (key.domain, key.selector, key.key_file) == ("example.com", "s1", "/etc/mailer/dkim/s1.pem")
    assert config.lines["relay.out.port"] == 9
    assert config.path == "c.toml"


def test_an_empty_file_is_the_defaults() -> None:
    """Defaults that work: mail goes to MX hosts, the postmaster is at this host."""
    config = read("")
    assert config == Config(path="c.toml")
    assert routes(config) == [("*", ["mx"])]
    assert config.postmaster == f"mailer-daemon@{config.hostname}"
    assert config.timeouts.data == 120.0
    assert config.retry.schedule[-1] == 4 * 3600


def test_load_takes_the_spool_of_the_command_line(tmp_path: Path) -> None:
    """--spool overrules the file."""
    path = tmp_path / "c.toml"
    path.write_text('[mailer]\nspool = "/a"\npostmaster = "p@example.com"\n')
    config = load(str(path), "/b")
    assert (config.spool, config.postmaster, config.lines["mailer.spool"]) == ("/b", "p@example.com", 0)
    assert load(str(path)).spool == "/a"


@pytest.mark.parametrize(("tls", "port"), [("none", 25), ("opportunistic", 587), ("starttls", 587), ("implicit", 465)])
def test_the_port_of_a_relay_follows_from_its_encryption(tls: str, port: int) -> None:
    """587 for submission, 465 with TLS from the first byte, 25 without; one that is given stays."""
    assert read(f'{RELAY}tls = "{tls}"').relays["out"].port == port
    assert read(f'{RELAY}tls = "{tls}"\nport = 2525').relays["out"].port == 2525


def test_a_relay_alone_takes_everything() -> None:
    """Nobody who names a relay and no route wants their mail to go elsewhere."""
    assert routes(read(RELAY)) == [("*", ["relay:out"])]


def test_one_way_out_needs_no_list() -> None:
    """As the hint for a route without one writes it."""
    assert routes(read(RELAY + '[[route]]\nmatch = "example.net"\nvia = "relay:out"\n'))[0] == ("example.net", ["relay:out"])


def test_a_route_for_everything_stays_the_last() -> None:
    """Nothing is added behind a route for ``*``."""
    text = RELAY + '[[route]]\nmatch = "*"\nvia = ["relay:out", "mx"]\n'
    assert routes(read(text)) == [("*", ["relay:out", "mx"])]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[mailer]\nhostnam = 1", "c.toml:2: [mailer] has no setting hostnam; did you mean hostname?"),
        ("[mailer]\n[qqq]", "c.toml:2: there is no section [qqq]; there are mailer, submission,"),
        ("[retri]", "c.toml:1: there is no section [retri]; did you mean [retry]?"),
        ("[[routes]]", "c.toml:1: there is no section [routes]; did you mean [route]?"),
        ('hostname = "x"', "c.toml:1: hostname stands before any section; it belongs below [mailer]"),
        ("x = 1", "c.toml:1: there is no section [x]"),
        ("mailer = 5", "c.toml:1: mailer is a section of its own; write [mailer] once"),
        ("[[mailer]]", "c.toml:1: mailer is a section of its own; write [mailer] once"),
        ('[relay]\nhost = "x"', "c.toml:1: a relay needs a name; write [relay.NAME]"),
        ('[relay."a b"]\nhost = "x"', 'c.toml:1: "a b" is no name for a relay; use letters, digits, - _ and .'),
        ("\n[relay.out]\nport = 25", 'c.toml:2: [relay.out] has no host; write host = "smtp.example.com"'),
        (f"{RELAY}password = 'hunter2'", "c.toml:3: a password does not stand in the configuration; put it in a file"),
        (
            f"{RELAY}username = 'me'",
            "c.toml:3: a username needs a password: say where it is with password_file, password_command, password_env",
        ),
        (f"{RELAY}password_env = 'P'", "c.toml:3: a password needs a username"),
        (f"{RELAY}username='me'\npassword_env = 'P'\npassword_file='/p'", "c.toml:4: there is password_file already; keep one of them"),
        (f"{RELAY}username='me'\npassword_env = 'P'\ntls='none'", "c.toml:5: the password would travel unencrypted; use tls ="),
        (f"{RELAY}auth='external'", "c.toml:3: external logs in with a certificate: client_certificate"),
        (f"{RELAY}client_certificate='/c'\nauth='external'\ntls='none'", "c.toml:5: a certificate is shown in TLS only"),
        (f"{RELAY}client_certificate='/c'\nauth='external'\npassword_env='P'", "c.toml:5: external takes no password and no token"),
        (f"{RELAY}authorization='a'", "c.toml:3: whoever acts as somebody has to log in: username"),
        (f"{RELAY}username='me'\npassword_env='P'\nauthorization='a'\nauth='login'", "c.toml:5: login cannot say it"),
        (f"{RELAY}tls='ssl'", 'c.toml:3: tls: "ssl" is none of none | opportunistic | starttls | implicit'),
        (f"{RELAY}[relay.in]\nhost='x'", "c.toml:3: there are several relays and no [[route]] that says which one is used"),
        ('[route]\nmatch = "*"', "c.toml:1: routes are a list; write [[route]] above each"),
        ("[[route]]\nvia = ['mx']", 'c.toml:1: [[route]] has no match; write match = "*.example.net"'),
        ("[[route]]\nmatch = '*'\nvia = []", "c.toml:3: via: the list is empty"),
        ("[[route]]\nmatch = '*'\nvia = ['relay:ou']\n" + RELAY, "c.toml:3: there is no [relay.ou]; did you mean [relay.out]?"),
        ("[[route]]\nmatch = '*'\nvia = ['relay:out']\n", "c.toml:3: there is no [relay.out]"),
        ("[[route]]\nmatch = '*'\nvia = ['mx', 'mx']\n", "c.toml:3: via names the same way out twice"),
        (
            "[[route]]\nmatch='*'\nvia=['mx']\n[[route]]\nvia=['mx']\nmatch='a.b'",
            "c.toml:6: this route is never used: line 2 takes the same mail",
        ),
        (
            "[[route]]\nmatch='A.b'\nvia=['mx']\n[[route]]\nvia=['mx']\nmatch='a.b.'",
            "c.toml:6: this route is never used: line 2 takes the same",
        ),
        ("[retry]\nschedule = [\n'1m',\n'1x'\n]", 'c.toml:2: schedule: "1x" is no duration; write "90s", "5m", "4h" or "2d"'),
        ("[retry]\nschedule = []", "c.toml:2: schedule: the list is empty"),
        ("[delivery]\nmax_connections = '5'", 'c.toml:2: max_connections: "5" is no whole number from 1 on'),
        ("mailer.hostname = 1", "c.toml:1: hostname: 1 is no text; write it in quotes"),
        ("mailer = {hostname = 1}", "c.toml:1: hostname: 1 is no text; write it in quotes"),
        ("[mailer]\nhostname = 'a\nb'", "c.toml:2: this is no TOML: "),
        ("[mailer]\n[mailer]", "c.toml:2: this is no TOML: "),
        ("[mailer]\nhostname = 'a'\nhostname = 'a'", "c.toml:3: this is no TOML: "),
        ("[retry]\nschedule = [", "c.toml:2: this is no TOML: "),
        ("x = " + "[" * 5000, "c.toml: the brackets are nested too deeply"),
        ("x = " + "9" * 5000, "c.toml: this is no TOML: "),
    ],
)
def test_a_mistake_has_one_line(text: str, line: str) -> None:
    """File, line, what is wrong, what to do."""
    (found,) = problems(text)
    assert found.startswith(line)
    assert "hunter2" not in found
    with pytest.raises(Problem) as caught:
        read(text)
    assert caught.value.kind == "bad-config"
    assert str(caught.value) == found


def test_all_mistakes_are_found_at_once() -> None:
    """Whoever mends a file gets the whole list, in the order of the lines; `load` names the first and counts the rest."""
    text = "[mailer]\nhostnam = 1\n[retry]\nexpire = 'x'\njitter = 2\n[dkm]\n"
    assert [found.split(":")[1] for found in problems(text)] == ["2", "4", "5", "6"]
    with pytest.raises(Problem, match=r"c\.toml:2: .* \(and 3 more; `mailer config check` shows all\)"):
        read(text)


def test_what_reading_imports(tmp_path: Path) -> None:
    """Every command but `mailer send` pays for it: neither what makes dataclasses nor what writes TOML is among it."""
    path = tmp_path / "c.toml"
    path.write_bytes(CONTRACT)
    code = f"import sys; from mailer.config import load; load({str(path)!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)})
    assert not set(done.stdout.split()) & {"asyncio", "dataclasses", "difflib", "inspect", "shlex", "subprocess", "tomli_w", "tomlkit"}


def test_what_is_no_text() -> None:
    """Bytes that are not UTF-8 have a line too; a huge file is not read as a configuration."""
    _, (problem,) = examine("c.toml", b"[mailer]\n\n# \xff\n")
    assert problem.line == 3
    _, (problem,) = examine("c.toml", b"#" * 2**21)
    assert "larger" in problem.text


def test_a_config_says_nothing_secret() -> None:
    """The repr of a configuration holds no argument of a password command."""
    config = read(f"{RELAY}username = 'me'\npassword_command = 'echo hunter2'")
    assert "hunter2" not in repr(config) + repr(config.relays["out"].secret) + str(config.relays["out"].secret)


LINES = CONTRACT.decode().split("\n")


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever is lost, doubled or exchanged, the answer is a configuration or a `Problem`."""
    lines = data.draw(st.lists(st.sampled_from(LINES), max_size=30))
    text = "\n".join(lines)
    at_ = data.draw(st.integers(0, len(text)))
    text = text[:at_] + data.draw(st.text("[]\"'=.#,{}\n\\ab1é", max_size=4)) + text[at_ + data.draw(st.integers(0, 2)) :]
    config, found = examine("c.toml", text.encode())
    assert (config is None) == bool(found)
    assert all(problem.line <= text.count("\n") + 1 for problem in found)
