"""Which of several TXT records is meant."""

from __future__ import annotations

import pytest

from mailer.auth.records import DnsRecords, tagged


@pytest.mark.parametrize("text", ["v=DMARC1", "v=DMARC1;p=none", "v = DMARC1 ; p=none", "V=dmarc1; p=none"])
def test_which_record_is_dmarc(text: str) -> None:
    """The version comes first; blanks and case do not matter."""
    assert tagged(DnsRecords("x", (text, "v=DMARC2; p=none", "p=none; v=DMARC1", "other")), "v=DMARC1") == [text]
