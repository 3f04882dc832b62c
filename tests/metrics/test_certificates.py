"""When certificates end."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import trustme

from mailer.metrics.certificates import ends

UNTIL = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)


def test_they_are_read_as_they_were_shown_and_as_they_lie_there(tmp_path: Path) -> None:
    """What is none is left out: other things tell of that."""
    made = trustme.CA().issue_cert("relay.example", not_after=UNTIL)
    pem = made.cert_chain_pems[0].bytes()
    (tmp_path / "ours.pem").write_bytes(pem)
    (tmp_path / "none.pem").write_text("no certificate")
    shown = {"out": ssl.PEM_cert_to_DER_cert(pem.decode()), "odd": b"0\x00"}
    own = {"out": str(tmp_path / "ours.pem"), "odd": str(tmp_path / "none.pem"), "gone": str(tmp_path / "gone.pem")}
    assert [*ends(shown, own)] == [("out", "host", UNTIL.timestamp()), ("out", "ours", UNTIL.timestamp())]
    assert [*ends({}, {})] == []
