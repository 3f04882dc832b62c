"""Submission: the one door by which mail enters.

The command line, the sendmail face and the writer of reports call `submit`; later the API and the SMTP
server do. So each message is checked and completed once, here (RFC 6409 §8), and what lies in the spool is
complete:

- line ends are CRLF, no stray CR, LF or NUL is left, so that no receiver can see two messages in one;
- Date, Message-ID and From are there; Bcc and Return-Path are not; what may stand once stands once (`mailer.mail.once`);
- every address is one, and there is at least one recipient; names of this machine are who the configuration says they are,
  in the header and in the envelope (`mailer.identity`);
- lines are no longer than SMTP allows, and 8-bit text says what it is (`mailer.mail.repair`);
- the sizes and the number of recipients are within their limits.

What is not needed for a message is not imported for it: without rules, and with a message that needs no mending, neither is.
"""

from __future__ import annotations

from .door import check_recipient, check_size, prepare, submit
from .request import Prepared, Request, Submitted

__all__ = ["Prepared", "Request", "Submitted", "check_recipient", "check_size", "prepare", "submit"]
