"""The examples for programs: each runs against a sink, does what it says, and is short."""

from __future__ import annotations

import asyncio
import runpy
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from mailer.config.file import config_of, examine
from mailer.shaping.table import TermsTable
from mailer.sink import Moods, SinkThread
from mailer.testing import Script
from tests.fakes.proxy import FakeProxy
from tests.net.test_oauth import Provider

EXAMPLES = Path(__file__).parent.parent / "examples"


ELSEWHERE = ("api_httpx", "api_requests", "to_rabbitmq", "webhook_receiver")
"""Examples that are run in tests/web, tests/amqp and tests/hooks, which have what they talk to."""


def play(name: str, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run an example as its reader would; returns what it printed."""
    before = sys.argv
    sys.argv = [name, *map(str, arguments)]
    try:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    finally:
        sys.argv = before
    return capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_examples_are_short_and_tried(path: Path) -> None:
    """Below thirty lines, with a sentence at the top, and run by a test here."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 30
    assert text.startswith('"""')
    assert f'"{path.stem}"' in Path(__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("send", 1, ["taken for bob@example.net", "250 2.0.0"]),
        ("sync", 3, ["250 2.0.0", "in_use=0"]),
        ("batch", 2, ["2 sent, 2 not", "no address -> To: 'no address' is not an address", "550 5.1.1"]),
        ("errors", 0, ["nobody there: 550 5.1.1 no such mailbox ['550@example.net']"]),
        ("retry", 2, ["('bob@example.net', 'greylist@example.net') after 2 attempts"]),
        ("rate_limit", 8, ["8 sent in "]),
        ("interceptor", 1, ["Counter({'sent Email': 1})"]),
        ("own_dialer", 1, ["calling 127.0.0.1", "taken by 127.0.0.1[telling]:"]),
        ("standard_message", 2, ["('bob@example.net',)\n('bob@example.net',)"]),
    ],
)
def test_against_a_sink(name: str, count: int, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It sends what it says it sends, and prints what came of it."""
    with SinkThread() as sink:
        out = play(name, capsys, "127.0.0.1", sink.port, "none")
        assert sink.count == count
    for word in words:
        assert word in out


def test_compose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All parts arrive."""
    (tmp_path / "logo.png").write_bytes(b"\x89PNG")
    with SinkThread() as sink:
        out = play("compose", capsys, "127.0.0.1", sink.port, "none", tmp_path / "logo.png")
        assert "archive@example.org" in out
        content = sink.messages[0].content
    for part in (b"multipart/mixed", b"multipart/alternative", b"multipart/related", b'filename="table.csv"', b"X-Campaign: spring"):
        assert part in content
    assert b"archive" not in content


def test_login(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Over verified TLS, with the password from the environment."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SMTP_PASSWORD", "s3cret")
    with SinkThread(tls=context, users={"anna": "s3cret"}) as sink:
        out = play("login", capsys, "127.0.0.1", sink.port, tmp_path / "ca.pem")
        assert sink.messages[0].user == "anna"
    assert "TLSv1.3 verified anna ['LOGIN', 'PLAIN']" in out


def test_oauth(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider gives the token that the server wants to see."""
    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    monkeypatch.setenv("OAUTH_CLIENT_SECRET", "x")
    monkeypatch.setenv("OAUTH_REFRESH_TOKEN", "y")
    with Provider(tmp_path) as provider:
        with open(provider.ca_file, "ab") as file:
            file.write(ca.cert_pem.bytes())
        provider.gives("s3cret-token")
        with SinkThread(tls=context, users={"anna@example.org": "s3cret-token"}, mechanisms=("XOAUTH2",)) as sink:
            out = play("oauth", capsys, "127.0.0.1", sink.port, provider.ca_file, f"{provider.base}/token", tmp_path / "token")
            assert sink.messages[0].user == "anna@example.org"
    assert out == "('bob@example.net',)\n"


def test_breaker(capsys: pytest.CaptureFixture[str]) -> None:
    """Three failures, and then nothing is tried any more."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        out = play("breaker", capsys, "127.0.0.1", nobody.getsockname()[1], "none")
    assert out.count("tried: connection_refused") == 3
    assert out.count("not even tried; worth it again in 60 s") == 2


def test_reports(capsys: pytest.CaptureFixture[str]) -> None:
    """What is asked for reaches a server that offers it; what must not go without TLS does not go."""
    with SinkThread(Moods(offer=("DSN",))) as sink:
        out = play("reports", capsys, "127.0.0.1", sink.port, "none")
        [message] = sink.messages
    assert (message.parameters["RET"], message.parameters["ENVID"]) == ("HDRS", "contract-17")
    assert "known there as nothing that it would tell\nnot sent: the sender requires TLS all the way" in out


def test_in_tests(capsys: pytest.CaptureFixture[str]) -> None:
    """The example for tests brings its own servers."""
    assert play("in_tests", capsys) == "550 moved away\n('bob@example.net',)\nserver_shutdown\n"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_configurations_are_read(path: Path) -> None:
    """Each example of a configuration has no mistake."""
    config, problems = examine(str(path), path.read_bytes())
    assert problems == []
    assert config is not None


@pytest.mark.parametrize(
    ("key", "most", "shared", "messages"),
    [
        ("mx:alt1.gmail-smtp-in.l.google.com,gmail-smtp-in.l.google.com", 20, True, 100),
        ("mx:smtp.google.com", 20, True, 100),
        ("mx:outlook-com.olc.protection.outlook.com", 20, True, 100),
        ("mx:example-com.mail.protection.outlook.com", 30, True, 100),
        ("mx:mta5.am0.yahoodns.net,mta6.am0.yahoodns.net", 10, True, 20),
        ("mx:mx01.mail.icloud.com,mx02.mail.icloud.com", 10, True, 50),
        ("mx:mx1.comcast.net", 20, True, 100),
        ("mx:mx.example.net", 10, False, 100),
    ],
)
def test_limits_for_operators(key: str, most: int, shared: bool, messages: int) -> None:
    """The hosts of each operator find their section, all others the last one."""
    path = EXAMPLES / "operators.toml"
    table = TermsTable(config_of(str(path), path.read_bytes()))
    terms = table.of(key)
    assert (terms.window_max, bool(terms.throttle.rooms), terms.messages_per_connection) == (most, shared, messages)


def test_by_a_proxy(capsys: pytest.CaptureFixture[str]) -> None:
    """The proxy is told the server's name."""
    with SinkThread() as sink, FakeProxy(target=sink.port) as proxy:
        url = f"socks5://127.0.0.1:{proxy.port}"
        assert play("proxy", capsys, url, "mail.example.com", 587, "none") == f"taken by mail.example.com[{url}]:587\n"
        assert (sink.count, proxy.asked) == (1, ["mail.example.com:587"])


def test_with_a_mechanism_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    """The seal is the digest of what the server asked."""
    script = (
        "S: 220 x\nC: EHLO *\nS: 250-x\nS: 250 AUTH X-SEAL\nC: AUTH X-SEAL\nS: 334 MTIz\nC: bWUg*\nS: 235 in\n"
        "C: MAIL *\nS: 250 ok\nC: RCPT *\nS: 250 ok\nC: DATA\nS: 354 go\nMESSAGE\nS: 250 2.0.0 sealed"
    )
    with Script(script) as server:
        assert play("own_mechanism", capsys, "127.0.0.1", server.port, "none") == "250 2.0.0 sealed\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flask_app", "fastapi_app"])
