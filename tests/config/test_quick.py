from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mailer.config import load, values
from mailer.config.file import config_of
from mailer.config.quick import plain, submission
from mailer.config.sections import SubmissionSettings
from mailer.config.values import LARGEST_FILE
from mailer.mail.problem import Problem
from tests.fakes.chance import examples
from tests.fakes.users import NOBODY, as_nobody, public_directory

ROOT = Path(__file__).parents[2]
CONTRACT = (ROOT / "tests/config/contract.toml").read_bytes()
COSTLY = {
    "asyncio", "dataclasses", "enum", "inspect", "json", "logging", "pathlib", "pwd", "random", "re", "socket", "subprocess", "tomllib",
    "typing",
}  # fmt: skip

LINES = ["", *(ROOT / "tests/config/lines.txt").read_text().splitlines()]
LINES += ['x = """', '"""', "# \x01", "# \u2028", "\t[mailer]\t", "#\tx", "\r", "\x00", "\ufeff"]
NOISE = "[]\"'#=\\\n\r\t .{},_-+0aé\x00\x7f\x85\u200b\ufeff"


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file of plausible lines, or the one of the contract, with some characters exchanged, lost or added."""
    text = draw(st.one_of(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join), st.just(CONTRACT.decode())))
    for _ in range(draw(st.integers(0, 3))):
        at, lost = draw(st.integers(0, len(text))), draw(st.integers(0, 2))
        text = text[:at] + draw(st.text(NOISE, max_size=2)) + text[at + lost :]
    return text.encode()


def the_rest(data: bytes) -> bytes:
    """The file with the lines of these tables emptied."""
    kept, ours = [], False
    for line in data.decode().split("\n"):
        if line.strip(" \t").startswith("["):
            ours = line.partition("#")[0].strip(" \t") in ("[mailer]", "[submission]", "[sandbox]")
        kept.append("" if ours else line)
    return "\n".join(kept).encode()


def agree(data: bytes) -> None:
    found = plain(data)
    if found is None:
        return
    quick = SubmissionSettings("f", **found)
    try:
        whole = config_of("f", data).submitting
    except Problem:
        with pytest.raises(Problem):
            pytest.fail(f"of {data!r} the full reader takes the rest: {config_of('f', the_rest(data))}")
    else:
        assert quick == whole, data


@settings(max_examples=examples(400), deadline=None)
@given(files())
@example(CONTRACT)
@example(b"[retry]\nschedule = [\n[mailer]\n")
def test_the_quick_path_says_what_the_full_reader_says(data: bytes) -> None:
    """What the quick path accepts has the same values for the full reader, or is refused for another table only."""
    agree(data)


@pytest.mark.parametrize("table", ["", "[mailer]", "[submission]", "[sandbox]"])
def test_each_single_line_means_the_same_to_both(table: str) -> None:
    """A line below each table, or before any, is read alike or left to the full reader."""
    for line in LINES:
        agree(f"{table}\n{line}\n".encode())


def test_a_plain_file_is_read_without_the_full_reader() -> None:
    """The file of the contract, and the example file with values set, need no TOML parser."""
    assert plain(CONTRACT) == {
        "hostname": "mail.example.com",
        "spool": "/var/spool/mailer",
        "default_domain": "example.com",
        "max_message_size": 25_000_000,
    }
    assert plain((ROOT / "config.example.toml").read_bytes()) == {}


@pytest.mark.parametrize(
    "text",
    [
        'mailer.hostname = "x"',
        "mailer = {}",
        "[mailer]\nhostname = 'x'",
        '[mailer]\nhostname = "x\\u0041"',
        "[mailer]\n[mailer]",
        "[submission]\nmax_recipients = 1\nmax_recipients = 1",
        "[mailer]\nhostnam = 1",
        "[[mailer]]",
        "[mailer.x]",
        '[retry]\nx = """\n"""',
        "a\r\n",
    ],
)
def test_what_is_not_plain_is_left_to_the_full_reader(text: str) -> None:
    """Escapes, other quotes, dotted keys, inline tables, doubles and unknown keys are not for the quick path."""
    assert plain(text.encode()) is None


def test_rules_of_identity_are_read_without_the_full_reader(tmp_path: Path) -> None:
    """Aliases and authors as tables, lists on one line: as plain as the rest."""
    text = """
