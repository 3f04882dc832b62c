"""The system's list of hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailer.machine.hostsfile import listed

if TYPE_CHECKING:
    from pathlib import Path


def test_names(tmp_path: Path) -> None:
    """A name has the addresses of all lines that list it, in order; case and comments do not matter."""
    file = tmp_path / "hosts"
    file.write_text("127.0.0.1 localhost\n10.0.0.1\tSmtp.Example.net smtp # smtp2\n\nfd00::1 smtp\nnonsense smtp\n#10.0.0.9 smtp\n")
    assert listed("smtp", str(file)) == ["10.0.0.1", "fd00::1"]
    assert listed("SMTP.example.NET", str(file)) == ["10.0.0.1"]
    assert listed("smtp2", str(file)) == []
    assert listed("10.0.0.1", str(file)) == []


def test_no_file(tmp_path: Path) -> None:
    """Without the file no name is listed; bytes that are no text do no harm."""
    assert listed("smtp", str(tmp_path / "none")) == []
    file = tmp_path / "hosts"
    file.write_bytes(b"\xff\xfe\x00 smtp\n10.0.0.1 smtp\n")
    assert listed("smtp", str(file)) == ["10.0.0.1"]
