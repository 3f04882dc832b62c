"""The alert rules and the board in the tree, held against a page of a real daemon, and judged by Prometheus's own tool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.processes import free_port
from tests.journey.world import World
from tests.metrics.test_metrics import read, section
from tests.peers.install import FETCHED

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
RULES = EXAMPLES / "prometheus/mailer.rules.yml"
BOARD = EXAMPLES / "grafana/mailer.json"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("figures of a daemon")]

SCRAPED = {"job", "instance"}
"""Labels that Prometheus gives each sample itself."""

NO_METRIC = {"by", "rate", "increase", "sum", "max", "min", "time", "histogram_quantile", "and", "or", "on", "label_values"}


def promtool(*words: str | Path, input: str = "") -> str:
    """What the tool says; it is content."""
    done = subprocess.run([FETCHED["promtool"], *words], input=input, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The figures of a daemon that has delivered, failed and put off, with a login over TLS, and a session that is over."""
    world, port = World(tmp_path_factory.mktemp("figures")), free_port()
    secret = world.home / "secret"
    secret.write_text("open sesame\n")
    secret.chmod(0o600)
    sink = world.sink("--tls", "--user", "me", "--password-file", str(secret))
    certificate = sink.events("listening", 1)[0]["certificate"]
    relay = f'tls = "starttls"\nca_file = "{certificate}"\nusername = "me"\npassword_file = "{secret}"\n'
    world.configure(sink, schedule=("1h",), more=f'{section(port)}[bounce]\nenabled = false\n[delivery]\nidle_timeout = "0.1s"\n')
    world.config.write_text(world.config.read_text().replace('tls = "none"\n', relay))
    try:
        world.daemon()
        for who, status in (("you", "sent"), ("550", "failed"), ("451", "deferred")):
            world.becomes(world.send(f"{who}@there.example"), status)
        world.until("a session that is over", lambda: "smtp_connection_duration_seconds_count" in read(port))
        yield read(port)
    finally:
        world.close()


@pytest.fixture(scope="module")
def known(page: str) -> dict[str, dict[str, set[str]]]:
    """The names of all samples, their labels, and the values that these have."""
    found: dict[str, dict[str, set[str]]] = {"up": {}}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


REQUIRED = {
    "smtp_emails_sent_total": ("counter", "host", "status"),
    "smtp_emails_failed_total": ("counter", "host", "error_kind"),
    "smtp_send_duration_seconds": ("histogram", "host"),
    "smtp_connection_duration_seconds": ("histogram", "host"),
    "smtp_connection_pool_size": ("gauge", "host", "state"),
    "smtp_connection_acquire_duration_seconds": ("histogram", "host"),
    "smtp_auth_attempts_total": ("counter", "host", "method", "status"),
    "smtp_tls_upgrades_total": ("counter", "host", "status"),
    "smtp_message_size_bytes": ("histogram", "host"),
    "smtp_recipients_per_message": ("histogram", "host"),
    "smtp_circuit_breaker_state": ("gauge", "host"),
    "smtp_rate_limit_exceeded_total": ("counter", "host"),
    "smtp_retries_total": ("counter", "host", "attempt"),
}
"""The metrics of [002] §9.2.1: type and labels of each."""


def test_the_required_figures_have_their_names_and_labels(page: str, known: dict[str, dict[str, set[str]]]) -> None:
    """All thirteen are on the page, of the type that is asked for, with these labels and no others."""
    for name, (kind, *labels) in REQUIRED.items():
        assert f"# TYPE {name} {kind}\n" in page
        sample = known[f"{name}_count" if kind == "histogram" else name]
        assert [*sample] == labels, name