[submission]
masquerade = ["Example.com", "example.org"] # ours
strict = true
[submission.aliases]
Root = "anna@example.com"
"*" = ["root", "bob@example.com"]
[relay.out]
host = 'x'
[submission.authors]
www-data = "Our shop <shop@example.com>"
"""
    found = plain(text.encode())
    assert found == {
        "masquerade": ("example.com", "example.org"),
        "strict": True,
        "aliases": (("root", ("anna@example.com",)), ("*", ("root", "bob@example.com"))),
        "authors": (("www-data", "Our shop <shop@example.com>"),),
    }
    path = tmp_path / "c.toml"
    path.write_text(text)
    assert submission(str(path)) == load(str(path)).submitting
    assert submission(str(path)).rules


WRONG = ('"x"', "[]", "{ root = 1 }", '{ "" = "a@example.com" }', '{ "a b" = [] }')


@pytest.mark.parametrize(
    ("word", "value"),
    [*(("aliases", value) for value in WRONG), *(("authors", value) for value in (*WRONG, '{ root = "a b" }', '{ a = "|run" }'))],
)
def test_tables_of_addresses_say_what_is_wrong_with_them(tmp_path: Path, word: str, value: str) -> None:
    """An error with its line, as for any other setting."""
    path = tmp_path / "c.toml"
    path.write_text(f"[submission]\n{word} = {value}\n")
    with pytest.raises(Problem, match=rf"c\.toml:2: {word}: ") as caught:
        submission(str(path))
    assert caught.value.kind == "bad-config"


def test_bytes_that_are_no_utf8_and_huge_files_are_left_to_the_full_reader() -> None:
    """The full reader refuses them, with a sentence."""
    assert plain(b"\xff") is None
    assert plain(b"#" * (LARGEST_FILE + 1)) is None


def test_without_a_file_both_have_the_same_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, no difference: hostname, spool, limits."""
    monkeypatch.delenv("MAILER_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(values, "SYSTEM_FILE", str(tmp_path / "none"))
    assert submission() == load().submitting
    assert submission().config_path == ""
    assert submission(None, "here").spool == load(None, "here").spool == os.path.abspath("here")


def test_the_settings_of_a_file_reach_submission(tmp_path: Path) -> None:
    """`submission` reads plain and other files; `spool` overrules both."""
    path = tmp_path / "c.toml"
    for quoted in ('"/a/spool"', "'/a/spool'"):
        path.write_text(f"[mailer]\nspool = {quoted}\n[submission]\nmax_recipients = 3\nrequest_id_ttl = 0\n")
        settings = submission(str(path))
        assert (settings.spool, settings.max_recipients, settings.request_id_ttl) == ("/a/spool", 3, 0.0)
        assert settings.config_path == str(path)
        assert submission(str(path), "/b").spool == "/b"
        assert "max_recipients=3" in repr(settings)


def test_an_error_in_our_tables_is_the_full_readers(tmp_path: Path) -> None:
    """The quick path has no wording of its own: file, line, what, and what to do."""
    path = tmp_path / "c.toml"
    path.write_text("[submission]\n\nmax_recipient = 3\n")
    with pytest.raises(Problem, match=r"c\.toml:3: \[submission\] has no setting max_recipient; did you mean max_recipients\?") as caught:
        submission(str(path))
    assert caught.value.kind == "bad-config"


def test_a_mistake_elsewhere_does_not_stop_submission(tmp_path: Path) -> None:
    """Mail is queued while the daemon's part of the file is broken."""
    path = tmp_path / "c.toml"
    for quote in "\"'":  # read by the quick path, and by the full one
        path.write_text(f"[mailer]\nhostname = {quote}a.example{quote}\n[relay.out]\nhst = 'x'\n[dkm]\n")
        assert submission(str(path)).hostname == "a.example"
        with pytest.raises(Problem):
            load(str(path))
    path.write_text("hostname = 'a.example'\n")
    with pytest.raises(Problem, match=r"it belongs below \[mailer\]"):
        submission(str(path))


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing or unreadable file is 78, not the defaults."""
    with pytest.raises(Problem, match="there is no configuration file") as caught:
        submission(str(tmp_path / "none"))
    assert caught.value.kind == "bad-config"
    with pytest.raises(Problem, match="cannot read the configuration"):
        submission(str(tmp_path))
    monkeypatch.setenv("MAILER_CONFIG", str(tmp_path / "none"))
    with pytest.raises(Problem, match="MAILER_CONFIG"):
        submission()


def test_the_order_in_which_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--config, then $MAILER_CONFIG, then the user's own, then the machine's."""

    def written(name: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'[mailer]\nhostname = "{path.parent.name}.example"\n')
        return str(path)

    monkeypatch.delenv("MAILER_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(values, "SYSTEM_FILE", written("etc/config.toml"))
    assert submission().hostname == load().hostname == "etc.example"
    written("mailer/config.toml")
    assert submission().hostname == load().hostname == "mailer.example"
    monkeypatch.setenv("MAILER_CONFIG", written("env/config.toml"))
    assert submission().hostname == load().hostname == "env.example"
    given_ = written("given/config.toml")
    assert submission(given_).hostname == load(given_).hostname == "given.example"


@pytest.mark.slow
def test_a_home_that_is_closed_is_not_ours() -> None:
    """Who gave up root's rights and kept root's HOME goes by the machine's configuration; a file of his own that is closed is an error."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with public_directory() as place:
        home, system = place / "home", place / "system.toml"
        (home / ".config/mailer").mkdir(parents=True)
        own = home / ".config/mailer/config.toml"
        own.write_text('[mailer]\nhostname = "own.example"\n')
        own.chmod(0o600)
        system.write_text('[mailer]\nhostname = "system.example"\nspool = "/srv/spool"\n')
        code = f"""
from mailer.config import quick, values
values.SYSTEM_FILE = {str(system)!r}
os.environ["HOME"] = {str(home)!r}
print(quick.submission().hostname)
"""
        home.chmod(0o700)
        for owner, said in ((0, b"system.example"), (NOBODY, b"cannot read the configuration")):
            os.chown(home, owner, owner)
            done = as_nobody(code)
            assert said in done.stdout + done.stderr, done


def test_the_sender_of_mail_that_names_none(tmp_path: Path) -> None:
    """from_address, or the user at the default domain, or at the host."""
    path = tmp_path / "c.toml"
    path.write_text('[mailer]\nhostname = "h.example"\n')
    user, at, host = submission(str(path)).sender().rpartition("@")
    assert (bool(user), at, host) == (True, "@", "h.example")
    path.write_text('[submission]\ndefault_domain = "d.example"\n')
    assert submission(str(path)).sender() == f"{user}@d.example"
    path.write_text('[submission]\nfrom_address = "a@b.example"\n')
    assert submission(str(path)).sender() == "a@b.example"


@pytest.mark.parametrize("content", ["", CONTRACT.decode()])
def test_nothing_costly_is_imported(tmp_path: Path, content: str) -> None:
    """The import and the reading of a plain file, or of none, load no module that takes time."""
    path = tmp_path / "config.toml"
    path.write_text(content)
    given_ = str(path) if content else None
    code = f"""
import sys
before = set(sys.modules)
from mailer.config.quick import submission
submission({given_!r})
print(*(set(sys.modules) - before))
"""
    environment = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "none"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=environment)
    loaded = set(done.stdout.split())
    assert "mailer.config.quick" in loaded
    assert not loaded & COSTLY
    assert {name for name in loaded if name.startswith("mailer.config.")} == {
        "mailer.config.quick",
        "mailer.config.sections",
        "mailer.config.values",
    }


def test_the_hostname_is_never_asked_of_the_network() -> None:
    """The machine's own name, from the kernel or /etc/hostname; something that EHLO can say."""
    name = values.own_hostname()
    assert name
    assert name.isascii()
    assert values.hostname(name) == name
