"""Reports are found in messages, whatever these call them; what is packed to do harm is refused."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.aggregate import finding
from mailer.aggregate.finding import Aggregate, kind_of, read
from mailer.aggregate.unpacking import MEMBERS, MOST

from . import letters
from .letters import alone, attached, wrappings, zipped

DOCUMENT = letters.dmarc()


@pytest.mark.parametrize("content", wrappings(DOCUMENT))
def test_a_report_is_found_however_it_is_wrapped(content: bytes) -> None:
    """As gzip, as ZIP, as it is; attached, or as the whole message; with CRLF, or as it lies on a disk."""
    assert kind_of(content) == "dmarc"
    found = read(content)
    assert (len(found.dmarc), found.problems) == (1, ())
    assert found.dmarc[0] == read(wrappings(DOCUMENT)[0]).dmarc[0]


def test_a_tls_report_is_found() -> None:
    """RFC 8460 §5.3 has an example of such a message."""
    report = b"TLS-Report-Domain: example.com\r\nTLS-Report-Submitter: receiver.example"
    head = f'{report.decode()}\r\nSubject: Report Domain: example.com\r\nX-Kind: multipart/report; report-type="tlsrpt"'
    for data, kind in ((gzip.compress(letters.tlsrpt()), "application/tlsrpt+gzip"), (letters.tlsrpt(), "application/tlsrpt+json")):
        content = attached(data, kind, head=head)
        assert kind_of(content) == "tlsrpt"
        assert len(read(content).tlsrpt) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"Subject: Hi\r\n\r\nHello.\r\n",
        attached(zipped(("photo.jpg", b"\xff\xd8" * 100)), "application/zip"),
        attached(b"<html><feedback/></html>", "text/xml"),
        attached(b'{"a": 1}', "application/json"),
        attached(gzip.compress(b"a log\n"), "application/gzip"),
        b"Content-Type: message/rfc822\r\n\r\n" + wrappings(DOCUMENT)[0],
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\nno part\r\n",
    ],
)
def test_other_mail_holds_none(content: bytes) -> None:
    """Nor does a message that somebody forwards, or returns."""
    assert kind_of(content) is None
    assert (read(content).dmarc, read(content).tlsrpt) == ((), ())


def test_one_bad_document_does_not_keep_others_from_being_read() -> None:
    """What is wrong with it is told."""
    both = attached(DOCUMENT, "text/xml").replace(b"--=b--", b"--=b\r\nContent-Type: application/gzip\r\n\r\n\x1f\x8bxx\r\n--=b--")
    found = read(both)
    assert len(found.dmarc) == 1
    assert len(found.problems) == 1


def gzip_of(size: int, start: bytes = b"<feedback>") -> bytes:
    """Zeros and more of them, packed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    made = [packer.compress(start), *(packer.compress(b" " * (1 << 20)) for _ in range(size >> 20))]
    return b"".join([*made, packer.flush()])


def with_size(archive: bytes, size: int) -> bytes:
    """The archive with another size in its directory."""
    at = archive.index(b"PK\x01\x02") + 24
    return archive[:at] + struct.pack("<L", size) + archive[at + 4 :]


GOOD_GZIP = gzip.compress(DOCUMENT)
GOOD_ZIP = zipped(("a.xml", DOCUMENT))

