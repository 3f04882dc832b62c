"""An answer of the DNS as the judges want it: text, or why there is none."""

from __future__ import annotations

from typing import NamedTuple


class Answer(NamedTuple):
    """The records of `name`; else `missing` is nxdomain or nodata, or `trouble` says why nobody knows.

    An address is written as such, an MX record as ``10 mx.example.com``, a PTR or CNAME record as a name without the dot at
    its end, a TXT record as its strings put together.
    """

    name: str
    records: tuple[str, ...] = ()
    missing: str = ""
    trouble: str = ""

    @property
    def known(self) -> bool:
        """Whether the DNS said anything, be it that there is nothing."""
        return not self.trouble


def tagged(answer: Answer, version: str) -> list[str]:
    """The records that begin with a version tag such as ``v=DMARC1``, whatever else has a TXT record there."""
    found = []
    for text in answer.records:
        head = text.partition(";")[0].replace(" ", "").replace("\t", "")
        if head.lower() == version.lower():
            found.append(text)
    return found
