"""What IMAP (RFC 9051, and RFC 3501 before it) says of a message, as the octets that are sent.

`strings`        quoted strings, literals, NIL
`envelope`       ENVELOPE: what the header says
`bodystructure`  BODYSTRUCTURE: which parts there are
"""

from __future__ import annotations
