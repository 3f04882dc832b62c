from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mailer.config import edit
from mailer.config.edit import changed, find_setting, save, understood
from mailer.config.manual import example
from mailer.io import durable
from mailer.mail.problem import Problem
from tests.fakes.chance import examples
from tests.fakes.users import as_somebody_else, public_directory

FILE = """\
# my settings
[mailer]   # who
hostname = "a.example" # the name
  spool = '/a'

[retry]
# the schedule
schedule = [
  "1m", # soon
  "5m",
]
"""


def change(text: str, *pairs: str) -> str:
    return changed("c.toml", text.encode(), list(zip(pairs[::2], pairs[1::2], strict=True)))


def test_a_value_is_replaced_where_it_stands() -> None:
    """Comments, spaces and all other lines stay."""
    assert change(FILE, "mailer.hostname", "b.example") == FILE.replace('"a.example"', '"b.example"')
    assert change(FILE, "mailer.spool", "/b c") == FILE.replace("'/a'", '"/b c"')


def test_a_value_over_several_lines_is_replaced_whole() -> None:
    """A list is one value."""
    made = change(FILE, "retry.schedule", "1m,2m")
    assert made == FILE[: FILE.index("[\n")] + '["1m", "2m"]\n'


def test_a_new_setting_follows_its_section() -> None:
    """It comes after the last line of the section, before what separates it from the next."""
    made = change(FILE, "mailer.postmaster", "p@example.com", "retry.jitter", "0.5")
    assert "  spool = '/a'\npostmaster = \"p@example.com\"\n\n[retry]" in made
    assert made.endswith("]\njitter = 0.5\n")


def test_a_new_section_comes_last() -> None:
    """Also in an empty file, and in one without a newline at its end."""
    assert change("", "retry.expire", "3d") == '[retry]\nexpire = "3d"\n'
    assert change("[mailer]", "retry.expire", "3d") == '[mailer]\n\n[retry]\nexpire = "3d"\n'
    assert change("[mailer]", "mailer.spool", "/x") == '[mailer]\nspool = "/x"\n'


def test_a_setting_takes_its_place_in_the_example_file() -> None:
    """It stands below the line that shows it, so the explanation is its own."""
    made = change(example(), "submission.max_recipients", "5", "dns.nameservers", "192.0.2.1,192.0.2.2:53")
    assert "\n#max_recipients = 10000\nmax_recipients = 5\n" in made
    assert '\n#nameservers = ["127.0.0.1:5353"]\nnameservers = ["192.0.2.1", "192.0.2.2:53"]\n' in made
    assert len(made.splitlines()) == len(example().splitlines()) + 2


def test_nothing_but_the_section_is_touched() -> None:
    """Lists between other sections stay where they are, and what is written above the next section goes on being about that."""
    text = """\
[[route]]
match = "a.example"  # first
via = "mx"
[mailer]
hostname = "a.example"

# all the rest
[[route]]
match = "*"
via = [ "mx" ]
[log]
"""
    assert change(text, "mailer.spool", "/a") == text.replace('"a.example"\n\n', '"a.example"\nspool = "/a"\n\n')
    assert change(text, "log.level", "debug", "dns.timeout", "3s") == text + 'level = "debug"\n\n[dns]\ntimeout = "3s"\n'


def test_a_table_is_one_line() -> None:
    """As the example file writes it."""
    made = change("[submission]\n", "submission.aliases", '{ root = "anna@example.com" }')
    assert made == '[submission]\naliases = { root = "anna@example.com" }\n'


def test_settings_that_need_each_other_are_given_together() -> None:
    """A relay with a login comes in one step; half of it is refused."""
    pairs = ("relay.out.host", "smtp.example.com", "relay.out.username", "me", "relay.out.password_command", "pass 'the relay'")
    made = tomllib.loads(change("", *pairs))
    assert made == {"relay": {"out": {"host": "smtp.example.com", "username": "me", "password_command": "pass 'the relay'"}}}
    with pytest.raises(
        Problem, match=r"nothing was changed, for the file would be wrong: c\.toml:3: a username needs a password"
    ) as caught:
        change("", *pairs[:4])
    assert caught.value.kind == "bad-config"


def test_a_broken_file_can_be_mended() -> None:
    """What counts is whether the new file is right; but what is no TOML is for an editor."""
    assert change("[retry]\nexpire = 'x'\n", "retry.expire", "3d") == '[retry]\nexpire = "3d"\n'
    with pytest.raises(Problem, match=r"c\.toml:1: this is no TOML"):
        change("[retry\n", "retry.expire", "3d")
    with pytest.raises(Problem, match="not text in UTF-8"):
        changed("c.toml", b"\xff", [])


@pytest.mark.parametrize("text", ["mailer = {}", "[[mailer]]", "mailer = 5", "[relay]\nout = {host = 'x'}"])
def test_what_takes_a_person_is_left_alone(text: str) -> None:
    """An inline table, or what is no table at all, is not rewritten behind somebody's back."""
    with pytest.raises(Problem, match="edit it by hand") as caught:
        change(text, "relay.out.port" if "relay" in text else "mailer.hostname", "25")
    assert caught.value.kind == "bad-config"


