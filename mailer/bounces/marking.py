"""The mark of a report that the sender of a message gets: it is passed on once, and never goes round.

The report itself stays as it came, octet by octet but for its line ends. Before it stand a trace field (RFC 5321 §4.4), by which hosts
count how far it has come, and our own field with the ID of the report.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailer.mail.dates import rfc5322
from mailer.mail.message import header_end

if TYPE_CHECKING:
    from mailer.reports.api import LoadedReport

FIELD = b"X-Mailer-Report"


def marked(loaded: LoadedReport, hostname: str, now: float) -> bytes:
    """The report as its reader gets it, `now` (seconds since the epoch)."""
    at = rfc5322(now, time.localtime(now).tm_gmtoff // 60)
    trace = f"Received: by {hostname} (mailer) id {loaded.id};\r\n\t{at}\r\n".encode("ascii", "replace")
    return b"%b%b: %b\r\n%b" % (trace, FIELD, loaded.id.encode("ascii"), loaded.content)


def is_marked(content: bytes) -> bool:
    """Whether a report was passed on before, by this host or another of its kind."""
    header = content[: header_end(content)].lower()
    name = FIELD.lower() + b":"
    return header.startswith(name) or b"\n" + name in header
