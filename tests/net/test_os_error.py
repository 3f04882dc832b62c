"""What the system calls a failure of the network."""

from __future__ import annotations

import socket
import ssl

import pytest

from mailer.net.os_error import reason_of


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 11333)"), "Connection refused"),
        (FileNotFoundError(2, "No such file or directory", "/run/clamd.ctl"), "No such file or directory"),
        (ssl.SSLError(1, "certificate verify failed"), "certificate verify failed"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("Multiple exceptions"), "Multiple exceptions"),
        (ValueError("it says nonsense"), "it says nonsense"),
    ],
)
def test_a_reason_is_said_without_addresses(error: Exception, said: str) -> None:
    """Where TLS or a look-up has failed, in their words: their numbers mean other things to the system."""
    assert reason_of(error) == said
