"""Proxies of others: microsocks speaks SOCKS5, tinyproxy the CONNECT of HTTP; each with a login and without."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailer import Email, Proxy, RetrySettings, SmtpError, SyncSmtpClient
from mailer.testing import SinkThread
from tests.fakes.processes import Program, free_port
from tests.fakes.sockets import closed_port

from .install import FETCHED

LETTER = Email(from_="ann@example.org", to="bob@example.net", subject="Hi", text="It works.")


@contextmanager
def microsocks(home: Path, *login: str) -> Iterator[str]:
    port = free_port()
    options = ["-u", login[0], "-P", login[1]] if login else []
    with Program([FETCHED["microsocks"], "-i", "127.0.0.1", "-p", str(port), *options], home / "microsocks") as program:
        program.accepts(port)
        yield f"socks5://127.0.0.1:{port}"


@contextmanager
def tinyproxy(home: Path, *login: str) -> Iterator[str]:
    port = free_port()
    known = f"BasicAuth {login[0]} {login[1]}\n" if login else ""
    config = home / "tinyproxy.conf"
    config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\nAllow 127.0.0.1\n{known}")
    with Program([FETCHED["tinyproxy"], "-d", "-c", config], home / "tinyproxy") as program:
        program.accepts(port)
        yield f"http://127.0.0.1:{port}"


PROXIES = [pytest.param(start, id=start.__name__, marks=pytest.mark.peer(start.__name__)) for start in (microsocks, tinyproxy)]


@pytest.mark.parametrize("start", PROXIES)
@pytest.mark.parametrize("login", [(), ("me", "hush")])
def test_mail_goes_by_it(start: object, login: tuple[str, ...], tmp_path: Path) -> None:
    """The name is looked up by the proxy; a wrong login, and a host that does not listen, are told as the proxy's no."""
    with start(tmp_path, *login) as url, SinkThread() as sink:  # type: ignore[operator]
        with SyncSmtpClient("localhost", sink.port, tls="none", dialer=Proxy.at(url, *login)) as client:
            assert client.send(LETTER).host == f"localhost[{url}]:{sink.port}"
        assert sink.count == 1
        other = Proxy.at(url, "me", "wrong") if login else Proxy.at(url)
        port = sink.port if login else closed_port()
        client = SyncSmtpClient("localhost", port, tls="none", dialer=other, retry=RetrySettings(max_attempts=1))
        with client, pytest.raises(SmtpError, match="the proxy "):
            client.send(LETTER)