def test_dotted_keys_are_found() -> None:
    """``mailer.hostname`` may stand at the top."""
    assert change('mailer.hostname = "a"\n', "mailer.hostname", "b") == 'mailer.hostname = "b"\n'


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("hostname", "there is no setting hostname; settings are called mailer.KEY, "),
        ("mailer", "there is no setting mailer;"),
        ("mailer.hostnam", "there is no setting mailer.hostnam; did you mean hostname?"),
        ("relay.host", "there is no setting relay.host;"),
        ("relay.out.password", "there is no setting relay.out.password; did you mean password_"),
        ("route.0.via", "[[route]] is a list; edit the file"),
        ("mailer.a.hostname", "there is no setting mailer.a.hostname;"),
    ],
)
def test_settings_that_there_are_not(key: str, problem: str) -> None:
    """The error names the nearest, or the way settings are called."""
    with pytest.raises(Problem) as caught:
        change("", key, "x")
    assert str(caught.value).startswith(problem)
    assert caught.value.kind == "usage"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("submission.max_recipients", "5", 5),
        ("submission.max_message_size", "25MB", "25MB"),
        ("submission.max_message_size", "2500", 2500),
        ("tls.min_version", "1.3", "1.3"),
        ("mailer.hostname", '"a.example"', "a.example"),
        ("delivery.allow_private", "true", True),
        ("relay.out.username", "true", "true"),
        ("relay.out.username", "5", "5"),
        ("relay.out.username", 'a"b\\c', 'a"b\\c'),
        ("retry.schedule", '["1m"]', ["1m"]),
        ("retry.schedule", "1m, 5m", ["1m", "5m"]),
        ("relay.out.password_command", '["a", "b c"]', ["a", "b c"]),
        ("relay.out.password_command", "a 'b c'", "a 'b c'"),
    ],
)
def test_how_a_value_is_understood(key: str, text: str, value: object) -> None:
    """As TOML if that fits the setting, else as plain text, else as a list with commas."""
    assert understood(find_setting(key)[1], text) == value


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("retry.expire", "3w", 'expire: "3w" is no duration'),
        ("submission.max_recipients", "x", 'max_recipients: "x" is no whole number'),
        ("submission.max_recipients", "5\ny = 1", "is no whole number"),
        ("mailer.hostname", "a\nb", "control character"),
    ],
)
def test_values_that_do_not_fit(key: str, text: str, problem: str) -> None:
    """The error is that of the setting's kind; a second line is not smuggled into the file."""
    with pytest.raises(Problem, match=problem):
        change("", key, text)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), min_size=1, max_size=12),
    st.sampled_from(["", FILE, example()]),
)
def test_any_text_comes_back(value: str, text: str) -> None:
    """Whatever a name looks like, the file says it again and nothing else has changed."""
    meant = understood(find_setting("relay.out.username")[1], value)  # the text, unless it is TOML such as "x" in quotes
    assume(meant)
    made = change(text, "relay.out.host", "x", "relay.out.password_env", "P", "relay.out.username", value)
    wanted = tomllib.loads(text)
    wanted["relay"] = {"out": {"host": "x", "password_env": "P", "username": meant}}
    assert tomllib.loads(made) == wanted


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """Its mode stays, a link to it stays a link, nothing is left over."""
    path = tmp_path / "c.toml"
    path.write_text("old")
    path.chmod(0o640)
    (tmp_path / "link").symlink_to(path)
    save(str(tmp_path / "link"), "new é\n")
    assert path.read_text() == "new é\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["c.toml", "link"]


def test_a_file_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(Problem, match=f"cannot write the configuration: {tmp_path}/none/c.toml"):
        save(str(tmp_path / "none/c.toml"), "x")


def test_a_directory_that_may_not_be_written() -> None:
    """Exit code 77, and the old file is there."""
    with public_directory() as directory:
        path = directory / "c.toml"
        path.write_text("old")
        directory.chmod(0o555)

        def refused() -> bool:
            with pytest.raises(Problem) as caught:
                save(str(path), "new")
            return caught.value.kind == "no-permission"

        assert as_somebody_else(refused)
        directory.chmod(0o755)
        assert path.read_text() == "old"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_gives_nobody_what_he_has_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose directory it is lays a link in the place of what was just written: what it leads to stays root's, with its mode."""
    path, shadow = tmp_path / "config.toml", tmp_path / "shadow"
    path.write_text("")
    os.chown(path, 65534, 65534)
    shadow.touch(0o600)

    def begin_new(scratch: str, parts: list[bytes]) -> int:
        made = durable.begin_new(scratch, parts)
        os.unlink(scratch)
        os.symlink(shadow, scratch)
        return made

    monkeypatch.setattr(edit, "begin_new", begin_new)
    save(str(path), "x = 1\n")
    assert (shadow.stat().st_uid, stat.S_IMODE(shadow.stat().st_mode)) == (0, 0o600)
