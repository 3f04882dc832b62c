"""How a send ends that has to fail."""

from __future__ import annotations

from typing import Any

import pytest

from mailer import SmtpClient, SmtpError


async def outcome(sending: SmtpClient, message: Any) -> SmtpError:
    """The error of a send that has to fail."""
    with pytest.raises(SmtpError) as caught:
        await sending.send(message)
    return caught.value
