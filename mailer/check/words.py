"""What went wrong outside, in words."""

from __future__ import annotations

import asyncio
import os
import ssl


def reason(error: Exception) -> str:
    """The reason alone; asyncio puts whole addresses into its messages."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, EOFError):
        return "it hung up"
    if isinstance(error, asyncio.LimitOverrunError):
        return "it says one line without an end"
    number = getattr(error, "errno", None)
    return os.strerror(number) if number and not isinstance(error, ssl.SSLError) else str(error) or type(error).__name__
