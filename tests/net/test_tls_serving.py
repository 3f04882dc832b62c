"""TLS at our own doors: which versions, whose tickets, and one handshake only."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import warnings
from pathlib import Path

import pytest
import trustme

from mailer.net.tls import serving

NAME = "mx.example.com"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate with its key."""
    path: Path = tmp_path_factory.mktemp("door") / "both.pem"
    trustme.CA().issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


def client(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """A client that trusts anybody, and speaks one version only, if any is said."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            made.minimum_version = made.maximum_version = version
    return made


def met(door: ssl.SSLContext, theirs: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLObject:
    """The client's side of a connection that stands and has carried something. Raises `ssl.SSLError`."""
    to_door, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = door.wrap_bio(to_door, to_client, server_side=True)
    caller = theirs.wrap_bio(to_client, to_door, session=session)
    for _ in range(4):
        for side in (caller, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
    ours.write(b"hello")
    assert caller.read() == b"hello"
    return caller


V = ssl.TLSVersion


@pytest.mark.parametrize(
    ("oldest", "version", "spoken"),
    [
        ("1.2", V.TLSv1_1, False),
        ("1.2", V.TLSv1_2, True),
        ("1.2", V.TLSv1_3, True),
        ("1.3", V.TLSv1_2, False),
        ("1.3", V.TLSv1_3, True),
        ("1.0", V.TLSv1, True),
        ("1.0", V.TLSv1_3, True),
    ],
)
def test_the_oldest_version_that_is_spoken(pem: str, oldest: str, version: ssl.TLSVersion, spoken: bool) -> None:
    """1.2 where nothing else is said; older ones only for who wants them."""
    door = serving(pem, "", oldest)
    if spoken:
        assert met(door, client(version)).version()
    else:
        with pytest.raises(ssl.SSLError):
            met(door, client(version))


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3])
def test_a_ticket_is_worth_something_where_it_was_given_and_nowhere_else(pem: str, version: ssl.TLSVersion) -> None:
    """Two doors, though they have one certificate, do not know each other's sessions."""
    one, other, theirs = serving(pem, ""), serving(pem, ""), client(version)
    assert met(one, theirs, met(one, theirs).session).session_reused
    assert not met(other, theirs, met(one, theirs).session).session_reused


@pytest.mark.parametrize("version", [V.TLSv1_2, V.TLSv1_3])
def test_a_door_without_tickets_gives_none(pem: str, version: ssl.TLSVersion) -> None:
    """For clients that cannot bear one."""
    session = met(serving(pem, "", tickets=False), client(version)).session
    assert session is None or not session.has_ticket


@pytest.mark.peer("openssl")
def test_there_is_no_second_handshake(pem: str) -> None:
    """A client of TLS 1.2 that asks for one is refused, so that nobody can have us compute handshakes without end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, serving(pem, "")))
        thread.start()
        command = ["openssl", "s_client", "-tls1_2", "-connect", f"127.0.0.1:{listening.getsockname()[1]}"]
        done = subprocess.run(command, input=b"R\n", capture_output=True, timeout=60, check=False)
        thread.join()
    assert b"RENEGOTIATING" in done.stderr
    assert b"no renegotiation" in done.stderr


def _serve(listening: socket.socket, door: ssl.SSLContext) -> None:
    """Meet one client, and read until he is gone."""
    caller, _ = listening.accept()
    try:
        with door.wrap_socket(caller, server_side=True) as stream:
            while stream.recv(4096):
                pass
    except OSError:
        pass