PACKED: dict[str, tuple[Callable[[], bytes], str]] = {
    "much of little": (lambda: gzip_of(64 << 20), "larger than"),
    "gzip in gzip": (lambda: gzip.compress(GOOD_GZIP), "more than once"),
    "zip in zip": (lambda: zipped(("a.xml", GOOD_ZIP)), "more than once"),
    "zip in gzip": (lambda: gzip.compress(GOOD_ZIP), "more than once"),
    "a wrong sum in gzip": (lambda: GOOD_GZIP[:-8] + b"\0\0\0\0" + GOOD_GZIP[-4:], "unpacked"),
    "a wrong size in gzip": (lambda: GOOD_GZIP[:-1] + b"\x7f", "unpacked"),
    "half a gzip file": (lambda: GOOD_GZIP[: len(GOOD_GZIP) // 2], "too early"),
    "something behind gzip": (lambda: GOOD_GZIP + b"more", "something else"),
    "many members of gzip": (lambda: b"".join(gzip.compress(each) for each in (b"<feedback>", *[b" "] * MEMBERS)), "members"),
    "many files": (lambda: zipped(*((f"{at}.xml", b"x") for at in range(MEMBERS + 1))), "files"),
    "two documents": (lambda: zipped(("a.xml", DOCUMENT), ("b.xml", DOCUMENT)), "2 documents"),
    "no file": (lambda: b"PK\x03\x04" + zipped(), "0 documents"),
    "a wrong sum in zip": (lambda: with_size(GOOD_ZIP, len(DOCUMENT) - 1), "sum or the size"),
    "a wrong size in zip": (lambda: with_size(GOOD_ZIP, 3), "sum or the size"),
    "half a zip file": (lambda: GOOD_ZIP[: len(GOOD_ZIP) // 2], "cut off"),
    "a zip file of another method": (lambda: zipped(("a.xml", DOCUMENT), method=zipfile.ZIP_BZIP2), "method 12"),
    "a directory that points elsewhere": (lambda: GOOD_ZIP[:-6] + b"\xff\xff\xff\x7f" + GOOD_ZIP[-2:], "damaged"),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_packed_otherwise_than_reporters_do_is_refused(name: str) -> None:
    """And the reason is told in a sentence."""
    make, why = PACKED[name]
    found = read(attached(make(), "application/zip"))
    assert (found.dmarc, found.tlsrpt) == ((), ())
    assert why in found.problems[0]


def test_files_beside_the_document_are_not_looked_at() -> None:
    """Some reporters add a style sheet."""
    assert len(read(alone(zipped(("read.me", b"x"), ("a.XML", DOCUMENT)), "application/zip")).dmarc) == 1


BEGINNINGS = [b"", b"PK\x03\x04", b"\x1f\x8b\x08\0", b"<feedback", b'{"policies":', GOOD_ZIP, GOOD_GZIP]


@given(st.binary(max_size=300), st.sampled_from(BEGINNINGS))
def test_whatever_comes_is_read_or_refused(data: bytes, start: bytes) -> None:
    """Nothing that anybody sends is a mistake of ours."""
    assert isinstance(read(attached(start + data, "application/octet-stream")), Aggregate)
    assert isinstance(read(b"Content-Type: text/xml\r\n\r\n" + start + data), Aggregate)


BOMBS = {
    "gigabyte": "zlib_of(b'<feedback>', 1 << 30)",
    "twenty megabytes of rows": "zlib_of(b'<feedback>' + b''.join(b'<record><row><source_ip>10.%d.%d.%d</source_ip><count>1</count>"
    "<policy_evaluated><disposition>none</disposition></policy_evaluated></row></record>' % (n >> 16, n >> 8 & 255, n & 255)"
    " for n in range(130000)), 0)",
    "a long tag": "zlib_of(b'<feedback><a ' + b'x' * (15 << 20), 0)",
    "seventy thousand files": "b'PK\\x03\\x04' + b'PK\\x01\\x02'.ljust(46, b'\\0') * 70000 + b'PK\\x05\\x06'"
    " + b'\\0' * 4 + b'\\xff\\xff' * 2 + b'\\0' * 10",
    "lists of lists": "b'{\"policies\":[' + b'[],' * 340000",
}

MADE = """
import sys, zlib, base64
def zlib_of(start, size):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    made = [packer.compress(start), *(packer.compress(b" " * (1 << 20)) for _ in range(size >> 20))]
    return b"".join([*made, packer.flush()])
head = b"Content-Type: application/gzip\\r\\nContent-Transfer-Encoding: base64\\r\\n\\r\\n"
open(sys.argv[1], "wb").write(head + base64.encodebytes(BOMB))
"""

READ = """
import re, sys, time
from mailer.aggregate.finding import read
read(open(sys.argv[1], "rb").read())
print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1], time.process_time())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_take_little_memory_and_time(name: str, tmp_path: Path) -> None:
    """64 MB with the interpreter and all that it has loaded; seconds of the processor, not minutes."""
    letter = str(tmp_path / "letter")
    subprocess.run([sys.executable, "-c", MADE.replace("BOMB", BOMBS[name]), letter], check=True, timeout=300)
    said = subprocess.run([sys.executable, "-c", READ, letter], check=True, capture_output=True, text=True, timeout=300).stdout
    memory, seconds = map(float, said.split())
    assert memory <= 64 << 10, said
    assert seconds <= 20, said


def test_the_bound_is_met_exactly() -> None:
    """One octet more than it may be is too much."""
    assert read(alone(gzip_of(MOST, b"<feedback>"))).problems


def test_documents_of_a_message_share_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many that are each as large as may be cost no more than one; those for which there is room are read."""
    monkeypatch.setattr(finding, "MOST", 200_000)
    beside = b"".join(b"<!-- %s -->" % random.randbytes(500).hex().encode() for _ in range(100))
    large = gzip.compress(DOCUMENT.replace(b"</feedback>", beside + b"</feedback>"))
    found = read(attached(gzip.compress(DOCUMENT), "application/gzip", large, large, large))
    assert len(found.dmarc) == 2
    assert found.problems == ("unpacked, it and those before it in the message are larger than 200000 bytes",) * 2
