"""What went wrong outside, in words."""

from __future__ import annotations

import os
import ssl


def reason(error: Exception) -> str:
    """The reason alone; asyncio puts whole addresses into its messages."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, EOFError):
        return "it hung up"
    number = getattr(error, "errno", None)
    return os.strerror(number) if number and not isinstance(error, ssl.SSLError) else str(error) or type(error).__name__
