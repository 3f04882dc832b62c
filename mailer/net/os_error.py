"""What the system calls a failure of the network: asyncio and uvloop have words of their own, with whole addresses in them."""

from __future__ import annotations

import os
import ssl


def reason_of(error: Exception) -> str:
    """The reason alone, such as ``Connection refused``. Numbers of TLS and of look-ups are none of the system; those say it themselves."""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)
