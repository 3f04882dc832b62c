"""Interceptors ([002] §11.1.3): what a program wants done before and after each message.

A hook may change or refuse a message before it is sent. What it raises afterwards changes nothing any more, for the
message is sent, or is not: that goes to the event loop's exception handler.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .errors import SendResult, SmtpError
    from .prepare import Mail


class Interceptor:
    """What a program wants done before and after each message. This one does nothing; override what you need."""

    async def before_send(self, mail: Mail) -> Mail:
        """Return what is to be sent: `mail`, changed or not, or another. An `SmtpError` that is raised here refuses it."""
        return mail

    async def after_send(self, mail: Mail, result: SendResult) -> None:
        """The server has taken `mail`."""

    async def on_error(self, mail: Mail, error: SmtpError) -> None:
        """The mail was not sent, because of `error`."""


class Hooks:
    """All interceptors: in their order before a message, in the reverse order after it."""

    def __init__(self, interceptors: Sequence[Interceptor]) -> None:
        self._all = tuple(interceptors)

    def __bool__(self) -> bool:
        return bool(self._all)

    async def before(self, mail: Mail) -> Mail:
        """`mail` as one interceptor after the other changes it. Raises what they raise."""
        for hook in self._all:
            mail = await hook.before_send(mail)
        return mail

    async def after(self, mail: Mail, result: SendResult) -> None:
        """Tell all interceptors that the server has taken `mail`. Raises nothing."""
        for hook in reversed(self._all):
            try:
                await hook.after_send(mail, result)
            except Exception as error:
                _report(hook, error)

    async def failed(self, mail: Mail, error: SmtpError) -> None:
        """Tell all interceptors that `mail` was not sent. Raises nothing."""
        for hook in reversed(self._all):
            try:
                await hook.on_error(mail, error)
            except Exception as problem:
                _report(hook, problem)


def _report(hook: Interceptor, error: Exception) -> None:
    message = f"{type(hook).__name__} raised after a message was sent or refused, which stays so"
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
