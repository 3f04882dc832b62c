"""The places of a machine: what the documents, the examples and the program say of them is one thing."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from mailer.config import manual, values
from mailer.config.file import examine
from mailer.rewriting import Rules

ROOT = Path(__file__).parent.parent
UNIT = (ROOT / "packaging/systemd/mailer.service").read_text()
CONFIGURATIONS = sorted((ROOT / "examples").rglob("*.toml"))
SPOOL = re.compile(r"(/var/(?:lib|spool)/mailer)\b(?!/[\w-]+\.access|/mailboxes)")
"""Where a document says that the spool of a machine is. (Access tokens lie in a directory of their own, and so do mailboxes.)"""

PLACES = ("README.md", "config.example.toml", "packaging/systemd/mailer.service")
DOCUMENTS = [*(ROOT / place for place in PLACES), *CONFIGURATIONS, *sorted((ROOT / "man").iterdir())]


def of_unit(name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    assert found, name
    return found[1]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_the_spool_of_a_machine_is_one(path: Path) -> None:
    """Every document has the same, and it is where root's programs look without a configuration."""
    assert set(SPOOL.findall(path.read_text())) <= {values.SYSTEM_SPOOL}


def test_the_service_runs_where_root_looks() -> None:
    """The unit's daemon has the configuration and, without one that says where, the spool that `mailer send` and `status` of root have."""
    assert "Environment" not in UNIT  # whose user owns the machine's spool looks there
    assert of_unit("ExecStart") == f"mailer run --config {values.SYSTEM_FILE}"  # systemd looks in /usr/local/bin, then in /usr/bin
    user = of_unit("User")
    assert of_unit("ExecStartPre").endswith(f"-o {user} -g {user} {values.SYSTEM_SPOOL}")
    assert of_unit("ReadWritePaths") == f"-{values.SYSTEM_SPOOL}"
    assert f"-o {user} -g {user} {values.SYSTEM_SPOOL}" in (ROOT / "examples/many_users.toml").read_text()
    assert f'#spool = "{values.SYSTEM_SPOOL}"\n' in manual.example()
    for token in re.findall(r'oauth_token_file = "/var/lib/(\w+)/', manual.example()):
        assert token == of_unit("StateDirectory")


@pytest.mark.parametrize("text", re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL))
def test_configurations_of_the_readme_let_reports_arrive(text: str) -> None:
    """Whoever says who this machine is says also who its users are to the world: not people at a host that takes no mail."""
    raw = tomllib.loads(text)
    config, problems = examine("README.md", text.encode())
    assert "hostname" not in raw.get("mailer", {}) or not problems
    if config and "hostname" in raw.get("mailer", {}):
        author = Rules(config.submitting, lambda: "root").author("root").addresses[0]
        assert not author.endswith(f"@{config.hostname}")


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: path.name)
def test_examples_that_name_a_spool_name_the_machines(path: Path) -> None:
    """A daemon and a program that are given different examples find each other."""
    spool = tomllib.loads(path.read_text()).get("mailer", {}).get("spool", values.SYSTEM_SPOOL)
    assert spool == values.SYSTEM_SPOOL


def test_what_the_source_is_said_to_have_is_there() -> None:
    """Each place that mailer-hacking(7) names is one."""
    text = (ROOT / "man/mailer-hacking.7").read_text().replace("\\-", "-")
    named = set(re.findall(r"\b(?:mailer|tests)/[\w/.*-]+(?<!\.)", text)) - {"mailer/ROOM/FILE.py", "tests/ROOM/test_FILE.py"}
    assert len(named) > 20
    assert [place for place in named if not any(ROOT.glob(place.rstrip("/")))] == []
