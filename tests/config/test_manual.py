from __future__ import annotations

import re
import tomllib
from pathlib import Path

from mailer.config import manual
from mailer.config.file import config_of
from mailer.config.model import LISTED, NAMED, TABLES, Config, as_rows

ROOT = Path(__file__).parents[2]
SETTINGS = [(name, setting) for name, cls in {**TABLES, **NAMED, **LISTED}.items() for setting in cls.settings]


def test_the_example_file_is_the_printed_one() -> None:
    """config.example.toml is what ``python -m mailer.config.manual`` prints."""
    assert (ROOT / "config.example.toml").read_text() == manual.example()
    assert '"[' not in manual.example()  # a list within a text would be taken for the name of a program


def test_the_example_file_changes_nothing() -> None:
    """It means the same as no file."""
    assert config_of("", manual.example().encode()) == Config()


def test_every_line_of_the_example_is_right_without_its_mark() -> None:
    """Taking the # away gives a setting that is accepted; all defaults shown are the defaults."""
    alternatives = (
        "password_command",
        "key_command",
        "password_env",
        "oauth",
        "ca_file",
        "server_name",
        "socket",
        'command = "/usr/local/bin/look"',
    )
    text = "\n".join(line for line in manual.example().splitlines() if not line.startswith(tuple(f"#{name}" for name in alternatives)))
    config = config_of("", re.sub(r"(?m)^#([a-z_]+ =|\[)", r"\1", text).encode())
    shown = {row["key"]: row["value"] for row in as_rows(config)}
    for row in as_rows(Config()):
        name, _, key = row["key"].rpartition(".")
        setting = next((s for n, s in SETTINGS if n == name and s.key == key), None)
        if setting and not setting.example:
            assert shown[row["key"]] == row["value"]


def test_every_setting_is_explained() -> None:
    """Each is a sentence with a stop in both, and its example, if it has one, can be read."""
    page, example = manual.page(), manual.example()
    for section, setting in SETTINGS:
        where = f"{section}.{setting.key}"
        assert setting.sentence[0].isupper(), where
        assert setting.sentence.endswith("."), where
        assert f"\n\\fB{setting.key}\\fR (" in page, where
        below = example[example.index(f"[{section}") :]
        line = re.search(rf"^#{setting.key} = .*$", below, re.MULTILINE)
        assert line, where
        setting.kind.read(tomllib.loads(line[0][1:])[setting.key])


def test_the_example_of_the_manual_page_is_a_configuration() -> None:
    """What the page shows works when it is copied."""
    text = manual.page().partition(".EX\n")[2].partition(".EE")[0]
    config = config_of("c.toml", text.encode())
    assert [str(route.match) for route in config.routes] == ["example.net", "*.example.net", "*"]