def expressions() -> dict[str, str]:
    """Those of the board by their panel, with what Grafana puts in place of its variables."""
    found = {}
    for panel in json.loads(BOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            text = target["expr"].replace("$__rate_interval", "5m")
            found[f"{panel['title']} {target['refId']}"] = re.sub(r"\$\w+", ".*", text)
    return found


def strangers(text: str, known: dict[str, dict[str, set[str]]]) -> list[str]:
    """What of an expression no page has: a name, a label of it, or the value that it is to have."""
    bare = re.sub(r'"[^"]*"', '""', text)
    names = set(re.findall(r"(?<![\w.])[a-z_]\w*(?=[{\[\s)]|$)", re.sub(r"\{[^}]*\}|\bby \([^)]*\)", "{", bare))) - NO_METRIC
    wrong = [name for name in names if name not in known]
    together = {label for name in names for label in known.get(name, ())} | SCRAPED
    wrong += [label for group in re.findall(r"\bby \(([^)]*)\)", text) for label in re.split(r",\s*", group) if label not in together]
    for name, inside in re.findall(r"(\w+)\{([^}]*)\}", text):
        for label, operator, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', inside):
            has = known.get(name, {})
            if label not in has and label not in SCRAPED:
                wrong.append(f"{name}{{{label}}}")
            elif label in has and operator == "=" and value not in has[label]:
                wrong.append(f"{name}{{{label}={value}}}")
    return wrong


def test_a_stranger_is_found(known: dict[str, dict[str, set[str]]]) -> None:
    """The tests below would see a name, a label or a value that is misspelt."""
    assert strangers('sum by (state) (rate(mailer_queue_messages{reason="retry"}[5m]))', known) == ["state"]
    assert strangers("mailer_redy == 0", known) == ["mailer_redy"]
    assert strangers('mailer_ready{stat="a"}', known) == ["mailer_ready{stat}"]
    assert strangers('mailer_recipients_total{outcome="failled"} > 0', known) == ["mailer_recipients_total{outcome=failled}"]
    assert strangers("max by (instance) (mailer_ready) / 4", known) == []


def test_every_expression_of_the_board_is_on_the_page(known: dict[str, dict[str, set[str]]]) -> None:
    """Each name, label and value; so are those of the legends. The names of the families, and nothing else of ours, are all there."""
    found = expressions()
    assert {panel: wrong for panel, text in found.items() if (wrong := strangers(text, known))} == {}
    board = json.loads(BOARD.read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            names = set(re.findall(r"\w+", target["expr"]))
            labels = {label for name in names for label in known.get(name, ())} | SCRAPED
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels, panel["title"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            asked = re.sub(r"\$\w+", ".*", variable["definition"])
            assert strangers(re.sub(r"label_values\((.*), (\w+)\)", r"max by (\2) (\1)", asked), known) == []
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in known if name.startswith(("mailer_", "smtp_"))}
    shown = {re.sub("_(bucket|sum|count)$", "", name) for text in found.values() for name in re.findall(r"(?:mailer|smtp)_\w+", text)}
    assert families == shown


def test_every_rule_is_on_the_page(known: dict[str, dict[str, set[str]]]) -> None:
    """Each name, label and value of its expression; each alert says what is wrong, and what to do."""
    text = RULES.read_text()
    found = re.findall(r"- alert: (\w+)\n\s+expr: (?:\|\n((?:\s{10}.*\n)+)|(.*)\n)", text)
    assert len(found) == text.count("- alert: ") == text.count("summary: ") == text.count("remedy: ")
    assert {name: wrong for name, block, line in found if (wrong := strangers(block or line, known))} == {}


@pytest.mark.peer("promtool")
def test_prometheus_reads_the_page(page: str) -> None:
    """And finds nothing to object to in names, types and texts."""
    assert promtool("check", "metrics", input=page) == ""


@pytest.mark.peer("promtool")
def test_the_rules_do_what_they_say(tmp_path: Path) -> None:
    """They are read, and each goes off when it has to, and not before."""
    shutil.copy(RULES, tmp_path)
    assert "16 rules found" in promtool("check", "rules", tmp_path / RULES.name)
    tests = HERE / "rules_test.yml"
    shutil.copy(tests, tmp_path)
    assert "SUCCESS" in promtool("test", "rules", tmp_path / tests.name)
    alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text()))
    going_off = set(re.findall(r"alertname: (\w+)\n\s+exp_alerts", tests.read_text()))
    silent = set(re.findall(r"alertname: (\w+)\}", tests.read_text()))
    assert alerts == going_off == silent


@pytest.mark.peer("promtool")
def test_prometheus_reads_each_expression_of_the_board(tmp_path: Path) -> None:
    """Made into rules, for that is what the tool reads."""
    texts = enumerate(expressions().values())
    rules = "".join(f"      - record: board:{number}\n        expr: {json.dumps(text)}\n" for number, text in texts)
    file = tmp_path / "board.yml"
    file.write_text(f"groups:\n  - name: board\n    rules:\n{rules}")
    assert f"{len(expressions())} rules found" in promtool("check", "rules", file)
