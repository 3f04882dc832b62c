"""``mailer web`` as a process: when it starts and when not, its signals, its sockets; and that what it has answered with 202 is there."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from mailer.spool.files.store import SpoolDirectory
from tests.fakes.processes import MAILER, PATIENCE, free_port, wait_until

from .home import Home

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_nobody_listens_before_there_is_a_key(home: Home) -> None:
    """Not on the loopback either, for other users of the machine are there. The log says what to do; then it goes on by itself."""
    with home.web() as program:
        program.says('"what":"door"')
        assert "mailer api key add" in program.said
        with pytest.raises(ConnectionRefusedError):
            home.get("/health")
        program.signal(signal.SIGHUP)
        program.says('"what":"reloaded"')
        home.key()
        program.says('"what":"ready"')
        assert home.get("/health")[0] == 200
        assert "there is an API key" in program.said
        program.signal(signal.SIGTERM)
        assert program.wait() == 0


def test_what_waits_for_a_key_ends_when_it_is_told_to(home: Home) -> None:
    """And the daemon's log, status and people are told meanwhile, by the note that it leaves in the spool."""
    with home.web() as program:
        program.says('"what":"door"')
        wait_until("the note is there", lambda: b'"door"' in (SpoolDirectory(str(home.spool)).recall("alarms.web") or b""))
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert '"what":"stopping"' in program.said


def test_nobody_listens_where_no_door_is(home: Home) -> None:
    """The line says what to write."""
    home.file.write_text(f'[mailer]\nspool = "{home.spool}"\n')
    made = home.mailer("web")
    assert (made.returncode, made.stderr.count("\n")) == (78, 1)
    assert "[[listen]]" in made.stderr


def test_a_place_that_is_taken(home: Home) -> None:
    """Is named, with the setting."""
    home.key()
    with socket.create_server(("127.0.0.1", home.port)):
        made = home.mailer("web")
    assert (made.returncode, made.stderr.count("\n")) == (69, 1)
    assert f"127.0.0.1:{home.port}" in made.stderr
    assert "listen.address" in made.stderr


def test_it_serves_reloads_and_ends(home: Home) -> None:
    """It says where it listens; a wrong configuration changes nothing; a second one finds that there is one."""
    key = home.key()
    with home.web() as program:
        program.says('"what":"ready"')
        assert json.loads(program.said.splitlines()[0]) == {"event": "listening", "urls": [f"http://127.0.0.1:{home.port}/"]}
        assert home.get("/ready") == (200, b'{"status":"ready"}')
        second = home.mailer("web")
        assert (second.returncode, second.stderr.count("\n")) == (75, 1)
        home.write("nonsense = 1")
        program.signal(signal.SIGHUP)
        program.says('"what":"reload-refused"')
        assert home.get("/ready")[0] == 200
        home.write("[api]\nmax_body = 10")
        program.signal(signal.SIGHUP)
        program.says('"what":"reloaded"')
        caller = http.client.HTTPConnection("127.0.0.1", home.port, timeout=PATIENCE)
        caller.request("POST", "/send_email", b"{" + b" " * 20, {"Authorization": f"Bearer {key}"})
        assert caller.getresponse().status == 413
        caller.close()
        program.signal(signal.SIGTERM)
        assert program.wait() == 0
        assert program.said.splitlines()[-1].endswith('"what":"stopped","detail":null}')
    assert key not in program.said


def test_figures_are_at_a_place_of_their_own(tmp_path: Path) -> None:
    """They are those of this process."""
    figures = free_port()
    home = Home(tmp_path, f'[api]\nmetrics = "127.0.0.1:{figures}"')
    home.key()
    with home.web() as program:
        program.says('"what":"ready"')
        assert home.get("/health")[0] == 200
        home.port = figures
        assert b'mailer_api_requests_total{endpoint="/health",code="200"} 1' in home.get("/metrics")[1]


def test_a_socket_of_the_service_manager_is_taken_over(home: Home) -> None:
    """Who calls before the process is there is answered by it, and the socket stays when it has ended."""
    home.key()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        home.port = listening.getsockname()[1]
        early = socket.create_connection(("127.0.0.1", home.port))
        early.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        script = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); "
            "os.execv(sys.argv[2], sys.argv[2:])"
        )
        argv = [sys.executable, "-c", script, str(listening.fileno()), *MAILER, "web", "--config", str(home.file)]
        with (home.path / "log").open("wb") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[listening.fileno()])
        try:
            early.settimeout(30)
            assert early.recv(100).startswith(b"HTTP/1.1 200")
            assert f"127.0.0.1:{home.port}" in (home.path / "log").read_text()
        finally:
            process.terminate()
            assert process.wait(30) == 0
            early.close()
        with socket.create_connection(("127.0.0.1", home.port)):
            pass


def test_what_was_answered_is_there_after_a_kill(home: Home) -> None:
    """Whenever it comes: each 202 is a message in the spool, and nothing else is but what was asked for once."""
    key = home.key()
    answered: dict[str, str] = {}
    stop = threading.Event()

    def post(worker: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            request_id = f"{worker}-{number}"
            body = json.dumps(
                {
                    "request_id": request_id, "from_address": "a@example.com", "to_addresses": ["b@example.net"],
                    "subject": request_id, "body_plain": "x" * 2000,
                }
            )  # fmt: skip
            caller = http.client.HTTPConnection("127.0.0.1", home.port, timeout=PATIENCE)
            with suppress(OSError, http.client.HTTPException):
                caller.request("POST", "/send_email", body, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
                answer = caller.getresponse()
                if answer.status == 202:
                    answered[request_id] = json.loads(answer.read())["id"]
            caller.close()

    workers = [threading.Thread(target=post, args=(number,)) for number in range(8)]
    for round in range(3):
        with home.web() as program:
            program.says("listening") if not round else wait_until("it answers", lambda: _answers(home))
            if not round:
                for worker in workers:
                    worker.start()
            before = len(answered)
            wait_until("some were answered", lambda before=before: len(answered) > before + 20)
            program.kill()
    stop.set()
    for worker in workers:
        worker.join()
    queued = {path.name for path in (home.spool / "queued").iterdir()}
    assert len(answered) > 60
    assert set(answered.values()) <= queued
    assert len(set(answered.values())) == len(answered)


def _answers(home: Home) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return home.get("/health")[0] == 200
    return False
