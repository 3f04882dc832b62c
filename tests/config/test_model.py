from __future__ import annotations

from pathlib import Path

import tomli_w

from mailer.config import Config
from mailer.config.file import config_of
from mailer.config.model import as_document, as_lines, as_rows

CONTRACT = (Path(__file__).parent / "contract.toml").read_bytes()


def again(config: Config) -> Config:
    """The configuration that the report of another one writes."""
    return config_of("", "\n".join(as_lines(config)).encode()).but(path=config.path)


def test_what_is_printed_is_the_configuration_again() -> None:
    """The report can be saved as a file; it says everything."""
    for data in (CONTRACT, b"", b'[relay."a.b"]\nhost = "::1"\nusername = "q\\"\\\\"\npassword_env = "P"\n[retry]\njitter = 0.25\n'):
        config = config_of("c.toml", data)
        assert again(config) == config
        assert config_of("", tomli_w.dumps(as_document(config)).encode()).but(path=config.path) == config


def test_each_value_has_its_source() -> None:
    """The file with its line, the default, or the command line; what is not set is null."""
    config = config_of("c.toml", CONTRACT)
    found = {row["key"]: row for row in as_rows(config)}
    assert found["relay.out.port"] == {"key": "relay.out.port", "value": 587, "source": "c.toml", "line": 9}
    assert found["delivery.rescan"] == {"key": "delivery.rescan", "value": "1m", "source": "default", "line": None}
    assert found["log.file"] == {"key": "log.file", "value": None, "source": "default", "line": None}
    assert found["route.0.match"]["line"] == 14
    assert found["route.1.via"] == {"key": "route.1.via", "value": ["mx"], "source": "default", "line": None}
    spool = {row["key"]: row for row in as_rows(config_of("c.toml", CONTRACT, "/b"))}["mailer.spool"]
    assert spool == {"key": "mailer.spool", "value": "/b", "source": "command line", "line": None}


def test_no_argument_of_a_password_command_is_shown() -> None:
    """Somebody will write ``echo hunter2``."""
    config = config_of("c.toml", b'[relay.out]\nhost = "h"\nusername = "me"\npassword_command = "echo hunter2"\n')
    assert "hunter2" not in "\n".join(as_lines(config)) + str(list(as_rows(config))) + str(as_document(config))
    assert {row["key"]: row["value"] for row in as_rows(config)}["relay.out.password_command"] == ["echo", "…"]
