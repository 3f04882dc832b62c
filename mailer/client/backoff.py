"""What is tried again, and after which pause; [002] §7.1.1. Pure: randomness comes in as an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import SmtpConnectionError, SmtpPoolError, SmtpTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .errors import SmtpError
    from .settings import RetrySettings


def wanted(error: SmtpError, settings: RetrySettings) -> bool:
    """Whether the settings have this failure tried again. What is not `retryable` never is."""
    if not error.retryable or isinstance(error, SmtpPoolError):  # that wait has a limit of its own
        return False
    if isinstance(error, SmtpConnectionError):
        return settings.connection_errors
    if isinstance(error, SmtpTimeoutError):
        return settings.timeouts
    return settings.temporary_failures or error.code in settings.error_codes


def pause(attempts: int, settings: RetrySettings, random: Callable[[], float]) -> float:
    """Seconds to wait after so many attempts; `random` gives 0.0 to 1.0."""
    try:
        longest = min(settings.initial_delay * settings.multiplier ** (attempts - 1), settings.max_delay)
    except OverflowError:
        longest = settings.max_delay
    return longest * (0.5 + 0.5 * random()) if settings.jitter else longest