def test_in_a_web_framework(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view queues, once; what is wrong is an answer; the outcome is asked for."""
    config = tmp_path / "config.toml"
    config.write_text(f'[mailer]\nspool = "{tmp_path}/spool"\n')
    monkeypatch.setenv("MAILER_CONFIG", str(config))
    app = runpy.run_path(str(EXAMPLES / f"{name}.py"))["app"]

    def ask(method: str, path: str, to: str = "") -> tuple[int, dict[str, Any]]:
        if name == "flask_app":
            answer = app.test_client().open(path, method=method, data={"to": to})
            return answer.status_code, answer.get_json()

        async def call() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                return await client.request(method, path, params={"to": to} if to else None)

        got = asyncio.run(call())
        return got.status_code, got.json()

    first, again = ask("POST", "/orders/7", "ann@example.net"), ask("POST", "/orders/7", "ann@example.net")
    assert (first[0], first) == (202, again)
    code, told = ask("GET", f"/mail/{first[1]['mail']}")
    assert (code, told["status"], told["request_id"]) == (200, "queued", "order-7")
    assert ask("POST", "/orders/8", "no address")[0] == 400


def test_into_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Once for an order; what is wrong is one line."""
    config = tmp_path / "config.toml"
    config.write_text(f'[mailer]\nspool = "{tmp_path}/spool"\n')
    monkeypatch.setenv("MAILER_CONFIG", str(config))
    first, again = (play("into_the_queue", capsys, "bob@example.net", "order-7").split() for _ in range(2))
    assert (first[1:], again) == (["new", "queued"], [first[0], "again", "queued"])
    with pytest.raises(SystemExit, match="no address"):
        play("into_the_queue", capsys, "no address", "order-8")
